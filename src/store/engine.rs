//! What a server of events has to offer for the entries of a log to be kept there.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Cause, Place, ReadError};
use crate::position::Position;

/// The names of events on the server are made in this name space.
const EVENT_IDS: Uuid = Uuid::from_u128(0x6d75_6e69_6d65_8e74_a16f_6700_656e_7472);

/// An entry as a server keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// The name under which the server has it, see [`EngineEvent::new`].
    pub id: Uuid,
    /// The canonical bytes.
    pub entry: Vec<u8>,
}

impl EngineEvent {
    /// The entry at its position. Its name on the server is made of both, so that what the server takes for a
    /// repetition, which it tells by names alone, is one to the byte; and that what was moved or changed shows.
    #[must_use]
    pub fn new(position: Position, entry: Vec<u8>) -> Self {
        let mut name = position.get().to_be_bytes().to_vec();
        name.extend_from_slice(&entry);
        Self { id: Uuid::new_v5(&EVENT_IDS, &name), entry }
    }

    /// Whether this is what was written at the position.
    #[must_use]
    pub fn is_at(&self, position: Position) -> bool {
        Self::new(position, self.entry.clone()).id == self.id
    }
}

/// One sequence of events on a server that several nodes append to: the server alone decides who was first.
///
/// All calls block the thread, for a bounded time.
pub trait Engine: Send + Sync {
    /// Appends right behind `after`, all or nothing, and answers when that is durable. Where the very same events stand
    /// behind `after` already it answers the same, and appends nothing.
    ///
    /// # Errors
    /// [`EngineError::Moved`] if something else stands there. Only after [`EngineError::Unavailable`] may the events turn
    /// out to be appended nevertheless.
    fn append(&self, after: Position, events: &[EngineEvent]) -> Result<(), EngineError>;

    /// Up to `limit` events behind `after`, in order; none only at the head. The event at n is the n-th of the sequence.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] if one is missing.
    fn read(&self, after: Position, limit: usize) -> Result<Vec<EngineEvent>, EngineError>;

    /// The position of the last event, of all that were acknowledged to anyone before the call.
    ///
    /// # Errors
    /// When the server does not say.
    fn head(&self) -> Result<Position, EngineError>;

    /// As many bytes fit in one append, counted by [`EngineEvent::bytes`].
    fn max_append_bytes(&self) -> usize;
}

impl EngineEvent {
    /// What an event adds beside its entry, at most: a name, a type, ids.
    pub const OVERHEAD: usize = 512;

    /// What the event counts for in one append.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entry.len() + Self::OVERHEAD
    }
}

/// What a server of events did not do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// Something else stands at the position. Nothing was appended.
    #[error("something else stands at the position")]
    Moved,
    /// The server does not want to, and will not before somebody changes something there. Nothing was appended.
    #[error("the server of events refuses")]
    Refused(#[source] Cause),
    /// The server did not answer, or not in time. It may have done what it was asked for, or do so later.
    #[error("the server of events does not answer")]
    Unavailable(#[source] Cause),
    /// What the server holds is not what the log wrote there.
    #[error("the server of events at {place}: {detail}")]
    Corrupt {
        /// Where.
        place: Place,
        /// What is wrong.
        detail: String,
    },
}

impl From<EngineError> for ReadError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Corrupt { place, detail } => Self::Corrupt { place, detail },
            EngineError::Moved | EngineError::Refused(_) | EngineError::Unavailable(_) => {
                Self::Unavailable(Arc::new(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_both_bytes_and_place() {
        let event = EngineEvent::new(Position::new(7), b"{}".to_vec());
        assert!(event.is_at(Position::new(7)) && !event.is_at(Position::new(8)));
        let changed = EngineEvent { entry: b"{ }".to_vec(), ..event.clone() };
        assert!(!changed.is_at(Position::new(7)));
        assert_eq!(event, EngineEvent::new(Position::new(7), b"{}".to_vec()));
        // For ever: a changed name would be another log.
        assert_eq!(event.id.to_string(), "0b84cbf2-36a6-5b2d-9332-fd8cf5f221b3");
    }
}
