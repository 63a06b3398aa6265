//! `POST /members/{member_id}/tokens`: a new personal token.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::{IssueTokenRequest, IssuedPersonalToken};
use crypto::{ExposeSecret, Personal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Member, member},
};

/// A new personal token. It can do no more than the one that makes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueToken {
    /// What it is called.
    #[serde(default)]
    #[schema(required, max_length = 100)]
    label: String,
    /// What it may do at most; left out, all that its member may.
    #[serde(default)]
    permissions: Option<Vec<String>>,
    /// Where it may do it at most; left out, wherever its member may, or the member's own token that makes it.
    #[serde(default)]
    environments: Option<Vec<String>>,
    /// How long it lives: two years at most.
    #[serde(default)]
    #[schema(required, minimum = 1, maximum = 63_072_000)]
    expires_in_seconds: u32,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(IssueToken);

/// A token that was just issued. Its text is shown here and never again.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedToken {
    /// Left out in the answer to a repeated request: revoke it and issue another if the first answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    token_id: String,
    member: Member,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Issue a personal token")
        .body::<IssueToken>()
        .json::<IssuedToken>(StatusCode::CREATED, "The token, for the only time")
        .problems(&[Kind::NotFound, Kind::GrantExceeds, Kind::MemberErased, Kind::TooManyTokens])
}

pub(crate) async fn handle(command: Command<IssueToken>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let IssueToken { label, permissions, environments, expires_in_seconds, .. } = body;
    let request = IssueTokenRequest { label, permissions, environments, expires_in_seconds };
    let issued = service.app.issue_token(context, path::member_id(&http)?, request).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &issued.member).await;
    let IssuedPersonalToken { member, token_id, token } = issued;
    let location = format!("{}/tokens/{token_id}", member::path(&member));
    Ok(answer.insert_header((header::LOCATION, location)).json(IssuedToken {
        token: token.map(|token| token.expose_secret().to_owned()),
        token_id: token_id.to_string(),
        member: Member::new(&service, &member),
    }))
}
