//! What a client that registered itself says of its software (RFC 7591 section 2): for operators and members to read.

use serde::{Deserialize, Serialize};

use crate::{
    Rule, Violation,
    oauth::RedirectUri,
    violation::{Violations, plain_text},
};

const LONGEST_URI: usize = 500;
const LONGEST_TEXT: usize = 200;

/// What a client says of its software. Nobody has checked that it is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Software {
    /// A page about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// What becomes of what it learns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// The same for each client that is an instance of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// Which release of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
}

impl Software {
    /// What is said, each part by its rules; `self` is as it came in.
    ///
    /// # Errors
    /// Every violation there is.
    pub fn checked(&self) -> Result<Self, Vec<Violation>> {
        let mut wrong = Violations::default();
        let mut page = |name: &str, text: &Option<String>| {
            text.as_deref().and_then(|text| wrong.keep(name, web_page(text)))
        };
        let client_uri = page("/client_uri", &self.client_uri);
        let logo_uri = page("/logo_uri", &self.logo_uri);
        let tos_uri = page("/tos_uri", &self.tos_uri);
        let policy_uri = page("/policy_uri", &self.policy_uri);
        let mut said = |name: &str, text: &Option<String>| {
            text.as_deref().and_then(|text| wrong.keep(name, plain_text(text, LONGEST_TEXT)))
        };
        let software_id = said("/software_id", &self.software_id);
        let software_version = said("/software_version", &self.software_version);
        wrong.refuse(|wrong| wrong)?;
        Ok(Self { client_uri, logo_uri, tos_uri, policy_uri, software_id, software_version })
    }
}

/// Something that a browser can be sent to: by the rules of redirect URIs, with a fragment if need be.
fn web_page(text: &str) -> Result<String, (Rule, String)> {
    if text.len() > LONGEST_URI {
        return Err((Rule::TooLong, format!("must have at most {LONGEST_URI} bytes")));
    }
    let (page, fragment) = text.split_once('#').unwrap_or((text, ""));
    RedirectUri::parse(page)?;
    if fragment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/?:@!$&'()*+,;=%".contains(&byte)) {
        Ok(text.to_owned())
    } else {
        Err((Rule::Malformed, "must be a URI of RFC 3986".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, Software};

    #[test]
    fn oauth_73_what_software_says_of_itself_can_be_shown() {
        let said = Software {
            client_uri: Some("https://app.example.com/#about".to_owned()),
            software_id: Some(" 4NRB1-0XZABZI9E6 ".to_owned()),
            ..Software::default()
        };
        let checked = said.checked().expect("sound");
        assert_eq!(checked.software_id.as_deref(), Some("4NRB1-0XZABZI9E6"));
        assert_eq!(checked.client_uri, said.client_uri);
        let wrong = Software {
            client_uri: Some("javascript:alert(1)".to_owned()),
            logo_uri: Some("data:image/png;base64,AAAA".to_owned()),
            tos_uri: Some("http://app.example.com/".to_owned()),
            policy_uri: Some("https://me@app.example.com/".to_owned()),
            software_id: Some("a\u{202E}b".to_owned()),
            software_version: Some("x".repeat(201)),
        };
        let wrong = wrong.checked().expect_err("wrong");
        let found: Vec<_> = wrong.iter().map(|one| (one.pointer.as_str(), one.rule)).collect();
        assert_eq!(
            found,
            [
                ("/client_uri", Rule::NotHttps),
                ("/logo_uri", Rule::NotHttps),
                ("/tos_uri", Rule::NotHttps),
                ("/policy_uri", Rule::HasUserinfo),
                ("/software_id", Rule::ControlCharacter),
                ("/software_version", Rule::TooLong),
            ]
        );
    }
}
