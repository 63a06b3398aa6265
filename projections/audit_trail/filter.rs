//! What an auditor asks for.

use domain::Environment;
use jiff::Timestamp;
use store::{Outcome, Position};

use super::{about, text, words};
use crate::envelope::Envelope;
use crate::error::QueryError;
use crate::projection::{ApplyError, ViewedEvent, id_in};
use crate::reader::Reader;

/// What makes an environment.
const ENVIRONMENT_CREATED: &str = "environment.created";
/// What ends a type that stands for all that begin so: `client.*`.
const ANY: &str = "*";

/// What an auditor asks for. Everything given must hold; nothing given is the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The id of the actor.
    pub actor: Option<String>,
    /// The name of the stream that the event is about, `client-<id>`; commands that were refused for it are found too.
    pub subject: Option<String>,
    /// Any of these types on the wire, `client.secret_rotated`; `client.*` is all that begin so. None given is all.
    pub event_types: Vec<String>,
    /// The environment's name.
    pub environment: Option<String>,
    /// Recorded then or later.
    pub from: Option<Timestamp>,
    /// Recorded before then.
    pub to: Option<Timestamp>,
    /// Done or refused.
    pub outcome: Option<Outcome>,
    /// The reference to a case elsewhere.
    pub ticket: Option<String>,
    /// The request as the HTTP layer names it.
    pub request_id: Option<String>,
    /// What one outside request set going.
    pub correlation_id: Option<String>,
    /// The id of the member who made the client.
    pub responsible: Option<String>,
    /// Words that all stand in the public data.
    pub q: Option<String>,
    /// Only events among these positions, in ascending order.
    pub among: Option<Vec<Position>>,
}

/// A value that names nothing there is: most likely a slip, which an empty answer would hide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A type, or a beginning of types.
    EventType {
        /// Every type that there is.
        known: Vec<String>,
    },
    /// An environment.
    Environment {
        /// Every environment that there is.
        known: Vec<String>,
    },
}

impl AuditFilter {
    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The words of `q` in the form in which they are compared.
    pub(super) fn words(&self) -> Vec<String> {
        self.q.as_deref().map(text::words).unwrap_or_default()
    }

    /// Whether it lets an event through: the same answer as the search's, without its index.
    ///
    /// # Errors
    /// When the entry is none, or names the stream that it is about in a shape that this binary does not know.
    pub fn lets_through(&self, position: Position, entry: &[u8]) -> Result<bool, ApplyError> {
        let event = ViewedEvent::new(position, Envelope::parse(entry).map_err(ApplyError::Entry)?);
        let envelope = &event.envelope;
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let fits = is(&self.actor, Some(&envelope.actor.id))
            && is(&self.environment, envelope.environment())
            && is(&self.ticket, envelope.ticket())
            && is(&self.request_id, Some(&envelope.request_id))
            && is(&self.correlation_id, Some(&envelope.correlation_id))
            && is(&self.responsible, envelope.responsible())
            && self.from.is_none_or(|from| envelope.at >= from)
            && self.to.is_none_or(|to| envelope.at < to)
            && self.outcome.is_none_or(|outcome| envelope.outcome == outcome)
            && self.among.as_ref().is_none_or(|among| among.binary_search(&position).is_ok())
            && (self.event_types.is_empty() || self.names_type(&envelope.event_type));
        if !fits {
            return Ok(false);
        }
        if self.subject.is_some() && !is(&self.subject, about::subject(&event)?.as_deref()) {
            return Ok(false);
        }
        let wanted = self.words();
        if wanted.is_empty() {
            return Ok(true);
        }
        let found = text::words_of_data(envelope.data)?;
        Ok(wanted.iter().all(|wanted| found.split(' ').any(|word| word == wanted)))
    }

    fn names_type(&self, event_type: &str) -> bool {
        self.event_types.iter().any(|wanted| matches(wanted, event_type))
    }

    /// The first value that names nothing there is.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn unknown(&self, reader: &Reader) -> Result<Option<Unknown>, QueryError> {
        if !self.event_types.is_empty() {
            let known = known_types(reader)?;
            let names_one = |wanted: &String| known.iter().any(|name| matches(wanted, name));
            if !self.event_types.iter().all(names_one) {
                return Ok(Some(Unknown::EventType { known }));
            }
        }
        let Some(wanted) = &self.environment else { return Ok(None) };
        // What was refused, or read, may be of an environment that there never was.
        let streams = words::subjects_of(reader.connection(), ENVIRONMENT_CREATED)?;
        let names = streams.iter().filter_map(|stream| id_in(Environment::CATEGORY, stream));
        let known: Vec<_> = names.map(str::to_owned).collect();
        Ok((!known.contains(wanted)).then_some(Unknown::Environment { known }))
    }

    /// The types asked for that there are, each once.
    pub(super) fn types(&self, reader: &Reader) -> Result<Vec<String>, QueryError> {
        if self.event_types.is_empty() {
            return Ok(Vec::new());
        }
        Ok(known_types(reader)?.into_iter().filter(|name| self.names_type(name)).collect())
    }
}

/// Every type of this binary and every type in the log, in the order of the alphabet.
fn known_types(reader: &Reader) -> Result<Vec<String>, QueryError> {
    let mut known = words::in_column(reader.connection(), "type")?;
    known.extend(domain::Event::types().map(|(name, _)| name.to_owned()));
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

fn matches(wanted: &str, event_type: &str) -> bool {
    match wanted.strip_suffix(ANY) {
        Some(beginning) => event_type.starts_with(beginning),
        None => event_type == wanted,
    }
}
