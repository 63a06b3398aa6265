//! Where streams stand, in memory: asked with every command, which for most streams changed nothing.
//!
//! The writer tells of every stream that it moved; of the others the file is asked once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::ReadError;
use crate::position::Revision;
use crate::stream::StreamName;

/// So many streams are remembered; what is forgotten is looked up again.
const MAX_REMEMBERED: usize = 65_536;

/// The durable revisions of streams. Complete but for what it was never asked or told.
#[derive(Default)]
pub(crate) struct Heads(Mutex<Known>);

/// That a stream is not remembered, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unknown {
    forgotten: u64,
}

#[derive(Default)]
struct Known {
    revisions: HashMap<StreamName, Revision>,
    /// How often everything was forgotten: what was read before that is not remembered after it.
    forgotten: u64,
}

impl Heads {
    /// Where the stream stands, by memory or else by `read`.
    pub(crate) fn get_or_read(
        &self,
        stream: &StreamName,
        read: impl FnOnce() -> Result<Revision, ReadError>,
    ) -> Result<Revision, ReadError> {
        match self.get(stream) {
            Ok(revision) => Ok(revision),
            Err(unknown) => {
                let revision = read()?;
                self.was_read(stream, revision, unknown);
                Ok(revision)
            }
        }
    }

    /// Where the stream stands, by memory.
    pub(crate) fn get(&self, stream: &StreamName) -> Result<Revision, Unknown> {
        let known = self.known();
        known.revisions.get(stream).copied().ok_or(Unknown { forgotten: known.forgotten })
    }

    /// Remembers what was read of a stream that was unknown before the read.
    pub(crate) fn was_read(&self, stream: &StreamName, revision: Revision, unknown: Unknown) {
        // A stream that does not exist is not remembered: anyone can ask for any number of them.
        if revision != Revision::NONE {
            let mut known = self.known();
            // The writer may have moved the stream during the read; then it told so, and that stays.
            if known.forgotten == unknown.forgotten && !known.revisions.contains_key(stream) {
                known.remember(stream.clone(), revision);
            }
        }
    }

    /// Told by the writer, in order, before anyone hears of the commits.
    pub(crate) fn moved(&self, streams: impl IntoIterator<Item = (StreamName, Revision)>) {
        let mut known = self.known();
        for (stream, revision) in streams {
            known.remember(stream, revision);
        }
    }

    /// What is known is void: a transaction may have become durable that nobody told of.
    pub(crate) fn forget(&self) {
        self.known().forget();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn remember(&mut self, stream: StreamName, revision: Revision) {
        if self.revisions.len() >= MAX_REMEMBERED && !self.revisions.contains_key(&stream) {
            self.forget();
        }
        self.revisions.insert(stream, revision);
    }

    fn forget(&mut self) {
        self.revisions.clear();
        self.forgotten += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(id: usize) -> StreamName {
        StreamName::new("client", &id.to_string()).unwrap()
    }

    fn read(heads: &Heads, id: usize, found: u64) -> u64 {
        heads.get_or_read(&stream(id), || Ok(Revision::new(found))).unwrap().get()
    }

    #[test]
    fn the_file_is_asked_once_and_the_writer_is_believed() {
        let heads = Heads::default();
        assert_eq!(read(&heads, 1, 3), 3);
        assert_eq!(read(&heads, 1, 99), 3, "remembered");
        heads.moved([(stream(1), Revision::new(4)), (stream(1), Revision::new(5))]);
        assert_eq!(read(&heads, 1, 99), 5);
        assert_eq!(read(&heads, 2, 0), 0);
        assert_eq!(read(&heads, 2, 1), 1, "that it did not exist is not remembered");
    }

    #[test]
    fn a_read_that_the_writer_overtook_is_not_remembered() {
        let heads = Heads::default();
        let old = heads.get_or_read(&stream(1), || {
            heads.moved([(stream(1), Revision::new(4))]);
            Ok(Revision::new(3))
        });
        assert_eq!(old.unwrap().get(), 3);
        assert_eq!(read(&heads, 1, 99), 4);
        let old = heads.get_or_read(&stream(2), || {
            heads.moved([(stream(2), Revision::new(4))]);
            heads.forget();
            Ok(Revision::new(3))
        });
        assert_eq!(old.unwrap().get(), 3);
        assert_eq!(read(&heads, 2, 4), 4, "nor one from before everything was forgotten");
    }

    #[test]
    fn what_does_not_fit_is_asked_again() {
        let heads = Heads::default();
        heads.moved((0..=MAX_REMEMBERED).map(|id| (stream(id), Revision::new(1))));
        assert_eq!(read(&heads, MAX_REMEMBERED, 99), 1);
        assert_eq!(read(&heads, 0, 2), 2);
    }
}
