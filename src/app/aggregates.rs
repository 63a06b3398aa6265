//! Loading aggregates: through `cqrs-es` from the log, and from a cache that is believed only as far as the log's head
//! confirms it.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use cqrs_es::{Aggregate, AggregateError, EventStore, persist::PersistedEventStore};
use moka::sync::Cache;
use store::{EventLog, LogRepository, Position, Revision, StreamName};

use crate::{error::Fault, look};

/// Aggregates of one kind that are kept in memory.
const CACHED: u64 = 20_000;

/// An aggregate as its stream stood at `revision`.
#[derive(Debug)]
pub(crate) struct Loaded<A> {
    pub(crate) aggregate: A,
    pub(crate) revision: Revision,
    /// The log's head when the stream was last seen to be at `revision`.
    seen_at: AtomicU64,
}

/// Loads aggregates of one kind.
pub(crate) struct Loader<A: Aggregate> {
    log: Arc<dyn EventLog>,
    events: PersistedEventStore<LogRepository, A>,
    cache: Cache<String, Arc<Slot<A>>>,
}

/// A place in the cache: dear to take, cheap to fill anew with each command.
struct Slot<A> {
    stream: StreamName,
    loaded: RwLock<Arc<Loaded<A>>>,
}

impl<A> Loaded<A> {
    fn new(aggregate: A, revision: Revision, seen_at: Position) -> Self {
        Self { aggregate, revision, seen_at: AtomicU64::new(seen_at.get()) }
    }

    fn seen_at(&self) -> Position {
        Position::new(self.seen_at.load(Ordering::Relaxed))
    }

    fn still_there_at(&self, head: Position) {
        self.seen_at.fetch_max(head.get(), Ordering::Relaxed);
    }
}

impl<A> Slot<A> {
    fn get(&self) -> Arc<Loaded<A>> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Streams only grow: what comes late is not put over what is newer.
    fn put(&self, loaded: Arc<Loaded<A>>) {
        let mut held = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.revision >= held.revision {
            *held = loaded;
        }
    }
}

impl<A> Loader<A>
where
    A: Aggregate + 'static,
    A::Error: Send + Sync,
{
    pub(crate) fn new(log: &Arc<dyn EventLog>) -> Self {
        let repository = LogRepository(Arc::clone(log));
        Self {
            log: Arc::clone(log),
            events: PersistedEventStore::new_event_store(repository)
                .with_upcasters(domain::upcast::upcasters()),
            cache: Cache::new(CACHED),
        }
    }

    /// The stream of the aggregate `id`.
    pub(crate) fn stream(id: &str) -> Result<StreamName, Fault> {
        StreamName::new(A::TYPE, id).map_err(|error| Fault::permanent("naming a stream", error))
    }

    /// The aggregate as its stream stands now: nothing acknowledged before this call, or before the [look](crate::look) of
    /// the command that it is for, is missing from it.
    pub(crate) async fn current(&self, id: &str) -> Result<Arc<Loaded<A>>, Fault> {
        let head = look::head(self.log.as_ref()).await?;
        if let Some(slot) = self.cache.get(id) {
            let loaded = slot.get();
            if loaded.seen_at() >= head {
                return Ok(loaded);
            }
            if self.log.stream_revision_since(&slot.stream, head).await? == loaded.revision {
                loaded.still_there_at(head);
                return Ok(loaded);
            }
        }
        let context = self.events.load_aggregate(id).await.map_err(|error| load_fault(&error))?;
        let revision = Revision::new(context.current_sequence as u64);
        let loaded = Arc::new(Loaded::new(context.aggregate, revision, head));
        // An id that nobody has used is not worth a place: anyone can ask for any number of them.
        if revision != Revision::NONE {
            self.keep(id, Arc::clone(&loaded))?;
        }
        Ok(loaded)
    }

    /// Remembers what a commit of ours made of the aggregate.
    pub(crate) fn remember(&self, id: &str, aggregate: A, revision: Revision, position: Position) {
        // An id without a stream could not have been appended to.
        let _ = self.keep(id, Arc::new(Loaded::new(aggregate, revision, position)));
    }

    /// Forgets it: another commit was faster.
    pub(crate) fn forget(&self, id: &str) {
        self.cache.invalidate(id);
    }

    fn keep(&self, id: &str, loaded: Arc<Loaded<A>>) -> Result<(), Fault> {
        match self.cache.get(id) {
            Some(slot) => slot.put(loaded),
            None => {
                let slot = Slot { stream: Self::stream(id)?, loaded: RwLock::new(loaded) };
                self.cache.insert(id.to_owned(), Arc::new(slot));
            }
        }
        Ok(())
    }
}

/// The error as text: `cqrs-es` carries a boxed one that cannot be shared.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct LoadFailed(String);

fn load_fault<E: std::error::Error>(error: &AggregateError<E>) -> Fault {
    let passing = matches!(error, AggregateError::DatabaseConnectionError(_));
    let text = LoadFailed(error.to_string());
    if passing {
        Fault::passing("loading an aggregate", text)
    } else {
        Fault::permanent("loading an aggregate", text)
    }
}
