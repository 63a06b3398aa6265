//! `/{environment}/sign_in`: a member proves who they are, and goes on with what they came for.

use actix_web::{HttpRequest, HttpResponse};
use app::{
    Authorization, NewSession, SecondFactorAttempt, SecondFactorChoice, SecondFactorProof, SignInAttempt,
    SignInError, SignedIn,
};
use crypto::{ExposeSecret, Personal};

use super::{
    browser::{Browser, place},
    form::Form,
    grants, second_factor,
};
use crate::{
    pages::{SecondFactor, SignIn, SignInRefusal},
    problem::Problem,
    service::Service,
};

/// The form.
const FORM: &str = "sign_in";

/// The page, for a request that goes on afterwards.
pub(super) fn page(
    http: &HttpRequest,
    service: &Service,
    authorization: &Authorization,
    query: &str,
    email: &str,
    refusal: Option<SignInRefusal>,
) -> Result<HttpResponse, Problem> {
    let browser = Browser::of(service, http)?;
    let page = SignIn {
        place: place(service, &authorization.environment),
        client_name: Some(&authorization.registration.client_name),
        redirect_uri: Some(&authorization.redirect_uri),
        continue_query: query,
        next: "",
        csrf: &service.app.form_proof(FORM, &browser.id),
        email,
        refusal,
    }
    .respond();
    Ok(browser.keep(page))
}

/// The page, for who comes without a request.
fn plain_page(
    http: &HttpRequest,
    service: &Service,
    environment: &domain::EnvironmentName,
    next: &str,
    email: &str,
    refusal: Option<SignInRefusal>,
) -> Result<HttpResponse, Problem> {
    let browser = Browser::of(service, http)?;
    let page = SignIn {
        place: place(service, environment),
        client_name: None,
        redirect_uri: None,
        continue_query: "",
        next,
        csrf: &service.app.form_proof(FORM, &browser.id),
        email,
        refusal,
    }
    .respond();
    Ok(browser.keep(page))
}

/// The page that follows where no request goes on: the one that somebody came for, or what they have allowed.
fn next_of(form: &Form) -> &'static str {
    let wanted = form.get("next").unwrap_or_default();
    if wanted == second_factor::PAGE { second_factor::PAGE } else { grants::PAGE }
}

pub(crate) mod get {
    use actix_web::{HttpRequest, HttpResponse, web::Data};

    use super::{Form, next_of};
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{oauth::browser, problem::Problem, service::Service};

    pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        let next = next_of(&Form::parse(http.query_string().as_bytes()));
        super::plain_page(&http, &service, &environment, next, "", None)
    }
}

pub(crate) mod post {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload},
    };
    use app::{MalformedRequest, ProtocolEndpoint};
    use domain::EnvironmentName;

    use super::{
        Browser, ExposeSecret, FORM, Form, NewSession, Personal, SecondFactor, SecondFactorAttempt,
        SecondFactorChoice, SecondFactorProof, SignInAttempt, SignInError, SignInRefusal, SignedIn, next_of,
        page, place, plain_page,
    };
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        extract::{bytes_of, source},
        middleware::request_id::RequestId,
        oauth::{
            authorize::{Judged, again, judge},
            browser::{self, keep_session, see_other},
            passkey::{self, Asked},
            refusal::Asking,
        },
        problem::Problem,
        service::Service,
    };

    /// A step of a sign-in that is being taken.
    struct Step<'s> {
        http: &'s HttpRequest,
        service: &'s Service,
        environment: &'s EnvironmentName,
        form: &'s Form,
        /// What goes on afterwards.
        judged: Option<Judged>,
    }

    pub(crate) async fn handle(
        http: HttpRequest,
        service: Data<Service>,
        payload: Payload,
    ) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        let form = Form::parse(&bytes_of(&service, &http, payload).await?);
        let query = form.get("continue").unwrap_or_default();
        let judged = if query.is_empty() {
            None
        } else {
            match judge(&http, &service, &environment, query).await? {
                Ok(judged) => Some(judged),
                Err(answer) => return Ok(answer),
            }
        };
        let own = Browser::known(&service, &http).is_some_and(|browser| {
            service.app.is_form_proof(FORM, &browser.id, form.get("csrf").unwrap_or_default())
        });
        let step = Step { http: &http, service: &service, environment: &environment, form: &form, judged };
        if !own {
            let asking = Asking {
                service: &service,
                http: &http,
                endpoint: ProtocolEndpoint::SignIn,
                environment: &environment,
            };
            asking.malformed(None, MalformedRequest::ForgedForm).await?;
            return step.first_again(Some(SignInRefusal::StaleForm));
        }
        match form.get("pending") {
            Some(pending) => step.second(pending).await,
            None => step.first().await,
        }
    }

    impl Step<'_> {
        async fn first(&self) -> Result<HttpResponse, Problem> {
            let attempt = SignInAttempt {
                email: Personal::new(self.text("email").to_owned()),
                password: self.text("password").to_owned().into(),
                request_id: RequestId::of(self.http).0,
                source: source(self.service, self.http),
            };
            match self.service.app.sign_in(attempt).await {
                Ok(SignedIn::Complete(session)) => Ok(self.signed_in(&session)),
                Ok(SignedIn::SecondFactor(pending)) => {
                    self.second_page(pending.pending.expose_secret(), None).await
                }
                Err(SignInError::Refused) => self.first_again(Some(SignInRefusal::NoMatch)),
                Err(SignInError::Over) => self.first_again(Some(SignInRefusal::StaleForm)),
                Err(SignInError::Throttled { retry_after_seconds }) => {
                    self.first_again(Some(SignInRefusal::Wait { seconds: retry_after_seconds }))
                }
                Err(SignInError::Failed(error)) => Err(error.into()),
            }
        }

        async fn second(&self, pending: &str) -> Result<HttpResponse, Problem> {
            let answered = self.service.relying_party().zip(passkey::assertion(self.form));
            let (proof, wrong) = match answered {
                Some((party, assertion)) => {
                    (SecondFactorProof::Passkey(party, assertion), SignInRefusal::WrongPasskey)
                }
                None => {
                    let code = self.text("code").to_owned().into();
                    (SecondFactorProof::Code(code), SignInRefusal::WrongCode)
                }
            };
            let attempt = SecondFactorAttempt {
                pending: pending.to_owned().into(),
                proof,
                request_id: RequestId::of(self.http).0,
                source: source(self.service, self.http),
            };
            match self.service.app.second_factor(attempt).await {
                Ok(session) => Ok(self.signed_in(&session)),
                Err(SignInError::Refused) => self.second_page(pending, Some(wrong)).await,
                Err(SignInError::Over) => self.first_again(Some(SignInRefusal::StaleForm)),
                Err(SignInError::Throttled { retry_after_seconds }) => {
                    let wait = SignInRefusal::Wait { seconds: retry_after_seconds };
                    self.second_page(pending, Some(wait)).await
                }
                Err(SignInError::Failed(error)) => Err(error.into()),
            }
        }

        fn signed_in(&self, session: &NewSession) -> HttpResponse {
            let location = match &self.judged {
                Some(judged) => again(self.service, &judged.query, &session.session_id.0),
                None => next_of(self.form).to_owned(),
            };
            let mut response = see_other(&location);
            keep_session(self.service, &mut response, &session.session);
            response
        }

        fn first_again(&self, refusal: Option<SignInRefusal>) -> Result<HttpResponse, Problem> {
            let Self { http, service, environment, .. } = *self;
            let email = self.text("email");
            match &self.judged {
                Some(judged) => page(http, service, &judged.authorization, &judged.query, email, refusal),
                None => plain_page(http, service, environment, next_of(self.form), email, refusal),
            }
        }

        async fn second_page(
            &self,
            pending: &str,
            refusal: Option<SignInRefusal>,
        ) -> Result<HttpResponse, Problem> {
            let choice = self.service.app.second_factor_choice(&pending.to_owned().into()).await?;
            let Some(SecondFactorChoice { totp, passkeys, challenge }) = choice else {
                return self.first_again(Some(SignInRefusal::StaleForm));
            };
            let party = self.service.relying_party().filter(|_| !passkeys.is_empty());
            let asked = party.map(|party| Asked::new(&party, &challenge, &passkeys));
            let browser = Browser::of(self.service, self.http)?;
            let authorization = self.judged.as_ref().map(|judged| &judged.authorization);
            let page = SecondFactor {
                place: place(self.service, self.environment),
                client_name: authorization.map(|it| it.registration.client_name.as_str()),
                redirect_uri: authorization.map(|it| it.redirect_uri.as_str()),
                continue_query: self.judged.as_ref().map_or("", |judged| &judged.query),
                next: next_of(self.form),
                csrf: &self.service.app.form_proof(FORM, &browser.id),
                pending,
                has_authenticator: totp,
                passkey: asked.as_ref().map(Asked::request),
                refusal,
            }
            .respond();
            Ok(browser.keep(page))
        }

        fn text(&self, name: &str) -> &str {
            self.form.get(name).unwrap_or_default()
        }
    }
}
