//! The JSON shapes of answers: what the API shows of the domain.

pub(crate) mod activity;
pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod client;
pub(crate) mod difference;
pub(crate) mod environment;
pub(crate) mod legal_hold;
pub(crate) mod member;
pub(crate) mod projection;
pub(crate) mod role;

pub(crate) use audit::{AuditEvent, Changed};
pub(crate) use catalog::{ClientType, Scope};
pub(crate) use client::{Client, Secret};
pub use difference::Difference;
pub(crate) use environment::Environment;
pub(crate) use legal_hold::LegalHold;
pub(crate) use member::{Member, Rights, RoleGrant, Token};
pub(crate) use role::Role;
