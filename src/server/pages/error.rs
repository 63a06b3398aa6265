//! What a person sees in place of an answer that could not be sent to a client, and what its developer needs to know.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use domain::oauth::RedirectMismatch;

use super::{Place, answer, assets};

/// A redirect URI that is none of those registered. The page repeats what was sent, as text, and never leads there; which
/// ones are registered, it does not tell.
#[derive(Clone, Copy, Debug)]
pub struct RedirectFault<'a> {
    /// What was sent.
    pub presented: &'a str,
    /// In what it differs.
    pub mismatch: &'a RedirectMismatch,
    /// What it is.
    pub called: &'a str,
}

/// An error that is told here, because it cannot be told to a client.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// Where; none if the address names no environment.
    pub place: Option<Place<'a>>,
    /// The status of the answer.
    pub status: StatusCode,
    /// What is wrong, in a few words.
    pub title: &'a str,
    /// The same for the person, in a sentence or two.
    pub words: &'a str,
    /// What the developer of the client should do.
    pub advice: &'a str,
    /// How the redirect URI differs, if that is what is wrong.
    pub redirect: Option<RedirectFault<'a>>,
    /// The request's id.
    pub request_id: &'a str,
}

impl RedirectFault<'_> {
    /// What is wrong, as a sentence; a registered URI is named by what differs alone.
    fn sentence(&self) -> String {
        let detail = self.mismatch.detail().replace("redirect URI", self.called);
        let mut letters = detail.chars();
        letters
            .next()
            .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
    }
}

impl ErrorPage<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, self.status, None)
    }
}
