//! Which refusals are listed and which are only counted: whoever guesses can fill no disk.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::Count;

/// Refusals of one group that a minute lists; more are counted.
const LISTED_OF_A_GROUP: u32 = 5;
/// Refusals that a minute lists altogether: so many records are some 0.3 MB.
const LISTED: u32 = 1_000;
/// Groups that are told apart; what is in none of them is counted without client and address.
const GROUPS: usize = 1_000;

/// Refusals that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) kind: &'static str,
    pub(crate) environment: Option<String>,
    pub(crate) client: Option<String>,
    /// The part of the address that one owner has.
    pub(crate) prefix: Option<String>,
    pub(crate) reason: &'static str,
}

/// The refusals of this minute, and counts that wait to be recorded.
#[derive(Default)]
pub(crate) struct Flood(Mutex<Counters>);

#[derive(Default)]
struct Counters {
    /// Minutes since 1970.
    minute: i64,
    listed: u32,
    listed_of: HashMap<Group, u32>,
    counted: HashMap<Group, Count>,
    /// Of minutes that are over.
    over: HashMap<Group, Count>,
}

impl Flood {
    /// Whether a refusal is to be listed. If not, it is counted by now.
    pub(crate) fn lists(&self, group: Group, now: Timestamp) -> bool {
        let mut counters = self.counters();
        counters.begin(now);
        let Counters { listed, listed_of, counted, .. } = &mut *counters;
        let group = if listed_of.len() < GROUPS || listed_of.contains_key(&group) {
            group
        } else {
            Group { client: None, prefix: None, ..group }
        };
        let of_group = listed_of.entry(group.clone()).or_default();
        if *of_group < LISTED_OF_A_GROUP && *listed < LISTED {
            (*of_group, *listed) = (*of_group + 1, *listed + 1);
            return true;
        }
        counted.entry(group).or_insert(Count { times: 0, since: now }).times += 1;
        false
    }

    /// What was counted in minutes that are over, or in all of them.
    pub(crate) fn take(&self, now: Timestamp, all: bool) -> HashMap<Group, Count> {
        let mut counters = self.counters();
        counters.begin(now);
        if all {
            counters.finish();
        }
        std::mem::take(&mut counters.over)
    }

    /// Keeps for later what could not be recorded.
    pub(crate) fn put_back(&self, counted: HashMap<Group, Count>) {
        let mut counters = self.counters();
        for (group, count) in counted {
            counters.add_to_over(group, count);
        }
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    /// Begins a new minute, if it is one.
    fn begin(&mut self, now: Timestamp) {
        let minute = now.as_second().div_euclid(60);
        if minute != self.minute {
            self.finish();
            self.minute = minute;
            self.listed = 0;
            self.listed_of.clear();
        }
    }

    fn finish(&mut self) {
        for (group, count) in std::mem::take(&mut self.counted) {
            self.add_to_over(group, count);
        }
    }

    /// Minutes that could not be recorded are counted as one: while the disk refuses, memory must not grow.
    fn add_to_over(&mut self, group: Group, count: Count) {
        let group = if self.over.len() < GROUPS || self.over.contains_key(&group) {
            group
        } else {
            Group { client: None, prefix: None, ..group }
        };
        let over = self.over.entry(group).or_insert(Count { times: 0, since: count.since });
        over.times += count.times;
        over.since = over.since.min(count.since);
    }
}

/// The network that one owner mostly has: 24 bits of an IPv4 address, 48 of an IPv6 one.
pub(super) fn prefix(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, third, _] = address.octets();
            format!("{first}.{second}.{third}.0/24")
        }
        Ok(IpAddr::V6(address)) => {
            let [first, second, third, ..] = address.segments();
            format!("{first:x}:{second:x}:{third:x}::/48")
        }
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(client: usize, prefix: &str) -> Group {
        let client = Some(client.to_string());
        Group {
            kind: "authentication",
            environment: None,
            client,
            prefix: Some(prefix.into()),
            reason: "wrong",
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a2_a_group_is_listed_up_to_its_limit_and_then_counted() {
        let flood = Flood::default();
        let listed = (0..50).filter(|_| flood.lists(group(1, "a"), at(60))).count();
        assert_eq!(listed, 5);
        assert!(flood.lists(group(1, "b"), at(61)), "another address is another group");
        assert!(flood.take(at(119), false).is_empty(), "the minute is not over");
        let counted = flood.take(at(120), false);
        assert_eq!(counted, HashMap::from([(group(1, "a"), Count { times: 45, since: at(60) })]));
        assert!(flood.lists(group(1, "a"), at(121)), "a new minute");
    }

    #[test]
    fn a2_no_number_of_clients_and_addresses_fills_memory_or_disk() {
        let flood = Flood::default();
        let listed = (0..100_000).filter(|client| flood.lists(group(*client, "a"), at(60))).count();
        assert_eq!(listed, 1_000);
        let counted = flood.take(at(60), true);
        assert!(counted.len() <= GROUPS + 1, "{}", counted.len());
        assert_eq!(counted.values().map(|count| count.times).sum::<u64>(), 99_000);
        flood.put_back(counted);
        let again = flood.take(at(60), false);
        assert_eq!(again.values().map(|count| count.times).sum::<u64>(), 99_000, "nothing is lost");
    }

    #[test]
    fn an_owner_has_a_network() {
        assert_eq!(prefix("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(prefix("2001:db8:1:2::3"), "2001:db8:1::/48");
    }
}
