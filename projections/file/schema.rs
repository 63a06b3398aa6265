//! What a views file is made of, and whether one is made of that.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension};
use store::Position;

use super::Unusable;
use crate::digest::{hex, sha256};
use crate::projection::Projection;
use crate::reader::as_unsigned;

/// The tables that the file keeps about itself.
const FILE: &str = include_str!("../../migrations/views/file.sql");

/// Creates all tables in an empty database, with every view before the first event. Indexes come later.
pub(crate) fn create(views: &Connection, projections: &[Box<dyn Projection>]) -> Result<(), rusqlite::Error> {
    let transaction = views.unchecked_transaction()?;
    transaction.execute_batch(FILE)?;
    transaction.execute(
        "INSERT INTO meta (one, schema_digest, tail_position) VALUES (1, ?1, 0)",
        [digest(projections)],
    )?;
    for projection in projections {
        transaction.execute_batch(projection.schema())?;
        transaction
            .execute("INSERT INTO checkpoint (projection, position) VALUES (?1, 0)", [projection.name()])?;
    }
    transaction.commit()
}

/// Whether the file has the schema of this binary.
pub(super) fn check(views: &Connection) -> Result<(), Unusable> {
    let found: Option<String> =
        views.query_row("SELECT schema_digest FROM meta", [], |row| row.get(0)).optional()?;
    if found == Some(digest(&crate::all())) { Ok(()) } else { Err(Unusable::AnotherSchema) }
}

/// The last event that was folded into the file: its position and the digest of its entry.
pub(super) fn tail(views: &Connection) -> Result<Option<(Position, [u8; 32])>, rusqlite::Error> {
    views.query_row("SELECT tail_position, tail_digest FROM meta", [], |row| {
        let digest: Option<[u8; 32]> = row.get(1)?;
        Ok(Some(Position::new(as_unsigned(row.get(0)?))).zip(digest))
    })
}

/// Everything that makes a file another file: all SQL, and the meanings that it does not show.
fn digest(projections: &[Box<dyn Projection>]) -> String {
    let mut schema = FILE.to_owned();
    for projection in projections {
        let (name, version) = (projection.name(), projection.view_version());
        let _ = write!(schema, "\0{name} {version}\0{}\0{}", projection.schema(), projection.indexes());
    }
    hex(&sha256(schema.as_bytes()))
}
