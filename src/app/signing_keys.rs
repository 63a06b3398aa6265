//! The keys that sign tokens: made when they are first needed, changed on schedule, published, retired.

use std::{collections::BTreeMap, sync::Arc};

use crypto::{ExposeSecret, JwtAlgorithm, JwtPublicKey, JwtSigner, generate_signing_key};
use domain::{
    Environment, EnvironmentName, Event, Permission, SecretId, SigningAlgorithm, SigningKeyCommand,
    SigningKeyError, SigningKeyEvent, SigningKeys,
    environment::Policy,
    signing_keys::{RotateSigningKey, SigningKey},
};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use store::{AppendError, ExpectedRevision, Position, Revision, StreamName};
use uuid::Uuid;

use crate::{
    App, Inner,
    aggregates::Loader,
    context::{Actor, Context},
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream},
    ids::uuid_v7,
    look,
};

/// What the vault calls the private half of a signing key.
const PRIVATE_KEY: &str = "signing_key";
/// Keys that are ready in memory.
const CACHED: u64 = 1_000;
/// So long before its turn a key is published: who keeps the set looks once a day.
const PUBLISHED_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// No token lives longer, and clocks may differ a little.
const LONGEST_TOKEN: SignedDuration = SignedDuration::from_hours(25);
/// Environments that are looked at for keys whose turn is over.
const MOST_ENVIRONMENTS: usize = 1_000;

/// The keys of an environment after a command.
#[derive(Clone, Debug)]
pub struct ChangedSigningKeys {
    /// All that there are and were.
    pub keys: SigningKeys,
    /// How many events their stream has.
    pub revision: Revision,
    /// The position to wait for before reading what the command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request: nothing happened now.
    pub replayed: bool,
}

/// Keys that were opened.
pub(crate) struct ReadyKeys {
    signers: Cache<String, Arc<JwtSigner>>,
    public: Cache<String, Arc<JwtPublicKey>>,
    /// Held by whoever makes a key that is missing.
    making: tokio::sync::Mutex<()>,
}

impl ReadyKeys {
    pub(crate) fn new() -> Self {
        Self {
            signers: Cache::new(CACHED),
            public: Cache::new(CACHED),
            making: tokio::sync::Mutex::default(),
        }
    }
}

impl App {
    /// The keys of an environment, as the log stands now; the first ones are made if there are none.
    ///
    /// # Errors
    /// [`CommandError::NotFound`] if there is no such environment, or a fault.
    pub async fn signing_keys(&self, environment: EnvironmentName) -> Result<SigningKeys, CommandError> {
        self.run(move |inner| async move {
            for algorithm in SigningAlgorithm::ALL {
                inner.signer(&environment, *algorithm).await?;
            }
            Ok(inner.signing_keys.current(environment.as_str()).await?.aggregate.clone())
        })
        .await
    }

    /// Lets a new key take its turn: after a day, or at once if the others are not to be believed any more. Needs
    /// `environments:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn rotate_signing_key(
        &self,
        context: Context,
        environment: EnvironmentName,
        algorithm: SigningAlgorithm,
        retire_others: bool,
    ) -> Result<ChangedSigningKeys, CommandError> {
        self.run(move |inner| async move {
            let work = async {
                inner.check_key_context(&context, &environment).await?;
                let active_from = inner.log.now() + PUBLISHED_AHEAD;
                inner.rotate_key(&context, &environment, algorithm, active_from, retire_others).await
            };
            inner.on_signing_keys(&context, &environment, work).await
        })
        .await
    }

    /// Believes nothing any more that a key signed which has had its turn. Needs `environments:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn retire_signing_key(
        &self,
        context: Context,
        environment: EnvironmentName,
        key_id: SecretId,
    ) -> Result<ChangedSigningKeys, CommandError> {
        self.run(move |inner| async move {
            let work = async {
                inner.check_key_context(&context, &environment).await?;
                inner.retire_key(&context, &environment, key_id).await
            };
            inner.on_signing_keys(&context, &environment, work).await
        })
        .await
    }
}

impl Inner {
    async fn on_signing_keys(
        &self,
        context: &Context,
        environment: &EnvironmentName,
        work: impl Future<Output = Result<ChangedSigningKeys, CommandError>>,
    ) -> Result<ChangedSigningKeys, CommandError> {
        let stream = Loader::<SigningKeys>::stream(environment.as_str())?;
        let replayed = |replay: crate::idempotency::Replay| async move {
            let loaded = self.signing_keys.current(environment.as_str()).await?;
            Ok(ChangedSigningKeys {
                keys: loaded.aggregate.clone(),
                revision: loaded.revision,
                position: replay.recorded.position,
                replayed: true,
            })
        };
        let allowed = context.demand(Permission::EnvironmentsWrite);
        self.guarded(context, Some(&stream), allowed, work, replayed).await
    }

    async fn check_key_context(
        &self,
        context: &Context,
        environment: &EnvironmentName,
    ) -> Result<(), CommandError> {
        let (policy, _) = self.policy(environment).await?;
        let wrong = context.violations(policy.reason_required.covers(context.operation));
        if wrong.is_empty() { Ok(()) } else { Err(CommandError::Invalid(wrong)) }
    }

    /// The key that signs now, and is made now if there is none.
    pub(crate) async fn signer(
        &self,
        environment: &EnvironmentName,
        algorithm: SigningAlgorithm,
    ) -> Result<Arc<JwtSigner>, CommandError> {
        let loaded = self.signing_keys.current(environment.as_str()).await?;
        if let Some(key) = loaded.aggregate.signer(algorithm, self.log.now()) {
            return self.ready(key).await;
        }
        // Of many that miss it at one moment one makes it: a key of RSA is a second of work.
        let _making = self.ready_keys.making.lock().await;
        look::again();
        let loaded = self.signing_keys.current(environment.as_str()).await?;
        if let Some(key) = loaded.aggregate.signer(algorithm, self.log.now()) {
            return self.ready(key).await;
        }
        let context = self.system_context("RotateSigningKey", Some(environment))?;
        let now = self.log.now();
        let made = self.rotate_key(&context, environment, algorithm, now, false).await?;
        let missing = || Fault::permanent("making a signing key", NoSigner);
        match made.keys.signer(algorithm, self.log.now()) {
            Some(key) => self.ready(key).await,
            None => Err(missing().into()),
        }
    }

    async fn ready(&self, key: &SigningKey) -> Result<Arc<JwtSigner>, CommandError> {
        if let Some(ready) = self.ready_keys.signers.get(&key.id.0) {
            return Ok(ready);
        }
        let private = self.vault.open_credential(self.log.as_ref(), &key.id.0, &key.commitment).await?;
        let signer = JwtSigner::new(jwt_algorithm(key.algorithm), &key.id.0, private.expose())
            .map_err(|error| Fault::permanent("reading a signing key", error))?;
        let ready = Arc::new(signer);
        self.ready_keys.signers.insert(key.id.0.clone(), Arc::clone(&ready));
        Ok(ready)
    }

    /// The public half of a key that is still believed.
    pub(crate) async fn published_key(
        &self,
        environment: &EnvironmentName,
        key_id: &str,
    ) -> Result<Option<(SigningAlgorithm, Arc<JwtPublicKey>)>, Fault> {
        let loaded = self.signing_keys.current(environment.as_str()).await?;
        let Some(key) = loaded.aggregate.published().find(|key| key.id.0 == key_id) else { return Ok(None) };
        if let Some(public) = self.ready_keys.public.get(key_id) {
            return Ok(Some((key.algorithm, public)));
        }
        let member = |name: &str| key.public_key.get(name).map(String::as_str);
        let Some(public) = JwtPublicKey::of_members(member) else {
            return Err(Fault::permanent("reading a signing key", NoSigner));
        };
        let public = Arc::new(public);
        self.ready_keys.public.insert(key_id.to_owned(), Arc::clone(&public));
        Ok(Some((key.algorithm, public)))
    }

    async fn rotate_key(
        &self,
        context: &Context,
        environment: &EnvironmentName,
        algorithm: SigningAlgorithm,
        active_from: Timestamp,
        retire_others: bool,
    ) -> Result<ChangedSigningKeys, CommandError> {
        let key_id = self.credential_id()?;
        let entropy = Arc::clone(&self.entropy);
        let of = jwt_algorithm(algorithm);
        let generated = tokio::task::spawn_blocking(move || generate_signing_key(of, entropy.as_ref()))
            .await
            .map_err(Fault::unknown_outcome)?
            .map_err(|error| Fault::passing("making a signing key", error))?;
        let sealed = self.vault.seal_credential(&key_id.0, PRIVATE_KEY, generated.private.expose_secret())?;
        let public_key: BTreeMap<String, String> = generated.public;
        self.change_keys(context, environment, vec![sealed.row], |keys, now| {
            // Of two that make the first key at one moment one makes it.
            if matches!(context.actor, Actor::System)
                && keys.signer(algorithm, now).is_some()
                && active_from <= now
            {
                return Ok(Vec::new());
            }
            keys.decide(
                SigningKeyCommand::RotateSigningKey(RotateSigningKey {
                    environment: environment.clone(),
                    key_id: key_id.clone(),
                    algorithm,
                    public_key: public_key.clone(),
                    commitment: sealed.commitment.clone(),
                    active_from,
                    retire_others,
                }),
                now,
            )
        })
        .await
    }

    async fn retire_key(
        &self,
        context: &Context,
        environment: &EnvironmentName,
        key_id: SecretId,
    ) -> Result<ChangedSigningKeys, CommandError> {
        self.change_keys(context, environment, Vec::new(), |keys, now| {
            keys.decide(SigningKeyCommand::RetireSigningKey { key_id: key_id.clone() }, now)
        })
        .await
    }

    /// Decides and appends, and decides again when another command was faster.
    async fn change_keys(
        &self,
        context: &Context,
        environment: &EnvironmentName,
        credentials: Vec<store::Credential>,
        decide: impl Fn(&SigningKeys, Timestamp) -> Result<Vec<SigningKeyEvent>, SigningKeyError>,
    ) -> Result<ChangedSigningKeys, CommandError> {
        let stream = Loader::<SigningKeys>::stream(environment.as_str())?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.signing_keys.current(environment.as_str()).await?;
            let events = decide(&loaded.aggregate, self.log.now())?;
            if events.is_empty() {
                let keys = loaded.aggregate.clone();
                return Ok(ChangedSigningKeys {
                    keys,
                    revision: loaded.revision,
                    position: self.log.head().await?,
                    replayed: false,
                });
            }
            let retired = events.iter().filter_map(|event| match event {
                SigningKeyEvent::Created(_) => None,
                SigningKeyEvent::Retired(retired) => Some(retired.key_id.to_string()),
            });
            let expected = match loaded.revision {
                Revision::NONE => ExpectedRevision::NoStream,
                revision => ExpectedRevision::Exact(revision),
            };
            let proposal = Proposal {
                streams: vec![ProposedStream {
                    stream: stream.clone(),
                    expected,
                    environment: Some(environment.to_string()),
                    responsible: None,
                    events: events.iter().cloned().map(Event::SigningKey).collect(),
                    private: Vec::new(),
                }],
                credentials: credentials.clone(),
                destroyed_credentials: retired.collect(),
                ..Proposal::default()
            };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let mut keys = loaded.aggregate.clone();
                    events.iter().for_each(|event| keys.apply(event, receipt.at));
                    let revision = Revision::new(loaded.revision.get() + events.len() as u64);
                    let position = receipt.position;
                    self.signing_keys.remember(environment.as_str(), keys.clone(), revision, position);
                    return Ok(ChangedSigningKeys { keys, revision, position, replayed: false });
                }
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { .. })) => {
                    self.signing_keys.forget(environment.as_str());
                }
                Err(NotAppended::ByLog(AppendError::DuplicateCommand(_))) => {
                    return Err(CommandError::Contended);
                }
                Err(NotAppended::ByLog(error)) => return Err(CommandError::Fault(error.into())),
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// Makes the keys whose turn comes next, and retires those that nobody needs any more.
    pub(crate) async fn turn_keys(&self) -> Result<(), CommandError> {
        let mut after: Option<StreamName> = None;
        loop {
            let streams = self.log.streams(SigningKeys::CATEGORY, after.as_ref(), MOST_ENVIRONMENTS).await?;
            for stream in &streams {
                if let Ok(environment) = EnvironmentName::parse(stream.id()) {
                    self.turn_keys_of(&environment).await?;
                }
            }
            let Some(last) = streams.into_iter().last() else { return Ok(()) };
            after = Some(last);
        }
    }

    async fn turn_keys_of(&self, environment: &EnvironmentName) -> Result<(), CommandError> {
        let context = self.system_context("RotateSigningKey", Some(environment))?;
        let (policy, _) = self.policy(environment).await?;
        let loaded = self.signing_keys.current(environment.as_str()).await?;
        let now = self.log.now();
        let turn = SignedDuration::from_secs(policy.signing_key_lifetime_seconds.into()) - PUBLISHED_AHEAD;
        for algorithm in SigningAlgorithm::ALL {
            let in_use = loaded.aggregate.signer(*algorithm, now).is_some();
            if in_use && loaded.aggregate.is_due(*algorithm, turn, now) {
                self.rotate_key(&context, environment, *algorithm, now + PUBLISHED_AHEAD, false).await?;
            }
        }
        for key in loaded.aggregate.outlived(LONGEST_TOKEN, now) {
            self.retire_key(&context, environment, key.id.clone()).await?;
        }
        Ok(())
    }

    /// Of what happens on schedule.
    pub(crate) fn system_context(
        &self,
        operation: &'static str,
        environment: Option<&EnvironmentName>,
    ) -> Result<Context, Fault> {
        let correlation_id: Uuid = uuid_v7(self.log.now(), self.entropy.as_ref())?;
        Ok(Context {
            actor: Actor::System,
            operation,
            environment: environment.cloned(),
            request_id: correlation_id.to_string(),
            correlation_id,
            source: None,
            reason: None,
            ticket: None,
            idempotency: None,
            malformed: Vec::new(),
        })
    }

    /// What an environment demands, if there is such an environment.
    pub(crate) async fn policy_of(&self, environment: &EnvironmentName) -> Result<Option<Policy>, Fault> {
        let loaded: Arc<crate::aggregates::Loaded<Environment>> =
            self.environments.current(environment.as_str()).await?;
        Ok(loaded.aggregate.policy().cloned())
    }
}

pub(crate) fn jwt_algorithm(algorithm: SigningAlgorithm) -> JwtAlgorithm {
    match algorithm {
        SigningAlgorithm::Es256 => JwtAlgorithm::Es256,
        SigningAlgorithm::Rs256 => JwtAlgorithm::Rs256,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no usable signing key")]
struct NoSigner;
