//! `POST /leaked_secrets`: stops what somebody found where it must not be, and says so to nobody but the history.

use actix_web::{HttpResponse, http::StatusCode};
use app::Context;
use crypto::{Personal, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    extract::Anonymous,
    openapi::Operation,
    problem::{Kind, Problem},
};

/// Secrets that one request can name.
const MOST_SECRETS: usize = 100;
const LONGEST_PLACE: usize = 400;

/// What was found, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeakedSecrets {
    /// Client secrets, personal tokens and initial access tokens as they were found; what is none of ours is passed over.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 100)]
    secrets: Vec<Personal<String>>,
    /// What kind of place it was; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 400, example = "commit")]
    source: Option<Personal<String>>,
    /// Where that is; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 400, example = "https://git.example.com/acme/app")]
    url: Option<Personal<String>>,
}

/// The answer, whatever was real.
#[derive(Serialize, ToSchema)]
struct Received {
    /// How many there were in the request.
    received: usize,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary(
            "Report secrets that leaked: what is real is revoked at once, and the answer is always the same",
        )
        .body::<LeakedSecrets>()
        .json::<Received>(StatusCode::ACCEPTED, "They were looked at")
        .problems(&[
            Kind::MalformedRequest,
            Kind::InvalidRequest,
            Kind::RequestTimeout,
            Kind::BodyTooLarge,
            Kind::UnsupportedMediaType,
            Kind::Contended,
            Kind::Internal,
            Kind::Busy,
            Kind::Unavailable,
        ])
}

pub(crate) async fn handle(reported: Anonymous<LeakedSecrets>) -> Result<HttpResponse, Problem> {
    let Anonymous { service, context, body } = reported;
    let LeakedSecrets { secrets, source, url } = body;
    let received = secrets.len();
    if received == 0 {
        return Err(Problem::in_body("/secrets", "required", "name at least one"));
    }
    if received > MOST_SECRETS {
        return Err(Problem::in_body("/secrets", "too_many", format!("at most {MOST_SECRETS} at a time")));
    }
    let mut reason = "reported as leaked".to_owned();
    for (pointer, place) in [("/source", &source), ("/url", &url)] {
        let Some(place) = place else { continue };
        if place.expose().chars().count() > LONGEST_PLACE {
            let detail = format!("at most {LONGEST_PLACE} characters");
            return Err(Problem::in_body(pointer, "too_long", detail));
        }
        reason.extend(["; ", pointer, ": "]);
        reason.extend(place.expose().chars().filter(|c| !c.is_control()));
    }
    let context = Context { reason: Some(Personal::new(reason)), ..context };
    let texts = secrets.into_iter().map(|text| SecretString::from(text.expose().as_str())).collect();
    service.app.report_leaked_secrets(context, texts).await?;
    // As after every command, so that a read right after it sees what it did.
    service.views_at(service.app.log().head().await?).await;
    Ok(HttpResponse::Accepted().json(Received { received }))
}
