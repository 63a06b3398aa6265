//! A server of events in memory, with the faults of a real one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::{Engine, EngineError, EngineEvent};
use crate::position::Position;

/// What happens to an append instead of what should.
pub enum Fault {
    /// It is never done, and nobody answers.
    LoseRequest,
    /// It is done, and nobody answers.
    LoseAnswer,
    /// Nobody answers; it is done when [`MemoryEngine::deliver_late`] says so.
    Delay,
    /// The server does not want to.
    Refuse,
    /// It is done, and from then on the server does not answer anybody, until [`MemoryEngine::wake`].
    LoseAnswerAndSleep,
    /// It is never done, and the server does not answer anybody from then on.
    LoseRequestAndSleep,
    /// Somebody else is faster by these events.
    Overtake(Vec<EngineEvent>),
    /// It is done, and before the answer something else happens.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

/// A server of events that forgets everything with the process.
#[derive(Default)]
pub struct MemoryEngine(Mutex<State>);

#[derive(Default)]
struct State {
    events: Vec<EngineEvent>,
    faults: VecDeque<Fault>,
    late: Vec<(Position, Vec<EngineEvent>)>,
    asleep: bool,
    refusing: bool,
    /// Who asks for the head waits so long.
    delay: Duration,
    /// Reads end so many events before the head.
    hidden: usize,
    appends: usize,
    heads: usize,
}

/// Nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a test wants no answer")]
struct NoAnswer;

impl MemoryEngine {
    /// Meets the next append for which no fault was put before.
    pub fn put(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    /// From now on refuses every append, or takes them again.
    pub fn refuse_appends(&self, refusing: bool) {
        self.state().refusing = refusing;
    }

    /// Answers nobody until [`Self::wake`].
    pub fn sleep(&self) {
        self.state().asleep = true;
    }

    /// Answers again.
    pub fn wake(&self) {
        self.state().asleep = false;
    }

    /// Lets everybody who asks for the head wait.
    pub fn slow_down(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Does what was delayed, and says of each whether it succeeded.
    pub fn deliver_late(&self) -> Vec<Result<(), EngineError>> {
        let mut state = self.state();
        let late = std::mem::take(&mut state.late);
        late.into_iter().map(|(after, events)| state.append(after, &events)).collect()
    }

    /// Lets reads end so many events before the head, as if that were all.
    pub fn hide_newest(&self, count: usize) {
        self.state().hidden = count;
    }

    /// All that is there.
    #[must_use]
    pub fn events(&self) -> Vec<EngineEvent> {
        self.state().events.clone()
    }

    /// Puts other events in the place of all that are there.
    pub fn replace(&self, events: Vec<EngineEvent>) {
        self.state().events = events;
    }

    /// How many appends and how many questions for the head there were.
    #[must_use]
    pub fn asked(&self) -> (usize, usize) {
        let state = self.state();
        (state.appends, state.heads)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, after: Position, events: &[EngineEvent]) -> Result<(), EngineError> {
        let after = usize::try_from(after.get()).unwrap_or(usize::MAX);
        if after == self.events.len() {
            self.events.extend_from_slice(events);
            return Ok(());
        }
        let standing = self.events.get(after..).unwrap_or_default();
        // As the server does: by names alone.
        let same = standing.len() >= events.len()
            && standing.iter().zip(events).all(|(standing, event)| standing.id == event.id);
        if same && !standing.is_empty() { Ok(()) } else { Err(EngineError::Moved) }
    }

    fn answers(&self) -> Result<(), EngineError> {
        if self.asleep { Err(no_answer()) } else { Ok(()) }
    }
}

fn no_answer() -> EngineError {
    EngineError::Unavailable(Arc::new(NoAnswer))
}

impl Engine for MemoryEngine {
    fn append(&self, after: Position, events: &[EngineEvent]) -> Result<(), EngineError> {
        let mut state = self.state();
        state.answers()?;
        state.appends += 1;
        match state.faults.pop_front() {
            None if state.refusing => Err(EngineError::Refused(Arc::new(NoAnswer))),
            None => state.append(after, events),
            Some(Fault::Refuse) => Err(EngineError::Refused(Arc::new(NoAnswer))),
            Some(Fault::LoseRequest) => Err(no_answer()),
            Some(Fault::LoseAnswer) => {
                state.append(after, events)?;
                Err(no_answer())
            }
            Some(Fault::Delay) => {
                state.late.push((after, events.to_vec()));
                Err(no_answer())
            }
            Some(Fault::LoseAnswerAndSleep) => {
                state.append(after, events)?;
                state.asleep = true;
                Err(no_answer())
            }
            Some(Fault::LoseRequestAndSleep) => {
                state.asleep = true;
                Err(no_answer())
            }
            Some(Fault::Overtake(faster)) => {
                state.events.extend(faster);
                state.append(after, events)
            }
            Some(Fault::Meanwhile(happens)) => {
                let done = state.append(after, events);
                happens();
                done
            }
        }
    }

    fn read(&self, after: Position, limit: usize) -> Result<Vec<EngineEvent>, EngineError> {
        let state = self.state();
        state.answers()?;
        let after = usize::try_from(after.get()).unwrap_or(usize::MAX);
        let visible = state.events.len().saturating_sub(state.hidden);
        let behind = state.events[..visible].get(after..).unwrap_or_default();
        Ok(behind.iter().take(limit).cloned().collect())
    }

    fn head(&self) -> Result<Position, EngineError> {
        let delay = self.state().delay;
        std::thread::sleep(delay);
        let mut state = self.state();
        state.answers()?;
        state.heads += 1;
        Ok(Position::new(state.events.len() as u64))
    }

    fn max_append_bytes(&self) -> usize {
        1 << 20
    }
}
