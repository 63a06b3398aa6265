//! A request to do something.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use app::{Context, IfMatch};
use crypto::Personal;
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{
    NoParameters, body, context, idempotency_key, if_match, json::Salvaged, path, principal, query, read,
};
use crate::{problem::Problem, service::Service};

/// A request to do something, by a member. Whether the member may is for the use case to say, which records it.
pub(crate) struct Command<B, Q = NoParameters> {
    pub(crate) http: HttpRequest,
    pub(crate) service: Data<Service>,
    pub(crate) context: Context,
    pub(crate) if_match: Option<IfMatch>,
    pub(crate) parameters: Q,
    pub(crate) body: B,
}

/// What a command's body asks for, and why.
pub(crate) trait CommandBody: Sized {
    /// The fields of which nothing may be kept, not even in the digest that tells a repeated request from another: whoever
    /// held its key one day could try passwords against it.
    const SECRETS: &'static [&'static str] = &[];

    /// Reads it. The use case hears of the parts whose form is wrong, to say what else is wrong; not if the endpoint itself
    /// reads the body further.
    fn read(bytes: &[u8]) -> Result<Salvaged<Self>, Problem>;

    /// What stands for no body at all; `None` if there must be one.
    fn of_nothing() -> Option<Self>;

    /// Takes the reason and the ticket out of it.
    fn take_why(&mut self) -> (Option<Personal<String>>, Option<String>);
}

/// A body that says nothing but why; it may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// Why, in free text; sealed, and readable only for who may read private parts.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    #[schema(max_length = 100, example = "INC-42")]
    ticket: Option<String>,
}

/// Implements [`CommandBody`] for a body with the fields `reason` and `ticket`; `or_nothing` for one that may be left
/// out; `whole` for one that the endpoint reads further; `secrets` names the fields of which nothing may be kept.
macro_rules! why {
    ($body:ty) => {
        crate::extract::why!($body, None, crate::extract::salvage, []);
    };
    ($body:ty, or_nothing) => {
        crate::extract::why!($body, Some(Self::default()), crate::extract::salvage, []);
    };
    ($body:ty, whole) => {
        crate::extract::why!($body, None, crate::extract::whole, []);
    };
    ($body:ty, secrets $secrets:tt) => {
        crate::extract::why!($body, None, crate::extract::salvage, $secrets);
    };
    ($body:ty, or_nothing, secrets $secrets:tt) => {
        crate::extract::why!($body, Some(Self::default()), crate::extract::salvage, $secrets);
    };
    ($body:ty, $nothing:expr, $read:path, $secrets:tt) => {
        impl crate::extract::CommandBody for $body {
            const SECRETS: &'static [&'static str] = &$secrets;

            fn read(bytes: &[u8]) -> Result<crate::extract::Salvaged<Self>, crate::problem::Problem> {
                $read(bytes)
            }

            fn of_nothing() -> Option<Self> {
                $nothing
            }

            fn take_why(&mut self) -> (Option<crypto::Personal<String>>, Option<String>) {
                (self.reason.take(), self.ticket.take())
            }
        }
    };
}
pub(crate) use why;

why!(Why, or_nothing);

impl<B: CommandBody, Q: DeserializeOwned> Command<B, Q> {
    async fn of(http: HttpRequest, mut payload: Payload) -> Result<Self, Problem> {
        let service = read::service(&http)?;
        let actor = principal::authenticate(&service, &http).await?;
        let mut context = context::of(&service, &http, &actor)?;
        let asked = Self::asked(&service, &http, &mut payload, &mut context).await;
        let (if_match, parameters, body) = match asked {
            Ok(asked) => asked,
            Err(problem) => {
                // Who may not do it at all hears that, and it is recorded, whatever else is wrong with the request.
                if let Some(permission) = read::needed(&http, &actor)? {
                    service.app.demand(context, permission).await?;
                }
                return Err(problem);
            }
        };
        Ok(Self { http, service, context, if_match, parameters, body })
    }

    async fn asked(
        service: &Service,
        http: &HttpRequest,
        payload: &mut Payload,
        context: &mut Context,
    ) -> Result<(Option<IfMatch>, Q, B), Problem> {
        path::check(http)?;
        let if_match = if_match::of(http.headers())?;
        let parameters = query::of(http)?;
        let bytes = body::read(service, http, payload).await?;
        let idempotency = idempotency_key::of(http, &bytes, B::SECRETS)?;
        let mut body: B = match B::of_nothing() {
            Some(nothing) if bytes.is_empty() => nothing,
            Some(_) | None => {
                body::must_be_json(http)?;
                let Salvaged { value, faults } = B::read(&bytes)?;
                context.malformed = faults;
                value
            }
        };
        (context.reason, context.ticket) = body.take_why();
        context.idempotency = idempotency;
        Ok((if_match, parameters, body))
    }
}

impl<B: CommandBody + 'static, Q: DeserializeOwned + 'static> FromRequest for Command<B, Q> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Box::pin(Self::of(http.clone(), payload.take()))
    }
}
