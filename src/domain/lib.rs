//! The rules of the registry: what may happen to a client, a member, an environment and the catalog.
//!
//! Everything here is pure and synchronous. A decision sees the state folded from one stream, a command that
//! carries every other fact it needs, and the moment it is made at; it answers events or the broken rule. There
//! is no clock, no randomness and no I/O, and no secret or personal value ever enters: commands name people and
//! credentials by id, so that an event cannot leak what its command never held.
//!
//! | aggregate | stream | events |
//! | --- | --- | --- |
//! | [`Client`] | `client-<id>` | [`ClientEvent`] |
//! | [`Member`] | `member-<id>` | [`MemberEvent`] |
//! | [`Environment`] | `environment-<name>` | [`EnvironmentEvent`] |
//! | [`ClientType`] | `client_type-<name>` | [`ClientTypeEvent`] |
//! | [`Role`] | `role-<name>` | [`RoleEvent`] |
//! | [`ScopeDefinition`] | `scope-<name>` | [`ScopeEvent`] |
//! | [`Erasures`] | `erasure-register` | [`ErasureEvent`] |
//! | [`LegalHolds`] | `legal_hold-register` | [`LegalHoldEvent`] |
//! | [`SigningKeys`] | `signing_key-<environment>` | [`SigningKeyEvent`] |
//! | [`Grant`] | `grant-<id>` | [`GrantEvent`] |
//! | [`Admission`] | `admission-<environment>` | [`AdmissionEvent`] |
//!
//! Each aggregate has a file of its name and a folder beside it: `command` (what may be asked), `event` (what is
//! stored), `error` (the rules that refuse) and `tests` (given, when, then).

mod aggregate;
mod claim;
mod event;
mod ids;
mod permission;
pub mod time;
pub mod upcast;
mod violation;

pub mod admission;
pub mod client;
pub mod client_type;
pub mod environment;
pub mod erasure;
pub mod grant;
pub mod legal_hold;
pub mod member;
pub mod oauth;
pub mod registry;
pub mod rights;
pub mod role;
pub mod scope;
pub mod signing_keys;

pub use admission::{Admission, AdmissionCommand, AdmissionError, AdmissionEvent};
pub use aggregate::{At, Stamped};
pub use claim::{Claim, ClaimChange, folded};
pub use client::{Client, ClientCommand, ClientError, ClientEvent};
pub use client_type::{ClientType, ClientTypeCommand, ClientTypeError, ClientTypeEvent};
pub use environment::{Environment, EnvironmentCommand, EnvironmentError, EnvironmentEvent};
pub use erasure::{ErasureCommand, ErasureError, ErasureEvent, Erasures};
pub use event::{Change, DecodeError, Event};
pub use grant::{Grant, GrantCommand, GrantError, GrantEvent};
pub use ids::{
    ClientId, EnvironmentName, GrantId, LegalHoldId, MemberId, PersonId, SecretId, VerificationId,
};
pub use legal_hold::{LegalHoldCommand, LegalHoldError, LegalHoldEvent, LegalHolds};
pub use member::{Member, MemberCommand, MemberError, MemberEvent};
pub use permission::Permission;
pub use rights::{Reach, Rights};
pub use role::{BuiltInRole, OwnRoles, Role, RoleCommand, RoleError, RoleEvent, RoleGrant, RoleName};
pub use scope::{ScopeCommand, ScopeDefinition, ScopeError, ScopeEvent};
pub use signing_keys::{SigningAlgorithm, SigningKeyCommand, SigningKeyError, SigningKeyEvent, SigningKeys};
pub use violation::{Rule, Violation};
