//! From times to positions.
//!
//! Recorded times ascend with the positions, except where the clock was set back, and there the log says so. Between
//! two such places a binary search over the rows finds the first event of any time: no index on the time is kept.

use std::ops::Range;

use jiff::Timestamp;
use rusqlite::Connection;

use super::words;
use crate::projection::CLOCK_STEPPED;

/// The runs of positions whose events were recorded at `from` or later and before `to`, in ascending order.
pub(super) fn positions(
    views: &Connection,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Vec<Range<i64>>, rusqlite::Error> {
    let mut ranges: Vec<Range<i64>> = Vec::new();
    for stretch in stretches(views)? {
        let start = from.map_or(Ok(stretch.start), |from| first_at(views, stretch.clone(), from))?;
        let end = to.map_or(Ok(stretch.end), |to| first_at(views, stretch.clone(), to))?;
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end.max(start),
            Some(_) | None if start < end => ranges.push(start..end),
            Some(_) | None => {}
        }
    }
    Ok(ranges)
}

/// The stretches of the log over which the recorded time never goes back.
fn stretches(views: &Connection) -> Result<Vec<Range<i64>>, rusqlite::Error> {
    let end: Option<i64> = views.query_row("SELECT max(position) FROM audit_events", [], |row| row.get(0))?;
    let mut starts = vec![1];
    if let Some(stepped) = words::find(views, CLOCK_STEPPED)? {
        let mut statement =
            views.prepare_cached("SELECT position FROM audit_events WHERE type = ?1 ORDER BY position")?;
        for start in statement.query_map([stepped], |row| row.get(0))? {
            starts.push(start?);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([end.unwrap_or(0) + 1]);
    Ok(starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect())
}

/// The first position of a stretch whose event was recorded at `moment` or later; the stretch's end if there is none.
fn first_at(views: &Connection, stretch: Range<i64>, moment: Timestamp) -> Result<i64, rusqlite::Error> {
    let mut statement = views.prepare_cached("SELECT at FROM audit_events WHERE position = ?1")?;
    let (mut low, mut high) = (stretch.start, stretch.end);
    while low < high {
        let middle = low + (high - low) / 2;
        let at: i64 = statement.query_row([middle], |row| row.get(0))?;
        if at < moment.as_microsecond() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
