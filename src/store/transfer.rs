//! Moving everything of an instance to another place: log, activity and keys, as they are, while nobody serves from either.
//!
//! It is apart from [`EventLog`](crate::EventLog): what writes recorded entries somewhere must be out of reach of a service.
//! Rows are copied in pages, each durable, and what is there already is not copied again, so that a transfer that was cut off
//! goes on. The target bears a mark from before the first row until everything was compared, and nobody serves from it
//! meanwhile.

mod part;
mod value;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use part::Part;
pub(crate) use part::{Column, Kept, Kind};
pub use value::Value;

use crate::error::{Cause, OpenError, ReadError};
use crate::position::Position;
use crate::postgres::PostgresError;
use crate::verify::{Defect, Verified};

/// So many rows are read, and written in one transaction, at a time. Tests have few rows.
pub(crate) const PAGE: usize = if cfg!(test) { 3 } else { 1_000 };

/// A row of a part, as every database has it: its values are those of the part's columns.
pub type Row = Vec<Value>;

/// One of the two places of a transfer, which nobody else uses for as long as it is open.
#[async_trait]
pub trait Side: Send + Sync {
    /// The identity of its log.
    async fn log_id(&self) -> Result<Uuid, TransferError>;

    /// Whether a transfer to it was begun and is not finished.
    async fn is_unfinished(&self) -> Result<bool, TransferError>;

    /// How many rows a part has.
    async fn count(&self, part: Part) -> Result<u64, TransferError>;

    /// Up to `limit` of these rows of a part.
    async fn rows(&self, part: Part, which: Which<'_>, limit: usize) -> Result<Vec<Row>, TransferError>;

    /// Marks it as the target of a transfer of this log, before anything is written; or does nothing if it is already.
    async fn begin(&self, log_id: Uuid) -> Result<(), TransferError>;

    /// Removes rows of a part and adds others, in one durable transaction.
    async fn replace(&self, part: Part, gone: &[Row], added: &[Row]) -> Result<(), TransferError>;

    /// Walks the log as [`EventLog::verify`](crate::EventLog::verify) does.
    async fn verify(
        &self,
        progress: &mut (dyn FnMut(Position) + Send),
        report: &mut (dyn FnMut(Defect) + Send),
    ) -> Result<Verified, TransferError>;

    /// Removes the mark: from now on it can be served from.
    async fn finish(&self) -> Result<(), TransferError>;
}

/// Which rows of a part.
#[derive(Clone, Copy, Debug)]
pub enum Which<'k> {
    /// Those behind this key, or all, in the order of their keys.
    After(Option<&'k [Value]>),
    /// The one with this key.
    At(&'k [Value]),
    /// The last ones, the very last first.
    Last,
}

/// Why a transfer was not finished. What is there so far stays, and can be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One of the places cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database of one of the places does not answer, or refuses.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A row cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A row cannot be written.
    #[error("writing where the log is moved to")]
    Write(#[source] Cause),
    /// A node, or another transfer, is connected.
    #[error("the database is in use: stop every node on it, and wait for any other transfer")]
    InUse,
    /// The role may not write what is recorded.
    #[error("a log is moved into a database by its owner: use the address that `muniment migrate` is given")]
    NotOwner,
    /// What is to be moved was itself not moved completely.
    #[error("the log that is to be moved was not moved completely to where it is: finish that first")]
    SourceUnfinished,
    /// The source holds nothing: most likely the two places were mixed up.
    #[error("there is nothing where the log is to be moved from")]
    NothingToMove,
    /// The target holds something that no transfer brought.
    #[error("there is something already where the log is to be moved to: it must be empty")]
    NotEmpty,
    /// A transfer of another log was begun to the target.
    #[error("a transfer of another log to there was begun and is not finished")]
    OfAnotherLog,
    /// The target holds rows that the source does not have.
    #[error("where the log is moved to has {0} that the log does not have: empty it and begin anew")]
    AnotherLog(Part),
    /// What was copied is not what is there.
    #[error("the two places differ: {}", parts(.0))]
    Differs(Vec<Compared>),
    /// What nodes will read is not what was copied.
    #[error("a node that joins would not have the {0} that were copied")]
    NotTheSame(Part),
    /// The copy is equal, but not what the log writes.
    #[error("the log is not what was written: {0} defects, the first of which: {1}")]
    Damaged(u64, Defect),
}

/// What all rows of a part come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// How many there are.
    pub rows: u64,
    /// SHA-256 over all of them.
    pub sha256: [u8; 32],
}

/// A part on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which one.
    pub part: Part,
    /// What it comes to where it was.
    pub from: Digest,
    /// What it comes to where it is now.
    pub to: Digest,
}

/// A log that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// How far it reaches.
    pub verified: Verified,
    /// Every part, the same on both sides.
    pub parts: Vec<Compared>,
    /// How many rows were written; none if an earlier transfer had finished.
    pub written: u64,
}

/// What a transfer does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A part is copied.
    Copying(Part),
    /// Both sides of a part are read and compared.
    Comparing(Part),
    /// The log is walked where it is now.
    Verifying,
}

/// Hears of what is done now, how much of it is done, and how much there is.
pub type Watch<'w> = dyn FnMut(Doing, u64, u64) + Send + 'w;

/// Copies everything that `to` does not have yet, compares everything, and lets `to` be served from.
///
/// # Errors
/// See [`TransferError`]. Until it is done `to` cannot be served from; of `from` nothing is changed, but what a node on a server
/// of events left unsettled was settled when it was opened, as its next start would.
pub async fn transfer(
    from: &dyn Side,
    to: &dyn Side,
    watch: &mut Watch<'_>,
) -> Result<Transferred, TransferError> {
    if from.is_unfinished().await? {
        return Err(TransferError::SourceUnfinished);
    }
    if is_empty(from).await? {
        return Err(TransferError::NothingToMove);
    }
    let log_id = from.log_id().await?;
    let same_log = to.log_id().await? == log_id;
    let is_finished = match (to.is_unfinished().await?, is_empty(to).await?) {
        (true, false) if !same_log => return Err(TransferError::OfAnotherLog),
        (false, false) if same_log => true,
        (false, false) => return Err(TransferError::NotEmpty),
        (true | false, true) | (true, false) => false,
    };
    let mut written = 0;
    if !is_finished {
        to.begin(log_id).await?;
        for part in Part::ALL {
            written += copy(from, to, part, watch).await?;
        }
    }
    let mut compared = Vec::new();
    for part in Part::ALL {
        compared.push(compare(from, to, part, watch).await?);
    }
    if compared.iter().any(|part| part.from != part.to) {
        return Err(TransferError::Differs(compared));
    }
    let verified = verify(to, watch).await?;
    if !is_finished {
        to.finish().await?;
    }
    Ok(Transferred { verified, parts: compared, written })
}

async fn is_empty(side: &dyn Side) -> Result<bool, TransferError> {
    for part in Part::ALL {
        if !side.rows(part, Which::Last, 1).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a part what it is at `from`, and answers how many rows that took.
async fn copy(
    from: &dyn Side,
    to: &dyn Side,
    part: Part,
    watch: &mut Watch<'_>,
) -> Result<u64, TransferError> {
    let all = from.count(part).await?;
    let mut after = if part.grows_at_its_end() { copied(from, to, part).await? } else { None };
    let (mut done, mut written) = (if after.is_some() { to.count(part).await? } else { 0 }, 0);
    loop {
        watch(Doing::Copying(part), done, all);
        let which = Which::After(after.as_deref());
        let (mut wanted, mut found) =
            (from.rows(part, which, PAGE).await?, to.rows(part, which, PAGE).await?);
        let until = end_of_pages(part, &wanted, &found);
        if let Some(until) = &until {
            wanted.retain(|row| part.key(row) <= until.as_slice());
            found.retain(|row| part.key(row) <= until.as_slice());
        }
        done += wanted.len() as u64;
        let (gone, added) = difference(part, found, wanted);
        if part.only_grows() && !gone.is_empty() {
            return Err(TransferError::AnotherLog(part));
        }
        if !(gone.is_empty() && added.is_empty()) {
            to.replace(part, &gone, &added).await?;
            written += added.len() as u64;
        }
        match until {
            Some(until) => after = Some(until),
            None => {
                watch(Doing::Copying(part), done, all);
                return Ok(written);
            }
        }
    }
}

/// The key of the last row that `to` has of a part that grows at its end; `from` must have it, too.
async fn copied(from: &dyn Side, to: &dyn Side, part: Part) -> Result<Option<Row>, TransferError> {
    let Some(last) = to.rows(part, Which::Last, 1).await?.pop() else { return Ok(None) };
    let key = part.key(&last);
    match from.rows(part, Which::At(key), 1).await?.pop() {
        Some(same) if same == last => Ok(Some(key.to_vec())),
        Some(_) | None => Err(TransferError::AnotherLog(part)),
    }
}

/// Up to which key both pages hold everything that there is; `None` if they reach to the end.
fn end_of_pages(part: Part, one: &[Row], other: &[Row]) -> Option<Row> {
    let end = |page: &[Row]| page.get(PAGE - 1).map(|row| part.key(row).to_vec());
    match (end(one), end(other)) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What is to go of `found`, and what is to be added to it, so that it is `wanted`. Both are in the order of their keys.
fn difference(part: Part, found: Vec<Row>, wanted: Vec<Row>) -> (Vec<Row>, Vec<Row>) {
    let (mut gone, mut added) = (Vec::new(), Vec::new());
    let (mut found, mut wanted) = (found.into_iter().peekable(), wanted.into_iter().peekable());
    loop {
        let order = match (found.peek(), wanted.peek()) {
            (Some(found), Some(wanted)) => part.key(found).cmp(part.key(wanted)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return (gone, added),
        };
        match order {
            Ordering::Less => gone.extend(found.next()),
            Ordering::Greater => added.extend(wanted.next()),
            Ordering::Equal => {
                let (old, new) = (found.next(), wanted.next());
                if old != new {
                    gone.extend(old);
                    added.extend(new);
                }
            }
        }
    }
}

async fn compare(
    from: &dyn Side,
    to: &dyn Side,
    part: Part,
    watch: &mut Watch<'_>,
) -> Result<Compared, TransferError> {
    let all = from.count(part).await? + to.count(part).await?;
    let mut done = 0;
    let mut digests = Vec::new();
    for side in [from, to] {
        digests.push(digest(side, part, &mut |rows| watch(Doing::Comparing(part), done + rows, all)).await?);
        done = digests.iter().map(|digest: &Digest| digest.rows).sum();
    }
    Ok(Compared { part, from: digests[0], to: digests[1] })
}

async fn digest(
    side: &dyn Side,
    part: Part,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Digest, TransferError> {
    let (mut sha256, mut rows, mut after) = (Sha256::new(), 0, None::<Row>);
    loop {
        let page = side.rows(part, Which::After(after.as_deref()), PAGE).await?;
        for row in &page {
            rows += 1;
            part.expect_next(row, rows)?;
            row.iter().for_each(|value| value.absorb(&mut sha256));
        }
        progress(rows);
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(part.key(last).to_vec()),
            Some(_) | None => return Ok(Digest { rows, sha256: sha256.finalize().into() }),
        }
    }
}

async fn verify(side: &dyn Side, watch: &mut Watch<'_>) -> Result<Verified, TransferError> {
    let all = side.count(Part::Entries).await?;
    let mut first = None;
    let verified = side
        .verify(&mut |position| watch(Doing::Verifying, position.get(), all), &mut |defect| {
            first.get_or_insert(defect);
        })
        .await?;
    match first {
        Some(defect) => Err(TransferError::Damaged(verified.defects, defect)),
        None => Ok(verified),
    }
}

fn parts(compared: &[Compared]) -> String {
    let differing = compared.iter().filter(|part| part.from != part.to);
    let named = differing.map(|part| format!("{} ({} and {})", part.part, part.from.rows, part.to.rows));
    named.collect::<Vec<_>>().join(", ")
}
