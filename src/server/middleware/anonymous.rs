//! Who sends no token that works is counted by address, and told to wait when it becomes too much.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web::Data,
};

use crate::{
    routes::{Access, Methods},
    service::Service,
};

/// What supervisors ask all the time, and must be answered.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Counts; in place of an answer that goes beyond the allowance there is a problem that says so.
pub(crate) async fn limit(
    service: Data<Service>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let request = response.request();
    let anonymous = response.status() == StatusCode::UNAUTHORIZED
        || match request.app_data::<Methods>() {
            None => true,
            Some(methods) if PROBES.contains(&methods.path()) => false,
            Some(methods) => {
                methods.route(request.method()).is_none_or(|route| route.access == Access::Anyone)
            }
        };
    // Who is at the host has no address.
    let address = service.proxy.client_address(request).filter(|_| anonymous);
    match address.map_or(Ok(()), |address| service.limits.spend_anonymous(address)) {
        Ok(()) => Ok(response),
        Err(problem) => Ok(ServiceResponse::from_err(problem, request.clone())),
    }
}
