//! Pages for people, written here and sent whole: each view is a struct whose fields are all that its template shows.
//!
//! A page works without JavaScript, takes nothing from elsewhere and has nothing inline, so that its content security
//! policy can forbid all of that. Whatever a person or a client wrote is escaped by the templates. Links between pages
//! are relative: an instance may be reached below a path of somebody else's host.

mod allowed;
pub(crate) mod assets;
mod consent;
mod error;
mod moment;
mod passkey;
mod place;
mod policy;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
mod scope;
mod second_factors;
mod sign_in;
mod sign_out;
#[cfg(test)]
mod tests;
mod totp;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;

pub use allowed::{Allowed, AllowedGrant};
pub use consent::{Consent, Contact, Person, Registration};
pub use error::{ErrorPage, RedirectFault};
pub use moment::Moment;
pub use passkey::{NewPasskey, PasskeyRequest};
pub use place::Place;
pub use scope::AskedScope;
pub use second_factors::{Done, Factor, PasskeyRow, Question, SecondFactors};
pub use sign_in::{SecondFactor, SignIn, SignInRefusal};
pub use sign_out::{SignOut, SignedOut};
pub use totp::{RecoveryCodes, TotpEnrolment};

use crate::problem::{Kind, Problem};

/// The answer with a page. Its forms lead to this service, and from there to `leads_to`, if that is given.
fn answer(view: &impl Template, status: StatusCode, leads_to: Option<&str>) -> HttpResponse {
    match view.render() {
        Ok(page) => HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((header::CONTENT_SECURITY_POLICY, policy::of_page(leads_to)))
            .body(page),
        Err(error) => HttpResponse::from_error(Problem::new(Kind::Internal).because(error)),
    }
}
