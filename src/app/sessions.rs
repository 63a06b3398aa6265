//! Sessions: what a member has who has signed in as a person, until it signs out.
//!
//! A session is a voucher where activity is recorded; its secret is shown once, and kept as a keyed digest. The order of a check:
//! form, checksum, tag, voucher, digest, member. It rests on the member's stream as it stands now: whoever was deactivated, or
//! has another password than the one that the session began with, has none any more at the very next request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Binding, ExposeSecret, Minted, Presented, SecretKind, SecretString};
use domain::{
    Member, MemberId, SecretId,
    member::{MemberStatus, Membership},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{ActivityCommit, Outcome, Voucher, VoucherChange};

use crate::{
    App, Inner, Principal, Via,
    activity::{Deed, SECOND_FACTOR, SIGN_OUT},
    aggregates::Loader,
    authenticate::MEMBERS,
    context::{Context, Source},
    error::{CommandError, Fault},
    logout::LogoutClient,
    look,
    members::own_among,
    standing::Standing,
};

/// The kind of voucher.
const SESSION: &str = "session";
/// What a tag of a session is bound to in place of an owner: it is known to be ours before it is looked up.
const OWNER: &str = "session";
const DIGEST_LABEL: &str = "session";
/// So long after its sign-in a member need not prove again who it is to change how it signs in.
const RECENT: SignedDuration = SignedDuration::from_mins(10);
/// A session is made to live longer once this part of its idle time is over: not at every request.
const EXTENDED_AFTER: i32 = 10;

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// From the sign-in on.
    pub lifetime: SignedDuration,
    /// Without a request.
    pub idle: SignedDuration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { lifetime: SignedDuration::from_hours(12), idle: SignedDuration::from_hours(2) }
    }
}

/// How somebody has proved who they are (RFC 8176).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthenticationMethod {
    /// By a password.
    #[serde(rename = "pwd")]
    Password,
    /// By a code of a device, or a recovery code.
    #[serde(rename = "otp")]
    OneTimePassword,
    /// By the key of an authenticator; whether that is hardware it is not asked.
    #[serde(rename = "pop")]
    Passkey,
}

impl AuthenticationMethod {
    /// Whether it is asked for beside the password.
    fn is_second_factor(self) -> bool {
        match self {
            Self::Password => false,
            Self::OneTimePassword | Self::Passkey => true,
        }
    }

    /// The value in `amr`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::OneTimePassword => "otp",
            Self::Passkey => "pop",
        }
    }
}

/// A session that has begun.
#[derive(Debug)]
pub struct NewSession {
    /// What its member presents from now on; shown once.
    pub session: SecretString,
    /// Its id.
    pub session_id: SecretId,
    /// The member.
    pub member_id: MemberId,
    /// It ends then at the latest.
    pub ends_at: Timestamp,
}

/// What a session begins with.
pub(crate) struct BeginSession {
    pub(crate) member: MemberId,
    /// The password that the member has proved to know.
    pub(crate) password: SecretId,
    /// What it has proved to have beside it.
    pub(crate) factors: Vec<ProvedFactor>,
    /// When that was.
    pub(crate) authenticated_at: Timestamp,
    /// What is used up by it.
    pub(crate) along: Vec<VoucherChange>,
}

/// A second factor that a member has proved to have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProvedFactor {
    /// The device, the recovery codes or the passkey.
    pub(crate) id: SecretId,
    pub(crate) method: AuthenticationMethod,
}

/// A member who has signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: SecretId,
    /// Whose it is.
    pub member_id: MemberId,
    /// When the member signed in.
    pub authenticated_at: Timestamp,
    /// How.
    pub methods: Vec<AuthenticationMethod>,
    /// It ends then at the latest.
    pub ends_at: Timestamp,
    /// What the member may do with it: all that its roles allow now.
    pub principal: Principal,
}

/// What is kept of a session.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    member: MemberId,
    /// Keyed digest of the whole secret.
    digest: String,
    /// The password that it began with.
    password: SecretId,
    /// What its member has proved to have beside it: each counts as long as the member has it.
    #[serde(default)]
    factors: Vec<ProvedFactor>,
    #[serde(with = "domain::time::micros")]
    authenticated_at: Timestamp,
    #[serde(with = "domain::time::micros")]
    ends_at: Timestamp,
}

impl Kept {
    fn read(data: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(data).map_err(|error| Fault::permanent("reading a session", error))
    }

    fn written(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|error| Fault::permanent("writing a session", error))
    }

    /// What counts of it for a member as it stands now.
    fn methods(&self, membership: &Membership) -> Vec<AuthenticationMethod> {
        let mut methods = vec![AuthenticationMethod::Password];
        for factor in self.factors.iter().filter(|factor| membership.holds_factor(&factor.id)) {
            if !methods.contains(&factor.method) {
                methods.push(factor.method);
            }
        }
        methods
    }
}

impl Session {
    /// Whether its member has signed in so lately that it need not prove again who it is to change how it signs in.
    #[must_use]
    pub fn is_recent(&self, now: Timestamp) -> bool {
        is_recent(self.authenticated_at, now)
    }

    /// Whether its member has proved more than its password.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.methods.iter().any(|method| method.is_second_factor())
    }

    /// What `amr` says of it (RFC 8176).
    #[must_use]
    pub fn amr(&self) -> Vec<String> {
        let methods = self.methods.iter().map(|method| method.as_str());
        methods.chain(self.has_second_factor().then_some("mfa")).map(str::to_owned).collect()
    }
}

impl App {
    /// The session that somebody presents, if it works now.
    ///
    /// # Errors
    /// The fault that kept it from being found out, which is no answer.
    pub async fn session(&self, presented: &str) -> Result<Option<Session>, CommandError> {
        look::once(self.inner.session(presented)).await
    }

    /// Ends a session, at the request of a client if there is one.
    ///
    /// # Errors
    /// The fault that kept it from being recorded; it may have ended.
    pub async fn sign_out(
        &self,
        session: &Session,
        asked_by: Option<LogoutClient>,
        request_id: String,
        source: Option<Source>,
    ) -> Result<(), CommandError> {
        let id = session.id.clone();
        let (environment, client) = match asked_by {
            Some(LogoutClient { environment, client_id }) => {
                (Some(environment.to_string()), Some(client_id.to_string()))
            }
            None => (None, None),
        };
        let deed = Deed { kind: SIGN_OUT, environment, client, request_id, source, ..Deed::default() };
        self.run(move |inner| async move { inner.end_session(id, deed).await }).await
    }
}

impl Inner {
    /// Begins a session in the same commit as the record of the sign-in; `None` if something that it uses up was used up
    /// before.
    pub(crate) async fn begin_session(
        &self,
        deed: Deed,
        begin: BeginSession,
    ) -> Result<Option<NewSession>, Fault> {
        let BeginSession { member, password, factors, authenticated_at, along } = begin;
        let Minted { id, secret, .. } = self.mint_session()?;
        let id = SecretId(id.into());
        let now = self.log.now();
        let ends_at = authenticated_at.saturating_add(self.sessions.lifetime).unwrap_or(Timestamp::MAX);
        let kept = Kept {
            member,
            digest: self.session_digest(secret.expose_secret()),
            password,
            factors,
            authenticated_at,
            ends_at,
        };
        let voucher = Voucher {
            kind: SESSION,
            id: id.to_string(),
            data: kept.written()?,
            expires_at: self.idle_end(now, ends_at),
        };
        let deed = Deed { token: Some(id.to_string()), ..deed };
        let record = self.listed(deed, Outcome::Done, None).await?;
        let vouchers = along.into_iter().chain([VoucherChange::Issue(voucher)]).collect();
        let commit = ActivityCommit { records: vec![record], vouchers, ..ActivityCommit::default() };
        let new = NewSession { session: secret, session_id: id, member_id: member, ends_at };
        Ok(self.append_activity_once(commit).await?.then_some(new))
    }

    /// A session in place of the one of a member who has just enrolled a second factor of its own by it, and has proved to have
    /// that; none in place of one that has ended meanwhile. If it cannot be recorded, the member signs in anew.
    pub(crate) async fn raised(
        &self,
        context: &Context,
        member_id: MemberId,
        proved: ProvedFactor,
    ) -> Option<NewSession> {
        match self.raise(context, member_id, proved).await {
            Ok(session) => session,
            Err(fault) => {
                tracing::warn!(error = %fault, "raising a session");
                None
            }
        }
    }

    async fn raise(
        &self,
        context: &Context,
        member_id: MemberId,
        proved: ProvedFactor,
    ) -> Result<Option<NewSession>, Fault> {
        let own = context.session().filter(|_| context.member() == Some(member_id));
        let Some(id) = own else { return Ok(None) };
        let Some((kept, _)) = self.kept_session(id).await? else { return Ok(None) };
        let Kept { member, password, mut factors, authenticated_at, .. } = kept;
        // Not revoked: who has signed out of it meanwhile stays signed out.
        let along = vec![VoucherChange::Spend { kind: SESSION, id: id.to_string() }];
        let deed = Deed {
            kind: SECOND_FACTOR,
            credential: Some(proved.id.to_string()),
            request_id: context.request_id.clone(),
            source: context.source.clone(),
            ..Deed::default()
        };
        factors.push(proved);
        self.begin_session(deed, BeginSession { member, password, factors, authenticated_at, along }).await
    }

    /// Lets the session live on by which a member has just taken away all that it had proved to have: it is one by the password
    /// alone from now on. Every other that was proved with that is over.
    pub(crate) async fn lower(&self, context: &Context, membership: &Membership) {
        let Some(id) = context.session() else { return };
        if let Err(fault) = self.lowered(id, membership).await {
            tracing::warn!(error = %fault, "lowering a session");
        }
    }

    async fn lowered(&self, id: &SecretId, membership: &Membership) -> Result<(), Fault> {
        let Some(voucher) = self.activity.voucher(SESSION, &id.0).await? else { return Ok(()) };
        let kept = Kept::read(&voucher.data)?;
        if kept.factors.iter().any(|factor| membership.holds_factor(&factor.id)) {
            return Ok(());
        }
        let data = Kept { factors: Vec::new(), ..kept }.written()?;
        let change = VoucherChange::Replace { kind: SESSION, id: id.to_string(), seen: voucher.data, data };
        let commit = ActivityCommit { vouchers: vec![change], ..ActivityCommit::default() };
        // One that has ended meanwhile has ended.
        self.append_activity_once(commit).await.map(drop)
    }

    /// Whether somebody acts by a session whose member signed in a moment ago.
    pub(crate) async fn has_just_signed_in(&self, context: &Context) -> Result<bool, Fault> {
        let Some(id) = context.session() else { return Ok(false) };
        let kept = self.kept_session(id).await?;
        Ok(kept.is_some_and(|(kept, _)| is_recent(kept.authenticated_at, self.log.now())))
    }

    pub(crate) async fn session(&self, text: &str) -> Result<Option<Session>, CommandError> {
        let Ok(presented) = Presented::parse(text) else { return Ok(None) };
        if !self.is_tagged_session(&presented) {
            return Ok(None);
        }
        let id = SecretId(presented.id().as_str().to_owned());
        let Some((kept, expires_at)) = self.kept_session(&id).await? else { return Ok(None) };
        if kept.digest != self.session_digest(presented.expose_secret()) {
            return Ok(None);
        }
        let Some((principal, methods)) = self.believed(&id, &kept).await? else { return Ok(None) };
        self.keep_alive(&id, &kept, expires_at).await;
        let Kept { member, authenticated_at, ends_at, .. } = kept;
        Ok(Some(Session { id, member_id: member, authenticated_at, methods, ends_at, principal }))
    }

    /// What a session allows now, if its member can still act by it.
    pub(crate) async fn principal_by_session(&self, id: &SecretId) -> Result<Option<Principal>, Fault> {
        match self.kept_session(id).await? {
            Some((kept, _)) => Ok(self.believed(id, &kept).await?.map(|(principal, _)| principal)),
            None => Ok(None),
        }
    }

    /// Whether a session has neither ended nor been ended.
    pub(crate) async fn is_session_live(&self, id: &SecretId) -> Result<bool, Fault> {
        Ok(self.kept_session(id).await?.is_some())
    }

    async fn kept_session(&self, id: &SecretId) -> Result<Option<(Kept, Timestamp)>, Fault> {
        let voucher = self.activity.voucher(SESSION, &id.0).await?;
        let Some(voucher) = voucher.filter(|voucher| voucher.is_live(self.log.now())) else {
            return Ok(None);
        };
        Ok(Some((Kept::read(&voucher.data)?, voucher.expires_at)))
    }

    /// What a session allows now, and by what its member has proved who it is that still counts.
    async fn believed(
        &self,
        id: &SecretId,
        kept: &Kept,
    ) -> Result<Option<(Principal, Vec<AuthenticationMethod>)>, Fault> {
        let owner = kept.member.to_string();
        let loaded = self.members.current(&owner).await?;
        let Some(membership) = loaded.aggregate.membership() else { return Ok(None) };
        let password = membership.password.as_ref().map(|password| &password.id);
        if membership.status != MemberStatus::Active || password != Some(&kept.password) {
            return Ok(None);
        }
        let methods = kept.methods(membership);
        // Whoever began with the password alone, before there was anything beside it, could be somebody who knows just that; and
        // whoever proved to have what was taken away since, somebody who stole it.
        let asked_for = membership.has_second_factor() || !kept.factors.is_empty();
        if asked_for && !methods.iter().any(|method| method.is_second_factor()) {
            return Ok(None);
        }
        let roles = self.own_roles(own_among(&membership.roles)).await?;
        let rights = membership.rights(&roles.allow);
        let stream = Loader::<Member>::stream(&owner)?;
        let standing = Standing::new((stream, loaded.revision), roles.streams, kept.ends_at);
        let principal = Principal { member: kept.member, via: Via::Session(id.clone()), rights, standing };
        Ok(Some((principal, methods)))
    }

    /// Lets a session that is used live on. One that cannot be written ends sooner, and who only looks is answered.
    async fn keep_alive(&self, id: &SecretId, kept: &Kept, expires_at: Timestamp) {
        let wanted = self.idle_end(self.log.now(), kept.ends_at);
        if wanted.duration_since(expires_at) < self.sessions.idle / EXTENDED_AFTER {
            return;
        }
        let extend = VoucherChange::Extend { kind: SESSION, id: id.to_string(), expires_at: wanted };
        let commit = ActivityCommit { vouchers: vec![extend], ..ActivityCommit::default() };
        if let Err(error) = self.append_activity(commit).await {
            tracing::warn!(%error, "letting a session live on");
        }
    }

    pub(crate) async fn end_session(&self, id: SecretId, deed: Deed) -> Result<(), CommandError> {
        let deed = Deed { token: Some(id.to_string()), ..deed };
        let record = self.listed(deed, Outcome::Done, None).await?;
        let vouchers = vec![VoucherChange::Revoke { kind: SESSION, id: id.0 }];
        let commit = ActivityCommit { records: vec![record], vouchers, ..ActivityCommit::default() };
        Ok(self.append_activity(commit).await?)
    }

    fn idle_end(&self, now: Timestamp, ends_at: Timestamp) -> Timestamp {
        now.saturating_add(self.sessions.idle).unwrap_or(Timestamp::MAX).min(ends_at)
    }

    /// Whether it is the secret of a session, or of a sign-in that may become one, that was made here.
    pub(crate) fn is_tagged_session(&self, presented: &Presented<'_>) -> bool {
        presented.kind() == SecretKind::Session
            && presented.verify_tag(&self.vault.ring.tags, &BINDING).is_ok()
    }

    pub(crate) fn mint_session(&self) -> Result<Minted, crypto::EntropyError> {
        crypto::mint(SecretKind::Session, &BINDING, &self.vault.ring.tags, self.entropy.as_ref())
    }

    fn session_digest(&self, secret: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.vault.ring.digests.digest(DIGEST_LABEL, &[secret.as_bytes()]))
    }
}

fn is_recent(authenticated_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(authenticated_at) < RECENT
}

const BINDING: Binding<'static> = Binding { environment: MEMBERS, owner: OWNER };
