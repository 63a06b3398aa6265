//! What the writer knows of the log without asking, for as long as nobody else writes.

use std::collections::{HashMap, HashSet};

use super::facts::Facts;
use crate::position::{ExpectedRevision, Revision};
use crate::prepared::PreparedCommit;
use crate::staging::Place;
use crate::stream::StreamName;
use crate::tail::Tail;

/// So many streams are remembered; what is forgotten is asked again.
const MAX_REMEMBERED: usize = 16_384;

/// For so many batches after another node wrote, nothing is assumed: it may go on writing.
const CAUTION: u32 = 16;

/// Where the log ended with this node's last batch, and where streams stand there. An append is told that end, and refuses if
/// it is not where the log ends now: so what is remembered may be out of date, and is never believed wrongly.
#[derive(Default)]
pub(super) struct Remembered {
    end: Option<(Tail, i64)>,
    streams: HashMap<StreamName, Place>,
    caution: u32,
}

impl Remembered {
    /// What a batch can be decided on without a query. Of what is not remembered it assumes that it is not there, where a
    /// constraint of the database would say otherwise: commands, credentials, keys of events, and streams that are to be new.
    pub(super) fn facts<'b>(&mut self, batch: impl Iterator<Item = &'b PreparedCommit>) -> Option<Facts> {
        let (tail, fence) = self.end?;
        if self.caution > 0 {
            self.caution -= 1;
            return None;
        }
        let mut streams = HashMap::new();
        for commit in batch {
            // Who holds a claim no constraint can tell.
            if !commit.claims.is_empty() {
                return None;
            }
            for stream in &commit.streams {
                match self.streams.get(&stream.name) {
                    Some(place) => {
                        streams.insert(stream.name.clone(), *place);
                    }
                    None if is_to_be_new(stream.expected) && !stream.entries.is_empty() => {}
                    None => return None,
                }
            }
        }
        Some(Facts {
            tail,
            fence,
            streams,
            commands: HashMap::new(),
            holders: HashMap::new(),
            credentials: HashSet::new(),
            event_keys: HashSet::new(),
        })
    }

    /// What is true after a batch that began at `began`.
    pub(super) fn learn(&mut self, began: Tail, facts: Facts) {
        let follows = self.end.is_some_and(|(end, fence)| end == began && fence == facts.fence);
        if !follows || self.streams.len() + facts.streams.len() > MAX_REMEMBERED {
            self.streams.clear();
        }
        self.end = Some((facts.tail, facts.fence));
        self.streams.extend(facts.streams);
    }

    /// Another node wrote, or it is not known who did.
    pub(super) fn forget(&mut self) {
        *self = Self { caution: CAUTION, ..Self::default() };
    }
}

fn is_to_be_new(expected: ExpectedRevision) -> bool {
    match expected {
        ExpectedRevision::NoStream => true,
        ExpectedRevision::Exact(revision) => revision == Revision::NONE,
        ExpectedRevision::Any => false,
    }
}
