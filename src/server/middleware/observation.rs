//! One log line and one count for each request. Neither has the path as it came, the query, or a header: only names of
//! our own making.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
    web::Data,
};

use super::{problems::Failed, request_id::RequestId};
use crate::{
    answer::REPLAYED,
    metrics::Request,
    problem::Kind,
    routes::{Audit, Methods},
    service::Service,
};

/// What a path or a method of nobody's making is called.
const OTHER: &str = "other";

/// Logs and counts.
pub(crate) async fn observe(
    service: Data<Service>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let response = next.call(request).await?;
    let took = began.elapsed();
    let request = response.request();
    let methods = request.app_data::<Methods>().copied();
    let route = methods.and_then(|methods| methods.route(request.method()));
    let failed = response.response().extensions().get::<Failed>().map(|failed| failed.0);
    let observed = Request {
        method: name(request.method()),
        route: methods.map_or(OTHER, Methods::path),
        status: class(response.status()),
    };
    service.metrics.request(observed, took);
    if let Some(route) = route.filter(|route| route.audit == Audit::Everything) {
        let done = if response.headers().contains_key(REPLAYED) { "replayed" } else { "done" };
        service.metrics.command(route.command, failed.map_or(done, Kind::slug));
    }
    tracing::info!(
        method = observed.method,
        route = observed.route,
        status = response.status().as_u16(),
        ms = took.as_secs_f64() * 1_000.0,
        request_id = RequestId::of(request).0,
        problem = failed.map(Kind::slug),
        "answered"
    );
    Ok(response)
}

/// The method, if it is one that anybody uses: labels must not grow with what callers make up.
fn name(method: &Method) -> &'static str {
    let known = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
    ];
    known.into_iter().find(|(known, _)| known == method).map_or(OTHER, |(_, name)| name)
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}
