//! Ids and names: newtypes, so that a member's id can never stand where a client's belongs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Rule;

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Accepts only the hyphenated lower-case form, so that an id has one spelling.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::parse_str(text)?;
                // uuid::Error has no constructor: the error is borrowed from a text that can never be read.
                if id.as_hyphenated().to_string() == text { Ok(Self(id)) } else { Uuid::parse_str("").map(Self) }
            }
        }
    };
}

uuid_id!(
    /// The `client_id` of RFC 6749 section 2.2: public, unique over all environments.
    ClientId
);
uuid_id!(
    /// A member: a person who signs in, or an automation that acts like one.
    MemberId
);
uuid_id!(
    /// A pseudonym for a person named as a contact; the person stands in the vault alone.
    PersonId
);
uuid_id!(
    /// A legal hold.
    LegalHoldId
);
uuid_id!(
    /// What a member allowed a client.
    GrantId
);
uuid_id!(
    /// A verification of the audit.
    VerificationId
);

/// The id of one client secret, signing secret or personal token; part of the secret's own text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretId(pub String);

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// First segments of our own URLs, which an environment's issuer `{base}/{environment}` must not shadow.
const RESERVED: [&str; 8] = ["api", "oauth", "console", "problems", "assets", "healthz", "readyz", "metrics"];

/// The name of an environment: an island of clients, secrets and tokens (behaviour L7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// Reads `[a-z][a-z0-9_]{0,31}`, reserved words excepted.
    ///
    /// # Errors
    /// [`Rule::Malformed`] with the form it needs.
    pub fn parse(text: &str) -> Result<Self, (Rule, String)> {
        let name = Self::form(text)?;
        if RESERVED.contains(&name.as_str()) {
            return Err((Rule::Malformed, format!("`{name}` is reserved")));
        }
        Ok(Self(name))
    }

    /// The one that every instance begins with.
    #[must_use]
    pub fn production() -> Self {
        Self("production".to_owned())
    }

    fn form(text: &str) -> Result<String, (Rule, String)> {
        catalog_name(text, 32, "_")
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EnvironmentName {
    type Error = String;

    /// Reads a stored name: a word that is reserved one day must not make the log of the day before unreadable.
    fn try_from(text: String) -> Result<Self, String> {
        Self::form(&text).map(Self).map_err(|(_, detail)| detail)
    }
}

impl From<EnvironmentName> for String {
    fn from(name: EnvironmentName) -> Self {
        name.0
    }
}

/// A lower-case name that begins with a letter and goes on with letters, digits and `more`.
pub(crate) fn catalog_name(text: &str, most: usize, more: &str) -> Result<String, (Rule, String)> {
    let tail = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c);
    let fits =
        text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(tail) && text.len() <= most;
    if fits {
        Ok(text.to_owned())
    } else {
        Err((
            Rule::Malformed,
            format!("must begin with a-z, go on with a-z, 0-9 or any of `{more}`, at most {most} characters"),
        ))
    }
}

/// Whether a name can stand in a stream's name as it is, and in a path without escapes.
pub(crate) fn stream_id(text: &str) -> Result<(), (Rule, String)> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:~-".contains(&byte)) {
        Ok(())
    } else {
        Err((Rule::Malformed, "must be letters, digits or any of `_.:~-`".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientId, EnvironmentName, RESERVED};

    #[test]
    fn l7_an_id_has_one_spelling() {
        let text = "0193b4a2-7c00-7000-8000-000000000001";
        assert_eq!(text.parse::<ClientId>().expect("an id").to_string(), text);
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            String::new(),
        ] {
            assert!(other.parse::<ClientId>().is_err(), "{other}");
        }
    }

    #[test]
    fn a10_a_word_reserved_later_leaves_the_log_readable() {
        for name in RESERVED {
            assert!(EnvironmentName::parse(name).is_err(), "{name}");
            assert!(serde_json::from_value::<EnvironmentName>(name.into()).is_ok(), "{name}");
        }
        assert!(serde_json::from_value::<EnvironmentName>("A b".into()).is_err());
    }
}
