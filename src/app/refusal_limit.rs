//! So many refusals of one actor a minute are recorded one by one; the rest is counted, and each count becomes an event.

use domain::{
    EnvironmentName,
    registry::{RefusalsCounted, RegistryEvent},
};
use store::Outcome;

use crate::{Inner, context::Context, error::Fault, flood::Kind};

/// What refusals of one actor have in common that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Refusal {
    actor: String,
    environment: Option<EnvironmentName>,
    command: &'static str,
    problem: &'static str,
}

impl Kind for Refusal {
    /// The actor.
    type Share = String;
    /// As of the first refusal, without what that one told.
    type First = Context;

    const LISTED_OF_A_SHARE: u32 = 60;
    const LISTED: u32 = u32::MAX;
    const COUNTED: usize = 50;

    fn share(&self) -> String {
        self.actor.clone()
    }

    /// Anybody can make up names of environments. Actors are members, and commands are few.
    fn coarser(self) -> Self {
        Self { environment: None, ..self }
    }
}

impl Inner {
    /// Whether this refusal is to be recorded by itself; it is counted if not.
    pub(crate) fn admits_refusal(&self, context: &Context, problem: &'static str) -> bool {
        let refusal = Refusal {
            actor: context.recorded_actor().id,
            environment: context.environment.clone(),
            command: context.operation,
            problem,
        };
        self.refusals.lists(refusal, self.log.now(), |counted| Context {
            environment: counted.environment.clone(),
            source: None,
            reason: None,
            ticket: None,
            idempotency: None,
            malformed: Vec::new(),
            ..context.clone()
        })
    }

    /// Records what was counted: of the minutes that are over, or of all.
    pub(crate) async fn record_counted(&self, all: bool) -> Result<(), Fault> {
        let mut counts = self.refusals.take(self.log.now(), all).into_iter();
        while let Some((refusal, count)) = counts.next() {
            let event = RegistryEvent::RefusalsCounted(RefusalsCounted {
                command: refusal.command.to_owned(),
                problem: refusal.problem.to_owned(),
                count: count.times,
                from: count.from,
                to: count.to,
            });
            if let Err(fault) = self.record(&count.first, Outcome::Refused, event).await {
                self.refusals.put_back([(refusal, count)].into_iter().chain(counts));
                return Err(fault);
            }
        }
        Ok(())
    }
}
