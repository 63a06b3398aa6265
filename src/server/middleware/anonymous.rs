//! Who sends no token that works is counted by address, and told to wait when it becomes too much.

use actix_web::{
    Error, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
    web::Data,
};

use crate::{
    problem::Problem,
    routes::{self, Methods},
    service::Service,
};

/// What supervisors ask all the time, and must be answered.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Counts. What anyone may ask is not done beyond the allowance; whether a token works is known by the answer alone, and in
/// place of one that goes beyond it there is a problem that says so.
pub(crate) async fn limit(
    service: Data<Service>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // As the router will read it, without asking the router twice for every request.
    let path = request.match_info().unprocessed();
    let anyones = routes::is_anyones(request.method(), path) && !PROBES.contains(&path);
    if anyones && let Err(problem) = spend(&service, request.request()) {
        return Ok(ServiceResponse::from_err(problem, request.into_parts().0));
    }
    let response = next.call(request).await?.map_into_boxed_body();
    let request = response.request();
    let known = request.app_data::<Methods>().is_some_and(|methods| {
        let asks_before = methods.is_asked_by_pages() && request.method() == Method::OPTIONS;
        asks_before || methods.route(request.method()).is_some()
    });
    if anyones || known && response.status() != StatusCode::UNAUTHORIZED {
        return Ok(response);
    }
    match spend(&service, request) {
        Ok(()) => Ok(response),
        Err(problem) => Ok(ServiceResponse::from_err(problem, request.clone())),
    }
}

/// Counts a request of somebody without a token that works.
pub(crate) fn spend(service: &Service, request: &HttpRequest) -> Result<(), Problem> {
    // Who is at the host has no address.
    match service.proxy.client_address(request) {
        Some(address) => service.limits.spend_anonymous(address),
        None => Ok(()),
    }
}
