//! Schemes of native apps (RFC 8252 section 7.1), which a client may be sent to only by a recorded exception.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Rule;

const LONGEST: usize = 100;

/// A private-use scheme in the form of a reversed domain, `com.example.app`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectScheme(String);

impl RedirectScheme {
    /// Reads one. It must have a dot: so it belongs to whoever holds the domain, and is none of those that a browser
    /// acts on itself, such as `javascript` and `data`.
    ///
    /// # Errors
    /// If it is not of that form.
    pub fn parse(text: &str) -> Result<Self, (Rule, String)> {
        if text.is_empty() {
            return Err((Rule::Required, "must not be empty".into()));
        }
        if text.len() > LONGEST {
            return Err((Rule::TooLong, format!("must have at most {LONGEST} characters")));
        }
        let label = |label: &str| {
            label.starts_with(|c: char| c.is_ascii_lowercase())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if text.contains('.') && text.split('.').all(label) {
            Ok(Self(text.to_owned()))
        } else {
            let detail =
                "must be a domain in reverse and in lower case, like com.example.app (RFC 8252 section 7.1)";
            Err((Rule::Malformed, detail.into()))
        }
    }

    /// The scheme, without the colon.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedirectScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{RedirectScheme, Rule};

    #[test]
    fn l6_a_scheme_of_a_native_app_is_a_domain_in_reverse() {
        for text in ["com.example.app", "org.a-b.app2"] {
            assert_eq!(RedirectScheme::parse(text).expect(text).as_str(), text);
        }
        for text in [
            "javascript",
            "http",
            "https",
            "data",
            "myapp",
            "Com.example",
            "com..app",
            ".com",
            "com.1a",
            "com.a:",
            "com.é",
        ] {
            assert_eq!(RedirectScheme::parse(text).expect_err(text).0, Rule::Malformed, "{text}");
        }
        assert_eq!(RedirectScheme::parse("").expect_err("nothing").0, Rule::Required);
        assert_eq!(
            RedirectScheme::parse(&format!("a.{}", "b".repeat(100))).expect_err("long").0,
            Rule::TooLong
        );
    }
}
