//! `environment.policy_changed`: schema 2 knows further settings, none of which schema 1 could change.

use super::Upcast;

pub(super) const V1: Upcast = Upcast {
    event_type: "environment.policy_changed",
    event_version: 1,
    to_type: "environment.policy_changed",
    to_version: 2,
    data: |data| data,
};
