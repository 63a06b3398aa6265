//! Folding pages of the log into views: every event once, together with the checkpoint.

mod held_back;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use store::{Place, Position, ReadError};

use self::held_back::HeldBack;
use crate::digest::sha256;
use crate::envelope::Envelope;
use crate::error::ViewsError;
use crate::projection::{ApplyError, Projection, ViewedEvent};
use crate::reader::{as_signed, as_unsigned};

/// How far a view has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The view.
    pub projection: &'static str,
    /// The last event it has folded.
    pub position: Position,
    /// Why it goes no further.
    pub halt: Option<Halt>,
}

/// An event that a view cannot apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The event's position; the view stands right before it.
    pub position: Position,
    /// What is wrong, with all its causes.
    pub cause: String,
}

/// An event of a page, not yet looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread<'a> {
    pub(crate) position: Position,
    pub(crate) entry: &'a [u8],
}

/// Why a page was not folded to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldError {
    /// The log has a hole: what stands before it is folded, and nothing can be folded beyond it.
    #[error("position {expected} is missing, {found} follows")]
    Hole { expected: Position, found: Position },
    /// The file cannot be written. Nothing of the page is in it.
    #[error("writing views")]
    Database(#[from] rusqlite::Error),
    /// An event cannot be applied, and what was held back since [`Fold::read_to`] is undone: read on from there.
    #[error("position {0} cannot be folded with those before it")]
    Again(Position),
}

impl FoldError {
    /// The same for who gives up; `broken` says which error a file that cannot be written is.
    pub(crate) fn into_views_error(self, broken: &dyn Fn(rusqlite::Error) -> ViewsError) -> ViewsError {
        match self {
            Self::Hole { expected, .. } => {
                ReadError::Corrupt { place: Place::Position(expected), detail: self.to_string() }.into()
            }
            Self::Database(error) => broken(error),
            Self::Again(position) => {
                ReadError::Corrupt { place: Place::Position(position), detail: self.to_string() }.into()
            }
        }
    }
}

/// The views of one file while they are being folded.
pub(crate) struct Fold {
    connection: Connection,
    views: Vec<View>,
    read: Position,
    /// How many states each view may hold back from one page to the next; none, if every page is committed.
    most_held: Option<usize>,
    held_back: Option<HeldBack>,
    /// Up to here every page is committed: one of its events cannot be applied.
    careful_until: Position,
}

/// One view: its projection, where it stands, and where it shall stop.
struct View {
    projection: Box<dyn Projection>,
    checkpoint: Checkpoint,
    until: Position,
}

/// A page of the log.
struct Page<'a> {
    /// The events up to the first one whose entry is none.
    readable: &'a [ViewedEvent<'a>],
    /// That one.
    broken: Option<&'a Halt>,
    last: Option<&'a Unread<'a>>,
}

/// How a view folds the events of a page; `None` if nothing may be committed.
type FoldEvents = for<'a, 'b, 'c> fn(
    &'a mut View,
    &'b Connection,
    Position,
    &'c [ViewedEvent<'_>],
) -> Result<Option<Progress>, rusqlite::Error>;

/// What a page did to a view.
struct Progress {
    position: Position,
    halt: Option<Halt>,
}

impl Fold {
    /// Goes on where the file's checkpoints are. Halted views are tried again.
    pub(crate) fn open(
        connection: Connection,
        projections: Vec<Box<dyn Projection>>,
    ) -> Result<Self, rusqlite::Error> {
        let saved = checkpoints(&connection, &projections)?;
        let views: Vec<_> = projections
            .into_iter()
            .zip(saved)
            .map(|(projection, saved)| View {
                projection,
                checkpoint: Checkpoint { halt: None, ..saved },
                until: Position::new(u64::MAX),
            })
            .collect();
        let read = views.iter().map(|view| view.checkpoint.position).min().unwrap_or_default();
        Ok(Self {
            connection,
            views,
            read,
            most_held: None,
            held_back: None,
            careful_until: Position::ORIGIN,
        })
    }

    /// Lets each view hold back so many states from one page to the next, so that a row that changes often is written
    /// seldom. For a file that nobody reads yet: it is behind until [`settle`](Self::settle).
    pub(crate) fn holding_back(self, most_held: usize) -> Self {
        Self { most_held: Some(most_held), ..self }
    }

    /// Where the next page begins: after this.
    pub(crate) fn read_to(&self) -> Position {
        self.read
    }

    /// Lets each view go no further than the position given for it, and reads on where the first of those that may
    /// go on stands.
    pub(crate) fn stop_at(&mut self, until: impl Fn(&str) -> Position) {
        for view in &mut self.views {
            view.until = until(view.projection.name());
        }
        let going_on = self.views.iter().filter(|view| view.goes_on());
        self.read = going_on.map(|view| view.checkpoint.position).min().unwrap_or(self.read);
    }

    /// How far each view has come.
    pub(crate) fn checkpoints(&self) -> Vec<Checkpoint> {
        self.views.iter().map(|view| view.checkpoint.clone()).collect()
    }

    pub(crate) fn projections(&self) -> impl Iterator<Item = &dyn Projection> {
        self.views.iter().map(|view| &*view.projection)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Folds a page that follows the last one into every view that is not halted, and commits views and checkpoints
    /// together. A view that fails is halted before the event it failed at; the others go on.
    pub(crate) fn page(&mut self, page: &[Unread<'_>]) -> Result<(), FoldError> {
        let mut expected = self.read.next();
        let mut dense = 0;
        while page.get(dense).is_some_and(|event| event.position == expected) {
            expected = expected.next();
            dense += 1;
        }
        self.fold_dense(&page[..dense])?;
        match page.get(dense) {
            Some(event) => Err(FoldError::Hole { expected, found: event.position }),
            None => Ok(()),
        }
    }

    fn fold_dense(&mut self, page: &[Unread<'_>]) -> Result<(), FoldError> {
        let Some(last) = page.last() else { return Ok(()) };
        if let Some(most_held) = self.most_held
            && self.read >= self.careful_until
        {
            return self.hold_back(page, last, most_held);
        }
        let folded = self.fold_and_commit(page);
        match folded {
            Ok(progress) => {
                self.read = last.position;
                for (view, progress) in self.views.iter_mut().zip(progress) {
                    view.accept(progress);
                }
                Ok(())
            }
            Err(error) => {
                self.forget();
                Err(error.into())
            }
        }
    }

    fn forget(&mut self) {
        for view in &mut self.views {
            view.projection.rolled_back();
        }
    }

    /// In one go, without a way back for one view alone: that would have SQLite copy each page of the file before it
    /// changes. Only where an event cannot be applied, all over again, with one.
    fn fold_and_commit(&mut self, page: &[Unread<'_>]) -> Result<Vec<Progress>, rusqlite::Error> {
        let (readable, broken) = parse(page);
        let page = Page { readable: &readable, broken: broken.as_ref(), last: page.last() };
        if let Some(progress) = self.commit(&page, View::fold_at_once)? {
            return Ok(progress);
        }
        self.forget();
        Ok(self.commit(&page, View::fold_carefully)?.unwrap_or_default())
    }

    /// Folds a page into each view by `fold`, and commits views and checkpoints; nothing if one of them gives up.
    fn commit(
        &mut self,
        page: &Page<'_>,
        fold: FoldEvents,
    ) -> Result<Option<Vec<Progress>>, rusqlite::Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut progress = Vec::with_capacity(self.views.len());
        for view in &mut self.views {
            let Some(folded) = view.fold(&transaction, page, fold)? else { return Ok(None) };
            progress.push(folded);
        }
        for (view, progress) in self.views.iter().zip(&progress) {
            save_checkpoint(&transaction, view.projection.name(), progress)?;
        }
        if let Some(last) = page.last {
            save_tail(&transaction, last.position, sha256(last.entry))?;
        }
        transaction.commit()?;
        Ok(Some(progress))
    }

    /// Halts every view that goes on where it stands: what follows in the log cannot be read.
    pub(crate) fn halt_all(&mut self, cause: &str) -> Result<(), rusqlite::Error> {
        for view in self.views.iter_mut().filter(|view| view.checkpoint.halt.is_none()) {
            let position = view.checkpoint.position;
            view.accept(Progress {
                position,
                halt: Some(Halt { position: position.next(), cause: cause.to_owned() }),
            });
        }
        let transaction = self.connection.transaction()?;
        for Checkpoint { projection, position, halt } in self.views.iter().map(|view| &view.checkpoint) {
            save_checkpoint(&transaction, projection, &Progress { position: *position, halt: halt.clone() })?;
        }
        transaction.commit()
    }

    /// Creates the indexes that are missing.
    pub(crate) fn create_indexes(&self) -> Result<(), rusqlite::Error> {
        self.views.iter().try_for_each(|view| self.connection.execute_batch(view.projection.indexes()))
    }
}

impl View {
    fn fold(
        &mut self,
        transaction: &Connection,
        page: &Page<'_>,
        fold: FoldEvents,
    ) -> Result<Option<Progress>, rusqlite::Error> {
        let (after, until) = (self.checkpoint.position, self.until);
        if !self.goes_on() {
            return Ok(Some(Progress { position: after, halt: self.checkpoint.halt.clone() }));
        }
        let from = page.readable.partition_point(|event| event.position <= after);
        let to = page.readable.partition_point(|event| event.position <= until);
        let folded = fold(self, transaction, after, &page.readable[from..to])?;
        let Some(mut progress) = folded else { return Ok(None) };
        if let (None, Some(broken)) = (&progress.halt, page.broken)
            && broken.position == progress.position.next()
            && broken.position <= until
        {
            progress.halt = Some(broken.clone());
        }
        Ok(Some(progress))
    }

    fn goes_on(&self) -> bool {
        self.checkpoint.halt.is_none() && self.checkpoint.position < self.until
    }

    /// All events, or nothing to be committed; nothing is written back yet.
    fn fold_and_hold(
        &mut self,
        views: &Connection,
        after: Position,
        events: &[ViewedEvent<'_>],
    ) -> Result<Option<Progress>, rusqlite::Error> {
        let position = events.last().map_or(after, |last| last.position);
        match events.iter().try_for_each(|event| self.projection.apply(views, event)) {
            Err(ApplyError::Database(error)) if is_about_the_file(&error) => Err(error),
            Err(_) => Ok(None),
            Ok(()) => Ok(Some(Progress { position, halt: None })),
        }
    }

    /// All events, or nothing to be committed.
    fn fold_at_once(
        &mut self,
        transaction: &Connection,
        after: Position,
        events: &[ViewedEvent<'_>],
    ) -> Result<Option<Progress>, rusqlite::Error> {
        let position = events.last().map_or(after, |last| last.position);
        match self.apply(transaction, events) {
            Err(ApplyError::Database(error)) if is_about_the_file(&error) => Err(error),
            Err(_) => Ok(None),
            Ok(()) => Ok(Some(Progress { position, halt: None })),
        }
    }

    /// All events; if one of them fails, all over again, one at a time, to keep those before it.
    fn fold_carefully(
        &mut self,
        transaction: &Connection,
        after: Position,
        events: &[ViewedEvent<'_>],
    ) -> Result<Option<Progress>, rusqlite::Error> {
        let position = events.last().map_or(after, |last| last.position);
        if self.attempt(transaction, events)?.is_ok() {
            return Ok(Some(Progress { position, halt: None }));
        }
        let mut position = after;
        for event in events {
            if let Err(error) = self.attempt(transaction, std::slice::from_ref(event))? {
                let halt = Some(Halt { position: event.position, cause: error.cause() });
                return Ok(Some(Progress { position, halt }));
            }
            position = event.position;
        }
        Ok(Some(Progress { position, halt: None }))
    }

    fn apply(&mut self, transaction: &Connection, events: &[ViewedEvent<'_>]) -> Result<(), ApplyError> {
        events.iter().try_for_each(|event| self.projection.apply(transaction, event))?;
        self.projection.flush(transaction)
    }

    /// Folds events completely or not at all. The outer error is the file's, the inner one an event's.
    fn attempt(
        &mut self,
        transaction: &Connection,
        events: &[ViewedEvent<'_>],
    ) -> Result<Result<(), ApplyError>, rusqlite::Error> {
        transaction.execute_batch("SAVEPOINT attempt")?;
        let applied = self.apply(transaction, events);
        match applied {
            Err(ApplyError::Database(error)) if is_about_the_file(&error) => return Err(error),
            Err(_) => {
                self.projection.rolled_back();
                transaction.execute_batch("ROLLBACK TO attempt; RELEASE attempt")?;
            }
            Ok(()) => transaction.execute_batch("RELEASE attempt")?,
        }
        Ok(applied)
    }

    fn accept(&mut self, progress: Progress) {
        if let (None, Some(Halt { position, cause })) = (&self.checkpoint.halt, &progress.halt) {
            let view = self.projection.name();
            tracing::error!(
                view,
                position = position.get(),
                cause,
                "a view cannot apply an event and halts before it"
            );
        }
        self.checkpoint.position = progress.position;
        self.checkpoint.halt = progress.halt;
    }
}

/// The events up to the first one whose entry is none, and that one.
fn parse<'a>(page: &[Unread<'a>]) -> (Vec<ViewedEvent<'a>>, Option<Halt>) {
    let mut readable = Vec::with_capacity(page.len());
    for Unread { position, entry } in page {
        match Envelope::parse(entry) {
            Ok(envelope) => readable.push(ViewedEvent::new(*position, envelope)),
            Err(error) => {
                let cause = ApplyError::Entry(error).cause();
                return (readable, Some(Halt { position: *position, cause }));
            }
        }
    }
    (readable, None)
}

/// Whether an error says that the file cannot be written now, rather than that this event cannot be applied.
fn is_about_the_file(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code().is_some_and(|code| {
        !matches!(code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    })
}

fn save_tail(views: &Connection, position: Position, digest: [u8; 32]) -> Result<(), rusqlite::Error> {
    views
        .prepare_cached("UPDATE meta SET tail_position = ?1, tail_digest = ?2 WHERE tail_position < ?1")?
        .execute((as_signed(position.get()), digest))?;
    Ok(())
}

fn save_checkpoint(views: &Connection, projection: &str, progress: &Progress) -> Result<(), rusqlite::Error> {
    views
        .prepare_cached(
            "UPDATE checkpoint SET position = ?2, halted_at = ?3, cause = ?4 WHERE projection = ?1",
        )?
        .execute((
            projection,
            as_signed(progress.position.get()),
            progress.halt.as_ref().map(|halt| as_signed(halt.position.get())),
            progress.halt.as_ref().map(|halt| &halt.cause),
        ))?;
    Ok(())
}

/// The checkpoints in a file, in the order of the projections.
pub(crate) fn checkpoints(
    views: &Connection,
    projections: &[Box<dyn Projection>],
) -> Result<Vec<Checkpoint>, rusqlite::Error> {
    let mut statement =
        views.prepare("SELECT position, halted_at, cause FROM checkpoint WHERE projection = ?1")?;
    projections
        .iter()
        .map(|projection| {
            let name = projection.name();
            statement.query_row([name], |row| {
                let halted_at: Option<i64> = row.get(1)?;
                let cause: Option<String> = row.get(2)?;
                let halt = halted_at.map(|position| Halt {
                    position: Position::new(as_unsigned(position)),
                    cause: cause.unwrap_or_default(),
                });
                Ok(Checkpoint { projection: name, position: Position::new(as_unsigned(row.get(0)?)), halt })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
