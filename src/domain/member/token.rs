//! The personal token: what a member authenticates with.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{IssueToken, IssuedToken, MemberError, MemberEvent, Membership, TokenIssued, check_reach};
use crate::{
    Permission, Reach, Rights, Rule, SecretId,
    time::truncated,
    violation::{Violations, plain_text},
};

/// The longest life of a personal token: two years, in seconds.
pub const MAX_TOKEN_LIFETIME_SECONDS: u32 = 2 * 365 * 24 * 60 * 60;
const LONGEST_LABEL: usize = 100;
const MOST_LIVE_TOKENS: usize = 50;

/// A personal access token, as far as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalToken {
    /// Its id, part of its text.
    pub id: SecretId,
    /// What its maker called it.
    pub label: String,
    /// The beginning of its text.
    pub hint: String,
    /// What it may do at most; its member's roles bound it further, at each use.
    pub permissions: BTreeSet<Permission>,
    /// Where it may do it at most.
    pub reach: Reach,
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

    /// Whether it can manage members at `now`, as far as it goes.
    pub(super) fn manages_members(&self, now: Timestamp) -> bool {
        self.live(now) && self.reach.is_everywhere() && self.permissions.contains(&Permission::MembersWrite)
    }

    pub(super) fn issued(issued: &IssuedToken, at: Timestamp) -> Self {
        Self {
            id: issued.id.clone(),
            label: issued.label.clone(),
            hint: issued.hint.clone(),
            permissions: issued.permissions.clone(),
            reach: issued.reach.clone(),
            created_at: at,
            expires_at: issued.expires_at,
            revoked_at: None,
            commitment: issued.commitment.clone(),
            parent: issued.parent.clone(),
        }
    }
}

/// The live tokens that a token has made, and they in turn, oldest first.
pub(super) fn descendants(tokens: &[PersonalToken], token_id: &SecretId, now: Timestamp) -> Vec<SecretId> {
    let mut family = vec![token_id.clone()];
    // A token stands after the one that made it: one pass finds them all.
    for token in tokens {
        if token.parent.as_ref().is_some_and(|parent| family.contains(parent)) {
            family.push(token.id.clone());
        }
    }
    let live = |id: &SecretId| tokens.iter().any(|token| token.id == *id && token.live(now));
    family.into_iter().skip(1).filter(live).collect()
}

impl Membership {
    pub(super) fn issue_token(
        &self,
        issue: &IssueToken,
        now: Timestamp,
    ) -> Result<Vec<MemberEvent>, MemberError> {
        // A token of the member's own can make no longer-lived one: who stole it for an hour has it for an hour.
        let parent = issue.made_with.as_ref().and_then(|made| self.token(&made.token));
        if let Some(ended) = parent.filter(|parent| !parent.live(now)) {
            return Err(MemberError::TokenNotLive(ended.id.clone()));
        }
        let token = issue.decide(now, &self.rights(&issue.own_roles), parent)?;
        if self.tokens.iter().filter(|token| token.live(now)).count() >= MOST_LIVE_TOKENS {
            return Err(MemberError::TooManyTokens { most: MOST_LIVE_TOKENS });
        }
        Ok(vec![MemberEvent::TokenIssued(TokenIssued { token })])
    }
}

impl IssueToken {
    fn decide(
        &self,
        now: Timestamp,
        rights: &Rights,
        parent: Option<&PersonalToken>,
    ) -> Result<IssuedToken, MemberError> {
        let mut wrong = Violations::default();
        check_token(&mut wrong, "", &self.label, &self.permissions, rights);
        check_reach(&mut wrong, "/environments", &self.reach);
        if parent.is_some_and(|parent| !parent.reach.includes(&self.reach)) {
            let detail = "must be among those of the token that makes it";
            wrong.add("/environments", Rule::OutOfRange, detail);
        }
        for permission in parent.iter().flat_map(|parent| self.permissions.difference(&parent.permissions)) {
            let detail = format!("`{}` is not among those of the token that makes it", permission.as_str());
            wrong.add("/permissions", Rule::OutOfRange, detail);
        }
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
            id: self.id.clone(),
            label: self.label.trim().to_owned(),
            hint: self.hint.clone(),
            permissions: self.permissions.clone(),
            reach: self.reach.clone(),
            expires_at: after(now, self.expires_in_seconds),
            commitment: self.commitment.clone(),
            issued_by: self.made_with.as_ref().filter(|_| parent.is_none()).map(|made| made.member),
            parent: parent.map(|parent| parent.id.clone()),
        })
    }
}

impl IssuedToken {
    /// The token that a member begins with, by the rules of every token.
    pub(super) fn checked(self, wrong: &mut Violations, rights: &Rights, now: Timestamp) -> Self {
        check_token(wrong, "/token", &self.label, &self.permissions, rights);
        let expires_at = truncated(self.expires_at);
        if expires_at <= now || expires_at > after(now, MAX_TOKEN_LIFETIME_SECONDS) {
            let detail = format!("must be at most {MAX_TOKEN_LIFETIME_SECONDS} seconds from now");
            wrong.add("/token/expires_at", Rule::OutOfRange, detail);
        }
        Self { label: self.label.trim().to_owned(), expires_at, ..self }
    }
}

fn check_token(
    wrong: &mut Violations,
    pointer: &str,
    label: &str,
    permissions: &BTreeSet<Permission>,
    rights: &Rights,
) {
    wrong.keep(&format!("{pointer}/label"), plain_text(label, LONGEST_LABEL));
    if permissions.is_empty() {
        wrong.add(format!("{pointer}/permissions"), Rule::Required, "choose at least one permission");
    }
    for permission in permissions.difference(&rights.permissions()) {
        let detail = format!("`{}` is not among the member's own permissions", permission.as_str());
        wrong.add(format!("{pointer}/permissions"), Rule::OutOfRange, detail);
    }
}

/// Saturates at the end of time rather than failing.
pub(super) fn after(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(now)
}
