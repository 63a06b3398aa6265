//! What the rows of a log are held against, whatever the database.

use crate::error::{Place, ReadError};
use crate::position::{Position, Revision};
use crate::stream::{InvalidStreamName, StreamName};

/// Fails if an event of the log is missing.
pub(crate) fn expect_next(expected: Position, found: Position) -> Result<(), ReadError> {
    if found == expected {
        return Ok(());
    }
    let detail = format!("the event is missing, position {found} follows");
    Err(ReadError::Corrupt { place: Place::Position(expected), detail })
}

/// Fails if an event of a stream is missing.
pub(crate) fn expect_next_of(
    stream: &StreamName,
    expected: Revision,
    found: Revision,
) -> Result<(), ReadError> {
    if found == expected {
        return Ok(());
    }
    let detail = format!("the event is missing, revision {found} follows");
    Err(ReadError::Corrupt { place: Place::Stream(stream.clone(), expected), detail })
}

/// The name of a stream as a row has it.
pub(crate) fn stream_name(place: Place, name: Option<&str>) -> Result<StreamName, ReadError> {
    let Some(name) = name else {
        return Err(ReadError::Corrupt { place, detail: "the stream has no name".to_owned() });
    };
    name.parse().map_err(|error: InvalidStreamName| ReadError::Corrupt { place, detail: error.to_string() })
}

/// Databases count to 2^63 - 1; nothing in the log is beyond that.
pub(crate) fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
