//! How many wrong passwords and codes there may be: whoever guesses is stopped, and nobody else.
//!
//! Failures are counted by who it is that somebody claims to be, together with the network that they come from, and by the
//! network alone. What comes from one network takes nothing from another: nobody locks a member out from elsewhere. The counts
//! are kept where activity is recorded, the same on every node and over a restart. What is on its way counts as if it had
//! failed, so that a crowd of guesses at one moment is no more than they one by one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use store::Count;

use crate::{Inner, activity::group, context::Source, error::Fault};

/// Failures are counted in windows of so many seconds, one after another.
const WINDOW_SECONDS: i64 = 15 * 60;
/// Failures of one name from one network in a window.
const MOST_OF_A_NAME: u64 = 10;
/// Failures from one network in a window, whatever the names.
const MOST_OF_A_NETWORK: u64 = 100;

/// What a try is counted by: name and network, and the network alone.
#[derive(Clone, Debug)]
pub(crate) struct CountedBy([(String, u64); 2]);

/// Tries that are on their way on this node.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<HashMap<String, u64>>);

/// A try on its way; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    under_way: Arc<UnderWay>,
    counted_by: CountedBy,
}

/// There were too many; after so many seconds there may be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) retry_after_seconds: u64,
}

impl std::fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnderWay").finish_non_exhaustive()
    }
}

impl UnderWay {
    /// Adds a try; answers how many of its kinds there are now.
    fn begin(&self, counted_by: &CountedBy) -> [u64; 2] {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted_by.0.each_ref().map(|(key, _)| {
            let tries = under_way.entry(key.clone()).or_default();
            *tries += 1;
            *tries
        })
    }

    fn end(&self, counted_by: &CountedBy) {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in &counted_by.0 {
            if let Some(tries) = under_way.get_mut(key) {
                *tries -= 1;
                if *tries == 0 {
                    under_way.remove(key);
                }
            }
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.under_way.end(&self.counted_by);
    }
}

impl CountedBy {
    /// What is counted when it has failed.
    pub(crate) fn failure(&self, now: Timestamp) -> Vec<Count> {
        let (window, ends_at) = window(now);
        let count = |(key, _): &(String, u64)| Count {
            key: format!("sign_in/{key}/{window}"),
            limit: None,
            expires_at: ends_at,
        };
        self.0.iter().map(count).collect()
    }
}

/// The number of a window, and when it ends.
fn window(now: Timestamp) -> (i64, Timestamp) {
    let window = now.as_second().div_euclid(WINDOW_SECONDS);
    let ends_at = Timestamp::from_second((window + 1) * WINDOW_SECONDS);
    (window, ends_at.unwrap_or(Timestamp::MAX))
}

impl Inner {
    /// What tries of somebody who says to be `name` are counted by; nobody reads from a key who it was.
    pub(crate) fn counted_by(&self, name: &str, source: Option<&Source>) -> CountedBy {
        let network = source.map(|source| group::prefix(source.address.expose())).unwrap_or_default();
        let digests = &self.vault.ring.digests;
        let key = |label: &str, parts: &[&[u8]]| URL_SAFE_NO_PAD.encode(&digests.digest(label, parts)[..16]);
        CountedBy([
            (key("sign-in/name", &[name.as_bytes(), network.as_bytes()]), MOST_OF_A_NAME),
            (key("sign-in/network", &[network.as_bytes()]), MOST_OF_A_NETWORK),
        ])
    }

    /// Lets a try begin, unless too many have failed.
    pub(crate) async fn admitted(&self, counted_by: &CountedBy) -> Result<Result<Admitted, TooMany>, Fault> {
        let under_way = self.tries.begin(counted_by);
        let admitted = Admitted { under_way: Arc::clone(&self.tries), counted_by: counted_by.clone() };
        let now = self.log.now();
        let (window, ends_at) = window(now);
        let mut wait = None;
        for ((key, most), under_way) in counted_by.0.iter().zip(under_way) {
            let failed = self.activity.counted(&format!("sign_in/{key}/{window}")).await?;
            if failed >= *most {
                let left = ends_at.duration_since(now).max(SignedDuration::from_secs(1));
                wait = wait.max(Some(u64::try_from(left.as_secs()).unwrap_or(1)));
            } else if failed + under_way > *most {
                wait = wait.max(Some(1));
            }
        }
        Ok(match wait {
            Some(retry_after_seconds) => Err(TooMany { retry_after_seconds }),
            None => Ok(admitted),
        })
    }
}
