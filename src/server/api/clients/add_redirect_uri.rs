//! `POST /environments/{environment}/clients/{client_id}/redirect_uris`: one redirect URI more, at the end.

use actix_web::HttpResponse;
use app::RedirectUriEdit;

use super::redirect_uri::{self, OneRedirectUri};
use crate::{extract::Command, openapi::Operation, problem::Problem};

pub(crate) fn document(operation: Operation) -> Operation {
    redirect_uri::document(operation, "Add a redirect URI")
}

pub(crate) async fn handle(command: Command<OneRedirectUri>) -> Result<HttpResponse, Problem> {
    redirect_uri::edit(command, RedirectUriEdit::Add).await
}
