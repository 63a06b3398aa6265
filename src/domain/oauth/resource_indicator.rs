//! Resource indicators (RFC 8707): the resource server that a token is for.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::Rule;

const LONGEST: usize = 500;

/// The absolute URI of a resource server, compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceIndicator(String);

impl ResourceIndicator {
    /// Reads an absolute URI without fragment (RFC 8707 section 2).
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, (Rule, String)> {
        if text.len() > LONGEST {
            return Err((Rule::TooLong, format!("at most {LONGEST} bytes")));
        }
        let malformed =
            || (Rule::Malformed, "must be an absolute URI such as https://api.example.com".to_owned());
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed());
        }
        let url = Url::parse(text).map_err(|_| malformed())?;
        if url.fragment().is_some() {
            return Err((Rule::Malformed, "must have no fragment (RFC 8707 section 2)".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err((Rule::Malformed, "must have no user name and no password".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceIndicator;

    #[test]
    fn oauth_55_a_resource_is_an_absolute_uri_without_fragment() {
        for text in ["https://api.example.com", "https://api.example.com/v1?tenant=7", "urn:example:records"]
        {
            assert_eq!(ResourceIndicator::parse(text).expect(text).as_str(), text);
        }
        for text in [
            "",
            "api.example.com",
            "/v1",
            "https://api.example.com/#a",
            "https://a b",
            "https://me@a.example",
        ] {
            assert!(ResourceIndicator::parse(text).is_err(), "{text}");
        }
    }
}
