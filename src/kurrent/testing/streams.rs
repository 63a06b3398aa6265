//! Streams as the server keeps them: what is appended, what is idempotent, what truncating and deleting leave.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use tonic::Status;
use tonic::metadata::MetadataValue;

use super::Fault;
use super::protocol::{
    AppendResult, AppendedRevision, CurrentRevision, Empty, ExpectedRevision, FromRevision, Position,
    ProposedMessage, ReadContent, ReadEvent, ReadOptions, RecordedEvent, StreamIdentifier, StreamNotFound,
    Success, Uuid, UuidValue, WrongExpectedVersion, WrongRevision,
};

/// What a server takes at once.
const MAX_APPEND_BYTES: usize = 1 << 20;
const BACKWARDS: i32 = 1;
/// Of everything that is recorded: the ticks of some moment, as the server writes them.
const CREATED: &str = "17000000005550000";

pub(super) struct Streams {
    streams: HashMap<Vec<u8>, Stream>,
    /// The next place in the log of all streams.
    position: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) reads: usize,
    pub(super) leader: SocketAddr,
}

#[derive(Default)]
struct Stream {
    events: Vec<RecordedEvent>,
    /// Events before this revision are not read.
    truncate_before: u64,
    tombstoned: bool,
}

impl Default for Streams {
    fn default() -> Self {
        let leader = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { streams: HashMap::new(), position: 0, faults: Vec::new(), reads: 0, leader }
    }
}

impl Stream {
    fn next(&self) -> u64 {
        self.events.len() as u64
    }

    fn is_deleted(&self) -> bool {
        !self.events.is_empty() && self.truncate_before >= self.next()
    }

    /// Whether the events stand behind the revision already, told by their ids.
    fn holds(&self, behind: u64, batch: &[ProposedMessage]) -> bool {
        let standing = self.events.iter().skip(usize::try_from(behind).unwrap_or(usize::MAX));
        let same = standing.zip(batch).filter(|(event, proposed)| key(&event.id) == key(&proposed.id));
        same.count() == batch.len()
    }
}

impl Streams {
    /// The first fault of these, if there is one.
    pub(super) fn take(&mut self, of: impl Fn(Fault) -> bool) -> Option<Fault> {
        let index = self.faults.iter().position(|fault| of(*fault))?;
        Some(self.faults.remove(index))
    }

    pub(super) fn custom_metadata(&self, stream: &str, revision: usize) -> Option<Vec<u8>> {
        Some(self.streams.get(stream.as_bytes())?.events.get(revision)?.custom_metadata.clone())
    }

    pub(super) fn append(
        &mut self,
        name: &[u8],
        expected: &ExpectedRevision,
        batch: Vec<ProposedMessage>,
    ) -> Result<AppendResult, Box<Status>> {
        if batch.iter().map(bytes_of).sum::<usize>() > MAX_APPEND_BYTES {
            return Err(Box::new(exception(
                Status::invalid_argument("too large"),
                "maximum-append-size-exceeded",
            )));
        }
        if let Some(of) = name.strip_prefix(b"$$") {
            self.change_metadata(of, &batch);
        }
        let stream = self.streams.entry(name.to_vec()).or_default();
        if stream.tombstoned {
            return Err(Box::new(exception(Status::failed_precondition("deleted"), "stream-deleted")));
        }
        let next = stream.next();
        let behind = match expected {
            ExpectedRevision::Revision(revision) => Some(revision.saturating_add(1)),
            ExpectedRevision::NoStream(_) if stream.is_deleted() => None,
            ExpectedRevision::NoStream(_) => Some(0),
            ExpectedRevision::Any(_) | ExpectedRevision::StreamExists(_) => None,
        };
        if let Some(behind) = behind.filter(|behind| *behind != next) {
            if behind < next && !batch.is_empty() && stream.holds(behind, &batch) {
                return Ok(success(behind + batch.len() as u64 - 1, self.position));
            }
            return Ok(wrong(expected, next));
        }
        if stream.is_deleted() {
            stream.truncate_before = next;
        }
        for proposed in batch {
            let ProposedMessage { id, mut metadata, custom_metadata, data } = proposed;
            metadata.insert("created".to_owned(), CREATED.to_owned());
            stream.events.push(RecordedEvent {
                id,
                stream_identifier: Some(StreamIdentifier { stream_name: name.to_vec() }),
                stream_revision: stream.next(),
                prepare_position: self.position,
                commit_position: self.position,
                metadata,
                custom_metadata,
                data,
            });
            self.position += 1;
        }
        Ok(success(stream.next().saturating_sub(1), self.position))
    }

    /// The one thing in the metadata of a stream that is looked at.
    fn change_metadata(&mut self, of: &[u8], batch: &[ProposedMessage]) {
        for proposed in batch {
            let metadata: serde_json::Value = serde_json::from_slice(&proposed.data).unwrap_or_default();
            if let Some(before) = metadata["$tb"].as_u64() {
                self.streams.entry(of.to_vec()).or_default().truncate_before = before;
            }
        }
    }

    pub(super) fn delete(&mut self, name: &[u8], for_good: bool) -> Result<Position, Box<Status>> {
        let Some(stream) = self.streams.get_mut(name) else {
            return Err(Box::new(exception(
                Status::failed_precondition("no stream"),
                "wrong-expected-version",
            )));
        };
        stream.truncate_before = u64::MAX;
        stream.tombstoned |= for_good;
        Ok(Position { commit_position: self.position, prepare_position: self.position })
    }

    pub(super) fn read(&mut self, options: ReadOptions) -> Result<Vec<ReadContent>, Box<Status>> {
        self.reads += 1;
        let asked =
            options.stream.ok_or_else(|| Box::new(Status::unimplemented("only streams are read here")))?;
        let limit = usize::try_from(options.count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let name = asked.stream_identifier.clone().unwrap_or_default().stream_name;
        let not_found = StreamNotFound { stream_identifier: asked.stream_identifier };
        let Some(stream) = self.streams.get(&name).filter(|stream| !stream.events.is_empty()) else {
            return Ok(vec![ReadContent::StreamNotFound(not_found)]);
        };
        if stream.tombstoned {
            return Err(Box::new(exception(Status::failed_precondition("deleted"), "stream-deleted")));
        }
        if stream.is_deleted() {
            return Ok(vec![ReadContent::StreamNotFound(not_found)]);
        }
        let visible = stream.events.iter().filter(|event| event.stream_revision >= stream.truncate_before);
        if options.read_direction == BACKWARDS {
            return Ok(visible.rev().take(limit).map(read).collect());
        }
        let from = match asked.from {
            Some(FromRevision::Revision(revision)) => revision,
            Some(FromRevision::Start(_)) | None => 0,
            Some(FromRevision::End(_)) => u64::MAX,
        };
        let mut behind = visible.filter(|event| event.stream_revision >= from);
        let mut found: Vec<_> = behind.by_ref().take(limit).map(read).collect();
        // The end is told of where it is reached, to clients that understand it.
        if behind.next().is_none() && options.control_option.is_some_and(|control| control.compatibility > 0)
        {
            found.push(ReadContent::LastStreamPosition(stream.next() - 1));
        }
        Ok(found)
    }
}

fn bytes_of(proposed: &ProposedMessage) -> usize {
    proposed.data.len()
        + proposed.custom_metadata.len()
        + 2 * proposed.metadata.get("type").map_or(0, String::len)
}

/// Ids come in two forms.
fn key(id: &Option<Uuid>) -> Option<u128> {
    match id.as_ref()?.value.as_ref()? {
        UuidValue::Structured(bits) => {
            let [most, least] =
                [bits.most_significant_bits, bits.least_significant_bits].map(i64::to_be_bytes);
            Some(u128::from(u64::from_be_bytes(most)) << 64 | u128::from(u64::from_be_bytes(least)))
        }
        UuidValue::String(text) => text.parse().ok().map(|id: uuid::Uuid| id.as_u128()),
    }
}

fn read(event: &RecordedEvent) -> ReadContent {
    ReadContent::Event(ReadEvent { event: Some(event.clone()), commit_position: Some(event.commit_position) })
}

fn success(revision: u64, position: u64) -> AppendResult {
    AppendResult::Success(Success {
        current: Some(AppendedRevision::CurrentRevision(revision)),
        position: Some(Position { commit_position: position, prepare_position: position }),
    })
}

fn wrong(expected: &ExpectedRevision, next: u64) -> AppendResult {
    let current = match next.checked_sub(1) {
        Some(last) => CurrentRevision::CurrentRevision(last),
        None => CurrentRevision::NoStream(Empty {}),
    };
    let expected = match expected {
        ExpectedRevision::Revision(revision) => WrongRevision::Revision(*revision),
        ExpectedRevision::NoStream(_) => WrongRevision::NoStream(Empty {}),
        ExpectedRevision::Any(_) => WrongRevision::Any(Empty {}),
        ExpectedRevision::StreamExists(_) => WrongRevision::StreamExists(Empty {}),
    };
    AppendResult::WrongExpectedVersion(WrongExpectedVersion {
        current: Some(current),
        expected: Some(expected),
    })
}

/// A status with the trailer by which clients tell one from another.
pub(super) fn exception(mut status: Status, name: &'static str) -> Status {
    status.metadata_mut().insert("exception", MetadataValue::from_static(name));
    status
}
