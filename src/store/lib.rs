//! The log: streams of events under one dense position, and the vault's rows beside them.
//!
//! It moves canonical bytes and sealed values. It knows no client, no rule and no key, so that a second database stays
//! a small matter; and it never changes or removes an event, whoever asks.

mod activity;
mod canonical;
mod clock;
mod commit;
#[cfg(feature = "testing")]
pub mod conformance;
mod engine;
mod entry;
mod error;
mod event;
mod event_log;
mod heads;
mod keys;
mod node_directory;
mod position;
mod postgres;
mod prepared;
mod queue;
mod repository;
mod request;
mod rows;
mod shared;
mod sqlite;
mod staged_batch;
mod staging;
mod stream;
mod subscription;
mod tail;
#[cfg(feature = "testing")]
pub mod testing;
mod transfer;
mod verify;

pub use activity::{
    Activity, ActivityCommit, ActivityError, ActivityFilter, ActivityLog, ActivityPage, ActivityUnavailable,
    ClosedSegment, Count, KeptVoucher, RecordedActivity, SealedSource, SegmentNumber, VerifiedDigest,
    Voucher, VoucherChange,
};
pub use canonical::{CanonicalError, CanonicalJson};
#[cfg(feature = "testing")]
pub use clock::ManualClock;
pub use clock::{Clock, SystemClock, to_microseconds, to_rfc3339};
pub use commit::{
    Actor, ActorKind, ClaimChange, ClaimKey, Commit, Credential, Disclosure, DisclosureKey, DisclosureRef,
    LookupToken, Outcome, ProposedEvent, Receipt, RecordedCommand, StreamCommit,
};
pub use engine::{Engine, EngineError, EngineEvent};
pub use error::{
    AppendError, BackUpError, Cause, InvalidCommit, KeyStoreError, LogClosed, OpenError, Place, ReadError,
};
pub use event::{CorruptEntry, Envelope, EnvelopeActor, RecordedEvent};
pub use event_log::{EventLog, ScannedEvent, TokenPage, WriteProbe};
pub use keys::{KeyStore, PersonKey, WrappedKey};
pub use node_directory::NodeDirectory;
pub use position::{ExpectedRevision, MAX_INTEGER, Position, Revision};
pub use postgres::{
    PostgresActivity, PostgresAggregates, PostgresCompanion, PostgresDatabase, PostgresError, PostgresKeys,
    PostgresLog, PostgresSide, migrate_postgres,
};
pub use repository::{LogRepository, PersistRefused};
pub use sqlite::{
    BackUpTo, BackedUp, DataDirectory, RemoteLog, RemoteSide, SqliteActivity, SqliteKeys, SqliteLog,
    SqliteSide, open_to_read,
};
pub use stream::{InvalidStreamName, StreamName};
pub use subscription::{Pages, Subscription};
pub use transfer::{
    Compared, Digest, Doing, Part, Row, Side, TransferError, Transferred, Value, Watch, Which, transfer,
};
pub use verify::{Defect, Verified};
