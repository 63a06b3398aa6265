//! What the writer does with commits: all that wait at one moment are staged together, appended on the server at once, and
//! settled. A commit is checked against the state behind which the server is told to append it, so that the server
//! decides every race.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rusqlite::Connection;

use super::keeper::Keeper;
use super::session::{Files, Session};
use crate::commit::RecordedCommand;
use crate::engine::{Engine, EngineError, EngineEvent};
use crate::error::{Cause, InvalidCommit, ReadError};
use crate::position::Position;
use crate::postgres::NotStaged;
use crate::request::{Request as CommitRequest, refuse_all, refuse_staged};
use crate::rows::as_i64;
use crate::shared::{DoubtInPanic, Shared};
use crate::sqlite::commits::settle;
#[cfg(test)]
use crate::sqlite::fault::Faults;
use crate::sqlite::reader::read_error;
use crate::sqlite::session::Session as Staging;
use crate::sqlite::writer::GroupCommit;
use crate::staged_batch::{Batch, Rows};
use crate::staging::{Moment, Staged, stage};

/// A page of the database, to estimate how many the write-ahead logs grew by: entries are written twice, and once more
/// as what is staged.
const PAGE: usize = 4_096 / 3;
/// Staging and settling touch so many pages beside those of the entries.
const PAGES_OF_A_BATCH: usize = 12;
/// A batch that was overtaken so often is refused.
const MAX_ATTEMPTS: usize = 64;

/// What somebody wants of the writer.
pub(super) enum Request {
    /// That a commit is recorded.
    Commit(CommitRequest),
    /// That what the server has is read.
    CatchUp(SyncSender<Result<(), ReadError>>),
}

impl From<CommitRequest> for Request {
    fn from(commit: CommitRequest) -> Self {
        Self::Commit(commit)
    }
}

/// The log's side of its writer.
pub(super) struct Commits {
    pub(super) shared: Arc<Shared>,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) files: Arc<Files>,
    #[cfg(test)]
    pub(super) faults: Arc<Faults>,
}

/// The log moved on between checking and appending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "other nodes were faster {MAX_ATTEMPTS} times, or the database of the companion is not the one that they have: it may be an older copy"
)]
struct Overtaken;

/// What is known of a batch that was not recorded.
enum Failure {
    /// It never will be.
    Undone(Cause),
    /// It may have been, or may be yet.
    Unknown(Cause),
}

/// What would be said to each of those who wait, and what has to be appended first; nothing if all are refused.
struct Checked {
    outcomes: Vec<Staged>,
    batch: Option<Batch>,
}

/// How much of what waits was answered.
enum Round {
    Answered,
    /// Nothing: somebody else was faster.
    Again,
}

impl GroupCommit for Commits {
    type Request = Request;
    type Session<'c> = &'c Connection;

    fn start<'c>(&self, connection: &'c Connection) -> Result<&'c Connection, Cause> {
        #[cfg(test)]
        self.faults.strike_anew(connection);
        let broken = |error: ReadError| Arc::new(error) as Cause;
        if self.shared.is_in_doubt() {
            settle(connection).map_err(|error| Arc::new(error) as Cause)?;
        }
        let session = self.session(connection);
        self.keeper.keep_out().map_err(broken)?;
        session.recover().map_err(broken)?;
        self.shared.heads.forget();
        session.announce(&self.shared).map_err(broken)?;
        self.shared.settled();
        Ok(connection)
    }

    fn commit(&self, connection: &mut &Connection, batch: &mut Vec<Request>) -> Option<usize> {
        let session = self.session(connection);
        let mut commits = VecDeque::with_capacity(batch.len());
        let _doubt = DoubtInPanic(&self.shared);
        let mut asking = Vec::new();
        for request in batch.drain(..) {
            match request {
                Request::Commit(commit) => commits.push_back(commit),
                Request::CatchUp(answer) => asking.push(answer),
            }
        }
        if !asking.is_empty() {
            let caught_up = session.catch_up().and_then(|()| session.announce(&self.shared));
            for answer in asking {
                let _ = answer.try_send(caught_up.clone());
            }
            if let Err(error) = caught_up {
                let unknown = self.may_be_staged(connection);
                refuse_all(&mut Vec::from(commits), &(Arc::new(error) as Cause), unknown);
                return None;
            }
        }
        let mut pages = 0;
        let mut attempts = 0;
        while !commits.is_empty() {
            match self.record(&session, &mut commits, &mut pages) {
                Ok(Round::Answered) => attempts = 0,
                Ok(Round::Again) if attempts < MAX_ATTEMPTS => attempts += 1,
                Ok(Round::Again) => {
                    let unknown = self.may_be_staged(connection);
                    refuse_all(&mut Vec::from(commits), &(Arc::new(Overtaken) as Cause), unknown);
                    return None;
                }
                Err(cause) => {
                    refuse_all(&mut Vec::from(commits), &cause, self.shared.is_in_doubt());
                    return None;
                }
            }
        }
        Some(pages)
    }

    fn refuse(&self, batch: &mut Vec<Request>, cause: &Cause) {
        // One of them may be the retry of a commit that is in doubt.
        let outcome_unknown = self.shared.is_in_doubt();
        for request in batch.drain(..) {
            match request {
                Request::Commit(commit) => refuse_all(&mut vec![commit], cause, outcome_unknown),
                Request::CatchUp(answer) => {
                    let _ = answer.try_send(Err(ReadError::Unavailable(Arc::clone(cause))));
                }
            }
        }
    }
}

impl Commits {
    fn session<'c>(&'c self, connection: &'c Connection) -> Session<'c> {
        Session { connection, engine: self.engine.as_ref(), keeper: &self.keeper, files: &self.files }
    }

    /// Whether anything is staged yet: what is refused may be the retry of a commit in that.
    fn may_be_staged(&self, connection: &Connection) -> bool {
        self.keeper.staged(connection).map_or(true, |batches| !batches.is_empty())
    }

    /// Records as many commits as fit in one append, and answers them. An error ends the session, and answered those whom
    /// it concerns.
    fn record(
        &self,
        session: &Session<'_>,
        commits: &mut VecDeque<CommitRequest>,
        pages: &mut usize,
    ) -> Result<Round, Cause> {
        let broken = |error: ReadError| Arc::new(error) as Cause;
        self.refuse_too_large(commits);
        if commits.is_empty() {
            return Ok(Round::Answered);
        }
        let Checked { outcomes, batch } = match self.check(session, commits) {
            Ok(Some(checked)) => checked,
            // Somebody else writes the same files.
            Ok(None) => {
                session.catch_up().and_then(|()| session.announce(&self.shared)).map_err(broken)?;
                return Ok(Round::Again);
            }
            Err(cause) => {
                tracing::error!(error = %cause, commits = commits.len(), "checking commits");
                return Err(cause);
            }
        };
        let Some(mut batch) = batch else {
            self.answer(commits, outcomes);
            return Ok(Round::Answered);
        };
        *pages += PAGES_OF_A_BATCH + batch.entries.iter().map(Vec::len).sum::<usize>() / PAGE;
        let recorded = match self.stage(session, &mut batch) {
            Ok(true) => self.append(session, batch),
            Ok(false) => self.follow(session),
            Err(failure) => Err(failure),
        };
        match recorded {
            Ok(Round::Again) => Ok(Round::Again),
            Ok(Round::Answered) => {
                if let Err(error) = session.announce(&self.shared) {
                    self.shared.doubt();
                    return Err(self.fail(commits, outcomes, Failure::Unknown(broken(error))));
                }
                self.answer(commits, outcomes);
                Ok(Round::Answered)
            }
            Err(failure) => {
                if matches!(failure, Failure::Unknown(_)) {
                    self.shared.doubt();
                }
                Err(self.fail(commits, outcomes, failure))
            }
        }
    }

    /// What no append can hold is refused before anything is staged.
    fn refuse_too_large(&self, commits: &mut VecDeque<CommitRequest>) {
        let allowed = self.allowed_bytes();
        while let Some(bytes) = commits.front().map(bytes_of)
            && bytes > allowed
        {
            if let Some(request) = commits.pop_front() {
                request.answer(Err(InvalidCommit::TooLarge { bytes, allowed }.into()));
            }
        }
    }

    /// Room is left for the event that tells of a clock set back.
    fn allowed_bytes(&self) -> usize {
        self.engine.max_append_bytes().saturating_sub(4 * EngineEvent::OVERHEAD)
    }

    /// What would become of the first commits, as many as fit in one append; and what is to be appended for it. Nothing
    /// is written: whatever the checks write for each other is rolled back. `None` if the files are not at one.
    fn check(
        &self,
        session: &Session<'_>,
        commits: &VecDeque<CommitRequest>,
    ) -> Result<Option<Checked>, Cause> {
        let broken = |error: ReadError| Arc::new(error) as Cause;
        session.begin().map_err(broken)?;
        let mut staging = Staging::start(session.connection).map_err(broken)?;
        let now = self.shared.clock.now();
        let moment = match self.keeper.shared() {
            Some(_) => Moment::among_others(now, staging.ends().last_at),
            None => Moment::new(now),
        };
        let before = staging.ends().head;
        let at_one = session.applied().map_err(broken)? == before;
        let mut outcomes = Vec::new();
        let mut rows = Vec::new();
        let mut bytes = 0;
        if at_one {
            for request in commits {
                bytes += bytes_of(request);
                if bytes > self.allowed_bytes() {
                    break;
                }
                let staged = stage(&mut staging, &request.commit, &moment).map_err(Cause::from)?;
                if let Ok(receipt) = &staged {
                    let span = RecordedCommand {
                        first_position: receipt.first_position,
                        position: receipt.position,
                    };
                    rows.extend(Rows::of(&request.commit, span));
                }
                outcomes.push(staged);
            }
        }
        drop(staging);
        let entries = entries_after(session.connection, before).map_err(|error| broken(read_error(error)))?;
        session.roll_back().map_err(broken)?;
        let last = Position::new(before.get() + entries.len() as u64);
        let batch = Batch { number: 0, first: before.next(), last, arrived: false, entries, rows };
        let batch = (!batch.entries.is_empty()).then_some(batch);
        Ok(at_one.then_some(Checked { outcomes, batch }))
    }

    /// Makes durable what is about to be appended; `false` if somebody else was faster.
    fn stage(&self, session: &Session<'_>, batch: &mut Batch) -> Result<bool, Failure> {
        #[cfg(test)]
        self.faults.strike(session.connection);
        self.keeper.stage(session.connection, batch).map_err(|NotStaged { cause, may_be_staged }| {
            // What is staged is appended by whoever finds it.
            if may_be_staged { Failure::Unknown(cause) } else { Failure::Undone(cause) }
        })
    }

    /// Reads what others have appended.
    fn follow(&self, session: &Session<'_>) -> Result<Round, Failure> {
        session
            .catch_up()
            .and_then(|()| session.announce(&self.shared))
            .map_err(|error| Failure::Unknown(Arc::new(error)))?;
        Ok(Round::Again)
    }

    fn append(&self, session: &Session<'_>, batch: Batch) -> Result<Round, Failure> {
        let before = Position::new(batch.first.get() - 1);
        let appended = self.engine.append(before, &batch.events());
        #[cfg(test)]
        self.faults.strike(session.connection);
        let unknown = |error: ReadError| Failure::Unknown(Arc::new(error));
        match appended {
            Ok(()) => {
                session.settle(batch).map_err(unknown)?;
                Ok(Round::Answered)
            }
            Err(EngineError::Moved) => {
                session.catch_up().map_err(unknown)?;
                // An answer may have been lost on the way: then it is this very batch that stands there.
                if session.holds(&batch).map_err(unknown)? {
                    return Ok(Round::Answered);
                }
                self.follow(session)
            }
            Err(error @ EngineError::Refused(_)) => {
                let withdrawn = self.keeper.withdraw(session.connection, &batch).map_err(unknown)?;
                let cause: Cause = Arc::new(error);
                let undone = withdrawn && !self.may_be_staged(session.connection);
                Err(if undone { Failure::Undone(cause) } else { Failure::Unknown(cause) })
            }
            Err(error @ (EngineError::Unavailable(_) | EngineError::Corrupt { .. })) => {
                Err(Failure::Unknown(Arc::new(error)))
            }
        }
    }

    fn answer(&self, commits: &mut VecDeque<CommitRequest>, outcomes: Vec<Staged>) {
        let judged = outcomes.len();
        for (request, outcome) in commits.drain(..judged).zip(outcomes) {
            request.answer(outcome);
        }
    }

    /// Answers those whose batch was not recorded with what is known of it.
    fn fail(&self, commits: &mut VecDeque<CommitRequest>, outcomes: Vec<Staged>, failure: Failure) -> Cause {
        let (cause, unknown) = match failure {
            Failure::Undone(cause) => (cause, false),
            Failure::Unknown(cause) => (cause, true),
        };
        tracing::error!(error = %cause, commits = outcomes.len(), "appending on the server of events");
        let head = *self.shared.head.borrow();
        let mut judged = commits.drain(..outcomes.len()).collect();
        refuse_staged(&mut judged, outcomes, head, &cause, unknown);
        cause
    }
}

fn bytes_of(request: &CommitRequest) -> usize {
    let events = usize::try_from(request.commit.events).unwrap_or(usize::MAX);
    request.commit.entry_bytes().saturating_add(events.saturating_mul(EngineEvent::OVERHEAD))
}

fn entries_after(connection: &Connection, position: Position) -> rusqlite::Result<Vec<Vec<u8>>> {
    connection
        .prepare_cached("SELECT entry FROM events WHERE position > ?1 ORDER BY position")?
        .query_map([as_i64(position.get())], |row| row.get(0))?
        .collect()
}
