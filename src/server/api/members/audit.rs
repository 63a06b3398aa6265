//! `GET /members/{member_id}/audit`: what a member did, answers for, or was done to.

use actix_web::{HttpResponse, http::StatusCode};
use domain::Member;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    api::{
        audit::{
            Order,
            feed::{Events, Feed},
            parameters::{self, filtered},
        },
        clients::get::Include,
    },
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// What the member has to do with the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Relation {
    /// The member acted, or tried to.
    #[default]
    Acted,
    /// The member answers for the client that they are about, whoever acted.
    Responsible,
    /// They are about the member itself: roles, tokens, and what was refused.
    Subject,
}

impl Relation {
    /// The name on the wire.
    fn as_str(self) -> &'static str {
        match self {
            Self::Acted => "acted",
            Self::Responsible => "responsible",
            Self::Subject => "subject",
        }
    }
}

filtered! {
    /// Which of them; all that is given must hold.
    struct Parameters {
        /// `acted` if left out.
        #[serde(default)]
        #[param(inline)]
        relation: Relation,
        /// The id of the client that it is about.
        #[param(value_type = Option<String>, format = Uuid)]
        client: Option<domain::ClientId>,
        environment: Option<String>,
        /// `desc`, newest first, if left out.
        #[serde(default)]
        #[param(inline)]
        order: Order,
        /// How many.
        #[param(minimum = 1, maximum = 500, default = 50)]
        limit: Option<usize>,
        /// Where to go on: the `next` of the page before.
        cursor: Option<String>,
        /// `private` opens private parts; needs audit:read_private, and is recorded.
        #[param(inline)]
        include: Option<Include>,
    }
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("What a member did, answers for, or was done to")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Events>(StatusCode::OK, "Some of the events; none for a member that there is not")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, mut parameters, context, .. } = read;
    let member_id = path::member_id(&http)?.to_string();
    let stream = format!("{}-{member_id}", Member::CATEGORY);
    let subject = parameters::subject(parameters.client, None)?;
    let environment = parameters.environment.take();
    let mut question = parameters.question(subject, environment)?;
    let filter = &mut question.filter;
    let (named, contradicts, given) = match parameters.relation {
        Relation::Acted => (&mut filter.actor, "actor", &member_id),
        Relation::Responsible => (&mut filter.responsible, "responsible", &member_id),
        Relation::Subject => (&mut filter.subject, "client", &stream),
    };
    if named.replace(given.clone()).is_some() {
        return Err(Problem::in_query(contradicts, "contradiction", "the path and `relation` say who"));
    }
    let Parameters { relation, order, limit, cursor, include, .. } = parameters;
    let feed = Feed {
        what: "member.audit",
        about: Some(stream),
        own: false,
        scope: format!("member/{member_id}/{}/{}", relation.as_str(), order.as_str()),
        follows: false,
        question,
        order,
        after: None,
        limit,
        cursor,
        include,
    };
    feed.answer(&service, context).await
}
