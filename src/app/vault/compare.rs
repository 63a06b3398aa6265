//! Every credential against the event that committed to it: for the tools of who operates it.

use std::collections::HashSet;

use crypto::{Entropy, MasterKey};
use domain::{
    Admission, AdmissionEvent, Client, ClientEvent, Event, Member, MemberEvent, SecretId, SigningKeyEvent,
    SigningKeys,
    client::{SecretState, Status},
    member::IssuedToken,
};
use jiff::Timestamp;
use store::{EventLog, KeyStore, RecordedEvent, Revision, StreamName};

use super::{KeyRing, KeyRingError, committed_to, credential_place};
use crate::error::Fault;

/// Streams, and events of one, that are read at a time.
const PAGE: usize = 500;

/// A credential that is not what the log says of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialDefect {
    /// No key of this log opens it, or it was altered.
    #[error("`{0}` cannot be opened")]
    Unopenable(String),
    /// It opens, and is another one than its event committed to.
    #[error("`{0}` is not the one that the log committed to")]
    Swapped(String),
    /// It is in use, and is not there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// It is there, and no event tells of it.
    #[error("`{0}` is in no event")]
    Unknown(String),
}

/// Opens each credential of the vault, whose ids are `stored`, compares it with the commitment in the log, and reports
/// those that do not fit, and those that are missing although they are in use. Changes nothing, unlike opening the write
/// side. Nothing that was opened leaves.
///
/// # Errors
/// A wrong master key, missing or damaged keys, or a log that cannot be read.
pub async fn compare_credentials(
    log: &dyn EventLog,
    keys: &dyn KeyStore,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
    stored: Vec<String>,
    report: &mut dyn FnMut(CredentialDefect),
) -> Result<(), KeyRingError> {
    let ring = KeyRing::open(keys, master_key, log, entropy).await?;
    let now = log.now();
    let mut strays: HashSet<String> = stored.into_iter().collect();
    for category in [Client::CATEGORY, Member::CATEGORY, SigningKeys::CATEGORY, Admission::CATEGORY] {
        let mut after: Option<StreamName> = None;
        loop {
            let streams = log.streams(category, after.as_ref(), PAGE).await?;
            for stream in &streams {
                let holder = Holder::read(log, stream).await?;
                for (id, commitment) in &holder.commitments {
                    let kept = strays.remove(&id.0);
                    let missing =
                        || holder.is_in_use(id, now).then(|| CredentialDefect::Missing(id.0.clone()));
                    let sealed = log.credential(&id.0).await?;
                    let defect = match sealed {
                        Some(sealed) => compare(&ring, &id.0, &sealed, commitment),
                        // Destroyed since the ids were listed, as it is when it ends.
                        None if kept => None,
                        None => missing(),
                    };
                    defect.into_iter().for_each(&mut *report);
                }
            }
            let Some(last) = streams.into_iter().last() else { break };
            after = Some(last);
        }
    }
    // The ids were listed first: whatever made one of them was in the log by then.
    let mut unknown: Vec<_> = strays.into_iter().collect();
    unknown.sort_unstable();
    unknown.into_iter().map(CredentialDefect::Unknown).for_each(report);
    Ok(())
}

fn compare(ring: &KeyRing, id: &str, sealed: &[u8], commitment: &str) -> Option<CredentialDefect> {
    match ring.unseal(&credential_place(id), sealed) {
        None => Some(CredentialDefect::Unopenable(id.to_owned())),
        Some(encoded) if committed_to(&encoded, commitment).is_none() => {
            Some(CredentialDefect::Swapped(id.to_owned()))
        }
        Some(_) => None,
    }
}

/// Whoever has credentials: a client, a member, or an environment.
#[derive(Default)]
struct Holder {
    client: Client,
    member: Member,
    signing_keys: SigningKeys,
    admission: Admission,
    /// Every credential it ever had, with what its event committed to.
    commitments: Vec<(SecretId, String)>,
}

impl Holder {
    async fn read(log: &dyn EventLog, stream: &StreamName) -> Result<Self, KeyRingError> {
        let mut holder = Self::default();
        let mut after = Revision::NONE;
        loop {
            let events = log.read_stream(stream, after, PAGE).await?;
            for event in &events {
                holder.apply(event).map_err(KeyRingError::Credentials)?;
            }
            let Some(last) = events.last() else { return Ok(holder) };
            after = last.revision;
        }
    }

    fn apply(&mut self, recorded: &RecordedEvent) -> Result<(), Fault> {
        let envelope = recorded.envelope().map_err(|error| Fault::permanent("reading an event", error))?;
        let event = Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get())
            .map_err(|error| Fault::permanent("reading an event", error))?;
        if let Event::Client(event) = &event {
            let (secret, signing) = match event {
                ClientEvent::Created(created) => (created.secret.as_ref(), Some(&created.signing_secret)),
                ClientEvent::SecretIssued(issued) => (Some(&issued.secret), None),
                ClientEvent::SecretRotated(rotated) => (Some(&rotated.secret), None),
                ClientEvent::SigningSecretRotated(rotated) => (None, Some(&rotated.signing_secret)),
                ClientEvent::NameChanged(_)
                | ClientEvent::DescriptionChanged(_)
                | ClientEvent::ContactsChanged(_)
                | ClientEvent::RedirectUrisChanged(_)
                | ClientEvent::PostLogoutRedirectUrisChanged(_)
                | ClientEvent::RedirectExceptionGranted(_)
                | ClientEvent::RedirectExceptionWithdrawn(_)
                | ClientEvent::ScopeChanged(_)
                | ClientEvent::ResponsibleChanged(_)
                | ClientEvent::SecretRevoked(_)
                | ClientEvent::RotationCompleted(_)
                | ClientEvent::RotationCancelled(_)
                | ClientEvent::SecretChanged(_)
                | ClientEvent::SecretLeakReported(_)
                | ClientEvent::SigningSecretRotationCompleted(_)
                | ClientEvent::PayloadEncryptionChanged(_)
                | ClientEvent::KeysChanged(_)
                | ClientEvent::AccessTokenFormatChanged(_)
                | ClientEvent::SigningSecretRevealed(_)
                | ClientEvent::TokensRevoked(_)
                | ClientEvent::Deactivated(_)
                | ClientEvent::Enabled(_)
                | ClientEvent::Deleted(_)
                | ClientEvent::SelfRegistered(_)
                | ClientEvent::RegistrationReplaced(_) => (None, None),
            };
            let secret = secret.map(|secret| (secret.id.clone(), secret.commitment.clone()));
            let signing = signing.map(|secret| (secret.id.clone(), secret.commitment.clone()));
            self.commitments.extend(secret.into_iter().chain(signing).chain(registration_token(event)));
            self.client.apply(event, envelope.at);
        }
        if let Event::Member(event) = &event {
            let of_token = |token: &IssuedToken| (token.id.clone(), token.commitment.clone());
            self.commitments.extend(match event {
                MemberEvent::Created(created) => created.token.as_ref().map(of_token),
                MemberEvent::TokenIssued(issued) => Some(of_token(&issued.token)),
                MemberEvent::PasswordSet(set) => Some((set.id.clone(), set.commitment.clone())),
                MemberEvent::TotpEnrolled(device) => Some((device.id.clone(), device.commitment.clone())),
                MemberEvent::PasskeyRegistered(passkey) => {
                    Some((passkey.id.clone(), passkey.commitment.clone()))
                }
                MemberEvent::RecoveryCodesIssued(codes) => Some((codes.id.clone(), codes.commitment.clone())),
                MemberEvent::RolesChanged(_)
                | MemberEvent::DetailsChanged(_)
                | MemberEvent::Deactivated(_)
                | MemberEvent::Enabled(_)
                | MemberEvent::TokenRevoked(_)
                | MemberEvent::PasswordRemoved(_)
                | MemberEvent::TotpRemoved(_)
                | MemberEvent::PasskeyRemoved(_) => None,
            });
            self.member.apply(event, envelope.at);
        }
        if let Event::SigningKey(event) = &event {
            match event {
                SigningKeyEvent::Created(created) => {
                    self.commitments.push((created.key_id.clone(), created.commitment.clone()));
                }
                SigningKeyEvent::Retired(_) => {}
            }
            self.signing_keys.apply(event, envelope.at);
        }
        if let Event::Admission(event) = &event {
            match event {
                AdmissionEvent::TokenIssued(issued) => {
                    self.commitments.push((issued.token_id.clone(), issued.commitment.clone()));
                }
                AdmissionEvent::TokenRevoked(_)
                | AdmissionEvent::ClientAdmitted(_)
                | AdmissionEvent::ClientLeft(_) => {}
            }
            self.admission.apply(event, envelope.at);
        }
        Ok(())
    }

    /// Whether something is still checked, signed or verified with it.
    fn is_in_use(&self, id: &SecretId, now: Timestamp) -> bool {
        let client = self.client.registration().filter(|client| client.status != Status::Deleted);
        let of_client = client.is_some_and(|client| {
            let works = |state| matches!(state, SecretState::Active | SecretState::Pending);
            client.secrets.iter().any(|secret| secret.id == *id && works(secret.state(now)))
                || client.signing_secret.id == *id
                || client.self_registered.as_ref().is_some_and(|it| it.registration_access_token.id == *id)
                || client.previous_signing_secret(now).is_some_and(|previous| previous.secret.id == *id)
        });
        let registers = self.admission.token(id).is_some_and(|token| token.is_live(now));
        let signs = self.signing_keys.published().any(|key| key.id == *id);
        let of_member = self.member.membership().is_some_and(|member| {
            member.tokens.iter().any(|token| token.id == *id && token.live(now))
                || member.password.as_ref().is_some_and(|password| password.id == *id)
                || [&member.totp, &member.recovery_codes]
                    .into_iter()
                    .flatten()
                    .chain(&member.passkeys)
                    .any(|factor| factor.id == *id)
        });
        of_client || of_member || signs || registers
    }
}

/// The token that a client manages its registration with from an event on.
fn registration_token(event: &ClientEvent) -> Option<(SecretId, String)> {
    let token = if let ClientEvent::SelfRegistered(registered) = event {
        &registered.registration_access_token
    } else if let ClientEvent::RegistrationReplaced(replaced) = event {
        &replaced.registration_access_token
    } else {
        return None;
    };
    Some((token.id.clone(), token.commitment.clone()))
}
