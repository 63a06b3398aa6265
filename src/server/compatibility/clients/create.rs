//! `POST /api/v2/oauth/clients`: registers a client.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::{Channel, CreateClientRequest, CreatedClient};
use crypto::{ExposeSecret, Personal};
use domain::client::ClientDraft;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Unread;
use crate::{
    answer,
    compatibility::{
        account_id, acting_in,
        representation::{self, Client},
    },
    extract::{Command, CommandBody, Salvaged, whole},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// A new client. Members that are not known here are not looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompatibleNewClient)]
pub(crate) struct NewClient {
    /// Shown on the consent page; unique in the environment, whatever its case.
    #[schema(required, value_type = String, max_length = 120, example = "Matter sync")]
    name: Option<String>,
    /// An absolute https URI without a query.
    #[serde(rename = "redirectUri")]
    #[schema(required, value_type = String, example = "https://app.example.com/callback")]
    redirect_uri: Option<String>,
    /// What it is for; anyone may read it.
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// Why, in free text; sealed.
    #[schema(value_type = Option<String>, max_length = 1000)]
    comment: Option<Personal<String>>,
}

impl CommandBody for NewClient {
    fn read(bytes: &[u8]) -> Result<Salvaged<Self>, Problem> {
        whole(bytes)
    }

    fn of_nothing() -> Option<Self> {
        None
    }

    fn take_why(&mut self) -> (Option<Personal<String>>, Option<String>) {
        (self.comment.take(), None)
    }
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Register a client, in the words of another product")
        .body::<NewClient>()
        .json::<Client>(StatusCode::CREATED, "The client, with its secret for the only time")
        .problems(&[Kind::NotFound, Kind::Taken, Kind::Busy])
}

pub(crate) async fn handle(command: Command<NewClient, Unread>) -> Result<HttpResponse, Problem> {
    let Command { service, context, body, .. } = command;
    let environment = acting_in(&context)?;
    let created = service.app.create_client(context, environment.clone(), body.into()).await?;
    let CreatedClient { client, client_secret, .. } = created;
    let account_id = account_id(&service, &environment).await?;
    let mut shown = Client::new(account_id, client.client_id, &client.registration);
    shown.client_secret = client_secret.map(|secret| secret.expose_secret().to_owned());
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &client).await;
    Ok(answer.insert_header((header::LOCATION, representation::path(client.client_id))).json(shown))
}

impl From<NewClient> for CreateClientRequest {
    fn from(body: NewClient) -> Self {
        Self {
            metadata: ClientDraft {
                client_name: body.name.unwrap_or_default(),
                description: body.description,
                // One that is missing is one that is empty: the answer is about a URI, as the request is.
                redirect_uris: vec![body.redirect_uri.unwrap_or_default()],
                ..ClientDraft::default()
            },
            channel: Some(Channel::Compatibility),
            ..Self::default()
        }
    }
}
