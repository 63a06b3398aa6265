//! The seam to `cqrs-es`: a thin adapter from its asynchronous `Aggregate` to our pure decide and apply.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A command and the moment it is judged at; time is handed in because no rule may read a clock.
#[derive(Clone, Debug)]
pub struct At<C> {
    /// The later of the wall clock and the last recorded event.
    pub now: Timestamp,
    /// What is asked.
    pub command: C,
}

/// An event with the time it was recorded, as it stands in the log's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped<E> {
    /// When the log recorded it.
    #[serde(with = "crate::time::micros")]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: E,
}

/// The names every event enum carries; written by the `events!` macro.
pub trait Named {
    /// The wire name, `noun.past_tense`.
    fn event_type(&self) -> &'static str;
    /// The schema of that type, from 1.
    fn event_version(&self) -> u32;
}

impl<E> cqrs_es::DomainEvent for Stamped<E>
where
    E: Named + Clone + std::fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync,
{
    fn event_type(&self) -> String {
        self.event.event_type().to_owned()
    }

    fn event_version(&self) -> String {
        self.event.event_version().to_string()
    }
}

/// Implements `cqrs_es::Aggregate` over an aggregate's own `decide` and `apply`.
macro_rules! cqrs_aggregate {
    ($aggregate:ty, $category:literal, $command:ty, $event:ty, $error:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            type Command = $crate::At<$command>;
            type Error = $error;
            type Event = $crate::Stamped<$event>;
            type Services = ();

            const TYPE: &'static str = $category;

            async fn handle(
                &mut self,
                command: Self::Command,
                (): &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                let now = command.now;
                for event in self.decide(command.command, now)? {
                    sink.write($crate::Stamped { at: now, event }, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, stamped: Self::Event) {
                <$aggregate>::apply(self, &stamped.event, stamped.at);
            }
        }
    };
}
pub(crate) use cqrs_aggregate;
