//! RFC 4180, with a head, every cell in quotes, and no cell that a spreadsheet takes for a formula.
//!
//! A cell that begins with one of `= + - @`, a tab, a carriage return, a line feed or an apostrophe gets an apostrophe
//! in front of it (OWASP, CSV injection). To get the value back, take one apostrophe away from every cell that begins
//! with one.

use std::borrow::Cow;

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::{End, ExportError, Exported};

/// What makes a spreadsheet calculate, and the apostrophe that we put before it.
const DANGEROUS: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '\n', '\''];

const COLUMNS: [&str; 21] = [
    "position",
    "at",
    "type",
    "v",
    "outcome",
    "actor_kind",
    "actor_id",
    "actor_via",
    "environment",
    "stream",
    "revision",
    "responsible",
    "ticket",
    "request_id",
    "correlation_id",
    "causation_id",
    "command_id",
    "id",
    "private_digests",
    "data",
    "private",
];

pub(super) fn head() -> Result<Vec<u8>, ExportError> {
    record(&COLUMNS.map(Cow::Borrowed))
}

pub(super) fn event(exported: &Exported<'_>) -> Result<Vec<u8>, ExportError> {
    let Exported { position, envelope, private, .. } = exported;
    let optional = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    let cells: [String; 21] = [
        position.to_string(),
        store::to_rfc3339(envelope.at),
        envelope.event_type.to_string(),
        envelope.event_version.to_string(),
        name(&envelope.outcome)?,
        name(&envelope.actor.kind)?,
        envelope.actor.id.to_string(),
        optional(&envelope.actor.via),
        optional(&envelope.environment),
        envelope.stream.to_string(),
        envelope.revision.to_string(),
        optional(&envelope.responsible),
        optional(&envelope.ticket),
        envelope.request_id.to_string(),
        envelope.correlation_id.to_string(),
        envelope.causation_id.map(|id| id.to_string()).unwrap_or_default(),
        envelope.command_id.to_string(),
        envelope.id.to_string(),
        envelope.private.join(" "),
        envelope.data.get().to_owned(),
        private.map(|parts| parts.get().to_owned()).unwrap_or_default(),
    ];
    record(&cells.map(Cow::Owned))
}

/// `export` stands where events have their position.
pub(super) fn end(end: &End) -> Result<Vec<u8>, ExportError> {
    let mut cells = COLUMNS.map(|_| Cow::Borrowed(""));
    let data = COLUMNS.iter().position(|column| *column == "data");
    cells[0] = Cow::Borrowed("export");
    if let Some(data) = data {
        cells[data] = Cow::Owned(serde_json::to_string(end)?);
    }
    record(&cells)
}

fn record(cells: &[Cow<'_, str>]) -> Result<Vec<u8>, ExportError> {
    let mut writer = WriterBuilder::new()
        // Also where a spreadsheet parts cells at another character than the comma.
        .quote_style(QuoteStyle::Always)
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(cells.iter().map(|cell| harmless(cell).into_owned()))?;
    writer.into_inner().map_err(|error| ExportError::Csv(error.into_error().into()))
}

/// The cell, so that no spreadsheet takes it for a formula.
pub(super) fn harmless(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(DANGEROUS) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The name of a unit variant on the wire.
fn name(value: &impl serde::Serialize) -> Result<String, ExportError> {
    Ok(serde_json::to_value(value)?.as_str().unwrap_or_default().to_owned())
}
