//! Whether a client is who it says it is.
//!
//! Order of a check: form, checksum, tag, state in the client's stream, keyed digest, Argon2id. No guess and no revoked
//! secret ever reaches Argon2: a guess ends at the tag, a revoked secret at the state. A right secret takes Argon2 once;
//! then its digest is known, from its issue on, and is trusted only while the stream says that the secret is live.
//! Whatever the answer, the activity log has it before anyone hears it.

mod assertion;
mod secret;

use std::sync::Arc;

use crypto::SecretString;
use domain::{
    Client, ClientId, EnvironmentName, SecretId,
    client::{Registration, Status},
};
use store::{ActivityCommit, ActivityError, Revision, VerifiedDigest, VoucherChange};

use assertion::ASSERTION;
pub use assertion::claimed_subject;
pub(crate) use secret::KnownSecrets;

use crate::{
    App, Inner,
    activity::{AUTHENTICATION, Deed},
    aggregates::Loaded,
    context::{Actor, Context, Source},
    error::{CommandError, Fault},
    ids::uuid_v7,
    look,
    tokens::{ClientCredentials, ClientProof},
};

const NO_SUCH_ENVIRONMENT: &str = "no_such_environment";

/// What a client presents.
#[derive(Debug)]
pub struct ClientAttempt {
    /// The environment that it asks in.
    pub environment: EnvironmentName,
    /// The id that it claims.
    pub client_id: String,
    /// Its secret.
    pub secret: SecretString,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it asks from.
    pub source: Option<Source>,
}

/// A client that has proved who it is.
#[derive(Debug)]
pub struct AuthenticatedClient {
    /// Its id.
    pub client_id: ClientId,
    /// The secret that it used.
    pub secret_id: SecretId,
    loaded: Arc<Loaded<Client>>,
}

/// Why a client is not let in. To the client all of them are one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is refused: {}", self.as_str())]
pub enum ClientRefusal {
    /// No secret of a client by its form.
    Malformed,
    /// A secret that was mistyped or cut.
    Checksum,
    /// No secret of ours for this client: a guess.
    UnknownTag,
    /// A secret of this client, in an environment that it does not live in (behaviour L7).
    OtherEnvironment,
    /// There is no such client in this environment.
    NoSuchClient,
    /// The client is deactivated (behaviour O6).
    Inactive,
    /// The client was deleted.
    Deleted,
    /// The secret was revoked.
    Revoked,
    /// The secret's time is over (behaviour L4).
    Expired,
    /// The secret's time has not come.
    Pending,
    /// Made by us for this client, but it is not one that was issued, or it ended so long ago that the client's state has
    /// let go of it.
    Wrong,
    /// It has a secret or a key, and presents none.
    SecretMissing,
    /// It is registered for another way to prove itself.
    AnotherMethod,
    /// An assertion that is none by its form, or is for another purpose (RFC 7523 section 3).
    AssertionMalformed,
    /// None of the client's keys signed it, or another client is its subject.
    AssertionWrong,
    /// It is for another server.
    AssertionAudience,
    /// Its time has not come or is over, or is longer than an hour.
    AssertionTime,
    /// It was used before.
    AssertionReused,
}

/// Why there is no authenticated client.
#[derive(Debug, thiserror::Error)]
pub enum ClientAuthenticationError {
    /// There is no such environment.
    #[error("there is no such environment")]
    NoSuchEnvironment,
    /// It is refused, and that is recorded or counted.
    #[error(transparent)]
    Refused(#[from] ClientRefusal),
    /// The service could not find out, or could not record it.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl ClientRefusal {
    /// Every one of them.
    pub const ALL: [Self; 18] = [
        Self::Malformed,
        Self::Checksum,
        Self::UnknownTag,
        Self::OtherEnvironment,
        Self::NoSuchClient,
        Self::Inactive,
        Self::Deleted,
        Self::Revoked,
        Self::Expired,
        Self::Pending,
        Self::Wrong,
        Self::SecretMissing,
        Self::AnotherMethod,
        Self::AssertionMalformed,
        Self::AssertionWrong,
        Self::AssertionAudience,
        Self::AssertionTime,
        Self::AssertionReused,
    ];

    /// The name in activity and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Checksum => "checksum",
            Self::UnknownTag => "unknown_tag",
            Self::OtherEnvironment => "other_environment",
            Self::NoSuchClient => "no_such_client",
            Self::Inactive => "inactive",
            Self::Deleted => "deleted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Pending => "pending",
            Self::Wrong => "wrong",
            Self::SecretMissing => "secret_missing",
            Self::AnotherMethod => "another_method",
            Self::AssertionMalformed => "assertion_malformed",
            Self::AssertionWrong => "assertion_wrong",
            Self::AssertionAudience => "assertion_audience",
            Self::AssertionTime => "assertion_time",
            Self::AssertionReused => "assertion_reused",
        }
    }
}

impl From<Fault> for ClientAuthenticationError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl AuthenticatedClient {
    /// The client as its stream stood at that moment.
    pub fn registration(&self) -> Option<&Registration> {
        self.loaded.aggregate.registration()
    }

    /// Where its stream stood.
    pub fn revision(&self) -> Revision {
        self.loaded.revision
    }
}

impl App {
    /// The client that presents this secret, as the log stands now: a revoked secret is refused by the very next request.
    ///
    /// # Errors
    /// [`ClientAuthenticationError`]; a failure means that the log could not be read or the attempt not be recorded, which
    /// is no answer.
    pub async fn authenticate_client(
        &self,
        attempt: ClientAttempt,
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        look::once(self.inner.authenticate_client(attempt)).await
    }

    /// How many secrets have been verified by Argon2 since the start.
    pub fn argon2_verifications(&self) -> u64 {
        self.inner.argon2.verifications()
    }
}

/// A client that is who it says it is, before that is recorded.
pub(crate) struct ProvedClient {
    pub(crate) client_id: ClientId,
    pub(crate) by: ProvedBy,
    /// What is to be kept with the record of this use.
    pub(crate) traces: Traces,
    loaded: Arc<Loaded<Client>>,
}

/// By what a client has proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvedBy {
    /// By nothing: a public client, which anybody could be.
    Nothing,
    /// By a secret.
    Secret(SecretId),
    /// By a key, of which this is the thumbprint (RFC 7638).
    Key(String),
}

/// What a proof leaves behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces {
    /// Of a secret that was not known before.
    pub(crate) digests: Vec<VerifiedDigest>,
    /// Of what can be presented once.
    pub(crate) vouchers: Vec<VoucherChange>,
}

/// A client in what it asks for.
#[derive(Clone, Copy)]
pub(crate) struct ActingClient<'r> {
    pub(crate) client: &'r ProvedClient,
    pub(crate) environment: &'r EnvironmentName,
    pub(crate) request_id: &'r str,
    pub(crate) source: Option<&'r Source>,
}

impl ProvedBy {
    /// The id of the secret or key.
    pub(crate) fn credential(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Secret(id) => Some(id.to_string()),
            Self::Key(thumbprint) => Some(thumbprint.clone()),
        }
    }
}

impl ProvedClient {
    pub(crate) fn registration(&self) -> Option<&Registration> {
        self.loaded.aggregate.registration()
    }
}

impl Inner {
    async fn authenticate_client(
        &self,
        attempt: ClientAttempt,
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        let environment = self.environments.current(attempt.environment.as_str()).await?;
        if environment.aggregate.policy().is_none() {
            // Anybody can make up names of environments: nothing is counted by them.
            let deed = Deed {
                kind: AUTHENTICATION,
                request_id: attempt.request_id,
                source: attempt.source,
                ..Deed::default()
            };
            self.record_refused(deed, NO_SUCH_ENVIRONMENT).await?;
            return Err(ClientAuthenticationError::NoSuchEnvironment);
        }
        let judged = self.judge_secret(&attempt.environment, &attempt.client_id, &attempt.secret).await;
        let client: Option<ClientId> = attempt.client_id.parse().ok();
        let deed = Deed {
            kind: AUTHENTICATION,
            environment: Some(attempt.environment.to_string()),
            client: client.as_ref().map(ToString::to_string),
            credential: judged.as_ref().ok().and_then(|proved| proved.by.credential()),
            request_id: attempt.request_id,
            source: attempt.source,
            ..Deed::default()
        };
        match judged {
            Ok(ProvedClient { client_id, by: ProvedBy::Secret(secret_id), loaded, traces }) => {
                self.record_done(deed, traces.digests).await?;
                Ok(AuthenticatedClient { client_id, secret_id, loaded })
            }
            Ok(ProvedClient { by: ProvedBy::Nothing | ProvedBy::Key(_), .. }) => {
                self.record_refused(deed, ClientRefusal::SecretMissing.as_str()).await?;
                Err(ClientRefusal::SecretMissing.into())
            }
            Err(ClientAuthenticationError::Refused(refusal)) => {
                self.record_refused(deed, refusal.as_str()).await?;
                Err(refusal.into())
            }
            Err(failed) => Err(failed),
        }
    }

    /// The context of what a client causes in the history.
    pub(crate) fn client_context(
        &self,
        acting: ActingClient<'_>,
        operation: &'static str,
    ) -> Result<Context, Fault> {
        let ActingClient { client, environment, request_id, source } = acting;
        Ok(Context {
            actor: Actor::Client { client_id: client.client_id, by: client.by.clone() },
            operation,
            environment: Some(environment.clone()),
            request_id: request_id.to_owned(),
            correlation_id: uuid_v7(self.log.now(), self.entropy.as_ref())?,
            source: source.cloned(),
            reason: None,
            ticket: None,
            idempotency: None,
            malformed: Vec::new(),
        })
    }

    /// Whether a client is who it says it is; whoever asks records it.
    pub(crate) async fn prove_client(
        &self,
        environment: &EnvironmentName,
        credentials: &ClientCredentials,
    ) -> Result<ProvedClient, ClientAuthenticationError> {
        match &credentials.proof {
            ClientProof::Secret(secret) => {
                self.judge_secret(environment, &credentials.client_id, secret).await
            }
            ClientProof::Assertion { assertion, audiences } => {
                self.judge_assertion(environment, &credentials.client_id, assertion, audiences).await
            }
            ClientProof::None => self.judge_public(environment, &credentials.client_id).await,
        }
    }

    /// Keeps what a proof leaves behind where nothing else is recorded of its use.
    pub(crate) async fn keep_traces(&self, traces: Traces) -> Result<(), ClientAuthenticationError> {
        if traces.vouchers.is_empty() {
            traces.digests.into_iter().for_each(|digest| self.activity.keep_digest(digest));
            return Ok(());
        }
        let Traces { digests, vouchers } = traces;
        let commit = ActivityCommit { digests, vouchers, ..ActivityCommit::default() };
        match self.activity.append(commit).await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(reused(&error)
                    .map_or_else(|| Fault::passing("recording activity", error).into(), Into::into))
            }
        }
    }

    /// A client that has no secret, and says so.
    async fn judge_public(
        &self,
        environment: &EnvironmentName,
        claimed: &str,
    ) -> Result<ProvedClient, ClientAuthenticationError> {
        let client_id: ClientId = claimed.parse().map_err(|_| ClientRefusal::NoSuchClient)?;
        let loaded = self.clients.current(claimed).await?;
        let registration =
            loaded.aggregate.registration().filter(|client| client.environment == *environment);
        let registration = registration.ok_or(ClientRefusal::NoSuchClient)?;
        if !registration.token_endpoint_auth_method.is_public() {
            return Err(ClientRefusal::SecretMissing.into());
        }
        check_status(registration)?;
        Ok(ProvedClient {
            client_id,
            by: ProvedBy::Nothing,
            traces: Traces::default(),
            loaded: Arc::clone(&loaded),
        })
    }
}

/// Whether a client gets anything at all.
fn check_status(registration: &Registration) -> Result<(), ClientRefusal> {
    match registration.status {
        Status::Active => Ok(()),
        Status::Inactive => Err(ClientRefusal::Inactive),
        Status::Deleted => Err(ClientRefusal::Deleted),
    }
}

/// Whether somebody was faster with the same assertion.
pub(crate) fn reused(error: &ActivityError) -> Option<ClientRefusal> {
    match error {
        ActivityError::VoucherTaken { kind: ASSERTION, .. } => Some(ClientRefusal::AssertionReused),
        ActivityError::VoucherTaken { .. }
        | ActivityError::VoucherNotLive { .. }
        | ActivityError::OverLimit { .. }
        | ActivityError::Unavailable(_) => None,
    }
}
