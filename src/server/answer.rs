//! Answers to commands say what the log holds now, and where; answers from views say whether that is all of it.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use app::{ChangedAdmission, ChangedClient, ChangedMember, ChangedRole, ChangedSigningKeys, Configured};
use projections::Checkpoint;
use store::{Position, Revision};

use crate::{problem::Problem, service::Service};

/// Of an answer to a command: the position of what it did. Of a read: the position that it must have seen; of its answer:
/// one that it has seen at least.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("muniment-position");
/// `behind`: of an answer to a command, if a read right after it may not see the command yet; of a read, if the log had
/// more than the view that was read.
pub(crate) const VIEWS: HeaderName = HeaderName::from_static("muniment-views");
/// `true`, if the command took place earlier and this is its answer once more.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What a command left in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    revision: Revision,
    position: Position,
    replayed: bool,
}

impl From<&ChangedClient> for Recorded {
    fn from(client: &ChangedClient) -> Self {
        Self { revision: client.revision, position: client.position, replayed: client.replayed }
    }
}

impl From<&ChangedMember> for Recorded {
    fn from(member: &ChangedMember) -> Self {
        Self { revision: member.revision, position: member.position, replayed: member.replayed }
    }
}

impl<S> From<&Configured<S>> for Recorded {
    fn from(configured: &Configured<S>) -> Self {
        let Configured { revision, position, replayed, .. } = *configured;
        Self { revision, position, replayed }
    }
}

impl From<&ChangedSigningKeys> for Recorded {
    fn from(changed: &ChangedSigningKeys) -> Self {
        Self { revision: changed.revision, position: changed.position, replayed: changed.replayed }
    }
}

impl From<&ChangedAdmission> for Recorded {
    fn from(changed: &ChangedAdmission) -> Self {
        Self { revision: changed.revision, position: changed.position, replayed: changed.replayed }
    }
}

impl From<&ChangedRole> for Recorded {
    fn from(role: &ChangedRole) -> Self {
        Self { revision: role.revision, position: role.position, replayed: role.replayed }
    }
}

/// Begins the answer to a command, once the views have seen what it did, or have been waited for long enough.
pub(crate) async fn to_command(
    service: &Service,
    status: StatusCode,
    recorded: impl Into<Recorded>,
) -> HttpResponseBuilder {
    let Recorded { revision, position, replayed } = recorded.into();
    let mut response = to_final_command(service, status, position, replayed).await;
    response.insert_header((header::ETAG, etag(revision)));
    response
}

/// The same for a command that leaves nothing behind that could be edited, and so no `ETag`.
pub(crate) async fn to_final_command(
    service: &Service,
    status: StatusCode,
    position: Position,
    replayed: bool,
) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((POSITION, position.get()));
    if !service.views_at(position).await {
        response.insert_header((VIEWS, "behind"));
    }
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
    response
}

/// How a view stood against the log right before it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    behind: bool,
    /// How far the view had come.
    position: Option<Position>,
}

impl Freshness {
    /// Of what is read from the log itself.
    pub(crate) const OF_THE_LOG: Self = Self { behind: false, position: None };

    /// Of a view; to be asked before it is read.
    pub(crate) async fn of(service: &Service, view: &str) -> Self {
        let head = service.app.log().head().await;
        let is_behind = |checkpoint: &Checkpoint| match &head {
            Ok(head) => checkpoint.position < *head,
            // What the log cannot say now, a halt says for it.
            Err(_) => checkpoint.halt.is_some(),
        };
        let checkpoints = service.views.checkpoints();
        let view = checkpoints.iter().find(|checkpoint| checkpoint.projection == view);
        Self { behind: view.is_some_and(is_behind), position: view.map(|checkpoint| checkpoint.position) }
    }

    /// Begins the answer.
    pub(crate) fn ok(self) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        if let Some(position) = self.position {
            response.insert_header((POSITION, position.get()));
        }
        if self.behind {
            response.insert_header((VIEWS, "behind"));
        }
        response
    }

    /// The answer that there is no such thing, or no longer.
    pub(crate) fn problem(self, problem: Problem) -> Problem {
        if self.behind { problem.header(VIEWS, "behind") } else { problem }
    }
}

/// `"<revision>"`.
pub(crate) fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}
