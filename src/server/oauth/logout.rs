//! `/{environment}/logout`: ends the session of a browser (OpenID Connect RP-Initiated Logout). The member is asked first: a
//! link on any page must not sign anybody out.

/// The form.
const FORM: &str = "logout";

pub(crate) mod get {
    use actix_web::{HttpRequest, HttpResponse, web::Data};

    use super::FORM;
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        oauth::browser::{self, Shown, place},
        pages::{SignOut, SignedOut},
        problem::Problem,
        service::Service,
    };

    pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        let Some(session) = browser::session(&service, &http).await? else {
            return Ok(SignedOut { place: place(&service, &environment) }.respond());
        };
        let member = Shown::of(&service, session.member_id).await?;
        let page = SignOut {
            place: place(&service, &environment),
            member: member.person(),
            client_name: None,
            redirect_uri: None,
            continue_query: "",
            csrf: &service.app.form_proof(FORM, &session.id.0),
        };
        Ok(page.respond())
    }
}

pub(crate) mod post {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload},
    };
    use app::ProtocolEndpoint;

    use super::FORM;
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        extract::{bytes_of, source},
        middleware::request_id::RequestId,
        oauth::{
            browser::{self, drop_session, forged, place},
            form::Form,
            refusal::Asking,
        },
        pages::SignedOut,
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
        let asking = Asking {
            service: &service,
            http: &http,
            endpoint: ProtocolEndpoint::SignOut,
            environment: &environment,
        };
        let form = Form::parse(&bytes_of(&service, &http, payload).await?);
        if let Some(session) = browser::session(&service, &http).await? {
            if !service.app.is_form_proof(FORM, &session.id.0, form.get("csrf").unwrap_or_default()) {
                return forged(asking).await;
            }
            let (request_id, source) = (RequestId::of(&http).0, source(&service, &http));
            service.app.sign_out(&session, request_id, source).await?;
        }
        let mut page = SignedOut { place: place(&service, &environment) }.respond();
        drop_session(&service, &mut page);
        Ok(page)
    }
}
