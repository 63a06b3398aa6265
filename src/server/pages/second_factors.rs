//! What a member signs in with beside its password, and the question before one of it is taken away.

use actix_web::HttpResponse;
use askama::Template;

use super::{Moment, Person, Place, SignInRefusal, assets, sign_in::refused};

/// Something that a member signs in with.
#[derive(Clone, Copy, Debug)]
pub struct Factor {
    /// Since when.
    pub added_at: Moment,
    /// When it was used last.
    pub last_used_at: Option<Moment>,
}

/// What may be asked before it is done: `?remove=authenticator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether the authenticator is removed.
    RemoveAuthenticator,
}

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The authenticator is removed.
    RemovedAuthenticator,
}

/// All of it.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "second_factors.html")]
pub struct SecondFactors<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Whose they are.
    pub member: Person<'a>,
    /// The client whose request goes on as soon as there is one.
    pub client_name: Option<&'a str>,
    /// The query of that request; it is validated again then.
    pub continue_query: &'a str,
    /// The authenticator.
    pub authenticator: Option<Factor>,
    /// Since when there are these recovery codes.
    pub recovery_codes: Option<Moment>,
    /// Whether the member has to say its password to change anything.
    pub needs_password: bool,
    /// What is asked, if anything is.
    pub question: Option<Question>,
    /// What has just been done.
    pub done: Option<Done>,
    /// Why something was not done.
    pub refusal: Option<SignInRefusal>,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
}

impl SecondFactors<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        refused(self, self.refusal, None)
    }

    fn has_any(&self) -> bool {
        self.authenticator.is_some()
    }

    /// The authenticator, if it is asked whether it is removed.
    fn removing(&self) -> Option<&Factor> {
        match self.question {
            Some(Question::RemoveAuthenticator) => self.authenticator.as_ref(),
            None => None,
        }
    }

    /// Whether the field of a password is at fault.
    fn wrong_password(&self) -> Option<SignInRefusal> {
        self.refusal.filter(|refusal| *refusal == SignInRefusal::WrongPassword)
    }
}

impl Done {
    fn title(self) -> &'static str {
        match self {
            Self::RemovedAuthenticator => "The authenticator is removed.",
        }
    }
}
