//! Issuing, rotating, revoking and revealing a client's secrets.

use std::sync::Arc;

use crypto::{Binding, ExposeSecret, Minted, SecretKind, SecretString, SigningSecret};
use domain::{
    Client, ClientCommand, ClientEvent, ClientId, EnvironmentName, Event, Permission, SecretId,
    client::{
        ChangeSecret, EndRotation, IssueSecret, NewSecret, NewSigningSecret, Registration, RevokeSecret,
        RotateSecret, RotateSigningSecret,
    },
    environment::Policy,
};
use jiff::Timestamp;

use super::{Beside, ChangedClient, Facts, HangsOn, IssueSecretRequest, IssuedClientSecret, Target};
use crate::{
    App, Inner,
    aggregates::Loader,
    configuration::with_violations,
    context::{Context, IfMatch},
    error::{CommandError, Fault},
    idempotency::Replay,
    vault::SealedCredential,
};

/// What the vault calls the Argon2id verifier of a client secret.
const VERIFIER: &str = "client_secret_verifier";
/// What the vault calls a signing secret.
const SIGNING: &str = "signing_secret";

impl App {
    /// Issues a secret beside the others, or in place of them. Needs `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn issue_secret(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        request: IssueSecretRequest,
    ) -> Result<IssuedClientSecret, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match: None };
            let stream = Loader::<Client>::stream(&client_id.to_string())?;
            // One endpoint, two commands: the history says which it was.
            let operation =
                if request.overlap_seconds.is_some() { "RotateSecret" } else { context.operation };
            let context = Context { operation, ..context };
            let allowed = context.demand(Permission::ClientsWrite);
            let work = inner.issue(&context, &target, &request);
            let replayed = |replay| inner.replayed_secret(replay);
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Stops one secret. Needs `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; the last secret that works is revoked only if `allow_lockout` says so.
    pub async fn revoke_secret(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        secret_id: SecretId,
        allow_lockout: bool,
    ) -> Result<ChangedClient, CommandError> {
        let command = ClientCommand::RevokeSecret(RevokeSecret { secret_id, allow_lockout });
        self.plain(context, environment, client_id, command).await
    }

    /// Ends the secrets that a rotation replaces before its overlap does. Needs `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; a rotation to a secret that does not work yet is completed only if `allow_lockout` says so.
    pub async fn complete_rotation(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        secret_id: SecretId,
        allow_lockout: bool,
    ) -> Result<ChangedClient, CommandError> {
        let command = ClientCommand::CompleteRotation(EndRotation { secret_id, allow_lockout });
        self.plain(context, environment, client_id, command).await
    }

    /// Takes the new secret of a rotation back, and gives those that it replaces the time that they had. Needs
    /// `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; as [`App::revoke_secret`].
    pub async fn cancel_rotation(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        secret_id: SecretId,
        allow_lockout: bool,
    ) -> Result<ChangedClient, CommandError> {
        let command = ClientCommand::CancelRotation(EndRotation { secret_id, allow_lockout });
        self.plain(context, environment, client_id, command).await
    }

    /// Changes a secret's label, or moves its end to an earlier time. Needs `clients:write` and `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn change_secret(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        if_match: Option<IfMatch>,
        change: ChangeSecret,
    ) -> Result<ChangedClient, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match };
            let work = inner.edit(&context, &target, ClientCommand::ChangeSecret(change));
            inner.on_client(&context, &target, Permission::ClientsWrite, work).await
        })
        .await
    }

    /// Replaces the signing secret, at once or after an overlap. Needs `clients:write`, never `If-Match`. The text is
    /// `None` for a replay.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn rotate_signing_secret(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        overlap_seconds: u32,
    ) -> Result<(ChangedClient, Option<SecretString>), CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match: None };
            let mut shown = None;
            let work = inner.rotate_signing(&context, &target, overlap_seconds, &mut shown);
            let client = inner.on_client(&context, &target, Permission::ClientsWrite, work).await?;
            let shown = shown.filter(|_| !client.replayed);
            Ok((client, shown))
        })
        .await
    }

    /// Ends the signing secret that was replaced before its overlap does. Needs `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn complete_signing_secret_rotation(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
    ) -> Result<ChangedClient, CommandError> {
        self.plain(context, environment, client_id, ClientCommand::CompleteSigningSecretRotation).await
    }

    /// Shows the signing secrets, after recording who sees them. Needs `secrets:reveal`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn reveal_signing_secret(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
    ) -> Result<RevealedSigningSecrets, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match: None };
            // Each look is recorded: a repeated request is a second look, not the first one's answer.
            let context = Context { idempotency: None, ..context };
            let work = inner.reveal_signing(&context, &target);
            let client = inner.on_client(&context, &target, Permission::SecretsReveal, work).await?;
            let shown = async |secret| Ok::<_, Fault>(inner.open_signing_secret(secret).await?.reveal());
            let secret = shown(&client.registration.signing_secret).await?;
            let previous = match client.registration.previous_signing_secret(inner.log.now()) {
                Some(previous) => Some((shown(&previous.secret).await?, previous.expires_at)),
                None => None,
            };
            Ok(RevealedSigningSecrets { client, secret, previous })
        })
        .await
    }
}

/// The signing secrets that verify, in the clear.
#[derive(Debug)]
pub struct RevealedSigningSecrets {
    /// The client.
    pub client: ChangedClient,
    /// The one that signs.
    pub secret: SecretString,
    /// The one before it, and when it ends.
    pub previous: Option<(SecretString, Timestamp)>,
}

impl Inner {
    async fn issue(
        self: &Arc<Self>,
        context: &Context,
        target: &Target,
        request: &IssueSecretRequest,
    ) -> Result<IssuedClientSecret, CommandError> {
        let (policy, _) = self.policy(&target.environment).await?;
        let minted = self.mint_client_secret(&target.environment, target.client_id)?;
        let mut secret = NewSecret {
            id: SecretId(minted.id.as_str().to_owned()),
            label: request.label.clone(),
            hint: minted.hint,
            not_before: request.not_before,
            expires_in_seconds: request.expires_in_seconds,
            commitment: String::new(),
        };
        let command = |policy: &Policy, secret: &NewSecret| match request.overlap_seconds {
            None => {
                ClientCommand::IssueSecret(IssueSecret { secret: secret.clone(), policy: policy.clone() })
            }
            Some(overlap_seconds) => ClientCommand::RotateSecret(RotateSecret {
                secret: secret.clone(),
                overlap_seconds,
                policy: policy.clone(),
            }),
        };
        // Refused before Argon2 is asked: bad requests must not be dear.
        let loaded = self.clients.current(&target.client_id.to_string()).await?;
        target.registration(&loaded.aggregate)?;
        let wrong = context.violations(policy.reason_required.covers(context.operation));
        let rehearsed = loaded.aggregate.decide(command(&policy, &secret), self.log.now());
        with_violations(rehearsed.map_err(CommandError::from), wrong)?;
        let sealed = self.seal_client_secret(&secret.id, &minted.secret).await?;
        secret.commitment = sealed.commitment;
        let beside = Beside { credentials: vec![sealed.row], ..Beside::default() };
        let judged = |_: &Registration, facts: &Facts| Ok(command(&facts.policy, &secret));
        let client = self.execute_judged(context, target, HangsOn::default(), judged, beside).await?;
        Ok(IssuedClientSecret { client, secret_id: secret.id, secret: Some(minted.secret) })
    }

    /// The secret that was issued then, by what the log says: others may have come since.
    async fn replayed_secret(&self, replay: Replay) -> Result<IssuedClientSecret, CommandError> {
        let event = replay.event()?;
        let secret_id = if let Event::Client(ClientEvent::SecretIssued(issued)) = event {
            issued.secret.id
        } else if let Event::Client(ClientEvent::SecretRotated(rotated)) = event {
            rotated.secret.id
        } else {
            // The key belongs to this very request, which can have done nothing else.
            return Err(CommandError::IdempotencyMismatch);
        };
        Ok(IssuedClientSecret { client: self.replayed_client(&replay).await?, secret_id, secret: None })
    }

    async fn rotate_signing(
        self: &Arc<Self>,
        context: &Context,
        target: &Target,
        overlap_seconds: u32,
        shown: &mut Option<SecretString>,
    ) -> Result<ChangedClient, CommandError> {
        self.check_context(context, &target.environment).await?;
        let text = SigningSecret::mint(self.entropy.as_ref())?.reveal();
        let id = self.credential_id()?;
        let sealed = self.seal_signing_secret(&id, &text)?;
        let secret = NewSigningSecret { id, commitment: sealed.commitment };
        let beside = Beside { credentials: vec![sealed.row], ..Beside::default() };
        let command = |_: &Registration, facts: &Facts| {
            let (secret, policy) = (secret.clone(), facts.policy.clone());
            Ok(ClientCommand::RotateSigningSecret(RotateSigningSecret { secret, overlap_seconds, policy }))
        };
        let changed = self.execute_judged(context, target, HangsOn::default(), command, beside).await?;
        *shown = Some(text);
        Ok(changed)
    }

    async fn reveal_signing(
        &self,
        context: &Context,
        target: &Target,
    ) -> Result<ChangedClient, CommandError> {
        self.check_context(context, &target.environment).await?;
        self.execute(context, target, |_| Ok(ClientCommand::RevealSigningSecret), Beside::default()).await
    }

    pub(super) async fn open_signing_secret(
        &self,
        secret: &domain::client::SigningSecret,
    ) -> Result<SigningSecret, Fault> {
        let log = self.log.as_ref();
        let text = self.vault.open_credential(log, &secret.id.0, &secret.commitment).await?;
        SigningSecret::parse(text.expose())
            .map_err(|malformed| Fault::permanent("opening a signing secret", malformed))
    }

    pub(super) fn mint_client_secret(
        &self,
        environment: &EnvironmentName,
        client_id: ClientId,
    ) -> Result<Minted, Fault> {
        let owner = client_id.to_string();
        let binding = Binding { environment: environment.as_str(), owner: &owner };
        Ok(crypto::mint(SecretKind::ClientSecret, &binding, &self.vault.ring.tags, self.entropy.as_ref())?)
    }

    /// Argon2id, then the vault.
    pub(super) async fn seal_client_secret(
        &self,
        id: &SecretId,
        text: &SecretString,
    ) -> Result<SealedCredential, CommandError> {
        let salt = self.entropy.array()?;
        let verifier = self.argon2.hash(text.clone(), salt).await?;
        self.prime(id, text);
        Ok(self.vault.seal_credential(&id.0, VERIFIER, &verifier)?)
    }

    pub(super) fn seal_signing_secret(
        &self,
        id: &SecretId,
        text: &SecretString,
    ) -> Result<SealedCredential, Fault> {
        self.vault.seal_credential(&id.0, SIGNING, text.expose_secret())
    }
}
