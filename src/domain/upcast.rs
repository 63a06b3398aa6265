//! Upcasters: how an event that was written in an older schema is read today.
//!
//! Each step stands in a file of its event's or its aggregate's name beside this one, takes the old data and gives the next schema's;
//! golden files of every schema ever written stay in `tests/golden/events`.

mod member;
mod policy_changed;
mod signing_secret_rotated;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use serde_json::Value;

/// One step from a schema to the next one of the same or a renamed event.
pub struct Upcast {
    /// The wire name it reads.
    pub event_type: &'static str,
    /// The schema it reads.
    pub event_version: u32,
    /// The wire name it gives.
    pub to_type: &'static str,
    /// The schema it gives.
    pub to_version: u32,
    /// Old data to new data.
    pub data: fn(Value) -> Value,
}

/// Every step, oldest first.
const STEPS: &[Upcast] = &[
    signing_secret_rotated::V1,
    member::CREATED_V1,
    member::ROLES_CHANGED_V1,
    member::TOKEN_ISSUED_V1,
    policy_changed::V1,
];

/// Brings data to the newest schema its steps lead to; `None` if no step reads it.
pub(crate) fn to_current(event_type: &str, event_version: u32, data: Value) -> Option<(String, Value)> {
    follow(STEPS, event_type, event_version, data)
}

fn follow(
    steps: &[Upcast],
    event_type: &str,
    event_version: u32,
    mut data: Value,
) -> Option<(String, Value)> {
    let mut at = (event_type, event_version);
    let mut moved = false;
    while let Some(step) = steps.iter().find(|step| (step.event_type, step.event_version) == at) {
        data = (step.data)(data);
        at = (step.to_type, step.to_version);
        moved = true;
    }
    moved.then(|| (at.0.to_owned(), data))
}

/// The same steps for aggregates that are loaded through `cqrs-es`, whose payload is the whole entry.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    let steps = STEPS.iter().map(|step| Box::new(EntryUpcaster(step)) as Box<dyn EventUpcaster>);
    steps.chain([Box::new(UnknownSchema) as Box<dyn EventUpcaster>]).collect()
}

/// Stands last, and makes what no step has brought to a current schema unreadable. `cqrs-es` looks at the fields alone:
/// an event of a newer release that has the same fields with another meaning would be folded, and decided on.
struct UnknownSchema;

impl EventUpcaster for UnknownSchema {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        !crate::Event::types()
            .any(|(known, schema)| known == event_type && schema.to_string() == event_version)
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        event.payload = Value::String(format!(
            "no event is called `{}` in schema {}",
            event.event_type, event.event_version
        ));
        event
    }
}

struct EntryUpcaster(&'static Upcast);

impl EventUpcaster for EntryUpcaster {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        event_type == self.0.event_type && event_version == self.0.event_version.to_string()
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        event.event_type = self.0.to_type.to_owned();
        event.event_version = self.0.to_version.to_string();
        if let Some(entry) = event.payload.as_object_mut() {
            let data = entry.remove("data").unwrap_or_default();
            entry.insert("data".into(), (self.0.data)(data));
            entry.insert("type".into(), self.0.to_type.into());
            entry.insert("v".into(), self.0.to_version.into());
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Upcast, follow};

    #[test]
    fn a10_steps_are_followed_to_the_newest_schema_and_name() {
        let steps = [
            Upcast {
                event_type: "client.named",
                event_version: 1,
                to_type: "client.named",
                to_version: 2,
                data: |old| json!({ "client_name": old["name"] }),
            },
            Upcast {
                event_type: "client.named",
                event_version: 2,
                to_type: "client.name_changed",
                to_version: 1,
                data: |old| json!({ "client_name": { "old": null, "new": old["client_name"] } }),
            },
        ];
        let read = follow(&steps, "client.named", 1, json!({ "name": "Matter sync" }));
        let newest = json!({ "client_name": { "old": null, "new": "Matter sync" } });
        assert_eq!(read, Some(("client.name_changed".to_owned(), newest)));
        assert_eq!(follow(&steps, "client.named", 3, json!({})), None);
    }
}
