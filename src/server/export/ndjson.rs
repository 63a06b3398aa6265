//! One JSON object a line: what the API answers for an event.

use serde::Serialize;
use serde_json::value::RawValue;
use store::Position;

use super::{End, ExportError, Exported, line};

/// An event as the API answers it.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    position: Position,
    entry: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<&'a RawValue>,
}

impl<'a> From<&Exported<'a>> for Event<'a> {
    fn from(exported: &Exported<'a>) -> Self {
        Self { position: exported.position, entry: exported.entry, private: exported.private }
    }
}

#[derive(Serialize)]
struct Last<'a> {
    export: &'a End,
}

pub(super) fn event(exported: &Exported<'_>) -> Result<Vec<u8>, ExportError> {
    line(&Event::from(exported))
}

pub(super) fn end(end: &End) -> Result<Vec<u8>, ExportError> {
    line(&Last { export: end })
}
