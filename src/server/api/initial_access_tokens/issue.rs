//! `POST /environments/{environment}/initial_access_tokens`: lets somebody register clients.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::{InitialAccessTokenRequest, IssuedInitialAccessToken};
use crypto::{ExposeSecret, Personal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ShownInitialAccessToken;
use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// A new initial access token. Its clients are made in the name of who makes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueInitialAccessToken {
    /// What it is called.
    #[serde(default)]
    #[schema(required, max_length = 100)]
    label: String,
    /// The scopes that its clients can have at most, separated by blanks; left out, whatever the environment lets.
    #[serde(default)]
    scope: Option<String>,
    /// How many clients it registers.
    #[serde(default = "once")]
    #[schema(minimum = 1, maximum = 10_000, default = 1)]
    max_uses: u32,
    /// How long it lives: a year at most.
    #[serde(default)]
    #[schema(required, minimum = 1, maximum = 31_536_000)]
    expires_in_seconds: u32,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

fn once() -> u32 {
    1
}

why!(IssueInitialAccessToken);

/// A token that was just issued. Its text is shown here and never again.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewInitialAccessToken {
    /// Left out in the answer to a repeated request: revoke it and issue another if the first answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    token_id: String,
    /// Null in the answer to a repeated request, if it ended long ago.
    initial_access_token: Option<ShownInitialAccessToken>,
    /// Where clients register themselves with it.
    registration_endpoint: String,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let somebody register clients by the protocol")
        .body::<IssueInitialAccessToken>()
        .json::<NewInitialAccessToken>(StatusCode::CREATED, "The token, for the only time")
        .problems(&[Kind::NotFound, Kind::TooManyTokens])
}

pub(crate) async fn handle(command: Command<IssueInitialAccessToken>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let environment = path::environment(&http)?;
    let IssueInitialAccessToken { label, scope, max_uses, expires_in_seconds, .. } = body;
    let request = InitialAccessTokenRequest { label, scope, max_uses, expires_in_seconds };
    let issued = service.app.issue_initial_access_token(context, environment.clone(), request).await?;
    let IssuedInitialAccessToken { admission, token_id, token } = issued;
    let now = service.app.log().now();
    let shown = admission.admission.token(&token_id).map(|token| ShownInitialAccessToken::of(token, now));
    let location = format!("/api/v1/environments/{environment}/initial_access_tokens/{token_id}");
    Ok(answer::to_command(&service, StatusCode::CREATED, &admission)
        .await
        .insert_header((header::LOCATION, location))
        .json(NewInitialAccessToken {
            token: token.map(|token| token.expose_secret().to_owned()),
            token_id: token_id.to_string(),
            initial_access_token: shown,
            registration_endpoint: service.oauth_url(&environment, "register"),
        }))
}
