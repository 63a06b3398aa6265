//! Loading aggregates through postgres-es, as far as it is sound.

use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository as _, PersistenceError, SerializedEvent};
use postgres_es::PostgresEventRepository;

use super::database::PostgresDatabase;
use super::error::read_error;
use crate::error::ReadError;
use crate::position::Revision;
use crate::rows::expect_next_of;
use crate::stream::StreamName;

/// The `PostgresEventRepository` over the view `events`.
///
/// Only what fetches everything and answers its errors is used. Its streams end early, and without an error, when the database
/// fails; and it does not notice that an event is missing.
#[derive(Clone)]
pub struct PostgresAggregates(pub(super) PostgresDatabase);

impl PostgresAggregates {
    /// The events of a stream after a revision.
    pub(crate) async fn load<A: Aggregate>(
        &self,
        stream: &StreamName,
        after: Revision,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let readers = self.0.readers();
        let repository = PostgresEventRepository::new(readers.clone());
        let id = stream.id();
        let read = async {
            Ok(if after == Revision::NONE {
                repository.get_events::<A>(id).await
            } else {
                repository.get_last_events::<A>(id, usize::try_from(after.get()).unwrap_or(usize::MAX)).await
            })
        };
        let events = self.0.patiently(&readers, read).await;
        let events = events.map_err(|error| PersistenceError::ConnectionError(Box::new(error)))?;
        let events = events.map_err(told_apart)?;
        expect_dense(stream, after, &events)
            .map_err(|error: ReadError| PersistenceError::UnknownError(Box::new(error)))?;
        Ok(events)
    }
}

/// Of a database that shuts down postgres-es says only that something is unknown.
fn told_apart(error: PersistenceError) -> PersistenceError {
    match error {
        PersistenceError::UnknownError(cause) => {
            match cause.downcast::<sqlx::Error>().map(|error| read_error(*error)) {
                Ok(error @ ReadError::Unavailable(_)) => PersistenceError::ConnectionError(Box::new(error)),
                Ok(error @ ReadError::Corrupt { .. }) => PersistenceError::UnknownError(Box::new(error)),
                Err(cause) => PersistenceError::UnknownError(cause),
            }
        }
        other @ (PersistenceError::OptimisticLockError
        | PersistenceError::ConnectionError(_)
        | PersistenceError::DeserializationError(_)) => other,
    }
}

fn expect_dense(stream: &StreamName, after: Revision, events: &[SerializedEvent]) -> Result<(), ReadError> {
    let mut expected = after;
    for event in events {
        expected = expected.next();
        expect_next_of(stream, expected, Revision::new(event.sequence as u64))?;
    }
    Ok(())
}
