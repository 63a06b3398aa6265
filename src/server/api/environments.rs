//! `/environments`.

pub(crate) mod change_policy;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
mod policy;
pub(crate) mod publish_terms;
