//! What is asked of a member, as it came in.

use std::collections::BTreeSet;

use crypto::{Personal, SecretString};
use domain::{EnvironmentName, Permission, Reach, RoleGrant, RoleName, Rule, Violation};

use crate::{Inner, error::CommandError};

/// A new member.
#[derive(Clone, Debug)]
pub struct CreateMemberRequest {
    /// Who it is.
    pub name: Personal<String>,
    /// Where mail reaches it; unique among members.
    pub email: Personal<String>,
    /// Its roles.
    pub roles: Vec<RoleRequest>,
    /// The password it begins with, if any.
    pub password: Option<SecretString>,
}

/// A password for a member.
#[derive(Clone, Debug)]
pub struct SetPasswordRequest {
    /// The new one.
    pub password: SecretString,
    /// The one that the member has, which it must know if it sets its own.
    pub current_password: Option<SecretString>,
}

/// A change of who a member is: what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ChangeDetailsRequest {
    /// What it is called.
    pub name: Option<Personal<String>>,
    /// Where mail reaches it; unique among members.
    pub email: Option<Personal<String>>,
}

/// A role for a member.
#[derive(Clone, Debug)]
pub struct RoleRequest {
    /// Its name.
    pub role: String,
    /// Where it holds; `None` is everywhere.
    pub environments: Option<Vec<String>>,
}

/// A new personal token.
#[derive(Clone, Debug)]
pub struct IssueTokenRequest {
    /// What it is called.
    pub label: String,
    /// Names of what it may do; `None` is all that its member may.
    pub permissions: Option<Vec<String>>,
    /// Where it may do it; `None` is where the token may that makes it, if that is the member's own.
    pub environments: Option<Vec<String>>,
    /// How long it lives, in seconds.
    pub expires_in_seconds: u32,
}

impl Inner {
    /// Roles by their names, in environments that exist; whether there are such roles is the domain's to say.
    pub(super) async fn parse_roles(&self, asked: &[RoleRequest]) -> Result<Vec<RoleGrant>, CommandError> {
        let mut grants = Vec::with_capacity(asked.len());
        let mut wrong = Vec::new();
        for (place, asked) in asked.iter().enumerate() {
            let pointer = format!("/roles/{place}");
            let reach = match &asked.environments {
                None => Reach::Everywhere,
                Some(names) => {
                    let pointer = format!("{pointer}/environments");
                    self.parse_environments(names, &pointer, &mut wrong).await?
                }
            };
            match RoleName::parse(&asked.role) {
                Ok(role) => grants.push(RoleGrant { role, reach }),
                Err((rule, detail)) => wrong.push(Violation::new(pointer, rule, detail)),
            }
        }
        if wrong.is_empty() { Ok(grants) } else { Err(CommandError::Invalid(wrong)) }
    }

    /// A limit to environments that exist.
    pub(super) async fn parse_environments(
        &self,
        names: &[String],
        pointer: &str,
        wrong: &mut Vec<Violation>,
    ) -> Result<Reach, CommandError> {
        let mut environments = BTreeSet::new();
        for (place, name) in names.iter().enumerate() {
            let known = match EnvironmentName::parse(name) {
                Ok(known) => known,
                Err((rule, detail)) => {
                    wrong.push(Violation::new(format!("{pointer}/{place}"), rule, detail));
                    continue;
                }
            };
            // An environment that is there stays: the answer is as good when the command is recorded.
            if self.environments.current(known.as_str()).await?.aggregate.policy().is_none() {
                let detail = "there is no such environment";
                wrong.push(Violation::new(format!("{pointer}/{place}"), Rule::Unknown, detail));
            }
            environments.insert(known);
        }
        Ok(Reach::Within(environments))
    }
}

/// Permissions by their names.
pub(crate) fn parse_permissions(names: &[String]) -> Result<BTreeSet<Permission>, CommandError> {
    let mut permissions = BTreeSet::new();
    let mut wrong = Vec::new();
    for (place, name) in names.iter().enumerate() {
        match Permission::parse(name) {
            Some(permission) => {
                permissions.insert(permission);
            }
            None => {
                let known: Vec<_> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
                let detail = format!("must be one of {}", known.join(", "));
                wrong.push(Violation::new(format!("/permissions/{place}"), Rule::Unknown, detail));
            }
        }
    }
    if wrong.is_empty() { Ok(permissions) } else { Err(CommandError::Invalid(wrong)) }
}
