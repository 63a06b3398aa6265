//! What can go wrong, by what it means for the caller.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use crate::commit::{ClaimKey, RecordedCommand};
use crate::position::{ExpectedRevision, Position, Revision};
use crate::stream::StreamName;

/// What is said of the target of a transfer.
pub(crate) const UNFINISHED: &str =
    "a log was not moved here completely: go on with the `muniment migrate-log` that was begun";

/// An error of the layer below; shared, because one failed transaction answers many commits.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a commit was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Another commit was faster, or the caller's state was old: load again and decide again. Nothing was written.
    #[error("appending to `{stream}`: expected {expected}, found revision {actual}")]
    WrongExpectedRevision {
        /// The first stream that is not where it was expected.
        stream: StreamName,
        /// What the commit demanded.
        expected: ExpectedRevision,
        /// What the stream is at; an earlier commit of the same moment counts.
        actual: Revision,
    },
    /// Another stream holds a key that the commit takes. Nothing was written.
    #[error("claiming `{key}`: `{holder}` holds it")]
    ClaimTaken {
        /// The key.
        key: ClaimKey,
        /// Who holds it.
        holder: StreamName,
    },
    /// The commit releases a key that its stream does not hold. Nothing was written.
    #[error("releasing `{key}`: `{stream}` does not hold it")]
    ClaimNotHeld {
        /// The key.
        key: ClaimKey,
        /// Who was said to hold it.
        stream: StreamName,
    },
    /// A commit with this command id is in the log already: this is the answer to a retry, not a failure.
    #[error("appending a command that is recorded at positions {} to {}", .0.first_position, .0.position)]
    DuplicateCommand(RecordedCommand),
    /// The commit can never be recorded as it is. Nothing was written.
    #[error("appending an invalid commit")]
    Invalid(#[from] InvalidCommit),
    /// The log cannot write now.
    #[error("appending to a log that cannot write now")]
    Unavailable {
        /// Whether the commit may be in the log nevertheless: ask `find_command` before doing anything again.
        outcome_unknown: bool,
        /// What the layer below said.
        #[source]
        source: Cause,
    },
}

/// What makes a commit invalid whatever the log holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommit {
    /// There is no event in it.
    #[error("a commit holds at least one event")]
    NoEvents,
    /// A stream is named twice.
    #[error("`{0}` is named twice")]
    RepeatedStream(StreamName),
    /// A text of the envelope holds U+0000, which canonical entries never do.
    #[error("`{field}` holds U+0000")]
    Nul {
        /// The field of the entry.
        field: &'static str,
    },
    /// An entry would be longer than 65,535 bytes.
    #[error("the entry of `{event_type}` is {bytes} bytes long; 65535 are allowed")]
    EntryTooLong {
        /// The event that is too long.
        event_type: String,
        /// The length, counted with the longest revision there can be.
        bytes: usize,
    },
    /// All entries together are more than the server of events takes at once.
    #[error("the entries of the commit are {bytes} bytes; the server of events takes {allowed} at once")]
    TooLarge {
        /// As many as they are, at most.
        bytes: usize,
        /// As many as are taken.
        allowed: usize,
    },
    /// A disclosure that no event of the commit refers to: nothing would commit to its content.
    #[error("no event of the commit refers to disclosure `{0}`")]
    UnreferencedDisclosure(String),
    /// A disclosure with this digest stands in the commit twice.
    #[error("the commit holds disclosure `{0}` twice")]
    RepeatedDisclosure(String),
    /// A disclosure sealed under the key of this slot exists already, or stands in the commit twice.
    #[error("the event key in slot {0} is used already")]
    EventKeyUsed(u64),
    /// Slot 0, or one beyond 2^53 - 1.
    #[error("there is no event key slot {0}")]
    NoSuchSlot(u64),
    /// A claim is taken for a stream that has no event, neither in the log nor in the commit.
    #[error("`{0}` takes a claim but has no event")]
    ClaimWithoutStream(StreamName),
    /// A credential with this id exists already, or stands in the commit twice.
    #[error("credential `{0}` exists already")]
    CredentialExists(String),
}

/// Why the log could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The log cannot be read now; nothing is known to be wrong with it.
    #[error("reading a log that cannot be read now")]
    Unavailable(#[source] Cause),
    /// The log is not what was written: an event is missing, or a row is not what the log writes.
    #[error("reading the log at {place}: {detail}")]
    Corrupt {
        /// Where.
        place: Place,
        /// What is wrong.
        detail: String,
    },
}

/// A place in the log, as precisely as it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Place {
    /// In the whole log.
    #[error("position {0}")]
    Position(Position),
    /// In one stream.
    #[error("`{0}` revision {1}")]
    Stream(StreamName, Revision),
    /// In a row that belongs to no position.
    #[error("{0}")]
    Row(String),
}

/// Why a data directory could not be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory.
    #[error("opening `{}`: process {} uses it", path.display(), pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string()))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process, if it has written its number.
        pid: Option<u32>,
    },
    /// There is no data directory to read.
    #[error("opening `{}`: there is no data directory with a log; `muniment init` makes one", .0.display())]
    Missing(PathBuf),
    /// The directory or a file in it may not be written.
    #[error("opening `{}`: it cannot be written", path.display())]
    ReadOnly {
        /// The directory or the file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory or a file in it may not be read by this user.
    #[error("opening `{}`: this user may not read it; run this as the user whom it belongs to", path.display())]
    Closed {
        /// The directory or the file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no database, or so damaged that SQLite does not know it.
    #[error("opening `{}`: it is no database or is damaged", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A file is a database of something else.
    #[error("opening `{}`: it is a database, but not one of ours", .0.display())]
    NotOurs(PathBuf),
    /// A newer program has written the file.
    #[error("opening `{}`: its schema is {found}, this program knows {known}", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// An older program has written the file, and a reader may not bring it up to date.
    #[error("opening `{}` to read: its schema is {found}, {known} is needed; start the service once", path.display())]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The schema that this program reads.
        known: u32,
    },
    /// There is a log without the keys that open its private parts: restore both from the same back-up.
    #[error("opening `{}`: there is a log, but no keys.db beside it", .0.display())]
    KeysMissing(PathBuf),
    /// There are keys in use without their log: restore both from the same back-up.
    #[error("opening `{}`: there are keys in use, but no log beside them", .0.display())]
    LogMissing(PathBuf),
    /// The directory belongs to a log that is kept in another way: the file says in which.
    #[error("opening `{}`: it holds {file}, which belongs to a log kept in another place: log.url must say where", path.display())]
    LogElsewhere {
        /// The directory.
        path: PathBuf,
        /// The file that is there.
        file: &'static str,
    },
    /// What is made anew at the next start is not there, and cannot be looked at before.
    #[error("opening `{}`: it is not there; the node makes it anew when it starts", .0.display())]
    NoReplica(PathBuf),
    /// A log is being moved here, and not all of it is here.
    #[error("opening `{}`: {UNFINISHED}", .0.display())]
    Unfinished(PathBuf),
    /// The keys belong to another log.
    #[error("opening `{}`: keys.db belongs to another log", .0.display())]
    KeysOfAnotherLog(PathBuf),
    /// The file system refused.
    #[error("opening `{}`", path.display())]
    Io {
        /// The directory or the file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("opening `{}`", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The log could be opened, but its newest entry could not be read.
    #[error("reading where the log ends")]
    Read(#[from] ReadError),
}

/// Why no back-up was made. What was copied so far is none.
#[derive(Debug, thiserror::Error)]
pub enum BackUpError {
    /// What is to be copied cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be read, or its copy cannot be written.
    #[error("copying `{}` to `{}`", from.display(), to.display())]
    Copy {
        /// The file.
        from: PathBuf,
        /// The copy.
        to: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The copied log would name people whose keys are not among the copied ones.
    #[error("people were erased during each attempt to copy log and keys: try again later")]
    Erasing,
}

/// Why the key store did not answer. What it was asked to do is done completely or not at all.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// A data key with this id exists already; the old one stays.
    #[error("storing data key `{0}`: it exists already")]
    DataKeyExists(String),
    /// A key was stored in this slot before; the old one stays.
    #[error("storing the event key of slot {0}: the slot was used before")]
    SlotUsed(u64),
    /// The key file cannot be read or written now.
    #[error("using a key file that cannot be used now")]
    Unavailable(#[source] Cause),
}

/// The log was closed, so that nothing more is written or awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log is closed")]
pub struct LogClosed;
