//! What a token is worth now, told to whom it concerns (RFC 7662), and ending one before its time (RFC 7009).

use std::sync::Arc;

use crypto::{Binding, ExposeSecret, Presented, SecretKind, SecretString};
use domain::{ClientId, EnvironmentName, GrantCommand, SecretId, client::Registration, oauth::ScopeSet};
use jiff::Timestamp;
use store::{Activity, ActivityCommit, ActivityError, Outcome, Voucher, VoucherChange};

use crate::{
    App, Inner,
    access_tokens::{AccessToken, REVOKED_TOKEN},
    activity::Deed,
    authenticate_client::{ActingClient, ClientAuthenticationError, ClientRefusal, ProvedBy, ProvedClient},
    context::Source,
    error::{CommandError, Fault},
    flood::{Counts, Kind},
    look,
    tokens::{ClientCredentials, Entitlement, REFRESH_TOKEN, TokenError},
};

/// What a resource server does who asks about a token.
pub(crate) const INTROSPECTION: &str = "introspection";
/// What a client does who gives a token up.
pub(crate) const REVOCATION: &str = "revocation";
/// Why a client may not end a token.
pub(crate) const ANOTHER_CLIENTS: &str = "token_of_another_client";
/// The scope by which a resource server may ask about tokens of all clients of its environment.
const INTROSPECTS: &str = "tokens:introspect";

/// A token, and who asks about it.
#[derive(Clone, Debug)]
pub struct TokenQuestion {
    /// The environment that it is asked in.
    pub environment: EnvironmentName,
    /// Who asks.
    pub client: ClientCredentials,
    /// The token.
    pub token: SecretString,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it comes from.
    pub source: Option<Source>,
}

/// A token that is good.
#[derive(Clone, Debug)]
pub enum LiveToken {
    /// An access token.
    Access(Arc<AccessToken>),
    /// A refresh token, told to the client that it is of.
    Refresh {
        /// Which client.
        client_id: ClientId,
        /// In whose name.
        sub: String,
        /// What it is good for.
        scope: ScopeSet,
        /// It is not good from here on.
        expires_at: Timestamp,
    },
}

/// Why a token was not ended.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// It is of another client, and stays what it is (RFC 7009 section 2.1).
    #[error("the token is of another client")]
    AnotherClients,
    /// The client is not who it says it is, or nobody could find out.
    #[error(transparent)]
    Asking(#[from] TokenError),
}

impl From<Fault> for RevocationError {
    fn from(fault: Fault) -> Self {
        Self::Asking(fault.into())
    }
}

/// Introspections that are counted together (they are thousands of times more than tokens).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Introspection {
    environment: String,
    client: String,
    token: Option<String>,
}

impl Kind for Introspection {
    type Share = ();
    type First = ();

    const LISTED_OF_A_SHARE: u32 = 0;
    const LISTED: u32 = 0;
    const COUNTED: usize = 10_000;

    fn share(&self) {}

    fn coarser(self) -> Self {
        Self { token: None, ..self }
    }
}

impl App {
    /// The token, if it is good now and the client may know: its own, or any of its environment for a client that holds
    /// `tokens:introspect`. Counted by client, token and minute.
    ///
    /// # Errors
    /// [`TokenError`]; a client that is refused is recorded or counted.
    pub async fn introspect(&self, question: TokenQuestion) -> Result<Option<LiveToken>, TokenError> {
        look::once(self.inner.introspect(question)).await
    }

    /// Ends a token of a client, by that client; a refresh token with all of its grant. One that is not good is ended already.
    ///
    /// # Errors
    /// [`RevocationError`]; each refusal is recorded or counted before it is answered.
    pub async fn end_token(&self, question: TokenQuestion) -> Result<(), RevocationError> {
        let inner = Arc::clone(&self.inner);
        match self.commands.spawn(look::once(async move { inner.end_token(question).await })).await {
            Ok(result) => result,
            Err(gone) => Err(Fault::unknown_outcome(gone).into()),
        }
    }
}

impl Inner {
    async fn introspect(&self, question: TokenQuestion) -> Result<Option<LiveToken>, TokenError> {
        let client = self.prove_asking(INTROSPECTION, &question).await?;
        let registration = client.registration().ok_or(ClientRefusal::NoSuchClient)?;
        if client.by == ProvedBy::Nothing {
            // Whoever has no secret is anybody (RFC 7662 section 2.1).
            let deed = deed(INTROSPECTION, &question, None);
            self.record_refused(deed, ClientRefusal::SecretMissing.as_str()).await?;
            return Err(ClientRefusal::SecretMissing.into());
        }
        let live = self.live_token_for(&question, client.client_id, registration).await?;
        let token = match &live {
            Some(LiveToken::Access(token)) => Some(token.jti.to_string()),
            Some(LiveToken::Refresh { .. }) | None => None,
        };
        let introspection = Introspection {
            environment: question.environment.to_string(),
            client: client.client_id.to_string(),
            token,
        };
        self.introspections.lists(introspection, self.log.now(), |_| ());
        Ok(live)
    }

    async fn live_token_for(
        &self,
        question: &TokenQuestion,
        client_id: ClientId,
        registration: &Registration,
    ) -> Result<Option<LiveToken>, Fault> {
        let environment = &question.environment;
        if let Some(token) = self.read_access_token(environment, question.token.expose_secret()).await? {
            let concerned = token.client_id == client_id || registration.scope.has(INTROSPECTS);
            let live = concerned && self.token_end(environment, &token).await?.is_none();
            return Ok(live.then_some(LiveToken::Access(token)));
        }
        let Some((_, voucher, expires_at)) =
            self.own_refresh_token(environment, client_id, &question.token).await?
        else {
            return Ok(None);
        };
        let of_now = voucher.generation == registration.token_generation;
        let grant = self.grants.current(&voucher.grant_id.to_string()).await?;
        let given = grant.aggregate.given().is_some_and(domain::grant::GivenGrant::is_live);
        let live = expires_at.filter(|_| of_now && given);
        Ok(live.map(|expires_at| LiveToken::Refresh {
            client_id,
            sub: voucher.member_id.to_string(),
            scope: voucher.scope,
            expires_at,
        }))
    }

    /// A refresh token that we issued to this client, and until when it is good if it is.
    async fn own_refresh_token(
        &self,
        environment: &EnvironmentName,
        client_id: ClientId,
        token: &SecretString,
    ) -> Result<Option<(SecretId, Entitlement, Option<Timestamp>)>, Fault> {
        let Ok(presented) = Presented::parse(token.expose_secret()) else { return Ok(None) };
        let owner = client_id.to_string();
        let binding = Binding { environment: environment.as_str(), owner: &owner };
        let ours = presented.kind() == SecretKind::RefreshToken
            && presented.verify_tag(&self.vault.ring.tags, &binding).is_ok();
        if !ours {
            return Ok(None);
        }
        let id = SecretId(presented.id().as_str().to_owned());
        let Some(kept) = self.activity.voucher(REFRESH_TOKEN.voucher, &id.0).await? else { return Ok(None) };
        let voucher = serde_json::from_slice(&kept.data)
            .map_err(|error| Fault::permanent("reading what a refresh token is good for", error))?;
        let live = kept.is_live(self.log.now()).then_some(kept.expires_at);
        Ok(Some((id, voucher, live)))
    }

    async fn end_token(&self, question: TokenQuestion) -> Result<(), RevocationError> {
        let client = self.prove_asking(REVOCATION, &question).await?;
        let environment = &question.environment;
        if let Some(token) = self.read_access_token(environment, question.token.expose_secret()).await? {
            let deed = Deed {
                token: Some(token.jti.to_string()),
                grant: token.grant_id.map(|grant| grant.to_string()),
                ..deed(REVOCATION, &question, Some(&client))
            };
            if token.client_id != client.client_id {
                self.record_refused(deed, ANOTHER_CLIENTS).await?;
                return Err(RevocationError::AnotherClients);
            }
            return Ok(self.end_access_token(deed, &token).await?);
        }
        let own = self.own_refresh_token(environment, client.client_id, &question.token).await?;
        let Some((token_id, voucher, _)) = own else {
            let deed = deed(REVOCATION, &question, Some(&client));
            if self.is_refresh_token_of_another(&question.token).await? {
                self.record_refused(deed, ANOTHER_CLIENTS).await?;
                return Err(RevocationError::AnotherClients);
            }
            self.record_refused(deed, "unknown_token").await?;
            return Ok(());
        };
        let acting = ActingClient {
            client: &client,
            environment,
            request_id: &question.request_id,
            source: question.source.as_ref(),
        };
        let context = self.client_context(acting, "RevokeGrant")?;
        self.change_grant(&context, voucher.grant_id, GrantCommand::Revoke)
            .await
            .map_err(TokenError::from)?;
        let deed = Deed {
            token: Some(token_id.to_string()),
            grant: Some(voucher.grant_id.to_string()),
            ..deed(REVOCATION, &question, Some(&client))
        };
        let revoked = VoucherChange::Revoke { kind: REFRESH_TOKEN.voucher, id: token_id.0 };
        Ok(self.record_revocation(deed, revoked).await?)
    }

    async fn end_access_token(&self, deed: Deed, token: &AccessToken) -> Result<(), TokenError> {
        let expires_at = Timestamp::from_second(token.exp)
            .map_err(|error| TokenError::from(Fault::permanent("reading a token", error)))?;
        if self.activity.has_voucher(REVOKED_TOKEN, &token.jti.0).await.map_err(Fault::from)? {
            return Ok(());
        }
        let id = token.jti.to_string();
        let revoked =
            VoucherChange::Issue(Voucher { kind: REVOKED_TOKEN, id, data: b"{}".to_vec(), expires_at });
        self.record_revocation(deed, revoked).await
    }

    async fn record_revocation(&self, deed: Deed, change: VoucherChange) -> Result<(), TokenError> {
        let record = self.listed(deed, Outcome::Done, None).await?;
        let commit =
            ActivityCommit { records: vec![record], vouchers: vec![change], ..ActivityCommit::default() };
        match self.activity.append(commit).await {
            // Revoked by somebody who was faster, it is revoked.
            Ok(_) | Err(ActivityError::VoucherTaken { .. }) => Ok(()),
            Err(
                error @ (ActivityError::Unavailable(_)
                | ActivityError::VoucherNotLive { .. }
                | ActivityError::OverLimit { .. }),
            ) => Err(Fault::passing("recording activity", error).into()),
        }
    }

    async fn is_refresh_token_of_another(&self, token: &SecretString) -> Result<bool, Fault> {
        let Ok(presented) = Presented::parse(token.expose_secret()) else { return Ok(false) };
        let refresh = presented.kind() == SecretKind::RefreshToken;
        Ok(refresh && self.activity.voucher(REFRESH_TOKEN.voucher, presented.id().as_str()).await?.is_some())
    }

    /// The client that asks about a token; that it is refused is recorded.
    async fn prove_asking(
        &self,
        kind: &'static str,
        question: &TokenQuestion,
    ) -> Result<ProvedClient, TokenError> {
        if self.environments.current(question.environment.as_str()).await?.aggregate.policy().is_none() {
            let (request_id, source) = (question.request_id.clone(), question.source.clone());
            self.record_refused(Deed { kind, request_id, source, ..Deed::default() }, "no_such_environment")
                .await?;
            return Err(TokenError::NoSuchEnvironment);
        }
        let proved = match self.prove_client(&question.environment, &question.client).await {
            // Most questions leave no record of their own.
            Ok(mut client) => self.keep_traces(std::mem::take(&mut client.traces)).await.map(|()| client),
            Err(error) => Err(error),
        };
        match proved {
            Err(ClientAuthenticationError::Refused(refusal)) => {
                self.record_refused(deed(kind, question, None), refusal.as_str()).await?;
                Err(refusal.into())
            }
            proved => Ok(proved?),
        }
    }

    /// Records how often was asked in minutes that are over, or in all of them.
    pub(crate) async fn record_introspections(&self, all: bool) -> Result<(), Fault> {
        let counted = self.introspections.take(self.log.now(), all);
        if counted.is_empty() {
            return Ok(());
        }
        let commit = ActivityCommit { records: records(&counted), ..ActivityCommit::default() };
        let recorded = self.activity.append(commit).await;
        recorded.map(drop).map_err(|error| {
            self.introspections.put_back(counted);
            Fault::passing("recording activity", error)
        })
    }
}

fn deed(kind: &'static str, question: &TokenQuestion, client: Option<&ProvedClient>) -> Deed {
    let claimed = question.client.client_id.parse::<ClientId>().ok();
    Deed {
        kind,
        environment: Some(question.environment.to_string()),
        client: claimed.map(|id| id.to_string()),
        credential: client.and_then(|client| client.by.credential()),
        request_id: question.request_id.clone(),
        source: question.source.clone(),
        ..Deed::default()
    }
}

fn records(counted: &Counts<Introspection>) -> Vec<Activity> {
    let record = |(introspection, count): (&Introspection, &crate::flood::Count<()>)| Activity {
        kind: INTROSPECTION.to_owned(),
        outcome: Outcome::Done,
        reason: None,
        environment: Some(introspection.environment.clone()),
        client: Some(introspection.client.clone()),
        credential: None,
        token: introspection.token.clone(),
        grant: None,
        scope: None,
        request_id: None,
        count: count.times,
        since: Some(count.from),
        source: None,
    };
    counted.iter().map(record).collect()
}

impl From<CommandError> for RevocationError {
    fn from(error: CommandError) -> Self {
        Self::Asking(error.into())
    }
}
