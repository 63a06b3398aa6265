//! What is done to payloads with a client's signing secrets (behaviour O4), by the client and by who may see them.
//!
//! A use is recorded before its answer leaves; the payload is nowhere in it.

use std::future;

use crypto::{Jwe, SIGNATURE_LENGTH, SigningSecret};
use domain::{
    ClientId, EnvironmentName, Permission, Rule, SecretId, Violation,
    client::PayloadUse,
    registry::{RegistryEvent, SigningSecretUsed},
};
use store::{Outcome, StreamName};
use zeroize::Zeroizing;

use super::Target;
use crate::{
    App, Inner,
    activity::Deed,
    aggregates::Loader,
    audit_reads::COALESCED_SECONDS,
    authenticate_client::AuthenticatedClient,
    context::{Context, Source},
    error::CommandError,
    execute::MOST_ATTEMPTS,
};

/// What is asked of a client's signing secrets.
pub enum PayloadRequest {
    /// A signature by the newest.
    Sign(Zeroizing<Vec<u8>>),
    /// Whether one of them made this signature.
    Verify(Zeroizing<Vec<u8>>, [u8; SIGNATURE_LENGTH]),
    /// A JWE by the newest.
    Encrypt(Zeroizing<Vec<u8>>),
    /// What one of them encrypted.
    Decrypt(Jwe),
}

/// What came of it.
pub enum PayloadAnswer {
    /// The signature, and the secret that made it.
    Signed([u8; SIGNATURE_LENGTH], SecretId),
    /// The secret that made the signature; `None` if none of them did.
    Verified(Option<SecretId>),
    /// A JWE in compact serialisation, and the secret that it was encrypted with.
    Encrypted(String, SecretId),
    /// The payload, and the secret that it had been encrypted with.
    Decrypted(Zeroizing<Vec<u8>>, SecretId),
}

/// Where a client that has proved who it is asks from.
#[derive(Clone, Debug)]
pub struct OwnUse {
    /// The environment that it asks in.
    pub environment: EnvironmentName,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it asks from.
    pub source: Option<Source>,
}

/// A signing secret in the clear.
type Opened = (SecretId, SigningSecret);

impl App {
    /// Signs, verifies, encrypts or decrypts for a member. Needs `secrets:reveal`: who may see the secret can do all of it
    /// anyway.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Invalid`] for a JWE that none of the client's secrets opens.
    pub async fn use_signing_secret(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        request: PayloadRequest,
    ) -> Result<PayloadAnswer, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match: None };
            let stream = Loader::<domain::Client>::stream(&client_id.to_string())?;
            let context = Context { idempotency: None, ..context };
            let work = async {
                inner.check_context(&context, &target.environment).await?;
                let secrets = inner.signing_secrets(&target, request.usage()).await?;
                inner.record_use(&context, &stream, request.usage(), &secrets).await?;
                inner.done_to_payload(&request, &secrets)
            };
            // Without a key no request is a repeated one.
            let replayed = |_| future::ready(Err(CommandError::IdempotencyMismatch));
            inner
                .guarded(&context, Some(&stream), context.demand(Permission::SecretsReveal), work, replayed)
                .await
        })
        .await
    }

    /// Signs, verifies, encrypts or decrypts for the client itself. Each use is in the activity log, and each refusal, a
    /// signature that is not its own among them.
    ///
    /// # Errors
    /// [`CommandError`], as [`App::use_signing_secret`].
    pub async fn use_own_signing_secret(
        &self,
        client: &AuthenticatedClient,
        asked: OwnUse,
        request: PayloadRequest,
    ) -> Result<PayloadAnswer, CommandError> {
        let OwnUse { environment, request_id, source } = asked;
        let deed = |credential: Option<&SecretId>| Deed {
            kind: kind(request.usage()),
            environment: Some(environment.to_string()),
            client: Some(client.client_id.to_string()),
            credential: credential.map(ToString::to_string),
            request_id: request_id.clone(),
            source: source.clone(),
            ..Deed::default()
        };
        let target = Target { environment: environment.clone(), client_id: client.client_id, if_match: None };
        let inner = &self.inner;
        let done = match inner.signing_secrets(&target, request.usage()).await {
            Ok(secrets) => inner.done_to_payload(&request, &secrets),
            Err(refused) => Err(refused),
        };
        let refusal = match &done {
            Ok(PayloadAnswer::Verified(None)) | Err(CommandError::Invalid(_)) => Some("not_authentic"),
            Err(refused) if refused.is_recorded() => Some(refused.slug()),
            Err(_) => return done,
            Ok(_) => None,
        };
        match refusal {
            Some(reason) => inner.record_refused(deed(None), reason).await?,
            None => inner.record_done(deed(done.as_ref().ok().and_then(used)), Vec::new()).await?,
        }
        done
    }
}

impl PayloadRequest {
    fn usage(&self) -> PayloadUse {
        match self {
            Self::Sign(_) => PayloadUse::Sign,
            Self::Verify(..) => PayloadUse::Verify,
            Self::Encrypt(_) => PayloadUse::Encrypt,
            Self::Decrypt(_) => PayloadUse::Decrypt,
        }
    }
}

/// What activity calls it.
fn kind(usage: PayloadUse) -> &'static str {
    match usage {
        PayloadUse::Sign => "payload_signing",
        PayloadUse::Verify => "payload_verification",
        PayloadUse::Encrypt => "payload_encryption",
        PayloadUse::Decrypt => "payload_decryption",
    }
}

/// The secret that served.
fn used(answer: &PayloadAnswer) -> Option<&SecretId> {
    match answer {
        PayloadAnswer::Signed(_, id) | PayloadAnswer::Encrypted(_, id) | PayloadAnswer::Decrypted(_, id) => {
            Some(id)
        }
        PayloadAnswer::Verified(id) => id.as_ref(),
    }
}

impl Inner {
    /// The secrets that serve for this, the newest first, as the log stands now.
    async fn signing_secrets(&self, target: &Target, usage: PayloadUse) -> Result<Vec<Opened>, CommandError> {
        let id = target.client_id.to_string();
        'again: for _ in 0..MOST_ATTEMPTS {
            let loaded = self.clients.current(&id).await?;
            let registration = target.registration(&loaded.aggregate)?;
            let mut opened = Vec::new();
            for secret in registration.payload_secrets(usage, self.log.now())? {
                match self.open_signing_secret(secret).await {
                    Ok(secret_in_clear) => opened.push((secret.id.clone(), secret_in_clear)),
                    // It may have ended and been removed since the client was looked at.
                    Err(_) if self.clients.current(&id).await?.revision != loaded.revision => continue 'again,
                    Err(fault) => return Err(fault.into()),
                }
            }
            return Ok(opened);
        }
        Err(CommandError::Contended)
    }

    /// Records that a member uses them; the same use for the same reason is not recorded again for a while.
    async fn record_use(
        &self,
        context: &Context,
        stream: &StreamName,
        usage: PayloadUse,
        secrets: &[Opened],
    ) -> Result<(), CommandError> {
        let ids = || secrets.iter().map(|(id, _)| id);
        let mut what = vec![stream.as_str().as_bytes(), usage.as_str().as_bytes()];
        let reason = context.reason.as_ref().map(|reason| reason.expose().as_str());
        what.extend([context.ticket.as_deref(), reason].map(|why| why.unwrap_or_default().as_bytes()));
        what.extend(ids().map(|id| id.0.as_bytes()));
        let digest = self.question(context, "payload/use", &what);
        self.demand_standing(context).await?;
        if self.audit_reads.is_recent(&digest) {
            return Ok(());
        }
        let event = RegistryEvent::SigningSecretUsed(SigningSecretUsed {
            subject: stream.to_string(),
            operation: usage.as_str().to_owned(),
            signing_secret_ids: ids().cloned().collect(),
            coalesced_seconds: COALESCED_SECONDS,
        });
        self.record(context, Outcome::Done, event).await?;
        self.audit_reads.remember(digest);
        Ok(())
    }

    fn done_to_payload(
        &self,
        request: &PayloadRequest,
        secrets: &[Opened],
    ) -> Result<PayloadAnswer, CommandError> {
        let (newest_id, newest) = secrets.first().ok_or(CommandError::NotFound("signing_secret"))?;
        Ok(match request {
            PayloadRequest::Sign(payload) => PayloadAnswer::Signed(newest.sign(payload), newest_id.clone()),
            PayloadRequest::Verify(payload, signature) => {
                let made = secrets.iter().find(|(_, secret)| secret.verifies(payload, signature));
                PayloadAnswer::Verified(made.map(|(id, _)| id.clone()))
            }
            PayloadRequest::Encrypt(payload) => {
                let jwe = newest.encrypt(&newest_id.0, payload, self.entropy.as_ref())?;
                PayloadAnswer::Encrypted(jwe, newest_id.clone())
            }
            PayloadRequest::Decrypt(jwe) => {
                let named = |id: &SecretId| jwe.kid().is_none_or(|kid| kid == id.0);
                let mut opening = secrets.iter().filter(|(id, _)| named(id));
                let opened = opening.find_map(|(id, secret)| Some((secret.decrypt(jwe).ok()?, id)));
                let (payload, id) = opened.ok_or_else(not_authentic)?;
                PayloadAnswer::Decrypted(payload, id.clone())
            }
        })
    }
}

/// One answer whatever is wrong: nobody learns which secrets there were.
fn not_authentic() -> CommandError {
    let detail = "it was altered, or encrypted with a signing secret that the client does not have now";
    CommandError::Invalid(vec![Violation::new("/jwe", Rule::NotAuthentic, detail)])
}
