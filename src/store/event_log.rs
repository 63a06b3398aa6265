//! The log as everybody sees it, whatever database it is kept in.

use std::ops::ControlFlow;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::commit::{ClaimKey, Commit, Disclosure, DisclosureRef, Receipt, RecordedCommand};
use crate::error::{AppendError, Cause, ReadError};
use crate::event::RecordedEvent;
use crate::position::{Position, Revision};
use crate::postgres::PostgresAggregates;
use crate::stream::StreamName;
use crate::subscription::Subscription;
use crate::verify::{Defect, Verified};

/// An event as a scan sees it, borrowed from the database's own page.
#[derive(Clone, Copy, Debug)]
pub struct ScannedEvent<'a> {
    /// Its place in the whole log.
    pub position: Position,
    /// Its place in its stream; the stream's name is in the entry.
    pub revision: Revision,
    /// The canonical bytes.
    pub entry: &'a [u8],
}

/// Which of the events with a lookup token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPage {
    /// Oldest first.
    pub ascending: bool,
    /// Only events after this position.
    pub after: Position,
    /// Only events up to this position.
    pub until: Position,
    /// How many at most.
    pub limit: usize,
}

impl TokenPage {
    /// The positions of the page, of what the spans of commits hold.
    pub(crate) fn of(self, spans: impl IntoIterator<Item = (u64, u64)>) -> Vec<Position> {
        let positions = spans.into_iter().flat_map(|(first, last)| (first..=last).map(Position::new));
        let mut found: Vec<_> =
            positions.filter(|position| (self.after.next()..=self.until).contains(position)).collect();
        found.sort_unstable();
        found.dedup();
        if !self.ascending {
            found.reverse();
        }
        found.truncate(self.limit);
        found
    }
}

/// Writes a few bytes where a log is kept, makes them durable and leaves nothing behind. It blocks for as long as the disk
/// does, and holds nothing of the log.
pub type WriteProbe = Box<dyn FnOnce() -> Result<(), Cause> + Send>;

/// One append-only log of events with dense positions, and the vault's rows that are written together with them.
///
/// **Durability**: what `append` acknowledged survives the loss of power, and was not visible to any reader before it
/// would. **Ordering**: positions are dense and in commit order, so a reader that has seen n has seen all up to n;
/// revisions are dense in each stream. **Atomicity**: a commit is in the log with all its parts, or not at all.
/// **Conflict**: of two commits that expect the same revision, or take the same claim, exactly one is recorded; the
/// other has written nothing. **Retry**: the command id makes a commit happen once; after an unknown outcome
/// `find_command` says what happened.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Records a commit, and answers when it is durable.
    ///
    /// From its first poll on the commit is on its way: dropping the future does not cancel it. A command id that is
    /// recorded already is answered with [`AppendError::DuplicateCommand`] before any other check.
    async fn append(&self, commit: Commit) -> Result<Receipt, AppendError>;

    /// Up to `limit` events of a stream after a revision, in order, without a hole; empty for a stream that is not
    /// there.
    async fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError>;

    /// Up to `limit` events after a position, in order, without a hole.
    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError>;

    /// Walks all events after `after` in order, without a hole, up to the head as it was at some moment of the walk,
    /// and answers the last position visited. Blocks the thread; copies nothing; `Break` ends it early.
    fn scan(
        &self,
        after: Position,
        visit: &mut dyn FnMut(ScannedEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError>;

    /// The position of the last event; [`Position::ORIGIN`] for an empty log. Never lags behind an acknowledged commit.
    /// [`ReadError::Unavailable`] while a commit of unknown outcome may still turn out to be recorded.
    async fn head(&self) -> Result<Position, ReadError>;

    /// The revision of a stream's last event; [`Revision::NONE`] for a stream that is not there.
    async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, ReadError>;

    /// The same for who has read the head already: at least as it was when that stood at `head`.
    async fn stream_revision_since(
        &self,
        stream: &StreamName,
        _head: Position,
    ) -> Result<Revision, ReadError> {
        self.stream_revision(stream).await
    }

    /// Up to `limit` streams of a category after `after`, by name.
    async fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, ReadError>;

    /// The stream that holds a key.
    async fn claim_holder(&self, key: &ClaimKey) -> Result<Option<StreamName>, ReadError>;

    /// Visits every claim there is, in the order of namespace and key. Blocks the thread.
    fn claims(&self, visit: &mut dyn FnMut(ClaimKey, StreamName)) -> Result<(), ReadError>;

    /// Where the commit with this command id stands; `None` means that it never happened (but still might, if its
    /// append was not answered yet). [`ReadError::Unavailable`] for as long as that cannot be said.
    async fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError>;

    /// The sealed value of a credential; `None` if there never was one, or once destroyed.
    async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError>;

    /// The disclosures that these events refer to, in this order; those that are not there are left out.
    async fn disclosures(&self, wanted: &[DisclosureRef]) -> Result<Vec<Disclosure>, ReadError>;

    /// The highest slot of an event key that any disclosure refers to; 0 before the first.
    async fn last_event_key_slot(&self) -> Result<u64, ReadError>;

    /// Where the events are whose commits have this lookup token, in the order of the page. Takes as long as the page is
    /// long, whatever the size of the log.
    async fn positions_by_token(&self, token: &[u8; 16], page: TokenPage)
    -> Result<Vec<Position>, ReadError>;

    /// The persons under whose keys the newest disclosures are sealed; at most `most` disclosures are looked at.
    async fn newest_persons(&self, most: usize) -> Result<Vec<Uuid>, ReadError>;

    /// An ordered feed of everything after a position.
    fn subscribe(&self, after: Position) -> Subscription;

    /// The later of the wall clock and the time of the last event: what expiry is judged by. A clock set back brings
    /// nothing to life again before an event tells of it, as the next one recorded does.
    fn now(&self) -> Timestamp;

    /// The ids of all credentials that are kept.
    async fn credential_ids(&self) -> Result<Vec<String>, ReadError>;

    /// Whether this node is the one of those on the log that does by itself what needs doing once, such as closing a
    /// segment of activity. Another takes over when it is gone. Two may think so for a moment: what is done must bear it.
    async fn leads(&self) -> bool;

    /// Finishes what was handed over, and refuses later appends; reads go on.
    async fn close(&self);

    /// What tells whether something could be appended, without appending anything.
    fn write_probe(&self) -> WriteProbe;

    /// Walks the whole log and tells of everything that is not as the log writes it (see [`Defect`]), then says how
    /// far the log reaches. `progress` hears of each position. Blocks the thread.
    fn verify(
        &self,
        progress: &mut dyn FnMut(Position),
        report: &mut dyn FnMut(Defect),
    ) -> Result<Verified, ReadError>;

    /// What aggregates are loaded through, where the database has something of its own for it.
    fn aggregates(&self) -> Option<PostgresAggregates> {
        None
    }
}
