//! The one place that speaks cqrs-es: aggregates are loaded through its `PersistedEventRepository`.
//!
//! Only loading is used. What cqrs-es 0.5 makes of writing, snapshots and dispatch loses or doubles events: `persist`
//! returns no position and knows one aggregate only, snapshots apply each event twice, and queries are told after the
//! commit, if the process lives that long.

use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::persist::{
    PersistedEventRepository, PersistenceError, ReplayFeed, ReplayStream, SerializedEvent, SerializedSnapshot,
};
use serde_json::{Map, Value};

use crate::error::ReadError;
use crate::event::RecordedEvent;
use crate::event_log::EventLog;
use crate::position::{Position, Revision};
use crate::stream::StreamName;

/// So many events are read at a time.
const PAGE: usize = 512;

/// Loads aggregates of cqrs-es from the log. It never writes: see [`EventLog::append`].
///
/// The events of an aggregate are those of the stream `<TYPE>-<id>`. A serialised event carries the whole entry as its
/// payload, so that the aggregate's event type finds `at` and `actor` beside `data`. They are read page by page, or on
/// Postgres through postgres-es.
#[derive(Clone)]
pub struct LogRepository(pub Arc<dyn EventLog>);

/// Something was asked of the repository that would bypass the log's own append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "persisting through cqrs-es: commands are appended by EventLog::append, which knows positions and several streams"
)]
pub struct PersistRefused;

impl LogRepository {
    async fn load<A: Aggregate>(
        &self,
        id: &str,
        after: Revision,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let stream = stream_of(A::TYPE, id)?;
        if let Some(aggregates) = self.0.aggregates() {
            return aggregates.load::<A>(&stream, after).await;
        }
        let mut events = Vec::new();
        let mut after = after;
        loop {
            let page = self.0.read_stream(&stream, after, PAGE).await.map_err(persistence_error)?;
            let Some(last) = page.last() else { return Ok(events) };
            after = last.revision;
            for event in &page {
                events.push(serialize(event)?);
            }
        }
    }

    /// Feeds the stream in a task of its own; every failure is an item, and ends the stream.
    fn feed(&self, source: Source) -> ReplayStream {
        let (mut feed, stream) = ReplayStream::new(PAGE);
        let log = Arc::clone(&self.0);
        let replay = async move {
            if let Err(error) = source.replay(log.as_ref(), &mut feed).await {
                let _ = feed.push(Err(error)).await;
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "cqrs-es wants a stream that fills itself; it runs no command"
        )]
        tokio::spawn(replay);
        stream
    }
}

impl PersistedEventRepository for LogRepository {
    async fn get_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.load::<A>(aggregate_id, Revision::NONE).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.load::<A>(aggregate_id, Revision::new(last_sequence as u64)).await
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _aggregate_id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        _events: &[SerializedEvent],
        _snapshot_update: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        Err(PersistenceError::UnknownError(Box::new(PersistRefused)))
    }

    async fn stream_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        Ok(self.feed(Source::Stream(stream_of(A::TYPE, aggregate_id)?)))
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        Ok(self.feed(Source::Category(A::TYPE.to_owned())))
    }
}

/// What a replay stream is filled from.
enum Source {
    Stream(StreamName),
    Category(String),
}

impl Source {
    /// Pushes everything; returns early, and without error, when nobody listens any more.
    async fn replay(&self, log: &dyn EventLog, feed: &mut ReplayFeed) -> Result<(), PersistenceError> {
        let (mut position, mut revision) = (Position::ORIGIN, Revision::NONE);
        loop {
            let page = match self {
                Self::Stream(stream) => log.read_stream(stream, revision, PAGE).await,
                Self::Category(_) => log.read_all(position, PAGE).await,
            };
            let page = page.map_err(persistence_error)?;
            let Some(last) = page.last() else { return Ok(()) };
            (position, revision) = (last.position, last.revision);
            for event in page.iter().filter(|event| self.includes(event)) {
                if feed.push(Ok(serialize(event)?)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    fn includes(&self, event: &RecordedEvent) -> bool {
        match self {
            Self::Stream(_) => true,
            Self::Category(category) => event.stream.category() == category,
        }
    }
}

fn stream_of(aggregate_type: &str, id: &str) -> Result<StreamName, PersistenceError> {
    StreamName::new(aggregate_type, id).map_err(|error| PersistenceError::UnknownError(Box::new(error)))
}

fn serialize(event: &RecordedEvent) -> Result<SerializedEvent, PersistenceError> {
    let envelope =
        event.envelope().map_err(|error| PersistenceError::DeserializationError(Box::new(error)))?;
    Ok(SerializedEvent {
        aggregate_id: event.stream.id().to_owned(),
        sequence: usize::try_from(event.revision.get())
            .map_err(|error| PersistenceError::UnknownError(Box::new(error)))?,
        aggregate_type: event.stream.category().to_owned(),
        event_type: envelope.event_type.into_owned(),
        event_version: envelope.event_version.to_string(),
        payload: serde_json::from_slice(&event.entry)?,
        metadata: Value::Object(Map::new()),
    })
}

fn persistence_error(error: ReadError) -> PersistenceError {
    match error {
        ReadError::Unavailable(_) => PersistenceError::ConnectionError(Box::new(error)),
        ReadError::Corrupt { .. } => PersistenceError::UnknownError(Box::new(error)),
    }
}

#[cfg(test)]
pub(crate) mod tests;
