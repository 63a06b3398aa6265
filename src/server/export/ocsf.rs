//! The Open Cybersecurity Schema Framework, version 1.1.0, class Entity Management (3004).
//!
//! | OCSF | is |
//! | --- | --- |
//! | `activity_id` | 1 created, 2 read, revealed, opened or exported, 4 deleted or erased, 99 refused, else 3 |
//! | `status_id` | 1 done, 2 refused; `status_detail` is the problem |
//! | `entity` | the stream: its category, its id, the revision; `data` is the event's data |
//! | `actor.user` | who acted, by pseudonym; `actor.session.credential_uid` the credential |
//! | `metadata` | `uid`, `event_code`, `sequence`, `correlation_uid`: id, type, position, correlation id |
//! | `comment`, `src_endpoint.ip` | reason and address, where private parts were opened |
//! | `raw_data` | the entry, byte for byte |
//! | `unmapped` | what OCSF has no place for |

use serde_json::{Value, json};
use store::{ActorKind, Envelope, Outcome};

use super::{End, ExportError, Exported, line};

/// The version of the schema that the mapping was written for.
const SCHEMA: &str = "1.1.0";
const CATEGORY: u32 = 3;
const CLASS: u32 = 3_004;

/// What happened, as OCSF numbers it, and what it calls that.
#[derive(Clone, Copy)]
struct Activity(u32, &'static str);

impl Activity {
    fn of(event_type: &str) -> Self {
        let verb = event_type.rsplit_once('.').map_or(event_type, |(_, verb)| verb);
        let ends = |endings: &[&str]| endings.iter().any(|ending| verb.ends_with(ending));
        if verb == "created" {
            Self(1, "Create")
        } else if verb == "read" || ends(&["_revealed", "_opened", "exported"]) {
            Self(2, "Read")
        } else if ends(&["deleted", "erased"]) {
            Self(4, "Delete")
        } else if verb == "refused" {
            Self(99, "Other")
        } else {
            Self(3, "Update")
        }
    }
}

pub(super) fn event(exported: &Exported<'_>) -> Result<Vec<u8>, ExportError> {
    let envelope = &exported.envelope;
    let data: Value = serde_json::from_str(envelope.data.get())?;
    let Activity(activity_id, activity_name) = Activity::of(&envelope.event_type);
    let refused = envelope.outcome == Outcome::Refused;
    let (category, id) = envelope.stream.split_once('-').unwrap_or((&envelope.stream, ""));
    let mut event = json!({
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Identity & Access Management",
        "class_uid": CLASS,
        "class_name": "Entity Management",
        "type_uid": CLASS * 100 + activity_id,
        "time": envelope.at.as_millisecond(),
        "severity_id": if refused { 2 } else { 1 },
        "status_id": if refused { 2 } else { 1 },
        "status": if refused { "Failure" } else { "Success" },
        "metadata": {
            "version": SCHEMA,
            "uid": envelope.id,
            "event_code": envelope.event_type,
            "sequence": exported.position,
            "correlation_uid": envelope.correlation_id,
            "original_time": store::to_rfc3339(envelope.at),
            "product": product(),
        },
        "actor": actor(envelope),
        "entity": { "uid": id, "type": category, "version": envelope.revision.to_string(), "data": data },
        "raw_data": exported.entry.get(),
        "unmapped": unmapped(envelope),
    });
    if let Some(problem) = event.pointer("/entity/data/problem").filter(|_| refused).cloned() {
        event["status_detail"] = problem;
    }
    if let Some(parts) = exported.private {
        let parts: Vec<Value> = serde_json::from_str(parts.get())?;
        let part = |name: &str| parts.iter().find(|part| part["name"] == name).map(|part| &part["value"]);
        if let Some(reason) = part("reason") {
            event["comment"] = reason.clone();
        }
        if let Some(address) = part("source").and_then(|source| source.get("address")) {
            event["src_endpoint"] = json!({ "ip": address });
        }
        event["unmapped"]["private"] = Value::Array(parts);
    }
    line(&event)
}

/// A base event: there is no class for it.
pub(super) fn end(end: &End) -> Result<Vec<u8>, ExportError> {
    line(&json!({
        "activity_id": 99,
        "activity_name": "Export ended",
        "category_uid": 0,
        "class_uid": 0,
        "type_uid": 99,
        "time": 0,
        "severity_id": 1,
        "metadata": { "version": SCHEMA, "product": product() },
        "unmapped": { "export": end },
    }))
}

fn product() -> Value {
    json!({ "name": "Muniment", "vendor_name": "Muniment", "version": env!("CARGO_PKG_VERSION") })
}

fn actor(envelope: &Envelope<'_>) -> Value {
    let (type_id, kind) = match envelope.actor.kind {
        ActorKind::Member => (1, "member"),
        ActorKind::Client => (99, "client"),
        ActorKind::Host => (99, "host"),
        ActorKind::System => (3, "system"),
        ActorKind::Anonymous => (0, "anonymous"),
    };
    let mut actor = json!({ "user": { "uid": envelope.actor.id, "type_id": type_id, "type": kind } });
    if let Some(via) = &envelope.actor.via {
        actor["session"] = json!({ "credential_uid": via });
    }
    actor
}

fn unmapped(envelope: &Envelope<'_>) -> Value {
    json!({
        "environment": envelope.environment,
        "responsible": envelope.responsible,
        "ticket": envelope.ticket,
        "request_id": envelope.request_id,
        "command_id": envelope.command_id,
        "v": envelope.event_version,
    })
}
