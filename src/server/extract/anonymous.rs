//! A request to do something, by nobody in particular.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use app::{Actor, Context};
use serde::de::DeserializeOwned;

use super::{body, context, json, read};
use crate::{problem::Problem, service::Service};

/// A request to do something that takes no permission. Whoever sends a token with it is not asked for it.
pub(crate) struct Anonymous<B> {
    pub(crate) service: Data<Service>,
    pub(crate) context: Context,
    pub(crate) body: B,
}

impl<B: DeserializeOwned> Anonymous<B> {
    async fn of(http: HttpRequest, mut payload: Payload) -> Result<Self, Problem> {
        let service = read::service(&http)?;
        let context = context::of(&service, &http, &Actor::Anonymous)?;
        let bytes = body::read(&service, &http, &mut payload).await?;
        body::must_be_json(&http)?;
        let body = json::parse(&bytes)?;
        Ok(Self { service, context, body })
    }
}

impl<B: DeserializeOwned + 'static> FromRequest for Anonymous<B> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Box::pin(Self::of(http.clone(), payload.take()))
    }
}
