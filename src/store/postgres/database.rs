//! A database, and the threads and connections by which it is asked.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, PgConnection, Postgres, Row as _};
use tokio::runtime::{Builder, Handle, Runtime};

use super::address::{is_open, options};
use super::error::{PostgresError, read_error};
use super::{migrations, transfer};
use crate::error::ReadError;

/// A read that takes longer is given up: whoever asked answers that the log cannot be read.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// How long a reader waits for a connection.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(2);
/// So many reads are under way at once.
const MAX_READERS: u32 = 8;

/// A database of Postgres, opened by the role of the service.
///
/// It has threads of its own: a connection belongs to the runtime that made it, and callers come from many.
#[derive(Clone)]
pub struct PostgresDatabase(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    handle: Handle,
    readers: Mutex<PgPool>,
    purpose: Purpose,
    _threads: Threads,
}

/// What a database is opened for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// To serve from it: each connection keeps it from being moved.
    Serving,
    /// To read it while it is moved.
    Moving,
}

/// A runtime that may be dropped anywhere.
struct Threads(Option<Runtime>);

impl PostgresDatabase {
    /// Opens the database at `url` (`postgres://role:password@host/name?sslmode=verify-full&sslrootcert=…`), which must
    /// have been migrated.
    ///
    /// # Errors
    /// See [`PostgresError`]: among others if the server is a standby, or the role could change what is recorded.
    pub fn open(url: &str) -> Result<Self, PostgresError> {
        let database = Self::new(url, Purpose::Serving)?;
        let options = database.options().clone();
        if is_open(&options) {
            tracing::warn!(
                host = options.get_host(),
                "whether it is the database that answers is not checked: add sslmode=verify-full to its address"
            );
        }
        database.wait(async move {
            let mut connection = connect(&options).await?;
            migrations::expect_newest(&mut connection).await?;
            migrations::expect_no_privilege(&mut connection).await?;
            transfer::hinder(&mut connection).await?;
            connection.close().await?;
            Ok::<_, PostgresError>(())
        })?;
        Ok(database)
    }

    /// The database at `url`, whatever it is.
    pub(super) fn new(url: &str, purpose: Purpose) -> Result<Self, PostgresError> {
        let options = options(url)?;
        let threads =
            Builder::new_multi_thread().worker_threads(2).thread_name("postgres").enable_all().build()?;
        let handle = threads.handle().clone();
        Ok(Self(Arc::new(Inner {
            readers: Mutex::new(new_readers(&handle, &options, purpose)),
            handle,
            options,
            purpose,
            _threads: Threads(Some(threads)),
        })))
    }

    /// Runs `work` on the database's threads, and blocks this one until it is done: from anywhere.
    pub(super) fn wait<T: Send + 'static, E: From<sqlx::Error> + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        let (answer, answered) = mpsc::channel();
        self.0.handle.spawn(async move {
            // Whoever waited may have given up.
            let _ = answer.send(work.await);
        });
        answered.recv().unwrap_or_else(|_| Err(E::from(threads_ended())))
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    /// A connection of the caller's own.
    pub(super) async fn connect(&self) -> Result<PgConnection, PostgresError> {
        let mut connection = connect(&self.0.options).await?;
        self.0.purpose.declare(&mut connection).await?;
        Ok(connection)
    }

    /// The rows of a read that fetches all it asked for.
    pub(super) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, ReadError> {
        let readers = self.readers();
        self.patiently(&readers, query.fetch_all(&readers)).await.map_err(read_error)
    }

    /// The one row of a read that always has one.
    pub(super) async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow, ReadError> {
        self.rows(query).await?.pop().ok_or_else(|| read_error(sqlx::Error::RowNotFound))
    }

    /// Polls `read` among the database's threads, for as long as a read may take. It is polled by the caller, so that a read
    /// wakes nobody in between; its connections and its clock are the database's all the same.
    pub(super) async fn patiently<T>(
        &self,
        readers: &PgPool,
        read: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        self.within(PATIENCE, readers, read).await
    }

    /// The same for as long as this.
    pub(super) async fn within<T>(
        &self,
        patience: Duration,
        readers: &PgPool,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        let bounded = async { tokio::time::timeout(patience, work).await };
        match self.among(bounded).await {
            // Where one connection was lost the others mostly were, too.
            Ok(Err(error)) if is_lost(&error) => {
                self.renew(readers);
                Err(error)
            }
            Ok(answer) => answer,
            Err(_) => {
                self.renew(readers);
                Err(no_answer())
            }
        }
    }

    /// A future of the caller's that is polled among the database's threads.
    pub(super) fn among<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Among { handle: self.0.handle.clone(), future: Some(Box::pin(future)) }
    }

    /// Writes what means nothing, durably.
    pub(super) async fn probe_writing(&self) -> Result<(), PostgresError> {
        let mut connection = self.connect().await?;
        bounded(PATIENCE, sqlx::query("SELECT probe_writing()").execute(&mut connection)).await?;
        Ok(())
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    pub(super) fn readers(&self) -> PgPool {
        self.lock_readers().clone()
    }

    /// A connection that does not answer may not do so for a quarter of an hour, and would keep its place as long: whoever
    /// reads next begins with new ones.
    fn renew(&self, stuck: &PgPool) {
        let mut readers = self.lock_readers();
        if Arc::ptr_eq(&readers.connect_options(), &stuck.connect_options()) {
            *readers = new_readers(&self.0.handle, &self.0.options, self.0.purpose);
        }
    }

    fn lock_readers(&self) -> MutexGuard<'_, PgPool> {
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that is polled, and dropped, in the context of a runtime.
struct Among<F> {
    handle: Handle,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Among<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _among = this.handle.enter();
        match &mut this.future {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Among<F> {
    fn drop(&mut self) {
        let _among = self.handle.enter();
        self.future = None;
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

fn new_readers(handle: &Handle, options: &PgConnectOptions, purpose: Purpose) -> PgPool {
    let _among = handle.enter();
    PgPoolOptions::new()
        .max_connections(MAX_READERS)
        .acquire_timeout(ACQUIRE_WITHIN)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let prepare = async {
                    expect_primary(connection).await?;
                    purpose.declare(connection).await
                };
                prepare.await.map_err(|error| sqlx::Error::Io(io::Error::other(error)))
            })
        })
        // What was given up here goes on there, but not for ever.
        .connect_lazy_with(options.clone().options([("statement_timeout", "120s")]))
}

impl Purpose {
    /// Says what a connection is for, for as long as it lasts.
    async fn declare(self, connection: &mut PgConnection) -> Result<(), PostgresError> {
        match self {
            Self::Serving => transfer::hinder(connection).await,
            Self::Moving => Ok(()),
        }
    }
}

/// A connection to a server that takes writes.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, PostgresError> {
    let mut connection = bounded(PATIENCE, PgConnection::connect_with(options)).await?;
    expect_primary(&mut connection).await?;
    Ok(connection)
}

/// Refuses a server that takes no writes. And whatever the database is set to: what is acknowledged is on the disk.
async fn expect_primary(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let query = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
                        CASE WHEN current_setting('synchronous_commit') = 'off'
                             THEN set_config('synchronous_commit', 'on', false) END";
    let row = bounded(PATIENCE, sqlx::query(query).fetch_one(connection)).await?;
    if row.try_get::<bool, _>(0)? { Err(PostgresError::ReadOnly) } else { Ok(()) }
}

/// Gives up what takes longer.
pub(super) async fn bounded<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(no_answer()))
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database did not answer in time"))
}

pub(super) fn threads_ended() -> sqlx::Error {
    sqlx::Error::Io(io::Error::other("the threads that talk to Postgres ended"))
}

/// Whether the server has ended the connection, or the network has.
fn is_lost(error: &sqlx::Error) -> bool {
    // admin_shutdown, crash_shutdown
    let ended = |code: &str| matches!(code, "57P01" | "57P02");
    let said = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_)) || said.is_some_and(|code| ended(&code))
}
