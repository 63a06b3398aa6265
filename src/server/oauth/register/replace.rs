//! `PUT /{environment}/register/{client_id}`: a client registers anew (RFC 7592 section 2.2).

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{attempt, metadata, refusal, registered};
pub(crate) use crate::oauth::undocumented as document;
use crate::{
    extract::{bytes_of, path},
    middleware::anonymous,
    problem::Problem,
    service::Service,
};

pub(crate) async fn handle(
    http: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let attempt = attempt(&service, &http, path::environment(&http)?);
    // Each replacement is an event for ever: nobody makes any number of them.
    anonymous::spend(&service, &http)?;
    let bytes = bytes_of(&service, &http, payload).await?;
    let request = metadata::replacement(&http, &bytes);
    let client_id = http.match_info().query("client_id").to_owned();
    Ok(match service.app.replace_registration(attempt, client_id, request).await {
        Ok(own) => registered(&service, StatusCode::OK, &own, None).await,
        Err(error) => refusal(&http, &error),
    })
}
