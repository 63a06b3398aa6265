//! `POST /members`: enrols a member.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::CreateMemberRequest;
use crypto::{Personal, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::GivenRole;
use crate::{
    answer,
    extract::{Command, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Member, member},
};

/// A new member. Who it is, is sealed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateMember {
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 200)]
    name: Personal<String>,
    /// Unique among members.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 254)]
    email: Personal<String>,
    /// Each a name, or an object with `role` and `environments`: at least one.
    #[serde(default)]
    #[schema(required)]
    roles: Vec<GivenRole>,
    /// What it can sign in with: at least 12 characters, at most 1024 bytes. It is never shown.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 12, max_length = 1024)]
    password: Option<SecretString>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(CreateMember, secrets["password"]);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Enrol a member")
        .body::<CreateMember>()
        .json::<Member>(StatusCode::CREATED, "The member")
        .problems(&[Kind::GrantExceeds, Kind::Taken])
}

pub(crate) async fn handle(command: Command<CreateMember>) -> Result<HttpResponse, Problem> {
    let Command { service, context, body: CreateMember { name, email, roles, password, .. }, .. } = command;
    let roles = roles.into_iter().map(Into::into).collect();
    let request = CreateMemberRequest { name, email, roles, password };
    let created = service.app.create_member(context, request).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &created).await;
    Ok(answer.insert_header((header::LOCATION, member::path(&created))).json(Member::new(&service, &created)))
}
