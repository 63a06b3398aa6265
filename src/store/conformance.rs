//! One suite that every backend passes. What it demands is what [`EventLog`] promises.
//!
//! A backend writes a [`Fixture`] and calls [`conformance_suite!`](crate::conformance_suite) with it in a test module;
//! each check becomes a test on a log of its own, and ends with a verification of the whole log.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed check is a failed test")]

pub mod activity;
pub mod appending;
pub mod claims;
pub mod clock;
pub mod histories;
pub mod keys;
pub mod reading;
pub mod sample;
pub mod vault;

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::ManualClock;
use crate::event_log::EventLog;
use crate::position::Position;

/// A log, or what is kept beside it, that can be opened anew.
#[async_trait]
pub trait Fixture<L: ?Sized = dyn EventLog>: Send {
    /// Closes what was opened last, and opens it again; opens a fresh one at first.
    async fn open(&mut self) -> Arc<L>;

    /// The clock that all logs of this fixture are opened with.
    fn clock(&self) -> Arc<ManualClock>;
}

/// Fails unless the log reaches to `head` and nothing in it is amiss.
///
/// # Panics
/// With every defect.
pub fn check_log(log: &dyn EventLog, head: u64) {
    let mut defects = Vec::new();
    let verified = log.verify(&mut |_| (), &mut |defect| defects.push(defect.to_string())).unwrap();
    assert!(defects.is_empty(), "{defects:#?}");
    assert_eq!(verified.head, Position::new(head));
}

/// Makes a test of every check of the suite; the argument is an expression that makes a fresh [`Fixture`].
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:expr) => {
        $crate::conformance_suite! { @tests $fixture;
            appending::positions_and_revisions_are_dense
            appending::expected_revisions_are_demanded
            appending::a_commit_is_all_or_nothing
            appending::a_command_happens_once
            appending::a_thousand_concurrent_appends_are_dense
            appending::a_dropped_future_does_not_cancel_the_commit
            appending::what_is_invalid_is_refused_and_loses_nothing
            appending::an_entry_is_golden
            reading::entries_survive_reopening_byte_for_byte
            reading::a_reader_never_sees_a_gap
            reading::pages_and_scans_agree
            reading::a_subscription_starts_anywhere_and_waits
            reading::streams_of_a_category_are_listed_by_name
            claims::a_stream_gives_up_what_it_holds_in_a_namespace
            claims::a_claim_is_taken_moved_and_released
            claims::one_of_many_takers_wins
            vault::credentials_are_kept_and_destroyed
            vault::disclosures_are_kept
            vault::events_are_found_by_lookup_tokens
            clock::a_clock_set_back_is_recorded
            clock::expiry_is_not_judged_by_less_than_was_recorded
            clock::one_wrong_reading_of_the_clock_does_not_last
            histories::random_histories_agree_with_a_model
        }
    };
    (@tests $fixture:expr; $($module:ident::$check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                $crate::conformance::$module::$check(&mut $fixture).await;
            }
        )*
    };
}

/// Makes a test of every check of an activity log; the argument is an expression that makes a fresh [`Fixture`].
#[macro_export]
macro_rules! activity_suite {
    ($fixture:expr) => {
        $crate::conformance_suite! { @tests $fixture;
            activity::positions_are_dense_and_records_survive_reopening
            activity::a4_each_filter_finds_its_records
            activity::the_last_use_stands_in_the_commit_of_the_use
            activity::a_digest_is_kept_without_waiting_and_with_a_record
            activity::time_never_goes_back
            activity::a11_a_segment_is_closed_once_its_day_is_over_and_gets_no_more_records
            activity::oauth_26_a_voucher_is_spent_once
            activity::a_commit_that_is_refused_leaves_nothing
            activity::oauth_27_a_voucher_is_good_for_its_time
            activity::l1_a_voucher_is_replaced_as_it_was_seen
            activity::o2_what_is_counted_keeps_to_its_limit
        }
    };
}

/// Makes a test of every check of a key store; the argument is an expression that makes a fresh [`Fixture`].
#[macro_export]
macro_rules! key_suite {
    ($fixture:expr) => {
        $crate::conformance_suite! { @tests $fixture;
            keys::data_keys_are_kept_in_order_and_never_replaced
            keys::a_token_wins_over_a_second_person
            keys::a_slot_is_used_once
        }
    };
}
