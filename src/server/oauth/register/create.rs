//! `POST /{environment}/register`: a client registers itself (RFC 7591 section 3).

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
    let environment = path::environment(&http)?;
    let attempt = attempt(&service, &http, environment);
    if attempt.token.is_none() {
        // Where anybody may register, nobody may register any number.
        anonymous::spend(&service, &http)?;
    }
    let bytes = bytes_of(&service, &http, payload).await?;
    Ok(match service.app.register_client(attempt, metadata::request(&http, &bytes)).await {
        Ok(own) => registered(&service, StatusCode::CREATED, &own, None).await,
        Err(error) => refusal(&http, &error),
    })
}
