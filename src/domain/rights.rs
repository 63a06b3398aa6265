//! Rights: what somebody may do, and where.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{EnvironmentName, Permission};

/// Where something holds. What belongs to no environment, or to several, needs `Everywhere`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Option<BTreeSet<EnvironmentName>>", into = "Option<BTreeSet<EnvironmentName>>")]
pub enum Reach {
    /// In every environment, and above them.
    #[default]
    Everywhere,
    /// In these environments, and nowhere else.
    Within(BTreeSet<EnvironmentName>),
}

impl From<Option<BTreeSet<EnvironmentName>>> for Reach {
    fn from(environments: Option<BTreeSet<EnvironmentName>>) -> Self {
        environments.map_or(Self::Everywhere, Self::Within)
    }
}

impl From<Reach> for Option<BTreeSet<EnvironmentName>> {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Everywhere => None,
            Reach::Within(environments) => Some(environments),
        }
    }
}

impl Reach {
    /// Whether it has no limit.
    pub fn is_everywhere(&self) -> bool {
        *self == Self::Everywhere
    }

    /// Its limit, if it has one.
    pub fn environments(&self) -> Option<&BTreeSet<EnvironmentName>> {
        match self {
            Self::Everywhere => None,
            Self::Within(environments) => Some(environments),
        }
    }

    /// Whether it reaches what is asked in `environment`, or outside of any.
    pub fn covers(&self, environment: Option<&EnvironmentName>) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within(environments) => environment.is_some_and(|name| environments.contains(name)),
        }
    }

    /// Whether it reaches all that `other` does.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) => true,
            (Self::Within(_), Self::Everywhere) => false,
            (Self::Within(mine), Self::Within(theirs)) => theirs.is_subset(mine),
        }
    }

    /// What both reach.
    #[must_use]
    pub fn limited_to(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Everywhere, limit) => limit.clone(),
            (Self::Within(_), Self::Everywhere) => self.clone(),
            (Self::Within(mine), Self::Within(theirs)) => {
                Self::Within(mine.intersection(theirs).cloned().collect())
            }
        }
    }

    fn reaches_nothing(&self) -> bool {
        self.environments().is_some_and(BTreeSet::is_empty)
    }

    fn widen(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Within(mine), Self::Within(theirs)) => mine.extend(theirs.iter().cloned()),
            (Self::Everywhere, _) | (_, Self::Everywhere) => *self = Self::Everywhere,
        }
    }
}

/// Permissions, each with its reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(BTreeMap<Permission, Reach>);

impl Rights {
    /// Adds permissions as far as `reach`.
    pub fn add(&mut self, permissions: impl IntoIterator<Item = Permission>, reach: &Reach) {
        if reach.reaches_nothing() {
            return;
        }
        for permission in permissions {
            self.0.entry(permission).and_modify(|held| held.widen(reach)).or_insert_with(|| reach.clone());
        }
    }

    /// Whether they allow what needs `permission` in `environment`, or outside of any.
    pub fn allows(&self, permission: Permission, environment: Option<&EnvironmentName>) -> bool {
        self.0.get(&permission).is_some_and(|reach| reach.covers(environment))
    }

    /// Each of `permissions` as far as `reach`.
    pub fn all_of(permissions: &BTreeSet<Permission>, reach: &Reach) -> Self {
        let mut rights = Self::default();
        rights.add(permissions.iter().copied(), reach);
        rights
    }

    /// The part that stands in `permissions` and lies within `reach`.
    #[must_use]
    pub fn limited_to(&self, permissions: &BTreeSet<Permission>, reach: &Reach) -> Self {
        let mut part = Self::default();
        for (permission, held) in self.0.iter().filter(|(permission, _)| permissions.contains(permission)) {
            part.add([*permission], &held.limited_to(reach));
        }
        part
    }

    /// As far as any of them reaches.
    pub fn reach(&self) -> Reach {
        let mut reach = Reach::Within(BTreeSet::new());
        self.0.values().for_each(|held| reach.widen(held));
        reach
    }

    /// The first permission that reaches further here than in `others`.
    pub fn beyond(&self, others: &Self) -> Option<Permission> {
        let covered = |permission: &Permission, reach: &Reach| {
            others.0.get(permission).is_some_and(|held| held.includes(reach))
        };
        self.0
            .iter()
            .find(|(permission, reach)| !covered(permission, reach))
            .map(|(permission, _)| *permission)
    }

    /// Every permission that is held anywhere.
    pub fn permissions(&self) -> BTreeSet<Permission> {
        self.0.keys().copied().collect()
    }

    /// Each permission with its reach, in the order of the documentation.
    pub fn iter(&self) -> impl Iterator<Item = (Permission, &Reach)> {
        self.0.iter().map(|(permission, reach)| (*permission, reach))
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, Rights};
    use crate::{EnvironmentName, Permission};

    fn name(name: &str) -> EnvironmentName {
        EnvironmentName::parse(name).expect("a name")
    }

    fn within(names: &[&str]) -> Reach {
        Reach::Within(names.iter().map(|text| name(text)).collect())
    }

    fn rights(held: &[(Permission, Reach)]) -> Rights {
        let mut rights = Rights::default();
        held.iter().for_each(|(permission, reach)| rights.add([*permission], reach));
        rights
    }

    #[test]
    fn l1_a_limit_holds_in_its_environments_and_nowhere_above_them() {
        let (sandbox, production) = (name("sandbox"), name("production"));
        let held = rights(&[(Permission::ClientsRead, within(&["sandbox"]))]);
        assert!(held.allows(Permission::ClientsRead, Some(&sandbox)));
        assert!(!held.allows(Permission::ClientsRead, Some(&production)));
        assert!(!held.allows(Permission::ClientsRead, None), "what spans environments needs all of them");
        assert!(!held.allows(Permission::ClientsWrite, Some(&sandbox)));
        assert!(Reach::Everywhere.covers(None) && Reach::Everywhere.covers(Some(&sandbox)));
    }

    #[test]
    fn l1_limits_add_up_and_cut_each_other() {
        let mut held = rights(&[(Permission::ClientsRead, within(&["sandbox"]))]);
        held.add([Permission::ClientsRead, Permission::ClientsWrite], &within(&["staging"]));
        held.add([Permission::AuditRead], &within(&[]));
        let expected = rights(&[
            (Permission::ClientsRead, within(&["sandbox", "staging"])),
            (Permission::ClientsWrite, within(&["staging"])),
        ]);
        assert_eq!(held, expected, "what reaches nothing is not held");
        let part =
            held.limited_to(&[Permission::ClientsRead, Permission::AuditRead].into(), &within(&["sandbox"]));
        assert_eq!(part, rights(&[(Permission::ClientsRead, within(&["sandbox"]))]));
        held.add([Permission::ClientsRead], &Reach::Everywhere);
        assert!(held.allows(Permission::ClientsRead, None));
    }

    #[test]
    fn l1_nobody_is_given_what_the_giver_does_not_reach() {
        let giver = rights(&[
            (Permission::ClientsRead, Reach::Everywhere),
            (Permission::ClientsWrite, within(&["sandbox"])),
        ]);
        let beyond = |permission, reach| rights(&[(permission, reach)]).beyond(&giver);
        assert_eq!(beyond(Permission::ClientsRead, within(&["production"])), None);
        assert_eq!(beyond(Permission::ClientsWrite, within(&["sandbox"])), None);
        for reach in [within(&["sandbox", "production"]), Reach::Everywhere] {
            assert_eq!(beyond(Permission::ClientsWrite, reach), Some(Permission::ClientsWrite));
        }
        assert_eq!(beyond(Permission::AuditRead, within(&["sandbox"])), Some(Permission::AuditRead));
    }

    #[test]
    fn a10_a_reach_is_stored_as_its_limit_or_not_at_all() {
        for (reach, stored) in [
            (Reach::Everywhere, serde_json::json!(null)),
            (within(&["sandbox"]), serde_json::json!(["sandbox"])),
        ] {
            assert_eq!(serde_json::to_value(&reach).expect("json"), stored);
            assert_eq!(serde_json::from_value::<Reach>(stored).expect("a reach"), reach);
        }
    }
}
