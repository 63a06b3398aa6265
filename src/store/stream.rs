//! Names of streams.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MAX_CATEGORY: usize = 32;
const MAX_ID: usize = 120;

/// The name of a stream, `<category>-<id>`: `client-0193…`, `environment-sandbox`.
///
/// The category is `[a-z_]{1,32}`, the id `[A-Za-z0-9_.:~-]{1,120}`; the first `-` parts them. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// A text that is no [`StreamName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no stream name: it is a category [a-z_]{{1,32}}, `-`, and an id [A-Za-z0-9_.:~-]{{1,120}}")]
pub struct InvalidStreamName(pub String);

impl StreamName {
    /// The stream of one thing: `StreamName::new("client", id)`.
    ///
    /// # Errors
    /// When category or id hold anything but the characters stated at the type.
    pub fn new(category: &str, id: &str) -> Result<Self, InvalidStreamName> {
        let name = format!("{category}-{id}");
        if is_category(category) && is_id(id) { Ok(Self(name.into())) } else { Err(InvalidStreamName(name)) }
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the stream is about: the text before the first `-`.
    #[must_use]
    pub fn category(&self) -> &str {
        self.parts().0
    }

    /// Which one: the text after the first `-`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('-').unwrap_or((&self.0, ""))
    }
}

fn is_category(text: &str) -> bool {
    (1..=MAX_CATEGORY).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'))
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:~-".contains(&byte))
}

impl FromStr for StreamName {
    type Err = InvalidStreamName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.split_once('-') {
            Some((category, id)) if is_category(category) && is_id(id) => Ok(Self(name.into())),
            Some(_) | None => Err(InvalidStreamName(name.to_owned())),
        }
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StreamName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_parted_at_the_first_hyphen() {
        let name: StreamName = "client_type-national-id".parse().unwrap();
        assert_eq!((name.category(), name.id()), ("client_type", "national-id"));
        assert_eq!(name, StreamName::new("client_type", "national-id").unwrap());
    }

    #[test]
    fn a_name_outside_the_alphabet_is_refused() {
        for name in
            ["", "client", "client-", "-x", "Client-x", "client-a b", "client-é", "client-a\0", "a1-x"]
        {
            assert!(name.parse::<StreamName>().is_err(), "{name:?}");
        }
        assert!(StreamName::new("client-x", "y").is_err());
        assert!(StreamName::new("client", &"x".repeat(121)).is_err());
        assert!(StreamName::new("client", &"x".repeat(120)).is_ok());
    }
}
