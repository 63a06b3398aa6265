//! The roles that are always there, and never change but with the service.

use std::collections::BTreeSet;

use super::RoleName;
use crate::Permission;

/// A role that no command makes, changes or deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltInRole {
    /// Everything.
    Administrator,
    /// Manages clients: no members, no catalog, no private parts.
    IntegrationManager,
    /// Reads and verifies everything in the audit, and nothing else (behaviour A12).
    Auditor,
}

impl BuiltInRole {
    /// Every one, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Administrator, Self::IntegrationManager, Self::Auditor];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::IntegrationManager => "integration_manager",
            Self::Auditor => "auditor",
        }
    }

    /// The one of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// Its name among those of all roles.
    pub fn name(self) -> RoleName {
        RoleName(self.as_str().to_owned())
    }

    /// What it is for, in plain words.
    pub fn description(self) -> &'static str {
        match self {
            Self::Administrator => "Everything",
            Self::IntegrationManager => "Manages clients: no members, no catalog, no private parts",
            Self::Auditor => "Reads and verifies everything in the audit, and nothing else",
        }
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
            // A replay changes nothing that is recorded: it is how the views are verified.
            Self::Auditor => {
                BTreeSet::from([Permission::AuditRead, Permission::AuditReadPrivate, Permission::ReplayRun])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BuiltInRole;
    use crate::{Permission, role::RoleName};

    #[test]
    fn a12_an_auditor_reads_and_verifies_the_audit_and_nothing_else() {
        let allowed: Vec<_> = BuiltInRole::Auditor.permissions().into_iter().collect();
        assert_eq!(allowed, [Permission::AuditRead, Permission::AuditReadPrivate, Permission::ReplayRun]);
    }

    #[test]
    fn l1_who_manages_integrations_manages_no_members() {
        let allowed = BuiltInRole::IntegrationManager.permissions();
        assert!(allowed.contains(&Permission::ClientsWrite) && allowed.contains(&Permission::SecretsReveal));
        for other in [Permission::MembersWrite, Permission::CatalogWrite, Permission::AuditReadPrivate] {
            assert!(!allowed.contains(&other), "{other:?}");
        }
        assert_eq!(BuiltInRole::Administrator.permissions().len(), Permission::ALL.len());
    }

    #[test]
    fn l1_built_in_roles_have_one_name() {
        for role in BuiltInRole::ALL {
            assert_eq!(BuiltInRole::parse(role.as_str()), Some(*role));
            assert_eq!(RoleName::parse(role.as_str()), Ok(role.name()));
            assert_eq!(role.name().built_in(), Some(*role));
        }
        assert_eq!(BuiltInRole::parse("Administrator"), None);
    }
}
