//! How far a long command has come: a bar on a terminal, a line now and then for whoever reads a log.

use std::{
    cell::Cell,
    io::{IsTerminal, Write, stderr, stdout},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::Position;

/// A line for each of so many parts of the way.
const LINES: u64 = 10;
/// Events between two looks at how far it is.
const EVENTS: u64 = 1_024;
/// What takes no longer than this needs no lines.
const QUIET: Duration = Duration::from_secs(1);

/// Shows how far a command has come, on standard error.
pub struct Progress {
    what: &'static str,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    /// How many parts of the way have been told of, and since when it lasts.
    Lines {
        parts: Cell<u64>,
        since: Instant,
    },
    /// The output itself goes over the screen.
    Nothing,
}

impl Progress {
    /// Of `what`, which begins now.
    pub fn new(what: &'static str) -> Self {
        let shown = if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_message(what);
            let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta}");
            Shown::Bar(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)))
        } else {
            Shown::Lines { parts: Cell::new(0), since: Instant::now() }
        };
        Self { what, shown }
    }

    /// The same for a command whose output may be on the same screen.
    pub fn beside_output(what: &'static str) -> Self {
        if stdout().is_terminal() { Self { what, shown: Shown::Nothing } } else { Self::new(what) }
    }

    /// An event of a log that ends at `head` is done.
    pub fn event(&self, position: Position, head: Position) {
        if position == head || position.get().is_multiple_of(EVENTS) {
            self.at(position.get(), head.get());
        }
    }

    /// So much of it is done. Less than before means that another part of the work has begun.
    pub fn at(&self, done: u64, all: u64) {
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_length(all);
                bar.set_position(done);
            }
            Shown::Lines { parts, since } => {
                let part = done.saturating_mul(LINES).checked_div(all).unwrap_or_default();
                if part > parts.get() && since.elapsed() > QUIET {
                    // Nobody may be reading any more.
                    let _ = writeln!(stderr(), "{}: {done} of {all}", self.what);
                }
                parts.set(part);
            }
            Shown::Nothing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
