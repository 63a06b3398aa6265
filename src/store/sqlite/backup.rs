//! A copy of log, activity and keys, beside a service that writes on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::DataDirectory;
use super::schema::{ACTIVITY, KEYS, Schema};
use crate::error::BackUpError;
use crate::position::Position;

/// Pages that are copied between two looks at how far it is.
const PAGES: i32 = 1_024;
/// How long to wait for somebody who is opening or closing the file.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// Nobody erases people all the time.
const ATTEMPTS: usize = 5;

/// Where the files of a back-up go.
#[derive(Clone, Copy, Debug)]
pub struct BackUpTo<'a> {
    /// The log.
    pub log: &'a Path,
    /// What clients did.
    pub activity: &'a Path,
    /// The keys.
    pub keys: &'a Path,
}

/// What a back-up holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// Which log it is, for as long as it exists.
    pub log_id: [u8; 16],
    /// The last event of the copy.
    pub position: Position,
}

impl DataDirectory {
    /// Copies the log, then the activity, then the keys into new files. `progress` hears of pages of a file that are
    /// copied and of all it has.
    ///
    /// The order is what makes the copies agree, each of which is of a moment of its own. A segment of activity is closed
    /// before the log says so: whatever the copied log says of segments, the activity copied after it holds, and a segment
    /// that only the activity has closed is told of at the next start. Whatever log and activity refer to was sealed
    /// under a key that was there before: it is among the keys copied last. Unless somebody is erased in between, of whom the
    /// copied log would not say why there is no key: then all is copied again.
    ///
    /// The copies have no write-ahead log. Whoever calls makes the directories durable.
    ///
    /// # Errors
    /// When a file cannot be read or written, or people were erased during each attempt. What was copied so far stays, and is
    /// no back-up.
    pub fn back_up(
        &self,
        to: BackUpTo<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackedUp, BackUpError> {
        for _ in 0..ATTEMPTS {
            let failed = |source| BackUpError::Copy { from: self.keys(), to: to.keys.to_owned(), source };
            let known = persons(&KEYS.open_to_read(&self.keys())?).map_err(failed)?;
            let copied = self.copy_log(to.log, progress)?;
            copy(&ACTIVITY, &self.activity(), to.activity, progress)?;
            let keys = copy(&KEYS, &self.keys(), to.keys, progress)?;
            if known.is_subset(&persons(&keys).map_err(failed)?) {
                return Ok(copied);
            }
            tracing::info!("somebody was erased during the back-up: it is begun again");
        }
        Err(BackUpError::Erasing)
    }

    fn copy_log(&self, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<BackedUp, BackUpError> {
        let copied = copy(self.log_schema(), &self.log(), to, progress)?;
        let state = copied.query_row(self.log_file().state(), [], |row| {
            Ok(BackedUp { log_id: row.get(0)?, position: Position::new(row.get(1)?) })
        });
        state.map_err(|source| BackUpError::Copy { from: self.log(), to: to.to_owned(), source })
    }
}

fn persons(keys: &Connection) -> rusqlite::Result<HashSet<[u8; 16]>> {
    keys.prepare("SELECT person FROM person_keys")?.query_map([], |row| row.get(0))?.collect()
}

fn copy(
    schema: &Schema,
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Connection, BackUpError> {
    let source = schema.open_to_read(from)?;
    let mut work = || -> rusqlite::Result<Connection> {
        // A snapshot: without it every commit of the service would begin the copy anew.
        source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut target = Connection::open_with_flags(to, flags)?;
        // The file is worth nothing before it is whole, and it is made durable then.
        target.execute_batch("PRAGMA synchronous = OFF")?;
        let backup = Backup::new(&source, &mut target)?;
        loop {
            let done = backup.step(PAGES)? == StepResult::Done;
            let at = backup.progress();
            let pages = |count: i32| u64::try_from(count).unwrap_or_default();
            progress(pages(at.pagecount - at.remaining), pages(at.pagecount));
            if done {
                break;
            }
            if at.remaining == at.pagecount {
                std::thread::sleep(BUSY_WAIT);
            }
        }
        drop(backup);
        // One file that can be carried away: whoever opens it to write turns the write-ahead log on again.
        target.execute_batch("PRAGMA journal_mode = DELETE")?;
        Ok(target)
    };
    let paths = |source| BackUpError::Copy { from: from.to_owned(), to: PathBuf::from(to), source };
    work().map_err(paths)
}
