//! Messages of the published protocol, field by field: `streams.proto`, `shared.proto` and `serverfeatures.proto` of the
//! gRPC API v1, as far as this server understands them. Fields that it does not look at are left out, as protobuf allows.

use std::collections::HashMap;

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamIdentifier {
    #[prost(bytes = "vec", tag = "3")]
    pub(super) stream_name: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Structured {
    #[prost(int64, tag = "1")]
    pub(super) most_significant_bits: i64,
    #[prost(int64, tag = "2")]
    pub(super) least_significant_bits: i64,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum UuidValue {
    #[prost(message, tag = "1")]
    Structured(Structured),
    #[prost(string, tag = "2")]
    String(String),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Uuid {
    #[prost(oneof = "UuidValue", tags = "1, 2")]
    pub(super) value: Option<UuidValue>,
}

/// `AppendReq.Options.expected_stream_revision`, and the same of `DeleteReq` and `TombstoneReq`.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum ExpectedRevision {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(Empty),
    #[prost(message, tag = "4")]
    Any(Empty),
    #[prost(message, tag = "5")]
    StreamExists(Empty),
}

/// `Options` of an append, a deletion and a tombstone.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteOptions {
    #[prost(message, optional, tag = "1")]
    pub(super) stream_identifier: Option<StreamIdentifier>,
    #[prost(oneof = "ExpectedRevision", tags = "2, 3, 4, 5")]
    pub(super) expected: Option<ExpectedRevision>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProposedMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<Uuid>,
    #[prost(map = "string, string", tag = "2")]
    pub(super) metadata: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) custom_metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AppendContent {
    #[prost(message, tag = "1")]
    Options(WriteOptions),
    #[prost(message, tag = "2")]
    ProposedMessage(ProposedMessage),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AppendReq {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub(super) content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Position {
    #[prost(uint64, tag = "1")]
    pub(super) commit_position: u64,
    #[prost(uint64, tag = "2")]
    pub(super) prepare_position: u64,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AppendedRevision {
    #[prost(uint64, tag = "1")]
    CurrentRevision(u64),
    #[prost(message, tag = "2")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Success {
    #[prost(oneof = "AppendedRevision", tags = "1, 2")]
    pub(super) current: Option<AppendedRevision>,
    #[prost(message, optional, tag = "3")]
    pub(super) position: Option<Position>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum CurrentRevision {
    #[prost(uint64, tag = "6")]
    CurrentRevision(u64),
    #[prost(message, tag = "7")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum WrongRevision {
    #[prost(uint64, tag = "8")]
    Revision(u64),
    #[prost(message, tag = "9")]
    Any(Empty),
    #[prost(message, tag = "10")]
    StreamExists(Empty),
    #[prost(message, tag = "11")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WrongExpectedVersion {
    #[prost(oneof = "CurrentRevision", tags = "6, 7")]
    pub(super) current: Option<CurrentRevision>,
    #[prost(oneof = "WrongRevision", tags = "8, 9, 10, 11")]
    pub(super) expected: Option<WrongRevision>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AppendResult {
    #[prost(message, tag = "1")]
    Success(Success),
    #[prost(message, tag = "2")]
    WrongExpectedVersion(WrongExpectedVersion),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AppendResp {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub(super) result: Option<AppendResult>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum FromRevision {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    Start(Empty),
    #[prost(message, tag = "4")]
    End(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamOptions {
    #[prost(message, optional, tag = "1")]
    pub(super) stream_identifier: Option<StreamIdentifier>,
    #[prost(oneof = "FromRevision", tags = "2, 3, 4")]
    pub(super) from: Option<FromRevision>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ControlOption {
    #[prost(uint32, tag = "1")]
    pub(super) compatibility: u32,
}

/// `ReadReq.Options`; of its sources the stream (1) and not `$all` (2), of its counts the number (5) and not a
/// subscription (6).
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadOptions {
    #[prost(message, optional, tag = "1")]
    pub(super) stream: Option<StreamOptions>,
    #[prost(int32, tag = "3")]
    pub(super) read_direction: i32,
    #[prost(uint64, optional, tag = "5")]
    pub(super) count: Option<u64>,
    #[prost(message, optional, tag = "10")]
    pub(super) control_option: Option<ControlOption>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadReq {
    #[prost(message, optional, tag = "1")]
    pub(super) options: Option<ReadOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RecordedEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<Uuid>,
    #[prost(message, optional, tag = "2")]
    pub(super) stream_identifier: Option<StreamIdentifier>,
    #[prost(uint64, tag = "3")]
    pub(super) stream_revision: u64,
    #[prost(uint64, tag = "4")]
    pub(super) prepare_position: u64,
    #[prost(uint64, tag = "5")]
    pub(super) commit_position: u64,
    #[prost(map = "string, string", tag = "6")]
    pub(super) metadata: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "7")]
    pub(super) custom_metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) event: Option<RecordedEvent>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) commit_position: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamNotFound {
    #[prost(message, optional, tag = "1")]
    pub(super) stream_identifier: Option<StreamIdentifier>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum ReadContent {
    #[prost(message, tag = "1")]
    Event(ReadEvent),
    #[prost(message, tag = "4")]
    StreamNotFound(StreamNotFound),
    #[prost(uint64, tag = "6")]
    LastStreamPosition(u64),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadResp {
    #[prost(oneof = "ReadContent", tags = "1, 4, 6")]
    pub(super) content: Option<ReadContent>,
}

/// `DeleteReq` and `TombstoneReq`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DeleteReq {
    #[prost(message, optional, tag = "1")]
    pub(super) options: Option<WriteOptions>,
}

/// `DeleteResp` and `TombstoneResp`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DeleteResp {
    #[prost(message, optional, tag = "1")]
    pub(super) position: Option<Position>,
}

/// The method list stays empty: of none of them does the client need to know.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SupportedMethods {
    #[prost(string, tag = "2")]
    pub(super) event_store_server_version: String,
}
