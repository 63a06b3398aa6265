//! Passwords of members: setting and removing.
//!
//! Who signs in with one can do all that the member's roles allow: so whoever sets one must hold all of that, and a token
//! that is limited sets none, not even its own member's.

use crypto::{ExposeSecret, Personal, SecretString};
use domain::{
    Event, Member, MemberCommand, MemberEvent, MemberId, Permission, Rule, Violation,
    member::{Membership, NewCredential, Password},
};
use serde_json::Value;

use super::{
    Along, ChangedMember, SetPasswordRequest,
    details::{MEMBER, SAID_BY, text},
    own_or,
};
use crate::{
    App, Inner,
    activity::{Deed, SIGN_IN},
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    idempotency::Replay,
    members::own_among,
    sign_in::{SignInError, SignInRefusal},
};

/// What the vault calls the Argon2id verifier of a password.
const VERIFIER: &str = "password_verifier";
const PASSWORD: &str = "/password";
const CURRENT: &str = "/current_password";

/// A password that may be set, and what of it goes along with the command.
pub(crate) struct SealedPassword {
    pub(crate) password: NewCredential,
    pub(crate) credential: store::Credential,
}

impl App {
    /// Gives a member a password, in place of the one that it has. Needs everything that the member's roles give, and to be
    /// that member or to hold `members:write`. A member who has a password and sets its own must know it.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn set_password(
        &self,
        context: Context,
        member_id: MemberId,
        request: SetPasswordRequest,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            let work = inner.set_password(&context, member_id, &request);
            let replayed = |replay| inner.replayed_password(replay, Some(&request.password));
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Takes a member's password away. Needs what [`App::set_password`] does.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn remove_password(
        &self,
        context: Context,
        member_id: MemberId,
        current_password: Option<SecretString>,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let command = || MemberCommand::RemovePassword;
            inner.take_away(&context, member_id, current_password.as_ref(), command).await
        })
        .await
    }
}

impl Inner {
    async fn set_password(
        &self,
        context: &Context,
        member_id: MemberId,
        request: &SetPasswordRequest,
    ) -> Result<ChangedMember, CommandError> {
        let known = self.ruled_membership(context, member_id).await?;
        let held = self.identity(member_id).await?;
        let (name, email) = (text(held.as_ref(), "name"), text(held.as_ref(), "email"));
        let current = request.current_password.as_ref();
        let mut wrong = wrong_password(&request.password, name, email);
        wrong.extend(misses_current(context, member_id, &known, current));
        wrong.extend(context.violations(false));
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        self.demand_current(context, member_id, &known, email, current).await?;
        let sealed = self.seal_password(&request.password).await?;
        let along = Along { credentials: vec![sealed.credential], ..Along::default() };
        let command = || MemberCommand::SetPassword(sealed.password.clone());
        self.execute_password(context, member_id, &known, along, command).await
    }

    /// Takes something away by which a member signs in.
    pub(super) async fn take_away(
        &self,
        context: &Context,
        member_id: MemberId,
        current: Option<&SecretString>,
        command: impl Fn() -> MemberCommand,
    ) -> Result<ChangedMember, CommandError> {
        let allowed = own_or(context, member_id, Permission::MembersWrite);
        let work = async {
            let known = self.proved(context, member_id, current).await?;
            let changed =
                self.execute_password(context, member_id, &known, Along::default(), command).await?;
            if context.member() == Some(member_id) {
                self.lower(context, &changed.membership).await;
            }
            Ok(changed)
        };
        self.on_member(context, member_id, allowed, work).await
    }

    /// The member, if whoever asks may rule over how it signs in: a member over its own who knows its password, or has proved
    /// so by signing in a moment ago.
    pub(super) async fn proved(
        &self,
        context: &Context,
        member_id: MemberId,
        current: Option<&SecretString>,
    ) -> Result<Membership, CommandError> {
        let known = self.ruled_membership(context, member_id).await?;
        let mut wrong = context.violations(false);
        if current.is_some() || !self.has_just_signed_in(context).await? {
            wrong.extend(misses_current(context, member_id, &known, current));
        }
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let held = self.identity(member_id).await?;
        self.demand_current(context, member_id, &known, text(held.as_ref(), "email"), current).await?;
        Ok(known)
    }

    /// The member, if whoever asks holds all that its roles give.
    pub(super) async fn ruled_membership(
        &self,
        context: &Context,
        member_id: MemberId,
    ) -> Result<Membership, CommandError> {
        let loaded = self.members.current(&member_id.to_string()).await?;
        let membership = loaded.aggregate.membership().ok_or(CommandError::NotFound("member"))?;
        let known = self.own_roles(own_among(&membership.roles)).await?;
        context.demand_all(&membership.rights(&known.allow))?;
        Ok(membership.clone())
    }

    /// A command on how a member signs in whose password is `known`: if there is another one by now, nobody has proved to know
    /// that.
    pub(super) async fn execute_password(
        &self,
        context: &Context,
        member_id: MemberId,
        known: &Membership,
        along: Along,
        command: impl Fn() -> MemberCommand,
    ) -> Result<ChangedMember, CommandError> {
        self.execute_member(context, member_id, along, |membership, facts| {
            context.demand_all(&membership.rights(&facts.own_roles))?;
            if membership.password != known.password || membership.recovery_codes != known.recovery_codes {
                return Err(CommandError::Contended);
            }
            Ok(command())
        })
        .await
    }

    /// Refuses a member who is about to lose its own password and does not know it.
    async fn demand_current(
        &self,
        context: &Context,
        member_id: MemberId,
        known: &Membership,
        email: Option<&str>,
        current: Option<&SecretString>,
    ) -> Result<(), CommandError> {
        let own = known.password.as_ref().filter(|_| context.member() == Some(member_id));
        let Some((password, current)) = own.zip(current) else { return Ok(()) };
        // Whoever found a token left behind guesses no more often than whoever signs in.
        let name = email.map_or_else(|| member_id.to_string(), |email| self.member_email(email).key);
        let counted_by = self.counted_by(&name, context.source.as_ref());
        let deed = Deed {
            kind: SIGN_IN,
            credential: Some(password.id.to_string()),
            request_id: context.request_id.clone(),
            source: context.source.clone(),
            ..Deed::default()
        };
        let check = async {
            let is_right = self.is_password(password, current).await?;
            Ok(if is_right { Ok(()) } else { Err(SignInRefusal::WrongPassword) })
        };
        match self.try_once(&counted_by, &deed, check).await {
            Ok(()) => Ok(()),
            Err(SignInError::Refused | SignInError::Over) => {
                let wrong = Violation::new(CURRENT, Rule::WrongSecret, "is not the member's password");
                Err(CommandError::Invalid(vec![wrong]))
            }
            Err(SignInError::Throttled { retry_after_seconds }) => {
                Err(CommandError::Throttled { retry_after_seconds })
            }
            Err(SignInError::Failed(error)) => Err(error),
        }
    }

    /// Who a member is; nobody is shown it.
    pub(super) async fn identity(&self, member_id: MemberId) -> Result<Option<Value>, CommandError> {
        let stream = Loader::<Member>::stream(&member_id.to_string())?;
        self.newest_part(&stream, &SAID_BY, MEMBER).await
    }

    /// Whether this is the password; takes Argon2 once.
    pub(crate) async fn is_password(
        &self,
        password: &Password,
        presented: &SecretString,
    ) -> Result<bool, CommandError> {
        let Ok(presented) = crypto::normalized_password(presented) else { return Ok(false) };
        let (id, commitment) = (&password.id.0, &password.commitment);
        let verifier = self.vault.open_credential(self.log.as_ref(), id, commitment).await?;
        Ok(self.argon2.verify(presented, verifier.expose().clone()).await?)
    }

    /// Argon2id, then the vault. What the password must be has been looked at.
    pub(crate) async fn seal_password(
        &self,
        password: &SecretString,
    ) -> Result<SealedPassword, CommandError> {
        let normalized = crypto::normalized_password(password)
            .map_err(|unusable| Fault::permanent("sealing a password", unusable))?;
        let id = self.credential_id()?;
        let verifier = self.argon2.hash(normalized, self.entropy.array()?).await?;
        let sealed = self.vault.seal_credential(&id.0, VERIFIER, &verifier)?;
        Ok(SealedPassword {
            password: NewCredential { id, commitment: sealed.commitment },
            credential: sealed.row,
        })
    }

    /// The answer to a repeated request. Nothing of a password is kept with the key of the request: that it is the same one
    /// is seen from its verifier, as long as there is that one.
    pub(super) async fn replayed_password(
        &self,
        replay: Replay,
        password: Option<&SecretString>,
    ) -> Result<ChangedMember, CommandError> {
        let member = self.replayed_member(&replay).await?;
        let Some(set) = password else { return Ok(member) };
        let was_set_then = |password: &Password| -> Result<bool, CommandError> {
            let event = replay.event()?;
            if let Event::Member(MemberEvent::PasswordSet(then)) = &event {
                Ok(then.id == password.id)
            } else if let Event::Member(MemberEvent::Created(_)) = &event {
                Ok(password.set_at == member.membership.created_at)
            } else {
                Err(CommandError::IdempotencyMismatch)
            }
        };
        if let Some(password) = &member.membership.password
            && was_set_then(password)?
            && !self.is_password(password, set).await?
        {
            return Err(CommandError::IdempotencyMismatch);
        }
        Ok(member)
    }
}

/// What is wrong with a password that somebody chooses.
pub(crate) fn wrong_password(
    password: &SecretString,
    name: Option<&str>,
    email: Option<&str>,
) -> Vec<Violation> {
    let Ok(normalized) = crypto::normalized_password(password) else {
        let detail = "must not contain control characters";
        return vec![Violation::new(PASSWORD, Rule::ControlCharacter, detail)];
    };
    let checked = domain::member::check_password(normalized.expose_secret(), name, email);
    checked.err().map(|(rule, detail)| Violation::new(PASSWORD, rule, detail)).into_iter().collect()
}

/// The same for a new member.
pub(crate) fn wrong_first_password(
    password: Option<&SecretString>,
    name: &Personal<String>,
    email: &Personal<String>,
) -> Vec<Violation> {
    let check = |password| wrong_password(password, Some(name.expose()), Some(email.expose()));
    password.map(check).unwrap_or_default()
}

/// That the current password is not said, where it has to be.
fn misses_current(
    context: &Context,
    member_id: MemberId,
    known: &Membership,
    current: Option<&SecretString>,
) -> Option<Violation> {
    let needed = known.password.is_some() && context.member() == Some(member_id);
    let detail = "who changes their own password must know it";
    (needed && current.is_none()).then(|| Violation::new(CURRENT, Rule::Required, detail))
}
