//! How a view stands.

use projections::{Checkpoint, ProjectionState, ProjectionStatus};
use serde::Serialize;
use store::Position;
use utoipa::ToSchema;

/// A view.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Projection {
    pub(crate) name: &'static str,
    /// The last event that it has folded.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
    /// The last event there is.
    #[schema(value_type = u64)]
    pub(crate) head: Position,
    /// `following` or `halted`; also `halted` while the view cannot be written, and then it goes on by itself.
    pub(crate) state: &'static str,
    /// The event before which it stands, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) halt: Option<Halt>,
}

/// Why a view stands still.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Halt {
    #[schema(value_type = u64)]
    pub(crate) position: Position,
    pub(crate) cause: String,
}

impl From<ProjectionStatus> for Projection {
    fn from(status: ProjectionStatus) -> Self {
        let ProjectionStatus { name, position, head, state } = status;
        let (state, halt) = match state {
            ProjectionState::Following => ("following", None),
            ProjectionState::Halted(halt) => {
                ("halted", Some(Halt { position: halt.position, cause: halt.cause }))
            }
        };
        Self { name, position, head, state, halt }
    }
}

/// A view as anyone may see it: without the cause, which could quote the event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PublicProjection {
    pub(crate) name: &'static str,
    #[schema(value_type = u64)]
    pub(crate) position: Position,
    pub(crate) halted: bool,
}

impl From<&Checkpoint> for PublicProjection {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self { name: checkpoint.projection, position: checkpoint.position, halted: checkpoint.halt.is_some() }
    }
}
