//! Signing in: how a member proves as a person who it is.
//!
//! An address that is nobody's and a password that is wrong are one answer, after the same work; the order is: how many have
//! failed, whose address, Argon2id, state of the member. Whatever the answer, the activity log has it before anyone hears it, in
//! the same commit as the count of the failure or the session.

mod second_factor;
pub(crate) mod throttle;

use crypto::{Personal, SecretString};
use domain::{
    MemberId,
    member::{MemberStatus, Password},
};

pub use self::second_factor::{PendingSignIn, SecondFactorAttempt, SecondFactorChoice, SecondFactorProof};
use self::throttle::{CountedBy, TooMany};
use store::ActivityCommit;

use crate::{
    App, Inner,
    activity::{Deed, SIGN_IN},
    context::Source,
    error::{CommandError, Fault},
    sessions::{BeginSession, NewSession},
};

/// What the password of nobody is compared with: as dear as any other.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cyBwYXNzd29yZA$UTyRtF5vWiqhyO+vBNFSMXlOjDxU0g2cqlnS3XvDpO8";

/// What somebody presents who signs in.
#[derive(Debug)]
pub struct SignInAttempt {
    /// The address that they claim.
    pub email: Personal<String>,
    /// Their password.
    pub password: SecretString,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where they ask from.
    pub source: Option<Source>,
}

/// What has become of an attempt that was right.
#[derive(Debug)]
pub enum SignedIn {
    /// The member has signed in.
    Complete(NewSession),
    /// The member has a second factor, which is asked for next.
    SecondFactor(PendingSignIn),
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// There is no such member, or the password is wrong, or the member cannot sign in: one answer.
    #[error("the address or the password is wrong")]
    Refused,
    /// The sign-in has to begin again: it took too long, or something has happened to the member.
    #[error("the sign-in has to begin again")]
    Over,
    /// Too many have failed from there.
    #[error("too many attempts: try again after {retry_after_seconds} seconds")]
    Throttled {
        /// When it may be tried again.
        retry_after_seconds: u64,
    },
    /// The service could not find out, or could not record it.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl From<Fault> for SignInError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

/// Why an attempt to sign in is refused, for the activity log alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignInRefusal {
    /// Nobody has the address.
    UnknownMember,
    /// The member has no password.
    NoPassword,
    WrongPassword,
    /// The member is deactivated.
    MemberInactive,
    /// Neither a code that the device shows now, nor a recovery code.
    WrongCode,
    /// A code that was taken before.
    CodeUsed,
    /// The answer of no passkey of the member, or to something else.
    WrongPasskey,
    /// A passkey that has not counted on since it was used last: there are two of it.
    PasskeyCloned,
    /// The first step does not count any more.
    Over,
    /// Too many have failed before.
    Throttled,
}

impl SignInRefusal {
    pub(crate) const ALL: [Self; 10] = [
        Self::UnknownMember,
        Self::NoPassword,
        Self::WrongPassword,
        Self::MemberInactive,
        Self::WrongCode,
        Self::CodeUsed,
        Self::WrongPasskey,
        Self::PasskeyCloned,
        Self::Over,
        Self::Throttled,
    ];

    /// The name in the activity log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::UnknownMember => "unknown_member",
            Self::NoPassword => "no_password",
            Self::WrongPassword => "wrong_password",
            Self::MemberInactive => "member_inactive",
            Self::WrongCode => "wrong_code",
            Self::CodeUsed => "code_used",
            Self::WrongPasskey => "wrong_passkey",
            Self::PasskeyCloned => "passkey_cloned",
            Self::Over => "over",
            Self::Throttled => "throttled",
        }
    }
}

/// Whom an address leads to.
struct Found {
    member_id: MemberId,
    status: MemberStatus,
    password: Option<Password>,
    has_second_factor: bool,
}

impl App {
    /// Signs a member in by e-mail and password, or asks for its second factor.
    ///
    /// # Errors
    /// [`SignInError`]; a failure means that nobody knows whether they are right, or that it could not be recorded.
    pub async fn sign_in(&self, attempt: SignInAttempt) -> Result<SignedIn, SignInError> {
        // To its end, also if whoever guesses hangs up before the answer.
        self.run(move |inner| async move { Ok(inner.sign_in(&attempt).await) }).await?
    }
}

impl Inner {
    async fn sign_in(&self, attempt: &SignInAttempt) -> Result<SignedIn, SignInError> {
        let found = self.found(&attempt.email).await?;
        let password = found.as_ref().and_then(|found| found.password.clone());
        let deed = Deed {
            kind: SIGN_IN,
            credential: password.as_ref().map(|password| password.id.to_string()),
            request_id: attempt.request_id.clone(),
            source: attempt.source.clone(),
            ..Deed::default()
        };
        let claimed = self.member_email(attempt.email.expose()).key;
        let counted_by = self.counted_by(&claimed, attempt.source.as_ref());
        let check = self.judge_password(found.as_ref(), &attempt.password);
        self.try_once(&counted_by, &deed, check).await?;
        let (Some(Found { member_id, has_second_factor, .. }), Some(password)) = (found, password) else {
            return Err(SignInError::Refused);
        };
        if has_second_factor {
            return Ok(SignedIn::SecondFactor(self.pend(deed, member_id, password.id).await?));
        }
        let begin = BeginSession {
            member: member_id,
            password: password.id,
            factors: Vec::new(),
            authenticated_at: self.log.now(),
            along: Vec::new(),
        };
        let session = self.begin_session(deed, begin).await?;
        session.map(SignedIn::Complete).ok_or(SignInError::Over)
    }

    async fn found(&self, email: &Personal<String>) -> Result<Option<Found>, Fault> {
        let Some(member_id) = self.member_of_email(email).await? else { return Ok(None) };
        let loaded = self.members.current(&member_id.to_string()).await?;
        Ok(loaded.aggregate.membership().map(|membership| Found {
            member_id,
            status: membership.status,
            password: membership.password.clone(),
            has_second_factor: membership.has_second_factor(),
        }))
    }

    /// Whether the password is right and of use; takes Argon2 once, whatever the answer.
    async fn judge_password(
        &self,
        found: Option<&Found>,
        presented: &SecretString,
    ) -> Result<Result<(), SignInRefusal>, CommandError> {
        let held = found.and_then(|found| found.password.as_ref());
        let is_right = match held {
            Some(password) => self.is_password(password, presented).await?,
            None => {
                if let Ok(presented) = crypto::normalized_password(presented) {
                    self.argon2.verify(presented, NOBODYS.to_owned()).await?;
                }
                false
            }
        };
        Ok(match found.map(|found| found.status) {
            None => Err(SignInRefusal::UnknownMember),
            Some(_) if held.is_none() => Err(SignInRefusal::NoPassword),
            Some(_) if !is_right => Err(SignInRefusal::WrongPassword),
            Some(MemberStatus::Inactive) => Err(SignInRefusal::MemberInactive),
            Some(MemberStatus::Active) => Ok(()),
        })
    }

    /// Lets somebody try to prove who they are, if not too many have failed; a refusal is recorded and counted.
    pub(crate) async fn try_once<T>(
        &self,
        counted_by: &CountedBy,
        deed: &Deed,
        check: impl Future<Output = Result<Result<T, SignInRefusal>, CommandError>>,
    ) -> Result<T, SignInError> {
        let _until_the_end = match self.admitted(counted_by).await? {
            Ok(admitted) => admitted,
            Err(TooMany { retry_after_seconds }) => {
                self.record_refused(deed.clone(), SignInRefusal::Throttled.as_str()).await?;
                return Err(SignInError::Throttled { retry_after_seconds });
            }
        };
        match check.await? {
            Ok(proved) => Ok(proved),
            Err(refusal) => {
                let counts = counted_by.failure(self.log.now());
                self.record_refused_with(
                    deed.clone(),
                    refusal.as_str(),
                    ActivityCommit { counts, ..ActivityCommit::default() },
                )
                .await?;
                Err(SignInError::Refused)
            }
        }
    }
}
