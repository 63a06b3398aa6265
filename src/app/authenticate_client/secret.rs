//! Clients that prove themselves by a secret. The dear check by Argon2 is made once: after that a keyed digest of the secret is
//! known, which outlives the process, and with which nobody can authenticate.

use std::sync::Arc;

use crypto::{Binding, ExposeSecret, MalformedSecret, Presented, SecretKind, SecretString};
use domain::{ClientId, EnvironmentName, SecretId, client::SecretState};
use moka::sync::Cache;
use store::VerifiedDigest;

use super::{ClientAuthenticationError, ClientRefusal, ProvedBy, ProvedClient, Traces, check_status};
use crate::{
    Inner,
    error::{CommandError, Fault},
};

/// Secrets whose digest is kept in memory; of others the activity log is asked.
const CACHED: u64 = 200_000;
const DIGEST_LABEL: &str = "client-secret";

/// Digests of secrets that were verified, or issued here.
pub(crate) struct KnownSecrets(Cache<String, [u8; 32]>);

impl KnownSecrets {
    pub(crate) fn new() -> Self {
        Self(Cache::new(CACHED))
    }
}

impl Inner {
    /// A client that presents a secret.
    pub(crate) async fn judge_secret(
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
        check_status(registration)?;
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
            by: ProvedBy::Secret(secret.id.clone()),
            traces: Traces { digests: learned.into_iter().collect(), vouchers: Vec::new() },
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
