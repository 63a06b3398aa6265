//! A record of the activity log.

use jiff::Timestamp;
use serde::Serialize;
use store::{Position, RecordedActivity};
use utoipa::ToSchema;

/// Something that a client did, or that was refused to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActivityRecord {
    /// Its place in the activity log, which is not that of the audit.
    #[schema(value_type = u64)]
    position: Position,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `authentication`, `member_authentication`, `payload_signing`, `payload_verification`, `payload_encryption`,
    /// `payload_decryption`.
    kind: String,
    #[schema(value_type = String, pattern = "^(done|refused)$")]
    outcome: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// The id of the client that was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The id of the secret that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_id: Option<String>,
    /// The id of the token that was issued, asked about or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    /// The grant that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<String>,
    /// The scopes of it, separated by blanks.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// How many times: refusals beyond the first of their kind in a minute are counted.
    count: u64,
    /// When the first of those counted was.
    #[serde(with = "domain::time::micros::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

impl From<RecordedActivity> for ActivityRecord {
    fn from(RecordedActivity { position, at, activity }: RecordedActivity) -> Self {
        Self {
            position,
            at,
            kind: activity.kind,
            outcome: activity.outcome.as_str(),
            reason: activity.reason,
            environment: activity.environment,
            client_id: activity.client,
            secret_id: activity.credential,
            token_id: activity.token,
            grant_id: activity.grant,
            scope: activity.scope,
            request_id: activity.request_id,
            count: activity.count,
            since: activity.since,
        }
    }
}
