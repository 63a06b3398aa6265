//! Adding an authenticator as the second factor, and the codes for whoever loses it.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

use super::{Person, Place, SignInRefusal, answer, assets};

/// The key for the authenticator, and a field for its first code.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "totp.html")]
pub struct TotpEnrolment<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Whose second factor it is.
    pub member: Person<'a>,
    /// Where the form goes, relative to the page.
    pub action: &'a str,
    /// Which enrolment it is: it goes with the code.
    pub enrolment_id: &'a str,
    /// The address that an authenticator on this device opens: `otpauth://totp/…`.
    pub otpauth: &'a str,
    /// The key in base32, for an authenticator elsewhere.
    pub secret: &'a str,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
    /// Why the code did not do.
    pub refusal: Option<SignInRefusal>,
}

/// Codes that are shown once, each to be used once.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodes<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Whose they are.
    pub member: Person<'a>,
    /// The codes.
    pub codes: &'a [&'a str],
    /// The page that comes next, relative to this one.
    pub next: &'a str,
}

impl RecoveryCodes<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, StatusCode::OK, None)
    }
}

impl TotpEnrolment<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        let status = self.refusal.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
        answer(self, status, None)
    }

    /// The key in groups of four, to be read aloud and typed.
    fn groups(&self) -> Vec<&str> {
        let mut rest = self.secret;
        let mut groups = Vec::new();
        while let Some((group, left)) = rest.split_at_checked(4).filter(|_| rest.len() > 4) {
            groups.push(group);
            rest = left;
        }
        groups.push(rest);
        groups
    }
}
