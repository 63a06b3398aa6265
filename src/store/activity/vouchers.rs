//! Vouchers and counters: the little that is decided where activity is recorded.
//!
//! An authorization code, a refresh token or the id of a proof may be used once, on whatever node. That is decided where
//! the use is recorded, by the writer that puts everything in order, so that no use is let through twice and none is
//! let through without its record.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{ActivityCommit, ActivityError};

/// Something that is good for a time, and once spent not again: a code, a refresh token, a session, the id of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// What it is: `code`.
    pub kind: &'static str,
    /// Its id, unique in its kind as long as it is kept. Never the secret itself.
    pub id: String,
    /// What it is good for, as whoever issues it writes it; with nothing in it that could be presented.
    pub data: Vec<u8>,
    /// It is not good from here on, and is forgotten some time later.
    pub expires_at: Timestamp,
}

/// A voucher as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptVoucher {
    /// What it is good for.
    pub data: Vec<u8>,
    /// It is not good from here on.
    pub expires_at: Timestamp,
    /// When it was spent or revoked.
    pub spent_at: Option<Timestamp>,
}

/// What becomes of a voucher. A commit one of whose changes cannot be made is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoucherChange {
    /// There is a new one: refused if there is one of this kind and id, spent and expired ones among them.
    Issue(Voucher),
    /// It is used up: refused unless it is live.
    Spend {
        /// What it is.
        kind: &'static str,
        /// Which one.
        id: String,
    },
    /// It is good for longer: refused unless it is live.
    Extend {
        /// What it is.
        kind: &'static str,
        /// Which one.
        id: String,
        /// Its new end; an earlier one than it has is not taken.
        expires_at: Timestamp,
    },
    /// It is good for something else: refused unless it is live, and good for what was seen.
    Replace {
        /// What it is.
        kind: &'static str,
        /// Which one.
        id: String,
        /// What it was good for when that was looked at.
        seen: Vec<u8>,
        /// What it is good for from now on.
        data: Vec<u8>,
    },
    /// It is of no use any more, if it was of any.
    Revoke {
        /// What it is.
        kind: &'static str,
        /// Which one.
        id: String,
    },
}

/// One more of something that may be counted so far and no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Of what, and of which time: `tokens/<client>/<day>`.
    pub key: String,
    /// The count must not be beyond it afterwards; `None` is no limit.
    pub limit: Option<u64>,
    /// It is forgotten some time after this.
    pub expires_at: Timestamp,
}

impl KeptVoucher {
    /// Whether it can be used at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.spent_at.is_none() && self.expires_at > now
    }
}

impl VoucherChange {
    /// Whether it is about this voucher.
    #[must_use]
    pub fn is_of(&self, kind: &str, id: &str) -> bool {
        let (own_kind, own_id) = self.key();
        own_kind == kind && own_id == id
    }

    /// Which voucher it is about.
    pub(crate) fn key(&self) -> VoucherKey {
        let (kind, id) = match self {
            Self::Issue(voucher) => (voucher.kind, &voucher.id),
            Self::Spend { kind, id }
            | Self::Extend { kind, id, .. }
            | Self::Replace { kind, id, .. }
            | Self::Revoke { kind, id } => (*kind, id),
        };
        (kind, id.clone())
    }
}

/// Kind and id.
pub(crate) type VoucherKey = (&'static str, String);

/// How far something was counted, and until when that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    pub(crate) expires_at: Timestamp,
}

/// The vouchers and counts that a batch is about, as they stand after those of its commits that were admitted.
#[derive(Default)]
pub(crate) struct Staged {
    /// `None` is known not to be there.
    vouchers: HashMap<VoucherKey, Option<KeptVoucher>>,
    counts: HashMap<String, Option<Counted>>,
    changed_vouchers: Vec<VoucherKey>,
    changed_counts: Vec<String>,
}

impl Staged {
    pub(crate) fn knows_voucher(&self, key: &VoucherKey) -> bool {
        self.vouchers.contains_key(key)
    }

    pub(crate) fn knows_count(&self, key: &str) -> bool {
        self.counts.contains_key(key)
    }

    /// What the database has, before [`admit`](Self::admit) asks for it.
    pub(crate) fn voucher_is(&mut self, key: VoucherKey, kept: Option<KeptVoucher>) {
        self.vouchers.insert(key, kept);
    }

    pub(crate) fn count_is(&mut self, key: String, counted: Option<Counted>) {
        self.counts.insert(key, counted);
    }

    /// Makes all changes of a commit, or none.
    pub(crate) fn admit(&mut self, commit: &ActivityCommit, now: Timestamp) -> Result<(), ActivityError> {
        let mut vouchers: Vec<(VoucherKey, Option<KeptVoucher>)> = Vec::with_capacity(commit.vouchers.len());
        for change in &commit.vouchers {
            let key = change.key();
            let earlier =
                vouchers.iter().rev().find(|(changed, _)| *changed == key).map(|(_, after)| after.as_ref());
            let before = earlier.unwrap_or_else(|| self.vouchers.get(&key).and_then(Option::as_ref));
            let live = before.filter(|kept| kept.is_live(now)).cloned();
            let not_live = || ActivityError::VoucherNotLive { kind: key.0, id: key.1.clone() };
            let after = match change {
                VoucherChange::Issue(_) if before.is_some() => {
                    return Err(ActivityError::VoucherTaken { kind: key.0, id: key.1 });
                }
                VoucherChange::Issue(Voucher { data, expires_at, .. }) => {
                    Some(KeptVoucher { data: data.clone(), expires_at: *expires_at, spent_at: None })
                }
                VoucherChange::Spend { .. } => {
                    Some(KeptVoucher { spent_at: Some(now), ..live.ok_or_else(not_live)? })
                }
                VoucherChange::Extend { expires_at, .. } => {
                    let live = live.ok_or_else(not_live)?;
                    Some(KeptVoucher { expires_at: live.expires_at.max(*expires_at), ..live })
                }
                VoucherChange::Replace { seen, data, .. } => {
                    let live = live.filter(|live| live.data == *seen).ok_or_else(not_live)?;
                    Some(KeptVoucher { data: data.clone(), ..live })
                }
                VoucherChange::Revoke { .. } => live.map(|live| KeptVoucher { spent_at: Some(now), ..live }),
            };
            if after.is_some() {
                vouchers.push((key, after));
            }
        }
        let mut counts: Vec<(String, Counted)> = Vec::with_capacity(commit.counts.len());
        for one in &commit.counts {
            let earlier = counts.iter().rev().find(|(key, _)| *key == one.key).map(|(_, counted)| *counted);
            let before = earlier.or_else(|| self.counts.get(&one.key).copied().flatten());
            let count = before.map_or(0, |counted| counted.count) + 1;
            if one.limit.is_some_and(|limit| count > limit) {
                return Err(ActivityError::OverLimit { key: one.key.clone() });
            }
            let expires_at = before.map_or(one.expires_at, |counted| counted.expires_at.max(one.expires_at));
            counts.push((one.key.clone(), Counted { count, expires_at }));
        }
        for (key, after) in vouchers {
            self.changed_vouchers.push(key.clone());
            self.vouchers.insert(key, after);
        }
        for (key, counted) in counts {
            self.changed_counts.push(key.clone());
            self.counts.insert(key, Some(counted));
        }
        Ok(())
    }

    /// The vouchers that are not as the database has them, each once, in one order, so that two nodes never wait for each
    /// other.
    pub(crate) fn changed_vouchers(&mut self) -> impl Iterator<Item = (&VoucherKey, &KeptVoucher)> {
        self.changed_vouchers.sort_unstable();
        self.changed_vouchers.dedup();
        self.changed_vouchers.iter().filter_map(|key| Some((key, self.vouchers.get(key)?.as_ref()?)))
    }

    /// The counts that are not as the database has them, each once, in one order.
    pub(crate) fn changed_counts(&mut self) -> impl Iterator<Item = (&String, &Counted)> {
        self.changed_counts.sort_unstable();
        self.changed_counts.dedup();
        self.changed_counts.iter().filter_map(|key| Some((key, self.counts.get(key)?.as_ref()?)))
    }
}
