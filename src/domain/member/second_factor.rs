//! The second factor: codes of a device that a member holds (RFC 6238), and recovery codes for when it is lost.
//!
//! The device's secret and the digests of the codes are kept in the vault; the log knows that there are some.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    EnrolTotp, MemberError, MemberEvent, Membership, NewCredential, RecoveryCodesIssued, TotpEnrolled,
    TotpRemoved,
};
use crate::SecretId;

/// A device, or a set of recovery codes, as far as anyone may know it.
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
        if self.totp.is_none() {
            return Err(MemberError::NoTotp);
        }
        Ok(vec![self.codes_issued(codes)])
    }

    pub(super) fn remove_totp(&self) -> Result<Vec<MemberEvent>, MemberError> {
        let totp = self.totp.as_ref().ok_or(MemberError::NoTotp)?;
        let recovery_codes = self.recovery_codes.as_ref().map(|codes| codes.id.clone());
        Ok(vec![MemberEvent::TotpRemoved(TotpRemoved { id: totp.id.clone(), recovery_codes })])
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
        member::{CreateMember, EnrolTotp, NewCredential, RecoveryCodesIssued, TotpEnrolled, TotpRemoved},
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
}
