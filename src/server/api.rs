//! The endpoints, one file each: what it reads from a request, the use case or query it calls, the answer it makes of
//! it, and what OpenAPI says of it.

pub(crate) mod activity;
pub(crate) mod audit;
pub(crate) mod client_types;
pub(crate) mod clients;
pub(crate) mod environments;
pub(crate) mod expiring_secrets;
pub(crate) mod initial_access_tokens;
pub(crate) mod leaked_secrets;
pub(crate) mod legal_holds;
pub(crate) mod listed;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod persons;
pub(crate) mod pointer;
pub(crate) mod projections;
pub(crate) mod roles;
pub(crate) mod scopes;
pub(crate) mod signing_keys;
