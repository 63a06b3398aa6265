//! Walking all of a table on the caller's thread, while the database's threads read ahead.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};

use futures_util::TryStreamExt as _;
use sqlx::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::database::{PATIENCE, PostgresDatabase, bounded, threads_ended};
use super::error::read_error;
use super::head::unavailable;
use super::reader::{get, named_stream_of};
use crate::commit::ClaimKey;
use crate::error::{Place, ReadError};
use crate::event_log::ScannedEvent;
use crate::position::{Position, Revision};
use crate::rows::expect_next;
use crate::stream::StreamName;

/// So many events are read by one statement: a snapshot that is held for long keeps the versions of the head alive, each of
/// which everybody steps over.
const CHUNK: usize = 2_048;
/// So many chunks may be on their way to who visits them.
const AHEAD: usize = 2;
/// What binary copies begin with, but for the flags and the length of the header's extension.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

enum Fed<T> {
    Page(T, OwnedSemaphorePermit),
    End(Result<(), ReadError>),
}

/// Where pages are put for the visitor's thread.
pub(super) struct Feed<T> {
    pages: mpsc::Sender<Fed<T>>,
    room: Arc<Semaphore>,
}

impl<T> Feed<T> {
    /// Waits for room; breaks when nobody visits any more.
    pub(super) async fn push(&self, page: T) -> ControlFlow<()> {
        let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return ControlFlow::Break(()) };
        match self.pages.send(Fed::Page(page, room)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Visits the pages that `read` feeds, on this thread, which may be anyone's. Whatever ends the feed early is an error.
pub(super) fn visit_pages<T, R>(
    database: &PostgresDatabase,
    read: impl FnOnce(PgConnection, Arc<Feed<T>>) -> R,
    mut visit: impl FnMut(T) -> Result<ControlFlow<()>, ReadError>,
) -> Result<(), ReadError>
where
    T: Send + 'static,
    R: Future<Output = Result<(), ReadError>> + Send + 'static,
{
    let connection = {
        let database = database.clone();
        let connect = database.clone();
        database.wait(async move { connect.connect().await }).map_err(unavailable)?
    };
    let (pages, fed) = mpsc::channel();
    let end = pages.clone();
    let feed = Arc::new(Feed { pages, room: Arc::new(Semaphore::new(AHEAD)) });
    let read = read(connection, feed);
    database.handle().spawn(async move {
        let _ = end.send(Fed::End(read.await));
    });
    loop {
        match fed.recv() {
            Ok(Fed::Page(page, _room)) => {
                if visit(page)?.is_break() {
                    return Ok(());
                }
            }
            Ok(Fed::End(end)) => return end,
            Err(_) => return Err(read_error(threads_ended())),
        }
    }
}

/// Walks the events after a position, and answers the last one visited.
pub(super) fn scan(
    database: &PostgresDatabase,
    after: Position,
    visit: &mut dyn FnMut(ScannedEvent<'_>) -> ControlFlow<()>,
) -> Result<Position, ReadError> {
    let mut last = after;
    let read = |connection, feed| read_events(connection, feed, after);
    visit_pages(database, read, |chunk: Vec<u8>| {
        for event in Copied::of(&chunk)? {
            let event = event?;
            last = event.position;
            if visit(event).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(last)
}

/// Feeds chunks of events as binary copies, each checked to be whole and to follow the one before it.
async fn read_events(
    mut connection: PgConnection,
    feed: Arc<Feed<Vec<u8>>>,
    after: Position,
) -> Result<(), ReadError> {
    let mut last = after;
    loop {
        let copy = format!(
            "COPY (SELECT position, revision, entry FROM log_events WHERE position > {last}
                   ORDER BY position LIMIT {CHUNK}) TO STDOUT (FORMAT binary)"
        );
        let chunk = async {
            let mut chunk = Vec::new();
            let mut copied = connection.copy_out_raw(&copy).await?;
            while let Some(bytes) = copied.try_next().await? {
                chunk.extend_from_slice(&bytes);
            }
            Ok(chunk)
        };
        let chunk = bounded(PATIENCE, chunk).await.map_err(read_error)?;
        let before = last;
        for event in Copied::of(&chunk)? {
            let position = event?.position;
            expect_next(last.next(), position)?;
            last = position;
        }
        if last == before || feed.push(chunk).await.is_break() {
            return Ok(());
        }
    }
}

/// The rows of a binary copy: two numbers and bytes, until the mark that says that it is complete.
struct Copied<'a>(Option<&'a [u8]>);

impl<'a> Copied<'a> {
    fn of(copy: &'a [u8]) -> Result<Self, ReadError> {
        let rows = copy.strip_prefix(SIGNATURE).and_then(|rest| rest.get(8..));
        rows.map(|rows| Self(Some(rows))).ok_or_else(cut_off)
    }

    /// The next row, of what is left; `None` at the end.
    fn row(rest: &mut &'a [u8]) -> Option<Option<ScannedEvent<'a>>> {
        let fields = i16::from_be_bytes(take(rest)?);
        if fields == -1 {
            return rest.is_empty().then_some(None);
        }
        let mut number = || -> Option<u64> {
            let length = i32::from_be_bytes(take(rest)?);
            if length != 8 {
                return None;
            }
            u64::try_from(i64::from_be_bytes(take(rest)?)).ok()
        };
        let (position, revision) = (Position::new(number()?), Revision::new(number()?));
        let length = usize::try_from(i32::from_be_bytes(take(rest)?)).ok()?;
        let (entry, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        (fields == 3).then_some(Some(ScannedEvent { position, revision, entry }))
    }
}

impl<'a> Iterator for Copied<'a> {
    type Item = Result<ScannedEvent<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.0.take()?;
        match Self::row(&mut rest) {
            Some(Some(event)) => {
                self.0 = Some(rest);
                Some(Ok(event))
            }
            Some(None) => None,
            None => Some(Err(cut_off())),
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

fn cut_off() -> ReadError {
    read_error(sqlx::Error::Protocol("a copy of events is not what Postgres writes".to_owned()))
}

/// Visits every claim, by namespace and key, in one snapshot.
pub(super) fn claims(
    database: &PostgresDatabase,
    visit: &mut dyn FnMut(ClaimKey, StreamName),
) -> Result<(), ReadError> {
    visit_pages(database, read_claims, |page: Vec<(ClaimKey, StreamName)>| {
        for (key, holder) in page {
            visit(key, holder);
        }
        Ok(ControlFlow::Continue(()))
    })
}

async fn read_claims(
    mut connection: PgConnection,
    feed: Arc<Feed<Vec<(ClaimKey, StreamName)>>>,
) -> Result<(), ReadError> {
    let claims =
        "SELECT namespace, key, category, id FROM claims LEFT JOIN streams ON number = stream ORDER BY 1, 2";
    let mut rows = sqlx::query(claims).fetch(&mut connection);
    let mut page = Vec::new();
    while let Some(row) = bounded(PATIENCE, rows.try_next()).await.map_err(read_error)? {
        let key = ClaimKey { namespace: get(&row, 0)?, key: get(&row, 1)? };
        let holder = named_stream_of(&row, 2, || Place::Row(format!("claim `{key}`")))?;
        page.push((key, holder));
        if page.len() == CHUNK && feed.push(std::mem::take(&mut page)).await.is_break() {
            return Ok(());
        }
    }
    let _ = feed.push(page).await;
    Ok(())
}
