//! Events that belong to no aggregate: what the service records about itself and about requests it refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{SecretId, VerificationId, event::events};

events! {
    /// Recorded for the audit alone; no state is folded from them.
    RegistryEvent {
        /// The wall clock went back between two commits.
        ClockStepped(ClockStepped) = "clock.stepped", 1;
        /// A command of an admin was refused (behaviour A2); its outcome is `refused`.
        CommandRefused(CommandRefused) = "command.refused", 1;
        /// So many more were refused in a minute (behaviour A2); its outcome is `refused`.
        RefusalsCounted(RefusalsCounted) = "command.refusals_counted", 1;
        /// Private parts of events or clients were opened for someone (behaviour A2).
        PrivatePartsOpened(PrivatePartsOpened) = "audit.private_parts_opened", 1;
        /// The audit was read (behaviour A2); the same question soon after is not recorded again.
        AuditRead(AuditRead) = "audit.read", 1;
        /// The audit was exported (behaviour A2), each time.
        AuditExported(AuditExported) = "audit.exported", 1;
        /// Somebody has log and views verified (behaviour A12).
        AuditVerificationStarted(AuditVerificationStarted) = "audit.verification_started", 1;
        /// What that found (behaviour A12).
        AuditVerified(AuditVerified) = "audit.verified", 1;
        /// A member used a client's signing secret (behaviour O4); the same use soon after is not recorded again.
        SigningSecretUsed(SigningSecretUsed) = "signing_secret.used", 1;
        /// The views of a node were folded anew and changed for the old ones (behaviour A8).
        ViewsRebuilt(ViewsRebuilt) = "views.rebuilt", 1;
        /// A day of the activity log is over (behaviour A11).
        ActivitySegmentClosed(ActivitySegmentClosed) = "activity.segment_closed", 1;
    }
}

/// What a segment of the activity log holds, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivitySegmentClosed {
    /// Days since 1970-01-01 (UTC).
    pub segment: i64,
    /// The position of its first record, in the activity log.
    pub first_position: u64,
    /// The position of its last record.
    pub last_position: u64,
    /// The root of the Merkle tree over its records (RFC 6962 section 2.1), in base64url.
    pub root: String,
}

/// From the later to the earlier time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockStepped {
    /// The last recorded time.
    #[serde(with = "crate::time::micros")]
    pub from: Timestamp,
    /// What the clock says now.
    #[serde(with = "crate::time::micros")]
    pub to: Timestamp,
}

/// What was asked, of what, and which problem answered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRefused {
    /// The command's name, `CreateClient`.
    pub command: String,
    /// The stream it was meant for, if it got that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The slug of the problem that answered it.
    pub problem: String,
    /// Pointers and rules of the first [`MOST_REFUSED_FIELDS`] fields at fault; never their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<RefusedField>,
}

/// Commands of one actor that were refused beyond those of a minute that are recorded one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalsCounted {
    /// The command's name.
    pub command: String,
    /// The slug of the problem that answered each of them.
    pub problem: String,
    /// How many.
    pub count: u64,
    /// When the first of them was refused.
    #[serde(with = "crate::time::micros")]
    pub from: Timestamp,
    /// When the last of them was.
    #[serde(with = "crate::time::micros")]
    pub to: Timestamp,
}

/// The most fields at fault that an event names: a hostile request can have more than an entry of the log can hold.
pub const MOST_REFUSED_FIELDS: usize = 100;

/// One field at fault, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedField {
    /// RFC 6901 pointer into the request body.
    pub pointer: String,
    /// The rule it broke.
    pub rule: String,
}

impl From<&crate::Violation> for RefusedField {
    fn from(violation: &crate::Violation) -> Self {
        let rule = serde_json::to_value(violation.rule).ok();
        let rule = rule.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        // The name of a field that we do not know is text of whoever sent it, and can say anything.
        let named_by_sender = violation.rule == crate::Rule::UnknownField;
        let known = violation.pointer.rsplit_once('/').filter(|_| named_by_sender);
        Self { pointer: known.map_or(violation.pointer.as_str(), |(known, _)| known).to_owned(), rule }
    }
}

/// Whose private parts were opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivatePartsOpened {
    /// What was read: `audit.events`, `client`, ...
    pub what: String,
    /// The stream it belongs to, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The events whose private parts were opened, by position.
    pub positions: Vec<u64>,
    /// How many private parts they have together.
    pub parts: u32,
}

/// What was asked of the audit. Which events answered it depends on when it was asked; the question is what is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRead {
    /// What was read: `audit.events`, `audit.event`, `client.history`.
    pub what: String,
    /// The stream it belongs to, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Filters by name, with the values that tell about nobody.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<String, String>,
    /// Names of the filters whose values may tell about a person; the values are a private part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private_filters: Vec<String>,
    /// For how long the same question through the same token is not recorded again.
    pub coalesced_seconds: u32,
}

/// What was taken out of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditExported {
    /// Filters by name, with the values that tell about nobody.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<String, String>,
    /// Names of the filters whose values may tell about a person; the values are a private part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private_filters: Vec<String>,
    /// The format it was written in: `ndjson`, `csv`, …
    pub format: String,
    /// Whether private parts were asked for.
    pub include_private: bool,
    /// It begins after this position.
    pub after: u64,
    /// It ends with this position.
    pub until: u64,
}

/// A verification that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditVerificationStarted {
    /// Its id.
    pub verification_id: VerificationId,
    /// The last position there was.
    pub head: u64,
}

/// A verification that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditVerified {
    /// Its id.
    pub verification_id: VerificationId,
    /// `sound`, `log_damaged`, `views_differ`, `views_incomplete`, `failed`.
    pub verdict: String,
    /// The last position that it has seen.
    pub position: u64,
    /// How much in the log is not as the log writes it.
    pub defects: u64,
    /// How many rows of the views are not what the log says.
    pub differing_rows: u64,
}

/// Who did what with which secrets; the payload is nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningSecretUsed {
    /// The client's stream.
    pub subject: String,
    /// `sign`, `verify`, `encrypt`, `decrypt`.
    pub operation: String,
    /// The secrets that it was done with, the newest first.
    pub signing_secret_ids: Vec<SecretId>,
    /// For how long the same use through the same token is not recorded again.
    pub coalesced_seconds: u32,
}

/// What a rebuild of the views found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewsRebuilt {
    /// Each view.
    pub views: Vec<RebuiltView>,
}

/// A view before and after: the SHA-256 of all its rows, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuiltView {
    /// Its name.
    pub name: String,
    /// The position that both stood at when they were compared; the new one's own if there was no old one.
    pub position: u64,
    /// Of the old one; left out if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of the new one; left out if there was none to compare it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How many rows of the old one were not what the log says.
    pub differing_rows: u64,
}

#[cfg(test)]
mod tests {
    use super::RefusedField;
    use crate::{Rule, Violation};

    #[test]
    fn a3_a_refused_field_is_named_without_its_value() {
        let violation =
            Violation::new("/redirect_uris/1", Rule::NotHttps, "must be https, not `http://me@a.example`");
        let field = RefusedField { pointer: "/redirect_uris/1".into(), rule: "not_https".into() };
        assert_eq!(RefusedField::from(&violation), field);
        let violation = Violation::new("/contacts/0/ada@example.com", Rule::UnknownField, "no such field");
        let field = RefusedField { pointer: "/contacts/0".into(), rule: "unknown_field".into() };
        assert_eq!(RefusedField::from(&violation), field, "nor by a name of the sender's choice");
    }
}
