//! `/{environment}/authorize`: a client has a member asked (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2).
//!
//! The request travels in the addresses and forms of the pages, and is judged anew at each step: nothing is stored for who
//! has not signed in.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use app::{
    Authorization, AuthorizationError, AuthorizationParameters, AuthorizationRefusal, AuthorizationRequest,
    PageRefusal, Session, SignedInMember,
};
use crypto::ExposeSecret;
use domain::{EnvironmentName, GrantId, ScopeDefinition, oauth::RedirectMismatch};

use super::{
    browser::{self, Shown, place, see_other},
    form::Form,
    second_factor, sign_in, unavailable,
};
use crate::{
    extract::source,
    middleware::request_id::RequestId,
    pages::{AskedScope, Consent, Contact, ErrorPage, Moment, RedirectFault, Registration},
    problem::Problem,
    service::Service,
};

/// The parameter by which a request shows that its member has signed in for it.
pub(super) const SIGNED_IN: &str = "muniment_signed_in";

pub(crate) mod get {
    use actix_web::{HttpRequest, HttpResponse, web::Data};

    pub(crate) use crate::oauth::undocumented as document;
    use crate::{problem::Problem, service::Service};

    pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
        let query = http.query_string().to_owned();
        super::asked(&http, &service, &query).await
    }
}

pub(crate) mod post {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload},
    };

    pub(crate) use crate::oauth::undocumented as document;
    use crate::{extract::bytes_of, problem::Problem, service::Service};

    /// OpenID Connect Core section 3.1.2.1: the same parameters, in the body.
    pub(crate) async fn handle(
        http: HttpRequest,
        service: Data<Service>,
        payload: Payload,
    ) -> Result<HttpResponse, Problem> {
        let bytes = bytes_of(&service, &http, payload).await?;
        super::asked(&http, &service, &String::from_utf8_lossy(&bytes)).await
    }
}

/// A request, as far as it got.
pub(super) struct Judged {
    pub(super) authorization: Authorization,
    /// What a page carries on: the request as it came, written anew.
    pub(super) query: String,
    /// Whether its member has signed in for this very request.
    signed_in: Option<String>,
}

impl Judged {
    /// The request with what shows that its member has signed in for it, for a page on its way to [`next`](Self::next).
    pub(super) fn carried(&self) -> String {
        match &self.signed_in {
            Some(proof) => {
                form_urlencoded::Serializer::new(self.query.clone()).append_pair(SIGNED_IN, proof).finish()
            }
            None => self.query.clone(),
        }
    }

    /// The address at which the request goes on with a session in place of the one by which its member had signed in.
    pub(super) fn next(&self, service: &Service, before: &str, after: &str) -> String {
        let proof = self.signed_in.as_deref();
        if proof.is_some_and(|proof| service.app.is_form_proof(&self.query, before, proof)) {
            again(service, &self.query, after)
        } else {
            format!("authorize?{}", self.query)
        }
    }
}

async fn asked(http: &HttpRequest, service: &Data<Service>, query: &str) -> Result<HttpResponse, Problem> {
    let environment = match browser::environment(service, http).await? {
        Ok(environment) => environment,
        Err(page) => return Ok(page),
    };
    let judged = match judge(http, service, &environment, query).await? {
        Ok(judged) => judged,
        Err(answer) => return Ok(answer),
    };
    let Judged { authorization, query, signed_in } = &judged;
    let session = browser::session(service, http).await?;
    let anew = |session: &Session| {
        let proved =
            signed_in.as_deref().is_some_and(|proof| service.app.is_form_proof(query, &session.id.0, proof));
        let age = service.app.log().now().duration_since(session.authenticated_at);
        let old = authorization.max_age.is_some_and(|max_age| age > max_age);
        !proved && (authorization.prompt_login || old)
    };
    let session = match session {
        Some(session) if !anew(&session) => session,
        Some(_) | None if authorization.prompt_none => {
            return told(http, service, authorization, AuthorizationRefusal::LoginRequired).await;
        }
        Some(_) | None => return sign_in::page(http, service, authorization, query, "", None),
    };
    if service.app.lacks_second_factor(&environment, &session).await? {
        if authorization.prompt_none {
            return told(http, service, authorization, AuthorizationRefusal::LoginRequired).await;
        }
        return second_factor_missing(http, service, &judged, &session).await;
    }
    match service.app.remembered_grant(authorization, session.member_id).await? {
        Some(grant_id) => granted(http, service, authorization, grant_id, &session).await,
        None if authorization.prompt_none => {
            told(http, service, authorization, AuthorizationRefusal::ConsentRequired).await
        }
        None => consent(service, &judged, &session).await,
    }
}

/// Judges a request; the answer to one that cannot be granted goes to the client where that is safe, else to a page.
pub(super) async fn judge(
    http: &HttpRequest,
    service: &Service,
    environment: &EnvironmentName,
    query: &str,
) -> Result<Result<Judged, HttpResponse>, Problem> {
    let form = Form::parse(query.as_bytes());
    let (signed_in, query) = (form.owned(SIGNED_IN), form.without(SIGNED_IN));
    let request = AuthorizationRequest {
        environment: environment.clone(),
        issuer: service.issuer(environment),
        parameters: parameters(&form),
        request_id: RequestId::of(http).0,
        source: source(service, http),
    };
    Ok(match service.app.check_authorization(request).await {
        Ok(authorization) => Ok(Judged { authorization, query, signed_in }),
        Err(AuthorizationError::NoSuchEnvironment) => Err(browser::no_such_environment(http)),
        Err(AuthorizationError::Page(refusal, mismatch)) => {
            let presented = form.get("redirect_uri").unwrap_or_default();
            Err(page(http, service, environment, refusal, mismatch.as_ref().map(|it| (presented, it))))
        }
        Err(AuthorizationError::Refused { refusal, redirect_uri, state }) => Err(see_other(&refused_at(
            &redirect_uri,
            refusal,
            state.as_deref(),
            &service.issuer(environment),
        ))),
        Err(AuthorizationError::Failed(error)) => Err(unavailable(http, &error)),
    })
}

pub(super) fn parameters(form: &Form) -> AuthorizationParameters {
    AuthorizationParameters {
        client_id: form.owned("client_id"),
        redirect_uri: form.owned("redirect_uri"),
        response_type: form.owned("response_type"),
        response_mode: form.owned("response_mode"),
        scope: form.owned("scope"),
        state: form.owned("state"),
        nonce: form.owned("nonce"),
        code_challenge: form.owned("code_challenge"),
        code_challenge_method: form.owned("code_challenge_method"),
        prompt: form.owned("prompt"),
        max_age: form.owned("max_age"),
        resources: form.resources(),
        key_thumbprint: form.owned("dpop_jkt"),
        request_uri: form.owned("request_uri"),
        request: form.owned("request"),
        repeated: form.repeated(),
    }
}

/// The address at which a request goes on for which its member has just signed in: beside the page, however the service was
/// reached.
pub(super) fn again(service: &Service, query: &str, session_id: &str) -> String {
    let proof = service.app.form_proof(query, session_id);
    format!("authorize?{query}&{SIGNED_IN}={proof}")
}

/// What the form of one request is known by: it was shown to who had signed in as that request demands.
pub(super) fn consent_form(query: &str) -> String {
    format!("consent?{query}")
}

/// Asks the member.
async fn consent(service: &Service, judged: &Judged, session: &Session) -> Result<HttpResponse, Problem> {
    let Judged { authorization, query, .. } = judged;
    let member = Shown::of(service, session.member_id).await?;
    let registration = &authorization.registration;
    let by_itself = registration.self_registered.is_some();
    // Nobody has checked whom it names, and who answers for it in its place does not run it.
    let contact = match by_itself {
        true => None,
        false => service.app.introduce_client(authorization.client_id).await?,
    };
    let contact = contact
        .as_ref()
        .map(|contact| Contact { name: contact.name.expose(), email: contact.email.expose() });
    let page = Consent {
        place: place(service, &authorization.environment),
        client_name: &registration.client_name,
        client_id: &authorization.client_id.to_string(),
        contact,
        registration: Registration {
            by: None,
            at: Moment { at: registration.created_at, now: service.app.log().now() },
            by_itself,
        },
        member: member.person(),
        scopes: scopes(service, authorization.scope.0.iter().map(domain::oauth::ScopeToken::as_str)).await?,
        redirect_uri: &authorization.redirect_uri,
        continue_query: query,
        csrf: &service.app.form_proof(&consent_form(query), &session.id.0),
    };
    Ok(page.respond())
}

/// Scopes in the words of the catalog.
pub(super) async fn scopes(
    service: &Service,
    names: impl Iterator<Item = &str>,
) -> Result<Vec<AskedScope>, Problem> {
    let mut asked = Vec::new();
    for name in names {
        let words = match service.is_recorded(ScopeDefinition::CATEGORY, name).await? {
            true => service.app.scope(name).await?.state.description,
            false => String::new(),
        };
        asked.push(AskedScope::new(name, &words));
    }
    Ok(asked)
}

/// Sends the member back with a code.
pub(super) async fn granted(
    http: &HttpRequest,
    service: &Service,
    authorization: &Authorization,
    grant_id: GrantId,
    session: &Session,
) -> Result<HttpResponse, Problem> {
    let member = SignedInMember {
        member_id: session.member_id,
        signed_in_at: session.authenticated_at,
        methods: session.amr(),
    };
    let (request_id, source) = (RequestId::of(http).0, source(service, http));
    let code = service.app.issue_code(authorization.clone(), grant_id, member, request_id, source).await?;
    let issuer = service.issuer(&authorization.environment);
    let mut answer = vec![("code", code.expose_secret()), ("iss", issuer.as_str())];
    answer.extend(authorization.state.as_deref().map(|state| ("state", state)));
    Ok(see_other(&with_parameters(&authorization.redirect_uri, &answer)))
}

/// Has a member prove its second factor, or add one, before anything is allowed; that it was missing is recorded first.
pub(super) async fn second_factor_missing(
    http: &HttpRequest,
    service: &Service,
    judged: &Judged,
    session: &Session,
) -> Result<HttpResponse, Problem> {
    let (request_id, source) = (RequestId::of(http).0, source(service, http));
    let refusal = AuthorizationRefusal::SecondFactorMissing;
    service.app.refused_authorization(&judged.authorization, refusal, request_id, source).await?;
    if service.app.second_factors(session).await?.any() {
        return sign_in::page(http, service, &judged.authorization, &judged.query, "", None);
    }
    Ok(see_other(&second_factor::before(judged)))
}

/// Sends the member back with an error; that is recorded first.
pub(super) async fn told(
    http: &HttpRequest,
    service: &Service,
    authorization: &Authorization,
    refusal: AuthorizationRefusal,
) -> Result<HttpResponse, Problem> {
    let (request_id, source) = (RequestId::of(http).0, source(service, http));
    service.app.refused_authorization(authorization, refusal, request_id, source).await?;
    let issuer = service.issuer(&authorization.environment);
    let state = authorization.state.as_deref();
    Ok(see_other(&refused_at(&authorization.redirect_uri, refusal, state, &issuer)))
}

fn refused_at(
    redirect_uri: &str,
    refusal: AuthorizationRefusal,
    state: Option<&str>,
    issuer: &str,
) -> String {
    let mut answer =
        vec![("error", refusal.error()), ("error_description", refusal.description()), ("iss", issuer)];
    answer.extend(state.map(|state| ("state", state)));
    with_parameters(redirect_uri, &answer)
}

/// A registered URI, byte for byte, with parameters behind it.
pub(super) fn with_parameters(uri: &str, parameters: &[(&str, &str)]) -> String {
    let separator = if uri.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{uri}{separator}{query}")
}

/// Tells whoever is there what is wrong; nobody is sent to an address that is not registered.
fn page(
    http: &HttpRequest,
    service: &Service,
    environment: &EnvironmentName,
    refusal: PageRefusal,
    mismatch: Option<(&str, &RedirectMismatch)>,
) -> HttpResponse {
    ErrorPage {
        place: Some(place(service, environment)),
        status: StatusCode::BAD_REQUEST,
        title: "An application sent you here with a request that cannot be answered",
        words: "Nothing was allowed, and you were not sent on. Go back, and tell whoever runs the application.",
        advice: match mismatch {
            // In what it differs the page tells beside it.
            Some(_) => "Register this redirect URI for the client, or send one of those that are, byte for byte.",
            None => refusal.detail(),
        },
        redirect: mismatch.map(|(presented, mismatch)| RedirectFault { presented, mismatch, called: "redirect URI" }),
        request_id: &RequestId::of(http).0,
    }
    .respond()
}

#[cfg(test)]
mod tests {
    use super::with_parameters;

    #[test]
    fn oauth_6_what_goes_back_is_behind_the_registered_uri_and_decodes_to_what_came() {
        let state = "a b&c=/+%\"'ä";
        for uri in ["https://a.example/cb", "https://a.example/cb?x=1"] {
            let sent = with_parameters(uri, &[("state", state)]);
            let rest = sent.strip_prefix(uri).expect("the registered URI");
            let pairs: Vec<_> = form_urlencoded::parse(&rest.as_bytes()[1..]).into_owned().collect();
            assert_eq!(pairs, [("state".to_owned(), state.to_owned())]);
        }
    }
}
