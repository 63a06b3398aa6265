//! Everything about a request that is not what it asks for.

use actix_web::{HttpRequest, http::header};
use app::{Actor, Context, Source};
use crypto::Personal;
use domain::EnvironmentName;
use uuid::Uuid;

use super::read;
use crate::{compatibility, middleware::request_id::RequestId, problem::Problem, service::Service};

/// Longer ones say nothing more about whose they are.
const LONGEST_USER_AGENT: usize = 512;

/// The context of a request by `actor`, without a reason.
pub(crate) fn of(service: &Service, http: &HttpRequest, actor: &Actor) -> Result<Context, Problem> {
    let RequestId(request_id) = RequestId::of(http);
    let correlation_id = match Uuid::parse_str(&request_id) {
        Ok(id) => id,
        Err(_) => service.new_id()?,
    };
    Ok(Context {
        actor: actor.clone(),
        operation: read::route(http)?.command,
        environment: environment(service, http, actor),
        request_id,
        correlation_id,
        source: source(service, http),
        reason: None,
        ticket: None,
        idempotency: None,
        malformed: Vec::new(),
    })
}

/// The environment of the path; where no path has one, that of who asks.
fn environment(service: &Service, http: &HttpRequest, actor: &Actor) -> Option<EnvironmentName> {
    if compatibility::is_spoken_at(http.path()) {
        return Some(compatibility::environment(service, actor));
    }
    EnvironmentName::parse(http.match_info().get("environment")?).ok()
}

/// Who sent it, as far as the peer or a trusted proxy says.
pub(crate) fn source(service: &Service, http: &HttpRequest) -> Option<Source> {
    let address = Personal::new(service.proxy.client_address(http)?.to_string());
    let user_agent = http.headers().get(header::USER_AGENT).map(|header| {
        let text = String::from_utf8_lossy(header.as_bytes());
        Personal::new(text[..text.floor_char_boundary(LONGEST_USER_AGENT)].to_owned())
    });
    Some(Source { address, user_agent })
}
