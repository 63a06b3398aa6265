//! Signing out.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

use super::{Person, Place, answer, assets};

/// The question: a link of somebody else's must not sign a member out.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "sign_out.html")]
pub struct SignOut<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Who is signed in.
    pub member: Person<'a>,
    /// The client that asks for it, if one does.
    pub client_name: Option<&'a str>,
    /// Where that client wants the member afterwards, if it registered that.
    pub redirect_uri: Option<&'a str>,
    /// The query of the request; it is validated again afterwards.
    pub continue_query: &'a str,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
}

/// It is done.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut<'a> {
    /// Where.
    pub place: Place<'a>,
}

impl SignOut<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, StatusCode::OK, self.redirect_uri)
    }
}

impl SignedOut<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, StatusCode::OK, None)
    }
}
