//! The view of members: what each may do. Who they are is sealed, and stands in no view.

use domain::{Member, MemberId};
use rusqlite::Connection;

use crate::error::QueryError;
use crate::folded::{NounPage, NounRow, States, list_nouns, noun};
use crate::projection::{ApplyError, Projection, ViewedEvent};
use crate::reader::Reader;

/// The view's name.
pub const NAME: &str = "members";

/// A member as the view shows it.
pub type MemberRow = NounRow<MemberId, Member>;

noun!(Member, MemberId, Member, view NAME, table "members", "<", "DESC");

/// The members after one of them, at most `limit`, newest first: their ids are made in the order of time.
///
/// # Errors
/// See [`QueryError`].
pub fn list(
    reader: &Reader,
    after: Option<MemberId>,
    limit: usize,
) -> Result<NounPage<MemberId, Member>, QueryError> {
    list_nouns(reader, after.as_ref(), limit)
}

/// The projection.
#[derive(Default)]
pub struct Members {
    states: States<Member>,
}

impl Projection for Members {
    fn name(&self) -> &'static str {
        NAME
    }

    fn view_version(&self) -> u32 {
        4
    }

    fn schema(&self) -> &'static str {
        include_str!("../migrations/views/members.sql")
    }

    fn indexes(&self) -> &'static str {
        ""
    }

    fn tables(&self) -> &'static [&'static str] {
        &["members"]
    }

    fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        self.states.apply(views, event)
    }

    fn flush(&mut self, views: &Connection) -> Result<(), ApplyError> {
        self.states.flush(views)
    }

    fn rolled_back(&mut self) {
        self.states.forget();
    }
}

#[cfg(test)]
mod tests;
