//! `/{environment}/grants`: what a member has allowed, and taking it back.

use actix_web::{HttpResponse, web::Data};
use app::Session;
use domain::{Client, EnvironmentName};
use projections::grants::GrantRow;

use super::{
    authorize::scopes,
    browser::{Shown, place},
};
use crate::{
    pages::{Allowed, AllowedGrant, AskedScope, Moment},
    problem::Problem,
    service::Service,
};

/// The page.
pub(super) const PAGE: &str = "grants";
/// The form.
const FORM: &str = "grants";
/// More than anybody looks through.
const MOST: usize = 200;

pub(crate) mod get {
    use actix_web::{HttpRequest, HttpResponse, web::Data};

    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        oauth::{
            browser::{self, see_other},
            form::Form,
        },
        problem::Problem,
        service::Service,
    };

    pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        let Some(session) = browser::session(&service, &http).await? else {
            return Ok(see_other("sign_in"));
        };
        let form = Form::parse(http.query_string().as_bytes());
        let withdrawn = super::withdrawn(&service, &session, form.get("withdrawn")).await?;
        super::page(&service, &environment, &session, form.get("withdraw"), withdrawn.as_deref()).await
    }
}

pub(crate) mod post {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload},
    };
    use app::ProtocolEndpoint;
    use domain::GrantId;

    use super::FORM;
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        extract::{bytes_of, path::not_found},
        oauth::{
            browser::{self, forged, see_other},
            form::Form,
            refusal::Asking,
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
        let asking = Asking {
            service: &service,
            http: &http,
            endpoint: ProtocolEndpoint::Authorization,
            environment: &environment,
        };
        let form = Form::parse(&bytes_of(&service, &http, payload).await?);
        let Some(session) = browser::session(&service, &http).await? else {
            return forged(asking).await;
        };
        if !service.app.is_form_proof(FORM, &session.id.0, form.get("csrf").unwrap_or_default()) {
            return forged(asking).await;
        }
        let grant_id: GrantId =
            form.get("withdraw").unwrap_or_default().parse().map_err(|_| not_found("grant"))?;
        let context = browser::context(&service, &http, &session, "WithdrawGrant")?;
        let changed = service.app.withdraw_grant(context, grant_id).await?;
        service.views_at(changed.position).await;
        Ok(see_other(&format!("grants?withdrawn={grant_id}")))
    }
}

/// The name of the client from which this member has withdrawn a grant.
async fn withdrawn(
    service: &Service,
    session: &Session,
    grant_id: Option<&str>,
) -> Result<Option<String>, Problem> {
    let Some(grant_id) = grant_id.and_then(|id| id.parse().ok()) else { return Ok(None) };
    match service.app.grant(grant_id).await? {
        Some(grant) if grant.member_id == session.member_id && !grant.is_live() => {
            client_name(service, &grant.client_id.to_string()).await.map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

async fn page(
    service: &Data<Service>,
    environment: &EnvironmentName,
    session: &Session,
    withdrawing: Option<&str>,
    withdrawn: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let member = Shown::of(service, session.member_id).await?;
    let head = service.app.log().head().await?;
    service.views_at(head).await;
    let member_id = session.member_id;
    let rows =
        service.views.read(move |reader| projections::grants::of_member(reader, member_id, MOST)).await?;
    let now = service.app.log().now();
    let mut listed = Vec::new();
    for row in rows {
        if let Some(one) = Listed::of(service, environment, &row).await? {
            listed.push(one);
        }
    }
    let grants = listed
        .iter()
        .map(|one| AllowedGrant {
            id: &one.id,
            client_name: &one.client_name,
            client_id: &one.client_id,
            scopes: one.scopes.clone(),
            given_at: Moment { at: one.given_at, now },
            last_used_at: None,
        })
        .collect();
    let page = Allowed {
        place: place(service, environment),
        member: member.person(),
        grants,
        withdrawn,
        withdrawing,
        csrf: &service.app.form_proof(FORM, &session.id.0),
    };
    Ok(page.respond())
}

struct Listed {
    id: String,
    client_name: String,
    client_id: String,
    scopes: Vec<AskedScope>,
    given_at: jiff::Timestamp,
}

impl Listed {
    /// A grant of this environment that lives.
    async fn of(
        service: &Service,
        environment: &EnvironmentName,
        row: &GrantRow,
    ) -> Result<Option<Self>, Problem> {
        let Some(grant) = row.state.given().filter(|grant| grant.environment == *environment) else {
            return Ok(None);
        };
        let client_id = grant.client_id.to_string();
        Ok(Some(Self {
            id: row.id.to_string(),
            client_name: client_name(service, &client_id).await?,
            client_id,
            scopes: scopes(service, grant.scope.0.iter().map(domain::oauth::ScopeToken::as_str)).await?,
            given_at: grant.given_at,
        }))
    }
}

/// What a client is called, or was.
async fn client_name(service: &Service, client_id: &str) -> Result<String, Problem> {
    let Ok(id) = client_id.parse() else { return Ok(client_id.to_owned()) };
    let name = service.app.client_name(id).await?;
    Ok(name.unwrap_or_else(|| format!("{}-{client_id}", Client::CATEGORY)))
}
