//! Where an event stands: in the whole log, and in its own stream.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest number that canonical JSON can carry exactly, 2^53 - 1 (RFC 8785 §3.2.2.3).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The place of an event in the whole log: 1, 2, 3, … without a hole, in commit order.
///
/// A reader that has seen position n has seen every event up to n, and none of them will change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

/// The place of an event in its stream: 1, 2, 3, … without a hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

/// What a commit demands of a stream before it writes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpectedRevision {
    /// Whatever the stream holds. For streams whose events do not depend on each other.
    Any,
    /// The stream holds no event yet.
    NoStream,
    /// The last event of the stream has exactly this revision; `Exact(Revision::NONE)` is [`Self::NoStream`].
    Exact(Revision),
}

impl Position {
    /// Before the first event: reading after it reads everything, and it is the head of an empty log.
    pub const ORIGIN: Self = Self(0);

    /// The position with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Revision {
    /// The revision of a stream without events.
    pub const NONE: Self = Self(0);

    /// The revision with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The revision that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl ExpectedRevision {
    /// Whether a stream at `actual` is what was expected.
    #[must_use]
    pub fn accepts(self, actual: Revision) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == Revision::NONE,
            Self::Exact(expected) => actual == expected,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for ExpectedRevision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any revision"),
            Self::NoStream => formatter.write_str("no stream"),
            Self::Exact(revision) => write!(formatter, "revision {revision}"),
        }
    }
}
