//! What a client asks a member for: who it is, who runs it, each scope in plain words, and two answers.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

use super::{AskedScope, Moment, Place, answer, assets};

/// The member who is asked.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its e-mail address.
    pub email: &'a str,
}

/// Who answers for a client.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// Who runs it.
    pub name: &'a str,
    /// Where they are reached.
    pub email: &'a str,
}

/// How a client came to be registered.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    /// Who registered it, if that may be told.
    pub by: Option<&'a str>,
    /// When.
    pub at: Moment,
    /// Whether it did so itself, and nobody knows whose it is.
    pub by_itself: bool,
}

/// The question.
#[derive(Clone, Debug, Template)]
#[template(path = "consent.html")]
pub struct Consent<'a> {
    /// Where.
    pub place: Place<'a>,
    /// The client's name.
    pub client_name: &'a str,
    /// Its id.
    pub client_id: &'a str,
    /// Who runs it, unless that was erased.
    pub contact: Option<Contact<'a>>,
    /// Who registered it, and when.
    pub registration: Registration<'a>,
    /// Who is asked.
    pub member: Person<'a>,
    /// What for.
    pub scopes: Vec<AskedScope>,
    /// Where either answer leads.
    pub redirect_uri: &'a str,
    /// The query of the request that is answered; it is validated again then.
    pub continue_query: &'a str,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
}

impl Consent<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, StatusCode::OK, Some(self.redirect_uri))
    }
}
