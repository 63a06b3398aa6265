//! `/api/v2/oauth/clients`.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod patch;

use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    extract::{CommandBody, Salvaged, whole},
    problem::Problem,
};

/// Whatever the query says: what is not known here is not looked at.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Unread {}

/// A body that says nothing but why; it may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = CompatibleComment)]
pub(crate) struct Comment {
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    comment: Option<Personal<String>>,
}

impl CommandBody for Comment {
    fn read(bytes: &[u8]) -> Result<Salvaged<Self>, Problem> {
        whole(bytes)
    }

    fn of_nothing() -> Option<Self> {
        Some(Self::default())
    }

    fn take_why(&mut self) -> (Option<Personal<String>>, Option<String>) {
        (self.comment.take(), None)
    }
}
