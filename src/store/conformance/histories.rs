//! Random histories against a model that is too simple to be wrong.

use std::collections::{HashMap, HashSet};

use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::sample::{commit, key, stream, to};
use super::{Fixture, check_log};
use crate::commit::{ClaimChange, Commit};
use crate::error::AppendError;
use crate::position::{ExpectedRevision, Revision};
use crate::stream::StreamName;

const COMMITS: usize = 400;

/// One attempt: small numbers, so that attempts meet.
#[derive(Clone, Debug)]
struct Attempt {
    command: u8,
    streams: [(u8, Option<u8>, u8); 2],
    claim: Option<(bool, u8, u8)>,
}

#[derive(Default)]
struct Model {
    revisions: HashMap<StreamName, u64>,
    claims: HashMap<u8, StreamName>,
    commands: HashSet<u8>,
    head: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Recorded { head: u64 },
    Duplicate,
    WrongRevision,
    Claim,
    Invalid,
}

/// Every answer is the model's answer, and in the end the log is as long as the model.
pub async fn random_histories_agree_with_a_model(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut model = Model::default();
    let mut recorded = 0;
    for number in 0..COMMITS {
        let attempt = attempt().new_tree(&mut runner).unwrap().current();
        let expected = model.answer(&attempt);
        let answer = match log.append(attempt.commit(number as u64)).await {
            Ok(receipt) => Answer::Recorded { head: receipt.position.get() },
            Err(AppendError::DuplicateCommand(_)) => Answer::Duplicate,
            Err(AppendError::WrongExpectedRevision { .. }) => Answer::WrongRevision,
            Err(AppendError::ClaimTaken { .. } | AppendError::ClaimNotHeld { .. }) => Answer::Claim,
            Err(AppendError::Invalid(_)) => Answer::Invalid,
            Err(error @ AppendError::Unavailable { .. }) => panic!("{error}"),
        };
        assert_eq!(answer, expected, "attempt {number}: {attempt:?}");
        recorded += usize::from(matches!(answer, Answer::Recorded { .. }));
    }
    assert!((COMMITS / 10..COMMITS * 9 / 10).contains(&recorded), "{recorded} of {COMMITS} say little");
    check_log(log.as_ref(), model.head);
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let stream = |ids: std::ops::Range<u8>| (ids, proptest::option::weighted(0.3, 0..12_u8), 0..3_u8);
    let claim = proptest::option::weighted(0.3, (any::<bool>(), 0..3_u8, 0..6_u8));
    (any::<u8>(), stream(0..3), stream(3..6), claim).prop_map(|(command, first, second, claim)| Attempt {
        command,
        streams: [first, second],
        claim,
    })
}

fn name(id: u8) -> StreamName {
    stream(&id.to_string())
}

impl Attempt {
    fn commit(&self, number: u64) -> Commit {
        let streams = self.streams.iter().map(|&(id, expected, events)| {
            let expected = expected
                .map_or(ExpectedRevision::Any, |at| ExpectedRevision::Exact(Revision::new(at.into())));
            to(name(id), expected, &vec![number; events.into()])
        });
        let mut commit = commit(self.command.into(), streams.collect());
        commit.claims.extend(self.claim.map(|(takes, claimed, id)| {
            let (key, stream) = (key(&claimed.to_string()), name(id));
            if takes { ClaimChange::Take { key, stream } } else { ClaimChange::Release { key, stream } }
        }));
        commit
    }
}

impl Model {
    fn answer(&mut self, attempt: &Attempt) -> Answer {
        if attempt.streams.iter().all(|(_, _, events)| *events == 0) {
            return Answer::Invalid;
        }
        if self.commands.contains(&attempt.command) {
            return Answer::Duplicate;
        }
        if attempt
            .streams
            .iter()
            .any(|(id, expected, _)| expected.is_some_and(|at| u64::from(at) != self.revision(*id)))
        {
            return Answer::WrongRevision;
        }
        if let Some((takes, claimed, id)) = attempt.claim {
            let begins = attempt.streams.iter().any(|(begun, _, events)| *begun == id && *events > 0);
            let holder = self.claims.get(&claimed);
            let allowed = if takes {
                holder.is_none_or(|holder| *holder == name(id))
            } else {
                holder == Some(&name(id))
            };
            if takes && !begins && self.revision(id) == 0 {
                return Answer::Invalid;
            }
            if !allowed {
                return Answer::Claim;
            }
            if takes {
                self.claims.insert(claimed, name(id));
            } else {
                self.claims.remove(&claimed);
            }
        }
        self.commands.insert(attempt.command);
        for &(id, _, events) in &attempt.streams {
            *self.revisions.entry(name(id)).or_default() += u64::from(events);
            self.head += u64::from(events);
        }
        Answer::Recorded { head: self.head }
    }

    fn revision(&self, id: u8) -> u64 {
        self.revisions.get(&name(id)).copied().unwrap_or_default()
    }
}
