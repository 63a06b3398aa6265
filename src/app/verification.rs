//! The use case of verifying the audit: who may, once for a repeated request, recorded when it begins and when it ends. How
//! it is done is handed in, because nothing here can see a view.

use std::sync::Arc;

use domain::{
    Event, Permission, VerificationId,
    registry::{AuditVerificationStarted, AuditVerified, RegistryEvent},
};
use store::{ExpectedRevision, Outcome, Position, StreamName};

use crate::{
    App, Inner,
    context::Context,
    error::{CommandError, Fault},
    execute::{NotAppended, Proposal, ProposedStream},
    idempotency::Replay,
    ids::uuid_v7,
};

/// A verification that is in the log.
#[derive(Clone, Copy, Debug)]
pub struct StartedVerification {
    /// Its id.
    pub verification_id: VerificationId,
    /// The position of the event.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

impl App {
    /// Has log and views of this node verified, and answers once that has begun and is recorded. Needs `audit:read`
    /// everywhere. `begin` takes the one place there is, or refuses; it is told the id and the last position there is. What
    /// it answers does the work and says what it found; that is recorded too, and then told: where, or `None` if it could
    /// not be.
    ///
    /// # Errors
    /// [`CommandError`]; what `begin` refuses is recorded.
    pub async fn verify_audit<B, W, T>(
        &self,
        context: Context,
        begin: B,
    ) -> Result<StartedVerification, CommandError>
    where
        B: FnOnce(VerificationId, Position) -> Result<W, CommandError> + Send + 'static,
        W: Future<Output = (AuditVerified, T)> + Send + 'static,
        T: FnOnce(Option<Position>) + Send + 'static,
    {
        let commands = self.commands.clone();
        self.run(move |inner| async move {
            let allowed = context.demand(Permission::AuditRead);
            let work = async {
                let (started, verification) = inner.started(&context, begin).await?;
                // Whoever asked may hang up: it goes on.
                commands.spawn(ended(Arc::clone(&inner), context.clone(), verification));
                Ok(started)
            };
            let replayed = |replay| async move { started_before(&replay) };
            inner.guarded(&context, None, allowed, work, replayed).await
        })
        .await
    }
}

impl Inner {
    async fn started<W>(
        &self,
        context: &Context,
        begin: impl FnOnce(VerificationId, Position) -> Result<W, CommandError>,
    ) -> Result<(StartedVerification, W), CommandError> {
        let wrong = context.violations(false);
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let head = self.log.head().await?;
        let verification_id = VerificationId(uuid_v7(self.log.now(), self.entropy.as_ref())?);
        let verification = begin(verification_id, head)?;
        let stream = StreamName::new("note", &context.recorded_actor().id)
            .map_err(|error| Fault::permanent("naming a stream", error))?;
        let event = AuditVerificationStarted { verification_id, head: head.get() };
        let part = ProposedStream {
            stream,
            expected: ExpectedRevision::Any,
            environment: None,
            responsible: None,
            events: vec![RegistryEvent::AuditVerificationStarted(event).into()],
            private: Vec::new(),
        };
        let proposal = Proposal { streams: vec![part], ..Proposal::default() };
        match self.append(context, proposal).await {
            Ok(receipt) => {
                let position = receipt.position;
                Ok((StartedVerification { verification_id, position, replayed: false }, verification))
            }
            Err(NotAppended::ByLog(error)) => Err(CommandError::Fault(error.into())),
            Err(NotAppended::Before(error)) => Err(error),
        }
    }
}

/// Waits for a verification and records what it found, before anybody is told.
async fn ended<T: FnOnce(Option<Position>)>(
    inner: Arc<Inner>,
    context: Context,
    verification: impl Future<Output = (AuditVerified, T)>,
) {
    let (verified, told) = verification.await;
    let recorded =
        inner.note(&context, Outcome::Done, RegistryEvent::AuditVerified(verified), Vec::new()).await;
    if let Err(fault) = &recorded {
        tracing::error!(error = %fault, "recording what a verification of the audit found");
    }
    told(recorded.ok());
}

/// The verification that was recorded under the same key.
fn started_before(replay: &Replay) -> Result<StartedVerification, CommandError> {
    let Event::Registry(RegistryEvent::AuditVerificationStarted(started)) = replay.event()? else {
        return Err(CommandError::IdempotencyMismatch);
    };
    let position = replay.recorded.position;
    Ok(StartedVerification { verification_id: started.verification_id, position, replayed: true })
}
