//! Reading JSON so that whoever wrote it hears what is wrong, and where, in words that repeat none of its values.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use domain::{Rule, Violation};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, error::Category};
use serde_path_to_error::{Path, Segment};

use crate::problem::{Kind, Problem};

/// More of them in one body help nobody.
const MOST_FAULTS: usize = 100;

/// The value in a body.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let Salvaged { value, faults } = salvage(body)?;
    if faults.is_empty() { Ok(value) } else { Err(Problem::of_violations(faults)) }
}

/// The same, for who takes a value of which parts may be missing.
pub(crate) fn whole<T: DeserializeOwned>(body: &[u8]) -> Result<Salvaged<T>, Problem> {
    parse(body).map(Salvaged::sound)
}

/// Any JSON at all, for who reads it further.
pub(crate) fn json_value(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}

/// The value in a body, without the parts whose form is wrong.
#[derive(Debug)]
pub(crate) struct Salvaged<T> {
    pub(super) value: T,
    /// What is wrong with those parts: they are not in the value.
    pub(super) faults: Vec<Violation>,
}

impl<T> Salvaged<T> {
    /// A value that is all there.
    pub(crate) fn sound(value: T) -> Self {
        Self { value, faults: Vec::new() }
    }
}

/// Reads as much of a body as can be read. Serde stops at the first thing that is wrong: it is taken out, and the rest
/// is read again, until nothing is wrong or there is no value without it.
pub(crate) fn salvage<T: DeserializeOwned>(body: &[u8]) -> Result<Salvaged<T>, Problem> {
    let error = match read(body) {
        Ok(value) => return Ok(Salvaged::sound(value)),
        Err(error) if error.inner().classify() == Category::Data => error,
        Err(error) => return Err(malformed(error.inner())),
    };
    let mut rest = Rest {
        value: serde_json::from_slice(body).map_err(|error| malformed(&error))?,
        taken: BTreeMap::new(),
    };
    let mut faults = Vec::new();
    let mut error = Some(error);
    while let Some(found) = error {
        let (fault, readable) = rest.without(&found);
        // What is missing only because it was taken out was named before.
        if !faults.iter().any(|known: &Violation| known.pointer == fault.pointer) {
            faults.push(fault);
        }
        if !readable || faults.len() == MOST_FAULTS {
            return Err(Problem::of_violations(faults));
        }
        match serde_path_to_error::deserialize(&rest.value) {
            Ok(Object(value)) => return Ok(Salvaged { value, faults }),
            Err(next) => error = Some(next),
        }
    }
    Err(Problem::of_violations(faults))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let Object(value) = serde_path_to_error::deserialize(&mut json)?;
    let track = serde_path_to_error::Track::new();
    json.end().map_err(|error| serde_path_to_error::Error::new(track.path(), error))?;
    Ok(value)
}

/// What is left of a body.
struct Rest {
    value: Value,
    /// Which items were taken out of the list at a pointer.
    taken: BTreeMap<String, Vec<usize>>,
}

impl Rest {
    /// What is wrong, and whether it could be taken out.
    fn without(&mut self, error: &serde_path_to_error::Error<serde_json::Error>) -> (Violation, bool) {
        let Wrong { field, rule, detail } = wrong(&error.inner().to_string());
        let (mut now, mut sent) = self.pointers(error.path());
        let whole = (now.clone(), sent.clone());
        if let Some(field) = field {
            (now, sent) = (below(&now, &field), below(&sent, &field));
        }
        // Of what lacks something, nothing is left to read.
        let (now, from) = if rule == Rule::Required { whole } else { (now, sent.clone()) };
        // Of what stands twice, the last one is read on.
        let taken = rule == Rule::Duplicate || self.take(&now, &from);
        (Violation::new(sent, rule, detail), taken)
    }

    /// RFC 6901: where it is in what is left, and where it was in what was sent.
    fn pointers(&self, path: &Path) -> (String, String) {
        let root = (String::new(), String::new());
        path.iter().fold(root, |(now, sent), segment| match segment {
            Segment::Seq { index } => {
                let index = (*index, self.as_sent(&sent, *index));
                (below(&now, &index.0.to_string()), below(&sent, &index.1.to_string()))
            }
            Segment::Map { key } => (below(&now, key), below(&sent, key)),
            Segment::Enum { variant } => (below(&now, variant), below(&sent, variant)),
            Segment::Unknown => (now, sent),
        })
    }

    fn as_sent(&self, list: &str, index: usize) -> usize {
        let taken = self.taken.get(list);
        let is_there = |place: &usize| taken.is_none_or(|taken| !taken.contains(place));
        (0..).filter(is_there).nth(index).unwrap_or(index)
    }

    /// Takes out what stands at a pointer, if something does; `sent` is where it was.
    fn take(&mut self, now: &str, sent: &str) -> bool {
        let Some((outer, name)) = now.rsplit_once('/') else { return false };
        match self.value.pointer_mut(outer) {
            Some(Value::Object(fields)) => {
                fields.remove(&name.replace("~1", "/").replace("~0", "~")).is_some()
            }
            Some(Value::Array(items)) => match name.parse() {
                Ok(index) if index < items.len() => {
                    items.remove(index);
                    if let Some((list, Ok(place))) =
                        sent.rsplit_once('/').map(|(list, item)| (list, item.parse()))
                    {
                        self.taken.entry(list.to_owned()).or_default().push(place);
                    }
                    true
                }
                Ok(_) | Err(_) => false,
            },
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
        }
    }
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

/// A body that is no JSON.
fn malformed(error: &serde_json::Error) -> Problem {
    let place = format!("no JSON from line {}, column {} on", error.line(), error.column());
    Problem::new(Kind::MalformedRequest).at_body(place)
}

/// What a message of serde says, without the value that it quotes.
pub(crate) struct Wrong {
    /// The field that it is about, if the path does not name it.
    pub(crate) field: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) detail: String,
}

/// Serde has no other way to say what is wrong than its text. Only the messages known here are told on: any other one
/// could quote the value.
pub(crate) fn wrong(message: &str) -> Wrong {
    let kind = |rule, detail: String| Wrong { field: None, rule, detail };
    let about_field = |rule, detail: &str| Wrong {
        field: message.split('`').nth(1).map(str::to_owned),
        rule,
        detail: detail.to_owned(),
    };
    if message.starts_with("unknown field") {
        about_field(Rule::UnknownField, "there is no such field here")
    } else if message.starts_with("missing field") {
        about_field(Rule::Required, "must be given")
    } else if message.starts_with("duplicate field") {
        about_field(Rule::Duplicate, "stands twice")
    } else if message.starts_with("invalid type: null") {
        kind(Rule::NullNotAllowed, format!("must be {}, or be left out", expected(message)))
    } else if message.starts_with("invalid type") {
        kind(Rule::WrongType, format!("must be {}", expected(message)))
    } else if message.starts_with("invalid value") || message.starts_with("unknown variant") {
        kind(Rule::Malformed, format!("must be {}", expected(message)))
    } else if message.starts_with("UUID parsing failed") {
        kind(Rule::Malformed, "must be an id: a UUID".to_owned())
    } else {
        kind(Rule::Malformed, "is not in the form that it needs".to_owned())
    }
}

/// What serde had expected: the end of its message, which is ours.
fn expected(message: &str) -> &str {
    let end = message.rsplit_once("expected ").map_or("another value", |(_, expected)| expected);
    match end.split(" at line ").next().unwrap_or(end) {
        "a sequence" => "an array",
        "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "a boolean" => "true or false",
        "a borrowed string" => "a string",
        name if name.starts_with("struct ") || name == "a map" => "an object",
        known => known,
    }
}

/// The pointer to a field, once.
fn below(pointer: &str, field: &str) -> String {
    let step = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
    if pointer.ends_with(&step) { pointer.to_owned() } else { format!("{pointer}{step}") }
}
