//! When personal tokens were used: a record in the activity log, once an hour a token.
//!
//! What a member did with it is in the main log, and what was tried with one that does not work is in the activity log. This
//! is for the question which tokens nobody needs any more, to which looks count as well, and the hour is enough.

use std::time::Duration;

use moka::sync::Cache;

use crate::{
    App, Principal,
    activity::{Deed, MEMBER_AUTHENTICATION},
    context::Source,
};

/// How long a recorded use stands for those after it.
const RECORDED_EVERY: Duration = Duration::from_secs(60 * 60);
/// Tokens that are remembered; one that is not is recorded more often.
const REMEMBERED: u64 = 50_000;

/// The tokens a use of which was recorded within the hour. By the monotonic clock: the wall clock may be set.
pub(crate) struct TokenUses(Cache<String, ()>);

impl TokenUses {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_live(RECORDED_EVERY).build())
    }

    /// Whether this use is to be recorded; of several at one moment, one is.
    fn is_due(&self, token: &str) -> bool {
        self.0.entry_by_ref(token).or_insert(()).is_fresh()
    }
}

impl App {
    /// Records that a token is used, unless a use of it was recorded on this node within the hour. One that cannot be
    /// recorded is left out, and so are those of the hour after it: whoever only looks must be answered when the disk is
    /// full, and a command is recorded in the main log or does not happen.
    pub async fn token_used(&self, principal: &Principal, request_id: String, source: Option<Source>) {
        let Some(token) = principal.via.token().filter(|token| self.inner.token_uses.is_due(&token.0)) else {
            return;
        };
        let credential = Some(token.to_string());
        let deed = Deed { kind: MEMBER_AUTHENTICATION, credential, request_id, source, ..Deed::default() };
        if let Err(fault) = self.inner.record_done(deed, Vec::new()).await {
            tracing::warn!(error = %fault, "recording that a personal token was used");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TokenUses;

    #[test]
    fn l1_of_the_uses_of_a_token_within_the_hour_the_first_is_recorded() {
        let uses = TokenUses::new();
        let due = ["one", "one", "two", "one", "two"].map(|token| uses.is_due(token));
        assert_eq!(due, [true, false, true, false, false]);
    }
}
