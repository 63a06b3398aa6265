//! A batch of commits on its way to a server of events, and what of it is kept beside the entries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::commit::{
    ClaimChange, ClaimKey, Credential, Disclosure, DisclosureKey, LookupToken, RecordedCommand,
};
use crate::engine::EngineEvent;
use crate::error::{Place, ReadError};
use crate::position::Position;
use crate::prepared::PreparedCommit;
use crate::rows::stream_name;

/// What is appended at once: entries, and what their commits change beside them.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Of the row; 0 before it has one.
    pub(crate) number: i64,
    pub(crate) first: Position,
    pub(crate) last: Position,
    /// The server is known to have it: then the entries are there.
    pub(crate) arrived: bool,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) rows: Vec<Rows>,
}

impl Batch {
    /// How many entries it has, wherever they are.
    pub(crate) fn count(&self) -> usize {
        usize::try_from(self.last.get() - self.first.get()).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// The entries as the server gets them.
    pub(crate) fn events(&self) -> Vec<EngineEvent> {
        let positions = (self.first.get()..).map(Position::new);
        positions
            .zip(&self.entries)
            .map(|(position, entry)| EngineEvent::new(position, entry.clone()))
            .collect()
    }
}

/// What one commit changes beside its entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub(crate) first: Position,
    last: Position,
    claims: Vec<ClaimRow>,
    pub(crate) credentials: Vec<CredentialRow>,
    pub(crate) destroyed_credentials: Vec<String>,
    disclosures: Vec<DisclosureRow>,
    pub(crate) lookup_tokens: Vec<TokenRow>,
    pub(crate) forgotten_persons: Vec<Uuid>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
enum ClaimRow {
    Take { namespace: String, key: String, stream: String },
    Release { namespace: String, key: String, stream: String },
    ReleaseAll { namespace: String, stream: String },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CredentialRow {
    pub(crate) id: String,
    pub(crate) sealed: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DisclosureRow {
    digest: String,
    person: Option<Uuid>,
    event_key: Option<u64>,
    sealed: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenRow {
    pub(crate) token: Bytes,
    pub(crate) person: Option<Uuid>,
}

/// Bytes in a JSON text.
#[derive(Clone)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} bytes", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD_NO_PAD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Rows {
    /// Those of a commit that stands there; `None` if it changes nothing beside its entries.
    pub(crate) fn of(commit: &PreparedCommit, span: RecordedCommand) -> Option<Self> {
        let rows = Self {
            first: span.first_position,
            last: span.position,
            claims: commit.claims.iter().map(ClaimRow::of).collect(),
            credentials: commit.credentials.iter().map(CredentialRow::of).collect(),
            destroyed_credentials: commit.destroyed_credentials.clone(),
            disclosures: commit.disclosures.iter().map(DisclosureRow::of).collect(),
            lookup_tokens: commit.lookup_tokens.iter().map(TokenRow::of).collect(),
            forgotten_persons: commit.forgotten_persons.clone(),
        };
        let changes_nothing = rows.claims.is_empty()
            && rows.credentials.is_empty()
            && rows.destroyed_credentials.is_empty()
            && rows.disclosures.is_empty()
            && rows.lookup_tokens.is_empty()
            && rows.forgotten_persons.is_empty();
        (!changes_nothing).then_some(rows)
    }

    /// The positions of the commit, and a commit with these rows and no entries.
    pub(crate) fn into_commit(self) -> Result<(RecordedCommand, PreparedCommit), ReadError> {
        let mut commit = PreparedCommit::of_nothing(Uuid::nil());
        commit.claims = self.claims.into_iter().map(ClaimRow::into_change).collect::<Result<_, _>>()?;
        commit.credentials = self.credentials.into_iter().map(CredentialRow::into_credential).collect();
        commit.destroyed_credentials = self.destroyed_credentials;
        commit.disclosures =
            self.disclosures.into_iter().map(DisclosureRow::into_disclosure).collect::<Result<_, _>>()?;
        commit.lookup_tokens =
            self.lookup_tokens.into_iter().map(TokenRow::into_token).collect::<Result<_, _>>()?;
        commit.forgotten_persons = self.forgotten_persons;
        Ok((RecordedCommand { first_position: self.first, position: self.last }, commit))
    }
}

impl ClaimRow {
    fn of(change: &ClaimChange) -> Self {
        match change {
            ClaimChange::Take { key: ClaimKey { namespace, key }, stream } => {
                Self::Take { namespace: namespace.clone(), key: key.clone(), stream: stream.to_string() }
            }
            ClaimChange::Release { key: ClaimKey { namespace, key }, stream } => {
                Self::Release { namespace: namespace.clone(), key: key.clone(), stream: stream.to_string() }
            }
            ClaimChange::ReleaseAll { namespace, stream } => {
                Self::ReleaseAll { namespace: namespace.clone(), stream: stream.to_string() }
            }
        }
    }

    fn into_change(self) -> Result<ClaimChange, ReadError> {
        let stream = |name: &str| stream_name(Place::Row("a staged claim".to_owned()), Some(name));
        Ok(match self {
            Self::Take { namespace, key, stream: name } => {
                ClaimChange::Take { key: ClaimKey { namespace, key }, stream: stream(&name)? }
            }
            Self::Release { namespace, key, stream: name } => {
                ClaimChange::Release { key: ClaimKey { namespace, key }, stream: stream(&name)? }
            }
            Self::ReleaseAll { namespace, stream: name } => {
                ClaimChange::ReleaseAll { namespace, stream: stream(&name)? }
            }
        })
    }
}

impl CredentialRow {
    fn of(credential: &Credential) -> Self {
        Self { id: credential.id.clone(), sealed: Bytes(credential.sealed.clone()) }
    }

    fn into_credential(self) -> Credential {
        Credential { id: self.id, sealed: self.sealed.0 }
    }
}

impl DisclosureRow {
    fn of(disclosure: &Disclosure) -> Self {
        let (person, event_key) = match disclosure.key {
            DisclosureKey::Person(person) => (Some(person), None),
            DisclosureKey::Event(slot) => (None, Some(slot)),
        };
        let sealed = Bytes(disclosure.sealed.clone());
        Self { digest: disclosure.digest.clone(), person, event_key, sealed }
    }

    fn into_disclosure(self) -> Result<Disclosure, ReadError> {
        let key = match (self.person, self.event_key) {
            (Some(person), None) => DisclosureKey::Person(person),
            (None, Some(slot)) => DisclosureKey::Event(slot),
            (Some(_), Some(_)) | (None, None) => return Err(damaged("a disclosure has one key")),
        };
        Ok(Disclosure { digest: self.digest, key, sealed: self.sealed.0 })
    }
}

impl TokenRow {
    fn of(token: &LookupToken) -> Self {
        Self { token: Bytes(token.token.to_vec()), person: token.person }
    }

    fn into_token(self) -> Result<LookupToken, ReadError> {
        let token = self.token.0.try_into().map_err(|_| damaged("a token has 16 bytes"))?;
        Ok(LookupToken { token, person: self.person })
    }
}

pub(crate) fn damaged(detail: &str) -> ReadError {
    ReadError::Corrupt { place: Place::Row("a staged batch".to_owned()), detail: detail.to_owned() }
}
