//! One stream of the server as the sequence of the log's entries.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use store::{Cause, Engine, EngineError, EngineEvent, Envelope, Place, Position};

use crate::client::database::{Client, Error, EventData, ReadEvent};
use crate::client::{Meaning, append_behind, cause, event, meaning, read_behind, read_last};
use crate::connection::Connection;
use crate::error::ConnectError;

/// An append is tried again for so long, with the same ids and the same expectation.
const APPEND_WITHIN: Duration = Duration::from_secs(10);
/// Who asks for the head waits so long at most: a secret is checked by it.
const HEAD_WITHIN: Duration = Duration::from_secs(2);
/// A page has this long to arrive.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// One attempt has this long, so that a node that is gone leaves time for another one.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Between two attempts; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What the server takes at once, unless it is told otherwise.
const MAX_APPEND_BYTES: usize = 1 << 20;

/// The entries of a log on KurrentDB or EventStoreDB: the n-th event of one stream is the entry at position n.
pub struct KurrentEngine {
    connection: Connection,
    stream: Arc<str>,
}

/// The server did something that the protocol does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Odd {
    #[error("a read ended without saying where the stream ends")]
    NoEnd,
    #[error("the stream is there and has no last event")]
    NoLastEvent,
}

/// What one page of the stream held.
struct Page {
    events: Vec<(u64, EngineEvent)>,
    /// The revision of the stream's last event, if the page reached it.
    last: Option<u64>,
}

/// The log in this stream of a server. Nothing is asked of it yet.
///
/// # Errors
/// As [`KurrentEngine::new`].
pub fn open(url: &str, stream: &str) -> Result<Arc<dyn Engine>, ConnectError> {
    Ok(Arc::new(KurrentEngine::new(url, stream)?))
}

impl KurrentEngine {
    /// The log in this stream. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// When the connection string is none, or names a file that cannot be read.
    pub fn new(url: &str, stream: &str) -> Result<Self, ConnectError> {
        Ok(Self { connection: Connection::new(url)?, stream: stream.into() })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn corrupt(position: Position, detail: impl Into<String>) -> EngineError {
        EngineError::Corrupt { place: Place::Position(position), detail: detail.into() }
    }

    fn deleted() -> EngineError {
        Self::corrupt(Position::new(1), "the stream of the log was deleted on the server of events")
    }

    /// Tries until it is answered or the time is over; `work` gets the time that an attempt has.
    fn read_within<T>(
        within: Duration,
        mut work: impl FnMut(Duration) -> Result<T, Error>,
    ) -> Result<Option<T>, EngineError> {
        let until = Instant::now() + within;
        let mut pause = FIRST_PAUSE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let error = match work(left.min(ATTEMPT)) {
                Ok(done) => return Ok(Some(done)),
                Err(error) => error,
            };
            match meaning(&error) {
                Meaning::NotFound => return Ok(None),
                Meaning::Deleted => return Err(Self::deleted()),
                Meaning::Refused => return Err(EngineError::Refused(cause(error))),
                Meaning::Moved | Meaning::Disconnected | Meaning::Unknown => {}
            }
            if Instant::now() + pause >= until {
                return Err(EngineError::Unavailable(cause(error)));
            }
            thread::sleep(pause);
            pause *= 2;
        }
    }

    fn page(&self, after: Position, limit: usize) -> Result<Option<Page>, EngineError> {
        Self::read_within(READ_WITHIN, |within| {
            let (stream, options) = (Arc::clone(&self.stream), read_behind(after, limit).deadline(within));
            self.connection.call(within, |client| read_page(client, stream, options))
        })
    }
}

async fn read_page(
    client: Client,
    stream: Arc<str>,
    options: crate::client::database::ReadStreamOptions,
) -> Result<Page, Error> {
    let mut reading = client.read_stream(&*stream, &options).await?;
    let mut page = Page { events: Vec::new(), last: None };
    while let Some(read) = reading.next_read_event().await? {
        match read {
            ReadEvent::Event(resolved) => {
                let recorded = resolved.get_original_event();
                let event = EngineEvent { id: recorded.id, entry: recorded.data.to_vec() };
                page.events.push((recorded.revision, event));
            }
            ReadEvent::LastStreamPosition(revision) => page.last = Some(revision),
            ReadEvent::FirstStreamPosition(_) | ReadEvent::LastAllStreamPosition(_) => {}
        }
    }
    Ok(page)
}

impl Engine for KurrentEngine {
    fn append(&self, after: Position, events: &[EngineEvent]) -> Result<(), EngineError> {
        let proposed = propose(after, events)?;
        let until = Instant::now() + APPEND_WITHIN;
        let mut pause = FIRST_PAUSE;
        let mut unanswered = false;
        loop {
            let (stream, proposed) = (Arc::clone(&self.stream), proposed.clone());
            let options = append_behind(after).deadline(ATTEMPT);
            let appended = self.connection.call(ATTEMPT, |client| async move {
                client.append_to_stream(&*stream, &options, proposed).await
            });
            let error = match appended {
                Ok(written) => return expect_place(after, events, written.next_expected_version),
                Err(error) => error,
            };
            match meaning(&error) {
                Meaning::Moved => return Err(EngineError::Moved),
                Meaning::Deleted => return Err(Self::deleted()),
                // An earlier attempt may have been taken.
                Meaning::Refused if unanswered => return Err(EngineError::Unavailable(cause(error))),
                Meaning::Refused => return Err(EngineError::Refused(cause(error))),
                Meaning::NotFound | Meaning::Disconnected | Meaning::Unknown => unanswered = true,
            }
            tracing::debug!(%error, "appending on the server of events");
            if Instant::now() + pause >= until {
                return Err(EngineError::Unavailable(cause(error)));
            }
            thread::sleep(pause);
            pause *= 2;
        }
    }

    fn read(&self, after: Position, limit: usize) -> Result<Vec<EngineEvent>, EngineError> {
        let Some(page) = self.page(after, limit)? else { return Ok(Vec::new()) };
        let mut events = Vec::with_capacity(page.events.len());
        for (revision, event) in page.events {
            let expected = after.get() + events.len() as u64;
            if revision != expected {
                let detail = format!("the event is missing, revision {revision} follows");
                return Err(Self::corrupt(Position::new(expected + 1), detail));
            }
            events.push(event);
        }
        if events.len() >= limit {
            return Ok(events);
        }
        // A connection that is cut, and a server that holds something back, both look like an end.
        let end = after.get() + events.len() as u64;
        match page.last {
            Some(last) if last + 1 == end || (events.is_empty() && last + 1 < end) => Ok(events),
            Some(last) => {
                let detail = format!("the event is missing, the stream ends at revision {last}");
                Err(Self::corrupt(Position::new(end + 1), detail))
            }
            None => Err(EngineError::Unavailable(Arc::new(Odd::NoEnd))),
        }
    }

    fn head(&self) -> Result<Position, EngineError> {
        let page = Self::read_within(HEAD_WITHIN, |within| {
            let (stream, options) = (Arc::clone(&self.stream), read_last().deadline(within));
            self.connection.call(within, |client| read_page(client, stream, options))
        })?;
        let Some(page) = page else { return Ok(Position::ORIGIN) };
        match page.events.last() {
            Some((revision, _)) => Ok(Position::new(revision + 1)),
            None => Err(EngineError::Unavailable(Arc::new(Odd::NoLastEvent))),
        }
    }

    fn max_append_bytes(&self) -> usize {
        MAX_APPEND_BYTES
    }
}

/// The events as the server gets them: with the metadata by which its own tools follow a request.
fn propose(after: Position, events: &[EngineEvent]) -> Result<Vec<EventData>, EngineError> {
    let propose = |event_of_log: &EngineEvent| -> Result<EventData, Cause> {
        let failed = |error: serde_json::Error| Arc::new(error) as Cause;
        let envelope = Envelope::parse(&event_of_log.entry).map_err(|error| Arc::new(error) as Cause)?;
        let data: &RawValue = serde_json::from_slice(&event_of_log.entry).map_err(failed)?;
        let metadata = serde_json::json!({
            "$causationId": envelope.causation_id.unwrap_or(envelope.command_id),
            "$correlationId": envelope.correlation_id,
        });
        let proposed = event(&envelope.event_type, data).map_err(failed)?;
        proposed.id(event_of_log.id).metadata_as_json(&metadata).map_err(failed)
    };
    let positions = (after.next().get()..).map(Position::new);
    let propose = |(position, event)| {
        propose(event).map_err(|error| KurrentEngine::corrupt(position, error.to_string()))
    };
    positions.zip(events).map(propose).collect()
}

/// A stream that was deleted and begun again goes on counting where it was.
fn expect_place(after: Position, events: &[EngineEvent], found: u64) -> Result<(), EngineError> {
    let last = after.get() + events.len() as u64;
    if found + 1 == last {
        return Ok(());
    }
    let detail = format!("the server of events appended up to revision {found}: the stream was deleted once");
    Err(KurrentEngine::corrupt(Position::new(last), detail))
}
