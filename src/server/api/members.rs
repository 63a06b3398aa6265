//! `/members`.

pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod change_roles;
pub(crate) mod create;
pub(crate) mod deactivate;
pub(crate) mod enable;
pub(crate) mod get;
pub(crate) mod hand_over;
pub(crate) mod issue_token;
pub(crate) mod list;
pub(crate) mod list_tokens;
pub(crate) mod remove_passkey;
pub(crate) mod remove_password;
pub(crate) mod responsibilities;
pub(crate) mod revoke_token;
mod role;
pub(crate) mod set_password;
pub(crate) mod totp;

use role::GivenRole;
