//! Passkeys on pages: what a script asks the browser for, which asks an authenticator.

use std::fmt::Write as _;

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use crypto::PASSKEY_ALGORITHMS;

use super::{Person, Place, answer, assets};

/// What is asked of the passkeys of a member.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyRequest<'a> {
    /// What is signed, in base64url.
    pub challenge: &'a str,
    /// The host that passkeys are held to.
    pub party: &'a str,
    /// The ids of those that there are, in base64url, with blanks between them.
    pub held: &'a str,
}

/// Adding a passkey.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "passkey.html")]
pub struct NewPasskey<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Whose it will be.
    pub member: Person<'a>,
    /// What the member is known by to its authenticators, in base64url.
    pub member_id: &'a str,
    /// The query of the request that goes on afterwards, if one does; it is validated again then.
    pub continue_query: &'a str,
    /// Which registration it is: it goes with the answer.
    pub registration_id: &'a str,
    /// What is asked; the passkeys that there are make no other.
    pub request: PasskeyRequest<'a>,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
}

impl NewPasskey<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, StatusCode::OK, None)
    }

    /// The kinds of keys that are understood, the best one first.
    fn algorithms(&self) -> String {
        let mut listed = String::new();
        for algorithm in PASSKEY_ALGORITHMS {
            let _always = write!(listed, "{algorithm} ");
        }
        listed
    }
}
