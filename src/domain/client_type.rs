//! The client type: fixes which scopes its clients can hold (behaviour O2).

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Change, Rule, Violation,
    aggregate::cqrs_aggregate,
    event::events,
    ids::catalog_name,
    oauth::{MOST_SCOPES, ScopeSet, ScopeToken},
    scope::{KnownScopes, LONGEST_DESCRIPTION},
    violation::{Violations, plain_text},
};

/// A client type's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientType {
    /// No event yet.
    #[default]
    Absent,
    /// In the catalog.
    Listed(ListedType),
}

/// What the catalog says of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedType {
    /// What it is for, in plain words.
    pub description: String,
    /// The scopes its clients can hold.
    pub scopes: ScopeSet,
    /// Whether an environment can have only one client of it.
    pub singleton: bool,
    /// Whether it takes no new clients; those there are live on.
    pub deprecated: bool,
    /// How many tokens each of its clients can get in a UTC day; `None` is as many as it asks for.
    pub daily_quota: Option<u32>,
    /// When it was put there.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
}

/// What a type demands of its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeRules {
    /// The scopes its clients can hold.
    pub scopes: ScopeSet,
    /// Those of them that the catalog has deprecated: no further client can be given one.
    pub deprecated_scopes: ScopeSet,
    /// Whether an environment can have only one client of it.
    pub singleton: bool,
    /// Whether it takes no new clients; those there are live on.
    pub deprecated: bool,
}

events! {
    /// The events of a `client_type-<name>` stream.
    ClientTypeEvent {
        /// It is in the catalog.
        Created(ClientTypeCreated) = "client_type.created", 1;
        /// It is described in other words.
        DescriptionChanged(ClientTypeDescriptionChanged) = "client_type.description_changed", 1;
        /// New clients of it can hold other scopes; those there are keep theirs.
        ScopesChanged(ClientTypeScopesChanged) = "client_type.scopes_changed", 1;
        /// Its clients can get more tokens in a day, or fewer.
        DailyQuotaChanged(DailyQuotaChanged) = "client_type.daily_quota_changed", 1;
        /// It takes no new clients.
        Deprecated(ClientTypeDeprecated) = "client_type.deprecated", 1;
        /// It takes new clients again.
        Restored(ClientTypeRestored) = "client_type.restored", 1;
    }
}

/// What a type begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTypeCreated {
    /// Its name.
    pub name: String,
    /// What it is for, in plain words.
    pub description: String,
    /// The scopes its clients can hold.
    pub scopes: ScopeSet,
    /// Whether an environment can have only one client of it.
    pub singleton: bool,
}

/// Old and new words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTypeDescriptionChanged {
    /// What it is for, in plain words.
    pub description: Change<String>,
}

/// Old and new scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTypeScopesChanged {
    /// The whole sets.
    pub scopes: Change<ScopeSet>,
}

/// Old and new quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyQuotaChanged {
    /// Tokens that a client can get in a UTC day; null is as many as it asks for.
    pub daily_quota: Change<Option<u32>>,
}

/// No new clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTypeDeprecated {}

/// New clients again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTypeRestored {}

/// A request to change one client type.
#[derive(Clone, Debug)]
pub enum ClientTypeCommand {
    /// Put it into the catalog.
    CreateClientType(CreateClientType),
    /// Change description, scopes or quota.
    ChangeClientType(ChangeClientType),
    /// Take no new clients.
    DeprecateClientType,
    /// Take new clients again.
    RestoreClientType,
}

/// A new type, as it came in.
#[derive(Clone, Debug, Default)]
pub struct CreateClientType {
    /// Its name.
    pub name: String,
    /// What it is for, in plain words.
    pub description: String,
    /// The scopes its clients can hold.
    pub scopes: Vec<String>,
    /// Whether an environment can have only one client of it.
    pub singleton: bool,
    /// How many tokens each of its clients can get in a UTC day.
    pub daily_quota: Option<u32>,
    /// What the catalog has of those scopes.
    pub known_scopes: KnownScopes,
}

/// Change what is given, leave what is not.
#[derive(Clone, Debug, Default)]
pub struct ChangeClientType {
    /// The new words.
    pub description: Option<String>,
    /// All of its scopes from now on.
    pub scopes: Option<Vec<String>>,
    /// The new quota; `Some(None)` takes it away.
    pub daily_quota: Option<Option<u32>>,
    /// What the catalog has of those scopes.
    pub known_scopes: KnownScopes,
}

/// Why a command on a client type was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientTypeError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The stream has events already.
    #[error("the client type exists already")]
    AlreadyExists,
    /// The stream has no events.
    #[error("no such client type")]
    NotFound,
}

cqrs_aggregate!(ClientType, "client_type", ClientTypeCommand, ClientTypeEvent, ClientTypeError);

impl ClientType {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "client_type";

    /// What the catalog says of it, unless it is not there.
    pub fn listed(&self) -> Option<&ListedType> {
        match self {
            Self::Absent => None,
            Self::Listed(listed) => Some(listed),
        }
    }

    /// What `command` does.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(
        &self,
        command: ClientTypeCommand,
        _now: Timestamp,
    ) -> Result<Vec<ClientTypeEvent>, ClientTypeError> {
        match (self, command) {
            (Self::Listed(_), ClientTypeCommand::CreateClientType(_)) => Err(ClientTypeError::AlreadyExists),
            (Self::Absent, ClientTypeCommand::CreateClientType(create)) => create.decide(),
            (Self::Listed(listed), ClientTypeCommand::ChangeClientType(change)) => listed.change(&change),
            (Self::Listed(listed), ClientTypeCommand::DeprecateClientType) => {
                let event = ClientTypeEvent::Deprecated(ClientTypeDeprecated {});
                Ok(if listed.deprecated { Vec::new() } else { vec![event] })
            }
            (Self::Listed(listed), ClientTypeCommand::RestoreClientType) => {
                let event = ClientTypeEvent::Restored(ClientTypeRestored {});
                Ok(if listed.deprecated { vec![event] } else { Vec::new() })
            }
            (
                Self::Absent,
                ClientTypeCommand::ChangeClientType(_)
                | ClientTypeCommand::DeprecateClientType
                | ClientTypeCommand::RestoreClientType,
            ) => Err(ClientTypeError::NotFound),
        }
    }

    /// The state after an event.
    pub fn apply(&mut self, event: &ClientTypeEvent, at: Timestamp) {
        match (event, self) {
            (ClientTypeEvent::Created(created), state @ Self::Absent) => {
                *state = Self::Listed(ListedType {
                    description: created.description.clone(),
                    scopes: created.scopes.clone(),
                    singleton: created.singleton,
                    deprecated: false,
                    daily_quota: None,
                    created_at: at,
                });
            }
            (ClientTypeEvent::DescriptionChanged(changed), Self::Listed(listed)) => {
                listed.description.clone_from(&changed.description.new);
            }
            (ClientTypeEvent::ScopesChanged(changed), Self::Listed(listed)) => {
                listed.scopes.clone_from(&changed.scopes.new);
            }
            (ClientTypeEvent::DailyQuotaChanged(changed), Self::Listed(listed)) => {
                listed.daily_quota = changed.daily_quota.new;
            }
            (ClientTypeEvent::Deprecated(_), Self::Listed(listed)) => listed.deprecated = true,
            (ClientTypeEvent::Restored(_), Self::Listed(listed)) => listed.deprecated = false,
            (ClientTypeEvent::Created(_), Self::Listed(_))
            | (
                ClientTypeEvent::DescriptionChanged(_)
                | ClientTypeEvent::ScopesChanged(_)
                | ClientTypeEvent::DailyQuotaChanged(_)
                | ClientTypeEvent::Deprecated(_)
                | ClientTypeEvent::Restored(_),
                Self::Absent,
            ) => {}
        }
    }
}

impl CreateClientType {
    fn decide(self) -> Result<Vec<ClientTypeEvent>, ClientTypeError> {
        let mut wrong = Violations::default();
        let name = wrong.keep("/name", type_name(&self.name));
        let description = wrong.keep("/description", plain_text(&self.description, LONGEST_DESCRIPTION));
        let scopes = keep_scopes(&mut wrong, &self.scopes, &ScopeSet::default(), &self.known_scopes);
        check_quota(&mut wrong, self.daily_quota);
        match (name, description) {
            (Some(name), Some(description)) if wrong.0.is_empty() => {
                let created = ClientTypeCreated { name, description, scopes, singleton: self.singleton };
                let quota = quota_changed(None, self.daily_quota);
                Ok([ClientTypeEvent::Created(created)].into_iter().chain(quota).collect())
            }
            _ => Err(ClientTypeError::Invalid(wrong.0)),
        }
    }
}

impl ListedType {
    /// What it demands of its clients; `deprecated_scopes` are those that the catalog gives to no more clients.
    pub fn rules(&self, deprecated_scopes: ScopeSet) -> TypeRules {
        TypeRules {
            scopes: self.scopes.clone(),
            deprecated_scopes,
            singleton: self.singleton,
            deprecated: self.deprecated,
        }
    }

    fn change(&self, change: &ChangeClientType) -> Result<Vec<ClientTypeEvent>, ClientTypeError> {
        let mut wrong = Violations::default();
        let mut events = Vec::new();
        if let Some(text) = &change.description
            && let Some(new) = wrong.keep("/description", plain_text(text, LONGEST_DESCRIPTION))
            && new != self.description
        {
            let description = Change::new(self.description.clone(), new);
            events.push(ClientTypeEvent::DescriptionChanged(ClientTypeDescriptionChanged { description }));
        }
        if let Some(texts) = &change.scopes {
            let new = keep_scopes(&mut wrong, texts, &self.scopes, &change.known_scopes);
            if new != self.scopes {
                let scopes = Change::new(self.scopes.clone(), new);
                events.push(ClientTypeEvent::ScopesChanged(ClientTypeScopesChanged { scopes }));
            }
        }
        if let Some(new) = change.daily_quota {
            check_quota(&mut wrong, new);
            events.extend(quota_changed(self.daily_quota, new));
        }
        wrong.refuse(ClientTypeError::Invalid)?;
        Ok(events)
    }
}

/// The scopes of a request, each of them known to the catalog; one that the type has already may be deprecated.
fn keep_scopes(wrong: &mut Violations, texts: &[String], held: &ScopeSet, known: &KnownScopes) -> ScopeSet {
    let mut scopes = ScopeSet::default();
    if texts.is_empty() {
        let detail = "name at least one scope, or no client of the type can be made";
        wrong.add("/scopes", Rule::Required, detail);
    }
    if texts.len() > MOST_SCOPES {
        wrong.add("/scopes", Rule::TooMany, format!("at most {MOST_SCOPES}"));
        return scopes;
    }
    for (place, text) in texts.iter().enumerate() {
        let pointer = format!("/scopes/{place}");
        let Some(token) = wrong.keep(&pointer, ScopeToken::parse(text)) else { continue };
        if !known.listed.0.contains(&token) {
            wrong.add(&pointer, Rule::Unknown, "no such scope in the catalog");
        } else if known.deprecated.0.contains(&token) && !held.0.contains(&token) {
            wrong.add(&pointer, Rule::Deprecated, "the scope is deprecated and given to no more clients");
        }
        if !scopes.0.insert(token) {
            wrong.add(pointer, Rule::Duplicate, "stands twice");
        }
    }
    scopes
}

fn check_quota(wrong: &mut Violations, daily_quota: Option<u32>) {
    if daily_quota == Some(0) {
        let detail = "must be at least 1; leave it out, or give null, for no quota";
        wrong.add("/daily_quota", Rule::OutOfRange, detail);
    }
}

fn quota_changed(old: Option<u32>, new: Option<u32>) -> Option<ClientTypeEvent> {
    let daily_quota = Change::new(old, new);
    (old != new).then_some(ClientTypeEvent::DailyQuotaChanged(DailyQuotaChanged { daily_quota }))
}

/// A type's name: what may also stand in a stream's name.
fn type_name(text: &str) -> Result<String, (Rule, String)> {
    catalog_name(text, 64, "-_")
}

/// Whether `text` can be the name of a type at all; asked before a stream is read by it.
pub fn is_type_name(text: &str) -> bool {
    type_name(text).is_ok()
}
