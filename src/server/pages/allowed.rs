//! What a member has allowed, and the question before one of it is withdrawn.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

use super::{AskedScope, Moment, Person, Place, answer, assets};

/// What one client was allowed.
#[derive(Clone, Debug)]
pub struct AllowedGrant<'a> {
    /// The grant's id.
    pub id: &'a str,
    /// The client's name.
    pub client_name: &'a str,
    /// The client's id.
    pub client_id: &'a str,
    /// What it may do.
    pub scopes: Vec<AskedScope>,
    /// When it was allowed.
    pub given_at: Moment,
    /// When it was last made use of, if that is known.
    pub last_used_at: Option<Moment>,
}

/// Everything that is allowed in an environment.
#[derive(Clone, Debug, Template)]
#[template(path = "allowed.html")]
pub struct Allowed<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Who allowed it.
    pub member: Person<'a>,
    /// What.
    pub grants: Vec<AllowedGrant<'a>>,
    /// The name of a client that was just withdrawn from.
    pub withdrawn: Option<&'a str>,
    /// The grant that is to be withdrawn, if the question is asked: `?withdraw=<its id>`.
    pub withdrawing: Option<&'a str>,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
}

impl Allowed<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, StatusCode::OK, None)
    }

    /// The one that is asked about.
    fn asked(&self) -> Option<&AllowedGrant<'_>> {
        self.grants.iter().find(|grant| self.withdrawing == Some(grant.id))
    }
}
