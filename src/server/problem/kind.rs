//! The one table of problems: slug, status, and the texts that anybody may read.

use actix_web::http::{
    StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use app::CommandError;
use domain::{AdmissionError, ClientError, ErasureError, LegalHoldError, MemberError, SigningKeyError};

macro_rules! kinds {
    ($($kind:ident = $status:ident $slug:literal, $title:literal, $detail:literal;)+) => {
        /// A kind of problem. Its slug is part of the API and never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $($kind),+ }

        impl Kind {
            /// Every kind, by status.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name in `type`, in metrics, and in the record of a refused command.
            pub(crate) fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),+ }
            }

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),+ }
            }

            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),+ }
            }

            pub(crate) fn detail(self) -> &'static str {
                match self { $(Self::$kind => $detail),+ }
            }
        }
    };
}

#[rustfmt::skip]
mod table {
    use super::{StatusCode};
    kinds! {
        MalformedRequest     = BAD_REQUEST "malformed_request", "Malformed request", "the request is not what HTTP or JSON allow: see `errors`";
        InvalidParameter     = BAD_REQUEST "invalid_parameter", "Invalid parameter", "a parameter of the query is unknown or wrong: see `errors`";
        InvalidHeader        = BAD_REQUEST "invalid_header", "Invalid header", "a header is not in the form it needs: see `errors`";
        Unauthenticated      = UNAUTHORIZED "unauthenticated", "Not authenticated", "send `Authorization: Bearer` with a personal token that works";
        PermissionDenied     = FORBIDDEN "permission_denied", "Permission denied", "the token does not hold the permission named in `permission`";
        GrantExceeds         = FORBIDDEN "grant_exceeds_own_permissions", "Grant exceeds own permissions", "nobody can give what they do not hold: see `permission`";
        NotFound             = NOT_FOUND "not_found", "Not found", "there is no such thing here; another environment's ids mean nothing in this one";
        NoSuchSecret         = NOT_FOUND "no_such_secret", "No such secret", "the client has no secret with this id";
        NoPassword           = NOT_FOUND "no_password", "No password", "the member has no password";
        NoTotp               = NOT_FOUND "no_totp", "No second factor", "the member has no device whose codes it signs in with";
        NoSuchPasskey        = NOT_FOUND "no_such_passkey", "No such passkey", "the member has no passkey with this id";
        NoSuchToken          = NOT_FOUND "no_such_token", "No such token", "the member has no token with this id";
        MethodNotAllowed     = METHOD_NOT_ALLOWED "method_not_allowed", "Method not allowed", "the path answers the methods named in `Allow`";
        RequestTimeout       = REQUEST_TIMEOUT "request_timeout", "Request timeout", "the body did not arrive in time";
        ClientExists         = CONFLICT "client_exists", "Client exists", "there is a client with this id already";
        ClientNotActive      = CONFLICT "client_not_active", "Client not active", "this takes an active client, and it is deactivated";
        ClientNotInactive    = CONFLICT "client_not_inactive", "Client not inactive", "only a deactivated client can be enabled";
        PublicClient         = CONFLICT "public_client", "Public client", "a client of the method none or private_key_jwt has no secrets";
        SecretNotUsable      = CONFLICT "secret_not_usable", "Secret not usable", "the secret is revoked or expired already";
        LastSecret           = CONFLICT "last_secret", "Last secret", "it is the last secret that works: issue another first, or say allow_lockout=true";
        NoRotation           = CONFLICT "no_rotation", "No rotation", "no overlap to this secret is under way: it is over already, or there was none";
        RotationUnderWay     = CONFLICT "rotation_under_way", "Rotation under way", "secrets that were replaced still work until `ends_at`: complete or cancel that rotation first, or say overlap_seconds 0";
        PayloadEncryptionOff = CONFLICT "payload_encryption_off", "Payload encryption off", "the client has not asked for its payloads to be encrypted: set its `payload_encryption` to true";
        TooManySecrets       = CONFLICT "too_many_secrets", "Too many secrets", "the client has as many working secrets as it can have: revoke one first";
        MemberExists         = CONFLICT "member_exists", "Member exists", "there is a member with this id already";
        MemberNotActive      = CONFLICT "member_not_active", "Member not active", "only an active member can be deactivated";
        MemberNotInactive    = CONFLICT "member_not_inactive", "Member not inactive", "only a deactivated member can be enabled";
        MemberErased         = CONFLICT "member_erased", "Member erased", "the member was erased: it can only lose what it still has";
        LastAdministrator    = CONFLICT "last_administrator", "Last administrator", "no other administrator without limits could sign in and manage members";
        SigningKeyRetired    = CONFLICT "signing_key_retired", "Signing key retired", "the signing key was retired before";
        SigningKeyInUse      = CONFLICT "signing_key_in_use", "Signing key in use", "tokens are signed with it: rotate it first";
        TooManyRegistered    = CONFLICT "too_many_registered_clients", "Too many registered clients", "as many clients have registered themselves as the environment lets";
        RoleExists           = CONFLICT "role_exists", "Role exists", "there is a role of this name, or there was: a name is not used again";
        BuiltInRole          = CONFLICT "built_in_role", "Built-in role", "a built-in role is as it is: make a role of your own";
        TokenNotLive         = CONFLICT "token_not_live", "Token not live", "the token is revoked or expired already";
        TooManyPasskeys      = CONFLICT "too_many_passkeys", "Too many passkeys", "the member has as many passkeys as it can have: remove one first";
        TooManyTokens        = CONFLICT "too_many_tokens", "Too many tokens", "there are as many working tokens as there can be: revoke one first";
        LegalHold            = CONFLICT "legal_hold", "Legal hold", "a legal hold keeps it: see `legal_hold_id` and `ticket`";
        MemberActive         = CONFLICT "member_active", "Member active", "the member is active: deactivate it first";
        LegalHoldReleased    = CONFLICT "legal_hold_released", "Legal hold released", "the legal hold was released before";
        PersonErased         = CONFLICT "person_erased", "Person erased", "the person was erased before: there is nothing left to keep";
        Taken                = CONFLICT "taken", "Taken", "a value that must be unique is taken: see `errors`";
        VerificationRunning  = CONFLICT "verification_running", "Verification running", "the audit is being verified already: wait for that one to end";
        RebuildRunning       = CONFLICT "rebuild_running", "Rebuild running", "the views are being rebuilt already: GET /api/v1/projections says how far";
        RebuildHalts         = CONFLICT "rebuild_halts", "Rebuild halts", "a rebuilt view halts before the live one, which stays: `muniment replay verify` says where";
        Contended            = CONFLICT "contended", "Contended", "other requests were faster, again and again: try again";
        Gone                 = GONE "gone", "Gone", "it was deleted; its history stays";
        PreconditionFailed   = PRECONDITION_FAILED "precondition_failed", "Precondition failed", "it was changed since the revision in If-Match: see `current_revision` and `changed`";
        BodyTooLarge         = PAYLOAD_TOO_LARGE "body_too_large", "Body too large", "the body is longer than the service reads";
        UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported_media_type", "Unsupported media type", "send the body as application/json";
        InvalidRequest       = UNPROCESSABLE_ENTITY "invalid_request", "Invalid request", "fields of the request break rules: see `errors`";
        IdempotencyMismatch  = UNPROCESSABLE_ENTITY "idempotency_mismatch", "Idempotency key reused", "this Idempotency-Key stands for another request: choose a new one";
        PreconditionRequired = PRECONDITION_REQUIRED "precondition_required", "Precondition required", "send If-Match with the ETag of what you have seen, or `*`";
        RateLimited          = TOO_MANY_REQUESTS "rate_limited", "Rate limited", "too many requests in a minute: wait as long as `Retry-After` says";
        Internal             = INTERNAL_SERVER_ERROR "internal", "Internal error", "the service failed; its log says more under the request id";
        Busy                 = SERVICE_UNAVAILABLE "busy", "Busy", "too much is waiting already: try again";
        Unavailable          = SERVICE_UNAVAILABLE "unavailable", "Unavailable", "the service cannot do this now: try again";
        ViewsBehind          = SERVICE_UNAVAILABLE "views_behind", "Views behind", "the views of this node have not reached the position asked for: try again";
    }
}

pub(crate) use table::Kind;

impl Kind {
    /// The one table from a command's error to its answer.
    pub(crate) fn of(error: &CommandError) -> Self {
        match error {
            CommandError::Unauthenticated => Self::Unauthenticated,
            CommandError::Denied(_) => Self::PermissionDenied,
            CommandError::GrantsTooMuch(_) => Self::GrantExceeds,
            CommandError::Invalid(_) => Self::InvalidRequest,
            CommandError::Client(error) => match error {
                ClientError::Invalid(_) => Self::InvalidRequest,
                ClientError::AlreadyExists => Self::ClientExists,
                ClientError::NotFound => Self::NotFound,
                ClientError::Deleted => Self::Gone,
                ClientError::NotActive => Self::ClientNotActive,
                ClientError::NotInactive => Self::ClientNotInactive,
                ClientError::PublicClient => Self::PublicClient,
                ClientError::NoSuchSecret(_) => Self::NoSuchSecret,
                ClientError::SecretNotUsable(_) => Self::SecretNotUsable,
                ClientError::LastSecret(_) => Self::LastSecret,
                ClientError::NoRotation => Self::NoRotation,
                ClientError::RotationUnderWay { .. } => Self::RotationUnderWay,
                ClientError::PayloadEncryptionOff => Self::PayloadEncryptionOff,
                ClientError::TooManySecrets { .. } => Self::TooManySecrets,
            },
            CommandError::Member(error) => match error {
                MemberError::Invalid(_) => Self::InvalidRequest,
                MemberError::AlreadyExists => Self::MemberExists,
                MemberError::NotFound => Self::NotFound,
                MemberError::NotActive => Self::MemberNotActive,
                MemberError::NotInactive => Self::MemberNotInactive,
                MemberError::Erased => Self::MemberErased,
                MemberError::LastAdministrator => Self::LastAdministrator,
                MemberError::NoPassword => Self::NoPassword,
                MemberError::NoTotp => Self::NoTotp,
                MemberError::NoSuchPasskey(_) => Self::NoSuchPasskey,
                MemberError::TooManyPasskeys { .. } => Self::TooManyPasskeys,
                MemberError::NoSuchToken(_) => Self::NoSuchToken,
                MemberError::TokenNotLive(_) => Self::TokenNotLive,
                MemberError::TooManyTokens { .. } => Self::TooManyTokens,
            },
            CommandError::Erasure(error) => match error {
                ErasureError::Held(_) => Self::LegalHold,
                ErasureError::MemberActive => Self::MemberActive,
            },
            CommandError::LegalHold(error) => match error {
                LegalHoldError::NotFound => Self::NotFound,
                LegalHoldError::Released => Self::LegalHoldReleased,
                LegalHoldError::PersonErased => Self::PersonErased,
            },
            CommandError::SigningKey(error) => match error {
                SigningKeyError::NoSuchKey(_) => Self::NotFound,
                SigningKeyError::Retired(_) => Self::SigningKeyRetired,
                SigningKeyError::InUse(_) => Self::SigningKeyInUse,
            },
            CommandError::Admission(error) => match error {
                AdmissionError::Invalid(_) => Self::InvalidRequest,
                AdmissionError::NoSuchToken(_) => Self::NotFound,
                AdmissionError::TokenNotLive(_) => Self::TokenNotLive,
                AdmissionError::TooManyTokens { .. } => Self::TooManyTokens,
                AdmissionError::Full { .. } => Self::TooManyRegistered,
            },
            CommandError::RoleExists => Self::RoleExists,
            CommandError::BuiltInRole => Self::BuiltInRole,
            CommandError::NotFound(_) => Self::NotFound,
            CommandError::Gone(_) => Self::Gone,
            CommandError::Taken { .. } => Self::Taken,
            CommandError::PreconditionFailed { .. } => Self::PreconditionFailed,
            CommandError::PreconditionRequired => Self::PreconditionRequired,
            CommandError::IdempotencyMismatch => Self::IdempotencyMismatch,
            CommandError::VerificationRunning => Self::VerificationRunning,
            CommandError::RebuildRunning => Self::RebuildRunning,
            CommandError::RebuildHalts => Self::RebuildHalts,
            CommandError::Contended => Self::Contended,
            CommandError::Throttled { .. } => Self::RateLimited,
            CommandError::Busy => Self::Busy,
            CommandError::Fault(fault) if fault.permanent => Self::Internal,
            CommandError::Fault(_) => Self::Unavailable,
        }
    }

    /// `type` of RFC 9457.
    pub(crate) fn urn(self) -> String {
        format!("urn:muniment:problem:{}", self.slug())
    }

    /// The headers that always go with it.
    pub(super) fn headers(self) -> Vec<(HeaderName, HeaderValue)> {
        if self == Self::Unauthenticated {
            vec![(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))]
        } else if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            vec![(header::RETRY_AFTER, HeaderValue::from_static("1"))]
        } else {
            Vec::new()
        }
    }
}
