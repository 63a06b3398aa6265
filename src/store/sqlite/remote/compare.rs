//! Verifying the log: the files as if they were an embedded log, and the replica against the server.

use super::RemoteLog;
use crate::engine::EngineEvent;
use crate::error::ReadError;
use crate::position::Position;
use crate::sqlite::reader::read_error;
use crate::sqlite::verify::verify_snapshot;
use crate::verify::{Defect, Verified};

/// So many entries are compared at once.
const PAGE: usize = 500;

pub(super) fn verify(
    log: &RemoteLog,
    progress: &mut dyn FnMut(Position),
    report: &mut dyn FnMut(Defect),
) -> Result<Verified, ReadError> {
    let mut verified = log.reader.with(|connection| {
        let snapshot = {
            let _files = log.files.hold();
            let snapshot = connection.unchecked_transaction().map_err(read_error)?;
            // A snapshot begins with the first look at each of the files.
            snapshot
                .execute_batch("SELECT count(*) FROM applied; SELECT 1 FROM streams LIMIT 1")
                .map_err(read_error)?;
            snapshot
        };
        verify_snapshot(&snapshot, progress, report)
    })?;
    verified.defects += compare(log, verified.head, report)?;
    Ok(verified)
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
