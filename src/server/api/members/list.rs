//! `GET /members`: the members, newest first. Who they are is sealed; this is what they may do.

use actix_web::{HttpResponse, http::StatusCode};
use app::ChangedMember;
use crypto::Personal;
use domain::{
    MemberId,
    member::{MemberStatus, Membership},
};
use jiff::Timestamp;
use projections::members::{self, MemberRow};
use serde::{Deserialize, Serialize};
use store::{Position, Revision};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Freshness,
    api::clients::get::Include,
    extract::{Read, page},
    openapi::Operation,
    problem::Problem,
    representation::{RoleGrant, member::Identity},
};

const CURSORS: &str = "members";

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
    /// `private` says who they are; needs audit:read_private, and is recorded.
    #[param(inline)]
    include: Option<Include>,
    /// Only the member whom mail reaches there, of whom there is one at most.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    email: Option<Personal<String>>,
}

/// Some of the members.
#[derive(Debug, Serialize, ToSchema)]
struct Members {
    items: Vec<ListedMember>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// A member in a list; its tokens are in its own document.
#[derive(Debug, Serialize, ToSchema)]
struct ListedMember {
    #[schema(value_type = String, format = Uuid)]
    member_id: MemberId,
    #[serde(flatten)]
    identity: Identity,
    roles: Vec<RoleGrant>,
    #[schema(value_type = String, pattern = "^(active|inactive)$")]
    status: MemberStatus,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    revision: Revision,
    /// The position of the newest of them.
    #[schema(value_type = u64)]
    position: Position,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List members, newest first")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Members>(StatusCode::OK, "Some of the list")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { service, parameters, context, .. } = read;
    let limit = page::limit(parameters.limit)?;
    let cursors = service.app.cursor_key();
    let after: Option<MemberId> =
        parameters.cursor.map(|cursor| page::place(cursors, CURSORS, &cursor)).transpose()?;
    let freshness = Freshness::of(&service, members::NAME).await;
    let (mut items, next) = match parameters.email {
        Some(email) => {
            let found = service.app.member_by_email(&context, &email).await?;
            (found.iter().map(ListedMember::from).collect(), None)
        }
        None => {
            let page = service.views.read(move |reader| members::list(reader, after, limit)).await?;
            (page.items.into_iter().filter_map(listed).collect::<Vec<_>>(), page.next)
        }
    };
    if parameters.include.is_some() {
        let members = items.iter().map(|item| item.member_id).collect();
        let opened = service.app.open_members(context, members).await?;
        for (item, opened) in items.iter_mut().zip(&opened) {
            item.identity = Identity::opened(opened.as_ref());
        }
    }
    let next = next.map(|id| page::cursor(cursors, CURSORS, &id)).transpose()?;
    Ok(freshness.ok().json(Members { items, next }))
}

impl From<&ChangedMember> for ListedMember {
    fn from(member: &ChangedMember) -> Self {
        let ChangedMember { member_id, membership, revision, position, .. } = member;
        Self::new(*member_id, membership, *revision, *position)
    }
}

impl ListedMember {
    fn new(member_id: MemberId, membership: &Membership, revision: Revision, position: Position) -> Self {
        Self {
            member_id,
            identity: Identity::default(),
            roles: membership.roles.iter().map(RoleGrant::from).collect(),
            status: membership.status,
            created_at: membership.created_at,
            revision,
            position,
        }
    }
}

fn listed(row: MemberRow) -> Option<ListedMember> {
    let MemberRow { id, revision, position, state } = row;
    Some(ListedMember::new(id, state.membership()?, revision, position))
}
