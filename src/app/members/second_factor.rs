//! The second factor of members: enrolling a device, taking it away, recovery codes.
//!
//! A device is enrolled in two steps: its secret is shown, and lies sealed in a voucher until a code proves that the device has
//! it. Only then is it in the vault, and the log says so. Who may do that is who may set the password.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{ExposeSecret, Personal, SecretString};
use domain::{
    Event, Member, MemberCommand, MemberError, MemberEvent, MemberId, Permission, Rule, SecretId, Violation,
    member::{EnrolTotp, NewCredential, SecondFactor},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{ActivityCommit, Voucher, VoucherChange};

use super::{Along, ChangedMember, details::text, own_or};
use crate::{
    App, Inner,
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    idempotency::Replay,
    look,
    sessions::{AuthenticationMethod, NewSession, ProvedFactor, Session},
};

/// The kind of voucher of a device that is not proved yet.
const ENROLMENT: &str = "totp_enrolment";
/// How long it may take to prove it.
const ENROLMENT_TIME: SignedDuration = SignedDuration::from_mins(10);
/// What the vault calls a device's secret.
const TOTP: &str = "totp_secret";
/// What the vault calls the digests of recovery codes.
const RECOVERY_CODES: &str = "recovery_codes";
const DIGEST_LABEL: &str = "recovery-code";
/// How many recovery codes there are at a time.
const CODES: usize = 10;
/// Bytes of a recovery code: enough that no dictionary finds one, few enough to be typed.
const CODE_BYTES: usize = 10;

/// A device that is to be proved.
#[derive(Debug)]
pub struct BegunEnrolment {
    /// Named with the code.
    pub enrolment_id: SecretId,
    /// What the device has to have, in base32; shown once.
    pub secret: SecretString,
    /// The same for a picture.
    pub uri: SecretString,
    /// It has to be proved before then.
    pub expires_at: Timestamp,
}

/// A code for a device that is being enrolled.
#[derive(Debug)]
pub struct ConfirmTotpRequest {
    /// What [`App::begin_totp`] answered.
    pub enrolment_id: String,
    /// What the device shows.
    pub code: String,
}

/// A member with new recovery codes.
#[derive(Debug)]
pub struct IssuedRecoveryCodes {
    /// The member.
    pub member: ChangedMember,
    /// The codes, shown once; `None` for a replay.
    pub codes: Option<Vec<SecretString>>,
    /// The session in place of the one by which a member has enrolled a second factor of its own: it has proved to have that.
    pub session: Option<NewSession>,
}

/// What a member signs in with beside its password, as it sees it itself.
#[derive(Clone, Debug)]
pub struct SecondFactors {
    /// Its device.
    pub totp: Option<HeldFactor>,
    /// Its recovery codes.
    pub recovery_codes: Option<HeldFactor>,
    /// Its passkeys, oldest first.
    pub passkeys: Vec<HeldPasskey>,
}

/// One of its passkeys.
#[derive(Clone, Debug)]
pub struct HeldPasskey {
    /// Its id.
    pub id: SecretId,
    /// What the member calls it; `None` if what the vault has of it is damaged: it signs in nobody, and can be removed.
    pub label: Option<Personal<String>>,
    /// Since when.
    pub held: HeldFactor,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct HeldFactor {
    /// Since when.
    pub since: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

impl SecondFactors {
    /// Whether the member is asked for more than its password.
    #[must_use]
    pub fn any(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }
}

#[derive(Serialize, Deserialize)]
struct Enrolment {
    member: MemberId,
    /// The secret, sealed as it will be in the vault.
    sealed: String,
    commitment: String,
}

impl App {
    /// Makes a secret for a device of a member, which counts once a code has proved that the device has it. Needs what
    /// [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn begin_totp(
        &self,
        context: Context,
        member_id: MemberId,
        current_password: Option<SecretString>,
    ) -> Result<BegunEnrolment, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            let work = inner.begin_totp(&context, member_id, current_password.as_ref());
            let replayed = |_| async { Err(CommandError::IdempotencyMismatch) };
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Enrols the device, in place of the one there was, and issues recovery codes. Needs what [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn confirm_totp(
        &self,
        context: Context,
        member_id: MemberId,
        request: ConfirmTotpRequest,
    ) -> Result<IssuedRecoveryCodes, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            let work = inner.confirm_totp(&context, member_id, &request);
            let replayed = |replay| inner.replayed_codes(replay);
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Issues recovery codes in place of those there were. Needs what [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn issue_recovery_codes(
        &self,
        context: Context,
        member_id: MemberId,
        current_password: Option<SecretString>,
    ) -> Result<IssuedRecoveryCodes, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            let work = async {
                let known = inner.proved(&context, member_id, current_password.as_ref()).await?;
                let (codes, sealed) = inner.new_codes()?;
                let along = Along { credentials: vec![sealed.credential], ..Along::default() };
                let command = || MemberCommand::IssueRecoveryCodes(sealed.new.clone());
                let member = inner.execute_password(&context, member_id, &known, along, command).await?;
                Ok(IssuedRecoveryCodes { member, codes: Some(codes), session: None })
            };
            let replayed = |replay| inner.replayed_codes(replay);
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Takes the device and the recovery codes away. Needs what [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn remove_totp(
        &self,
        context: Context,
        member_id: MemberId,
        current_password: Option<SecretString>,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let command = || MemberCommand::RemoveTotp;
            inner.take_away(&context, member_id, current_password.as_ref(), command).await
        })
        .await
    }

    /// What the member of a session signs in with beside its password.
    ///
    /// # Errors
    /// The fault that kept it from being found out.
    pub async fn second_factors(&self, session: &Session) -> Result<SecondFactors, CommandError> {
        look::once(self.inner.second_factors(session.member_id)).await
    }

    /// The device that a member is enrolling with a session, to show it once more: a code may have been mistyped. `None` if it
    /// is not begun, or took too long.
    ///
    /// # Errors
    /// The fault that kept it from being found out.
    pub async fn totp_enrolment(
        &self,
        session: &Session,
        enrolment_id: &str,
    ) -> Result<Option<BegunEnrolment>, CommandError> {
        look::once(self.inner.totp_enrolment(session.member_id, enrolment_id)).await
    }
}

/// Something for the vault, and what the command says of it.
pub(super) struct Sealed {
    pub(super) new: NewCredential,
    pub(super) credential: store::Credential,
}

/// A device that is to be proved, as it is kept until then.
struct Begun {
    totp: Sealed,
    secret: SecretString,
    expires_at: Timestamp,
}

impl Inner {
    async fn begin_totp(
        &self,
        context: &Context,
        member_id: MemberId,
        current_password: Option<&SecretString>,
    ) -> Result<BegunEnrolment, CommandError> {
        let known = self.proved(context, member_id, current_password).await?;
        if known.password.is_none() {
            return Err(MemberError::NoPassword.into());
        }
        let secret = crypto::mint_totp(self.entropy.as_ref())?;
        let uri = self.totp_uri(member_id, &secret).await?;
        let enrolment_id = self.credential_id()?;
        let sealed = self.vault.seal_credential(&enrolment_id.0, TOTP, secret.expose_secret())?;
        let enrolment = Enrolment {
            member: member_id,
            sealed: URL_SAFE_NO_PAD.encode(sealed.row.sealed),
            commitment: sealed.commitment,
        };
        let expires_at = self.log.now().saturating_add(ENROLMENT_TIME).unwrap_or(Timestamp::MAX);
        let voucher = Voucher {
            kind: ENROLMENT,
            id: enrolment_id.to_string(),
            data: serde_json::to_vec(&enrolment)
                .map_err(|error| Fault::permanent("writing an enrolment", error))?,
            expires_at,
        };
        let vouchers = vec![VoucherChange::Issue(voucher)];
        self.append_activity(ActivityCommit { vouchers, ..ActivityCommit::default() }).await?;
        Ok(BegunEnrolment { enrolment_id, secret, uri, expires_at })
    }

    async fn second_factors(&self, member_id: MemberId) -> Result<SecondFactors, CommandError> {
        let loaded = self.members.current(&member_id.to_string()).await?;
        let membership = loaded.aggregate.membership().ok_or(CommandError::NotFound("member"))?;
        let factors = [&membership.totp, &membership.recovery_codes].into_iter().flatten();
        let ids: Vec<_> = factors.chain(&membership.passkeys).map(|factor| factor.id.to_string()).collect();
        let used = self.activity.last_used(&ids).await.map_err(Fault::from)?;
        let held = |factor: &SecondFactor| HeldFactor {
            since: factor.since,
            last_used_at: used.get(&factor.id.0).copied(),
        };
        let mut kept: BTreeMap<_, _> = self.kept_passkeys(membership).await?.into_iter().collect();
        let mut passkey = |factor: &SecondFactor| HeldPasskey {
            id: factor.id.clone(),
            label: kept.remove(&factor.id).map(|kept| Personal::new(kept.label)),
            held: held(factor),
        };
        Ok(SecondFactors {
            passkeys: membership.passkeys.iter().map(&mut passkey).collect(),
            totp: membership.totp.as_ref().map(held),
            recovery_codes: membership.recovery_codes.as_ref().map(held),
        })
    }

    async fn totp_uri(
        &self,
        member_id: MemberId,
        secret: &SecretString,
    ) -> Result<SecretString, CommandError> {
        let held = self.identity(member_id).await?;
        let account = text(held.as_ref(), "email").map_or_else(|| member_id.to_string(), str::to_owned);
        Ok(crypto::totp_uri(secret, &account).map_err(unusable)?)
    }

    async fn totp_enrolment(
        &self,
        member_id: MemberId,
        id: &str,
    ) -> Result<Option<BegunEnrolment>, CommandError> {
        let Some(Begun { totp, secret, expires_at }) = self.enrolment_of(member_id, id).await? else {
            return Ok(None);
        };
        let uri = self.totp_uri(member_id, &secret).await?;
        Ok(Some(BegunEnrolment { enrolment_id: totp.new.id, secret, uri, expires_at }))
    }

    async fn confirm_totp(
        &self,
        context: &Context,
        member_id: MemberId,
        request: &ConfirmTotpRequest,
    ) -> Result<IssuedRecoveryCodes, CommandError> {
        let known = self.ruled_membership(context, member_id).await?;
        let wrong = context.violations(false);
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let Some(Begun { totp, secret, .. }) = self.enrolment_of(member_id, &request.enrolment_id).await?
        else {
            return Err(CommandError::Invalid(vec![no_such_enrolment()]));
        };
        let step = crypto::totp_step(&secret, &digits(&request.code), self.seconds()).map_err(unusable)?;
        let Some(step) = step else {
            let detail = "is not what the device shows now: look at its clock";
            return Err(CommandError::Invalid(vec![Violation::new("/code", Rule::WrongSecret, detail)]));
        };
        // Before anything is made of the code: a form that is sent twice must not take away the codes that the first was answered.
        let spent = VoucherChange::Spend { kind: ENROLMENT, id: request.enrolment_id.clone() };
        let vouchers = vec![spent, self.step_taken(&totp.new.id, step)];
        if !self.append_activity_once(ActivityCommit { vouchers, ..ActivityCommit::default() }).await? {
            return Err(CommandError::Invalid(vec![no_such_enrolment()]));
        }
        let (codes, recovery_codes) = self.new_codes()?;
        let along =
            Along { credentials: vec![totp.credential, recovery_codes.credential], ..Along::default() };
        let command = || {
            MemberCommand::EnrolTotp(EnrolTotp {
                totp: totp.new.clone(),
                recovery_codes: recovery_codes.new.clone(),
            })
        };
        let member = self.execute_password(context, member_id, &known, along, command).await?;
        let proved = ProvedFactor { id: totp.new.id, method: AuthenticationMethod::OneTimePassword };
        let session = self.raised(context, member_id, proved).await;
        Ok(IssuedRecoveryCodes { member, codes: Some(codes), session })
    }

    /// The device that was begun for this member under an id.
    async fn enrolment_of(&self, member_id: MemberId, id: &str) -> Result<Option<Begun>, Fault> {
        let voucher = self.activity.voucher(ENROLMENT, id).await?;
        let Some(voucher) = voucher.filter(|voucher| voucher.is_live(self.log.now())) else {
            return Ok(None);
        };
        let enrolment: Enrolment = serde_json::from_slice(&voucher.data)
            .map_err(|error| Fault::permanent("reading an enrolment", error))?;
        let Enrolment { member, sealed, commitment } = enrolment;
        if member != member_id {
            return Ok(None);
        }
        let sealed = URL_SAFE_NO_PAD
            .decode(&sealed)
            .map_err(|error| Fault::permanent("reading an enrolment", error))?;
        let opened = self.vault.open_sealed(id, &sealed, &commitment)?;
        let new = NewCredential { id: SecretId(id.to_owned()), commitment };
        let credential = store::Credential { id: id.to_owned(), sealed };
        let secret = SecretString::from(opened.expose().as_str());
        Ok(Some(Begun { totp: Sealed { new, credential }, secret, expires_at: voucher.expires_at }))
    }

    /// New recovery codes, and what is kept of them: ten random bytes each, which no dictionary finds in a keyed digest.
    pub(super) fn new_codes(&self) -> Result<(Vec<SecretString>, Sealed), Fault> {
        let mut codes = Vec::with_capacity(CODES);
        let mut digests = Vec::with_capacity(CODES);
        for _ in 0..CODES {
            let bytes: [u8; CODE_BYTES] = self.entropy.array()?;
            let code: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            digests.push(self.code_digest(&code));
            codes.push(SecretString::from(code));
        }
        let kept = serde_json::to_string(&digests)
            .map_err(|error| Fault::permanent("writing recovery codes", error))?;
        Ok((codes, self.sealed(RECOVERY_CODES, &kept)?))
    }

    /// Which of a member's recovery codes this is.
    pub(crate) async fn place_of_code(
        &self,
        codes: &SecondFactor,
        code: &str,
    ) -> Result<Option<usize>, Fault> {
        let (id, commitment) = (&codes.id.0, &codes.commitment);
        let kept = self.vault.open_credential(self.log.as_ref(), id, commitment).await?;
        let digests: Vec<String> = serde_json::from_str(kept.expose())
            .map_err(|error| Fault::permanent("reading recovery codes", error))?;
        let digest = self.code_digest(code);
        Ok(digests.iter().position(|known| *known == digest))
    }

    /// The step of time that a code of a member's device is of, if it is one of now.
    pub(crate) async fn step_of_code(&self, totp: &SecondFactor, code: &str) -> Result<Option<u64>, Fault> {
        let kept = self.vault.open_credential(self.log.as_ref(), &totp.id.0, &totp.commitment).await?;
        let secret = SecretString::from(kept.expose().as_str());
        crypto::totp_step(&secret, code, self.seconds()).map_err(unusable)
    }

    fn code_digest(&self, code: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.vault.ring.digests.digest(DIGEST_LABEL, &[code.as_bytes()]))
    }

    pub(super) fn sealed(&self, name: &str, value: &str) -> Result<Sealed, Fault> {
        let id = self.credential_id()?;
        let sealed = self.vault.seal_credential(&id.0, name, value)?;
        Ok(Sealed { new: NewCredential { id, commitment: sealed.commitment }, credential: sealed.row })
    }

    fn seconds(&self) -> u64 {
        u64::try_from(self.log.now().as_second()).unwrap_or_default()
    }

    pub(super) async fn replayed_codes(&self, replay: Replay) -> Result<IssuedRecoveryCodes, CommandError> {
        let event = replay.event()?;
        let is_one = matches!(
            event,
            Event::Member(
                MemberEvent::TotpEnrolled(_)
                    | MemberEvent::PasskeyRegistered(_)
                    | MemberEvent::RecoveryCodesIssued(_)
            )
        );
        if !is_one {
            return Err(CommandError::IdempotencyMismatch);
        }
        Ok(IssuedRecoveryCodes { member: self.replayed_member(&replay).await?, codes: None, session: None })
    }
}

/// A code without what people put between its characters.
pub(crate) fn digits(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn no_such_enrolment() -> Violation {
    let detail = "is none that was begun for this member within the last ten minutes and waits for its code";
    Violation::new("/enrolment_id", Rule::Unknown, detail)
}

fn unusable(error: crypto::UnusableTotp) -> Fault {
    Fault::permanent("reading a device's secret", error)
}
