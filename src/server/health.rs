//! What a supervisor asks: does the process live, and can it do its work.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{openapi::Operation, representation::projection::PublicProjection, service::Service};

/// `GET /healthz`.
pub(crate) mod alive {
    use super::{HttpResponse, Operation};

    pub(crate) fn document(operation: Operation) -> Operation {
        operation.summary("Whether the process lives").text(&["text/plain"], "It does")
    }

    pub(crate) async fn handle() -> HttpResponse {
        HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
    }
}

/// What works.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// `ready`; `degraded` if a view is halted or cannot be written, which keeps nobody from being served; `unavailable`.
    status: &'static str,
    log: Log,
    /// The keys of the vault.
    keys: Keys,
    views: Vec<PublicProjection>,
}

/// What works of the log.
#[derive(Debug, Serialize, ToSchema)]
struct Log {
    readable: bool,
    writable: bool,
}

/// What works of the vault.
#[derive(Debug, Serialize, ToSchema)]
struct Keys {
    readable: bool,
}

/// `GET /readyz`: fails only if the log cannot be read or written, or the keys cannot be read.
pub(crate) mod ready {
    use super::{Data, HttpResponse, Keys, Log, Operation, Readiness, Service, StatusCode};

    pub(crate) fn document(operation: Operation) -> Operation {
        operation
            .summary("Whether the service can do its work")
            .json::<Readiness>(StatusCode::OK, "It can")
            .json::<Readiness>(
            StatusCode::SERVICE_UNAVAILABLE,
            "The log cannot be read or written, or the keys cannot be read",
        )
    }

    pub(crate) async fn handle(service: Data<Service>) -> HttpResponse {
        let health = service.app.health().await;
        let checkpoints = service.views.checkpoints();
        let (status_code, status) = if !(health.log_readable && health.log_writable && health.keys_readable) {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        } else if checkpoints.iter().any(|checkpoint| checkpoint.halt.is_some()) {
            (StatusCode::OK, "degraded")
        } else {
            (StatusCode::OK, "ready")
        };
        let log = Log { readable: health.log_readable, writable: health.log_writable };
        let views = checkpoints.iter().map(Into::into).collect();
        let keys = Keys { readable: health.keys_readable };
        HttpResponse::build(status_code).json(Readiness { status, log, keys, views })
    }
}
