//! Verifying the log: the files as if they were an embedded log, and the replica against the server.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, Transaction};

use super::RemoteLog;
use super::session::Applied;
use crate::engine::EngineEvent;
use crate::error::ReadError;
use crate::position::Position;
use crate::sqlite::reader::read_error;
use crate::sqlite::tail::read_tail;
use crate::sqlite::verify::verify_snapshot;
use crate::verify::{Defect, Verified};

/// So many entries are compared at once.
const PAGE: usize = 500;
/// So often somebody who writes is given the time to finish.
const LOOKS: usize = 1_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// A node that is gone wrote the entries of a commit and not what is beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the files of the node are in the middle of a commit: the node finishes that when it starts")]
struct NotAtOne;

pub(super) fn verify(
    log: &RemoteLog,
    progress: &mut dyn FnMut(Position),
    report: &mut dyn FnMut(Defect),
) -> Result<Verified, ReadError> {
    let mut verified = log.reader.with(|connection| {
        let snapshot = at_one(log, connection)?;
        verify_snapshot(&snapshot, progress, report)
    })?;
    verified.defects += compare(log, verified.head, report)?;
    Ok(verified)
}

/// The two files of one moment, at which they are at one: another process may be writing the one and then the other.
fn at_one<'c>(log: &RemoteLog, connection: &'c Connection) -> Result<Transaction<'c>, ReadError> {
    for _ in 0..LOOKS {
        {
            let _files = log.files.hold();
            let snapshot = connection.unchecked_transaction().map_err(read_error)?;
            // A snapshot begins with the first look at each of the files.
            let rows = Applied::read(&snapshot)?.position;
            if read_tail(&snapshot)?.head == rows {
                return Ok(snapshot);
            }
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Err(ReadError::Unavailable(Arc::new(NotAtOne)))
}

/// The entries of the server are the log; those of the replica have to be the same.
fn compare(log: &RemoteLog, head: Position, report: &mut dyn FnMut(Defect)) -> Result<u64, ReadError> {
    let mut defects = 0;
    let mut at = Position::ORIGIN;
    while at < head {
        let missing = usize::try_from(head.get() - at.get()).unwrap_or(PAGE);
        let replica = log.reader.read_all(at, missing.min(PAGE))?;
        let server = log.engine.read(at, replica.len())?;
        for (index, event) in replica.iter().enumerate() {
            let same = EngineEvent::new(event.position, event.entry.clone());
            if server.get(index) != Some(&same) {
                defects += 1;
                report(Defect::NotOnServer { position: event.position });
            }
        }
        let Some(last) = replica.last() else { break };
        at = last.position;
    }
    Ok(defects)
}
