//! Reading activity.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder};

use crate::activity::{
    Activity, ActivityFilter, ActivityPage, ClosedSegment, KeptVoucher, RecordedActivity, SealedSource,
    SegmentNumber,
};
use crate::commit::Outcome;
use crate::error::ReadError;
use crate::position::Position;
use crate::postgres::database::PostgresDatabase;
use crate::postgres::error::read_error;
use crate::postgres::reader::{get, number};
use crate::rows::as_i64;

pub(super) async fn digest(
    database: &PostgresDatabase,
    credential: &str,
) -> Result<Option<Vec<u8>>, ReadError> {
    let query = sqlx::query("SELECT digest FROM verified WHERE credential = $1").bind(credential);
    database.rows(query).await?.first().map(|row| get(row, 0)).transpose()
}

pub(super) async fn voucher(
    database: &PostgresDatabase,
    kind: &str,
    id: &str,
) -> Result<Option<KeptVoucher>, ReadError> {
    let query = sqlx::query("SELECT data, expires_at, spent_at FROM vouchers WHERE kind = $1 AND id = $2");
    let rows = database.rows(query.bind(kind).bind(id)).await?;
    rows.first().map(|row| kept(row, 0)).transpose()
}

/// A voucher, whose columns begin at `first`.
pub(super) fn kept(row: &PgRow, first: usize) -> Result<KeptVoucher, ReadError> {
    let spent_at: Option<i64> = get(row, first + 2)?;
    Ok(KeptVoucher {
        data: get(row, first)?,
        expires_at: time(row, first + 1)?,
        spent_at: spent_at.map(moment).transpose()?,
    })
}

pub(super) async fn counted(database: &PostgresDatabase, key: &str) -> Result<u64, ReadError> {
    let query = sqlx::query("SELECT count FROM counts WHERE key = $1").bind(key);
    database.rows(query).await?.first().map_or(Ok(0), |row| number(row, 0))
}

pub(super) async fn head(database: &PostgresDatabase) -> Result<Position, ReadError> {
    let row = database.row(sqlx::query("SELECT position FROM activity_head")).await?;
    Ok(Position::new(number(&row, 0)?))
}

pub(super) async fn read(
    database: &PostgresDatabase,
    filter: &ActivityFilter,
    page: ActivityPage,
) -> Result<Vec<RecordedActivity>, ReadError> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT position, at, kind, outcome, reason, environment, client, credential, request_id, count,
                since, source_token, source, token, grant_id, scope
         FROM activity WHERE position > ",
    );
    query.push_bind(as_i64(page.after.get()));
    if let Some(before) = page.before {
        query.push(" AND position < ").push_bind(as_i64(before.get()));
    }
    // Asked once and not for each row, as a subquery is.
    if let Some(from) = filter.from {
        query.push(" AND position >= (SELECT first_activity_at(");
        query.push_bind(from.as_microsecond()).push("))");
    }
    if let Some(to) = filter.to {
        query.push(" AND position < (SELECT first_activity_at(");
        query.push_bind(to.as_microsecond()).push("))");
    }
    for (column, wanted) in filter.texts() {
        query.push(format!(" AND {column} = ")).push_bind(wanted);
    }
    if let Some(tokens) = &filter.source_tokens {
        query.push(" AND source_token = ANY (").push_bind(tokens).push(")");
    }
    match filter.outcome {
        // Written out, so that the index of refusals is known to hold them all.
        Some(Outcome::Refused) => query.push(" AND outcome = 'refused'"),
        Some(Outcome::Done) => query.push(" AND outcome = 'done'"),
        None => &mut query,
    };
    query.push(if page.ascending { " ORDER BY position ASC" } else { " ORDER BY position DESC" });
    query.push(" LIMIT ").push_bind(as_i64(page.limit as u64));
    database.rows(query.build()).await?.iter().map(recorded).collect()
}

pub(super) async fn last_used(
    database: &PostgresDatabase,
    by: &str,
    ids: &[String],
) -> Result<HashMap<String, Timestamp>, ReadError> {
    let rows = database.rows(sqlx::query(by).bind(ids)).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, time(row, 1)?))).collect()
}

pub(super) async fn segment_to_close(
    database: &PostgresDatabase,
    now: Timestamp,
) -> Result<Option<(SegmentNumber, Position, Position)>, ReadError> {
    let next = "SELECT position, at FROM activity
                WHERE position > (SELECT coalesce(max(last_position), 0) FROM segments)
                ORDER BY position LIMIT 1";
    let next = database.rows(sqlx::query(next)).await?;
    let Some(next) = next.first() else { return Ok(None) };
    let (first, segment) = (Position::new(number(next, 0)?), SegmentNumber::at(time(next, 1)?));
    if segment >= SegmentNumber::at(now) {
        return Ok(None);
    }
    let end = sqlx::query("SELECT first_activity_at($1)").bind(segment.end());
    let end = number(&database.row(end).await?, 0)?;
    Ok(Some((segment, first, Position::new(end - 1))))
}

pub(super) async fn closed_segments(
    database: &PostgresDatabase,
    after: Option<SegmentNumber>,
    limit: usize,
) -> Result<Vec<ClosedSegment>, ReadError> {
    let query = sqlx::query(
        "SELECT number, first_position, last_position, root FROM segments WHERE number > $1
         ORDER BY number LIMIT $2",
    );
    let after = after.map_or(i64::MIN, SegmentNumber::get);
    let rows = database.rows(query.bind(after).bind(as_i64(limit as u64))).await?;
    let segment = |row: &PgRow| {
        Ok(ClosedSegment {
            number: SegmentNumber::new(get(row, 0)?),
            first: Position::new(number(row, 1)?),
            last: Position::new(number(row, 2)?),
            root: get(row, 3)?,
        })
    };
    rows.iter().map(segment).collect()
}

fn recorded(row: &PgRow) -> Result<RecordedActivity, ReadError> {
    let (token, sealed): (Option<Vec<u8>>, Option<Vec<u8>>) = (get(row, 11)?, get(row, 12)?);
    let since: Option<i64> = get(row, 10)?;
    Ok(RecordedActivity {
        position: Position::new(number(row, 0)?),
        at: time(row, 1)?,
        activity: Activity {
            kind: get(row, 2)?,
            outcome: outcome(row, 3)?,
            reason: get(row, 4)?,
            environment: get(row, 5)?,
            client: get(row, 6)?,
            credential: get(row, 7)?,
            token: get(row, 13)?,
            grant: get(row, 14)?,
            scope: get(row, 15)?,
            request_id: get(row, 8)?,
            count: number(row, 9)?,
            since: since.map(moment).transpose()?,
            source: token.zip(sealed).map(|(token, sealed)| SealedSource { token, sealed }),
        },
    })
}

fn outcome(row: &PgRow, column: usize) -> Result<Outcome, ReadError> {
    match get(row, column)? {
        "done" => Ok(Outcome::Done),
        "refused" => Ok(Outcome::Refused),
        other => Err(read_error(sqlx::Error::Decode(format!("`{other}` is no outcome").into()))),
    }
}

pub(super) fn time(row: &PgRow, column: usize) -> Result<Timestamp, ReadError> {
    moment(get(row, column)?)
}

fn moment(microseconds: i64) -> Result<Timestamp, ReadError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| read_error(sqlx::Error::Decode(Box::new(error))))
}
