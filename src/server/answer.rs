//! Answers to commands: they say what the log holds now, and where.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use app::{ChangedClient, ChangedMember};
use store::{Position, Revision};

use crate::service::Service;

/// Of an answer: the position of what the command did. Of a read: the position that it must have seen.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("muniment-position");
/// `behind`, if a read right after this answer may not see the command yet.
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

/// Begins the answer to a command, once the views have seen what it did, or have been waited for long enough.
pub(crate) async fn to_command(
    service: &Service,
    status: StatusCode,
    recorded: impl Into<Recorded>,
) -> HttpResponseBuilder {
    let Recorded { revision, position, replayed } = recorded.into();
    let mut response = HttpResponse::build(status);
    response.insert_header((POSITION, position.get())).insert_header((header::ETAG, etag(revision)));
    if !service.views_at(position).await {
        response.insert_header((VIEWS, "behind"));
    }
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
    response
}

/// `"<revision>"`.
pub(crate) fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}
