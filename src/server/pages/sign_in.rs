//! Signing in: e-mail and password, and then a code if the member has a second factor.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;

use super::{PasskeyRequest, Place, answer, assets};

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// E-mail and password are not those of a member who may sign in; which of them, nobody is told.
    NoMatch,
    /// The code is not the one of this moment, or was used before.
    WrongCode,
    /// Too many attempts.
    Wait {
        /// How long nothing more is tried.
        seconds: u64,
    },
    /// The form is another browser's, or was open for too long.
    StaleForm,
    /// It is not the password of the member who has signed in.
    WrongPassword,
    /// What was begun was not finished in time.
    TookTooLong,
    /// The answer of a passkey does not do.
    WrongPasskey,
    /// What a passkey was to be called does not do.
    WrongLabel,
    /// The member has as many passkeys as it can have.
    TooManyPasskeys,
}

impl SignInRefusal {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::NoMatch => "That e-mail and password do not match.",
            Self::WrongCode => "That code does not fit.",
            Self::Wait { .. } => "Too many attempts.",
            Self::StaleForm => "This page was open for too long, or in another browser.",
            Self::WrongPassword => "That is not your password.",
            Self::TookTooLong => "That took too long.",
            Self::WrongPasskey => "That passkey does not do.",
            Self::WrongLabel => "That is no name for it.",
            Self::TooManyPasskeys => "You have as many passkeys as you can have.",
        }
    }

    pub(super) fn advice(self) -> String {
        match self {
            Self::NoMatch => "Check both and try again. After several attempts there is a pause.".to_owned(),
            Self::WrongCode => {
                "Enter the newest code that your authenticator shows. Each works once.".to_owned()
            }
            Self::Wait { seconds } => {
                let plural = if seconds == 1 { "" } else { "s" };
                format!("Nothing was checked. Wait {seconds} second{plural}, then try again.")
            }
            Self::StaleForm => "Nothing was checked. Enter it once more.".to_owned(),
            Self::WrongPassword => {
                "Nothing was changed. Check it and try again. After several attempts there is a pause."
                    .to_owned()
            }
            Self::TookTooLong => "This added nothing. If it is not here already, begin again.".to_owned(),
            Self::WrongPasskey => "Nothing was changed. Try again, or use something else. An administrator sees why it was refused.".to_owned(),
            Self::WrongLabel => "Nothing was added. Write up to 64 letters, on one line.".to_owned(),
            Self::TooManyPasskeys => "Nothing was added. Remove one first.".to_owned(),
        }
    }

    /// Whether a field is at fault.
    pub(super) fn is_of_field(self) -> bool {
        match self {
            Self::NoMatch | Self::WrongCode | Self::WrongPassword => true,
            Self::Wait { .. }
            | Self::StaleForm
            | Self::TookTooLong
            | Self::WrongPasskey
            | Self::WrongLabel
            | Self::TooManyPasskeys => false,
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NoMatch
            | Self::WrongCode
            | Self::WrongPassword
            | Self::TookTooLong
            | Self::WrongPasskey
            | Self::WrongLabel
            | Self::TooManyPasskeys => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::StaleForm => StatusCode::FORBIDDEN,
        }
    }
}

/// The first step.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn<'a> {
    /// Where.
    pub place: Place<'a>,
    /// The client that the member comes from, if it comes from one.
    pub client_name: Option<&'a str>,
    /// Where that client waits for the answer: the form may end there at once.
    pub redirect_uri: Option<&'a str>,
    /// The query of the request that goes on afterwards; it is validated again then.
    pub continue_query: &'a str,
    /// The page that follows where no request goes on.
    pub next: &'a str,
    /// What proves that the form is this browser's.
    pub csrf: &'a str,
    /// What was entered before.
    pub email: &'a str,
    /// Why that signed nobody in.
    pub refusal: Option<SignInRefusal>,
}

/// The second step.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "second_factor.html")]
pub struct SecondFactor<'a> {
    /// Where.
    pub place: Place<'a>,
    /// The client that the member comes from, if it comes from one.
    pub client_name: Option<&'a str>,
    /// Where that client waits for the answer: the form may end there at once.
    pub redirect_uri: Option<&'a str>,
    /// The query of the request that goes on afterwards; it is validated again then.
    pub continue_query: &'a str,
    /// The page that follows where no request goes on.
    pub next: &'a str,
    /// What proves that the form is this browser's.
    pub csrf: &'a str,
    /// What proves that the first step was taken.
    pub pending: &'a str,
    /// Whether the member has an authenticator.
    pub has_authenticator: bool,
    /// What its passkeys are asked, if it has any.
    pub passkey: Option<PasskeyRequest<'a>>,
    /// Why a code signed nobody in.
    pub refusal: Option<SignInRefusal>,
}

impl SignIn<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        refused(self, self.refusal, self.redirect_uri)
    }
}

impl SecondFactor<'_> {
    fn title(&self) -> &'static str {
        match (self.passkey, self.has_authenticator) {
            (None, _) => "Enter a code",
            (Some(_), false) => "Use your passkey",
            (Some(_), true) => "Use your passkey or a code",
        }
    }

    fn by(&self) -> &'static str {
        match (self.passkey, self.has_authenticator) {
            (None, true) => "From your authenticator",
            (None, false) => "One of your recovery codes",
            (Some(_), _) => "Beside your password",
        }
    }

    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        refused(self, self.refusal, self.redirect_uri)
    }
}

/// A page that may say why something did not do.
pub(super) fn refused(
    view: &impl Template,
    refusal: Option<SignInRefusal>,
    leads_to: Option<&str>,
) -> HttpResponse {
    let status = refusal.map_or(StatusCode::OK, SignInRefusal::status);
    let mut response = answer(view, status, leads_to);
    if let Some(SignInRefusal::Wait { seconds }) = refusal {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
