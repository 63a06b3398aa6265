//! Whether the member behind a command can still act when the command is recorded.
//!
//! Between authentication and commit lies whatever the sender makes of it: a body may come byte by byte, a secret may wait
//! to be hashed. A member that was deactivated meanwhile, or a token that was revoked, must leave nothing behind, least of
//! all a new token. So every command demands that nothing has moved that the authentication rests on. If something has, its
//! member is looked at again.

use std::sync::Arc;

use domain::{MemberId, SecretId, member::MemberStatus};
use jiff::Timestamp;
use store::{AppendError, Commit, ExpectedRevision, Receipt, Revision, StreamCommit, StreamName};

use crate::{
    AuthenticationError, Inner, Principal, Via,
    activity::{Deed, MEMBER_AUTHENTICATION},
    context::{Actor, Context},
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended},
    look,
};

/// What an authentication rests on.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The streams of the member and of those of its roles that are not built in, as they were.
    streams: Vec<(StreamName, Revision)>,
    /// When the token or session ends by itself.
    expires_at: Timestamp,
}

impl Standing {
    pub(crate) fn new(
        member: (StreamName, Revision),
        roles: Vec<(StreamName, Revision)>,
        expires_at: Timestamp,
    ) -> Arc<Self> {
        let streams = std::iter::once(member).chain(roles).collect();
        Arc::new(Self { streams, expires_at })
    }

    /// Whether a decision that is about to be recorded saw one of the streams as it was before or after.
    fn is_at_odds_with(&self, commit: &Commit) -> bool {
        self.streams.iter().any(|(stream, revision)| {
            part_of(commit, stream).is_some_and(|part| part.expected != ExpectedRevision::Exact(*revision))
        })
    }

    /// The commit, if it is to fail as soon as one of the streams has moved.
    fn demanded_of(&self, mut commit: Commit) -> Commit {
        for (stream, revision) in &self.streams {
            if part_of(&commit, stream).is_none() {
                commit.streams.push(StreamCommit {
                    stream: stream.clone(),
                    expected: ExpectedRevision::Exact(*revision),
                    environment: None,
                    responsible: None,
                    events: Vec::new(),
                });
            }
        }
        commit
    }

    fn names(&self, stream: &StreamName) -> bool {
        self.streams.iter().any(|(name, _)| name == stream)
    }
}

fn part_of<'a>(commit: &'a Commit, stream: &StreamName) -> Option<&'a StreamCommit> {
    commit.streams.iter().find(|part| part.stream == *stream)
}

impl Inner {
    /// Hands a commit over; that of a member only if its member can still do what it could when it was authenticated.
    pub(crate) async fn write_for(&self, context: &Context, commit: Commit) -> Result<Receipt, NotAppended> {
        let Actor::Member(principal) = &context.actor else {
            return self.write(commit).await.map_err(NotAppended::ByLog);
        };
        let mut standing = Arc::clone(&principal.standing);
        // A session is none of the log's streams: it is looked at as late as can be.
        let is_over = match &principal.via {
            Via::Token(_) | Via::InitialAccessToken(_) => false,
            Via::Session(id) => !self.is_session_live(id).await?,
        };
        if is_over || self.log.now() >= standing.expires_at || standing.is_at_odds_with(&commit) {
            standing = self.standing_now(context, principal).await?;
        }
        for _ in 0..MOST_ATTEMPTS {
            match self.write(standing.demanded_of(commit.clone())).await {
                Err(AppendError::WrongExpectedRevision { stream, .. })
                    if standing.names(&stream) && part_of(&commit, &stream).is_none() =>
                {
                    standing = self.standing_now(context, principal).await?;
                }
                handed_over => return handed_over.map_err(NotAppended::ByLog),
            }
        }
        Err(CommandError::Contended.into())
    }

    /// Refuses what is not an event of its own if its member cannot do any more what it could when it was authenticated.
    pub(crate) async fn demand_standing(&self, context: &Context) -> Result<(), CommandError> {
        match &context.actor {
            Actor::Member(principal) => self.standing_now(context, principal).await.map(drop),
            Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => Ok(()),
        }
    }

    /// What a refusal says to whom: who has ended meanwhile hears nothing else, and leaves nothing behind.
    pub(crate) async fn unless_ended(&self, context: &Context, refusal: CommandError) -> CommandError {
        if matches!(refusal, CommandError::Unauthenticated) {
            return refusal;
        }
        match self.demand_standing(context).await {
            Err(ended @ (CommandError::Unauthenticated | CommandError::Fault(_))) => ended,
            Ok(()) | Err(_) => refusal,
        }
    }

    /// What the member stands on now. The permissions were judged by what it could do then: if that has become less they
    /// are to be judged again, which the sender's next attempt does.
    async fn standing_now(
        &self,
        context: &Context,
        principal: &Principal,
    ) -> Result<Arc<Standing>, CommandError> {
        look::again();
        let now = match &principal.via {
            Via::Token(token) => self.principal_by_token(principal.member, token).await?,
            Via::Session(session) => self.principal_by_session(session).await?,
            Via::InitialAccessToken(token) => {
                self.principal_by_initial_token_id(context.environment.as_ref(), token).await?
            }
        };
        let Some(now) = now else {
            let (request_id, source) = (context.request_id.clone(), context.source.clone());
            let deed = Deed { kind: MEMBER_AUTHENTICATION, request_id, source, ..Deed::default() };
            self.record_refused(deed, "not_live").await?;
            return Err(CommandError::Unauthenticated);
        };
        match principal.rights.beyond(&now.rights) {
            None => Ok(now.standing),
            Some(_) => Err(CommandError::Contended),
        }
    }

    /// What a token allows now, if its member can still act by it.
    async fn principal_by_token(
        &self,
        member: MemberId,
        token: &SecretId,
    ) -> Result<Option<Principal>, Fault> {
        let loaded = self.members.current(&member.to_string()).await?;
        match self.live_token(&loaded.aggregate, token, &[MemberStatus::Active]) {
            Ok((membership, token)) => {
                self.principal(member, loaded.revision, membership, token).await.map(Some)
            }
            Err(AuthenticationError::Fault(fault)) => Err(fault),
            Err(
                AuthenticationError::Malformed | AuthenticationError::Unknown | AuthenticationError::NotLive,
            ) => Ok(None),
        }
    }
}
