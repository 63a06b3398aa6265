//! The bare probe: the least that a durable log on SQLite does.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};

use crate::measure::{Result, Round, Sample};

/// Rows as long as our entries in a table with an integer key, so many a transaction, and nothing else.
pub fn round(
    directory: &Path,
    entry_bytes: usize,
    rows_per_transaction: usize,
    time: Duration,
) -> Result<Sample> {
    let directory = tempfile::tempdir_in(directory)?;
    let connection = Connection::open(directory.path().join("events.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE events (position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, revision INTEGER NOT NULL, entry BLOB NOT NULL)",
    )?;
    let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
    let mut insert =
        connection.prepare("INSERT INTO events (stream, revision, entry) VALUES (?1, ?2, ?3)")?;
    let mut commit = connection.prepare("COMMIT")?;
    let entry = vec![b'x'; entry_bytes];
    let (mut rows, mut latencies) = (0, Vec::new());
    let round = Round::begin("self")?;
    while round.elapsed() < time {
        let began = Instant::now();
        begin.execute([])?;
        for _ in 0..rows_per_transaction {
            rows += 1;
            insert.execute(params![rows / 10, rows % 10 + 1, entry])?;
        }
        commit.execute([])?;
        latencies.push(began.elapsed());
    }
    round.end(latencies, rows)
}
