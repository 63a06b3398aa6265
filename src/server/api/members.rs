//! `/members`.

pub(crate) mod audit;
pub(crate) mod change_roles;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod issue_token;
pub(crate) mod revoke_token;
