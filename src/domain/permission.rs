//! What a member may do. Every route names one of these; roles and access tokens are sets of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$meta:meta])* $variant:ident = $wire:literal),+ $(,)?) => {
        /// A single right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Permission { $($(#[$meta])* #[serde(rename = $wire)] $variant),+ }

        impl Permission {
            /// Every permission there is, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }

            /// The permission of that name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($wire => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

permissions! {
    /// Read clients and their public history.
    ClientsRead = "clients:read",
    /// Manage integrations: create, change, rotate, deactivate and delete clients.
    ClientsWrite = "clients:write",
    /// Reveal a signing secret.
    SecretsReveal = "secrets:reveal",
    /// Change scopes and client types.
    CatalogWrite = "catalog:write",
    /// Change environments and their policies.
    EnvironmentsWrite = "environments:write",
    /// Manage offerings of outside providers.
    OfferingsWrite = "offerings:write",
    /// Use offerings of outside providers.
    ProvidersWrite = "providers:write",
    /// Manage members, their roles and their tokens.
    MembersWrite = "members:write",
    /// Read the audit trail.
    AuditRead = "audit:read",
    /// Open the private parts of events.
    AuditReadPrivate = "audit:read_private",
    /// Rebuild and verify views.
    ReplayRun = "replay:run",
}

/// A named set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Manages clients and reads their history; no members, no catalog, no private parts.
    IntegrationManager,
    /// Reads and verifies everything in the audit, and nothing else (behaviour A12).
    Auditor,
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Administrator, Self::IntegrationManager, Self::Auditor];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::IntegrationManager => "integration_manager",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// What its holder may do.
    pub fn permissions(self) -> BTreeSet<Permission> {
        match self {
            Self::Administrator => Permission::ALL.iter().copied().collect(),
            Self::IntegrationManager => BTreeSet::from([
                Permission::ClientsRead,
                Permission::ClientsWrite,
                Permission::SecretsReveal,
                Permission::AuditRead,
            ]),
            Self::Auditor => BTreeSet::from([Permission::AuditRead, Permission::AuditReadPrivate]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission, Role};

    #[test]
    fn a12_an_auditor_reads_the_audit_and_nothing_else() {
        let allowed: Vec<_> = Role::Auditor.permissions().into_iter().collect();
        assert_eq!(allowed, [Permission::AuditRead, Permission::AuditReadPrivate]);
    }

    #[test]
    fn l1_who_manages_integrations_manages_no_members() {
        let allowed = Role::IntegrationManager.permissions();
        assert!(allowed.contains(&Permission::ClientsWrite) && allowed.contains(&Permission::SecretsReveal));
        for other in [Permission::MembersWrite, Permission::CatalogWrite, Permission::AuditReadPrivate] {
            assert!(!allowed.contains(&other), "{other:?}");
        }
        assert_eq!(Role::Administrator.permissions().len(), Permission::ALL.len());
    }

    #[test]
    fn l1_permissions_and_roles_have_one_name() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(*permission));
            assert_eq!(serde_json::to_value(permission).expect("json"), permission.as_str());
        }
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(*role));
            assert_eq!(serde_json::to_value(role).expect("json"), role.as_str());
        }
        assert_eq!((Permission::parse("clients:*"), Role::parse("Administrator")), (None, None));
    }
}
