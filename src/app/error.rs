//! Why a command did not happen. Each kind maps to one answer; the texts for callers are made by the server.

use std::{error::Error, sync::Arc};

use domain::{
    AdmissionError, ClientError, ErasureError, LegalHoldError, MemberError, Permission, RoleError,
    SigningKeyError, Violation,
};
use jiff::Timestamp;
use store::{AppendError, KeyStoreError, ReadError, Revision};

/// Why a command did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The actor's token has ended since it was authenticated, or its member was deactivated.
    #[error("the actor cannot act any more")]
    Unauthenticated,
    /// The actor lacks a permission. Recorded.
    #[error("the command needs the permission `{}`", .0.as_str())]
    Denied(Permission),
    /// The actor would give away more than it has. Recorded.
    #[error("the actor does not hold what it would grant: `{}`", .0.as_str())]
    GrantsTooMuch(Permission),
    /// Fields of the request break rules. Recorded, without their values.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// A rule of the client refused it. Recorded.
    #[error(transparent)]
    Client(ClientError),
    /// A rule of the member refused it. Recorded.
    #[error(transparent)]
    Member(MemberError),
    /// A rule of erasure refused it. Recorded.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// A rule of legal holds refused it. Recorded.
    #[error(transparent)]
    LegalHold(LegalHoldError),
    /// A rule of signing keys refused it. Recorded.
    #[error(transparent)]
    SigningKey(SigningKeyError),
    /// A rule of who may register clients refused it. Recorded.
    #[error(transparent)]
    Admission(AdmissionError),
    /// There is a role of this name, or there was. Recorded.
    #[error("the name of the role is taken for good")]
    RoleExists,
    /// A built-in role is as it is. Recorded.
    #[error("the role is built in")]
    BuiltInRole,
    /// There is no such thing in this environment.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It was deleted; its history stays.
    #[error("the {0} was deleted")]
    Gone(&'static str),
    /// Another one holds the name. Recorded.
    #[error("the value of `{pointer}` is taken")]
    Taken {
        /// The field whose value must be unique.
        pointer: &'static str,
    },
    /// `If-Match` names an older revision. Recorded.
    #[error("the revision is {current} by now")]
    PreconditionFailed {
        /// The revision it has.
        current: Revision,
        /// What changed since the revision that was given.
        changed: Vec<ChangedSince>,
    },
    /// An edit without `If-Match`.
    #[error("the command needs If-Match")]
    PreconditionRequired,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// The audit is being verified already. Recorded.
    #[error("the audit is being verified already")]
    VerificationRunning,
    /// The views are being rebuilt already. Recorded.
    #[error("the views are being rebuilt already")]
    RebuildRunning,
    /// A rebuilt view would stand before the one that is read. Recorded.
    #[error("a rebuilt view halts before the live one")]
    RebuildHalts,
    /// Others were faster, again and again.
    #[error("the command lost the race against other commands too often")]
    Contended,
    /// Too many wrong secrets were tried; each is in the activity log.
    #[error("too many wrong secrets were tried: wait for {retry_after_seconds} seconds")]
    Throttled {
        /// When it may be tried again.
        retry_after_seconds: u64,
    },
    /// More secrets wait to be hashed than the service can hash soon.
    #[error("too many secrets wait to be hashed")]
    Busy,
    /// The service could not do it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// One event that an edit would have overwritten unseen.
#[derive(Clone, Debug)]
pub struct ChangedSince {
    /// Its revision.
    pub revision: Revision,
    /// What happened.
    pub event_type: String,
    /// When.
    pub at: Timestamp,
    /// Who, by pseudonym.
    pub actor: String,
    /// The public data, old and new values among it.
    pub data: serde_json::Value,
}

/// The service could not do its work.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{attempted}")]
pub struct Fault {
    /// What was attempted.
    pub attempted: &'static str,
    /// Whether the command may have been recorded all the same: ask again with the same idempotency key.
    pub outcome_unknown: bool,
    /// Whether waiting cannot help: something is damaged or wrong in the program.
    pub permanent: bool,
    /// What the layer below said.
    #[source]
    pub source: Arc<dyn Error + Send + Sync>,
}

impl Fault {
    /// Something that may work again later.
    pub fn passing(attempted: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self { attempted, outcome_unknown: false, permanent: false, source: Arc::new(source) }
    }

    /// Something that will not mend itself.
    pub(crate) fn permanent(attempted: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self { attempted, outcome_unknown: false, permanent: true, source: Arc::new(source) }
    }

    /// The command's task ended without an answer.
    pub(crate) fn unknown_outcome(source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            attempted: "running a command",
            outcome_unknown: true,
            permanent: false,
            source: Arc::new(source),
        }
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => Self::passing("reading the log", error),
            ReadError::Corrupt { .. } => Self::permanent("reading the log", error),
        }
    }
}

impl From<KeyStoreError> for Fault {
    fn from(error: KeyStoreError) -> Self {
        Self::passing("using the key store", error)
    }
}

impl From<crypto::EntropyError> for Fault {
    fn from(error: crypto::EntropyError) -> Self {
        Self::passing("drawing random bytes", error)
    }
}

impl From<AppendError> for Fault {
    fn from(error: AppendError) -> Self {
        let outcome_unknown = matches!(error, AppendError::Unavailable { outcome_unknown: true, .. });
        let permanent = matches!(error, AppendError::Invalid(_) | AppendError::ClaimNotHeld { .. });
        Self { attempted: "appending to the log", outcome_unknown, permanent, source: Arc::new(error) }
    }
}

macro_rules! faults {
    ($($error:ty),+) => {
        $(impl From<$error> for CommandError { fn from(error: $error) -> Self { Self::Fault(error.into()) } })+
    };
}
faults!(ReadError, KeyStoreError, crypto::EntropyError);

impl From<crypto::VerifierError> for CommandError {
    fn from(error: crypto::VerifierError) -> Self {
        match error {
            crypto::VerifierError::Busy => Self::Busy,
            crypto::VerifierError::Stopped
            | crypto::VerifierError::Unsupported(_)
            | crypto::VerifierError::Failed { .. } => {
                Self::Fault(Fault::permanent("hashing a secret", error))
            }
        }
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Invalid(violations) => Self::Invalid(violations),
            ClientError::NotFound => Self::NotFound("client"),
            ClientError::Deleted => Self::Gone("client"),
            ClientError::AlreadyExists
            | ClientError::NotActive
            | ClientError::NotInactive
            | ClientError::PublicClient
            | ClientError::NoSuchSecret(_)
            | ClientError::SecretNotUsable(_)
            | ClientError::LastSecret(_)
            | ClientError::NoRotation
            | ClientError::RotationUnderWay { .. }
            | ClientError::PayloadEncryptionOff
            | ClientError::TooManySecrets { .. } => Self::Client(error),
        }
    }
}

impl From<SigningKeyError> for CommandError {
    fn from(error: SigningKeyError) -> Self {
        match error {
            SigningKeyError::NoSuchKey(_) => Self::NotFound("signing_key"),
            error @ (SigningKeyError::Retired(_) | SigningKeyError::InUse(_)) => Self::SigningKey(error),
        }
    }
}

impl From<AdmissionError> for CommandError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Invalid(violations) => Self::Invalid(violations),
            AdmissionError::NoSuchToken(_) => Self::NotFound("initial_access_token"),
            AdmissionError::TokenNotLive(_)
            | AdmissionError::TooManyTokens { .. }
            | AdmissionError::Full { .. } => Self::Admission(error),
        }
    }
}

impl From<MemberError> for CommandError {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Invalid(violations) => Self::Invalid(violations),
            MemberError::NotFound => Self::NotFound("member"),
            MemberError::AlreadyExists
            | MemberError::NotActive
            | MemberError::NotInactive
            | MemberError::Erased
            | MemberError::LastAdministrator
            | MemberError::NoPassword
            | MemberError::NoTotp
            | MemberError::NoSuchPasskey(_)
            | MemberError::TooManyPasskeys { .. }
            | MemberError::NoSuchToken(_)
            | MemberError::TokenNotLive(_)
            | MemberError::TooManyTokens { .. } => Self::Member(error),
        }
    }
}

impl From<LegalHoldError> for CommandError {
    fn from(error: LegalHoldError) -> Self {
        match error {
            LegalHoldError::NotFound => Self::NotFound("legal_hold"),
            LegalHoldError::Released | LegalHoldError::PersonErased => Self::LegalHold(error),
        }
    }
}

impl From<RoleError> for CommandError {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::Invalid(violations) => Self::Invalid(violations),
            RoleError::AlreadyExists => Self::RoleExists,
            RoleError::NotFound => Self::NotFound("role"),
            RoleError::Deleted => Self::Gone("role"),
        }
    }
}

impl CommandError {
    /// The slug of the problem, also recorded with the refusal.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Denied(_) => "permission_denied",
            Self::GrantsTooMuch(_) => "grant_exceeds_own_permissions",
            Self::Invalid(_) => "invalid_request",
            Self::Client(error) => match error {
                ClientError::AlreadyExists => "client_exists",
                ClientError::NotActive => "client_not_active",
                ClientError::NotInactive => "client_not_inactive",
                ClientError::PublicClient => "public_client",
                ClientError::NoSuchSecret(_) => "no_such_secret",
                ClientError::SecretNotUsable(_) => "secret_not_usable",
                ClientError::LastSecret(_) => "last_secret",
                ClientError::NoRotation => "no_rotation",
                ClientError::RotationUnderWay { .. } => "rotation_under_way",
                ClientError::PayloadEncryptionOff => "payload_encryption_off",
                ClientError::TooManySecrets { .. } => "too_many_secrets",
                ClientError::Invalid(_) => "invalid_request",
                ClientError::NotFound => "not_found",
                ClientError::Deleted => "gone",
            },
            Self::Member(error) => match error {
                MemberError::AlreadyExists => "member_exists",
                MemberError::NotActive => "member_not_active",
                MemberError::NotInactive => "member_not_inactive",
                MemberError::Erased => "member_erased",
                MemberError::LastAdministrator => "last_administrator",
                MemberError::NoPassword => "no_password",
                MemberError::NoTotp => "no_totp",
                MemberError::NoSuchPasskey(_) => "no_such_passkey",
                MemberError::TooManyPasskeys { .. } => "too_many_passkeys",
                MemberError::NoSuchToken(_) => "no_such_token",
                MemberError::TokenNotLive(_) => "token_not_live",
                MemberError::TooManyTokens { .. } => "too_many_tokens",
                MemberError::Invalid(_) => "invalid_request",
                MemberError::NotFound => "not_found",
            },
            Self::SigningKey(error) => match error {
                SigningKeyError::NoSuchKey(_) => "not_found",
                SigningKeyError::Retired(_) => "signing_key_retired",
                SigningKeyError::InUse(_) => "signing_key_in_use",
            },
            Self::Admission(error) => match error {
                AdmissionError::Invalid(_) => "invalid_request",
                AdmissionError::NoSuchToken(_) => "not_found",
                AdmissionError::TokenNotLive(_) => "token_not_live",
                AdmissionError::TooManyTokens { .. } => "too_many_tokens",
                AdmissionError::Full { .. } => "too_many_registered_clients",
            },
            Self::Erasure(error) => match error {
                ErasureError::Held(_) => "legal_hold",
                ErasureError::MemberActive => "member_active",
            },
            Self::LegalHold(error) => match error {
                LegalHoldError::NotFound => "not_found",
                LegalHoldError::Released => "legal_hold_released",
                LegalHoldError::PersonErased => "person_erased",
            },
            Self::RoleExists => "role_exists",
            Self::BuiltInRole => "built_in_role",
            Self::NotFound(_) => "not_found",
            Self::Gone(_) => "gone",
            Self::Taken { .. } => "taken",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::PreconditionRequired => "precondition_required",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::VerificationRunning => "verification_running",
            Self::RebuildRunning => "rebuild_running",
            Self::RebuildHalts => "rebuild_halts",
            Self::Contended => "contended",
            Self::Throttled { .. } => "rate_limited",
            Self::Busy => "busy",
            Self::Fault(fault) if fault.permanent => "internal",
            Self::Fault(_) => "unavailable",
        }
    }

    /// Whether it is a refusal, which is an event of the log by the time anyone hears of it, rather than a fault of ours.
    pub fn is_recorded(&self) -> bool {
        !matches!(
            self,
            Self::Unauthenticated | Self::Contended | Self::Throttled { .. } | Self::Busy | Self::Fault(_)
        )
    }
}
