//! The write side: the only place where a command enters.
//!
//! A use case authorizes its [`Context`], loads the aggregate, lets it decide, and appends the events with everything
//! that must be durable together with them: claims on names, sealed credentials, sealed private parts. It answers
//! after the commit. No decision is made from a view, and nothing here can see one.
//!
//! | file | is |
//! | --- | --- |
//! | `context` | who asks, from where, why |
//! | `authenticate` | whose personal token this is |
//! | `sign_in` | who a person is that says a password; who guesses is stopped |
//! | `sessions` | what a member has who has signed in as a person |
//! | `logout` | signing out because a client asks for it |
//! | `standing` | whether a member can still act when its command is recorded |
//! | `token_uses` | when personal tokens were used |
//! | `authenticate_client` | whether a client is who it says it is |
//! | `authorization` | what a client may ask a member for, and what comes of the answer |
//! | `introduction` | what a member and a client are called, told to each other |
//! | `introspection` | what a token is worth now; ending one before its time |
//! | `userinfo` | who signed in, told to the client that may know |
//! | `tokens` | what the token endpoint gives: for itself, for a code, for a refresh token |
//! | `access_tokens` | what an access token says, and whether it is good now |
//! | `grants` | what members allow clients |
//! | `admission` | who may register clients by the protocol, by initial access tokens |
//! | `signing_keys` | the keys that sign tokens, and their turns |
//! | `activity` | what is recorded of clients, and what of a flood is counted |
//! | `clients`, `members`, `roles`, `catalog`, `environments`, `bootstrap`, `rebuild` | the use cases |
//! | `configuration` | how types, scopes and environments are changed |
//! | `persons` | where somebody is named, by pseudonym |
//! | `erasures`, `legal_holds` | erasing persons and reasons, and what wins over that |
//! | `execute` | from events to one commit |
//! | `idempotency` | the order of every use case: permission, repeated request, work; unknown outcomes |
//! | `flood` | which refusals are listed, and which are only counted |
//! | `refusal_limit` | what is counted of refused commands |
//! | `refusal` | what is recorded of refusals and of what was read |
//! | `audit_reads` | what is recorded of who reads the audit |
//! | `verification` | verifying the audit: who may, and what is recorded of it |
//! | `aggregates` | loading through `cqrs-es`, and the cache that the log's head keeps honest |
//! | `look` | one look at where the log ends for all that a command loads |
//! | `vault` | keys, sealed credentials, sealed private parts |

mod access_tokens;
mod activity;
mod admission;
mod aggregates;
mod audit_reads;
mod authenticate;
mod authenticate_client;
mod authorization;
mod bootstrap;
mod catalog;
mod clients;
mod configuration;
mod context;
mod environments;
mod erasures;
mod error;
mod execute;
mod flood;
mod grants;
mod health;
mod idempotency;
mod ids;
mod introduction;
mod introspection;
mod key_proofs;
mod legal_holds;
mod logout;
mod look;
mod malformed;
mod members;
mod persons;
mod private_parts;
mod rebuild;
mod refusal;
mod refusal_limit;
mod refusals;
mod roles;
mod sessions;
mod sign_in;
mod signing_keys;
mod standing;
mod token_uses;
mod tokens;
mod userinfo;
mod vault;
mod verification;

use std::{num::NonZeroUsize, sync::Arc};

use crypto::{Argon2Pool, BufferedEntropy, Entropy, MasterKey};
use domain::{
    Admission, Client, ClientType, Environment, Erasures, Grant, LegalHolds, Member, Role, ScopeDefinition,
    SigningKeys,
};
use store::{ActivityLog, EventLog, KeyStore};
use tokio::runtime::Handle;

pub use access_tokens::{AccessToken, Confirmation};
pub use activity::{ACTIVITY_KINDS, SegmentDefect, activity_reasons, compare_segments};
pub use admission::{ChangedAdmission, InitialAccessTokenRequest, IssuedInitialAccessToken};
pub use audit_reads::{AuditExport, AuditQuery};
pub use authenticate::AuthenticationError;
pub use authenticate_client::{
    AuthenticatedClient, ClientAttempt, ClientAuthenticationError, ClientRefusal, ProvedBy, claimed_subject,
};
pub use authorization::{
    Authorization, AuthorizationError, AuthorizationParameters, AuthorizationRefusal, AuthorizationRequest,
    PageRefusal, PushError, PushRequest, PushedRequest, SignedInMember,
};
pub use bootstrap::{Bootstrapped, FirstAdministrator, TokenSink};
pub use clients::{
    ChangeClientRequest, ChangedClient, Channel, ClientEdit, Contact, CreateClientRequest, CreatedClient,
    HandedOver, IssueSecretRequest, IssuedClientSecret, OwnRegistration, OwnUse, PayloadAnswer,
    PayloadRequest, RedirectUriEdit, RegistrationAttempt, RegistrationError, RegistrationRefusal,
    RegistrationRequest, RevealedSigningSecrets,
};
pub use configuration::Configured;
pub use context::{Actor, Context, Idempotency, IfMatch, MAX_REASON_CHARS, Principal, Source, Via};
pub use erasures::{ErasedPerson, RedactedReason};
pub use error::{ChangedSince, CommandError, Fault};
pub use grants::ChangedGrant;
pub use health::Health;
pub use introduction::Introduced;
pub use introspection::{LiveToken, RevocationError, TokenQuestion};
pub use key_proofs::{KeyProof, ProofRefusal};
pub use legal_holds::ChangedLegalHold;
pub use logout::{Logout, LogoutClient, LogoutError, LogoutRefusal, LogoutRequest};
pub use malformed::{MalformedAttempt, MalformedRequest, ProtocolEndpoint};
pub use members::{
    BegunEnrolment, BegunPasskey, ChangeDetailsRequest, ChangedMember, ConfirmTotpRequest,
    CreateMemberRequest, HeldFactor, HeldPasskey, IssueTokenRequest, IssuedPersonalToken,
    IssuedRecoveryCodes, RegisterPasskeyRequest, RoleRequest, SecondFactors, SetPasswordRequest,
};
pub use persons::Person;
pub use private_parts::{OpenedPart, PrivatePart};
pub use rebuild::RecordedRebuild;
pub use roles::{ChangedRole, CreateRoleRequest, KnownRole};
pub use sessions::{AuthenticationMethod, NewSession, Session, SessionLimits};
pub use sign_in::{
    PendingSignIn, SecondFactorAttempt, SecondFactorChoice, SecondFactorProof, SignInAttempt, SignInError,
    SignedIn,
};
pub use signing_keys::ChangedSigningKeys;
pub use tokens::{
    ClientCredentials, ClientProof, IssuedTokens, MemberClaims, TokenAsk, TokenError, TokenRefusal,
    TokenRequest,
};
pub use userinfo::{UserinfoError, UserinfoRequest};
pub use vault::{CredentialDefect, KeyRingError, compare_credentials, expect_event_keys};
pub use verification::StartedVerification;

use crate::{aggregates::Loader, vault::Vault};

/// Requests that may wait for an Argon2 worker before the next is told to come back later.
const ARGON2_QUEUE: usize = 256;

/// The write side of one node. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Commands run here, never on an HTTP worker: a client that hangs up cannot cancel one half way.
    commands: Handle,
}

/// Everything a use case needs.
pub(crate) struct Inner {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) activity: Arc<dyn ActivityLog>,
    pub(crate) vault: Vault,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) argon2: Argon2Pool,
    pub(crate) clients: Loader<Client>,
    pub(crate) members: Loader<Member>,
    pub(crate) environments: Loader<Environment>,
    pub(crate) client_types: Loader<ClientType>,
    pub(crate) scopes: Loader<ScopeDefinition>,
    pub(crate) erasures: Loader<Erasures>,
    pub(crate) legal_holds: Loader<LegalHolds>,
    pub(crate) roles: Loader<Role>,
    pub(crate) signing_keys: Loader<SigningKeys>,
    pub(crate) grants: Loader<Grant>,
    pub(crate) admissions: Loader<Admission>,
    /// Held while a client that registers itself is let in: those that come at one moment wait instead of racing.
    pub(crate) admitting: tokio::sync::Mutex<()>,
    pub(crate) ready_keys: signing_keys::ReadyKeys,
    pub(crate) known_tokens: access_tokens::KnownTokens,
    pub(crate) tokens: authenticate::TokenCache,
    pub(crate) audit_reads: audit_reads::RecordedReads,
    pub(crate) refusals: flood::Flood<refusal_limit::Refusal>,
    pub(crate) known_secrets: authenticate_client::KnownSecrets,
    pub(crate) token_uses: token_uses::TokenUses,
    pub(crate) sessions: SessionLimits,
    /// Passwords and codes that are being looked at.
    pub(crate) tries: Arc<sign_in::throttle::UnderWay>,
    pub(crate) flood: flood::Flood<activity::Group>,
    pub(crate) introspections: flood::Flood<introspection::Introspection>,
    pub(crate) writing: health::Writing,
    /// Each look for who names a person reads the whole log: a few at a time leave the rest of the service its disk.
    pub(crate) looking_for_names: tokio::sync::Semaphore,
    /// Held while counts are on their way into a log: whoever closes it waits for them.
    pub(crate) recording_counts: tokio::sync::Mutex<()>,
}

/// What the write side is made of.
pub struct Parts {
    /// The log with the vault's rows.
    pub log: Arc<dyn EventLog>,
    /// What clients do.
    pub activity: Arc<dyn ActivityLog>,
    /// The keys, apart from the log.
    pub keys: Arc<dyn KeyStore>,
    /// What wraps those keys.
    pub master_key: MasterKey,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
    /// The runtime that commands run on.
    pub commands: Handle,
    /// Threads that compute Argon2.
    pub argon2_workers: NonZeroUsize,
    /// How long sessions of members live.
    pub sessions: SessionLimits,
}

impl App {
    /// Opens the vault's keys, or makes them for a log without events.
    ///
    /// # Errors
    /// A wrong master key, missing or damaged keys, or a key store that cannot be used.
    pub async fn open(parts: Parts) -> Result<Self, KeyRingError> {
        let Parts { log, activity, keys, master_key, entropy, commands, argon2_workers, sessions } = parts;
        let entropy: Arc<dyn Entropy> = Arc::new(BufferedEntropy::new(entropy));
        let erasures = Loader::new(&log);
        let vault = Vault::open(keys, master_key, log.as_ref(), Arc::clone(&entropy), &erasures).await?;
        let argon2 = Argon2Pool::new(argon2_workers, ARGON2_QUEUE).map_err(KeyRingError::Threads)?;
        let inner = Inner {
            vault,
            argon2,
            clients: Loader::new(&log),
            members: Loader::new(&log),
            environments: Loader::new(&log),
            client_types: Loader::new(&log),
            scopes: Loader::new(&log),
            legal_holds: Loader::new(&log),
            erasures,
            roles: Loader::new(&log),
            signing_keys: Loader::new(&log),
            grants: Loader::new(&log),
            admissions: Loader::new(&log),
            admitting: tokio::sync::Mutex::default(),
            ready_keys: signing_keys::ReadyKeys::new(),
            known_tokens: access_tokens::KnownTokens::new(),
            tokens: authenticate::TokenCache::new(),
            audit_reads: audit_reads::RecordedReads::new(),
            refusals: flood::Flood::default(),
            known_secrets: authenticate_client::KnownSecrets::new(),
            token_uses: token_uses::TokenUses::new(),
            sessions,
            tries: Arc::default(),
            flood: flood::Flood::default(),
            introspections: flood::Flood::default(),
            writing: health::Writing::default(),
            looking_for_names: tokio::sync::Semaphore::new(persons::MOST_AT_ONCE),
            recording_counts: tokio::sync::Mutex::default(),
            entropy,
            log,
            activity,
        };
        inner.finish_erasures().await?;
        let app = Self { inner: Arc::new(inner), commands };
        app.keep_house();
        app.try_disk();
        Ok(app)
    }

    /// Runs a use case to its end, whatever becomes of the caller.
    pub(crate) async fn run<T, F, W>(&self, work: F) -> Result<T, CommandError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Inner>) -> W,
        W: Future<Output = Result<T, CommandError>> + Send + 'static,
    {
        match self.commands.spawn(look::once(work(Arc::clone(&self.inner)))).await {
            Ok(result) => result,
            Err(gone) => Err(CommandError::from(Fault::unknown_outcome(gone))),
        }
    }

    /// Lets a read go on if the actor may do it; otherwise records that it was refused.
    ///
    /// # Errors
    /// [`CommandError::Denied`], or the fault that kept it from being recorded.
    pub async fn demand(&self, context: Context, permission: domain::Permission) -> Result<(), CommandError> {
        match context.demand(permission) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.run(move |inner| async move { Err(inner.refused(&context, None, error).await) }).await
            }
        }
    }

    /// Whether log and keys can be read, and whether something can be written where the log is.
    pub async fn health(&self) -> Health {
        Health {
            log_readable: self.inner.log.head().await.is_ok(),
            log_writable: self.inner.writing.works(),
            keys_readable: self.inner.vault.keys_readable().await,
        }
    }

    /// The key under which this service signs cursors; the same on every node.
    pub fn cursor_key(&self) -> &crypto::CursorKey {
        &self.inner.vault.ring.cursors
    }

    /// What clients did, for reading.
    pub fn activity(&self) -> &Arc<dyn ActivityLog> {
        &self.inner.activity
    }

    /// The log, for reading.
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.inner.log
    }
}

#[cfg(test)]
mod tests;
