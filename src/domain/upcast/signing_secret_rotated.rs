//! `client.signing_secret_rotated`: schema 1 knew no overlap, so the replaced secret had always ended at once.

use serde_json::Value;

use super::Upcast;

pub(super) const V1: Upcast = Upcast {
    event_type: "client.signing_secret_rotated",
    event_version: 1,
    to_type: "client.signing_secret_rotated",
    to_version: 2,
    data: |mut data| {
        if let Some(fields) = data.as_object_mut() {
            fields.insert("overlap_seconds".to_owned(), Value::from(0));
        }
        data
    },
};
