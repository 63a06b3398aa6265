//! Verifying the log: its rows, and its indexes against the entries.
//!
//! Everything that is looked at only grows, so it is looked at up to the head at the beginning, and no snapshot is held.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::database::{PostgresDatabase, bounded};
use super::error::read_error;
use super::head::read_tail;
use super::reader::{get, named_stream_of, number, recorded_command};
use super::scan::{Feed, visit_pages};
use crate::commit::RecordedCommand;
use crate::error::{Place, ReadError};
use crate::event::Envelope;
use crate::position::{Position, Revision};
use crate::rows::as_i64;
use crate::tail::Tail;
use crate::verify::{CommandSpan, Counts, Defect, Row, Verified, Verifier};

/// So many events are held against the index of commands at a time.
const CHUNK: i64 = 2_048;
/// Counting the rows of an index walks all of it.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the verifying thread is given: all rows, then the end.
enum Page {
    /// Events, and what the index of commands says of their commands.
    Rows(Vec<PgRow>, HashMap<Uuid, RecordedCommand>),
    End(Tail, Counts),
}

pub(super) fn verify(
    database: &PostgresDatabase,
    progress: &mut dyn FnMut(Position),
    report: &mut dyn FnMut(Defect),
) -> Result<Verified, ReadError> {
    let mut verifier = Verifier::new(report);
    // A command may reach over the end of a page.
    let mut indexed = HashMap::new();
    visit_pages(database, read, |page| {
        match page {
            Page::Rows(events, commands) => {
                for (id, command) in commands {
                    indexed.insert(id, command);
                }
                let mut unfinished = None;
                for row in &events {
                    let position = Position::new(number(row, 0)?);
                    let (ended, command_id) = check_row(&mut verifier, position, row)?;
                    expect_command(&mut verifier, ended, &indexed);
                    unfinished = command_id;
                    progress(position);
                }
                indexed.retain(|id, _| unfinished == Some(*id));
            }
            Page::End(tail, counts) => {
                let ended = verifier.last_command();
                expect_command(&mut verifier, ended, &indexed);
                verifier.expect_counts(&counts);
                verifier.expect_head(tail.head);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(verifier.finish())
}

/// Looks at a row, and answers the command that ended before it, and the one that it belongs to.
fn check_row(
    verifier: &mut Verifier<'_>,
    position: Position,
    row: &PgRow,
) -> Result<(Option<CommandSpan>, Option<Uuid>), ReadError> {
    let entry: &[u8] = get(row, 3)?;
    let ended = verifier.row(&Row {
        position,
        stream_number: get(row, 1)?,
        stream: &named_stream_of(row, 4, || Place::Position(position))?,
        revision: Revision::new(number(row, 2)?),
        entry,
    });
    Ok((ended, command_of(entry)))
}

fn expect_command(
    verifier: &mut Verifier<'_>,
    ended: Option<CommandSpan>,
    indexed: &HashMap<Uuid, RecordedCommand>,
) {
    if let Some(command) = ended {
        verifier.expect_command(command, indexed.get(&command.command_id).copied());
    }
}

fn command_of(entry: &[u8]) -> Option<Uuid> {
    Envelope::parse(entry).ok().map(|envelope| envelope.command_id)
}

async fn read(mut connection: PgConnection, feed: Arc<Feed<Page>>) -> Result<(), ReadError> {
    let (tail, _) = read_tail(&mut connection, None).await?;
    let mut after = 0_i64;
    loop {
        let query = sqlx::query(
            "SELECT position, stream, revision, entry, category, id
             FROM log_events LEFT JOIN streams ON number = stream
             WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
        );
        let query = query.bind(after).bind(as_i64(tail.head.get())).bind(CHUNK);
        let events = bounded(super::database::PATIENCE, query.fetch_all(&mut connection)).await;
        let events = events.map_err(read_error)?;
        let Some(last) = events.last() else { break };
        after = get(last, 0)?;
        let commands = read_commands(&mut connection, &events).await?;
        if feed.push(Page::Rows(events, commands)).await.is_break() {
            return Ok(());
        }
    }
    let counts = read_counts(&mut connection, tail.head).await?;
    let _ = feed.push(Page::End(tail, counts)).await;
    Ok(())
}

async fn read_commands(
    connection: &mut PgConnection,
    events: &[PgRow],
) -> Result<HashMap<Uuid, RecordedCommand>, ReadError> {
    let mut ids = Vec::new();
    for row in events {
        let id = command_of(get(row, 3)?);
        if id.is_some() && ids.last() != id.as_ref() {
            ids.extend(id);
        }
    }
    let query = sqlx::query(
        "SELECT command_id, first_position, last_position FROM commands WHERE command_id = ANY ($1)",
    );
    let query = query.bind(ids).fetch_all(connection);
    let rows = bounded(super::database::PATIENCE, query).await.map_err(read_error)?;
    rows.iter().map(|row| Ok((get(row, 0)?, recorded_command(row, 1)?))).collect()
}

async fn read_counts(connection: &mut PgConnection, head: Position) -> Result<Counts, ReadError> {
    let query = sqlx::query(
        "SELECT (SELECT count(*) FROM streams WHERE number <= $1),
                (SELECT count(*) FROM commands WHERE first_position <= $1),
                (SELECT count(*) FROM claims
                 WHERE NOT EXISTS (SELECT FROM streams WHERE streams.number = claims.stream))",
    );
    let query = query.bind(as_i64(head.get())).fetch_one(connection);
    let row = bounded(PATIENCE, query).await.map_err(read_error)?;
    Ok(Counts { streams: number(&row, 0)?, commands: number(&row, 1)?, orphaned_claims: number(&row, 2)? })
}
