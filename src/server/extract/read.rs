//! A request to look at something.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest, dev,
    http::header::HeaderMap,
    web::{Data, Payload},
};
use app::{Actor, CommandError, Context};
use domain::Permission;
use serde::de::DeserializeOwned;
use store::Position;

use super::{NoParameters, bytes_of, context, path, principal, query, said_in};
use crate::{
    answer::POSITION,
    problem::{Kind, Problem},
    routes::{Access, Methods, Route},
    service::Service,
};

/// A request to look at something, by someone who may: the route's permission was demanded, and a refusal recorded.
/// The views have reached the position that the request names, if it names one.
pub(crate) struct Read<Q = NoParameters> {
    pub(crate) http: HttpRequest,
    pub(crate) service: Data<Service>,
    pub(crate) actor: Actor,
    pub(crate) context: Context,
    pub(crate) parameters: Q,
}

impl<Q: DeserializeOwned> Read<Q> {
    async fn of(http: HttpRequest) -> Result<Self, Problem> {
        let service = service(&http)?;
        let actor = principal::authenticate(&service, &http).await?;
        let mut context = context::of(&service, &http, &actor)?;
        if matches!(route(&http)?.access, Access::NeedsWhereAsked(_)) {
            context.environment = query::environment(&http);
        }
        let access = route(&http)?.access;
        if let Some(permission) = needed(&http, &actor)?
            && !matches!(access, Access::NeedsWhereFound(_))
        {
            let demanded = service.app.demand(context.clone(), permission).await;
            demanded.map_err(|error| refused(error, access, &actor))?;
        }
        let parameters = query::of(&http)?;
        if let Some(position) = demanded_position(http.headers())?
            && !service.views_at(position).await
        {
            // What no commit has reached yet is no matter of waiting: the caller has it from somewhere else.
            if service.app.log().head().await.is_ok_and(|head| position > head) {
                return Err(Problem::in_header("Muniment-Position", "is beyond the end of the log"));
            }
            return Err(Problem::new(Kind::ViewsBehind));
        }
        Ok(Self { http, service, actor, context, parameters })
    }

    /// Demands a permission that depends on what is asked for; a refusal is recorded.
    pub(crate) async fn demand(&self, permission: Permission) -> Result<(), Problem> {
        Ok(self.service.app.demand(self.context.clone(), permission).await?)
    }
}

impl<Q: DeserializeOwned + 'static> FromRequest for Read<Q> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(http: &HttpRequest, _payload: &mut dev::Payload) -> Self::Future {
        Box::pin(Self::of(http.clone()))
    }
}

/// What a look asks about, if that is more than a query can say; read after the permission was demanded.
pub(crate) async fn body_of_read<B: DeserializeOwned, Q>(
    read: &Read<Q>,
    payload: Payload,
) -> Result<B, Problem> {
    said_in(&read.http, &bytes_of(&read.service, &read.http, payload).await?)
}

/// What every endpoint shares; put there when the server is built.
pub(super) fn service(http: &HttpRequest) -> Result<Data<Service>, Problem> {
    http.app_data::<Data<Service>>().cloned().ok_or_else(|| Problem::new(Kind::Internal))
}

/// The row of the table that brought the request here.
pub(super) fn route(http: &HttpRequest) -> Result<&'static Route, Problem> {
    let methods = http.app_data::<Methods>();
    methods.and_then(|methods| methods.route(http.method())).ok_or_else(|| Problem::new(Kind::Internal))
}

/// The permission that the route asks of this member.
pub(super) fn needed(http: &HttpRequest, actor: &Actor) -> Result<Option<Permission>, Problem> {
    Ok(match route(http)?.access {
        Access::Needs(permission)
        | Access::NeedsWhereItActs(permission)
        | Access::NeedsWhereAsked(permission)
        | Access::NeedsWhereFound(permission) => Some(permission),
        Access::NeedsEither(permission, other) => {
            let environment = path::environment(http).ok();
            let holds = |permission| match actor {
                Actor::Member(principal) => principal.allows(permission, environment.as_ref()),
                Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => false,
            };
            Some(if holds(other) && !holds(permission) { other } else { permission })
        }
        Access::OneselfOr(permission) => {
            let oneself = path::member_id(http).is_ok_and(|member| actor.is(member));
            (!oneself).then_some(permission)
        }
        Access::Anyone | Access::Client | Access::Protocol | Access::SignedIn => None,
    })
}

/// The refusal. Who may ask about some environments hears that one of them must be named, and which.
fn refused(error: CommandError, access: Access, actor: &Actor) -> Problem {
    let held = match (&error, access, actor) {
        (CommandError::Denied(permission), Access::NeedsWhereAsked(_), Actor::Member(principal)) => principal
            .rights
            .iter()
            .find(|(held, _)| held == permission)
            .and_then(|(_, reach)| reach.environments()),
        _ => None,
    };
    let problem = Problem::from(error);
    match held {
        Some(held) => problem
            .detail("the token holds the permission in some environments: name one of `environments` in the query")
            .member("environments", held.iter().map(ToString::to_string).collect::<Vec<_>>()),
        None => problem,
    }
}

fn demanded_position(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(value) = headers.get(POSITION) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let number =
        number.ok_or_else(|| Problem::in_header("Muniment-Position", "must be a position, like 42"))?;
    Ok(Some(Position::new(number)))
}
