//! What a check of a server comes to.

/// One thing that the log relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: &'static str,
    /// What was found.
    pub outcome: Outcome,
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    AsExpected,
    /// The user may not do what the check needs. That is as it should be for who keeps a log: truncating and deleting streams.
    NotAllowed,
    /// It is not so: no log should be kept there.
    Otherwise(String),
}
