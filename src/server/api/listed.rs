//! What the lists of the catalog share.

use actix_web::HttpResponseBuilder;
use app::Configured;
use projections::{NounPage, NounRow, QueryError, Reader, catalog};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Freshness,
    extract::{Read, page},
    problem::Problem,
};

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// The rows after a name, at most so many.
type Query<A> = fn(&Reader, Option<&String>, usize) -> Result<NounPage<String, A>, QueryError>;

/// A page of one of the catalog's lists, the cursor of the next one, and the answer to put both into. `state` is what an
/// aggregate is once it exists.
pub(crate) async fn by_name<A, S, T>(
    read: Read<Parameters>,
    cursor_scope: &str,
    query: Query<A>,
    state: fn(A) -> Option<S>,
) -> Result<(HttpResponseBuilder, Vec<T>, Option<String>), Problem>
where
    A: Send + 'static,
    T: From<Configured<S>>,
{
    let Read { service, parameters, .. } = read;
    let limit = page::limit(parameters.limit)?;
    let cursors = service.app.cursor_key();
    let after: Option<String> =
        parameters.cursor.map(|cursor| page::place(cursors, cursor_scope, &cursor)).transpose()?;
    let freshness = Freshness::of(&service, catalog::NAME).await;
    let page = service.views.read(move |reader| query(reader, after.as_ref(), limit)).await?;
    let shown = |row| {
        let NounRow { id: name, revision, position, state: aggregate } = row;
        let state = state(aggregate)?;
        Some(T::from(Configured { name, state, revision, position, replayed: false }))
    };
    let items = page.items.into_iter().filter_map(shown).collect();
    let next = page.next.map(|name| page::cursor(cursors, cursor_scope, &name)).transpose()?;
    Ok((freshness.ok(), items, next))
}
