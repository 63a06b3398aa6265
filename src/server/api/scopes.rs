//! `/scopes`.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod deprecate;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod restore;
