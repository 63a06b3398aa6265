//! What a projection is, and what it is handed.

use std::cell::OnceCell;

use domain::Event;
use rusqlite::Connection;
use store::Position;

use crate::envelope::Envelope;

/// The type of the event that the log itself records when the wall clock went back.
pub(crate) const CLOCK_STEPPED: &str = "clock.stepped";

/// Code that folds events into the tables of one view.
///
/// **Purity**: what the tables hold after position n depends on the events up to n alone: no clock, no randomness, no
/// other table, so that two folds of one log are equal byte for byte. **Once**: every event is applied once, in order,
/// and what came of it is committed together with the checkpoint. **No effects**: a projection writes its tables and
/// nothing else; it is run again whenever somebody rebuilds.
pub trait Projection: Send {
    /// Names the view for ever: in checkpoints, on the status page, in metrics.
    fn name(&self) -> &'static str;

    /// Counts the meanings of the tables. To be raised when `apply` or a stored shape changes while the schema does
    /// not: a file of another number is folded anew.
    fn view_version(&self) -> u32;

    /// SQL that creates the tables, which nobody else reads or writes.
    fn schema(&self) -> &'static str;

    /// SQL that creates the indexes where they are missing. It runs once the view has caught up, because building an
    /// index in one go costs a fraction of keeping it while a whole log is folded.
    fn indexes(&self) -> &'static str;

    /// The tables, each with a primary key; what digests and comparisons walk.
    fn tables(&self) -> &'static [&'static str];

    /// Folds one event. It may keep what it learnt in memory until `flush`.
    ///
    /// # Errors
    /// When the event does not fit: the view halts before it. What the call wrote is rolled back.
    fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError>;

    /// How many states it holds in memory, if it can go on to the next page without `flush` while nobody reads the
    /// tables; `None` if it cannot.
    fn held(&self) -> Option<usize> {
        None
    }

    /// Writes back what was gathered; called before a transaction is committed.
    ///
    /// # Errors
    /// As for `apply`.
    fn flush(&mut self, views: &Connection) -> Result<(), ApplyError>;

    /// Forgets everything kept in memory: the transaction that it belongs to was undone.
    fn rolled_back(&mut self);
}

/// An event as a projection sees it.
pub struct ViewedEvent<'a> {
    /// Its place in the whole log.
    pub position: Position,
    /// Everything about it that is not the fact itself.
    pub envelope: Envelope<'a>,
    decoded: OnceCell<Event>,
}

impl<'a> ViewedEvent<'a> {
    pub(crate) fn new(position: Position, envelope: Envelope<'a>) -> Self {
        Self { position, envelope, decoded: OnceCell::new() }
    }

    /// The id of its stream, if that is of this category.
    #[must_use]
    pub fn id_in(&self, category: &str) -> Option<&str> {
        id_in(category, &self.envelope.stream)
    }

    /// The fact, in its newest schema; decoded once, by the first projection that asks, so that an event nobody here
    /// can read halts those that need it and no other.
    ///
    /// # Errors
    /// [`ApplyError::Decode`] for a type or data that this binary does not know.
    pub fn event(&self) -> Result<&Event, ApplyError> {
        if let Some(event) = self.decoded.get() {
            return Ok(event);
        }
        let Envelope { event_type, event_version, data, .. } = &self.envelope;
        let event = Event::decode(event_type, *event_version, data.get())?;
        Ok(self.decoded.get_or_init(|| event))
    }
}

/// The id in a stream's name, if its category is this one.
pub(crate) fn id_in<'a>(category: &str, stream: &'a str) -> Option<&'a str> {
    stream.strip_prefix(category)?.strip_prefix('-')
}

/// Why an event could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The bytes in the log are no entry.
    #[error("decoding an entry")]
    Entry(#[source] serde_json::Error),
    /// The same, looked at in full.
    #[error(transparent)]
    Corrupt(#[from] store::CorruptEntry),
    /// This binary does not know the event, or not in this shape.
    #[error(transparent)]
    Decode(#[from] domain::DecodeError),
    /// The event cannot follow those before it.
    #[error("{0}")]
    OutOfPlace(String),
    /// The state cannot be read from its row, or written to it.
    #[error("reading or writing a folded state")]
    State(#[from] serde_json::Error),
    /// The views file refused.
    #[error("writing a view")]
    Database(#[from] rusqlite::Error),
}

impl ApplyError {
    /// The error with all its causes on one line, as the status shows it.
    pub(crate) fn cause(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
