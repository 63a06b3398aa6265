//! Reading JSON so that whoever wrote it hears what is wrong, and where, in words that repeat none of its values.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::problem::{Kind, Problem};

/// The value in a body.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let Object(value) = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| problem(&pointer(error.path()), error.inner()))?;
    json.end().map_err(|error| problem("", &error))?;
    Ok(value)
}

/// A JSON object. Serde alone would take an array for a struct as well, field by field: the order in which we happen to
/// write the fields would be part of the API.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// Deserializes a field that may be left out but, if it stands there, has a value: in a merge patch null would mean to
/// remove it, and nothing that we let be changed can be removed.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn problem(pointer: &str, error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => {
            let Wrong { field, rule, detail } = wrong(&error.to_string());
            let pointer = field.map_or_else(|| pointer.to_owned(), |field| below(pointer, &field));
            Problem::in_body(pointer, rule, detail)
        }
        Category::Syntax | Category::Eof | Category::Io => {
            let place = format!("no JSON from line {}, column {} on", error.line(), error.column());
            Problem::new(Kind::MalformedRequest).at_body(place)
        }
    }
}

/// What a message of serde says, without the value that it quotes.
pub(super) struct Wrong {
    /// The field that it is about, if the path does not name it.
    pub(super) field: Option<String>,
    pub(super) rule: &'static str,
    pub(super) detail: String,
}

/// Serde has no other way to say what is wrong than its text. Only the messages known here are told on: any other one
/// could quote the value.
pub(super) fn wrong(message: &str) -> Wrong {
    let kind = |rule, detail: String| Wrong { field: None, rule, detail };
    let about_field = |rule, detail: &str| Wrong {
        field: message.split('`').nth(1).map(str::to_owned),
        rule,
        detail: detail.to_owned(),
    };
    if message.starts_with("unknown field") {
        about_field("unknown_field", "there is no such field here")
    } else if message.starts_with("missing field") {
        about_field("required", "must be given")
    } else if message.starts_with("duplicate field") {
        about_field("duplicate", "stands twice")
    } else if message.starts_with("invalid type: null") {
        kind("null_not_allowed", format!("must be {}, or be left out", expected(message)))
    } else if message.starts_with("invalid type") {
        kind("wrong_type", format!("must be {}", expected(message)))
    } else if message.starts_with("invalid value") || message.starts_with("unknown variant") {
        kind("malformed", format!("must be {}", expected(message)))
    } else {
        kind("malformed", "is not in the form that it needs".to_owned())
    }
}

/// What serde had expected: the end of its message, which is ours.
fn expected(message: &str) -> &str {
    let end = message.rsplit_once("expected ").map_or("another value", |(_, expected)| expected);
    match end.split(" at line ").next().unwrap_or(end) {
        "a sequence" => "an array",
        "u32" | "u64" => "a whole number, not negative",
        known => known,
    }
}

/// RFC 6901.
fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => below(&pointer, &index.to_string()),
        Segment::Map { key } => below(&pointer, key),
        Segment::Enum { variant } => below(&pointer, variant),
        Segment::Unknown => pointer,
    })
}

/// The pointer to a field, once.
fn below(pointer: &str, field: &str) -> String {
    let step = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
    if pointer.ends_with(&step) { pointer.to_owned() } else { format!("{pointer}{step}") }
}
