//! What is recorded of clients: each use of a secret, and refusals until there are too many of a kind.

mod compare;
pub(crate) mod group;
mod segments;

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::Timestamp;
use store::{Activity, ActivityCommit, ActivityError, Outcome, SegmentNumber, VerifiedDigest};

pub use compare::{SegmentDefect, compare_segments};
pub(crate) use group::Group;

use crate::{
    App, Inner,
    access_tokens::TokenEnd,
    authenticate_client::{ClientRefusal, ProvedClient, Traces},
    authorization::{AUTHORIZATION, AuthorizationRefusal, PUSHED_REQUEST, PageRefusal},
    clients::{REGISTRATION, RegistrationRefusal},
    context::Source,
    error::Fault,
    flood::Counts,
    introspection::{ANOTHER_CLIENTS, INTROSPECTION, REVOCATION},
    key_proofs::ProofRefusal,
    malformed::MalformedRequest,
    sign_in::SignInRefusal,
    tokens::{TOKEN, TokenRefusal},
    userinfo::{self, USERINFO},
};

/// What somebody does who is known by a secret of a client.
pub(crate) const AUTHENTICATION: &str = "authentication";
/// What somebody tries who presents a personal token.
pub(crate) const MEMBER_AUTHENTICATION: &str = "member_authentication";
/// What somebody tries who signs in as a person.
pub(crate) const SIGN_IN: &str = "sign_in";
/// What somebody tries who takes the second step of a sign-in.
pub(crate) const SECOND_FACTOR: &str = "second_factor";
/// What a member does who ends its session.
pub(crate) const SIGN_OUT: &str = "sign_out";
/// How often counters and segments are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Something that a client did or tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deed {
    pub(crate) kind: &'static str,
    pub(crate) environment: Option<String>,
    /// The id that was claimed, if it can be one.
    pub(crate) client: Option<String>,
    pub(crate) credential: Option<String>,
    /// The token that was issued, asked about or revoked.
    pub(crate) token: Option<String>,
    pub(crate) grant: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) request_id: String,
    pub(crate) source: Option<Source>,
}

/// What activity there can be.
pub const ACTIVITY_KINDS: [&str; 16] = [
    AUTHORIZATION,
    PUSHED_REQUEST,
    AUTHENTICATION,
    MEMBER_AUTHENTICATION,
    SIGN_IN,
    SECOND_FACTOR,
    SIGN_OUT,
    TOKEN,
    INTROSPECTION,
    REVOCATION,
    USERINFO,
    REGISTRATION,
    "payload_signing",
    "payload_verification",
    "payload_encryption",
    "payload_decryption",
];

/// Why something can have been refused to clients, and to members who presented a token.
pub fn activity_reasons() -> Vec<&'static str> {
    let of_members = ["unknown", "not_live"].into_iter().chain(SignInRefusal::ALL.map(SignInRefusal::as_str));
    let of_payloads = ["not_authentic", "payload_encryption_off", "client_not_active", "gone", "not_found"];
    let of_clients = ClientRefusal::ALL.iter().map(|refusal| refusal.as_str());
    let of_tokens = TokenRefusal::ALL.iter().map(|refusal| refusal.as_str());
    let ended = TokenEnd::ALL.iter().map(|end| end.as_str());
    let of_authorizations = AuthorizationRefusal::ALL.iter().map(|refusal| refusal.as_str());
    let malformed = MalformedRequest::ALL.iter().map(|refusal| refusal.as_str());
    let of_proofs = ProofRefusal::ALL.iter().map(|refusal| refusal.as_str());
    let of_pages = PageRefusal::ALL.iter().map(|refusal| refusal.as_str());
    let of_registrations = RegistrationRefusal::ALL.iter().map(|refusal| refusal.as_str());
    let of_questions = userinfo::REASONS.into_iter().chain([ANOTHER_CLIENTS, "no_such_environment"]);
    let reasons: BTreeSet<_> = of_clients
        .chain(of_members)
        .chain(of_payloads)
        .chain(of_tokens)
        .chain(ended)
        .chain(of_authorizations)
        .chain(of_pages)
        .chain(of_proofs)
        .chain(malformed)
        .chain(of_questions)
        .chain(of_registrations)
        .collect();
    reasons.into_iter().collect()
}

impl App {
    /// Records that somebody was refused who presented a personal token, before the answer leaves.
    ///
    /// # Errors
    /// The fault that kept it from being recorded.
    pub async fn refused_sign_in(
        &self,
        reason: &'static str,
        request_id: String,
        source: Option<Source>,
    ) -> Result<(), Fault> {
        let deed = Deed { kind: MEMBER_AUTHENTICATION, request_id, source, ..Deed::default() };
        self.inner.record_refused(deed, reason).await
    }

    /// Records what was counted and not yet listed. To be called when nothing is asked any more, before the logs close.
    ///
    /// # Errors
    /// The fault that kept it from being recorded.
    pub async fn close(&self) -> Result<(), Fault> {
        let _recorded_before = self.inner.recording_counts.lock().await;
        // Whatever becomes of the one, the other is recorded.
        let refusals = self.inner.record_counted(true).await;
        let flood = self.inner.record_flood(true).await;
        let introspections = self.inner.record_introspections(true).await;
        refusals.and(flood).and(introspections)
    }

    /// Looks after counters and segments for as long as the write side is there.
    pub(crate) fn keep_house(&self) {
        let inner = Arc::downgrade(&self.inner);
        self.commands.spawn(async move {
            let mut rounds = Rounds::default();
            while let Some(()) = tick(&inner, &mut rounds).await {
                tokio::time::sleep(TICK).await;
            }
        });
    }
}

/// How far the house was looked after.
#[derive(Default)]
struct Rounds {
    known_segment: Option<SegmentNumber>,
    /// The last minute and the last hour that had their turn, since 1970.
    minute: i64,
    hour: i64,
}

/// Whether a new span of so many seconds has begun. It is asked each second or so: no single second may be the one that counts.
fn has_begun(last: &mut i64, now: Timestamp, seconds: i64) -> bool {
    let span = now.as_second().div_euclid(seconds);
    std::mem::replace(last, span) != span
}

async fn tick(inner: &Weak<Inner>, rounds: &mut Rounds) -> Option<()> {
    let inner = inner.upgrade()?;
    let recording = inner.recording_counts.lock().await;
    if let Err(fault) = inner.record_counted(false).await {
        tracing::warn!(error = %fault, "recording how many commands were refused");
    }
    if let Err(fault) = inner.record_flood(false).await {
        tracing::warn!(error = %fault, "recording refusals that were counted");
    }
    if let Err(fault) = inner.record_introspections(false).await {
        tracing::warn!(error = %fault, "recording how often tokens were asked about");
    }
    drop(recording);
    if let Err(fault) = inner.learn_erasures().await {
        tracing::warn!(error = %fault, "looking who was erased on other nodes");
    }
    if inner.log.leads().await {
        if let Err(fault) = inner.close_segments(&mut rounds.known_segment).await {
            tracing::warn!(error = %fault, "closing a segment of activity");
        }
        let now = inner.log.now();
        if has_begun(&mut rounds.hour, now, 3_600) {
            if let Err(fault) = inner.turn_keys().await {
                tracing::warn!(error = %fault, "letting signing keys take their turns");
            }
            if let Err(fault) = inner.delete_dormant().await {
                tracing::warn!(error = %fault, "deleting clients that registered themselves and lie dormant");
            }
        }
        if has_begun(&mut rounds.minute, now, 60)
            && let Err(error) = inner.activity.forget_vouchers(now).await
        {
            tracing::warn!(%error, "forgetting vouchers that are over");
        }
    }
    Some(())
}

impl Inner {
    /// Records a deed that was let through, and what was learned of its secret.
    pub(crate) async fn record_done(&self, deed: Deed, digests: Vec<VerifiedDigest>) -> Result<(), Fault> {
        let record = self.listed(deed, Outcome::Done, None).await?;
        self.append_activity(ActivityCommit { records: vec![record], digests, ..ActivityCommit::default() })
            .await
    }

    /// Records a refusal, or counts it if there were many of its kind within a minute.
    pub(crate) async fn record_refused(&self, deed: Deed, reason: &'static str) -> Result<(), Fault> {
        self.record_refused_with(deed, reason, ActivityCommit::default()).await
    }

    /// The same of a client that has proved who it is: the proof cannot be presented again.
    pub(crate) async fn record_refused_to(
        &self,
        client: ProvedClient,
        deed: Deed,
        reason: &'static str,
    ) -> Result<(), Fault> {
        let Traces { digests, vouchers } = client.traces;
        // A right secret is remembered even if what is asked for is refused: the next request need not be checked as slowly.
        digests.into_iter().for_each(|digest| self.activity.keep_digest(digest));
        self.record_refused_with(deed, reason, ActivityCommit { vouchers, ..ActivityCommit::default() }).await
    }

    /// Records a refusal, and what must be kept of it where all nodes see it, whether or not it is listed.
    pub(crate) async fn record_refused_with(
        &self,
        deed: Deed,
        reason: &'static str,
        beside: ActivityCommit,
    ) -> Result<(), Fault> {
        let group = Group {
            kind: deed.kind,
            environment: deed.environment.clone(),
            client: deed.client.clone(),
            prefix: deed.source.as_ref().map(|source| group::prefix(source.address.expose())),
            reason,
        };
        let mut records = Vec::new();
        if self.flood.lists(group, self.log.now(), |_| ()) {
            records.push(self.listed(deed, Outcome::Refused, Some(reason)).await?);
        }
        if records.is_empty() && beside.counts.is_empty() && beside.vouchers.is_empty() {
            return Ok(());
        }
        let mut commit = ActivityCommit { records, ..beside };
        loop {
            match self.activity.append(commit.clone()).await {
                // What was used before cannot be used again already; what came with it is used now.
                Err(ActivityError::VoucherTaken { kind, id }) => {
                    let left = commit.vouchers.len();
                    commit.vouchers.retain(|change| !change.is_of(kind, &id));
                    if commit.vouchers.len() == left {
                        return Err(Fault::passing(
                            "recording activity",
                            ActivityError::VoucherTaken { kind, id },
                        ));
                    }
                }
                appended => {
                    return appended.map(drop).map_err(|error| Fault::passing("recording activity", error));
                }
            }
        }
    }

    /// Records what was counted in minutes that are over, or in all of them.
    async fn record_flood(&self, all: bool) -> Result<(), Fault> {
        let now = self.log.now();
        let counted = self.flood.take(now, all);
        if counted.is_empty() {
            return Ok(());
        }
        let recorded = self.record_groups(&counted, now).await;
        if recorded.is_err() {
            self.flood.put_back(counted);
        }
        recorded
    }

    async fn record_groups(&self, counted: &Counts<Group>, now: Timestamp) -> Result<(), Fault> {
        let mut records = Vec::with_capacity(counted.len());
        for (group, count) in counted {
            let source = match &group.prefix {
                Some(prefix) => Some(self.vault.seal_source(SegmentNumber::at(now), prefix, None).await?),
                None => None,
            };
            records.push(Activity {
                kind: group.kind.to_owned(),
                outcome: Outcome::Refused,
                reason: Some(group.reason.to_owned()),
                environment: group.environment.clone(),
                client: group.client.clone(),
                credential: None,
                token: None,
                grant: None,
                scope: None,
                request_id: None,
                count: count.times,
                since: Some(count.from),
                source,
            });
        }
        self.append_activity(ActivityCommit { records, ..ActivityCommit::default() }).await
    }

    pub(crate) async fn listed(
        &self,
        deed: Deed,
        outcome: Outcome,
        reason: Option<&'static str>,
    ) -> Result<Activity, Fault> {
        let source = match &deed.source {
            Some(source) => {
                let user_agent = source.user_agent.as_ref().map(|agent| agent.expose().as_str());
                let segment = SegmentNumber::at(self.log.now());
                Some(self.vault.seal_source(segment, source.address.expose(), user_agent).await?)
            }
            None => None,
        };
        Ok(Activity {
            kind: deed.kind.to_owned(),
            outcome,
            reason: reason.map(str::to_owned),
            environment: deed.environment,
            client: deed.client,
            credential: deed.credential,
            token: deed.token,
            grant: deed.grant,
            scope: deed.scope,
            request_id: Some(deed.request_id),
            count: 1,
            since: None,
            source,
        })
    }

    pub(crate) async fn append_activity(&self, commit: ActivityCommit) -> Result<(), Fault> {
        let recorded = self.activity.append(commit).await.map(drop);
        recorded.map_err(|error: ActivityError| Fault::passing("recording activity", error))
    }

    /// The same for what can happen once: false if something that it uses up was used up before.
    pub(crate) async fn append_activity_once(&self, commit: ActivityCommit) -> Result<bool, Fault> {
        match self.activity.append(commit).await {
            Ok(_) => Ok(true),
            Err(ActivityError::VoucherTaken { .. } | ActivityError::VoucherNotLive { .. }) => Ok(false),
            Err(error @ (ActivityError::Unavailable(_) | ActivityError::OverLimit { .. })) => {
                Err(Fault::passing("recording activity", error))
            }
        }
    }
}
