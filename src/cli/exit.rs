//! How the program ends, so that a script can act on it.

use std::{io, process::ExitCode};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to complain of.
    Done,
    /// It could not be done; standard error says why.
    Failed,
    /// Verdict: the log is not what was written.
    LogDamaged,
    /// Verdict: a view differs from a replay of the log.
    ViewsDiffer,
    /// Verdict: a view is halted or missing.
    ViewsIncomplete,
    /// Verdict: something about the instance needs a hand, but nothing is lost.
    NeedsAttention,
    /// Whoever read the output, a `head` for example, has seen enough.
    NobodyReads,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::LogDamaged => 10,
            Exit::ViewsDiffer => 11,
            Exit::ViewsIncomplete => 12,
            Exit::NeedsAttention => 13,
            Exit::NobodyReads => 141,
        })
    }
}

/// Whether the command ended because standard output was closed.
pub fn nobody_reads(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The whole chain of causes, a line each: the last one is what to look at.
#[expect(clippy::print_stderr, reason = "the command line's own error output")]
pub fn report(error: &anyhow::Error) {
    eprintln!("muniment: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}
