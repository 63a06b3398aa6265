//! Verifying `log.db`: its structure, its rows, and its indexes against the entries.

use rusqlite::Connection;

use super::reader::{find_command, read_error};
use crate::error::{Place, ReadError};
use crate::position::{Position, Revision};
use crate::rows::stream_name;
use crate::verify::{CommandSpan, Counts, Defect, Row, Verified, Verifier};

/// After so many complaints SQLite has said enough about a damaged file.
const MAX_STRUCTURAL: &str = "PRAGMA integrity_check(20)";

pub(super) fn verify(
    connection: &Connection,
    progress: &mut dyn FnMut(Position),
    report: &mut dyn FnMut(Defect),
) -> Result<Verified, ReadError> {
    // One snapshot for all that is compared with each other.
    let snapshot = connection.unchecked_transaction().map_err(read_error)?;
    verify_snapshot(&snapshot, progress, report)
}

pub(super) fn verify_snapshot(
    snapshot: &Connection,
    progress: &mut dyn FnMut(Position),
    report: &mut dyn FnMut(Defect),
) -> Result<Verified, ReadError> {
    let mut verifier = Verifier::new(report);
    check_structure(snapshot, &mut verifier)?;
    check_rows(snapshot, progress, &mut verifier)?;
    check_counts(snapshot, &mut verifier)?;
    Ok(verifier.finish())
}

fn check_structure(connection: &Connection, verifier: &mut Verifier<'_>) -> Result<(), ReadError> {
    let mut statement = connection.prepare(MAX_STRUCTURAL).map_err(read_error)?;
    let complaints = statement.query_map([], |row| row.get::<_, String>(0)).map_err(read_error)?;
    for complaint in complaints {
        let complaint = complaint.map_err(read_error)?;
        if complaint != "ok" {
            verifier.report(Defect::Structure(complaint));
        }
    }
    Ok(())
}

fn check_rows(
    connection: &Connection,
    progress: &mut dyn FnMut(Position),
    verifier: &mut Verifier<'_>,
) -> Result<(), ReadError> {
    let mut statement = connection
        .prepare(
            "SELECT position, stream, revision, entry, name FROM events LEFT JOIN streams ON number = stream
             ORDER BY position",
        )
        .map_err(read_error)?;
    let mut rows = statement.query([]).map_err(read_error)?;
    while let Some(row) = rows.next().map_err(read_error)? {
        let position = Position::new(row.get(0).map_err(read_error)?);
        let name: Option<String> = row.get(4).map_err(read_error)?;
        let entry: Vec<u8> = row.get(3).map_err(read_error)?;
        let ended = verifier.row(&Row {
            position,
            stream_number: row.get(1).map_err(read_error)?,
            stream: &stream_name(Place::Position(position), name.as_deref())?,
            revision: Revision::new(row.get(2).map_err(read_error)?),
            entry: &entry,
        });
        check_command(connection, verifier, ended)?;
        progress(position);
    }
    let ended = verifier.last_command();
    check_command(connection, verifier, ended)
}

fn check_command(
    connection: &Connection,
    verifier: &mut Verifier<'_>,
    ended: Option<CommandSpan>,
) -> Result<(), ReadError> {
    let Some(command) = ended else { return Ok(()) };
    let indexed = find_command(connection, command.command_id).map_err(read_error)?;
    verifier.expect_command(command, indexed);
    Ok(())
}

fn check_counts(connection: &Connection, verifier: &mut Verifier<'_>) -> Result<(), ReadError> {
    let count = |sql: &str| -> Result<u64, ReadError> {
        connection.query_row(sql, [], |row| row.get(0)).map_err(read_error)
    };
    let counts = Counts {
        streams: count("SELECT count(*) FROM streams")?,
        commands: count("SELECT count(*) FROM commands")?,
        orphaned_claims: count(
            "SELECT count(*) FROM claims WHERE stream NOT IN (SELECT number FROM streams)",
        )?,
    };
    verifier.expect_counts(&counts);
    Ok(())
}
