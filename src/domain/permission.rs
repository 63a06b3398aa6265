//! What a member may do. Every route names one of these; roles and access tokens are sets of them.

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

impl Permission {
    /// Those by which something is changed or shown that is secret.
    pub const CHANGING: [Self; 7] = [
        Self::ClientsWrite,
        Self::SecretsReveal,
        Self::CatalogWrite,
        Self::EnvironmentsWrite,
        Self::OfferingsWrite,
        Self::ProvidersWrite,
        Self::MembersWrite,
    ];
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

#[cfg(test)]
mod tests {
    use super::Permission;

    #[test]
    fn l1_permissions_have_one_name() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(*permission));
            assert_eq!(serde_json::to_value(permission).expect("json"), permission.as_str());
        }
        assert_eq!(Permission::parse("clients:*"), None);
    }
}
