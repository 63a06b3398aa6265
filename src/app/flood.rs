//! Which refusals are listed and which are only counted: whoever guesses, and whose script has gone wild, fills no disk.
//!
//! A minute begins with the first refusal after the one before it. In it so many are listed; the others are counted, by
//! what they have in common, and each count is recorded once when the minute is over or the service stops.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// Kinds that are told apart; what is none of them is counted as the coarser kind.
const KINDS: usize = 1_000;

/// What refusals have in common that are counted together.
pub(crate) trait Kind: Clone + Eq + Hash {
    /// Who shares what a minute lists.
    type Share: Eq + Hash;
    /// What is kept of the first one that was counted.
    type First;

    /// Refusals of one share that a minute lists; more are counted.
    const LISTED_OF_A_SHARE: u32;
    /// Refusals that a minute lists altogether.
    const LISTED: u32;
    /// Kinds that a minute counts apart.
    const COUNTED: usize;

    fn share(&self) -> Self::Share;

    /// What it is counted as when there are too many kinds; of coarser ones there must be few.
    fn coarser(self) -> Self;
}

/// How often something happened, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count<F> {
    pub(crate) times: u64,
    /// When the first of them was.
    pub(crate) from: Timestamp,
    /// When the last of them was.
    pub(crate) to: Timestamp,
    pub(crate) first: F,
}

/// What was counted, by its kind.
pub(crate) type Counts<K> = HashMap<K, Count<<K as Kind>::First>>;

/// The refusals of this minute, and counts that wait to be recorded.
pub(crate) struct Flood<K: Kind>(Mutex<Counters<K>>);

struct Counters<K: Kind> {
    began: Option<Timestamp>,
    listed: u32,
    listed_of: HashMap<K::Share, u32>,
    counted: Counts<K>,
    /// Of minutes that are over.
    over: Counts<K>,
}

impl<K: Kind> Default for Flood<K> {
    fn default() -> Self {
        Self(Mutex::new(Counters {
            began: None,
            listed: 0,
            listed_of: HashMap::new(),
            counted: HashMap::new(),
            over: HashMap::new(),
        }))
    }
}

impl<K: Kind> Flood<K> {
    /// Whether a refusal is to be listed. If not, it is counted by now.
    pub(crate) fn lists(&self, kind: K, now: Timestamp, first: impl FnOnce(&K) -> K::First) -> bool {
        let mut counters = self.counters();
        counters.end_minute(now);
        counters.began.get_or_insert(now);
        let Counters { listed, listed_of, counted, .. } = &mut *counters;
        let kind = if listed_of.len() < KINDS || listed_of.contains_key(&kind.share()) {
            kind
        } else {
            kind.coarser()
        };
        let of_share = listed_of.entry(kind.share()).or_default();
        if *of_share < K::LISTED_OF_A_SHARE && *listed < K::LISTED {
            (*of_share, *listed) = (*of_share + 1, *listed + 1);
            return true;
        }
        let kind =
            if counted.len() < K::COUNTED || counted.contains_key(&kind) { kind } else { kind.coarser() };
        let none_yet = |kind: &K| Count { times: 0, from: now, to: now, first: first(kind) };
        let count = counted.entry(kind).or_insert_with_key(none_yet);
        (count.times, count.to) = (count.times + 1, now);
        false
    }

    /// What was counted in minutes that are over, or in all of them.
    pub(crate) fn take(&self, now: Timestamp, all: bool) -> Counts<K> {
        let mut counters = self.counters();
        counters.end_minute(now);
        if all {
            counters.finish();
        }
        std::mem::take(&mut counters.over)
    }

    /// Keeps for later what could not be recorded.
    pub(crate) fn put_back(&self, counts: impl IntoIterator<Item = (K, Count<K::First>)>) {
        let mut counters = self.counters();
        for (kind, count) in counts {
            counters.add_to_over(kind, count);
        }
    }

    fn counters(&self) -> MutexGuard<'_, Counters<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Counters<K> {
    /// Ends the minute, if it is over, or if the clock was set back before it.
    fn end_minute(&mut self, now: Timestamp) {
        let is_over = |began: Timestamp| now < began || now.duration_since(began) >= MINUTE;
        if self.began.is_some_and(is_over) {
            self.finish();
            self.began = None;
            self.listed = 0;
            self.listed_of.clear();
        }
    }

    fn finish(&mut self) {
        for (kind, count) in std::mem::take(&mut self.counted) {
            self.add_to_over(kind, count);
        }
    }

    /// Minutes that could not be recorded are counted as one: while the disk refuses, memory must not grow.
    fn add_to_over(&mut self, kind: K, count: Count<K::First>) {
        let known = self.over.len() < KINDS || self.over.contains_key(&kind);
        let kind = if known { kind } else { kind.coarser() };
        if let Some(over) = self.over.get_mut(&kind) {
            over.times += count.times;
            (over.from, over.to) = (over.from.min(count.from), over.to.max(count.to));
        } else {
            self.over.insert(kind, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client, and what it was refused for.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Guess(Option<usize>, &'static str);

    impl Kind for Guess {
        type Share = Option<usize>;
        type First = ();

        const LISTED_OF_A_SHARE: u32 = 5;
        const LISTED: u32 = 1_000;
        const COUNTED: usize = 20;

        fn share(&self) -> Option<usize> {
            self.0
        }

        fn coarser(self) -> Self {
            Self(None, self.1)
        }
    }

    fn guess(client: usize) -> Guess {
        Guess(Some(client), "wrong")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn lists(flood: &Flood<Guess>, guess: Guess, second: i64) -> bool {
        flood.lists(guess, at(second), |_| ())
    }

    fn count(times: u64, from: i64, to: i64) -> Count<()> {
        Count { times, from: at(from), to: at(to), first: () }
    }

    #[test]
    fn a2_a_kind_is_listed_up_to_its_limit_and_then_counted() {
        let flood = Flood::default();
        let listed = (0..50).filter(|_| lists(&flood, guess(1), 70)).count();
        assert_eq!(listed, 5);
        assert!(!lists(&flood, Guess(Some(1), "malformed"), 71), "the same client has the same share");
        assert!(lists(&flood, guess(2), 71), "another client has another");
        assert!(!lists(&flood, guess(1), 80));
        assert!(flood.take(at(129), false).is_empty(), "the minute is not over");
        let counted = flood.take(at(130), false);
        let others = (Guess(Some(1), "malformed"), count(1, 71, 71));
        assert_eq!(counted, HashMap::from([(guess(1), count(46, 70, 80)), others]));
        assert!(lists(&flood, guess(1), 131), "a new minute");
    }

    #[test]
    fn a2_no_number_of_clients_and_addresses_fills_memory_or_disk() {
        let flood = Flood::default();
        let listed = (0..100_000).filter(|client| lists(&flood, guess(*client), 60)).count();
        assert_eq!(listed, 1_000);
        let counted = flood.take(at(60), true);
        assert!(counted.len() <= 20 + 1, "{}", counted.len());
        assert_eq!(counted.values().map(|count| count.times).sum::<u64>(), 99_000);
        flood.put_back(counted);
        let again = flood.take(at(60), false);
        assert_eq!(again.values().map(|count| count.times).sum::<u64>(), 99_000, "nothing is lost");
    }
}
