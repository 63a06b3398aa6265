//! The second step of a sign-in: a code of the member's device, a recovery code, or the answer of a passkey. Each is taken
//! once: what a passkey answers is bound to the first step, which is used up by it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{
    CHALLENGE_BYTES, ExposeSecret, Minted, PasskeyAssertion, PasskeyUse, Presented, RelyingParty,
    SecretString,
};
use domain::{
    MemberId, SecretId,
    member::{MemberStatus, Membership, SecondFactor},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{ActivityCommit, Outcome, Voucher, VoucherChange};

use super::{SignInError, SignInRefusal};
use crate::{
    App, Inner,
    activity::{Deed, SECOND_FACTOR},
    context::Source,
    error::{CommandError, Fault},
    look,
    members::{passkeys::KeptPasskey, second_factor::digits},
    sessions::{AuthenticationMethod, BeginSession, NewSession, ProvedFactor},
};

/// The kind of voucher of a sign-in that waits for its second step.
const PENDING: &str = "pending_sign_in";
/// How long it waits.
const PENDING_TIME: SignedDuration = SignedDuration::from_mins(5);
/// The kind of voucher of a step of time whose code was taken.
const STEP: &str = "totp_step";
/// Longer than any code of a step is right.
const STEP_TIME: SignedDuration = SignedDuration::from_mins(5);
/// The kind of voucher of a recovery code that was taken.
const RECOVERY_CODE: &str = "recovery_code";
/// The kind of voucher of how far a passkey has counted. It outlives the passkey: an id that the log names too, and a number.
const SIGN_COUNT: &str = "passkey_sign_count";
/// Longer than anybody keeps their codes and keys.
const FOR_GOOD: SignedDuration = SignedDuration::from_hours(24 * 366 * 100);
const DIGEST_LABEL: &str = "pending-sign-in";
/// Digits of a device's code.
const CODE_DIGITS: usize = 6;

/// A sign-in that waits for its second step.
#[derive(Debug)]
pub struct PendingSignIn {
    /// What is presented with the code; shown once.
    pub pending: SecretString,
    /// The member.
    pub member_id: MemberId,
    /// It waits until then.
    pub expires_at: Timestamp,
}

/// What somebody presents who takes the second step.
#[derive(Debug)]
pub struct SecondFactorAttempt {
    /// What the first step answered.
    pub pending: SecretString,
    /// What they prove it by.
    pub proof: SecondFactorProof,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where they ask from.
    pub source: Option<Source>,
}

/// What somebody proves by to have a second factor.
#[derive(Debug)]
pub enum SecondFactorProof {
    /// A code of the device, or a recovery code.
    Code(SecretString),
    /// The answer of a passkey to who asked for it.
    Passkey(RelyingParty, PasskeyAssertion),
}

/// By what the second step can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorChoice {
    /// Whether by a code of a device.
    pub totp: bool,
    /// The ids of the passkeys that may answer.
    pub passkeys: Vec<Vec<u8>>,
    /// What they answer.
    pub challenge: [u8; CHALLENGE_BYTES],
}

/// What a proof uses up, and what it is of.
struct Proved {
    taken: Option<VoucherChange>,
    factor: ProvedFactor,
}

/// A code, and what its form says that it is of.
struct PresentedCode<'m> {
    code: String,
    is_of_device: bool,
    /// The member's device, or its recovery codes, if it has that.
    factor: Option<&'m SecondFactor>,
}

impl<'m> PresentedCode<'m> {
    fn of(membership: &'m Membership, code: &SecretString) -> Self {
        let code = digits(code.expose_secret());
        let is_of_device = code.len() == CODE_DIGITS;
        let factor = if is_of_device { &membership.totp } else { &membership.recovery_codes };
        Self { code, is_of_device, factor: factor.as_ref() }
    }
}

/// What is kept of the first step.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    member: MemberId,
    digest: String,
    /// The password that it was taken with.
    password: SecretId,
}

impl App {
    /// By what the second step of a sign-in can be taken; `None` if the first has to be taken again.
    ///
    /// # Errors
    /// The fault that kept it from being found out.
    pub async fn second_factor_choice(
        &self,
        pending: &SecretString,
    ) -> Result<Option<SecondFactorChoice>, CommandError> {
        look::once(self.inner.second_factor_choice(pending)).await
    }

    /// Completes a sign-in.
    ///
    /// # Errors
    /// [`SignInError`]; [`SignInError::Over`] if the first step has to be taken again.
    pub async fn second_factor(&self, attempt: SecondFactorAttempt) -> Result<NewSession, SignInError> {
        self.run(move |inner| async move { Ok(inner.second_factor(&attempt).await) }).await?
    }
}

impl Inner {
    /// Lets a sign-in whose first step is taken wait for the second.
    pub(crate) async fn pend(
        &self,
        deed: Deed,
        member: MemberId,
        password: SecretId,
    ) -> Result<PendingSignIn, SignInError> {
        let Minted { id, secret, .. } = self.mint_session().map_err(Fault::from)?;
        let kept = Kept { member, digest: self.pending_digest(secret.expose_secret()), password };
        let expires_at = self.log.now().saturating_add(PENDING_TIME).unwrap_or(Timestamp::MAX);
        let data = serde_json::to_vec(&kept).map_err(|error| Fault::permanent("writing a sign-in", error))?;
        let voucher = Voucher { kind: PENDING, id: id.into(), data, expires_at };
        let record = self.listed(deed, Outcome::Done, None).await?;
        let vouchers = vec![VoucherChange::Issue(voucher)];
        let commit = ActivityCommit { records: vec![record], vouchers, ..ActivityCommit::default() };
        self.append_activity(commit).await?;
        Ok(PendingSignIn { pending: secret, member_id: member, expires_at })
    }

    async fn second_factor(&self, attempt: &SecondFactorAttempt) -> Result<NewSession, SignInError> {
        let deed = Deed {
            kind: SECOND_FACTOR,
            request_id: attempt.request_id.clone(),
            source: attempt.source.clone(),
            ..Deed::default()
        };
        let Some((id, kept, membership)) = self.pending(&attempt.pending).await? else {
            self.record_refused(deed, SignInRefusal::Over.as_str()).await?;
            return Err(SignInError::Over);
        };
        let counted_by = self.counted_by(&kept.member.to_string(), attempt.source.as_ref());
        let (deed, proved) = match &attempt.proof {
            SecondFactorProof::Code(code) => {
                let code = PresentedCode::of(&membership, code);
                let credential = code.factor.map(|factor| factor.id.to_string());
                let deed = Deed { credential, ..deed };
                let proved = self.try_once(&counted_by, &deed, self.judge_code(&code)).await?;
                (deed, proved)
            }
            SecondFactorProof::Passkey(party, assertion) => {
                let passkey = self.presented_passkey(&membership, assertion).await?;
                let credential = passkey.as_ref().map(|(id, _)| id.to_string());
                let deed = Deed { credential, ..deed };
                let challenge = self.passkey_challenge(attempt.pending.expose_secret());
                let check = self.judge_passkey(passkey.as_ref(), party, &challenge, assertion);
                let proved = self.try_once(&counted_by, &deed, check).await?;
                (deed, proved)
            }
        };
        let spent = VoucherChange::Spend { kind: PENDING, id: id.0 };
        let begin = BeginSession {
            member: kept.member,
            password: kept.password,
            factors: vec![proved.factor],
            authenticated_at: self.log.now(),
            along: std::iter::once(spent).chain(proved.taken).collect(),
        };
        match self.begin_session(deed.clone(), begin).await? {
            Some(session) => Ok(session),
            // The same code, the same count or the same first step, at the same moment.
            None => {
                let counts = counted_by.failure(self.log.now());
                self.record_refused_with(
                    deed,
                    SignInRefusal::CodeUsed.as_str(),
                    ActivityCommit { counts, ..ActivityCommit::default() },
                )
                .await?;
                Err(SignInError::Refused)
            }
        }
    }

    /// The first step that somebody presents, if it still counts, and the member.
    async fn pending(&self, text: &SecretString) -> Result<Option<(SecretId, Kept, Membership)>, Fault> {
        let Ok(presented) = Presented::parse(text.expose_secret()) else { return Ok(None) };
        if !self.is_tagged_session(&presented) {
            return Ok(None);
        }
        let id = SecretId(presented.id().as_str().to_owned());
        let voucher = self.activity.voucher(PENDING, &id.0).await?;
        let Some(voucher) = voucher.filter(|voucher| voucher.is_live(self.log.now())) else {
            return Ok(None);
        };
        let kept: Kept = serde_json::from_slice(&voucher.data)
            .map_err(|error| Fault::permanent("reading a sign-in", error))?;
        if kept.digest != self.pending_digest(presented.expose_secret()) {
            return Ok(None);
        }
        let loaded = self.members.current(&kept.member.to_string()).await?;
        let membership = loaded.aggregate.membership().filter(|membership| {
            membership.status == MemberStatus::Active
                && membership.password.as_ref().is_some_and(|password| password.id == kept.password)
        });
        Ok(membership.cloned().map(|membership| (id, kept, membership)))
    }

    async fn second_factor_choice(
        &self,
        pending: &SecretString,
    ) -> Result<Option<SecondFactorChoice>, CommandError> {
        let Some((_, _, membership)) = self.pending(pending).await? else { return Ok(None) };
        let kept = self.kept_passkeys(&membership).await?;
        Ok(Some(SecondFactorChoice {
            totp: membership.totp.is_some(),
            passkeys: kept.iter().map(|(_, kept)| kept.passkey.credential_id().to_owned()).collect(),
            challenge: self.passkey_challenge(pending.expose_secret()),
        }))
    }

    /// The passkey of the member that an answer says to be of.
    async fn presented_passkey(
        &self,
        membership: &Membership,
        assertion: &PasskeyAssertion,
    ) -> Result<Option<(SecretId, KeptPasskey)>, Fault> {
        let kept = self.kept_passkeys(membership).await?;
        Ok(kept.into_iter().find(|(_, kept)| kept.passkey.credential_id() == assertion.credential_id))
    }

    /// How far a passkey has counted, if it counts and its answer is right. One that has not counted on is known to be two:
    /// whoever copied it may be the one who asks (Web Authentication section 6.1.1).
    async fn judge_passkey(
        &self,
        passkey: Option<&(SecretId, KeptPasskey)>,
        party: &RelyingParty,
        challenge: &[u8; CHALLENGE_BYTES],
        assertion: &PasskeyAssertion,
    ) -> Result<Result<Proved, SignInRefusal>, CommandError> {
        let Some((id, kept)) = passkey else { return Ok(Err(SignInRefusal::WrongPasskey)) };
        let PasskeyUse { sign_count, .. } = match kept.passkey.used(party, challenge, assertion) {
            Ok(shown) => shown,
            Err(error) => {
                tracing::info!(passkey = %id, %error, "refusing a passkey");
                return Ok(Err(SignInRefusal::WrongPasskey));
            }
        };
        let known = self.activity.voucher(SIGN_COUNT, &id.0).await.map_err(Fault::from)?;
        let seen = known.map(|known| known.data);
        let before = match seen.as_deref() {
            Some(data) => {
                let count = <[u8; 4]>::try_from(data).map(u32::from_be_bytes);
                count.map_err(|error| Fault::permanent("reading how far a passkey has counted", error))?
            }
            None => kept.passkey.sign_count(),
        };
        let factor = ProvedFactor { id: id.clone(), method: AuthenticationMethod::Passkey };
        if sign_count == 0 && before == 0 {
            return Ok(Ok(Proved { taken: None, factor }));
        }
        if sign_count <= before {
            return Ok(Err(SignInRefusal::PasskeyCloned));
        }
        let data = sign_count.to_be_bytes().to_vec();
        let counted = match seen {
            Some(seen) => VoucherChange::Replace { kind: SIGN_COUNT, id: id.to_string(), seen, data },
            None => {
                let voucher = voucher(SIGN_COUNT, id.to_string(), self.log.now(), FOR_GOOD);
                VoucherChange::Issue(Voucher { data, ..voucher })
            }
        };
        Ok(Ok(Proved { taken: Some(counted), factor }))
    }

    /// What taking a code uses up, if it is one of the member's and was not taken before.
    async fn judge_code(
        &self,
        code: &PresentedCode<'_>,
    ) -> Result<Result<Proved, SignInRefusal>, CommandError> {
        let PresentedCode { code, is_of_device, factor } = code;
        let Some(factor) = *factor else { return Ok(Err(SignInRefusal::WrongCode)) };
        let now = self.log.now();
        let taken = if *is_of_device {
            let step = self.step_of_code(factor, code).await?;
            step.map(|step| step_voucher(&factor.id, step, now))
        } else {
            let place = self.place_of_code(factor, code).await?;
            place.map(|place| voucher(RECOVERY_CODE, format!("{}/{place}", factor.id), now, FOR_GOOD))
        };
        let Some(taken) = taken else { return Ok(Err(SignInRefusal::WrongCode)) };
        if self.activity.voucher(taken.kind, &taken.id).await.map_err(Fault::from)?.is_some() {
            return Ok(Err(SignInRefusal::CodeUsed));
        }
        let factor = ProvedFactor { id: factor.id.clone(), method: AuthenticationMethod::OneTimePassword };
        Ok(Ok(Proved { taken: Some(VoucherChange::Issue(taken)), factor }))
    }

    /// The mark of a step of time whose code was taken.
    pub(crate) fn step_taken(&self, totp: &SecretId, step: u64) -> VoucherChange {
        VoucherChange::Issue(step_voucher(totp, step, self.log.now()))
    }

    fn pending_digest(&self, secret: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.vault.ring.digests.digest(DIGEST_LABEL, &[secret.as_bytes()]))
    }
}

fn step_voucher(totp: &SecretId, step: u64, now: Timestamp) -> Voucher {
    voucher(STEP, format!("{totp}/{step}"), now, STEP_TIME)
}

fn voucher(kind: &'static str, id: String, now: Timestamp, lives: SignedDuration) -> Voucher {
    let expires_at = now.saturating_add(lives).unwrap_or(Timestamp::MAX);
    Voucher { kind, id, data: Vec::new(), expires_at }
}
