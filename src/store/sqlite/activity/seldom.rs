//! Vouchers of kinds that nearly every question about is answered no: what is there is held in memory, so that a no needs
//! no look into the file. This process alone writes the file, so that memory can know.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use crate::activity::{ActivityCommit, VoucherChange};
use crate::error::ReadError;

/// As many ids of a kind are held at most: some 10 MB.
const MOST: usize = 100_000;

/// The kinds that were asked about.
#[derive(Default)]
pub(super) struct Seldom(RwLock<HashMap<&'static str, Ids>>);

/// All ids of a kind that the file has, and maybe some that it has forgotten; `None` if there are too many to hold.
struct Ids(Option<HashSet<String>>);

impl Seldom {
    /// Whether there can be a voucher. `read` answers as many ids of the kind as it is asked for, if there are so many.
    pub(super) fn can_be(
        &self,
        kind: &'static str,
        id: &str,
        read: impl FnOnce(usize) -> Result<HashSet<String>, ReadError>,
    ) -> Result<bool, ReadError> {
        if let Some(ids) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(kind) {
            return Ok(ids.can_have(id));
        }
        // What becomes durable from now on is noted when this lock is free again.
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !kinds.contains_key(kind) {
            let ids = read(MOST + 1)?;
            kinds.insert(kind, Ids((ids.len() <= MOST).then_some(ids)));
        }
        Ok(kinds.get(kind).is_none_or(|ids| ids.can_have(id)))
    }

    /// Notes what is durable, before it is acknowledged.
    pub(super) fn note<'c>(&self, commits: impl Iterator<Item = &'c ActivityCommit>) {
        let issued = commits.flat_map(|commit| &commit.vouchers).filter_map(|change| match change {
            VoucherChange::Issue(voucher) => Some(voucher),
            VoucherChange::Spend { .. }
            | VoucherChange::Extend { .. }
            | VoucherChange::Replace { .. }
            | VoucherChange::Revoke { .. } => None,
        });
        let mut issued = issued.peekable();
        if issued.peek().is_none() {
            return;
        }
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for voucher in issued {
            let Some(Ids(ids)) = kinds.get_mut(voucher.kind) else { continue };
            if ids.as_ref().is_some_and(|ids| ids.len() >= MOST) {
                *ids = None;
            } else if let Some(ids) = ids {
                ids.insert(voucher.id.clone());
            }
        }
    }

    /// Knows nothing: the file is to be asked again.
    pub(super) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Ids {
    fn can_have(&self, id: &str) -> bool {
        self.0.as_ref().is_none_or(|ids| ids.contains(id))
    }
}
