//! Taking the audit out: the formats of an export, the same for the API and the command line.
//!
//! An [`Exporter`] turns entries into bytes, one at a time, and keeps nothing but a digest and a count. Whatever the
//! format, the last record says how many events there are and the SHA-256 of everything before it: an export without it
//! was cut off.

mod cloudevents;
mod csv;
mod ndjson;
mod ocsf;

#[cfg(test)]
mod tests;

use std::{fmt::Write as _, str::FromStr};

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use store::{CorruptEntry, Envelope, Position};

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line: position, entry byte for byte, opened private parts.
    Ndjson,
    /// A table for people and spreadsheets (RFC 4180), in which no cell is a formula.
    Csv,
    /// One `CloudEvents` 1.0 event a line, in structured mode.
    CloudEvents,
    /// One event of the Open Cybersecurity Schema Framework a line.
    Ocsf,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Ndjson, Self::Csv, Self::CloudEvents, Self::Ocsf];

    /// Its name in the API and at the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::CloudEvents => "cloudevents",
            Self::Ocsf => "ocsf",
        }
    }

    /// What is sent as `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson | Self::CloudEvents | Self::Ocsf => "application/x-ndjson",
        }
    }

    /// How the name of a file ends.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::CloudEvents => "cloudevents.ndjson",
            Self::Ocsf => "ocsf.ndjson",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let format = Self::ALL.into_iter().find(|format| format.as_str() == name);
        format.ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// The name of no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format of an export")]
pub struct UnknownFormat(String);

/// What `CloudEvents` of a service at this address name as their source, whoever writes them.
#[must_use]
pub fn source(public_url: &str) -> String {
    format!("{public_url}/api/v1/audit/events")
}

/// One event of an export.
pub(crate) struct Exported<'a> {
    pub(crate) position: Position,
    pub(crate) entry: &'a RawValue,
    pub(crate) envelope: Envelope<'a>,
    /// Opened private parts, as a list.
    pub(crate) private: Option<&'a RawValue>,
}

/// The last record.
#[derive(Debug, Serialize)]
pub(crate) struct End {
    pub(crate) events: u64,
    /// The first position that was looked at.
    pub(crate) from: Position,
    /// The last position that was looked at.
    pub(crate) to: Position,
    /// Of all bytes before this record.
    pub(crate) sha256: String,
}

/// Writes one export. What it hands out, in that order, is the export.
pub struct Exporter {
    format: Format,
    /// What `CloudEvents` names as the source: together with the id of an event it is unique.
    source: String,
    from: Position,
    to: Position,
    events: u64,
    digest: Sha256,
}

impl Exporter {
    /// An export of what lies between two positions, those included.
    #[must_use]
    pub fn new(format: Format, source: String, from: Position, to: Position) -> Self {
        Self { format, source, from, to, events: 0, digest: Sha256::new() }
    }

    /// What stands before the first event.
    ///
    /// # Errors
    /// [`ExportError`], if it cannot be written.
    pub fn begin(&mut self) -> Result<Vec<u8>, ExportError> {
        let head = match self.format {
            Format::Csv => csv::head()?,
            Format::Ndjson | Format::CloudEvents | Format::Ocsf => Vec::new(),
        };
        self.digest.update(&head);
        Ok(head)
    }

    /// One event; `private` is the JSON list of its opened private parts.
    ///
    /// # Errors
    /// [`ExportError`], if the entry is none.
    pub fn event(
        &mut self,
        position: Position,
        entry: &[u8],
        private: Option<&RawValue>,
    ) -> Result<Vec<u8>, ExportError> {
        let envelope = Envelope::parse(entry)?;
        let entry: &RawValue = serde_json::from_slice(entry)?;
        let exported = Exported { position, entry, envelope, private };
        let record = match self.format {
            Format::Ndjson => ndjson::event(&exported)?,
            Format::Csv => csv::event(&exported)?,
            Format::CloudEvents => cloudevents::event(&exported, &self.source)?,
            Format::Ocsf => ocsf::event(&exported)?,
        };
        self.digest.update(&record);
        self.events += 1;
        Ok(record)
    }

    /// The last record: without it the export was cut off.
    ///
    /// # Errors
    /// [`ExportError`], if it cannot be written.
    pub fn end(self) -> Result<Vec<u8>, ExportError> {
        let sha256 = self.digest.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let end = End { events: self.events, from: self.from, to: self.to, sha256 };
        match self.format {
            Format::Ndjson => ndjson::end(&end),
            Format::Csv => csv::end(&end),
            Format::CloudEvents => cloudevents::end(&end, &self.source),
            Format::Ocsf => ocsf::end(&end),
        }
    }
}

/// A value as one line.
fn line(value: &impl Serialize) -> Result<Vec<u8>, ExportError> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Why an event cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log has something in the place of an entry that is none.
    #[error("exporting an event")]
    Entry(#[from] CorruptEntry),
    /// A value that cannot be JSON.
    #[error("writing an exported event")]
    Json(#[from] serde_json::Error),
    /// A record that cannot be CSV.
    #[error("writing an exported row")]
    Csv(#[from] ::csv::Error),
}
