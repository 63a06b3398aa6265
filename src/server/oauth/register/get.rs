//! `GET /{environment}/register/{client_id}`: what a client is registered as (RFC 7592 section 2.1).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};

use super::{attempt, refusal, registered};
pub(crate) use crate::oauth::undocumented as document;
use crate::{extract::path, problem::Problem, service::Service};

pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let attempt = attempt(&service, &http, path::environment(&http)?);
    let presented = attempt.token.clone();
    let client_id = http.match_info().query("client_id").to_owned();
    Ok(match service.app.read_registration(attempt, client_id).await {
        Ok(own) => registered(&service, StatusCode::OK, &own, presented.as_ref()).await,
        Err(error) => refusal(&http, &error),
    })
}
