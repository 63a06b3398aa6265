//! Who answers for a client: one client after the other, or all of a member's that are still there.

use std::collections::BTreeMap;

use domain::{
    Client, ClientCommand, ClientId, EnvironmentName, Event, Member, MemberId, Permission, Rule, Violation,
    client::{ChangeResponsible, Registration, Status},
};
use store::{ExpectedRevision, Position};

use super::{Beside, ChangedClient, Facts, HangsOn, Target};
use crate::{
    App, Inner,
    aggregates::Loader,
    context::{Context, IfMatch},
    error::CommandError,
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream},
    idempotency::Replay,
};

/// What one step of a hand-over did.
#[derive(Clone, Copy, Debug)]
pub struct HandedOver {
    /// How many clients got another member to answer for them.
    pub clients: u64,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

impl App {
    /// Lets another member answer for a client. Needs `clients:write` and `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_responsible(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        if_match: Option<IfMatch>,
        responsible: MemberId,
    ) -> Result<ChangedClient, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match };
            let work = inner.change_responsible(&context, &target, responsible);
            inner.on_client(&context, &target, Permission::ClientsWrite, work).await
        })
        .await
    }

    /// Lets `to` answer for those of the candidates that `from` still answers for, in one commit. Needs `clients:write`
    /// outside of any environment, for they can be in any. Who asks again goes on where it stopped.
    ///
    /// # Errors
    /// [`CommandError`]; then nothing was handed over.
    pub async fn hand_over(
        &self,
        context: Context,
        from: MemberId,
        to: MemberId,
        candidates: Vec<ClientId>,
    ) -> Result<HandedOver, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<Member>::stream(&from.to_string())?;
            let allowed = context.demand(Permission::ClientsWrite);
            let work = inner.hand_over(&context, from, to, &candidates);
            let replayed = |replay| async move { Ok(handed_over_before(&replay)) };
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }
}

impl Inner {
    async fn change_responsible(
        &self,
        context: &Context,
        target: &Target,
        responsible: MemberId,
    ) -> Result<ChangedClient, CommandError> {
        if target.if_match.is_none() {
            return Err(CommandError::PreconditionRequired);
        }
        let hangs_on = HangsOn { responsible: Some(responsible), ..HangsOn::default() };
        let command = |_: &Registration, facts: &Facts| {
            let change = ChangeResponsible { responsible, status: facts.status };
            Ok(ClientCommand::ChangeResponsible(change))
        };
        self.execute_judged(context, target, hangs_on, command, Beside::default()).await
    }

    async fn hand_over(
        &self,
        context: &Context,
        from: MemberId,
        to: MemberId,
        candidates: &[ClientId],
    ) -> Result<HandedOver, CommandError> {
        if from == to {
            let detail = "is the member itself";
            return Err(CommandError::Invalid(vec![Violation::new("/to", Rule::Contradiction, detail)]));
        }
        if self.member_status(from).await?.0.is_none() {
            return Err(CommandError::NotFound("member"));
        }
        for _ in 0..MOST_ATTEMPTS {
            let streams = self.handed_over(context, from, to, candidates).await?;
            let clients = streams.iter().map(|stream| stream.events.len() as u64).sum();
            if clients == 0 {
                let position = self.log.head().await?;
                return Ok(HandedOver { clients, position, replayed: false });
            }
            match self.append(context, Proposal { streams, ..Proposal::default() }).await {
                Ok(receipt) => {
                    return Ok(HandedOver { clients, position: receipt.position, replayed: false });
                }
                Err(NotAppended::ByLog(error)) => self.after_conflict(error)?,
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// What becomes of each candidate that `from` answers for now, and the streams that this rests on.
    async fn handed_over(
        &self,
        context: &Context,
        from: MemberId,
        to: MemberId,
        candidates: &[ClientId],
    ) -> Result<Vec<ProposedStream>, CommandError> {
        let (status, (member, revision)) = self.member_status(to).await?;
        let mut wrong = Vec::from_iter(domain::client::check_responsible(status, "/to"));
        let mut streams = Vec::with_capacity(candidates.len());
        let mut policies = BTreeMap::new();
        for client_id in candidates {
            let id = client_id.to_string();
            let loaded = self.clients.current(&id).await?;
            let held =
                |client: &&Registration| client.responsible == from && client.status != Status::Deleted;
            let Some(client) = loaded.aggregate.registration().filter(held) else { continue };
            if !policies.contains_key(&client.environment) {
                policies.insert(client.environment.clone(), self.policy(&client.environment).await?);
            }
            if !wrong.is_empty() {
                continue;
            }
            let command = ClientCommand::ChangeResponsible(ChangeResponsible { responsible: to, status });
            let events = loaded.aggregate.decide(command, self.log.now())?;
            streams.push(ProposedStream {
                stream: Loader::<Client>::stream(&id)?,
                expected: ExpectedRevision::Exact(loaded.revision),
                environment: Some(client.environment.to_string()),
                responsible: Some(from.to_string()),
                events: events.into_iter().map(Event::Client).collect(),
                private: Vec::new(),
            });
        }
        let covered =
            |(policy, _): &(domain::environment::Policy, _)| policy.reason_required.covers(context.operation);
        wrong.extend(context.violations(policies.values().any(covered)));
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let facts = policies.into_values().map(|(_, fact)| fact).chain([(member, revision)]);
        streams.extend(facts.map(|(stream, revision)| ProposedStream::unmoved(stream, revision)));
        Ok(streams)
    }
}

/// The answer to a repeated request: each event of the commit was one client.
fn handed_over_before(replay: &Replay) -> HandedOver {
    let store::RecordedCommand { first_position, position } = replay.recorded;
    HandedOver { clients: position.get() - first_position.get() + 1, position, replayed: true }
}
