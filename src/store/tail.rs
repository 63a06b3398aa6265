//! Where the log ends, and how late it is.

use jiff::Timestamp;

use crate::position::Position;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last position.
    pub(crate) head: Position,
    /// When the last event was recorded, earlier than others if the clock went back; `None` for an empty log.
    pub(crate) last_at: Option<Timestamp>,
}
