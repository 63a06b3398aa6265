//! Clients that registered themselves and lie dormant: what nobody uses is deleted.

use crypto::Personal;
use domain::{Admission, ClientCommand, ClientId, EnvironmentName, client::Registration};
use jiff::{SignedDuration, Timestamp};
use store::StreamName;

use crate::{
    Inner,
    clients::execute::{Beside, Target},
    error::{CommandError, Fault},
};

/// Environments, and clients of one, that are looked at at a time.
const PAGE: usize = 500;

impl Inner {
    /// Deletes the clients that registered themselves and were not used for as long as their environment allows.
    pub(crate) async fn delete_dormant(&self) -> Result<(), CommandError> {
        let mut after: Option<StreamName> = None;
        loop {
            let streams = self.log.streams(Admission::CATEGORY, after.as_ref(), PAGE).await?;
            for stream in &streams {
                if let Ok(environment) = EnvironmentName::parse(stream.id()) {
                    self.delete_dormant_of(&environment).await?;
                }
            }
            let Some(last) = streams.into_iter().last() else { return Ok(()) };
            after = Some(last);
        }
    }

    async fn delete_dormant_of(&self, environment: &EnvironmentName) -> Result<(), CommandError> {
        let (policy, _) = self.policy(environment).await?;
        let allowed = SignedDuration::from_secs(policy.dormant_after_seconds.into());
        let since = self.log.now().saturating_sub(allowed).unwrap_or(Timestamp::MIN);
        let loaded = self.admissions.current(environment.as_str()).await?;
        let clients: Vec<_> = loaded.aggregate.clients.iter().copied().collect();
        for page in clients.chunks(PAGE) {
            for client_id in self.unused_since(page, since).await? {
                self.delete_dormant_client(environment, client_id, policy.dormant_after_seconds).await?;
            }
        }
        Ok(())
    }

    /// Those of the clients that were there by then and have not been used since.
    async fn unused_since(
        &self,
        clients: &[ClientId],
        since: Timestamp,
    ) -> Result<Vec<ClientId>, CommandError> {
        let ids: Vec<_> = clients.iter().map(ToString::to_string).collect();
        let used = self.activity.last_used_by(&ids).await.map_err(Fault::from)?;
        let mut unused = Vec::new();
        for (client_id, id) in clients.iter().zip(&ids) {
            let loaded = self.clients.current(id).await?;
            let Some(registration) = loaded.aggregate.registration() else { continue };
            let newest = used.get(id).copied().unwrap_or(registration.created_at);
            if newest.max(registration.created_at) <= since {
                unused.push(*client_id);
            }
        }
        Ok(unused)
    }

    async fn delete_dormant_client(
        &self,
        environment: &EnvironmentName,
        client_id: ClientId,
        seconds: u32,
    ) -> Result<(), CommandError> {
        let mut context = self.system_context("Delete", Some(environment))?;
        let reason = format!("it registered itself and was not used for {seconds} seconds");
        context.reason = Some(Personal::new(reason));
        let target = Target { environment: environment.clone(), client_id, if_match: None };
        let command = |_: &Registration| Ok(ClientCommand::Delete);
        match self.execute(&context, &target, command, Beside::default()).await {
            // Somebody else was faster.
            Ok(_) | Err(CommandError::Gone(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
