//! `GET /audit/events`: what an auditor asks for, newest first; or the whole log forward, for replay tooling.

use actix_web::{HttpResponse, http::StatusCode};

use super::{
    Order,
    feed::{Events, Feed},
    parameters::{self, filtered},
};
use crate::{api::clients::get::Include, extract::Read, openapi::Operation, problem::Problem};

filtered! {
    /// Which events; all that is given must hold.
    struct Parameters {
        /// The id of the client that it is about; what was refused for it is found too.
        #[param(value_type = Option<String>, format = Uuid)]
        client: Option<domain::ClientId>,
        /// The stream that it is about, in place of `client`.
        #[param(example = "environment-sandbox")]
        subject: Option<String>,
        /// Who holds audit:read in one environment alone must name that one.
        environment: Option<String>,
        /// `desc`, newest first, if left out; `asc` is the feed forward.
        #[serde(default)]
        #[param(inline)]
        order: Order,
        /// Only events after this position.
        after: Option<u64>,
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
        .summary("Search the audit, or follow the log forward")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Events>(StatusCode::OK, "Some of the events")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { service, mut parameters, context, .. } = read;
    let subject = parameters::subject(parameters.client, parameters.subject.take())?;
    let environment = parameters.environment.take();
    let question = parameters.question(subject, environment)?;
    let Parameters { order, after, limit, cursor, include, .. } = parameters;
    let feed = Feed {
        what: "audit.events",
        about: None,
        own: false,
        scope: "audit".to_owned(),
        follows: true,
        question,
        order,
        after,
        limit,
        cursor,
        include,
    };
    feed.answer(&service, context).await
}
