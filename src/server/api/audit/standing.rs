//! Whether who reads for long may still go on.

use actix_web::HttpRequest;
use app::Context;
use domain::Permission;

use super::question::Question;
use crate::{extract::who, problem::Problem, service::Service};

/// Refuses who began to read and may not go on: whose token was revoked since, or who lost a permission. The refusal is
/// recorded.
pub(crate) async fn demand_again(
    service: &Service,
    http: &HttpRequest,
    context: &Context,
    question: &Question,
    private: bool,
) -> Result<(), Problem> {
    let context = Context { actor: who(service, http).await?, ..context.clone() };
    service.app.demand(context.clone(), Permission::AuditRead).await?;
    if private {
        service.app.demand(context.clone(), Permission::AuditReadPrivate).await?;
    }
    question.demand(service, &context).await
}
