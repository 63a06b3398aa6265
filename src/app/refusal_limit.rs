//! So many refusals of one actor a minute are recorded one by one; the rest is counted, so that a script gone wild cannot
//! fill the disk. Every count becomes an event: when its minute is over, or when the service stops.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use domain::registry::{RefusalsCounted, RegistryEvent};
use jiff::Timestamp;
use store::Outcome;

use crate::{App, Inner, context::Context, error::Fault};

/// Refusals of one actor in a minute that are recorded one by one.
const MOST_A_MINUTE: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// The minute of every actor who was refused something in it.
#[derive(Default)]
pub(crate) struct RefusalLimit(Mutex<HashMap<String, Minute>>);

/// What one actor was refused in one minute.
struct Minute {
    /// By the monotonic clock: the wall clock may be set.
    began: Instant,
    /// As of its first refusal, without what that one told.
    context: Context,
    recorded: u32,
    counted: BTreeMap<(&'static str, &'static str), Counted>,
}

struct Counted {
    count: u64,
    from: Timestamp,
    to: Timestamp,
}

impl RefusalLimit {
    /// Whether this refusal is recorded by itself; it is counted if not.
    fn admits(&self, context: &Context, problem: &'static str, now: Timestamp) -> bool {
        let mut minutes = self.minutes();
        let minute = minutes.entry(context.recorded_actor().id).or_insert_with(|| Minute::of(context));
        if minute.began.elapsed() >= MINUTE && minute.counted.is_empty() {
            *minute = Minute::of(context);
        }
        if minute.recorded < MOST_A_MINUTE {
            minute.recorded += 1;
            return true;
        }
        let counted = minute.counted.entry((context.operation, problem)).or_insert(Counted {
            count: 0,
            from: now,
            to: now,
        });
        counted.count += 1;
        counted.to = now;
        false
    }

    /// The minutes that are over, or all of them.
    fn over(&self, all: bool) -> Vec<(String, Minute)> {
        self.minutes().extract_if(|_, minute| all || minute.began.elapsed() >= MINUTE).collect()
    }

    /// Counts again what could not be recorded.
    fn put_back(&self, actor: String, unrecorded: Minute) {
        let mut minutes = self.minutes();
        let Some(minute) = minutes.get_mut(&actor) else {
            minutes.insert(actor, unrecorded);
            return;
        };
        for (what, earlier) in unrecorded.counted {
            let counted = minute.counted.entry(what).or_insert(Counted {
                count: 0,
                from: earlier.from,
                to: earlier.to,
            });
            counted.count += earlier.count;
            counted.from = counted.from.min(earlier.from);
        }
    }

    fn minutes(&self) -> MutexGuard<'_, HashMap<String, Minute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    fn of(context: &Context) -> Self {
        let context =
            Context { source: None, reason: None, ticket: None, idempotency: None, ..context.clone() };
        Self { began: Instant::now(), context, recorded: 0, counted: BTreeMap::new() }
    }
}

impl Inner {
    /// Whether this refusal is to be recorded by itself.
    pub(crate) fn admits_refusal(&self, context: &Context, problem: &'static str) -> bool {
        self.refusals.admits(context, problem, self.log.now())
    }

    /// Records what was counted: of the minutes that are over, or of all.
    async fn record_counted(&self, all: bool) -> Result<(), Fault> {
        for (actor, mut minute) in self.refusals.over(all) {
            while let Some(((command, problem), counted)) = minute.counted.pop_first() {
                let event = RegistryEvent::RefusalsCounted(RefusalsCounted {
                    command: command.to_owned(),
                    problem: problem.to_owned(),
                    count: counted.count,
                    from: counted.from,
                    to: counted.to,
                });
                if let Err(fault) = self.record(&minute.context, Outcome::Refused, event).await {
                    minute.counted.insert((command, problem), counted);
                    self.refusals.put_back(actor, minute);
                    return Err(fault);
                }
            }
        }
        Ok(())
    }
}

impl App {
    /// Records every refusal that is only counted yet. To be called before the log is closed.
    ///
    /// # Errors
    /// The fault that kept it from being recorded.
    pub async fn record_counted_refusals(&self) -> Result<(), Fault> {
        self.inner.record_counted(true).await
    }

    /// Records what was counted, minute by minute, for as long as the service lives.
    pub(crate) fn count_refusals(&self) {
        let inner = Arc::downgrade(&self.inner);
        // It has nobody to answer to, and ends with the write side.
        mem::drop(self.commands.spawn(every_minute(inner)));
    }
}

async fn every_minute(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(MINUTE).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(fault) = inner.record_counted(false).await {
            tracing::warn!(error = %fault, "recording how many commands were refused");
        }
    }
}
