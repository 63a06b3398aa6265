//! `POST /environments/{environment}/clients/{client_id}/payloads/…`: what a client's signing secrets do to a payload, for
//! who may see them.

use actix_web::HttpResponse;
use domain::Permission;

use crate::{
    extract::{Command, CommandBody, path},
    payloads::{Ask, EncryptedPayload, Payload, SignedPayload, ToDecrypt, ToEncrypt, ToSign, ToVerify},
    problem::{Kind, Problem},
};

macro_rules! endpoints {
    ($($name:ident $body:ident $ask:ident;)+) => {$(
        pub(crate) mod $name {
            use actix_web::HttpResponse;

            use crate::{extract::Command, openapi::Operation, payloads, problem::{Kind, Problem}};

            pub(crate) fn document(operation: Operation) -> Operation {
                payloads::document::<super::$ask>(operation).body::<super::$body>().problems(&[Kind::Gone])
            }

            pub(crate) async fn handle(command: Command<super::$body>) -> Result<HttpResponse, Problem> {
                super::done(command, |body| super::$ask(body.into())).await
            }
        }
    )+};
}

endpoints! {
    sign Payload ToSign;
    verify SignedPayload ToVerify;
    encrypt Payload ToEncrypt;
    decrypt EncryptedPayload ToDecrypt;
}

async fn done<B: CommandBody, A: Ask>(
    command: Command<B>,
    ask: impl FnOnce(B) -> A,
) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let request = match ask(body).request() {
        Ok(request) => request,
        Err(problem) => {
            // Who may not do it at all hears that, and it is recorded, whatever else is wrong with the request.
            service.app.demand(context, Permission::SecretsReveal).await?;
            return Err(problem);
        }
    };
    let answer = service.app.use_signing_secret(context, environment, client_id, request).await?;
    let answer = A::answer(answer).ok_or_else(|| Problem::new(Kind::Internal))?;
    Ok(HttpResponse::Ok().json(answer))
}
