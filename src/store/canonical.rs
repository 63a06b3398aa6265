//! Canonical JSON (RFC 8785), of the part of JSON that every reader understands alike.

use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::Value;

use crate::position::MAX_INTEGER;

/// One JSON object as its RFC 8785 bytes: keys sorted by UTF-16 code units, no white space, one way to write each value.
///
/// Numbers are integers of at most 2^53 - 1 in magnitude, so that no reader rounds them, and no text holds U+0000,
/// which some databases cannot store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalJson(String);

/// A value that has no canonical form here; `pointer` (RFC 6901) says where in the value.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The value itself is no object.
    #[error("canonicalising a value that is no JSON object")]
    NotAnObject,
    /// A number has a fraction, an exponent, or is not finite.
    #[error("canonicalising `{pointer}`: the number is no integer")]
    NotAnInteger {
        /// Where it stands.
        pointer: String,
    },
    /// An integer is larger than 2^53 - 1 in magnitude.
    #[error("canonicalising `{pointer}`: the integer is beyond 2^53 - 1")]
    IntegerTooLarge {
        /// Where it stands.
        pointer: String,
    },
    /// A text or a key holds U+0000.
    #[error("canonicalising `{pointer}`: the text holds U+0000")]
    Nul {
        /// Where it stands.
        pointer: String,
    },
    /// The value's own `Serialize` failed.
    #[error("canonicalising a value that cannot be serialised")]
    Serialize(#[from] serde_json::Error),
}

impl CanonicalJson {
    /// The canonical form of what `value` serialises to.
    ///
    /// # Errors
    /// When the value is no object, or holds what the type's documentation rules out.
    pub fn from_serialize(value: &impl Serialize) -> Result<Self, CanonicalError> {
        Self::from_value(&serde_json::to_value(value)?)
    }

    /// The canonical form of a JSON value.
    ///
    /// # Errors
    /// As [`Self::from_serialize`].
    pub fn from_value(value: &Value) -> Result<Self, CanonicalError> {
        if !value.is_object() {
            return Err(CanonicalError::NotAnObject);
        }
        let mut text = String::with_capacity(256);
        write_value(&mut text, value).map_err(Defect::into_error)?;
        Ok(Self(text))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalJson {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What is wrong and where; the path is gathered from the inside out, so that only a failure pays for it.
struct Defect {
    kind: DefectKind,
    path: Vec<String>,
}

enum DefectKind {
    NotAnInteger,
    IntegerTooLarge,
    Nul,
}

impl Defect {
    fn new(kind: DefectKind) -> Self {
        Self { kind, path: Vec::new() }
    }

    fn below(mut self, key: impl fmt::Display) -> Self {
        self.path.push(key.to_string().replace('~', "~0").replace('/', "~1"));
        self
    }

    fn into_error(self) -> CanonicalError {
        let mut pointer = String::new();
        for key in self.path.iter().rev() {
            pointer.push('/');
            pointer.push_str(key);
        }
        match self.kind {
            DefectKind::NotAnInteger => CanonicalError::NotAnInteger { pointer },
            DefectKind::IntegerTooLarge => CanonicalError::IntegerTooLarge { pointer },
            DefectKind::Nul => CanonicalError::Nul { pointer },
        }
    }
}

fn write_value(out: &mut String, value: &Value) -> Result<(), Defect> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_integer(out, number)?,
        Value::String(text) => write_checked_string(out, text)?,
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write_value(out, item).map_err(|defect| defect.below(index))?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                separate(out, index);
                write_checked_string(out, key).map_err(|defect| defect.below(key))?;
                out.push(':');
                write_value(out, value).map_err(|defect| defect.below(key))?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn write_integer(out: &mut String, number: &serde_json::Number) -> Result<(), Defect> {
    let magnitude = number
        .as_u64()
        .or_else(|| number.as_i64().map(i64::unsigned_abs))
        .ok_or_else(|| Defect::new(DefectKind::NotAnInteger))?;
    if magnitude > MAX_INTEGER {
        return Err(Defect::new(DefectKind::IntegerTooLarge));
    }
    let sign = if number.is_u64() { "" } else { "-" };
    let _ = write!(out, "{sign}{magnitude}");
    Ok(())
}

fn write_checked_string(out: &mut String, text: &str) -> Result<(), Defect> {
    if text.bytes().any(|byte| byte == 0) {
        return Err(Defect::new(DefectKind::Nul));
    }
    write_string(out, text);
    Ok(())
}

/// Appends `text` as a JSON string: the two-letter escapes where they exist, `\u00xx` in lower case for the other
/// control characters, everything else as it is (RFC 8785 §3.2.2.2).
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0c => "\\f",
            b'\r' => "\\r",
            0x00..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

#[cfg(test)]
mod tests;
