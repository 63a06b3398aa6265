//! Reading activity. Times ascend with the positions, so that a time is a position, found by binary search: no index on
//! the time is kept.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::types::{Type, Value};
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};

use crate::activity::vouchers::Counted;
use crate::activity::{
    Activity, ActivityFilter, ActivityPage, ClosedSegment, KeptVoucher, RecordedActivity, SealedSource,
    SegmentNumber,
};
use crate::commit::Outcome;
use crate::position::Position;
use crate::rows::as_i64;

pub(super) fn read(
    connection: &Connection,
    filter: &ActivityFilter,
    page: ActivityPage,
) -> rusqlite::Result<Vec<RecordedActivity>> {
    let mut sql =
        "SELECT position, at, kind, outcome, reason, environment, client, credential, request_id, count,
                          since, source_token, source, token, grant_id, scope
                   FROM activity WHERE position > ? AND position < ?"
            .to_owned();
    let after = match filter.from {
        Some(from) => first_at(connection, from.as_microsecond())?.saturating_sub(1).max(page.after.get()),
        None => page.after.get(),
    };
    let before = match filter.to {
        Some(to) => Some(first_at(connection, to.as_microsecond())?),
        None => None,
    };
    let before = page.before.map(Position::get).into_iter().chain(before).min().unwrap_or(u64::MAX);
    let mut parameters: Vec<Value> = vec![as_i64(after).into(), as_i64(before).into()];
    for (column, wanted) in filter.texts() {
        sql.push_str(&format!(" AND {column} = ?"));
        parameters.push(wanted.to_owned().into());
    }
    if let Some(tokens) = &filter.source_tokens {
        sql.push_str(" AND source_token IN (");
        sql.push_str(&vec!["?"; tokens.len()].join(", "));
        sql.push(')');
        parameters.extend(tokens.iter().cloned().map(Value::from));
    }
    match filter.outcome {
        // Written out, so that the index of refusals is known to hold them all.
        Some(Outcome::Refused) => sql.push_str(" AND outcome = 'refused'"),
        Some(Outcome::Done) => sql.push_str(" AND outcome = 'done'"),
        None => {}
    }
    let order = if page.ascending { "ASC" } else { "DESC" };
    sql.push_str(&format!(" ORDER BY position {order} LIMIT {}", page.limit));
    connection.prepare_cached(&sql)?.query_map(params_from_iter(parameters), recorded)?.collect()
}

pub(super) fn last_used(
    connection: &Connection,
    by: &str,
    ids: &[String],
) -> rusqlite::Result<HashMap<String, Timestamp>> {
    let ids = Value::Text(serde_json::Value::from(ids).to_string());
    connection.prepare_cached(by)?.query_map([ids], |row| Ok((row.get(0)?, time(row, 1)?)))?.collect()
}

pub(super) fn voucher(
    connection: &Connection,
    kind: &str,
    id: &str,
) -> rusqlite::Result<Option<KeptVoucher>> {
    connection
        .prepare_cached("SELECT data, expires_at, spent_at FROM vouchers WHERE kind = ?1 AND id = ?2")?
        .query_row([kind, id], |row| {
            let spent_at = row.get::<_, Option<i64>>(2)?.map(|_| time(row, 2)).transpose()?;
            Ok(KeptVoucher { data: row.get(0)?, expires_at: time(row, 1)?, spent_at })
        })
        .optional()
}

/// As many ids of a kind, if there are so many.
pub(super) fn voucher_ids(
    connection: &Connection,
    kind: &str,
    most: usize,
) -> rusqlite::Result<HashSet<String>> {
    connection
        .prepare_cached("SELECT id FROM vouchers WHERE kind = ?1 LIMIT ?2")?
        .query_map((kind, as_i64(most as u64)), |row| row.get(0))?
        .collect()
}

pub(super) fn counted(connection: &Connection, key: &str) -> rusqlite::Result<Option<Counted>> {
    connection
        .prepare_cached("SELECT count, expires_at FROM counts WHERE key = ?1")?
        .query_row([key], |row| Ok(Counted { count: row.get(0)?, expires_at: time(row, 1)? }))
        .optional()
}

pub(super) fn segment_to_close(
    connection: &Connection,
    now: Timestamp,
) -> rusqlite::Result<Option<(SegmentNumber, Position, Position)>> {
    let closed = "SELECT coalesce(max(last_position), 0) FROM segments";
    let closed: u64 = connection.query_row(closed, [], |row| row.get(0))?;
    let next = "SELECT position, at FROM activity WHERE position > ?1 ORDER BY position LIMIT 1";
    let next = connection
        .query_row(next, [as_i64(closed)], |row| Ok((row.get::<_, u64>(0)?, time(row, 1)?)))
        .optional()?;
    let Some((first, at)) = next else { return Ok(None) };
    let number = SegmentNumber::at(at);
    if number >= SegmentNumber::at(now) {
        return Ok(None);
    }
    let end = first_at(connection, number.end())?;
    Ok(Some((number, Position::new(first), Position::new(end - 1))))
}

pub(super) fn closed_segments(
    connection: &Connection,
    after: Option<SegmentNumber>,
    limit: usize,
) -> rusqlite::Result<Vec<ClosedSegment>> {
    let after = after.map_or(i64::MIN, SegmentNumber::get);
    connection
        .prepare_cached(
            "SELECT number, first_position, last_position, root FROM segments WHERE number > ?1
             ORDER BY number LIMIT ?2",
        )?
        .query_map([after, as_i64(limit as u64)], |row| {
            Ok(ClosedSegment {
                number: SegmentNumber::new(row.get(0)?),
                first: Position::new(row.get(1)?),
                last: Position::new(row.get(2)?),
                root: row.get(3)?,
            })
        })?
        .collect()
}

/// The position of the first record at `moment` or later; behind the last one if there is none.
fn first_at(connection: &Connection, moment: i64) -> rusqlite::Result<u64> {
    // One aggregate to a statement: both in one would walk the table.
    let bounds = "SELECT coalesce((SELECT min(position) FROM activity), 1),
                         coalesce((SELECT max(position) FROM activity), 0) + 1";
    let (mut low, mut high): (u64, u64) =
        connection.prepare_cached(bounds)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut at = connection.prepare_cached("SELECT at FROM activity WHERE position = ?1")?;
    while low < high {
        let middle = low.midpoint(high);
        let found: i64 = at.query_row([as_i64(middle)], |row| row.get(0))?;
        if found < moment { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<RecordedActivity> {
    let token: Option<Vec<u8>> = row.get(11)?;
    let sealed: Option<Vec<u8>> = row.get(12)?;
    Ok(RecordedActivity {
        position: Position::new(row.get(0)?),
        at: time(row, 1)?,
        activity: Activity {
            kind: row.get(2)?,
            outcome: outcome(row, 3)?,
            reason: row.get(4)?,
            environment: row.get(5)?,
            client: row.get(6)?,
            credential: row.get(7)?,
            token: row.get(13)?,
            grant: row.get(14)?,
            scope: row.get(15)?,
            request_id: row.get(8)?,
            count: row.get(9)?,
            since: row.get::<_, Option<i64>>(10)?.map(|_| time(row, 10)).transpose()?,
            source: token.zip(sealed).map(|(token, sealed)| SealedSource { token, sealed }),
        },
    })
}

fn outcome(row: &Row<'_>, column: usize) -> rusqlite::Result<Outcome> {
    match row.get_ref(column)?.as_str()? {
        "done" => Ok(Outcome::Done),
        "refused" => Ok(Outcome::Refused),
        other => {
            let error = format!("`{other}` is no outcome").into();
            Err(rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error))
        }
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let microseconds: i64 = row.get(column)?;
    Timestamp::from_microsecond(microseconds)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, microseconds))
}
