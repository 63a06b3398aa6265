//! `/{environment}/logout`: ends the session of a browser (OpenID Connect RP-Initiated Logout). The member is asked first: a
//! link on any page must not sign anybody out.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use app::{Logout, LogoutError, LogoutRefusal, LogoutRequest};
use domain::{EnvironmentName, oauth::RedirectMismatch};

use super::{
    authorize::with_parameters,
    browser::{place, see_other},
    form::Form,
    unavailable,
};
use crate::{
    extract::source,
    middleware::request_id::RequestId,
    pages::{ErrorPage, RedirectFault, SignedOut},
    problem::Problem,
    service::Service,
};

/// The form.
const FORM: &str = "logout";
/// What a client says: of a form that has none of it a page of ours was the origin, or nobody's.
const PARAMETERS: [&str; 4] = ["id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri"];

/// What a request comes to, or the answer to one that is refused; nobody is signed out then.
async fn judge(
    http: &HttpRequest,
    service: &Service,
    environment: &EnvironmentName,
    form: &Form,
) -> Result<Result<Logout, HttpResponse>, Problem> {
    let request = LogoutRequest {
        environment: environment.clone(),
        issuer: service.issuer(environment),
        id_token_hint: form.owned("id_token_hint").map(Into::into),
        client_id: form.owned("client_id"),
        post_logout_redirect_uri: form.owned("post_logout_redirect_uri"),
        state: form.owned("state"),
        repeats: !form.repeated().is_empty(),
        request_id: RequestId::of(http).0,
        source: source(service, http),
    };
    let presented = form.get("post_logout_redirect_uri").unwrap_or_default();
    Ok(match service.app.check_logout(request).await {
        Ok(logout) => Ok(logout),
        Err(LogoutError::Refused(refusal)) => Err(page(http, service, environment, Wrong::Request(refusal))),
        Err(LogoutError::Unregistered(mismatch)) => {
            Err(page(http, service, environment, Wrong::Address(presented, &mismatch)))
        }
        Err(LogoutError::Failed(error)) => Err(unavailable(http, &error)),
    })
}

/// What is wrong with a request.
#[derive(Clone, Copy)]
enum Wrong<'w> {
    Request(LogoutRefusal),
    /// What was sent, and how it differs from what is registered.
    Address(&'w str, &'w RedirectMismatch),
}

fn page(
    http: &HttpRequest,
    service: &Service,
    environment: &EnvironmentName,
    wrong: Wrong<'_>,
) -> HttpResponse {
    let (advice, redirect) = match wrong {
        Wrong::Request(refusal) => (refusal.detail(), None),
        Wrong::Address(presented, mismatch) => (
            "Register this address among the client's post_logout_redirect_uris, or send one of those that are, byte for byte.",
            Some(RedirectFault { presented, mismatch, called: "post_logout_redirect_uri" }),
        ),
    };
    ErrorPage {
        place: Some(place(service, environment)),
        status: StatusCode::BAD_REQUEST,
        title: "An application sent you here to sign out, with a request that cannot be answered",
        words: "Nobody was signed out, and you were not sent on. To sign out, open this page without what the application added to its address.",
        advice,
        redirect,
        request_id: &RequestId::of(http).0,
    }
    .respond()
}

/// What somebody sees who is signed out: the client's page, if it wanted that, else one of ours.
fn done(service: &Service, environment: &EnvironmentName, logout: Option<&Logout>) -> HttpResponse {
    match logout.and_then(|logout| Some((logout.redirect_uri.as_deref()?, logout.state.as_deref()))) {
        Some((uri, Some(state))) => see_other(&with_parameters(uri, &[("state", state)])),
        Some((uri, None)) => see_other(uri),
        None => SignedOut { place: place(service, environment) }.respond(),
    }
}

pub(crate) mod get {
    use actix_web::{HttpRequest, HttpResponse, web::Data};

    use super::{FORM, Form, done, judge};
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        oauth::browser::{self, Shown, place},
        pages::SignOut,
        problem::Problem,
        service::Service,
    };

    pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        let logout =
            match judge(&http, &service, &environment, &Form::parse(http.query_string().as_bytes())).await? {
                Ok(logout) => logout,
                Err(answer) => return Ok(answer),
            };
        let Some(session) = browser::session(&service, &http).await? else {
            return Ok(done(&service, &environment, Some(&logout)));
        };
        let member = Shown::of(&service, session.member_id).await?;
        let page = SignOut {
            place: place(&service, &environment),
            member: member.person(),
            client_name: logout.client.as_ref().map(|(_, name)| name.as_str()),
            redirect_uri: logout.redirect_uri.as_deref(),
            continue_query: &super::carried(&logout),
            csrf: &service.app.form_proof(FORM, &session.id.0),
        };
        Ok(page.respond())
    }
}

/// The request written anew, without the ID token, which has told which client it is.
fn carried(logout: &Logout) -> String {
    let client_id = logout.client.as_ref().map(|(client_id, _)| ("client_id", client_id.to_string()));
    let uri = logout.redirect_uri.clone().map(|uri| ("post_logout_redirect_uri", uri));
    let state = logout.state.clone().map(|state| ("state", state));
    let parameters = client_id.into_iter().chain(uri).chain(state);
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

pub(crate) mod post {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload},
    };
    use app::{LogoutClient, ProtocolEndpoint};

    use super::{FORM, Form, PARAMETERS, carried, done, judge};
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        extract::{bytes_of, source},
        middleware::request_id::RequestId,
        oauth::{
            browser::{self, drop_session, forged, see_other},
            refusal::Asking,
        },
        problem::Problem,
        service::Service,
    };

    fn asked_again(query: &str) -> HttpResponse {
        see_other(&format!("logout?{query}"))
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
        let asking = Asking {
            service: &service,
            http: &http,
            endpoint: ProtocolEndpoint::SignOut,
            environment: &environment,
        };
        let form = Form::parse(&bytes_of(&service, &http, payload).await?);
        if form.get("csrf").is_none() && PARAMETERS.iter().any(|name| form.get(name).is_some()) {
            // The browser leaves our cookie out of a form of another site: the question comes where it is sent along.
            let logout = judge(&http, &service, &environment, &form).await?;
            return Ok(logout.map_or_else(|answer| answer, |logout| asked_again(&carried(&logout))));
        }
        let query = Form::parse(form.get("continue").unwrap_or_default().as_bytes());
        let Some(session) = browser::session(&service, &http).await? else {
            // Nor does it come with one of another site that looks like ours: nobody is signed out by it.
            return Ok(asked_again(&query.without("csrf")));
        };
        if !service.app.is_form_proof(FORM, &session.id.0, form.get("csrf").unwrap_or_default()) {
            return forged(asking).await;
        }
        // Whoever wants to sign out does, whatever has become of the client meanwhile.
        let logout = judge(&http, &service, &environment, &query).await?.ok();
        let client_id = logout.as_ref().and_then(|logout| Some(logout.client.as_ref()?.0));
        let asked_by =
            client_id.map(|client_id| LogoutClient { environment: environment.clone(), client_id });
        service.app.sign_out(&session, asked_by, RequestId::of(&http).0, source(&service, &http)).await?;
        let mut page = done(&service, &environment, logout.as_ref());
        drop_session(&service, &mut page);
        Ok(page)
    }
}
