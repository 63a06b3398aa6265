//! The grant: what a member allowed a client to do in their name, and how that ended.
//!
//! Codes and refresh tokens are spent where activity is recorded. What stands here is what an auditor asks about a person's
//! consent: that it was given, for what, that it was withdrawn, and that somebody presented again what was used up.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Change, Claim, ClaimChange, ClientId, EnvironmentName, MemberId, SecretId, aggregate::cqrs_aggregate,
    event::events, oauth::ScopeSet,
};

/// A grant's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// No event yet.
    #[default]
    Absent,
    /// The member said no.
    Denied,
    /// The member said yes, whatever became of it.
    Given(GivenGrant),
}

/// What a member allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenGrant {
    /// The island of the client.
    pub environment: EnvironmentName,
    /// Who may do it.
    pub client_id: ClientId,
    /// In whose name.
    pub member_id: MemberId,
    /// What.
    pub scope: ScopeSet,
    /// Whether the member is not asked again for these scopes.
    pub remembered: bool,
    /// Since when.
    #[serde(with = "crate::time::micros")]
    pub given_at: Timestamp,
    /// From here on no token of it is good.
    #[serde(with = "crate::time::micros::option")]
    pub ended_at: Option<Timestamp>,
}

events! {
    /// The events of a `grant-<id>` stream.
    GrantEvent {
        /// A member allowed a client something.
        Given(GrantGiven) = "grant.given", 1;
        /// A member was asked, and said no.
        Denied(GrantDenied) = "grant.denied", 1;
        /// The member allowed more beside it.
        Widened(GrantWidened) = "grant.widened", 1;
        /// The member took it back.
        Withdrawn(GrantEnded) = "grant.withdrawn", 1;
        /// Somebody else ended it: the client gave it up, or an admin took it away.
        Revoked(GrantEnded) = "grant.revoked", 1;
        /// A code was presented a second time; all that came of it ends.
        CodeReused(CodeReused) = "grant.code_reused", 1;
        /// A refresh token was presented after its successor was issued; all that came of it ends.
        RefreshTokenReused(RefreshTokenReused) = "grant.refresh_token_reused", 1;
    }
}

/// What a grant begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantGiven {
    /// The island of the client.
    pub environment: EnvironmentName,
    /// Who may do it.
    pub client_id: ClientId,
    /// In whose name.
    pub member_id: MemberId,
    /// What.
    pub scope: ScopeSet,
    /// Whether the member is not asked again for these scopes.
    pub remembered: bool,
}

/// A request that a member refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDenied {
    /// The island of the client.
    pub environment: EnvironmentName,
    /// Who asked.
    pub client_id: ClientId,
    /// Who was asked.
    pub member_id: MemberId,
    /// For what.
    pub scope: ScopeSet,
}

/// More than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantWidened {
    /// Who may do it.
    pub client_id: ClientId,
    /// In whose name.
    pub member_id: MemberId,
    /// All of it.
    pub scope: Change<ScopeSet>,
}

/// The end of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantEnded {
    /// Who could act.
    pub client_id: ClientId,
    /// In whose name.
    pub member_id: MemberId,
}

/// A code that came twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeReused {
    /// Which one.
    pub code_id: SecretId,
    /// Who presented it.
    pub client_id: ClientId,
    /// In whose name tokens were issued for it.
    pub member_id: MemberId,
}

/// A refresh token that came after its successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshTokenReused {
    /// Which one.
    pub token_id: SecretId,
    /// Who presented it.
    pub client_id: ClientId,
    /// In whose name tokens were issued for it.
    pub member_id: MemberId,
}

/// A request to change a grant.
#[derive(Clone, Debug)]
pub enum GrantCommand {
    /// A member allows it; of a grant that is remembered, more of it.
    Give(GrantGiven),
    /// A member does not.
    Deny(GrantDenied),
    /// The member takes it back.
    Withdraw,
    /// The client gives it up, or an admin takes it away.
    Revoke,
    /// A code came twice.
    ReportReusedCode(SecretId),
    /// A refresh token came after its successor.
    ReportReusedRefreshToken(SecretId),
}

/// Why a command on a grant was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// There is no such grant.
    #[error("there is no such grant")]
    NotFound,
    /// It is of another client or member, or was denied.
    #[error("the grant is another one")]
    Another,
    /// It has ended.
    #[error("the grant has ended")]
    Ended,
}

cqrs_aggregate!(Grant, "grant", GrantCommand, GrantEvent, GrantError);

impl Grant {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "grant";

    /// What was given, unless nothing was.
    pub fn given(&self) -> Option<&GivenGrant> {
        match self {
            Self::Absent | Self::Denied => None,
            Self::Given(given) => Some(given),
        }
    }

    /// What `command` does. No events is an answer too: nothing would change.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(&self, command: GrantCommand, _now: Timestamp) -> Result<Vec<GrantEvent>, GrantError> {
        match (self, command) {
            (Self::Absent, GrantCommand::Give(given)) => Ok(vec![GrantEvent::Given(given)]),
            (Self::Absent, GrantCommand::Deny(denied)) => Ok(vec![GrantEvent::Denied(denied)]),
            (Self::Given(grant), GrantCommand::Give(more)) => grant.widen(&more),
            (
                Self::Absent | Self::Denied,
                GrantCommand::Withdraw
                | GrantCommand::Revoke
                | GrantCommand::ReportReusedCode(_)
                | GrantCommand::ReportReusedRefreshToken(_),
            ) => Err(GrantError::NotFound),
            (Self::Denied, GrantCommand::Give(_) | GrantCommand::Deny(_))
            | (Self::Given(_), GrantCommand::Deny(_)) => Err(GrantError::Another),
            (Self::Given(grant), GrantCommand::Withdraw) => {
                Ok(grant.ends(GrantEvent::Withdrawn(grant.ended())))
            }
            (Self::Given(grant), GrantCommand::Revoke) => Ok(grant.ends(GrantEvent::Revoked(grant.ended()))),
            // Also of a grant that has ended: who presents what was used up is worth knowing.
            (Self::Given(grant), GrantCommand::ReportReusedCode(code_id)) => {
                Ok(vec![GrantEvent::CodeReused(CodeReused {
                    code_id,
                    client_id: grant.client_id,
                    member_id: grant.member_id,
                })])
            }
            (Self::Given(grant), GrantCommand::ReportReusedRefreshToken(token_id)) => {
                Ok(vec![GrantEvent::RefreshTokenReused(RefreshTokenReused {
                    token_id,
                    client_id: grant.client_id,
                    member_id: grant.member_id,
                })])
            }
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &GrantEvent, at: Timestamp) {
        match (event, self) {
            (GrantEvent::Given(given), state @ Self::Absent) => {
                *state = Self::Given(GivenGrant {
                    environment: given.environment.clone(),
                    client_id: given.client_id,
                    member_id: given.member_id,
                    scope: given.scope.clone(),
                    remembered: given.remembered,
                    given_at: at,
                    ended_at: None,
                });
            }
            (GrantEvent::Denied(_), state @ Self::Absent) => *state = Self::Denied,
            (GrantEvent::Widened(widened), Self::Given(grant)) => grant.scope.clone_from(&widened.scope.new),
            (
                GrantEvent::Withdrawn(_)
                | GrantEvent::Revoked(_)
                | GrantEvent::CodeReused(_)
                | GrantEvent::RefreshTokenReused(_),
                Self::Given(grant),
            ) => {
                grant.ended_at.get_or_insert(at);
            }
            (GrantEvent::Given(_) | GrantEvent::Denied(_), Self::Denied | Self::Given(_))
            | (
                GrantEvent::Widened(_)
                | GrantEvent::Withdrawn(_)
                | GrantEvent::Revoked(_)
                | GrantEvent::CodeReused(_)
                | GrantEvent::RefreshTokenReused(_),
                Self::Absent | Self::Denied,
            ) => {}
        }
    }
}

impl GrantEvent {
    /// What it does to what its grant holds, in the environment of that grant: one that is remembered is found again by
    /// client and member.
    pub fn claims(&self, environment: &EnvironmentName) -> Vec<ClaimChange> {
        match self {
            Self::Given(given) if given.remembered => {
                vec![ClaimChange::Take(Claim::remembered_grant(
                    environment,
                    given.client_id,
                    given.member_id,
                ))]
            }
            Self::Given(_) | Self::Denied(_) | Self::Widened(_) => Vec::new(),
            Self::Withdrawn(_) | Self::Revoked(_) | Self::CodeReused(_) | Self::RefreshTokenReused(_) => {
                vec![ClaimChange::Release { namespace: Claim::remembered_grants(environment) }]
            }
        }
    }

    /// Which client it is about.
    pub fn client_id(&self) -> ClientId {
        match self {
            Self::Given(given) => given.client_id,
            Self::Denied(denied) => denied.client_id,
            Self::Widened(widened) => widened.client_id,
            Self::Withdrawn(ended) | Self::Revoked(ended) => ended.client_id,
            Self::CodeReused(reused) => reused.client_id,
            Self::RefreshTokenReused(reused) => reused.client_id,
        }
    }
}

impl GivenGrant {
    /// Whether tokens of it can be good.
    pub fn is_live(&self) -> bool {
        self.ended_at.is_none()
    }

    fn widen(&self, more: &GrantGiven) -> Result<Vec<GrantEvent>, GrantError> {
        if !self.is_live() {
            return Err(GrantError::Ended);
        }
        let same = self.environment == more.environment
            && self.client_id == more.client_id
            && self.member_id == more.member_id;
        if !same {
            return Err(GrantError::Another);
        }
        if more.scope.is_within(&self.scope) {
            return Ok(Vec::new());
        }
        let scope = Change::new(self.scope.clone(), self.scope.with(&more.scope));
        let (client_id, member_id) = (self.client_id, self.member_id);
        Ok(vec![GrantEvent::Widened(GrantWidened { client_id, member_id, scope })])
    }

    /// What ended once does not end again.
    fn ends(&self, event: GrantEvent) -> Vec<GrantEvent> {
        if self.is_live() { vec![event] } else { Vec::new() }
    }

    fn ended(&self) -> GrantEnded {
        GrantEnded { client_id: self.client_id, member_id: self.member_id }
    }
}
