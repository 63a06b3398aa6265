//! The bytes of a body.

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    web::{self, Bytes},
};
use serde::de::DeserializeOwned;

use super::json;
use crate::{
    problem::{Kind, Problem},
    service::Service,
};

/// The body of a request before it is looked at. Whoever has to prove who it is once the body is there cannot lose the right
/// to it while it comes.
pub(crate) async fn bytes_of(
    service: &Service,
    http: &HttpRequest,
    payload: web::Payload,
) -> Result<Bytes, Problem> {
    read(service, http, &mut payload.into_inner()).await
}

/// What such a body says.
pub(crate) fn said_in<B: DeserializeOwned>(http: &HttpRequest, bytes: &Bytes) -> Result<B, Problem> {
    must_be_json(http)?;
    json::parse(bytes)
}

/// The whole body, if it is not too long and arrives in time.
pub(super) async fn read(
    service: &Service,
    http: &HttpRequest,
    payload: &mut Payload,
) -> Result<Bytes, Problem> {
    let reading = Bytes::from_request(http, payload);
    let Ok(read) = tokio::time::timeout(service.client_timeout, reading).await else {
        return Err(Problem::new(Kind::RequestTimeout));
    };
    read.map_err(|error| match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Problem::new(Kind::BodyTooLarge),
        Some(_) | None => Problem::new(Kind::MalformedRequest),
    })
}

/// Refuses a body that does not say it is JSON; one that says nothing at all could be sent by a form of any page.
pub(super) fn must_be_json(http: &HttpRequest) -> Result<(), Problem> {
    let essence = http.content_type().trim();
    let json = ["application/json", "application/merge-patch+json", "application/json-patch+json"];
    if json.iter().any(|name| essence.eq_ignore_ascii_case(name)) {
        Ok(())
    } else {
        Err(Problem::new(Kind::UnsupportedMediaType))
    }
}
