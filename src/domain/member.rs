//! The member: a person, or an automation, that signs in and acts; what it may do comes from its roles.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use command::{CreateMember, IssueToken, MadeWith, MemberCommand};
pub use error::MemberError;
pub use event::{IssuedToken, MemberCreated, MemberEvent, RolesChanged, TokenIssued, TokenRevoked};

use crate::{
    Change, Claim, ClaimChange, Permission, Role, Rule, SecretId,
    aggregate::cqrs_aggregate,
    time::truncated,
    violation::{Violations, plain_text},
};

/// The longest life of a personal token: two years, in seconds.
pub const MAX_TOKEN_LIFETIME_SECONDS: u32 = 2 * 365 * 24 * 60 * 60;
const LONGEST_LABEL: usize = 100;
const MOST_LIVE_TOKENS: usize = 50;

/// A member's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Member {
    /// No event yet.
    #[default]
    Absent,
    /// Created.
    Enrolled(Membership),
}

/// What an enrolled member is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// When it was created.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// Every personal token it ever had, oldest first.
    pub tokens: Vec<PersonalToken>,
}

/// A personal access token, as far as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalToken {
    /// Its id, part of its text.
    pub id: SecretId,
    /// What its maker called it.
    pub label: String,
    /// The beginning of its text.
    pub hint: String,
    /// What it may do at most; its member's permissions bound it further, at each use.
    pub permissions: BTreeSet<Permission>,
    /// When it was issued.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// It does not authenticate from here on.
    #[serde(with = "crate::time::micros")]
    pub expires_at: Timestamp,
    /// When it was revoked.
    #[serde(with = "crate::time::micros::option")]
    pub revoked_at: Option<Timestamp>,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
    /// The token of the same member that made it.
    pub parent: Option<SecretId>,
}

impl PersonalToken {
    /// Whether it authenticates at `now`.
    pub fn live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

cqrs_aggregate!(Member, "member", MemberCommand, MemberEvent, MemberError);

impl Member {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "member";

    /// The membership, unless there is none yet.
    pub fn membership(&self) -> Option<&Membership> {
        match self {
            Self::Absent => None,
            Self::Enrolled(membership) => Some(membership),
        }
    }

    /// What `command` does at `now`. No events is an answer too: nothing would change.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(&self, command: MemberCommand, now: Timestamp) -> Result<Vec<MemberEvent>, MemberError> {
        match (self, command) {
            (Self::Absent, MemberCommand::CreateMember(create)) => create.decide(now),
            (Self::Enrolled(_), MemberCommand::CreateMember(_)) => Err(MemberError::AlreadyExists),
            (Self::Absent, _) => Err(MemberError::NotFound),
            (Self::Enrolled(member), MemberCommand::ChangeRoles { roles }) => member.change_roles(roles),
            (Self::Enrolled(member), MemberCommand::IssueToken(issue)) => member.issue_token(issue, now),
            (Self::Enrolled(member), MemberCommand::RevokeToken { token_id }) => {
                member.revoke_token(token_id, now)
            }
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &MemberEvent, at: Timestamp) {
        match (event, self) {
            (MemberEvent::Created(created), state @ Self::Absent) => {
                *state = Self::Enrolled(Membership {
                    roles: created.roles.clone(),
                    created_at: at,
                    tokens: created.token.iter().map(|token| PersonalToken::issued(token, at)).collect(),
                });
            }
            (MemberEvent::RolesChanged(changed), Self::Enrolled(member)) => {
                member.roles.clone_from(&changed.roles.new);
            }
            (MemberEvent::TokenIssued(issued), Self::Enrolled(member)) => {
                member.tokens.push(PersonalToken::issued(&issued.token, at));
            }
            (MemberEvent::TokenRevoked(revoked), Self::Enrolled(member)) => {
                let ended = |id: &SecretId| *id == revoked.token_id || revoked.descendants.contains(id);
                for token in member.tokens.iter_mut().filter(|token| ended(&token.id)) {
                    token.revoked_at.get_or_insert(at);
                }
            }
            (MemberEvent::Created(_), Self::Enrolled(_))
            | (
                MemberEvent::RolesChanged(_) | MemberEvent::TokenIssued(_) | MemberEvent::TokenRevoked(_),
                Self::Absent,
            ) => {}
        }
    }

    /// What the events do to the claims of this member; the e-mail's is the caller's, who alone knows its digest.
    pub fn claims(events: &[MemberEvent]) -> Vec<ClaimChange> {
        events
            .iter()
            .filter_map(|event| match event {
                MemberEvent::Created(created) => created.token.as_ref(),
                MemberEvent::TokenIssued(issued) => Some(&issued.token),
                MemberEvent::RolesChanged(_) | MemberEvent::TokenRevoked(_) => None,
            })
            .map(|token| ClaimChange::Take(Claim::personal_token(&token.id.0)))
            .collect()
    }
}

impl Membership {
    /// Everything its roles allow.
    pub fn permissions(&self) -> BTreeSet<Permission> {
        allowed(&self.roles)
    }

    fn change_roles(&self, roles: BTreeSet<Role>) -> Result<Vec<MemberEvent>, MemberError> {
        let mut wrong = Violations::default();
        check_roles(&mut wrong, &roles);
        wrong.refuse(MemberError::Invalid)?;
        if roles == self.roles {
            return Ok(Vec::new());
        }
        Ok(vec![MemberEvent::RolesChanged(RolesChanged { roles: Change::new(self.roles.clone(), roles) })])
    }

    fn issue_token(&self, issue: IssueToken, now: Timestamp) -> Result<Vec<MemberEvent>, MemberError> {
        // A token of the member's own can make no longer-lived one: who stole it for an hour has it for an hour.
        let parent =
            issue.made_with.as_ref().and_then(|made| self.tokens.iter().find(|token| token.id == made.token));
        let token = issue.decide(now, &self.permissions(), parent)?;
        if self.tokens.iter().filter(|token| token.live(now)).count() >= MOST_LIVE_TOKENS {
            return Err(MemberError::TooManyTokens { most: MOST_LIVE_TOKENS });
        }
        Ok(vec![MemberEvent::TokenIssued(TokenIssued { token })])
    }

    fn revoke_token(&self, token_id: SecretId, now: Timestamp) -> Result<Vec<MemberEvent>, MemberError> {
        match self.tokens.iter().find(|token| token.id == token_id) {
            None => Err(MemberError::NoSuchToken(token_id)),
            Some(token) if !token.live(now) => Err(MemberError::TokenNotLive(token_id)),
            Some(_) => {
                let descendants = self.descendants(&token_id, now);
                Ok(vec![MemberEvent::TokenRevoked(TokenRevoked { token_id, descendants })])
            }
        }
    }

    /// The live tokens that a token has made, and they in turn, oldest first.
    fn descendants(&self, token_id: &SecretId, now: Timestamp) -> Vec<SecretId> {
        let mut family = vec![token_id.clone()];
        // A token stands after the one that made it: one pass finds them all.
        for token in &self.tokens {
            if token.parent.as_ref().is_some_and(|parent| family.contains(parent)) {
                family.push(token.id.clone());
            }
        }
        let live = |id: &SecretId| self.tokens.iter().any(|token| token.id == *id && token.live(now));
        family.into_iter().skip(1).filter(live).collect()
    }
}

impl CreateMember {
    fn decide(self, now: Timestamp) -> Result<Vec<MemberEvent>, MemberError> {
        let mut wrong = Violations::default();
        check_roles(&mut wrong, &self.roles);
        let token = self.token.map(|token| {
            check_token(&mut wrong, "/token", &token.label, &token.permissions, &allowed(&self.roles));
            let expires_at = truncated(token.expires_at);
            if expires_at <= now || expires_at > after(now, MAX_TOKEN_LIFETIME_SECONDS) {
                let detail = format!("must be at most {MAX_TOKEN_LIFETIME_SECONDS} seconds from now");
                wrong.add("/token/expires_at", Rule::OutOfRange, detail);
            }
            IssuedToken { label: token.label.trim().to_owned(), expires_at, ..token }
        });
        wrong.refuse(MemberError::Invalid)?;
        Ok(vec![MemberEvent::Created(MemberCreated { roles: self.roles, token })])
    }
}

impl IssueToken {
    fn decide(
        self,
        now: Timestamp,
        allowed: &BTreeSet<Permission>,
        parent: Option<&PersonalToken>,
    ) -> Result<IssuedToken, MemberError> {
        let mut wrong = Violations::default();
        check_token(&mut wrong, "", &self.label, &self.permissions, allowed);
        if !(1..=MAX_TOKEN_LIFETIME_SECONDS).contains(&self.expires_in_seconds) {
            let detail = format!("must be 1 to {MAX_TOKEN_LIFETIME_SECONDS}");
            wrong.add("/expires_in_seconds", Rule::OutOfRange, detail);
        } else if let Some(parent) = parent
            && after(now, self.expires_in_seconds) > parent.expires_at
        {
            let left = parent.expires_at.duration_since(now).as_secs();
            let detail = format!("must be at most {left}: the token that makes it ends then");
            wrong.add("/expires_in_seconds", Rule::OutOfRange, detail);
        }
        wrong.refuse(MemberError::Invalid)?;
        Ok(IssuedToken {
            id: self.id,
            label: self.label.trim().to_owned(),
            hint: self.hint,
            permissions: self.permissions,
            expires_at: after(now, self.expires_in_seconds),
            commitment: self.commitment,
            issued_by: self.made_with.filter(|_| parent.is_none()).map(|made| made.member),
            parent: parent.map(|parent| parent.id.clone()),
        })
    }
}

fn allowed(roles: &BTreeSet<Role>) -> BTreeSet<Permission> {
    roles.iter().flat_map(|role| role.permissions()).collect()
}

fn check_roles(wrong: &mut Violations, roles: &BTreeSet<Role>) {
    if roles.is_empty() {
        wrong.add("/roles", Rule::Required, "choose at least one role");
    }
}

fn check_token(
    wrong: &mut Violations,
    pointer: &str,
    label: &str,
    permissions: &BTreeSet<Permission>,
    allowed: &BTreeSet<Permission>,
) {
    wrong.keep(&format!("{pointer}/label"), plain_text(label, LONGEST_LABEL));
    if permissions.is_empty() {
        wrong.add(format!("{pointer}/permissions"), Rule::Required, "choose at least one permission");
    }
    for permission in permissions.difference(allowed) {
        let detail = format!("`{}` is not among the member's own permissions", permission.as_str());
        wrong.add(format!("{pointer}/permissions"), Rule::OutOfRange, detail);
    }
}

/// Saturates at the end of time rather than failing.
fn after(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(now)
}

impl PersonalToken {
    fn issued(issued: &IssuedToken, at: Timestamp) -> Self {
        Self {
            id: issued.id.clone(),
            label: issued.label.clone(),
            hint: issued.hint.clone(),
            permissions: issued.permissions.clone(),
            created_at: at,
            expires_at: issued.expires_at,
            revoked_at: None,
            commitment: issued.commitment.clone(),
            parent: issued.parent.clone(),
        }
    }
}
