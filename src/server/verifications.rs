//! Verifications of the audit that were asked for over the API: one at a time, and the newest are remembered until the
//! service stops. The log has how each of them began and ended.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use app::CommandError;
use domain::{VerificationId, registry::AuditVerified};
use jiff::Timestamp;
use projections::{Finding, Stage, Verdict, Verification as Found, VerifiedView, ViewsError};
use store::Position;

/// Verifications that are remembered.
const REMEMBERED: usize = 10;
/// Findings of one that are named; more are counted.
const MOST_NAMED: usize = 1_000;

/// The newest verifications.
#[derive(Default)]
pub(crate) struct Verifications {
    running: AtomicBool,
    newest_last: Mutex<VecDeque<Arc<Verification>>>,
}

/// One of them.
pub(crate) struct Verification {
    pub(crate) id: VerificationId,
    pub(crate) started_at: Timestamp,
    /// The last position there was.
    pub(crate) head: Position,
    state: Mutex<State>,
}

/// How far it is.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) stage: Option<Stage>,
    /// The last position of that stage.
    pub(crate) reached: Position,
    pub(crate) defects: u64,
    pub(crate) differing_rows: u64,
    pub(crate) findings: Vec<Finding>,
    pub(crate) views: Vec<VerifiedView>,
    pub(crate) end: Option<End>,
}

/// What came of it.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    /// `None` if it could not be done.
    pub(crate) verdict: Option<Verdict>,
    /// Where the log has it; `None` if it could not be recorded.
    pub(crate) recorded: Option<Position>,
}

/// Holds the one place, for as long as a verification lasts.
pub(crate) struct Turn {
    verifications: Arc<Verifications>,
    verification: Arc<Verification>,
}

impl Verifications {
    /// Takes the one place.
    pub(crate) fn begin(
        self: &Arc<Self>,
        id: VerificationId,
        head: Position,
        started_at: Timestamp,
    ) -> Result<Turn, CommandError> {
        if self.running.swap(true, Ordering::AcqRel) {
            return Err(CommandError::VerificationRunning);
        }
        let verification = Arc::new(Verification { id, started_at, head, state: Mutex::default() });
        let mut remembered = self.remembered();
        remembered.push_back(Arc::clone(&verification));
        if remembered.len() > REMEMBERED {
            remembered.pop_front();
        }
        Ok(Turn { verifications: Arc::clone(self), verification })
    }

    /// A verification that is remembered.
    pub(crate) fn get(&self, id: VerificationId) -> Option<Arc<Verification>> {
        self.remembered().iter().find(|verification| verification.id == id).cloned()
    }

    fn remembered(&self) -> MutexGuard<'_, VecDeque<Arc<Verification>>> {
        self.newest_last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verification {
    pub(crate) fn state(&self) -> State {
        self.change().clone()
    }

    fn change(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Notes how far it is.
    pub(crate) fn progress(&self) -> impl Fn(Stage, Position) + Send + 'static {
        let verification = Arc::clone(&self.verification);
        move |stage, position| {
            let mut state = verification.change();
            (state.stage, state.reached) = (Some(stage), position);
        }
    }

    /// Notes what is found.
    pub(crate) fn report(&self) -> impl FnMut(Finding) + Send + 'static {
        let verification = Arc::clone(&self.verification);
        move |finding| {
            let mut state = verification.change();
            match &finding {
                Finding::Defect(_) => state.defects += 1,
                Finding::Row(_) => state.differing_rows += 1,
            }
            if state.findings.len() < MOST_NAMED {
                state.findings.push(finding);
            }
        }
    }

    /// What the log is to have of it, and what is to be done when it has.
    pub(crate) fn ended(
        self,
        found: Result<Found, ViewsError>,
        at: Timestamp,
    ) -> (AuditVerified, impl FnOnce(Option<Position>) + Send + 'static) {
        let found = match found {
            Ok(found) => Some(found),
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(cause, verification_id = %self.verification.id, "verifying the audit failed");
                None
            }
        };
        let verdict = found.as_ref().map(Found::verdict);
        let mut state = self.verification.change();
        state.views = found.and_then(|found| found.views).unwrap_or_default();
        let verified = AuditVerified {
            verification_id: self.verification.id,
            verdict: verdict.map_or("failed", Verdict::as_str).to_owned(),
            position: state.reached.get(),
            defects: state.defects,
            differing_rows: state.differing_rows,
        };
        drop(state);
        let told = move |recorded| {
            self.verification.change().end = Some(End { at, verdict, recorded });
        };
        (verified, told)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // That it began could not be recorded: then it never did.
        if self.verification.change().end.is_none() {
            self.verifications.remembered().retain(|other| other.id != self.verification.id);
        }
        self.verifications.running.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: usize) -> VerificationId {
        VerificationId(Uuid::from_u128(number as u128))
    }

    fn begin(verifications: &Arc<Verifications>, number: usize) -> Result<Turn, CommandError> {
        verifications.begin(id(number), Position::new(7), Timestamp::UNIX_EPOCH)
    }

    fn end(turn: Turn) {
        let nothing = Found { log: None, defects: 0, differing_rows: 0, views: Some(Vec::new()) };
        let (verified, told) = turn.ended(Ok(nothing), Timestamp::UNIX_EPOCH);
        assert_eq!(verified.verdict, "sound");
        told(Some(Position::new(8)));
    }

    #[test]
    fn a12_one_runs_at_a_time_and_the_newest_are_remembered() {
        let verifications = Arc::default();
        for number in 0..15 {
            let turn = begin(&verifications, number).expect("the one place");
            assert!(matches!(begin(&verifications, 99), Err(CommandError::VerificationRunning)));
            assert!(verifications.get(id(number)).expect("it is known at once").state().end.is_none());
            end(turn);
        }
        let remembered: Vec<_> = (0..15).filter(|number| verifications.get(id(*number)).is_some()).collect();
        assert_eq!(remembered, (5..15).collect::<Vec<_>>());
    }

    #[test]
    fn a12_one_whose_begin_could_not_be_recorded_never_was() {
        let verifications = Arc::default();
        drop(begin(&verifications, 1).expect("the one place"));
        assert!(verifications.get(id(1)).is_none());
        end(begin(&verifications, 2).expect("the place is free again"));
    }

    #[test]
    fn a12_more_findings_than_can_be_named_are_counted() {
        let verifications = Arc::default();
        let turn = begin(&verifications, 1).expect("the one place");
        let mut report = turn.report();
        (0..2_500).for_each(|number| report(Finding::Defect(format!("position {number}"))));
        let state = verifications.get(id(1)).expect("a verification").state();
        assert_eq!((state.findings.len(), state.defects), (1_000, 2_500));
    }
}
