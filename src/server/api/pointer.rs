//! `GET /`: where to look.

use actix_web::HttpResponse;

use crate::openapi::Operation;

const TEXT: &str = "Muniment: a registry of OAuth clients with a history that can be proved.

  /openapi.json   the API, /api/v1
  /readyz         whether the service can do its work
  /metrics        for Prometheus
";

pub(crate) fn document(operation: Operation) -> Operation {
    operation.summary("Where to look").text(&["text/plain"], "A few lines for people")
}

pub(crate) async fn handle() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(TEXT)
}
