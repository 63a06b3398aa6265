//! `POST /{environment}/client/payloads/…`: what a client has done to a payload with its own signing secrets.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use app::{CommandError, OwnUse};
use serde::de::DeserializeOwned;

use super::{answer, authenticate, unavailable};
use crate::{
    extract::{bytes_of, path, said_in, source},
    middleware::request_id::RequestId,
    payloads::{
        Ask, OwnEncryptedPayload, OwnPayload, OwnSignedPayload, ToDecrypt, ToEncrypt, ToSign, ToVerify,
    },
    problem::{Kind, Problem},
    service::Service,
};

macro_rules! endpoints {
    ($($name:ident $body:ident $ask:ident;)+) => {$(
        pub(crate) mod $name {
            use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::{Data, Payload}};

            use crate::{oauth::OAuthError, openapi::Operation, payloads, problem::Problem, service::Service};

            pub(crate) fn document(operation: Operation) -> Operation {
                payloads::document::<super::$ask>(operation)
                    .body::<super::$body>()
                    .json::<OAuthError>(StatusCode::UNAUTHORIZED, "Not this client, or not with this secret")
                    .json::<OAuthError>(StatusCode::SERVICE_UNAVAILABLE, "The service cannot do it now")
            }

            pub(crate) async fn handle(
                http: HttpRequest,
                service: Data<Service>,
                payload: Payload,
            ) -> Result<HttpResponse, Problem> {
                super::done(http, service, payload, super::$ask).await
            }
        }
    )+};
}

endpoints! {
    sign OwnPayload ToSign;
    verify OwnSignedPayload ToVerify;
    encrypt OwnPayload ToEncrypt;
    decrypt OwnEncryptedPayload ToDecrypt;
}

async fn done<B: DeserializeOwned, A: Ask>(
    http: HttpRequest,
    service: Data<Service>,
    payload: Payload,
    ask: impl FnOnce(B) -> A,
) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let bytes = bytes_of(&service, &http, payload).await?;
    let client = match authenticate(&service, &http, &environment).await {
        Ok(client) => client,
        Err(refused) => return Ok(refused),
    };
    let request = ask(said_in(&http, &bytes)?).request()?;
    let asked = OwnUse { environment, request_id: RequestId::of(&http).0, source: source(&service, &http) };
    match service.app.use_own_signing_secret(&client, asked, request).await {
        Ok(done) => {
            let done = A::answer(done).ok_or_else(|| Problem::new(Kind::Internal))?;
            Ok(answer(StatusCode::OK).json(done))
        }
        Err(error @ CommandError::Fault(_)) => Ok(unavailable(&http, &error)),
        Err(refused) => Err(refused.into()),
    }
}
