//! Secrets that somebody found where they must not be.
//!
//! Whoever reports one is told nothing of it, and does nothing to it that its finder could not do. The order of the check
//! is that of authentication: form, checksum, tag, state, verifier. So a guess ends at the tag, a secret that has ended
//! never reaches Argon2, and each secret of ours reaches it here once at the most.

use std::sync::Arc;

use crypto::{Binding, ExposeSecret, Presented, SecretKind, SecretString};
use domain::{Claim, Client, ClientCommand, ClientId, MemberCommand, SecretId, member::MemberStatus};

use super::{Beside, Target};
use crate::{
    App, AuthenticationError, Inner,
    activity::{Deed, SIGN_OUT},
    context::Context,
    error::{CommandError, Fault},
    execute::claim_key,
    members::Along,
};

impl App {
    /// Stops each of these texts that is a client secret, a personal token, a session or an initial access token of ours and can be used. Needs no
    /// permission, and answers the same whatever was real. What is not ours, or has ended, is not recorded: a flood of it
    /// must not fill the log.
    ///
    /// # Errors
    /// A fault that kept one of them from being looked at; all the others were.
    pub async fn report_leaked_secrets(
        &self,
        context: Context,
        texts: Vec<SecretString>,
    ) -> Result<(), CommandError> {
        self.run(move |inner| async move {
            let mut failed = None;
            for text in texts {
                if let Err(error) = inner.report_leaked(&context, text).await {
                    failed.get_or_insert(error);
                }
            }
            failed.map_or(Ok(()), Err)
        })
        .await
    }
}

impl Inner {
    async fn report_leaked(
        self: &Arc<Self>,
        context: &Context,
        text: SecretString,
    ) -> Result<(), CommandError> {
        let Ok(presented) = Presented::parse(text.expose_secret()) else { return Ok(()) };
        match presented.kind() {
            SecretKind::ClientSecret => self.stop_client_secret(context, &presented).await,
            SecretKind::PersonalToken => self.stop_token(context, text.expose_secret()).await,
            SecretKind::Session => self.stop_session(context, text.expose_secret()).await,
            SecretKind::InitialAccessToken => {
                ended_is_done(self.stop_initial_token(context, &presented).await)
            }
            SecretKind::AccessToken
            | SecretKind::RefreshToken
            | SecretKind::AuthorizationCode
            | SecretKind::RegistrationAccessToken => Ok(()),
        }
    }

    async fn stop_client_secret(
        &self,
        context: &Context,
        presented: &Presented<'_>,
    ) -> Result<(), CommandError> {
        let secret_id = SecretId(presented.id().as_str().to_owned());
        let Some(client_id) = self.client_of_secret(&secret_id).await? else {
            // As much work as for an id that is somebody's: how long it took says nothing.
            let nobody = Binding { environment: "", owner: "" };
            let _ = presented.verify_tag(&self.vault.ring.tags, &nobody);
            return Ok(());
        };
        let owner = client_id.to_string();
        let loaded = self.clients.current(&owner).await?;
        let Some(client) = loaded.aggregate.registration() else { return Ok(()) };
        let binding = Binding { environment: client.environment.as_str(), owner: &owner };
        if presented.verify_tag(&self.vault.ring.tags, &binding).is_err() {
            return Ok(());
        }
        let now = self.log.now();
        let known = client.secrets.iter().find(|secret| secret.id == secret_id && secret.usable(now));
        let Some(secret) = known.filter(|_| client.status != domain::client::Status::Deleted) else {
            return Ok(());
        };
        let verifier =
            self.vault.open_credential(self.log.as_ref(), &secret_id.0, &secret.commitment).await?;
        let text = SecretString::from(presented.expose_secret());
        if !self.argon2.verify(text, verifier.expose().clone()).await? {
            return Ok(());
        }
        let context = Context { environment: Some(client.environment.clone()), ..context.clone() };
        let target = Target { environment: client.environment.clone(), client_id, if_match: None };
        let command = |_: &_| Ok(ClientCommand::ReportLeakedSecret(secret_id.clone()));
        ended_is_done(self.execute(&context, &target, command, Beside::default()).await)
    }

    async fn client_of_secret(&self, secret_id: &SecretId) -> Result<Option<ClientId>, Fault> {
        let holder = self.log.claim_holder(&claim_key(&Claim::client_secret(secret_id))).await?;
        let client = holder.filter(|stream| stream.category() == Client::CATEGORY);
        Ok(client.and_then(|stream| stream.id().parse().ok()))
    }

    async fn stop_session(&self, context: &Context, text: &str) -> Result<(), CommandError> {
        let Some(session) = self.session(text).await? else { return Ok(()) };
        let (request_id, source) = (context.request_id.clone(), context.source.clone());
        let deed = Deed { kind: SIGN_OUT, request_id, source, ..Deed::default() };
        self.end_session(session.id, deed).await
    }

    async fn stop_token(&self, context: &Context, text: &str) -> Result<(), CommandError> {
        // A deactivated member's token works again when the member is enabled.
        let any_status = [MemberStatus::Active, MemberStatus::Inactive];
        let principal = match self.authenticate_one_of(text, &any_status).await {
            Ok(principal) => principal,
            Err(AuthenticationError::Fault(fault)) => return Err(fault.into()),
            Err(
                AuthenticationError::Malformed | AuthenticationError::Unknown | AuthenticationError::NotLive,
            ) => return Ok(()),
        };
        // Also the last one of the last administrator: whoever found it can do all that it can. The command line of the
        // host makes another.
        let command = |_: &_, _: &_| {
            Ok(MemberCommand::RevokeToken {
                token_id: principal.via.id().clone(),
                allow_lockout: true,
                another_administrator: false,
            })
        };
        ended_is_done(self.execute_member(context, principal.member, Along::default(), command).await)
    }
}

/// Somebody else was faster in stopping it: that is what was asked for.
fn ended_is_done<T>(outcome: Result<T, CommandError>) -> Result<(), CommandError> {
    match outcome {
        Err(error) if !error.is_recorded() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
