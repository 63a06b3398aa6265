//! The passkeys of members: registering one, taking it away, and what is kept of it.
//!
//! A passkey is registered in two steps: a voucher stands for the challenge, which is a keyed digest of its id, and is spent
//! before the answer to it is recorded. What is kept of a passkey, its label among it, is sealed in the vault and goes with it;
//! the log knows that there is one. Who may do that is who may set the password.

use crypto::{CHALLENGE_BYTES, Passkey, PasskeyCreation, Personal, RelyingParty, SecretString};
use domain::{
    Member, MemberCommand, MemberError, MemberId, Permission, Rule, SecretId, Violation,
    member::{Membership, RegisterPasskey, SecondFactor},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{ActivityCommit, Voucher, VoucherChange};

use super::{Along, ChangedMember, IssuedRecoveryCodes, own_or};
use crate::{
    App, Inner,
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    sessions::{AuthenticationMethod, ProvedFactor},
};

/// The kind of voucher of a passkey that is being registered.
const REGISTRATION: &str = "passkey_registration";
/// How long that may take.
const REGISTRATION_TIME: SignedDuration = SignedDuration::from_mins(10);
/// What the vault calls what is kept of a passkey.
const PASSKEY: &str = "passkey";
const CHALLENGE_LABEL: &str = "passkey-challenge";
/// The longest label, in characters.
const MOST_LABEL_CHARS: usize = 64;

/// A passkey that is to be made.
#[derive(Debug)]
pub struct BegunPasskey {
    /// Named with the answer.
    pub registration_id: SecretId,
    /// What the authenticator signs.
    pub challenge: [u8; CHALLENGE_BYTES],
    /// What the member is known by to its authenticators.
    pub member_id: MemberId,
    /// The ids of the passkeys that it has: an authenticator makes one only.
    pub held: Vec<Vec<u8>>,
    /// It has to be answered before then.
    pub expires_at: Timestamp,
}

/// The answer of an authenticator that has made a passkey.
#[derive(Debug)]
pub struct RegisterPasskeyRequest {
    /// What [`App::begin_passkey`] answered.
    pub registration_id: String,
    /// Who asked.
    pub party: RelyingParty,
    /// What the member calls it.
    pub label: Personal<String>,
    /// What the authenticator answers.
    pub creation: PasskeyCreation,
}

/// What is kept of a passkey.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptPasskey {
    pub(crate) label: String,
    pub(crate) passkey: Passkey,
}

impl App {
    /// Makes a challenge for a further passkey of a member. Needs what [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn begin_passkey(
        &self,
        context: Context,
        member_id: MemberId,
        current_password: Option<SecretString>,
    ) -> Result<BegunPasskey, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            let work = inner.begin_passkey(&context, member_id, current_password.as_ref());
            let replayed = |_| async { Err(CommandError::IdempotencyMismatch) };
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Registers the passkey, and issues recovery codes if the member has none. Needs what [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn register_passkey(
        &self,
        context: Context,
        member_id: MemberId,
        request: RegisterPasskeyRequest,
    ) -> Result<IssuedRecoveryCodes, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            let work = inner.register_passkey(&context, member_id, &request);
            let replayed = |replay| inner.replayed_codes(replay);
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Takes a passkey away, and with the last second factor the recovery codes. Needs what [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn remove_passkey(
        &self,
        context: Context,
        member_id: MemberId,
        passkey_id: SecretId,
        current_password: Option<SecretString>,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let command = || MemberCommand::RemovePasskey { passkey_id: passkey_id.clone() };
            inner.take_away(&context, member_id, current_password.as_ref(), command).await
        })
        .await
    }
}

impl Inner {
    async fn begin_passkey(
        &self,
        context: &Context,
        member_id: MemberId,
        current_password: Option<&SecretString>,
    ) -> Result<BegunPasskey, CommandError> {
        let known = self.proved(context, member_id, current_password).await?;
        if known.password.is_none() {
            return Err(MemberError::NoPassword.into());
        }
        let registration_id = self.credential_id()?;
        let expires_at = self.log.now().saturating_add(REGISTRATION_TIME).unwrap_or(Timestamp::MAX);
        let data = member_id.to_string().into_bytes();
        let voucher = Voucher { kind: REGISTRATION, id: registration_id.to_string(), data, expires_at };
        let vouchers = vec![VoucherChange::Issue(voucher)];
        self.append_activity(ActivityCommit { vouchers, ..ActivityCommit::default() }).await?;
        let held = self.kept_passkeys(&known).await?;
        Ok(BegunPasskey {
            challenge: self.passkey_challenge(&registration_id.0),
            registration_id,
            member_id,
            held: held.into_iter().map(|(_, kept)| kept.passkey.credential_id().to_owned()).collect(),
            expires_at,
        })
    }

    async fn register_passkey(
        &self,
        context: &Context,
        member_id: MemberId,
        request: &RegisterPasskeyRequest,
    ) -> Result<IssuedRecoveryCodes, CommandError> {
        let known = self.ruled_membership(context, member_id).await?;
        let mut wrong = context.violations(false);
        let label = request.label.expose().trim();
        wrong.extend(wrong_label(label));
        let made = Passkey::created(
            &request.party,
            &self.passkey_challenge(&request.registration_id),
            &request.creation,
        );
        let invalid = |pointer: &str, rule, detail: String| Violation::new(pointer, rule, detail);
        let held = self.kept_passkeys(&known).await?;
        match &made {
            Err(error) => wrong.push(invalid("/credential", Rule::NotAuthentic, error.to_string())),
            Ok(made) if held.iter().any(|(_, kept)| kept.passkey.credential_id() == made.credential_id()) => {
                wrong.push(invalid("/credential", Rule::Duplicate, "is one that the member has".to_owned()));
            }
            Ok(_) => {}
        }
        let (true, Ok(passkey)) = (wrong.is_empty(), made) else {
            return Err(CommandError::Invalid(wrong));
        };
        // Before anything is made of the answer: it answers once.
        if !self.spend_registration(member_id, &request.registration_id).await? {
            let detail = "is none that was begun for this member within the last ten minutes";
            let wrong = Violation::new("/registration_id", Rule::Unknown, detail);
            return Err(CommandError::Invalid(vec![wrong]));
        }
        let kept = serde_json::to_string(&KeptPasskey { label: label.to_owned(), passkey })
            .map_err(|error| Fault::permanent("writing a passkey", error))?;
        let sealed = self.sealed(PASSKEY, &kept)?;
        let mut credentials = vec![sealed.credential];
        let (mut codes, mut recovery_codes) = (None, None);
        if known.recovery_codes.is_none() {
            let (issued, digests) = self.new_codes()?;
            credentials.push(digests.credential);
            (codes, recovery_codes) = (Some(issued), Some(digests.new));
        }
        let along = Along { credentials, ..Along::default() };
        let command = || {
            let (passkey, recovery_codes) = (sealed.new.clone(), recovery_codes.clone());
            MemberCommand::RegisterPasskey(RegisterPasskey { passkey, recovery_codes })
        };
        let member = self.execute_password(context, member_id, &known, along, command).await?;
        let proved = ProvedFactor { id: sealed.new.id.clone(), method: AuthenticationMethod::Passkey };
        let session = self.raised(context, member_id, proved).await;
        Ok(IssuedRecoveryCodes { member, codes, session })
    }

    /// Uses up what stands for a challenge, if it was made for this member.
    async fn spend_registration(&self, member_id: MemberId, id: &str) -> Result<bool, Fault> {
        let voucher = self.activity.voucher(REGISTRATION, id).await?;
        let is_of_member = voucher.is_some_and(|voucher| voucher.data == member_id.to_string().as_bytes());
        if !is_of_member {
            return Ok(false);
        }
        let vouchers = vec![VoucherChange::Spend { kind: REGISTRATION, id: id.to_owned() }];
        self.append_activity_once(ActivityCommit { vouchers, ..ActivityCommit::default() }).await
    }

    /// The passkeys of a member, as they are kept. One that is damaged is left out: its member signs in by the others.
    pub(crate) async fn kept_passkeys(
        &self,
        membership: &Membership,
    ) -> Result<Vec<(SecretId, KeptPasskey)>, Fault> {
        let mut kept = Vec::with_capacity(membership.passkeys.len());
        for SecondFactor { id, commitment, .. } in &membership.passkeys {
            let opened = self.vault.open_credential(self.log.as_ref(), &id.0, commitment).await;
            let read = opened.and_then(|opened| {
                serde_json::from_str(opened.expose())
                    .map_err(|error| Fault::permanent("reading a passkey", error))
            });
            match read {
                Ok(passkey) => kept.push((id.clone(), passkey)),
                Err(error) if error.permanent => tracing::error!(passkey = %id, %error, "reading a passkey"),
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// The challenge that something stands for which is used once; nobody else can know it.
    pub(crate) fn passkey_challenge(&self, of: &str) -> [u8; CHALLENGE_BYTES] {
        self.vault.ring.digests.digest(CHALLENGE_LABEL, &[of.as_bytes()])
    }
}

/// What is wrong with what a member calls a passkey.
fn wrong_label(label: &str) -> Option<Violation> {
    let at = |rule, detail: &str| Some(Violation::new("/label", rule, detail));
    if label.is_empty() {
        at(Rule::Required, "say what it is called, to tell it from others")
    } else if label.chars().count() > MOST_LABEL_CHARS {
        at(Rule::TooLong, "has more than 64 characters")
    } else if label.chars().any(char::is_control) {
        at(Rule::ControlCharacter, "must not contain control characters")
    } else {
        None
    }
}
