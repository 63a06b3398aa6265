//! How far a long command has come: a bar on a terminal, a line now and then for whoever reads a log.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line for each of so many parts of the way.
const LINES: u64 = 10;

/// Shows how far a command has come, on standard error.
pub struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    shown: u64,
}

impl Progress {
    /// Of `what`, which begins now.
    pub fn new(what: &'static str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_message(what);
            let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta}");
            style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
        });
        Self { what, bar, shown: 0 }
    }

    /// So much of it is done.
    pub fn at(&mut self, done: u64, all: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
            return;
        }
        let part = (done * LINES).checked_div(all).unwrap_or_default();
        if part > self.shown {
            self.shown = part;
            tracing::info!(done, all, "{}", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
