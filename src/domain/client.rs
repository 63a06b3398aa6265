//! The client: an OAuth client as RFC 7591 describes it, with its secrets and its life.

mod command;
mod contact;
mod decide;
mod error;
mod event;
mod metadata;
mod payload;
mod secret;
mod software;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use command::{
    ChangeClient, ChangeResponsible, ChangeSecret, ClientCommand, CreateClient, EndRotation, IssueSecret,
    NewRegistrationToken, NewSecret, NewSigningSecret, ReplaceRegistration, RevokeSecret, RotateSecret,
    RotateSigningSecret, SelfRegistration,
};
pub use contact::check as check_contact;
pub use decide::check_responsible;
pub use error::ClientError;
pub use event::{
    AccessTokenFormatChanged, ClientCreated, ClientEvent, ClientNameChanged, ClientSelfRegistered,
    ContactsChanged, DescriptionChanged, ExpiryChanged, ExpiryMoved, ExpiryRestored, IssuedRegistrationToken,
    IssuedSecret, IssuedSigningSecret, KeysChanged, PayloadEncryptionChanged, PostLogoutRedirectUrisChanged,
    RedirectExceptionGranted, RedirectExceptionWithdrawn, RedirectUrisChanged, RegistrationReplaced,
    ResponsibleChanged, RotationCancelled, RotationCompleted, ScopeChanged, SecretChanged, SecretIssued,
    SecretLeakReported, SecretRevoked, SecretRotated, SigningSecretRevealed, SigningSecretRotated,
    SigningSecretRotationCompleted, StatusChanged, TokensRevoked,
};
pub use metadata::{ClientDraft, ClientMetadata, MOST_REDIRECT_URIS};
pub use payload::PayloadUse;
pub use secret::{PreviousSigningSecret, Rotation, Secret, SecretState, SigningSecret};
pub use software::Software;

use crate::{
    ClaimChange, EnvironmentName, MemberId, PersonId, SecretId,
    aggregate::cqrs_aggregate,
    environment::AccessTokenFormat,
    oauth::{GrantType, PublicKey, RedirectScheme, RedirectUri, ScopeSet, TokenEndpointAuthMethod},
};

/// Secrets that have ended and are still part of a client's state, the newest of them. Without a bound, a client that
/// rotates every day would cost more each day; the history has those that are no longer here.
const MOST_ENDED_SECRETS: usize = 200;

/// A client's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Client {
    /// No event yet.
    #[default]
    Absent,
    /// Created, whatever became of it.
    Registered(Box<Registration>),
}

/// What a registered client is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The island it lives on.
    pub environment: EnvironmentName,
    /// The friendly name, shown on the consent page.
    pub client_name: String,
    /// What it is for, in a few sentences; anyone may read it.
    pub description: Option<String>,
    /// The name of its type in the catalog.
    pub client_type: String,
    /// Whether it gets tokens.
    pub status: Status,
    /// Where codes may be sent, in the order in which they were added.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where members may be sent who have signed out, in that order too.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Schemes of its own that it may be sent to, each by an exception of an admin.
    pub redirect_exceptions: BTreeSet<RedirectScheme>,
    /// What it may ask for.
    pub scope: ScopeSet,
    /// Pseudonyms of the people to turn to.
    pub contacts: Vec<PersonId>,
    /// How it may ask for tokens.
    pub grant_types: Vec<GrantType>,
    /// How it authenticates.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// The admin who answers for it.
    pub responsible: MemberId,
    /// The version of the developer terms that was accepted, at `created_at`.
    pub terms_accepted: String,
    /// When it was created.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// When the last event changed it; a look at its signing secret changes nothing.
    #[serde(with = "crate::time::micros")]
    pub updated_at: Timestamp,
    /// Every secret that can be used, and the newest of those that ended, oldest first.
    pub secrets: Vec<Secret>,
    /// The newest overlap of secrets; [`rotation`](Self::rotation) says whether it is under way.
    pub newest_rotation: Option<Rotation>,
    /// The secret that signs payloads (behaviour O4).
    pub signing_secret: SigningSecret,
    /// The one before it, if it got an overlap; [`previous_signing_secret`](Self::previous_signing_secret) says whether
    /// it still verifies.
    pub replaced_signing_secret: Option<PreviousSigningSecret>,
    /// What it signs its assertions with.
    pub keys: Vec<PublicKey>,
    /// What its access tokens are to whoever holds them; `None` leaves it to the environment.
    pub access_token_format: Option<AccessTokenFormat>,
    /// Whether it asks for its payloads to be encrypted.
    pub payload_encryption: bool,
    /// Whether it is the one client of its type in its environment, and holds that claim.
    pub singleton: bool,
    /// Tokens of earlier generations are good no longer: each revocation of all, and each deactivation, begins another.
    pub token_generation: u32,
    /// How it registered itself, if it did (RFC 7591).
    pub self_registered: Option<Box<SelfRegistered>>,
}

/// How a client registered itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfRegistered {
    /// The initial access token that it came with; `None` if anybody could register.
    pub initial_access_token_id: Option<SecretId>,
    /// What it manages its registration with.
    pub registration_access_token: IssuedRegistrationToken,
    /// What it says of its software.
    pub software: Software,
    /// Whether it named its contacts; else somebody stands for them.
    pub names_contacts: bool,
}

/// Whether a client gets tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Active,
    /// It does not until it is enabled again.
    Inactive,
    /// It never will again; its history stays.
    Deleted,
}

impl Status {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Deleted => "deleted",
        }
    }
}

cqrs_aggregate!(Client, "client", ClientCommand, ClientEvent, ClientError);

impl Client {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "client";

    /// The registration, unless there is none yet.
    pub fn registration(&self) -> Option<&Registration> {
        match self {
            Self::Absent => None,
            Self::Registered(registration) => Some(registration),
        }
    }

    /// The state after an event that was recorded at `at`. Total: an event of the log is a fact and is never
    /// refused; one that cannot follow its predecessors changes nothing.
    pub fn apply(&mut self, event: &ClientEvent, at: Timestamp) {
        match (self, event) {
            (client @ Self::Absent, ClientEvent::Created(created)) => {
                *client = Self::Registered(Box::new(Registration::created(created, at)));
            }
            (Self::Registered(registration), event) if registration.status != Status::Deleted => {
                registration.apply(event, at);
            }
            (Self::Absent | Self::Registered(_), _) => {}
        }
    }

    /// What the events do to what this client holds.
    pub fn claims(&self, events: &[ClientEvent]) -> Vec<ClaimChange> {
        let now = self.registration().map(|client| &client.environment);
        let of = |event: &ClientEvent| match (event, now) {
            (ClientEvent::Created(created), _) => event.claims(&created.environment),
            (event, Some(environment)) => event.claims(environment),
            (_, None) => Vec::new(),
        };
        events.iter().flat_map(of).collect()
    }
}

impl Registration {
    fn created(created: &ClientCreated, at: Timestamp) -> Self {
        Self {
            environment: created.environment.clone(),
            client_name: created.client_name.clone(),
            description: None,
            client_type: created.client_type.clone(),
            status: Status::Active,
            redirect_uris: created.redirect_uris.clone(),
            post_logout_redirect_uris: Vec::new(),
            redirect_exceptions: BTreeSet::new(),
            scope: created.scope.clone(),
            contacts: created.contacts.clone(),
            grant_types: created.grant_types.clone(),
            token_endpoint_auth_method: created.token_endpoint_auth_method,
            responsible: created.responsible,
            terms_accepted: created.terms_accepted.clone(),
            created_at: at,
            updated_at: at,
            secrets: created.secret.iter().map(|secret| Secret::issued(secret, at)).collect(),
            newest_rotation: None,
            signing_secret: SigningSecret::issued(&created.signing_secret, at),
            replaced_signing_secret: None,
            keys: Vec::new(),
            access_token_format: None,
            payload_encryption: false,
            singleton: created.singleton,
            token_generation: 0,
            self_registered: None,
        }
    }

    fn apply(&mut self, event: &ClientEvent, at: Timestamp) {
        match event {
            ClientEvent::Created(_)
            | ClientEvent::SigningSecretRevealed(_)
            | ClientEvent::SecretLeakReported(_) => return,
            ClientEvent::NameChanged(change) => self.client_name.clone_from(&change.client_name.new),
            ClientEvent::DescriptionChanged(change) => self.description.clone_from(&change.description.new),
            ClientEvent::ContactsChanged(change) => self.contacts.clone_from(&change.contacts.new),
            ClientEvent::RedirectUrisChanged(change) => {
                self.redirect_uris.clone_from(&change.redirect_uris.new);
            }
            ClientEvent::PostLogoutRedirectUrisChanged(change) => {
                self.post_logout_redirect_uris.clone_from(&change.post_logout_redirect_uris.new);
            }
            ClientEvent::RedirectExceptionGranted(granted) => {
                self.redirect_exceptions.insert(granted.scheme.clone());
            }
            ClientEvent::RedirectExceptionWithdrawn(withdrawn) => {
                self.redirect_exceptions.remove(&withdrawn.scheme);
            }
            ClientEvent::ScopeChanged(change) => self.scope.clone_from(&change.scope.new),
            ClientEvent::ResponsibleChanged(change) => self.responsible = change.responsible.new,
            ClientEvent::SecretIssued(issued) => self.add_secret(&issued.secret, at),
            ClientEvent::SecretRotated(rotated) => self.rotated(rotated, at),
            ClientEvent::SecretRevoked(revoked) => self.revoke(std::slice::from_ref(&revoked.secret_id), at),
            ClientEvent::RotationCompleted(completed) => {
                self.revoke(&completed.ended, at);
                self.newest_rotation = None;
            }
            ClientEvent::RotationCancelled(cancelled) => {
                self.revoke(std::slice::from_ref(&cancelled.secret_id), at);
                for restored in &cancelled.restored {
                    if let Some(secret) = self.secret_mut(&restored.id) {
                        secret.expires_at = restored.new;
                    }
                }
                self.newest_rotation = None;
            }
            ClientEvent::SecretChanged(changed) => {
                if let Some(secret) = self.secret_mut(&changed.secret_id) {
                    if let Some(label) = &changed.label {
                        secret.label.clone_from(&label.new);
                    }
                    if let Some(expiry) = &changed.expires_at {
                        secret.expire_by(expiry.new);
                    }
                }
            }
            ClientEvent::SigningSecretRotated(rotated) => {
                let new = SigningSecret::issued(&rotated.signing_secret, at);
                let secret = std::mem::replace(&mut self.signing_secret, new);
                let end = rotated.replaced_expires_at;
                self.replaced_signing_secret =
                    end.map(|expires_at| PreviousSigningSecret { secret, expires_at });
            }
            ClientEvent::SigningSecretRotationCompleted(_) => self.replaced_signing_secret = None,
            ClientEvent::PayloadEncryptionChanged(change) => {
                self.payload_encryption = change.payload_encryption.new;
            }
            ClientEvent::KeysChanged(change) => self.keys.clone_from(&change.keys.new),
            ClientEvent::AccessTokenFormatChanged(change) => {
                self.access_token_format = change.access_token_format.new;
            }
            ClientEvent::TokensRevoked(revoked) => self.token_generation = revoked.token_generation.new,
            ClientEvent::Deactivated(_) => {
                self.status = Status::Inactive;
                // What it had does not come back when it is enabled.
                self.token_generation += 1;
            }
            ClientEvent::Enabled(_) => self.status = Status::Active,
            ClientEvent::Deleted(_) => self.status = Status::Deleted,
            ClientEvent::SelfRegistered(registered) => {
                self.self_registered = Some(Box::new(SelfRegistered {
                    initial_access_token_id: registered.initial_access_token_id.clone(),
                    registration_access_token: registered.registration_access_token.clone(),
                    software: registered.software.clone(),
                    names_contacts: registered.names_contacts,
                }));
            }
            ClientEvent::RegistrationReplaced(replaced) => {
                if let Some(registered) = &mut self.self_registered {
                    registered.registration_access_token.clone_from(&replaced.registration_access_token);
                    if let Some(software) = &replaced.software {
                        registered.software.clone_from(&software.new);
                    }
                    if let Some(named) = &replaced.names_contacts {
                        registered.names_contacts = named.new;
                    }
                }
            }
        }
        self.updated_at = at;
    }

    fn rotated(&mut self, rotated: &SecretRotated, at: Timestamp) {
        self.revoke(&rotated.revoked, at);
        let replaces: Vec<_> = self.usable(at).map(|secret| secret.id.clone()).collect();
        for moved in &rotated.expiring {
            if let Some(secret) = self.secret_mut(&moved.id) {
                secret.expire_by(moved.new);
            }
        }
        let last = self.usable(at).filter_map(|secret| secret.expires_at).max();
        self.newest_rotation = last.filter(|_| rotated.overlap_seconds > 0).map(|ends_at| Rotation {
            secret_id: rotated.secret.id.clone(),
            replaces,
            moved: rotated.expiring.clone(),
            ends_at,
        });
        self.add_secret(&rotated.secret, at);
    }

    /// Adds a secret, and lets go of the one that ended longest ago if there are too many such.
    fn add_secret(&mut self, issued: &IssuedSecret, at: Timestamp) {
        self.secrets.push(Secret::issued(issued, at));
        let ended = |secret: &Secret| !secret.usable(at);
        if self.secrets.iter().filter(|secret| ended(secret)).count() > MOST_ENDED_SECRETS
            && let Some(oldest) = self.secrets.iter().position(ended)
        {
            self.secrets.remove(oldest);
        }
    }

    fn revoke(&mut self, ids: &[SecretId], at: Timestamp) {
        for secret in self.secrets.iter_mut().filter(|secret| ids.contains(&secret.id)) {
            secret.revoke(at);
        }
    }

    fn secret_mut(&mut self, id: &SecretId) -> Option<&mut Secret> {
        self.secrets.iter_mut().find(|secret| secret.id == *id)
    }

    /// The overlap that is under way at `now`: the new secret can be used, and so can one that it replaces.
    pub fn rotation(&self, now: Timestamp) -> Option<&Rotation> {
        let usable = |id: &SecretId| self.usable(now).any(|secret| secret.id == *id);
        let under_way =
            |rotation: &&Rotation| usable(&rotation.secret_id) && rotation.replaces.iter().any(usable);
        self.newest_rotation.as_ref().filter(under_way)
    }

    /// The signing secret that was replaced and still verifies at `now`.
    pub fn previous_signing_secret(&self, now: Timestamp) -> Option<&PreviousSigningSecret> {
        self.replaced_signing_secret.as_ref().filter(|previous| previous.expires_at > now)
    }

    /// The secrets that authenticate it at `now`: none unless it is active.
    pub fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.working(now).filter(|_| self.status == Status::Active)
    }

    /// The secrets that would authenticate it at `now` if it is active.
    fn working(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.state(now) == SecretState::Active)
    }

    /// The secrets that work at `now` or will later.
    fn usable(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.usable(now))
    }
}
