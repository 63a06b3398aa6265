//! The use case of rebuilding views: who may, once for a repeated request, and recorded. How it is done is handed in,
//! because nothing here can see a view.

use domain::{
    Event, Permission,
    registry::{RegistryEvent, ViewsRebuilt},
};
use store::{ExpectedRevision, Outcome, Position, StreamName};

use crate::{
    App, Inner,
    context::Context,
    error::{CommandError, Fault},
    execute::{Proposal, ProposedStream},
    idempotency::Replay,
};

/// A rebuild that is in the log.
#[derive(Clone, Debug)]
pub struct RecordedRebuild {
    /// What it found.
    pub rebuilt: ViewsRebuilt,
    /// The position of the event.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

impl App {
    /// Has the views of this node rebuilt by `work`, and records what that found. Needs `replay:run`.
    ///
    /// # Errors
    /// [`CommandError`]; what `work` refuses is recorded.
    pub async fn rebuild_views<W>(
        &self,
        context: Context,
        work: impl FnOnce() -> W + Send + 'static,
    ) -> Result<RecordedRebuild, CommandError>
    where
        W: Future<Output = Result<ViewsRebuilt, CommandError>> + Send,
    {
        self.run(move |inner| async move {
            let allowed = context.demand(Permission::ReplayRun);
            let rebuilt = inner.rebuild_views(&context, work);
            let replayed = |replay| async move { rebuilt_before(&replay) };
            inner.guarded(&context, None, allowed, rebuilt, replayed).await
        })
        .await
    }
}

impl Inner {
    async fn rebuild_views<W>(
        &self,
        context: &Context,
        work: impl FnOnce() -> W,
    ) -> Result<RecordedRebuild, CommandError>
    where
        W: Future<Output = Result<ViewsRebuilt, CommandError>>,
    {
        let wrong = context.violations(false);
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        self.demand_standing(context).await?;
        let rebuilt = work().await?;
        let stream = StreamName::new("note", &context.recorded_actor().id)
            .map_err(|error| Fault::permanent("naming a stream", error))?;
        let part = ProposedStream {
            stream,
            expected: ExpectedRevision::Any,
            environment: None,
            responsible: None,
            events: vec![RegistryEvent::ViewsRebuilt(rebuilt.clone()).into()],
            private: Vec::new(),
        };
        let proposal = Proposal { streams: vec![part], ..Proposal::default() };
        // It took place, whatever its member can do by now.
        let commit = self.commit(self.command_id(context)?, Outcome::Done, context, proposal).await?;
        let receipt = self.write(commit).await.map_err(Fault::from)?;
        Ok(RecordedRebuild { rebuilt, position: receipt.position, replayed: false })
    }
}

/// The rebuild that was recorded under the same key.
fn rebuilt_before(replay: &Replay) -> Result<RecordedRebuild, CommandError> {
    let Event::Registry(RegistryEvent::ViewsRebuilt(rebuilt)) = replay.event()? else {
        return Err(CommandError::IdempotencyMismatch);
    };
    Ok(RecordedRebuild { rebuilt, position: replay.recorded.position, replayed: true })
}
