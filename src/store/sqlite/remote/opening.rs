//! What is looked at before a log is opened: whether files, companion and server are of one log, and reach as far.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _};

use super::keeper::Keeper;
use super::session::Applied;
use super::staged;
use crate::engine::{Engine, EngineEvent};
use crate::error::{OpenError, Place, ReadError};
use crate::position::Position;
use crate::sqlite::reader::Reader;
use crate::sqlite::schema::COMPANION;

/// A node that runs has this long to read what the server has.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 3 });
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The files of the node end before the log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this node has the log up to {here}, and the server of events up to {server}: it catches up when it runs"
)]
struct Behind {
    here: Position,
    server: Position,
}

/// The companion belongs to one log: the server must have the last entry that it knows.
pub(super) fn expect_same_log(applied: &Applied, engine: &dyn Engine) -> Result<(), OpenError> {
    if is_same_log(applied, engine)? {
        return Ok(());
    }
    let detail = "the server of events holds another log than the companion belongs to, or has lost its end";
    let place = Place::Position(applied.position);
    Err(OpenError::Read(ReadError::Corrupt { place, detail: detail.to_owned() }))
}

/// Who only reads would take the end of the files for the end of the log: what is missing in them must be on its way here.
pub(super) fn expect_all(reader: &Reader, keeper: &Keeper, engine: &dyn Engine) -> Result<(), ReadError> {
    let server = engine.head()?;
    let until = Instant::now() + CATCH_UP_WITHIN;
    loop {
        let here = reader.head()?;
        if here >= server {
            return Ok(());
        }
        if Instant::now() >= until {
            // A node that died leaves what it knows of these entries behind, and finishes it; several need not be at one.
            let is_known = keeper.shared().is_some() || !reader.with(staged::all)?.is_empty();
            let behind = || ReadError::Unavailable(Arc::new(Behind { here, server }));
            return Err(if is_known { behind() } else { unknown_entry(here) });
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// What the server has and nobody staged.
pub(super) fn unknown_entry(applied: Position) -> ReadError {
    let detail = "the companion does not know the entry: it is older than the log".to_owned();
    ReadError::Corrupt { place: Place::Position(applied.next()), detail }
}

/// Whether the server has the last entry that these rows know.
pub(super) fn is_same_log(applied: &Applied, engine: &dyn Engine) -> Result<bool, OpenError> {
    let Applied { position, event_id } = *applied;
    let Some(event_id) = event_id else { return Ok(true) };
    let before = Position::new(position.get() - 1);
    let standing = engine.read(before, 1).map_err(ReadError::from)?;
    Ok(standing.first().is_some_and(|event| event.id == event_id))
}

pub(super) fn older_companion(companion: Position, here: Position) -> ReadError {
    let detail = format!(
        "the companion ends at {companion}, and this node has the rows up to {here}: it is an older copy"
    );
    ReadError::Corrupt { place: Place::Position(companion.next()), detail }
}

/// A replica of something else, or a damaged one, is made anew.
pub(super) fn check_replica(file: &Path, engine: &dyn Engine) -> Result<(), OpenError> {
    let newest = |connection: &Connection| -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
        connection
            .query_row("SELECT position, entry FROM events ORDER BY position DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
    };
    let found = newest(&COMPANION.open_to_read(file)?);
    let usable = match found {
        Ok(None) => true,
        Ok(Some((position, entry))) => {
            let event = EngineEvent::new(Position::new(position), entry);
            let before = Position::new(position.saturating_sub(1));
            engine.read(before, 1).map_err(ReadError::from)?.first() == Some(&event)
        }
        Err(error) => {
            tracing::warn!(%error, "reading the replica");
            false
        }
    };
    if usable {
        return Ok(());
    }
    tracing::warn!(file = %file.display(), "the replica is not one of this log, and is made anew");
    COMPANION.renew_attached(file)
}
