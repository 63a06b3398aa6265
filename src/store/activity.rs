//! The activity log: what clients do, beside the log of what was decided.
//!
//! It has a position of its own, and no streams, revisions or conflicts: a record is a fact about a moment that nothing
//! is decided from.

pub(crate) mod request;
pub(crate) mod vouchers;

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

pub use vouchers::{Count, KeptVoucher, Voucher, VoucherChange};

use crate::canonical::{CanonicalError, CanonicalJson};
use crate::clock::to_rfc3339;
use crate::commit::Outcome;
use crate::error::{Cause, ReadError};
use crate::position::Position;

/// Vouchers that are forgotten at a time.
pub(crate) const MOST_FORGOTTEN: u64 = 10_000;
/// Microseconds of a segment: a day of UTC.
const SEGMENT: i64 = 86_400_000_000;

/// Something that was done or tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// What: `authentication`.
    pub kind: String,
    /// Whether it was let through.
    pub outcome: Outcome,
    /// Why it was refused, as a slug.
    pub reason: Option<String>,
    /// Where it was tried.
    pub environment: Option<String>,
    /// The id of the client that it claimed to be.
    pub client: Option<String>,
    /// The id of the secret or token that was used.
    pub credential: Option<String>,
    /// The id of the token that was issued, asked about or revoked.
    pub token: Option<String>,
    /// The id of the grant that it belongs to.
    pub grant: Option<String>,
    /// The scopes of it, separated by blanks.
    pub scope: Option<String>,
    /// The request's id; `None` for a counted record.
    pub request_id: Option<String>,
    /// How many times: more than 1 only if they were counted instead of listed.
    pub count: u64,
    /// When the first of the counted ones was.
    pub since: Option<Timestamp>,
    /// Where it came from.
    pub source: Option<SealedSource>,
}

/// An address and a user agent, which tell about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSource {
    /// A keyed digest of the address, by which its records are found.
    pub token: Vec<u8>,
    /// Both, sealed under the key of a segment.
    pub sealed: Vec<u8>,
}

/// An activity as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedActivity {
    /// Its place: 1, 2, 3, … without a hole.
    pub position: Position,
    /// When it was recorded: the later of the wall clock and the time of the record before it.
    pub at: Timestamp,
    /// What was recorded.
    pub activity: Activity,
}

/// What becomes durable together.
#[derive(Clone, Debug, Default)]
pub struct ActivityCommit {
    /// In this order. One that is done and names a credential is a use of it.
    pub records: Vec<Activity>,
    /// Digests of secrets that were verified.
    pub digests: Vec<VerifiedDigest>,
    /// What becomes of vouchers, in this order.
    pub vouchers: Vec<VoucherChange>,
    /// What is counted.
    pub counts: Vec<Count>,
}

/// A keyed digest by which a verified secret is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDigest {
    /// The id of the secret.
    pub credential: String,
    /// The digest.
    pub digest: Vec<u8>,
}

/// Which records; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityFilter {
    /// The kind.
    pub kind: Option<String>,
    /// The outcome.
    pub outcome: Option<Outcome>,
    /// The reason of a refusal.
    pub reason: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The client.
    pub client: Option<String>,
    /// The secret or token.
    pub credential: Option<String>,
    /// The token.
    pub token: Option<String>,
    /// The grant.
    pub grant: Option<String>,
    /// Tokens of the address, one for each segment's key.
    pub source_tokens: Option<Vec<Vec<u8>>>,
    /// Recorded then or later.
    pub from: Option<Timestamp>,
    /// Recorded before then.
    pub to: Option<Timestamp>,
}

/// Which part of what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityPage {
    /// Oldest first.
    pub ascending: bool,
    /// Only records after this position.
    pub after: Position,
    /// Only records before this position.
    pub before: Option<Position>,
    /// How many at most.
    pub limit: usize,
}

/// The number of a segment: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SegmentNumber(i64);

/// A segment that gets no more records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedSegment {
    /// Its number.
    pub number: SegmentNumber,
    /// The position of its first record.
    pub first: Position,
    /// The position of its last record.
    pub last: Position,
    /// The root of the Merkle tree over its records (RFC 6962 section 2.1).
    pub root: [u8; 32],
}

/// A record was not acknowledged. It may be in the log all the same.
#[derive(Clone, Debug, thiserror::Error)]
#[error("recording activity that cannot be recorded now")]
pub struct ActivityUnavailable(#[source] pub Cause);

/// Why a commit of activity was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ActivityError {
    /// Nobody knows whether it is in the log.
    #[error(transparent)]
    Unavailable(#[from] ActivityUnavailable),
    /// It is not in the log: it issues a voucher of a kind and id that there is already.
    #[error("issuing a voucher: there is a {kind} of this id already")]
    VoucherTaken {
        /// What it is.
        kind: &'static str,
        /// Which one.
        id: String,
    },
    /// It is not in the log: it uses a voucher that is not there, or no longer good.
    #[error("using a voucher: there is no live {kind} of this id")]
    VoucherNotLive {
        /// What it is.
        kind: &'static str,
        /// Which one.
        id: String,
    },
    /// It is not in the log: something was counted as far as it may be.
    #[error("counting `{key}`: it is at its limit")]
    OverLimit {
        /// What was counted.
        key: String,
    },
}

/// The log of activity.
///
/// **Durability**: what `append` acknowledged survives the loss of power. **Ordering**: positions are dense and in the
/// order of time, so a reader that has seen n has seen all up to n. **Atomicity**: a commit is in the log with all its
/// parts, or not at all. **Failure**: a commit that was not acknowledged may be found later: it says what was tried, and
/// whoever tried it was told that the service did not know.
#[async_trait]
pub trait ActivityLog: Send + Sync {
    /// Records a commit, and answers the position of its last record when it is durable. From its first poll on the
    /// commit is on its way: dropping the future does not cancel it.
    async fn append(&self, commit: ActivityCommit) -> Result<Position, ActivityError>;

    /// A voucher, as long as it is kept: expired and spent ones among them.
    async fn voucher(&self, kind: &'static str, id: &str) -> Result<Option<KeptVoucher>, ReadError>;

    /// Whether there is a voucher, expired and spent ones among them; for kinds of which there nearly never is the one that is
    /// asked about. As true as [`voucher`](Self::voucher), and maybe cheaper.
    async fn has_voucher(&self, kind: &'static str, id: &str) -> Result<bool, ReadError> {
        Ok(self.voucher(kind, id).await?.is_some())
    }

    /// How far something was counted.
    async fn counted(&self, key: &str) -> Result<u64, ReadError>;

    /// Forgets vouchers and counts that ended before a time: so many of them at most that nothing waits for it long.
    async fn forget_vouchers(&self, ended_before: Timestamp) -> Result<(), ActivityUnavailable>;

    /// Keeps a digest some time soon, or not at all: waits for nothing.
    fn keep_digest(&self, digest: VerifiedDigest);

    /// The digest of a secret that was verified.
    async fn digest(&self, credential: &str) -> Result<Option<Vec<u8>>, ReadError>;

    /// The position of the last record; [`Position::ORIGIN`] before the first.
    async fn head(&self) -> Result<Position, ReadError>;

    /// Some of the records that pass the filter.
    async fn read(
        &self,
        filter: &ActivityFilter,
        page: ActivityPage,
    ) -> Result<Vec<RecordedActivity>, ReadError>;

    /// When each of these credentials was last used; one that never was is left out.
    async fn last_used(&self, credentials: &[String]) -> Result<HashMap<String, Timestamp>, ReadError>;

    /// When any credential of each of these clients was last used; a client none of whose was is left out.
    async fn last_used_by(&self, clients: &[String]) -> Result<HashMap<String, Timestamp>, ReadError>;

    /// The oldest segment with records that is not closed and gets none any more at `now`, with the positions of its
    /// first and last record.
    async fn segment_to_close(
        &self,
        now: Timestamp,
    ) -> Result<Option<(SegmentNumber, Position, Position)>, ReadError>;

    /// Fixes the root of a segment, once for all; or does nothing if it is fixed, or has got more records.
    async fn close_segment(&self, segment: ClosedSegment) -> Result<(), ActivityUnavailable>;

    /// Finishes what was handed over, and refuses later records; reads go on.
    async fn close(&self);

    /// The closed segments after `number`, in order.
    async fn closed_segments(
        &self,
        after: Option<SegmentNumber>,
        limit: usize,
    ) -> Result<Vec<ClosedSegment>, ReadError>;
}

impl ActivityFilter {
    /// The columns that must hold a text, and which.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let columns = [
            ("client", &self.client),
            ("credential", &self.credential),
            ("token", &self.token),
            ("grant_id", &self.grant),
            ("kind", &self.kind),
            ("reason", &self.reason),
            ("environment", &self.environment),
        ];
        columns.into_iter().filter_map(|(column, wanted)| Some((column, wanted.as_deref()?)))
    }
}

impl SegmentNumber {
    /// The segment of this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The segment that a record of this time belongs to.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        Self(moment.as_microsecond().div_euclid(SEGMENT))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Where it ends, in microseconds: its records are earlier.
    pub(crate) const fn end(self) -> i64 {
        (self.0 + 1) * SEGMENT
    }
}

impl RecordedActivity {
    /// The leaf of the segment's tree: every field that is there, as canonical JSON.
    ///
    /// # Errors
    /// If a text cannot stand in canonical JSON; the log takes none that cannot.
    pub fn leaf(&self) -> Result<CanonicalJson, CanonicalError> {
        let Activity {
            kind,
            outcome,
            reason,
            environment,
            client,
            credential,
            token,
            grant,
            scope,
            request_id,
            count,
            since,
            source,
        } = &self.activity;
        CanonicalJson::from_serialize(&Leaf {
            at: to_rfc3339(self.at),
            client: client.as_deref(),
            count: *count,
            credential: credential.as_deref(),
            environment: environment.as_deref(),
            grant: grant.as_deref(),
            kind,
            outcome: outcome.as_str(),
            position: self.position,
            reason: reason.as_deref(),
            request_id: request_id.as_deref(),
            scope: scope.as_deref(),
            since: since.map(to_rfc3339),
            source: source.as_ref().map(|source| base64(&source.sealed)),
            token: token.as_deref(),
        })
    }
}

/// Its fields are part of the format: never change one. What came later is left out where it is not said.
#[derive(Serialize)]
struct Leaf<'a> {
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    kind: &'a str,
    outcome: &'a str,
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}
