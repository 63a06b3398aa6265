//! What became of a client between two moments.

use domain::ClientId;
use domain::client::{Registration, Secret};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use store::{EventLog, RecordedEvent, Revision, StreamName};

use super::{Client, Moment, client_as_of};
use crate::clients::ClientRow;
use crate::error::QueryError;

/// A client at two moments, and what happened to it between them.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientDifference {
    /// The client.
    pub client_id: ClientId,
    /// It at the earlier moment.
    pub from: Side,
    /// It at the later moment.
    pub to: Side,
    /// What happened between them, in the order of the log.
    pub events: Vec<RecordedEvent>,
    /// Whether more happened than was asked for.
    pub more: bool,
}

/// A client at one of the moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The time that the states of its secrets are judged by.
    pub at: Timestamp,
    /// What it was; `None` if it did not exist yet.
    pub row: Option<ClientRow>,
}

/// A field that differs; null on the side where the client did not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name, which is that of the API.
    pub field: String,
    /// Its value at the earlier moment.
    pub old: Value,
    /// Its value at the later moment.
    pub new: Value,
}

/// Compares a client at two moments, and reads at most `most` of the events between them.
///
/// # Errors
/// When its stream cannot be read, or holds an event that this binary cannot apply.
pub async fn difference(
    log: &dyn EventLog,
    client_id: ClientId,
    (from, to): (Moment, Moment),
    most: usize,
) -> Result<ClientDifference, QueryError> {
    let side = async |moment: Moment| {
        let row = client_as_of(log, client_id, moment).await?;
        Ok::<_, QueryError>(Side { at: moment.time(log).await?, row })
    };
    let (from, to) = (side(from).await?, side(to).await?);
    let between = to.revision().get().saturating_sub(from.revision().get());
    let between = usize::try_from(between).unwrap_or(usize::MAX);
    let events = match StreamName::new(Client::CATEGORY, &client_id.to_string()) {
        Ok(stream) if between > 0 => log.read_stream(&stream, from.revision(), between.min(most)).await?,
        Ok(_) | Err(_) => Vec::new(),
    };
    Ok(ClientDifference { client_id, more: between > events.len(), from, to, events })
}

impl ClientDifference {
    /// What differs, field by field.
    #[must_use]
    pub fn changes(&self) -> Vec<FieldChange> {
        let (old, new) = (self.from.fields(), self.to.fields());
        let names = if new.is_empty() { &old } else { &new };
        let side = |fields: &Map<String, Value>, name| fields.get(name).cloned().unwrap_or_default();
        let changes = names.keys().map(|name| {
            let (old, new) = (side(&old, name), side(&new, name));
            FieldChange { field: name.clone(), old, new }
        });
        changes.filter(|change| change.old != change.new).collect()
    }

    /// Secrets that it has only at the later moment.
    #[must_use]
    pub fn secrets_added(&self) -> Vec<&Secret> {
        let known = |secret: &&Secret| self.from.secrets().iter().any(|known| known.id == secret.id);
        self.to.secrets().iter().filter(|secret| !known(secret)).collect()
    }

    /// Secrets that worked or were to work at the earlier moment, and do not at the later one.
    #[must_use]
    pub fn secrets_ended(&self) -> Vec<&Secret> {
        let from = &self.from;
        let worked = |secret: &Secret| {
            from.secrets().iter().any(|known| known.id == secret.id && known.usable(from.at))
        };
        let ended = |secret: &&Secret| !secret.usable(self.to.at) && worked(secret);
        self.to.secrets().iter().filter(ended).collect()
    }
}

impl Side {
    /// How many events its stream had; none if the client did not exist yet.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.row.as_ref().map_or(Revision::NONE, |row| row.revision)
    }

    fn secrets(&self) -> &[Secret] {
        self.row.as_ref().map_or(&[], |row| &row.client.secrets)
    }

    fn fields(&self) -> Map<String, Value> {
        self.row.as_ref().map(|row| fields(&row.client, self.at)).unwrap_or_default()
    }
}

/// What is compared. The secrets are told in a way of their own, and what follows from other fields is left out.
fn fields(client: &Registration, at: Timestamp) -> Map<String, Value> {
    let Registration {
        environment,
        client_name,
        description,
        client_type,
        status,
        redirect_uris,
        post_logout_redirect_uris,
        redirect_exceptions,
        scope,
        contacts,
        grant_types,
        token_endpoint_auth_method,
        responsible,
        terms_accepted,
        created_at,
        updated_at: _,
        secrets: _,
        newest_rotation: _,
        signing_secret,
        replaced_signing_secret: _,
        keys,
        access_token_format,
        payload_encryption,
        singleton: _,
        token_generation,
        self_registered,
    } = client;
    let contacts: Vec<_> = contacts.iter().map(|id| json!({ "id": id })).collect();
    let rotation = client.rotation(at).map(|rotation| {
        let ends_at = store::to_rfc3339(rotation.ends_at);
        json!({ "secret_id": rotation.secret_id, "replaces": rotation.replaces, "ends_at": ends_at })
    });
    let software = self_registered.as_ref().map(|registered| &registered.software);
    let previous = client.previous_signing_secret(at).map(|previous| &previous.secret.id);
    let fields = [
        ("environment", json!(environment)),
        ("client_name", json!(client_name)),
        ("description", json!(description)),
        ("client_type", json!(client_type)),
        ("status", json!(status)),
        ("redirect_uris", json!(redirect_uris)),
        ("post_logout_redirect_uris", json!(post_logout_redirect_uris)),
        ("redirect_exceptions", json!(redirect_exceptions)),
        ("scope", json!(scope.to_wire())),
        ("contacts", json!(contacts)),
        ("grant_types", json!(grant_types)),
        ("token_endpoint_auth_method", json!(token_endpoint_auth_method)),
        ("responsible", json!(responsible)),
        ("terms_accepted", json!(terms_accepted)),
        ("created_at", json!(store::to_rfc3339(*created_at))),
        ("rotation", json!(rotation)),
        ("signing_secret_id", json!(signing_secret.id)),
        ("previous_signing_secret_id", json!(previous)),
        ("jwks", json!({ "keys": keys })),
        ("access_token_format", json!(access_token_format)),
        ("payload_encryption", json!(payload_encryption)),
        ("token_generation", json!(token_generation)),
        ("software", json!(software)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests;
