//! `/roles`.

pub(crate) mod change_permissions;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
