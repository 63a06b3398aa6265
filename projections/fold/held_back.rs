//! Holding states back over many pages, for a file that nobody reads yet: a row that changes often is written seldom.

use store::Position;

use super::{Checkpoint, Fold, FoldError, Page, Progress, Unread, View, parse, save_checkpoint, save_tail};
use crate::digest::sha256;

/// Pages that are held back at the most: what is undone with them is folded again.
const MOST_PAGES_HELD: usize = 32;

/// Pages whose transaction is still open.
pub(super) struct HeldBack {
    /// Where the file's checkpoints are.
    begun: Position,
    checkpoints: Vec<Checkpoint>,
    pages: usize,
    last: (Position, [u8; 32]),
}

impl Fold {
    /// Folds a page into a transaction that stays open for many.
    pub(super) fn hold_back(
        &mut self,
        page: &[Unread<'_>],
        last: &Unread<'_>,
        most_held: usize,
    ) -> Result<(), FoldError> {
        if self.held_back.is_none() {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        let held_back = self.held_back.get_or_insert_with(|| HeldBack {
            begun: self.read,
            checkpoints: self.views.iter().map(|view| view.checkpoint.clone()).collect(),
            pages: 0,
            last: (self.read, [0; 32]),
        });
        held_back.pages += 1;
        held_back.last = (last.position, sha256(last.entry));
        let mut full = held_back.pages == MOST_PAGES_HELD;
        let (readable, broken) = parse(page);
        let parsed = Page { readable: &readable, broken: None, last: Some(last) };
        for view in &mut self.views {
            match view.fold(&self.connection, &parsed, View::fold_and_hold) {
                Ok(Some(progress)) if broken.is_none() => view.accept(progress),
                Ok(_) => return Err(self.undo_held_back(last.position)),
                Err(error) => {
                    self.undo_held_back(last.position);
                    return Err(error.into());
                }
            }
            let held = view.projection.held();
            if held.is_none_or(|held| held >= most_held) && view.projection.flush(&self.connection).is_err() {
                return Err(self.undo_held_back(last.position));
            }
            // What was written is kept twice until it is committed, as it was and as it is.
            full |= held.is_some_and(|held| held >= most_held);
        }
        self.read = last.position;
        if full { self.settle() } else { Ok(()) }
    }

    /// Writes what was held back and commits it. Nothing to do if there is none.
    pub(crate) fn settle(&mut self) -> Result<(), FoldError> {
        let Some(HeldBack { last: (position, digest), .. }) = self.held_back else { return Ok(()) };
        if self.views.iter_mut().any(|view| view.projection.flush(&self.connection).is_err()) {
            return Err(self.undo_held_back(position));
        }
        match self.commit_held_back(position, digest) {
            Ok(()) => {
                self.held_back = None;
                Ok(())
            }
            Err(error) => {
                self.undo_held_back(position);
                Err(error.into())
            }
        }
    }

    fn commit_held_back(&self, position: Position, digest: [u8; 32]) -> Result<(), rusqlite::Error> {
        for View { projection, checkpoint, .. } in &self.views {
            let Checkpoint { position, halt, .. } = checkpoint.clone();
            save_checkpoint(&self.connection, projection.name(), &Progress { position, halt })?;
        }
        save_tail(&self.connection, position, digest)?;
        self.connection.execute_batch("COMMIT")
    }

    /// Back to where the file is, and from there to `position` page by page: that finds the event, and halts the view.
    fn undo_held_back(&mut self, position: Position) -> FoldError {
        if let Some(HeldBack { begun, checkpoints, .. }) = self.held_back.take() {
            for (view, checkpoint) in self.views.iter_mut().zip(checkpoints) {
                view.checkpoint = checkpoint;
            }
            self.read = begun;
        }
        self.careful_until = position;
        self.forget();
        match self.connection.execute_batch("ROLLBACK") {
            Ok(()) => FoldError::Again(position),
            Err(error) => error.into(),
        }
    }
}
