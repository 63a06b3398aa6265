//! `DELETE /{environment}/register/{client_id}`: a client ends itself (RFC 7592 section 2.3).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};

use super::{attempt, done, refusal};
pub(crate) use crate::oauth::undocumented as document;
use crate::{extract::path, problem::Problem, service::Service};

pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let attempt = attempt(&service, &http, path::environment(&http)?);
    let client_id = http.match_info().query("client_id").to_owned();
    Ok(match service.app.delete_registration(attempt, client_id).await {
        Ok(client) => done(&service, StatusCode::NO_CONTENT, client.position).await.finish(),
        Err(error) => refusal(&http, &error),
    })
}
