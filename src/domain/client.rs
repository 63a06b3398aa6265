//! The client: an OAuth client as RFC 7591 describes it, with its secrets and its life.

mod command;
mod contact;
mod decide;
mod error;
mod event;
mod metadata;
mod secret;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use command::{
    ChangeClient, ClientCommand, CreateClient, IssueSecret, NewSecret, NewSigningSecret, RevokeSecret,
    RotateSecret,
};
pub use contact::check as check_contact;
pub use error::ClientError;
pub use event::{
    ClientCreated, ClientEvent, ClientNameChanged, ContactsChanged, ExpiryMoved, IssuedSecret,
    IssuedSigningSecret, RedirectUrisChanged, ScopeChanged, SecretIssued, SecretRevoked, SecretRotated,
    SigningSecretRevealed, SigningSecretRotated, StatusChanged,
};
pub use metadata::{ClientDraft, ClientMetadata, MOST_REDIRECT_URIS};
pub use secret::{Secret, SecretState, SigningSecret};

use crate::{
    Claim, ClaimChange, EnvironmentName, MemberId, PersonId,
    aggregate::cqrs_aggregate,
    oauth::{GrantType, RedirectUri, ScopeSet, TokenEndpointAuthMethod},
};

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
    /// The name of its type in the catalog.
    pub client_type: String,
    /// Whether it gets tokens.
    pub status: Status,
    /// Where codes may be sent, in the order in which they were added.
    pub redirect_uris: Vec<RedirectUri>,
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
    /// Every secret it ever had, oldest first.
    pub secrets: Vec<Secret>,
    /// The secret that signs payloads (behaviour O4).
    pub signing_secret: SigningSecret,
    /// Whether it is the one client of its type in its environment, and holds that claim.
    pub singleton: bool,
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

    /// What the events do to the names this client holds, judged from the state before them.
    pub fn claims(&self, events: &[ClientEvent]) -> Vec<ClaimChange> {
        let mut changes = Vec::new();
        for event in events {
            match (self, event) {
                (_, ClientEvent::Created(created)) => {
                    changes.push(ClaimChange::Take(Claim::client_name(
                        &created.environment,
                        &created.client_name,
                    )));
                    if created.singleton {
                        changes.push(ClaimChange::Take(Claim::singleton(
                            &created.environment,
                            &created.client_type,
                        )));
                    }
                }
                (Self::Registered(now), ClientEvent::NameChanged(change)) => {
                    let old = Claim::client_name(&now.environment, &change.client_name.old);
                    let new = Claim::client_name(&now.environment, &change.client_name.new);
                    if old != new {
                        changes.extend([ClaimChange::Take(new), ClaimChange::Release(old)]);
                    }
                }
                (Self::Registered(now), ClientEvent::Deleted(_)) => {
                    changes
                        .push(ClaimChange::Release(Claim::client_name(&now.environment, &now.client_name)));
                    if now.singleton {
                        changes
                            .push(ClaimChange::Release(Claim::singleton(&now.environment, &now.client_type)));
                    }
                }
                _ => {}
            }
        }
        changes
    }
}

impl Registration {
    fn created(created: &ClientCreated, at: Timestamp) -> Self {
        Self {
            environment: created.environment.clone(),
            client_name: created.client_name.clone(),
            client_type: created.client_type.clone(),
            status: Status::Active,
            redirect_uris: created.redirect_uris.clone(),
            scope: created.scope.clone(),
            contacts: created.contacts.clone(),
            grant_types: created.grant_types.clone(),
            token_endpoint_auth_method: created.token_endpoint_auth_method,
            responsible: created.responsible,
            terms_accepted: created.terms_accepted.clone(),
            created_at: at,
            updated_at: at,
            secrets: created.secret.iter().map(|secret| Secret::issued(secret, at)).collect(),
            signing_secret: SigningSecret::issued(&created.signing_secret, at),
            singleton: created.singleton,
        }
    }

    fn apply(&mut self, event: &ClientEvent, at: Timestamp) {
        match event {
            ClientEvent::Created(_) | ClientEvent::SigningSecretRevealed(_) => return,
            ClientEvent::NameChanged(change) => self.client_name.clone_from(&change.client_name.new),
            ClientEvent::ContactsChanged(change) => self.contacts.clone_from(&change.contacts.new),
            ClientEvent::RedirectUrisChanged(change) => {
                self.redirect_uris.clone_from(&change.redirect_uris.new);
            }
            ClientEvent::ScopeChanged(change) => self.scope.clone_from(&change.scope.new),
            ClientEvent::SecretIssued(issued) => self.secrets.push(Secret::issued(&issued.secret, at)),
            ClientEvent::SecretRotated(rotated) => {
                for secret in &mut self.secrets {
                    if rotated.revoked.contains(&secret.id) {
                        secret.revoke(at);
                    }
                    if let Some(moved) = rotated.expiring.iter().find(|moved| moved.id == secret.id) {
                        secret.expire_by(moved.new);
                    }
                }
                self.secrets.push(Secret::issued(&rotated.secret, at));
            }
            ClientEvent::SecretRevoked(revoked) => {
                for secret in self.secrets.iter_mut().filter(|secret| secret.id == revoked.secret_id) {
                    secret.revoke(at);
                }
            }
            ClientEvent::SigningSecretRotated(rotated) => {
                self.signing_secret = SigningSecret::issued(&rotated.signing_secret, at);
            }
            ClientEvent::Deactivated(_) => self.status = Status::Inactive,
            ClientEvent::Enabled(_) => self.status = Status::Active,
            ClientEvent::Deleted(_) => self.status = Status::Deleted,
        }
        self.updated_at = at;
    }

    /// The secrets that authenticate it at `now`: none unless it is active.
    pub fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.working(now).filter(|_| self.status == Status::Active)
    }

    /// The secrets that would authenticate it at `now` if it is active.
    fn working(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.state(now) == SecretState::Active)
    }
}
