//! The read side: views folded from the log. Everything here can be dropped and rebuilt.
//!
//! Each projection is one file: its rows, its `apply`, its queries. Nothing else reads its tables, no decision is made
//! from them, and folding an event has no effect outside them. All of them live in one SQLite file that a pointer file
//! names ([`Views`]); a missing, damaged or outdated file is folded again from the log without anybody's help.
//!
//! | view | answers | tables |
//! | --- | --- | --- |
//! | [`clients`] | one client, lists of clients; secrets that expire | `clients`, `expiring_secrets` |
//! | [`members`] | lists of members | `members` |
//! | [`catalog`] | lists of scopes, types, environments | `scopes`, `client_types`, `environments` |
//! | [`grants`] | what members allow; what a client may do in somebody's name | `grants` |
//! | [`audit_trail`] | which events an auditor asks for | `audit_events`, `audit_words`, and the index `audit_text` |
//!
//! A new view is a file here, its SQL in `migrations/views`, and a line in [`all`].

pub mod as_of;
pub mod audit_trail;
pub mod catalog;
mod catch_up;
mod claims;
pub mod clients;
mod digest;
mod envelope;
mod error;
mod file;
mod fold;
mod folded;
pub mod grants;
pub mod members;
mod projection;
mod reader;
mod rebuild;
mod runner;
mod shadow;
mod verification;
mod verify;
mod views;
mod wait;

#[cfg(test)]
mod testing;

pub use claims::ClaimDifference;
pub use envelope::{Envelope, EnvelopeActor};
pub use error::{QueryError, RebuildError, ViewsError};
pub use file::{Inspected, inspect};
pub use fold::{Checkpoint, Halt};
pub use folded::{NounPage, NounRow};
pub use projection::{ApplyError, Projection, ViewedEvent};
pub use reader::Reader;
pub use rebuild::{Comparison, Rebuilt, RebuiltView, rebuild, rehearse};
pub use shadow::RebuildProgress;
pub use verification::{Finding, Stage, Verdict, Verification, verify_all};
pub use verify::{Difference, VerifiedView};
pub use views::{ProjectionState, ProjectionStatus, Views};

/// Every projection there is, in the order in which they are shown.
#[must_use]
pub fn all() -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(clients::Clients::default()),
        Box::new(audit_trail::AuditTrail::default()),
        Box::new(members::Members::default()),
        Box::new(grants::Grants::default()),
        Box::new(catalog::Catalog::default()),
    ]
}
