//! The writer's work on one connection. A session ends with its first failure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::reader;
use crate::activity::request::Asked;
use crate::activity::vouchers::Staged;
use crate::activity::{
    Activity, ActivityCommit, ActivityError, ClosedSegment, MOST_FORGOTTEN, VoucherChange,
};
use crate::commit::Outcome;
use crate::position::Position;
use crate::rows::as_i64;

/// A page of the database, to estimate how many the write-ahead log grew by.
const PAGE: usize = 4_096;
/// About what a record takes, its places in the indexes among it.
const RECORD: usize = 512;
/// Tables and indexes, each of which a transaction touches in one place at least.
const PAGES_OF_A_TRANSACTION: usize = 7;

/// The end of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) head: Position,
    /// No record may be earlier: the time of the last one, and where the last closed segment ends.
    not_before: i64,
}

impl Tail {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let newest = "SELECT position, at FROM activity ORDER BY position DESC LIMIT 1";
        let newest: Option<(u64, i64)> =
            connection.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (head, last_at) = newest.unwrap_or((0, i64::MIN));
        let closed: Option<i64> =
            connection.query_row("SELECT max(number) FROM segments", [], |row| row.get(0))?;
        let closed = closed.map_or(i64::MIN, |number| crate::activity::SegmentNumber::new(number).end());
        Ok(Self { head: Position::new(head), not_before: last_at.max(closed) })
    }
}

/// One connection with its statements, and where the log ends with what it wrote.
pub(super) struct Session<'c> {
    connection: &'c Connection,
    statements: Statements<'c>,
    tail: Tail,
}

struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    record: Statement<'c>,
    used: Statement<'c>,
    digest: Statement<'c>,
    voucher: Statement<'c>,
    count: Statement<'c>,
}

/// What a transaction did.
pub(super) struct Written {
    /// Where the log ended after each request, or why the request was refused.
    pub(super) outcomes: Vec<Result<Position, ActivityError>>,
    /// About how many pages it wrote.
    pub(super) pages: usize,
}

impl<'c> Session<'c> {
    pub(super) fn start(connection: &'c Connection) -> rusqlite::Result<Self> {
        let statements = Statements {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            record: connection.prepare(
                "INSERT INTO activity (position, at, kind, outcome, reason, environment, client, credential,
                                       token, grant_id, scope, request_id, count, since, source_token, source)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?,
            used: connection.prepare(
                "INSERT INTO last_used (credential, client, at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (credential) DO UPDATE SET at = excluded.at",
            )?,
            digest: connection.prepare(
                "INSERT INTO verified (credential, digest) VALUES (?1, ?2)
                 ON CONFLICT (credential) DO UPDATE SET digest = excluded.digest",
            )?,
            voucher: connection.prepare(
                "INSERT INTO vouchers (kind, id, data, expires_at, spent_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at,
                     spent_at = excluded.spent_at",
            )?,
            count: connection.prepare(
                "INSERT INTO counts (key, count, expires_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET count = excluded.count, expires_at = excluded.expires_at",
            )?,
        };
        let tail = Tail::read(connection)?;
        Ok(Self { connection, statements, tail })
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    pub(super) fn head(&self) -> Position {
        self.tail.head
    }

    /// Writes everything in one durable transaction, or fails; a failed one dies with its connection.
    pub(super) fn write<'a>(
        &mut self,
        requests: impl Iterator<Item = &'a Asked>,
        now: Timestamp,
    ) -> rusqlite::Result<Written> {
        self.statements.begin.execute([])?;
        let (mut outcomes, mut records) = (Vec::new(), 0);
        let mut staged = Staged::default();
        let mut used = BTreeMap::new();
        for asked in requests {
            let admitted = match asked {
                Asked::Record(commit) => self.admit(&mut staged, commit, now)?,
                Asked::Close(_) | Asked::Forget(_) => Ok(()),
            };
            if let Err(refused) = admitted {
                outcomes.push(Err(refused));
                continue;
            }
            match asked {
                Asked::Record(commit) => {
                    records += commit.records.len() + commit.vouchers.len();
                    self.record(commit, now)?;
                    used.extend(commit.records.iter().flat_map(uses_in));
                }
                Asked::Close(segment) => self.close(segment)?,
                Asked::Forget(ended_before) => self.forget(*ended_before)?,
            }
            outcomes.push(Ok(self.tail.head));
        }
        for (credential, client) in used {
            self.statements.used.execute(params![credential, client, self.tail.not_before])?;
        }
        for ((kind, id), kept) in staged.changed_vouchers() {
            let (end, spent) =
                (kept.expires_at.as_microsecond(), kept.spent_at.map(Timestamp::as_microsecond));
            self.statements.voucher.execute(params![kind, id, kept.data, end, spent])?;
        }
        for (key, counted) in staged.changed_counts() {
            let (count, end) = (as_i64(counted.count), counted.expires_at.as_microsecond());
            self.statements.count.execute(params![key, count, end])?;
        }
        self.statements.commit.execute([])?;
        Ok(Written { outcomes, pages: PAGES_OF_A_TRANSACTION + records * RECORD / PAGE })
    }

    /// Looks at what a commit would change, unless that is known from an earlier one of the batch, and makes its changes or
    /// none.
    fn admit(
        &self,
        staged: &mut Staged,
        commit: &ActivityCommit,
        now: Timestamp,
    ) -> rusqlite::Result<Result<(), ActivityError>> {
        if commit.vouchers.is_empty() && commit.counts.is_empty() {
            return Ok(Ok(()));
        }
        for key in commit.vouchers.iter().map(VoucherChange::key) {
            if !staged.knows_voucher(&key) {
                let kept = reader::voucher(self.connection, key.0, &key.1)?;
                staged.voucher_is(key, kept);
            }
        }
        for count in &commit.counts {
            if !staged.knows_count(&count.key) {
                staged.count_is(count.key.clone(), reader::counted(self.connection, &count.key)?);
            }
        }
        let not_before = Timestamp::from_microsecond(self.tail.not_before).unwrap_or(now);
        Ok(staged.admit(commit, now.max(not_before)))
    }

    fn forget(&self, ended_before: Timestamp) -> rusqlite::Result<()> {
        let (end, most) = (ended_before.as_microsecond(), as_i64(MOST_FORGOTTEN));
        self.connection
            .prepare_cached(
                "DELETE FROM vouchers WHERE (kind, id) IN
                 (SELECT kind, id FROM vouchers WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
            )?
            .execute(params![end, most])?;
        self.connection.prepare_cached("DELETE FROM counts WHERE expires_at < ?1")?.execute([end])?;
        Ok(())
    }

    fn record(&mut self, commit: &ActivityCommit, now: Timestamp) -> rusqlite::Result<()> {
        let at = now.as_microsecond().max(self.tail.not_before);
        for record in &commit.records {
            self.tail = Tail { head: self.tail.head.next(), not_before: at };
            let Activity { kind, outcome, reason, environment, client, credential, .. } = record;
            self.statements.record.execute(params![
                as_i64(self.tail.head.get()),
                at,
                kind,
                outcome.as_str(),
                reason,
                environment,
                client,
                credential,
                record.token,
                record.grant,
                record.scope,
                record.request_id,
                as_i64(record.count),
                record.since.map(Timestamp::as_microsecond),
                record.source.as_ref().map(|source| &source.token),
                record.source.as_ref().map(|source| &source.sealed),
            ])?;
        }
        for digest in &commit.digests {
            self.statements.digest.execute(params![digest.credential, digest.digest])?;
        }
        Ok(())
    }

    fn close(&mut self, segment: &ClosedSegment) -> rusqlite::Result<()> {
        let ClosedSegment { number, first, last, root } = segment;
        // A record may have come in since the root was computed, if the clock was set back: then it is not closed yet.
        let (first, last) = (as_i64(first.get()), as_i64(last.get()));
        self.connection
            .prepare_cached(
                "INSERT INTO segments (number, first_position, last_position, root)
                 SELECT ?1, ?2, ?3, ?4
                 WHERE NOT EXISTS (SELECT 1 FROM activity WHERE position = ?3 + 1 AND at < ?5)
                 ON CONFLICT (number) DO NOTHING",
            )?
            .execute(params![number.get(), first, last, root, number.end()])?;
        self.tail.not_before = self.tail.not_before.max(number.end());
        Ok(())
    }
}

/// What a record is a use of, and whose that is: of a credential, and of a client itself, for not each client has one, and two
/// may have the same key. Many records of a transaction may be uses of one.
fn uses_in(record: &Activity) -> impl Iterator<Item = (&str, &str)> {
    let done = record.outcome == Outcome::Done;
    let client = record.client.as_deref().filter(|_| done);
    // A personal token is no client's.
    let credential = record.credential.as_deref().filter(|_| done);
    let of_credential = credential.map(|credential| (credential, client.unwrap_or_default()));
    of_credential.into_iter().chain(client.map(|client| (client, client)))
}
