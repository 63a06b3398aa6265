//! `/{environment}/sign_in`: a member proves who they are, and goes on with what they came for.

use actix_web::{HttpRequest, HttpResponse};
use app::{Authorization, SignInAttempt, SignInError};
use crypto::Personal;

use super::browser::{Browser, place};
use crate::{
    pages::{SignIn, SignInRefusal},
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
        csrf: &service.app.form_proof(FORM, &browser.id),
        email,
        refusal,
    }
    .respond();
    Ok(browser.keep(page))
}

/// The page, for who comes without a request and goes on to what they have allowed.
fn plain_page(
    http: &HttpRequest,
    service: &Service,
    environment: &domain::EnvironmentName,
    email: &str,
    refusal: Option<SignInRefusal>,
) -> Result<HttpResponse, Problem> {
    let browser = Browser::of(service, http)?;
    let page = SignIn {
        place: place(service, environment),
        client_name: None,
        redirect_uri: None,
        continue_query: "",
        csrf: &service.app.form_proof(FORM, &browser.id),
        email,
        refusal,
    }
    .respond();
    Ok(browser.keep(page))
}

pub(crate) mod get {
    use actix_web::{HttpRequest, HttpResponse, web::Data};

    pub(crate) use crate::oauth::undocumented as document;
    use crate::{oauth::browser, problem::Problem, service::Service};

    pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        super::plain_page(&http, &service, &environment, "", None)
    }
}

pub(crate) mod post {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload},
    };

    use super::{Browser, FORM, Personal, SignInAttempt, SignInError, SignInRefusal, page, plain_page};
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        extract::{bytes_of, source},
        middleware::request_id::RequestId,
        oauth::{
            authorize::{again, judge},
            browser::{self, keep_session, see_other},
            form::Form,
        },
        problem::Problem,
        service::Service,
    };

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
        let text = |name| form.get(name).unwrap_or_default();
        let query = text("continue");
        let judged = if query.is_empty() {
            None
        } else {
            match judge(&http, &service, &environment, query).await? {
                Ok(judged) => Some(judged),
                Err(answer) => return Ok(answer),
            }
        };
        let email = text("email");
        let once_more = |refusal| match &judged {
            Some(judged) => page(&http, &service, &judged.authorization, &judged.query, email, Some(refusal)),
            None => plain_page(&http, &service, &environment, email, Some(refusal)),
        };
        let own = Browser::known(&service, &http)
            .is_some_and(|browser| service.app.is_form_proof(FORM, &browser.id, text("csrf")));
        if !own {
            return once_more(SignInRefusal::StaleForm);
        }
        let attempt = SignInAttempt {
            email: Personal::new(email.to_owned()),
            password: text("password").to_owned().into(),
            request_id: RequestId::of(&http).0,
            source: source(&service, &http),
        };
        let signed_in = match service.app.sign_in(attempt).await {
            Ok(signed_in) => signed_in,
            Err(SignInError::Refused) => return once_more(SignInRefusal::NoMatch),
            Err(SignInError::Throttled { retry_after_seconds }) => {
                return once_more(SignInRefusal::Wait { seconds: retry_after_seconds });
            }
            Err(SignInError::Failed(error)) => return Err(error.into()),
        };
        let location = match &judged {
            Some(judged) => again(&service, &judged.query, &signed_in.session_id.0),
            None => "grants".to_owned(),
        };
        let mut response = see_other(&location);
        keep_session(&service, &mut response, &signed_in.session);
        Ok(response)
    }
}
