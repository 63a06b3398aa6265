//! Whether a client is who it says it is.
//!
//! Order of a check: form, checksum, tag, state in the client's stream, keyed digest, Argon2id. No guess and no revoked
//! secret ever reaches Argon2: a guess ends at the tag, a revoked secret at the state. A right secret takes Argon2 once;
//! then its digest is known, from its issue on, and is trusted only while the stream says that the secret is live.
//! Whatever the answer, the activity log has it before anyone hears it.

use std::sync::Arc;

use crypto::{Binding, ExposeSecret, MalformedSecret, Presented, SecretKind, SecretString};
use domain::{
    Client, ClientId, EnvironmentName, SecretId,
    client::{Registration, SecretState, Status},
};
use moka::sync::Cache;
use store::{Revision, VerifiedDigest};

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

/// Secrets whose digest is kept in memory; of others the activity log is asked.
const CACHED: u64 = 200_000;
const DIGEST_LABEL: &str = "client-secret";
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
    /// It has a secret, and presents none.
    SecretMissing,
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
    pub const ALL: [Self; 12] = [
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

/// Digests of secrets that were verified, or issued here.
pub(crate) struct KnownSecrets(Cache<String, [u8; 32]>);

impl KnownSecrets {
    pub(crate) fn new() -> Self {
        Self(Cache::new(CACHED))
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
    /// The secret that it used; a public client has none.
    pub(crate) secret_id: Option<SecretId>,
    loaded: Arc<Loaded<Client>>,
    /// To be kept with the record of this use: it was not known before.
    pub(crate) learned: Option<VerifiedDigest>,
}

/// A client in what it asks for.
#[derive(Clone, Copy)]
pub(crate) struct ActingClient<'r> {
    pub(crate) client: &'r ProvedClient,
    pub(crate) environment: &'r EnvironmentName,
    pub(crate) request_id: &'r str,
    pub(crate) source: Option<&'r Source>,
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
        let judged = self.judge(&attempt.environment, &attempt.client_id, &attempt.secret).await;
        let client: Option<ClientId> = attempt.client_id.parse().ok();
        let deed = Deed {
            kind: AUTHENTICATION,
            environment: Some(attempt.environment.to_string()),
            client: client.as_ref().map(ToString::to_string),
            credential: judged
                .as_ref()
                .ok()
                .and_then(|proved| proved.secret_id.as_ref())
                .map(ToString::to_string),
            request_id: attempt.request_id,
            source: attempt.source,
            ..Deed::default()
        };
        match judged {
            Ok(ProvedClient { client_id, secret_id: Some(secret_id), loaded, learned }) => {
                self.record_done(deed, learned.into_iter().collect()).await?;
                Ok(AuthenticatedClient { client_id, secret_id, loaded })
            }
            Ok(ProvedClient { secret_id: None, .. }) => {
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
            actor: Actor::Client { client_id: client.client_id, credential: client.secret_id.clone() },
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
            ClientProof::Secret(secret) => self.judge(environment, &credentials.client_id, secret).await,
            ClientProof::None => self.judge_public(environment, &credentials.client_id).await,
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
        if registration.token_endpoint_auth_method.has_secret() {
            return Err(ClientRefusal::SecretMissing.into());
        }
        match registration.status {
            Status::Active => {
                Ok(ProvedClient { client_id, secret_id: None, loaded: Arc::clone(&loaded), learned: None })
            }
            Status::Inactive => Err(ClientRefusal::Inactive.into()),
            Status::Deleted => Err(ClientRefusal::Deleted.into()),
        }
    }

    pub(crate) async fn judge(
        &self,
        environment: &EnvironmentName,
        claimed: &str,
        secret_text: &SecretString,
    ) -> Result<ProvedClient, ClientAuthenticationError> {
        let presented =
            Presented::parse(secret_text.expose_secret()).map_err(|malformed| match malformed {
                MalformedSecret::Checksum => ClientRefusal::Checksum,
                MalformedSecret::Prefix
                | MalformedSecret::Shape
                | MalformedSecret::Alphabet
                | MalformedSecret::Range => ClientRefusal::Malformed,
            })?;
        if presented.kind() != SecretKind::ClientSecret {
            return Err(ClientRefusal::Malformed.into());
        }
        let Ok(client_id) = claimed.parse::<ClientId>() else {
            return Err(ClientRefusal::NoSuchClient.into());
        };
        if !self.is_tagged_for(&presented, environment, claimed) {
            return Err(self.why_not_tagged(&presented, environment, claimed).await?.into());
        }
        let loaded = self.clients.current(claimed).await?;
        let registration = loaded.aggregate.registration().ok_or(ClientRefusal::NoSuchClient)?;
        match registration.status {
            Status::Active => {}
            Status::Inactive => return Err(ClientRefusal::Inactive.into()),
            Status::Deleted => return Err(ClientRefusal::Deleted.into()),
        }
        let secret_id = presented.id().as_str();
        let secret = registration.secrets.iter().find(|secret| secret.id.0 == secret_id);
        let secret = secret.ok_or(ClientRefusal::Wrong)?;
        match secret.state(self.log.now()) {
            SecretState::Active => {}
            SecretState::Pending => return Err(ClientRefusal::Pending.into()),
            SecretState::Expired => return Err(ClientRefusal::Expired.into()),
            SecretState::Revoked => return Err(ClientRefusal::Revoked.into()),
        }
        let learned = self.verify_secret(secret_text, secret_id, &secret.commitment).await?;
        Ok(ProvedClient {
            client_id,
            secret_id: Some(secret.id.clone()),
            learned,
            loaded: Arc::clone(&loaded),
        })
    }

    fn is_tagged_for(
        &self,
        presented: &Presented<'_>,
        environment: &EnvironmentName,
        client_id: &str,
    ) -> bool {
        let binding = Binding { environment: environment.as_str(), owner: client_id };
        presented.verify_tag(&self.vault.ring.tags, &binding).is_ok()
    }

    /// What a secret is that was not made for this client in this environment.
    async fn why_not_tagged(
        &self,
        presented: &Presented<'_>,
        environment: &EnvironmentName,
        claimed: &str,
    ) -> Result<ClientRefusal, Fault> {
        let loaded = self.clients.current(claimed).await?;
        let Some(registration) = loaded.aggregate.registration() else {
            return Ok(ClientRefusal::NoSuchClient);
        };
        let home = &registration.environment;
        if home == environment {
            Ok(ClientRefusal::UnknownTag)
        } else if self.is_tagged_for(presented, home, claimed) {
            Ok(ClientRefusal::OtherEnvironment)
        } else {
            // Environments are islands: the id of another one's client means nothing here.
            Ok(ClientRefusal::NoSuchClient)
        }
    }

    /// Compares a secret that is live with what was issued; answers its digest if that was not known.
    async fn verify_secret(
        &self,
        secret: &SecretString,
        id: &str,
        commitment: &str,
    ) -> Result<Option<VerifiedDigest>, ClientAuthenticationError> {
        let text = secret.expose_secret().as_bytes();
        let fits = |known: &[u8]| self.vault.ring.digests.matches(DIGEST_LABEL, &[text], known);
        match self.known_secrets.0.get(id) {
            Some(known) if fits(&known) => return Ok(None),
            Some(_) => {}
            None => {
                let kept = self.activity.digest(id).await.map_err(Fault::from)?;
                let kept: Option<[u8; 32]> = kept.and_then(|kept| kept.try_into().ok());
                if let Some(known) = kept.filter(|known| fits(known)) {
                    self.known_secrets.0.insert(id.to_owned(), known);
                    return Ok(None);
                }
            }
        }
        // A digest that does not fit may be damaged: it is disposable, and refuses nobody.
        let verifier = self.vault.open_credential(self.log.as_ref(), id, commitment).await?;
        let verified = self.argon2.verify(secret.clone(), verifier.expose().clone()).await;
        if !verified.map_err(CommandError::from)? {
            return Err(ClientRefusal::Wrong.into());
        }
        Ok(Some(self.learn(id, secret)))
    }

    /// Knows a secret that was just issued, without Argon2. It is trusted only once its stream says that it is live.
    pub(crate) fn prime(&self, id: &SecretId, secret: &SecretString) {
        let learned = self.learn(&id.0, secret);
        self.activity.keep_digest(learned);
    }

    fn learn(&self, id: &str, secret: &SecretString) -> VerifiedDigest {
        let digest = self.vault.ring.digests.digest(DIGEST_LABEL, &[secret.expose_secret().as_bytes()]);
        self.known_secrets.0.insert(id.to_owned(), digest);
        VerifiedDigest { credential: id.to_owned(), digest: digest.to_vec() }
    }
}
