//! The canonical bytes of an event.
//!
//! Whoever appends writes everything that is known before the event has its place; the log adds the two values that
//! only it can know, the time and the revision, by copying three pieces of text around them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::canonical::write_string;
use crate::commit::{Actor, ActorKind, Commit, ProposedEvent, StreamCommit};
use crate::error::InvalidCommit;
use crate::position::{MAX_INTEGER, Revision};

/// The longest entry that a tile of the ledger can hold (C2SP tlog-tiles: the length is a `u16`).
pub(crate) const MAX_ENTRY: usize = 65_535;

const AT_LENGTH: usize = "2026-11-20T22:13:25.123456Z".len();
const MAX_REVISION_LENGTH: usize = MAX_INTEGER.ilog10() as usize + 1;

/// An entry that lacks its time and its revision.
#[derive(Clone, Debug)]
pub(crate) struct EntryTemplate {
    text: String,
    at: usize,
    revision: usize,
}

impl EntryTemplate {
    /// Everything that the commit says about one of its events; the keys are in RFC 8785 order.
    pub(crate) fn new(
        commit: &Commit,
        stream: &StreamCommit,
        event: &ProposedEvent,
    ) -> Result<Self, InvalidCommit> {
        let mut text = String::with_capacity(576 + event.data.as_str().len() + 48 * event.private.len());
        text.push_str("{\"actor\":");
        write_actor(&mut text, &commit.actor)?;
        text.push_str(",\"at\":\"");
        let at = text.len();
        text.push('"');
        if let Some(causation_id) = commit.causation_id {
            let _ = write!(text, ",\"causation_id\":\"{causation_id}\"");
        }
        let _ = write!(text, ",\"command_id\":\"{}\"", commit.command_id);
        let _ = write!(text, ",\"correlation_id\":\"{}\"", commit.correlation_id);
        text.push_str(",\"data\":");
        text.push_str(event.data.as_str());
        write_optional(&mut text, "environment", stream.environment.as_deref())?;
        let _ = write!(text, ",\"id\":\"{}\"", event.id);
        write_text(&mut text, "outcome", event.outcome.as_str())?;
        write_private(&mut text, &event.private)?;
        write_optional(&mut text, "request_digest", commit.request_digest.as_deref())?;
        write_text(&mut text, "request_id", &commit.request_id)?;
        write_optional(&mut text, "responsible", stream.responsible.as_deref())?;
        text.push_str(",\"revision\":");
        let revision = text.len();
        text.push_str(",\"salt\":\"");
        URL_SAFE_NO_PAD.encode_string(event.salt, &mut text);
        text.push('"');
        write_text(&mut text, "stream", stream.stream.as_str())?;
        write_optional(&mut text, "ticket", commit.ticket.as_deref())?;
        write_text(&mut text, "type", &event.event_type)?;
        let _ = write!(text, ",\"v\":{}}}", event.event_version);

        let template = Self { text, at, revision };
        let bytes = template.max_bytes();
        if bytes > MAX_ENTRY {
            return Err(InvalidCommit::EntryTooLong { event_type: event.event_type.clone(), bytes });
        }
        Ok(template)
    }

    /// The length of the entry with the longest revision there can be.
    pub(crate) fn max_bytes(&self) -> usize {
        self.text.len() + AT_LENGTH + MAX_REVISION_LENGTH
    }

    /// Writes the whole entry over what `entry` held. `at` is the time as [`crate::to_rfc3339`] writes it.
    pub(crate) fn complete(&self, at: &str, revision: Revision, entry: &mut String) {
        entry.clear();
        entry.push_str(&self.text[..self.at]);
        entry.push_str(at);
        entry.push_str(&self.text[self.at..self.revision]);
        let _ = write!(entry, "{revision}");
        entry.push_str(&self.text[self.revision..]);
    }
}

fn write_actor(text: &mut String, actor: &Actor) -> Result<(), InvalidCommit> {
    text.push_str("{\"id\":");
    write_value(text, "actor.id", &actor.id)?;
    write_text(text, "kind", actor_kind_name(actor.kind))?;
    write_optional(text, "via", actor.via.as_deref())?;
    text.push('}');
    Ok(())
}

fn write_private(text: &mut String, digests: &[String]) -> Result<(), InvalidCommit> {
    for (index, digest) in digests.iter().enumerate() {
        text.push_str(if index == 0 { ",\"private\":[" } else { "," });
        write_value(text, "private", digest)?;
    }
    if !digests.is_empty() {
        text.push(']');
    }
    Ok(())
}

fn write_optional(text: &mut String, field: &'static str, value: Option<&str>) -> Result<(), InvalidCommit> {
    value.map_or(Ok(()), |value| write_text(text, field, value))
}

fn write_text(text: &mut String, field: &'static str, value: &str) -> Result<(), InvalidCommit> {
    text.push_str(",\"");
    text.push_str(field);
    text.push_str("\":");
    write_value(text, field, value)
}

fn write_value(text: &mut String, field: &'static str, value: &str) -> Result<(), InvalidCommit> {
    if value.contains('\0') {
        return Err(InvalidCommit::Nul { field });
    }
    write_string(text, value);
    Ok(())
}

fn actor_kind_name(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Member => "member",
        ActorKind::Client => "client",
        ActorKind::Host => "host",
        ActorKind::System => "system",
        ActorKind::Anonymous => "anonymous",
    }
}

#[cfg(test)]
mod tests;
