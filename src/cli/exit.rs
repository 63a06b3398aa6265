//! How the program ends, so that a script can act on it.

use std::{error::Error, fmt, io, iter, process::ExitCode};

/// What `--help` says of how a command can end: what all have in common, and the lines of its own.
macro_rules! exit_codes {
    ($($line:literal),*) => {
        concat!(
            "Exit codes:\n    0  done, nothing to complain of\n    1  it could not be done; standard error says why\n    2  wrong usage",
            $("\n", $line),*
        )
    };
}

/// Of the commands together.
pub const ALL: &str = exit_codes!(
    "   10  the log is not what was written; doctor: something is bad",
    "   11  a view differs from a replay of the log",
    "   12  a view is halted or missing",
    "   13  doctor: something needs a hand, but nothing is lost",
    "  141  whoever read the output stopped reading"
);
/// Of a command that may print a token: output that nobody reads is a failure.
pub const OF_TOKENS: &str = exit_codes!();
/// Of a command that prints.
pub const OF_OUTPUT: &str = exit_codes!("  141  whoever read the output stopped reading");
/// Of `replay` and `projections status`.
pub const OF_VIEWS: &str =
    exit_codes!("   12  a view is halted", "  141  whoever read the output stopped reading");
/// Of `projections rebuild`.
pub const OF_REBUILD: &str = exit_codes!(
    "   11  a view was not what the log says; the new one is",
    "   12  a view is halted",
    "  141  whoever read the output stopped reading"
);
/// Of `replay verify`.
pub const OF_VERIFY: &str = exit_codes!(
    "   10  the log is not what was written",
    "   11  a view differs from a replay of the log",
    "   12  a view is halted, or there are none",
    "  141  whoever read the output stopped reading"
);
/// Of `migrate-log`.
pub const OF_MIGRATE_LOG: &str = exit_codes!(
    "   10  the log is not what was written; nobody can serve from the new place",
    "  141  whoever read the output stopped reading"
);
/// Of `doctor`.
pub const OF_DOCTOR: &str = exit_codes!(
    "   10  something is bad: directory, log, activity, keys, credentials, or a server of events",
    "   13  something needs a hand, but nothing is lost",
    "  141  whoever read the output stopped reading"
);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to complain of.
    Done,
    /// It could not be done; standard error says why.
    Failed,
    /// What was asked makes no sense.
    WrongUsage,
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
            Exit::WrongUsage => 2,
            Exit::LogDamaged => 10,
            Exit::ViewsDiffer => 11,
            Exit::ViewsIncomplete => 12,
            Exit::NeedsAttention => 13,
            Exit::NobodyReads => 141,
        })
    }
}

/// Arguments that make no sense together, which no parser of each alone finds.
#[derive(Debug)]
pub struct WrongUsage(pub String);

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for WrongUsage {}

/// How a command ended that could not be done.
pub fn of(error: &anyhow::Error) -> Exit {
    if error.is::<WrongUsage>() { Exit::WrongUsage } else { Exit::Failed }
}

/// Whether the command ended because standard output was closed.
pub fn nobody_reads(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error with its causes, none of them said twice.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut causes = iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    let said = causes.next().unwrap_or_default();
    causes.fold(said, |text, cause| if text.ends_with(&cause) { text } else { format!("{text}: {cause}") })
}

/// The whole chain of causes, a line each: the last one is what to look at.
#[expect(clippy::print_stderr, reason = "the command line's own error output")]
pub fn report(error: &anyhow::Error) {
    let mut said = error.to_string();
    eprintln!("muniment: {said}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some errors have their cause in their own words.
        if !said.ends_with(&cause) {
            eprintln!("  because: {cause}");
        }
        said = cause;
    }
}
