//! The second factor: codes of a device that a member holds (RFC 6238), passkeys, and recovery codes for when they are lost.
//!
//! The device's secret, what is kept of passkeys and the digests of the codes are in the vault; the log knows that there are some.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    EnrolTotp, MemberError, MemberEvent, Membership, NewCredential, PasskeyRegistered, PasskeyRemoved,
    RecoveryCodesIssued, RegisterPasskey, TotpEnrolled, TotpRemoved,
};
use crate::SecretId;

/// The most passkeys of a member.
const MOST_PASSKEYS: usize = 20;

/// A device, a passkey or a set of recovery codes, as far as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// Its id in the vault.
    pub id: SecretId,
    /// Digest of its disclosure in the vault.
    pub commitment: String,
    /// Since when there is this one.
    #[serde(with = "crate::time::micros")]
    pub since: Timestamp,
}

impl SecondFactor {
    pub(super) fn new(id: &SecretId, commitment: &str, since: Timestamp) -> Self {
        Self { id: id.clone(), commitment: commitment.to_owned(), since }
    }
}

impl Membership {
    /// Whether it is asked for more than its password.
    pub fn has_second_factor(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }

    /// Whether this is its device, one of its passkeys or its recovery codes.
    pub fn holds_factor(&self, id: &SecretId) -> bool {
        let factors = self.totp.iter().chain(&self.recovery_codes).chain(&self.passkeys);
        factors.into_iter().any(|factor| factor.id == *id)
    }

    pub(super) fn enrol_totp(&self, enrol: EnrolTotp) -> Result<Vec<MemberEvent>, MemberError> {
        if self.password.is_none() {
            return Err(MemberError::NoPassword);
        }
        let EnrolTotp { totp: NewCredential { id, commitment }, recovery_codes } = enrol;
        let replaced = self.totp.as_ref().map(|totp| totp.id.clone());
        let enrolled = MemberEvent::TotpEnrolled(TotpEnrolled { id, commitment, replaced });
        Ok(vec![enrolled, self.codes_issued(recovery_codes)])
    }

    pub(super) fn issue_recovery_codes(&self, codes: NewCredential) -> Result<Vec<MemberEvent>, MemberError> {
        if !self.has_second_factor() {
            return Err(MemberError::NoTotp);
        }
        Ok(vec![self.codes_issued(codes)])
    }

    pub(super) fn remove_totp(&self) -> Result<Vec<MemberEvent>, MemberError> {
        let totp = self.totp.as_ref().ok_or(MemberError::NoTotp)?;
        let recovery_codes = self.codes_ended_if(self.passkeys.is_empty());
        Ok(vec![MemberEvent::TotpRemoved(TotpRemoved { id: totp.id.clone(), recovery_codes })])
    }

    pub(super) fn register_passkey(
        &self,
        register: RegisterPasskey,
    ) -> Result<Vec<MemberEvent>, MemberError> {
        if self.password.is_none() {
            return Err(MemberError::NoPassword);
        }
        if self.passkeys.len() >= MOST_PASSKEYS {
            return Err(MemberError::TooManyPasskeys { most: MOST_PASSKEYS });
        }
        let RegisterPasskey { passkey: NewCredential { id, commitment }, recovery_codes } = register;
        let registered = MemberEvent::PasskeyRegistered(PasskeyRegistered { id, commitment });
        let codes = recovery_codes.map(|codes| self.codes_issued(codes));
        Ok(std::iter::once(registered).chain(codes).collect())
    }

    pub(super) fn remove_passkey(&self, passkey_id: SecretId) -> Result<Vec<MemberEvent>, MemberError> {
        if !self.passkeys.iter().any(|passkey| passkey.id == passkey_id) {
            return Err(MemberError::NoSuchPasskey(passkey_id));
        }
        let recovery_codes = self.codes_ended_if(self.totp.is_none() && self.passkeys.len() == 1);
        Ok(vec![MemberEvent::PasskeyRemoved(PasskeyRemoved { id: passkey_id, recovery_codes })])
    }

    /// The recovery codes that end with the last second factor.
    fn codes_ended_if(&self, was_last: bool) -> Option<SecretId> {
        self.recovery_codes.as_ref().filter(|_| was_last).map(|codes| codes.id.clone())
    }

    fn codes_issued(&self, NewCredential { id, commitment }: NewCredential) -> MemberEvent {
        let replaced = self.recovery_codes.as_ref().map(|codes| codes.id.clone());
        MemberEvent::RecoveryCodesIssued(RecoveryCodesIssued { id, commitment, replaced })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::{
        BuiltInRole, Member, MemberCommand, MemberError, MemberEvent, OwnRoles, SecretId,
        member::{
            CreateMember, EnrolTotp, NewCredential, PasskeyRemoved, RecoveryCodesIssued, RegisterPasskey,
            TotpEnrolled, TotpRemoved,
        },
    };

    fn new(name: &str) -> NewCredential {
        NewCredential { id: SecretId(name.into()), commitment: format!("of {name}") }
    }

    fn enrol(totp: &str, codes: &str) -> MemberCommand {
        MemberCommand::EnrolTotp(EnrolTotp { totp: new(totp), recovery_codes: new(codes) })
    }

    #[test]
    fn l1_a_second_factor_stands_beside_a_password_and_goes_with_its_codes() {
        let now = Timestamp::UNIX_EPOCH;
        let mut member = Member::Absent;
        let mut decide = |command| -> Result<Vec<MemberEvent>, MemberError> {
            let events = member.decide(command, now)?;
            events.iter().for_each(|event| member.apply(event, now));
            Ok(events)
        };
        let id = |name: &str| SecretId(name.into());
        let roles = vec![BuiltInRole::Auditor.into()];
        let create = CreateMember { roles, own_roles: OwnRoles::new(), token: None, password: None };
        decide(MemberCommand::CreateMember(create)).expect("a member");
        assert_eq!(decide(enrol("a", "b")), Err(MemberError::NoPassword));
        decide(MemberCommand::SetPassword(new("p"))).expect("a password");
        assert_eq!(decide(MemberCommand::RemoveTotp), Err(MemberError::NoTotp));
        assert_eq!(decide(MemberCommand::IssueRecoveryCodes(new("b"))), Err(MemberError::NoTotp));
        let issued = |name: &str, replaced: Option<&str>| {
            let NewCredential { id: own, commitment } = new(name);
            MemberEvent::RecoveryCodesIssued(RecoveryCodesIssued {
                id: own,
                commitment,
                replaced: replaced.map(id),
            })
        };
        let enrolled = |name: &str, replaced: Option<&str>| {
            let NewCredential { id: own, commitment } = new(name);
            MemberEvent::TotpEnrolled(TotpEnrolled { id: own, commitment, replaced: replaced.map(id) })
        };
        assert_eq!(decide(enrol("a", "b")), Ok(vec![enrolled("a", None), issued("b", None)]));
        assert_eq!(decide(enrol("c", "d")), Ok(vec![enrolled("c", Some("a")), issued("d", Some("b"))]));
        let further = decide(MemberCommand::IssueRecoveryCodes(new("e")));
        assert_eq!(further, Ok(vec![issued("e", Some("d"))]));
        let removed = MemberEvent::TotpRemoved(TotpRemoved { id: id("c"), recovery_codes: Some(id("e")) });
        assert_eq!(decide(MemberCommand::RemoveTotp), Ok(vec![removed]));
        assert_eq!(decide(MemberCommand::RemoveTotp), Err(MemberError::NoTotp));
    }

    #[test]
    fn l1_recovery_codes_go_with_the_last_second_factor_of_either_kind() {
        let now = Timestamp::UNIX_EPOCH;
        let mut member = Member::Absent;
        let mut decide = |command| -> Result<Vec<MemberEvent>, MemberError> {
            let events = member.decide(command, now)?;
            events.iter().for_each(|event| member.apply(event, now));
            Ok(events)
        };
        let id = |name: &str| SecretId(name.into());
        let register = |passkey: &str, codes: Option<&str>| {
            let recovery_codes = codes.map(new);
            MemberCommand::RegisterPasskey(RegisterPasskey { passkey: new(passkey), recovery_codes })
        };
        let remove = |name: &str| MemberCommand::RemovePasskey { passkey_id: id(name) };
        let roles = vec![BuiltInRole::Auditor.into()];
        let create = CreateMember { roles, own_roles: OwnRoles::new(), token: None, password: None };
        decide(MemberCommand::CreateMember(create)).expect("a member");
        assert_eq!(decide(register("a", None)), Err(MemberError::NoPassword));
        decide(MemberCommand::SetPassword(new("p"))).expect("a password");
        assert_eq!(decide(remove("a")), Err(MemberError::NoSuchPasskey(id("a"))));
        let events = decide(register("a", Some("b"))).expect("a passkey");
        assert!(
            matches!(&events[..], [MemberEvent::PasskeyRegistered(_), MemberEvent::RecoveryCodesIssued(_)]),
            "{events:?}"
        );
        decide(MemberCommand::IssueRecoveryCodes(new("c"))).expect("other codes");
        decide(enrol("t", "d")).expect("a device");
        assert_eq!(decide(register("e", None)).expect("a passkey").len(), 1);
        let removed = |name: &str, codes: Option<&str>| {
            MemberEvent::PasskeyRemoved(PasskeyRemoved { id: id(name), recovery_codes: codes.map(id) })
        };
        assert_eq!(decide(remove("a")), Ok(vec![removed("a", None)]));
        let device = MemberEvent::TotpRemoved(TotpRemoved { id: id("t"), recovery_codes: None });
        assert_eq!(decide(MemberCommand::RemoveTotp), Ok(vec![device]));
        assert_eq!(decide(remove("e")), Ok(vec![removed("e", Some("d"))]));
        assert_eq!(decide(MemberCommand::IssueRecoveryCodes(new("f"))), Err(MemberError::NoTotp));
        for count in 0..20 {
            decide(register(&format!("k{count}"), None)).expect("a passkey");
        }
        assert_eq!(decide(register("k20", None)), Err(MemberError::TooManyPasskeys { most: 20 }));
    }
}
