//! The client by either of its names, and what its errors mean for an append.

use std::sync::Arc;

#[cfg(feature = "eventstore")]
pub(crate) use eventstore as database;
#[cfg(feature = "kurrentdb")]
pub(crate) use kurrentdb as database;

use database::{
    AppendToStreamOptions, DeleteStreamOptions, Error, EventData, ReadStreamOptions, StreamPosition,
    TombstoneStreamOptions,
};
use store::{Cause, Position};

#[cfg(feature = "eventstore")]
use database::ExpectedRevision as Expected;
#[cfg(feature = "kurrentdb")]
use database::StreamState as Expected;

/// The number of `InvalidArgument` among the status codes of gRPC.
const INVALID_ARGUMENT: i32 = 3;

/// What an error says about what was asked for.
pub(crate) enum Meaning {
    /// Something else stands at the revision.
    Moved,
    /// Not done, and not to be done as it is.
    Refused,
    /// The stream was deleted for good.
    Deleted,
    /// There is no such stream.
    NotFound,
    /// The client is used up and needs a successor.
    Disconnected,
    /// It may have been done or not.
    Unknown,
}

/// What the error means. One that is not known here may mean anything.
pub(crate) fn meaning(error: &Error) -> Meaning {
    match error {
        Error::WrongExpectedVersion { .. } => Meaning::Moved,
        Error::AccessDenied | Error::UnsupportedFeature => Meaning::Refused,
        Error::Grpc { code, .. } if i32::from(*code) == INVALID_ARGUMENT => Meaning::Refused,
        Error::ResourceDeleted => Meaning::Deleted,
        Error::ResourceNotFound => Meaning::NotFound,
        // The task behind the client has ended.
        Error::ConnectionClosed | Error::GrpcConnectionError(_) => Meaning::Disconnected,
        Error::ServerError(_)
        | Error::NotLeaderException(_)
        | Error::Grpc { .. }
        | Error::InternalParsingError(_)
        | Error::ResourceAlreadyExists
        | Error::InternalClientError
        | Error::DeadlineExceeded
        | Error::InitializationError(_)
        | Error::IllegalStateError(_) => Meaning::Unknown,
    }
}

pub(crate) fn cause(error: Error) -> Cause {
    Arc::new(error)
}

/// Right behind `after`, and nowhere else.
fn behind(after: Position) -> Expected {
    match after.get().checked_sub(1) {
        None => Expected::NoStream,
        #[cfg(feature = "eventstore")]
        Some(revision) => Expected::Exact(revision),
        #[cfg(feature = "kurrentdb")]
        Some(revision) => Expected::StreamRevision(revision),
    }
}

pub(crate) fn append_behind(after: Position) -> AppendToStreamOptions {
    let options = AppendToStreamOptions::default().requires_leader(true);
    #[cfg(feature = "eventstore")]
    let options = options.expected_revision(behind(after));
    #[cfg(feature = "kurrentdb")]
    let options = options.stream_state(behind(after));
    options
}

/// Events behind `after`, of the leader: others may lag.
pub(crate) fn read_behind(after: Position, limit: usize) -> ReadStreamOptions {
    let first = StreamPosition::Position(after.get());
    ReadStreamOptions::default().position(first).forwards().max_count(limit).requires_leader(true)
}

/// The last event.
pub(crate) fn read_last() -> ReadStreamOptions {
    ReadStreamOptions::default().position(StreamPosition::End).backwards().max_count(1).requires_leader(true)
}

pub(crate) fn delete() -> DeleteStreamOptions {
    DeleteStreamOptions::default().requires_leader(true)
}

pub(crate) fn tombstone() -> TombstoneStreamOptions {
    TombstoneStreamOptions::default().requires_leader(true)
}

/// An event whose data are these very bytes.
pub(crate) fn event(event_type: &str, data: &serde_json::value::RawValue) -> serde_json::Result<EventData> {
    EventData::json(event_type, &data)
}
