//! Every error leaves with the id of its request, the framework's own among them: as a problem, or in the dialect of the
//! compatibility API at its paths.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::request_id::RequestId;
use crate::{
    compatibility,
    problem::{Kind, Problem},
    service::Service,
};

/// What became of a request, for those who count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed(pub(crate) Kind);

/// Writes the body of a problem.
pub(crate) async fn write(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = next.call(request).await?.map_into_boxed_body().into_parts();
    let Some(error) = response.error() else { return Ok(ServiceResponse::new(request, response)) };
    let id = RequestId::of(&request);
    let of_framework;
    let problem = match error.as_error::<Problem>() {
        Some(problem) => problem,
        None => {
            of_framework = Problem::of_status(response.status());
            &of_framework
        }
    };
    if let Some(cause) = problem.cause() {
        tracing::error!(request_id = id.0, problem = problem.kind().slug(), cause, "a request failed");
    }
    if problem.is_recorded()
        && let Some(service) = request.app_data::<Data<Service>>()
        && let Ok(head) = service.app.log().head().await
    {
        // Who is refused and then reads the audit finds the refusal there.
        service.views_at(head).await;
    }
    let mut written = if compatibility::is_spoken_at(request.path()) {
        compatibility::error::response(problem, &id.0)
    } else {
        problem.to_response(&id.0)
    };
    written.extensions_mut().insert(Failed(problem.kind()));
    Ok(ServiceResponse::new(request, written))
}
