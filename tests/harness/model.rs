//! A model of the registry, small enough to be right by reading, and a machine that draws whole histories of commands,
//! kills, failing disks and races, plays them to a real service, and holds every answer and every state against it.
//!
//! | file | is |
//! | --- | --- |
//! | `command` | what can be asked |
//! | `registry` | what should become of it, and what each should be answered |
//! | `history` | what may be drawn |
//! | `requests` | what is sent for each command |
//! | `player` | the service, and the comparison |

mod command;
mod history;
mod player;
mod registry;
mod requests;

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

pub use history::History;
pub use player::Player;

/// Plays `cases` histories of up to `steps` steps each; a failing one is made as short as it can be.
///
/// # Panics
/// With the shortest history whose answers or states are not those of the model.
pub fn play(cases: u32, steps: usize) {
    let config = Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config.clone());
    let histories = History::sequential_strategy(1..steps);
    let played = runner.run(&histories, |(initial, transitions, seen)| {
        Player::test_sequential(config.clone(), initial, transitions, seen);
        Ok::<_, TestCaseError>(())
    });
    match played {
        Ok(()) => {}
        Err(TestError::Fail(why, (_, transitions, _))) => panic!("{why}\nshortest history: {transitions:#?}"),
        Err(TestError::Abort(why)) => panic!("no history could be drawn: {why}"),
    }
}
