//! The member: a person, or an automation, that signs in and acts; what it may do comes from its roles.

mod command;
mod error;
mod event;
mod password;
mod second_factor;
#[cfg(test)]
mod tests;
mod token;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use command::{
    ChangeRoles, CreateMember, EnrolTotp, IssueToken, MadeWith, MemberCommand, NewCredential, RegisterPasskey,
};
pub use error::MemberError;
pub use event::{
    DetailsChanged, IssuedToken, MemberCreated, MemberDetail, MemberEvent, PasskeyRegistered, PasskeyRemoved,
    PasswordRemoved, PasswordSet, RecoveryCodesIssued, RolesChanged, StatusChanged, TokenIssued,
    TokenRevoked, TotpEnrolled, TotpRemoved,
};
pub use password::{LEAST_PASSWORD_CHARS, MOST_PASSWORD_BYTES, Password, check_password};
pub use second_factor::SecondFactor;
pub use token::{MAX_TOKEN_LIFETIME_SECONDS, PersonalToken};

use crate::{
    BuiltInRole, Change, Claim, ClaimChange, OwnRoles, Reach, Rights, RoleGrant, RoleName, Rule, SecretId,
    aggregate::cqrs_aggregate, role, violation::Violations,
};

/// The most roles of a member.
const MOST_ROLES: usize = 20;
/// The most environments that a role or a token can be limited to.
const MOST_ENVIRONMENTS: usize = 20;
/// Tokens that ended and are still remembered; the history has all of them.
const MOST_ENDED_TOKENS: usize = 200;

/// A member's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Member {
    /// No event yet.
    #[default]
    Absent,
    /// Created.
    Enrolled(Box<Membership>),
}

/// What an enrolled member is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Its roles, each once.
    pub roles: BTreeSet<RoleGrant>,
    /// Whether it can sign in.
    pub status: MemberStatus,
    /// When it was created.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// Its personal tokens, oldest first: those that are live, and the newest of those that ended.
    pub tokens: Vec<PersonalToken>,
    /// Its password, if it has one.
    pub password: Option<Password>,
    /// The device whose codes it signs in with beside the password.
    pub totp: Option<SecondFactor>,
    /// The passkeys that it signs in with beside the password, oldest first.
    pub passkeys: Vec<SecondFactor>,
    /// Its recovery codes, for when it has lost the device.
    pub recovery_codes: Option<SecondFactor>,
}

/// Whether a member can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberStatus {
    /// Its tokens work.
    Active,
    /// None of its tokens works until it is enabled.
    Inactive,
}

impl MemberStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
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
            (Self::Enrolled(member), MemberCommand::ChangeDetails { details }) => {
                Ok(member.change_details(details))
            }
            (Self::Enrolled(member), MemberCommand::ChangeRoles(change)) => member.change_roles(change),
            (Self::Enrolled(member), MemberCommand::Deactivate { another_administrator }) => {
                member.deactivate(another_administrator)
            }
            (Self::Enrolled(member), MemberCommand::Enable) => member.enable(),
            (Self::Enrolled(member), MemberCommand::IssueToken(issue)) => member.issue_token(&issue, now),
            (
                Self::Enrolled(member),
                MemberCommand::RevokeToken { token_id, allow_lockout, another_administrator },
            ) => member.revoke_token(token_id, allow_lockout || another_administrator, now),
            (Self::Enrolled(member), MemberCommand::SetPassword(password)) => {
                Ok(member.set_password(password))
            }
            (Self::Enrolled(member), MemberCommand::RemovePassword) => member.remove_password(),
            (Self::Enrolled(member), MemberCommand::EnrolTotp(enrol)) => member.enrol_totp(enrol),
            (Self::Enrolled(member), MemberCommand::IssueRecoveryCodes(codes)) => {
                member.issue_recovery_codes(codes)
            }
            (Self::Enrolled(member), MemberCommand::RemoveTotp) => member.remove_totp(),
            (Self::Enrolled(member), MemberCommand::RegisterPasskey(register)) => {
                member.register_passkey(register)
            }
            (Self::Enrolled(member), MemberCommand::RemovePasskey { passkey_id }) => {
                member.remove_passkey(passkey_id)
            }
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &MemberEvent, at: Timestamp) {
        match (event, self) {
            (MemberEvent::Created(created), state @ Self::Absent) => {
                *state = Self::Enrolled(Box::new(Membership {
                    roles: created.roles.clone(),
                    status: MemberStatus::Active,
                    created_at: at,
                    tokens: created.token.iter().map(|token| PersonalToken::issued(token, at)).collect(),
                    password: None,
                    totp: None,
                    passkeys: Vec::new(),
                    recovery_codes: None,
                }));
            }
            (MemberEvent::RolesChanged(changed), Self::Enrolled(member)) => {
                member.roles.clone_from(&changed.roles.new);
            }
            (MemberEvent::Deactivated(changed) | MemberEvent::Enabled(changed), Self::Enrolled(member)) => {
                member.status = changed.status.new;
            }
            (MemberEvent::TokenIssued(issued), Self::Enrolled(member)) => {
                member.add_token(PersonalToken::issued(&issued.token, at), at);
            }
            (MemberEvent::TokenRevoked(revoked), Self::Enrolled(member)) => {
                let ended = |id: &SecretId| *id == revoked.token_id || revoked.descendants.contains(id);
                for token in member.tokens.iter_mut().filter(|token| ended(&token.id)) {
                    token.revoked_at.get_or_insert(at);
                }
            }
            (MemberEvent::PasswordSet(password), Self::Enrolled(member)) => {
                member.password = Some(Password::set(password, at));
            }
            (MemberEvent::PasswordRemoved(_), Self::Enrolled(member)) => member.password = None,
            (MemberEvent::TotpEnrolled(TotpEnrolled { id, commitment, .. }), Self::Enrolled(member)) => {
                member.totp = Some(SecondFactor::new(id, commitment, at));
            }
            (
                MemberEvent::RecoveryCodesIssued(RecoveryCodesIssued { id, commitment, .. }),
                Self::Enrolled(member),
            ) => {
                member.recovery_codes = Some(SecondFactor::new(id, commitment, at));
            }
            (MemberEvent::TotpRemoved(removed), Self::Enrolled(member)) => {
                member.totp = None;
                member.recovery_codes.take_if(|codes| removed.recovery_codes.as_ref() == Some(&codes.id));
            }
            (
                MemberEvent::PasskeyRegistered(PasskeyRegistered { id, commitment }),
                Self::Enrolled(member),
            ) => {
                member.passkeys.push(SecondFactor::new(id, commitment, at));
            }
            (MemberEvent::PasskeyRemoved(removed), Self::Enrolled(member)) => {
                member.passkeys.retain(|passkey| passkey.id != removed.id);
                member.recovery_codes.take_if(|codes| removed.recovery_codes.as_ref() == Some(&codes.id));
            }
            // Who it is stands in the vault alone.
            (MemberEvent::DetailsChanged(_) | MemberEvent::Created(_), Self::Enrolled(_))
            | (
                MemberEvent::DetailsChanged(_)
                | MemberEvent::RolesChanged(_)
                | MemberEvent::Deactivated(_)
                | MemberEvent::Enabled(_)
                | MemberEvent::TokenIssued(_)
                | MemberEvent::TokenRevoked(_)
                | MemberEvent::PasswordSet(_)
                | MemberEvent::PasswordRemoved(_)
                | MemberEvent::TotpEnrolled(_)
                | MemberEvent::TotpRemoved(_)
                | MemberEvent::PasskeyRegistered(_)
                | MemberEvent::PasskeyRemoved(_)
                | MemberEvent::RecoveryCodesIssued(_),
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
                MemberEvent::DetailsChanged(_)
                | MemberEvent::RolesChanged(_)
                | MemberEvent::Deactivated(_)
                | MemberEvent::Enabled(_)
                | MemberEvent::TokenRevoked(_)
                | MemberEvent::PasswordSet(_)
                | MemberEvent::PasswordRemoved(_)
                | MemberEvent::TotpEnrolled(_)
                | MemberEvent::TotpRemoved(_)
                | MemberEvent::PasskeyRegistered(_)
                | MemberEvent::PasskeyRemoved(_)
                | MemberEvent::RecoveryCodesIssued(_) => None,
            })
            .map(|token| ClaimChange::Take(Claim::personal_token(&token.id.0)))
            .collect()
    }
}

impl Membership {
    /// Everything its roles allow.
    pub fn rights(&self, own_roles: &OwnRoles) -> Rights {
        role::rights(&self.roles, own_roles)
    }

    /// One of its tokens.
    pub fn token(&self, token_id: &SecretId) -> Option<&PersonalToken> {
        self.tokens.iter().find(|token| token.id == *token_id)
    }

    /// Adds a token, and lets go of the one that was issued longest ago of those that ended if there are too many such. What
    /// it made has ended too.
    fn add_token(&mut self, token: PersonalToken, at: Timestamp) {
        self.tokens.push(token);
        let ended = |token: &PersonalToken| !token.live(at);
        if self.tokens.iter().filter(|token| ended(token)).count() > MOST_ENDED_TOKENS
            && let Some(oldest) = self.tokens.iter().position(ended)
        {
            self.tokens.remove(oldest);
        }
    }

    /// Whether it is an administrator without limits who can sign in now and manage members: as long as there is one,
    /// nobody is locked out for good.
    pub fn can_administer(&self, now: Timestamp) -> bool {
        self.administers() && self.tokens.iter().any(|token| token.manages_members(now))
    }

    fn administers(&self) -> bool {
        self.status == MemberStatus::Active && is_administrator(&self.roles)
    }

    fn change_details(&self, details: BTreeSet<MemberDetail>) -> Vec<MemberEvent> {
        if details.is_empty() {
            return Vec::new();
        }
        vec![MemberEvent::DetailsChanged(DetailsChanged { details })]
    }

    fn change_roles(&self, change: ChangeRoles) -> Result<Vec<MemberEvent>, MemberError> {
        let mut wrong = Violations::default();
        let roles = check_roles(&mut wrong, change.roles, &change.own_roles);
        wrong.refuse(MemberError::Invalid)?;
        if roles == self.roles {
            return Ok(Vec::new());
        }
        if self.administers() && !is_administrator(&roles) && !change.another_administrator {
            return Err(MemberError::LastAdministrator);
        }
        Ok(vec![MemberEvent::RolesChanged(RolesChanged { roles: Change::new(self.roles.clone(), roles) })])
    }

    fn deactivate(&self, another_administrator: bool) -> Result<Vec<MemberEvent>, MemberError> {
        match self.status {
            MemberStatus::Inactive => Err(MemberError::NotActive),
            MemberStatus::Active if self.administers() && !another_administrator => {
                Err(MemberError::LastAdministrator)
            }
            MemberStatus::Active => Ok(vec![MemberEvent::Deactivated(StatusChanged {
                status: Change::new(MemberStatus::Active, MemberStatus::Inactive),
            })]),
        }
    }

    fn enable(&self) -> Result<Vec<MemberEvent>, MemberError> {
        match self.status {
            MemberStatus::Active => Err(MemberError::NotInactive),
            MemberStatus::Inactive => Ok(vec![MemberEvent::Enabled(StatusChanged {
                status: Change::new(MemberStatus::Inactive, MemberStatus::Active),
            })]),
        }
    }

    fn revoke_token(
        &self,
        token_id: SecretId,
        lockout_is_fine: bool,
        now: Timestamp,
    ) -> Result<Vec<MemberEvent>, MemberError> {
        match self.token(&token_id) {
            None => Err(MemberError::NoSuchToken(token_id)),
            Some(token) if !token.live(now) => Err(MemberError::TokenNotLive(token_id)),
            Some(_) => {
                let descendants = token::descendants(&self.tokens, &token_id, now);
                let stays = |token: &PersonalToken| token.id != token_id && !descendants.contains(&token.id);
                let locks_out = self.can_administer(now)
                    && !self.tokens.iter().any(|token| stays(token) && token.manages_members(now));
                if locks_out && !lockout_is_fine {
                    return Err(MemberError::LastAdministrator);
                }
                Ok(vec![MemberEvent::TokenRevoked(TokenRevoked { token_id, descendants })])
            }
        }
    }
}

impl CreateMember {
    fn decide(self, now: Timestamp) -> Result<Vec<MemberEvent>, MemberError> {
        let mut wrong = Violations::default();
        let roles = check_roles(&mut wrong, self.roles, &self.own_roles);
        let rights = role::rights(&roles, &self.own_roles);
        let token = self.token.map(|token| token.checked(&mut wrong, &rights, now));
        wrong.refuse(MemberError::Invalid)?;
        let mut events = vec![MemberEvent::Created(MemberCreated { roles, token })];
        events.extend(self.password.map(|NewCredential { id, commitment }| {
            MemberEvent::PasswordSet(PasswordSet { id, commitment, replaced: None })
        }));
        Ok(events)
    }
}

fn is_administrator(roles: &BTreeSet<RoleGrant>) -> bool {
    roles.contains(&BuiltInRole::Administrator.into())
}

fn check_roles(wrong: &mut Violations, roles: Vec<RoleGrant>, own_roles: &OwnRoles) -> BTreeSet<RoleGrant> {
    if roles.is_empty() {
        wrong.add("/roles", Rule::Required, "choose at least one role");
    }
    if roles.len() > MOST_ROLES {
        wrong.add("/roles", Rule::TooMany, format!("at most {MOST_ROLES}"));
    }
    let mut places: BTreeMap<&RoleName, usize> = BTreeMap::new();
    for (place, RoleGrant { role, reach }) in roles.iter().enumerate() {
        let pointer = format!("/roles/{place}");
        if role.built_in().is_none() && !own_roles.contains_key(role) {
            wrong.add(&pointer, Rule::Unknown, format!("there is no role `{role}`, or not any more"));
        }
        if let Some(first) = places.insert(role, place) {
            wrong.add(&pointer, Rule::Duplicate, format!("the same role as the one at {first}"));
        }
        check_reach(wrong, &format!("{pointer}/environments"), reach);
    }
    roles.into_iter().collect()
}

fn check_reach(wrong: &mut Violations, pointer: &str, reach: &Reach) {
    match reach.environments().map(BTreeSet::len) {
        Some(0) => {
            wrong.add(pointer, Rule::Required, "name at least one, or leave it out for all of them");
        }
        Some(count) if count > MOST_ENVIRONMENTS => {
            wrong.add(pointer, Rule::TooMany, format!("at most {MOST_ENVIRONMENTS}"));
        }
        None | Some(_) => {}
    }
}
