//! `CloudEvents` 1.0, JSON format, one event a line.

use serde::Serialize;

use super::{End, ExportError, Exported, line, ndjson};

/// What the names of our types begin with.
const PREFIX: &str = "muniment.";

/// The attributes that all our events have.
#[derive(Serialize)]
struct CloudEvent<'a, D> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    /// The position, by the extension `sequence`: the order of all events of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    datacontenttype: &'static str,
    data: D,
}

pub(super) fn event(exported: &Exported<'_>, source: &str) -> Result<Vec<u8>, ExportError> {
    let envelope = &exported.envelope;
    line(&CloudEvent {
        specversion: "1.0",
        id: envelope.id.to_string(),
        source,
        event_type: format!("{PREFIX}{}", envelope.event_type),
        subject: Some(&envelope.stream),
        time: Some(store::to_rfc3339(envelope.at)),
        // Twenty digits, because consumers compare it as text.
        sequence: Some(format!("{:020}", exported.position.get())),
        datacontenttype: "application/json",
        data: ndjson::Event::from(exported),
    })
}

pub(super) fn end(end: &End, source: &str) -> Result<Vec<u8>, ExportError> {
    line(&CloudEvent {
        specversion: "1.0",
        id: format!("export-{}", end.sha256),
        source,
        event_type: format!("{PREFIX}export.ended"),
        subject: None,
        time: None,
        sequence: None,
        datacontenttype: "application/json",
        data: end,
    })
}
