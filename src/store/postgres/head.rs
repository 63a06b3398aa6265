//! Where the log stands, across nodes: one read of the head serves everybody who asked before it was sent.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::database::{PATIENCE, PostgresDatabase, bounded, threads_ended};
use super::error::{PostgresError, read_error};
use super::reader::{number, stream_of};
use crate::error::{Place, ReadError};
use crate::position::{Position, Revision};
use crate::rows::as_i64;
use crate::shared::Shared;
use crate::stream::StreamName;
use crate::tail::Tail;

/// If the log has grown by more than this since it was last looked at, what was remembered of its streams is forgotten.
const MAX_CAUGHT_UP: u64 = 4_096;

/// How far this node knows where each stream stands; told by its writer and by its reader of the head.
pub(super) struct Frontier {
    pub(super) shared: Shared,
    known: Mutex<Position>,
    /// The server's process that this node writes through.
    writer: AtomicI32,
}

impl Frontier {
    pub(super) fn new(shared: Shared, known: Position) -> Self {
        Self { shared, known: Mutex::new(known), writer: AtomicI32::new(0) }
    }

    /// The log stands at `tail`, and between `from` and there these streams moved, and no others. Before the head is
    /// published: whoever sees it must find every stream where it is at that head.
    pub(super) fn advance(
        &self,
        from: Position,
        tail: Tail,
        moved: impl IntoIterator<Item = (StreamName, Revision)>,
    ) {
        let mut known = self.known();
        // Of what lies between, nobody told yet, or somebody told already: whoever asks next reads it.
        if from <= *known && *known < tail.head {
            if tail.head.get() - from.get() > MAX_CAUGHT_UP {
                self.shared.heads.forget();
            } else {
                self.shared.heads.moved(moved);
            }
            *known = tail.head;
            self.shared.publish(tail);
        }
    }

    /// Whether it is known of each stream where it stood when the log stood at `head`.
    pub(super) fn reaches(&self, head: Position) -> bool {
        *self.known() >= head
    }

    /// This node writes through this process of the server.
    pub(super) fn write_as(&self, process: i32) {
        self.writer.store(process, Ordering::Relaxed);
    }

    /// Whether this process of the server writes for this node, which then knows without being told.
    pub(super) fn writes_as(&self, process: u32) -> bool {
        i32::try_from(process).is_ok_and(|process| self.writer.load(Ordering::Relaxed) == process)
    }

    fn known(&self) -> MutexGuard<'_, Position> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Asker = oneshot::Sender<Result<Position, ReadError>>;

/// Asks for the head on a connection of its own.
#[derive(Clone)]
pub(super) struct HeadReader(mpsc::UnboundedSender<Asker>);

impl HeadReader {
    /// Starts the task; it ends when nobody can ask any more.
    pub(super) fn start(database: &PostgresDatabase, frontier: Arc<Frontier>) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        database.handle().spawn(serve(database.clone(), frontier, asked));
        Self(ask)
    }

    /// The head, as it is after this call began.
    pub(super) async fn read(&self) -> Result<Position, ReadError> {
        self.ask().await.unwrap_or_else(|_| Err(read_error(threads_ended())))
    }

    /// Has the head read some time soon, for nobody in particular.
    pub(super) fn look(&self) {
        drop(self.ask());
    }

    fn ask(&self) -> oneshot::Receiver<Result<Position, ReadError>> {
        let (answer, answered) = oneshot::channel();
        // The task ends with the last who can ask; an answer that never comes says so.
        let _ = self.0.send(answer);
        answered
    }
}

async fn serve(
    database: PostgresDatabase,
    frontier: Arc<Frontier>,
    mut asked: mpsc::UnboundedReceiver<Asker>,
) {
    let mut connection = None;
    let mut waiting = Vec::new();
    while asked.recv_many(&mut waiting, usize::MAX).await > 0 {
        let answer = bounded_read(&database, &frontier, &mut connection).await;
        if answer.is_err() {
            connection = None;
        }
        for asker in waiting.drain(..) {
            let _ = asker.send(answer.clone());
        }
    }
}

async fn bounded_read(
    database: &PostgresDatabase,
    frontier: &Frontier,
    connection: &mut Option<PgConnection>,
) -> Result<Position, ReadError> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(database.connect().await.map_err(unavailable)?),
    };
    let from = *frontier.known();
    let (tail, moved) = read_tail(open, Some(from)).await?;
    frontier.advance(from, tail, moved);
    Ok(tail.head)
}

/// Where the log stands, and which streams moved since `from`, if somebody wants to know.
pub(super) async fn read_tail(
    connection: &mut PgConnection,
    from: Option<Position>,
) -> Result<(Tail, Vec<(StreamName, Revision)>), ReadError> {
    let sql = "SELECT log_head.position, log_head.last_at, moved.category, moved.id, moved.revision
               FROM log_head LEFT JOIN LATERAL (
                 SELECT streams.category, streams.id, max(log_events.revision) AS revision
                 FROM log_events JOIN streams ON streams.number = log_events.stream
                 WHERE log_events.position > $1 AND log_events.position <= log_head.position
                       AND log_head.position - $1 <= $2
                 GROUP BY streams.category, streams.id
               ) AS moved ON true";
    let from = from.map(|from| as_i64(from.get()));
    let query = sqlx::query(sql).bind(from).bind(as_i64(MAX_CAUGHT_UP));
    let rows = bounded(PATIENCE, query.fetch_all(connection)).await.map_err(read_error)?;
    let first = rows.first().ok_or_else(|| read_error(sqlx::Error::RowNotFound))?;
    let tail = tail(first, 0)?;
    let mut moved = Vec::new();
    for row in &rows {
        if let Some(stream) = stream_of(row, 2, || Place::Position(tail.head))? {
            moved.push((stream, Revision::new(number(row, 4)?)));
        }
    }
    Ok((tail, moved))
}

/// The end of the log: its position, and microseconds in the column after it.
pub(super) fn tail(row: &PgRow, column: usize) -> Result<Tail, ReadError> {
    let last_at: Option<i64> = row.try_get(column + 1).map_err(read_error)?;
    let last_at = last_at.map(Timestamp::from_microsecond).transpose();
    Ok(Tail {
        head: Position::new(number(row, column)?),
        last_at: last_at.map_err(|error| read_error(sqlx::Error::Decode(Box::new(error))))?,
    })
}

/// A log that cannot be read now, because its database cannot be asked.
pub(super) fn unavailable(error: PostgresError) -> ReadError {
    ReadError::Unavailable(Arc::new(error))
}
