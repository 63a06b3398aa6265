//! `GET /api/v2/oauth/clients`: all clients of the environment, newest first.

use actix_web::{HttpResponse, http::StatusCode};
use projections::clients::{self, ListFilter};

use super::Unread;
use crate::{
    answer::Freshness,
    compatibility::{
        account_id, acting_in,
        representation::{Client, Clients},
    },
    extract::Read,
    openapi::Operation,
    problem::Problem,
};

/// Clients that are read at a time.
const PAGE: usize = 500;

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List all clients, in the words of another product")
        .reads_views()
        .json::<Clients>(StatusCode::OK, "All of them, without secrets")
}

pub(crate) async fn handle(read: Read<Unread>) -> Result<HttpResponse, Problem> {
    let Read { service, context, .. } = read;
    let environment = acting_in(&context)?;
    let account_id = account_id(&service, &environment).await?;
    let freshness = Freshness::of(&service, clients::NAME).await;
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let listed = environment.clone();
        let page = service
            .views
            .read(move |reader| clients::list(reader, &listed, &ListFilter::default(), after, PAGE))
            .await?;
        items.extend(page.items.iter().map(|row| Client::new(account_id, row.client_id, &row.client)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(freshness.ok().json(Clients::new(items)))
}
