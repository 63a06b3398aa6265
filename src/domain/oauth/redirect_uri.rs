//! Redirect URIs (RFC 6749 section 3.1.2, RFC 8252 section 7.3, RFC 9700 section 2.1).

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::RedirectScheme;
use crate::Rule;

const LONGEST: usize = 2_000;
const NOT_HTTPS: &str = "must be https, or http on localhost, 127.0.0.1 or [::1]";
const HTTPS_ONLY: &str = "must be https in this environment";

/// A redirect URI, kept byte for byte as it was registered, because it is compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

/// Where codes may be sent, beside the exceptions of single clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectRule {
    /// To https, and to http on localhost or a loopback address (RFC 8252 section 7.3).
    #[default]
    HttpsOrLoopback,
    /// To https alone.
    HttpsOnly,
}

/// What a client may register beside https.
#[derive(Clone, Copy, Debug)]
pub struct RedirectLimits<'a> {
    /// The rule of its environment.
    pub rule: RedirectRule,
    /// Schemes of its own, each by a recorded exception.
    pub exceptions: &'a BTreeSet<RedirectScheme>,
}

impl RedirectUri {
    /// Accepts what any client of an environment with the usual rule may register.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, (Rule, String)> {
        let limits = RedirectLimits { rule: RedirectRule::default(), exceptions: &BTreeSet::new() };
        Self::parse_within(text, limits)
    }

    /// Accepts an absolute `https` URI, or `http` on `localhost` or a loopback address if the environment lets it, or a
    /// scheme for which there is an exception; without fragment and without user information (behaviour L6).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse_within(text: &str, limits: RedirectLimits<'_>) -> Result<Self, (Rule, String)> {
        if text.is_empty() {
            return Err((Rule::Required, "must not be empty".into()));
        }
        if text.len() > LONGEST {
            return Err((Rule::TooLong, format!("must have at most {LONGEST} bytes")));
        }
        // A URI is ASCII without blanks (RFC 3986 section 2). The URL parser would quietly mend what is not, and
        // then what was registered would never equal what a client sends.
        if !text.bytes().all(|byte| byte.is_ascii_graphic())
            || text.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}'])
        {
            return Err((
                Rule::Malformed,
                "must be a URI of RFC 3986: ASCII, no blanks, the rest percent-encoded".into(),
            ));
        }
        let url = Url::parse(text).map_err(|error| {
            if error == url::ParseError::RelativeUrlWithoutBase {
                (Rule::NotAbsolute, "must be absolute, like https://app.example.com/callback".to_owned())
            } else {
                (Rule::Malformed, format!("is no URI: {error}"))
            }
        })?;
        if !percent_encoded(text) {
            return Err((
                Rule::Malformed,
                "must have two hexadecimal digits after each `%` (RFC 3986 section 2.1)".into(),
            ));
        }
        if text.contains('#') {
            return Err((Rule::HasFragment, "must not have a fragment (RFC 6749 section 3.1.2)".into()));
        }
        if !matches!(url.scheme(), "https" | "http") {
            return native(text, &url, limits.exceptions);
        }
        let Some(authority) = authority(text, url.scheme()) else {
            return Err((
                Rule::NotAbsolute,
                "must name its host, like https://app.example.com/callback".into(),
            ));
        };
        if authority.contains('@') {
            return Err((Rule::HasUserinfo, "must not carry a user name or password".into()));
        }
        if !plain_host(authority) {
            return Err((
                Rule::Malformed,
                "must spell its host out: letters, digits, hyphens and dots, no wildcard".into(),
            ));
        }
        check_place(&url, authority, limits.rule)?;
        Ok(Self(text.to_owned()))
    }

    /// Accepts what the compatibility API lets be registered: an absolute `https` URI without a query (behaviour D4).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse_without_query(text: &str) -> Result<Self, (Rule, String)> {
        let limits = RedirectLimits { rule: RedirectRule::HttpsOnly, exceptions: &BTreeSet::new() };
        let uri = Self::parse_within(text, limits).map_err(|(rule, detail)| {
            // Here no admin can record an exception, and it is not the environment that wants https.
            let scheme = matches!(rule, Rule::NotHttps | Rule::SchemeNeedsException);
            if scheme { (Rule::NotHttps, "must be https".to_owned()) } else { (rule, detail) }
        })?;
        if text.contains('?') {
            return Err((Rule::HasQuery, "must not have a query".into()));
        }
        Ok(uri)
    }

    /// The text as it was registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands between `://` and the path, as written: the URL parser mends `https:a.example`, `https:///a.example`
/// and `https://@a.example`, and what was registered must mean what it says.
fn authority<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let rest = text[scheme.len()..].strip_prefix("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|authority| !authority.is_empty())
}

/// Neither `*`, which would be taken for a pattern, nor `%`, which would be a second spelling of a host.
fn plain_host(authority: &str) -> bool {
    authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

fn percent_encoded(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|after| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

/// A URI of a native app: its scheme needs an exception, and what follows is a path, or an authority and a path
/// (RFC 8252 section 7.1).
fn native(
    text: &str,
    url: &Url,
    exceptions: &BTreeSet<RedirectScheme>,
) -> Result<RedirectUri, (Rule, String)> {
    // As written: the parser would make small letters of capital ones, and the scheme is compared byte for byte too.
    let written = &text[..url.scheme().len()];
    if !exceptions.iter().any(|scheme| scheme.as_str() == written) {
        return Err(match RedirectScheme::parse(written) {
            Ok(scheme) => {
                let detail = format!("`{scheme}` needs an exception, which an admin records for this client");
                (Rule::SchemeNeedsException, detail)
            }
            Err(_) => (Rule::NotHttps, NOT_HTTPS.into()),
        });
    }
    if !text[written.len()..].starts_with(":/") {
        return Err((Rule::NotAbsolute, format!("must go on with a path, like {written}:/callback")));
    }
    if text.contains('@') {
        return Err((Rule::HasUserinfo, "must not carry a user name or password".into()));
    }
    Ok(RedirectUri(text.to_owned()))
}

/// Whether the host may be one of http at all, and whether it is written as what it is: `127.1`, `0x7f.1` and
/// `[::ffff:127.0.0.1]` lead to this machine too, and nobody who reads them sees it.
fn check_place(url: &Url, authority: &str, rule: RedirectRule) -> Result<(), (Rule, String)> {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        Some(_) | None => authority,
    };
    let as_written = url.host_str() == Some(host);
    let (loopback, disguised, named) = match url.host() {
        Some(Host::Domain(name)) => {
            let plain = name.trim_end_matches('.');
            (name == "localhost", plain == "localhost" || plain.ends_with(".localhost"), true)
        }
        Some(Host::Ipv4(address)) => (address.is_loopback(), address.is_unspecified(), false),
        Some(Host::Ipv6(address)) => {
            let mapped = address.to_ipv4_mapped();
            let inside = mapped.is_some_and(|mapped| mapped.is_loopback() || mapped.is_unspecified());
            (address.is_loopback(), inside || address.is_unspecified(), false)
        }
        None => (false, false, false),
    };
    if url.scheme() == "https" {
        let detail = "must write its address in the usual form, like 192.0.2.1 or [2001:db8::1]";
        return if named || as_written { Ok(()) } else { Err((Rule::Malformed, detail.into())) };
    }
    if rule == RedirectRule::HttpsOnly {
        return Err((Rule::NotHttps, HTTPS_ONLY.into()));
    }
    if loopback && as_written {
        return Ok(());
    }
    if loopback || disguised {
        let detail = "must spell the loopback host localhost, 127.0.0.1 or [::1], exactly so";
        return Err((Rule::LoopbackSpelling, detail.into()));
    }
    Err((Rule::NotHttps, NOT_HTTPS.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BTreeSet, RedirectLimits, RedirectRule, RedirectScheme, RedirectUri, Rule};

    fn refused(text: &str) -> Rule {
        RedirectUri::parse(text).expect_err(text).0
    }

    #[test]
    fn l6_https_and_loopback_are_accepted_as_written() {
        for text in [
            "https://app.example.com/callback",
            "https://app.example.com",
            "https://APP.example.com/Callback?x=1&y=%20",
            "https://app.example.com?x=@y:z*",
            "HTTPS://app.example.com/cb",
            "http://localhost:8080/cb",
            "http://127.0.0.1/cb",
            "http://127.8.9.1:1/cb",
            "http://[::1]:5000/",
        ] {
            assert_eq!(RedirectUri::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn l6_everything_else_is_refused_by_its_rule() {
        assert_eq!(refused(""), Rule::Required);
        assert_eq!(refused("/callback"), Rule::NotAbsolute);
        assert_eq!(refused("app.example.com/cb"), Rule::NotAbsolute);
        assert_eq!(refused("https:app.example.com/cb"), Rule::NotAbsolute);
        assert_eq!(refused("http://app.example.com/cb"), Rule::NotHttps);
        assert_eq!(refused("http://localhost.example.com/cb"), Rule::NotHttps);
        assert_eq!(refused("http://127.0.0.1.example.com/cb"), Rule::NotHttps);
        assert_eq!(refused("javascript:alert(1)"), Rule::NotHttps);
        assert_eq!(refused("data:text/html,x"), Rule::NotHttps);
        assert_eq!(refused("com.example.app:/cb"), Rule::SchemeNeedsException);
        assert_eq!(refused("https://app.example.com/cb#"), Rule::HasFragment);
        assert_eq!(refused("https://me@app.example.com/cb"), Rule::HasUserinfo);
        assert_eq!(refused("https://app.example.com\\@evil.example/cb"), Rule::Malformed);
        assert_eq!(refused("https://app.example.com/a b"), Rule::Malformed);
        assert_eq!(refused("https://app.example.com/\u{0}"), Rule::Malformed);
        assert_eq!(refused("https:///cb"), Rule::NotAbsolute, "the parser would make `cb` the host");
        assert_eq!(refused("https://?x=1"), Rule::Malformed);
        assert_eq!(
            refused("https://@app.example.com/cb"),
            Rule::HasUserinfo,
            "the parser would drop the `@`"
        );
        assert_eq!(refused("https://:@app.example.com/cb"), Rule::HasUserinfo);
        assert_eq!(refused("https://*.example.com/cb"), Rule::Malformed, "no patterns");
        assert_eq!(refused("https://%61pp.example.com/cb"), Rule::Malformed);
        assert_eq!(refused("https://app.example.com/%zz"), Rule::Malformed);
        assert_eq!(refused("https://app.example.com/%a"), Rule::Malformed);
        assert_eq!(refused("https://app.example.com/cb?x=#f"), Rule::HasFragment);
        assert_eq!(refused("https://app.example.com:99999/cb"), Rule::Malformed);
        assert_eq!(refused(&format!("https://a.example/{}", "x".repeat(2_000))), Rule::TooLong);
    }

    #[test]
    fn l6_a_loopback_host_has_one_spelling() {
        for text in [
            "http://localhost./cb",
            "http://LOCALHOST/cb",
            "http://app.localhost/cb",
            "http://127.1/cb",
            "http://127.0.0.1./cb",
            "http://0x7f.1:80/cb",
            "http://0177.0.0.1/cb",
            "http://2130706433/cb",
            "http://0/cb",
            "http://0.0.0.0/cb",
            "http://[0:0:0:0:0:0:0:1]/cb",
            "http://[::ffff:127.0.0.1]/cb",
            "http://[::ffff:7f00:1]:80/cb",
            "http://[::]/cb",
        ] {
            assert_eq!(refused(text), Rule::LoopbackSpelling, "{text}");
        }
        assert_eq!(
            refused("https://0x7f.1/cb"),
            Rule::Malformed,
            "no address in disguise under https either"
        );
    }

    #[test]
    fn l6_an_environment_may_want_https_alone() {
        let limits = RedirectLimits { rule: RedirectRule::HttpsOnly, exceptions: &BTreeSet::new() };
        let refused = RedirectUri::parse_within("http://localhost/cb", limits).expect_err("no http");
        assert_eq!(refused.0, Rule::NotHttps);
        assert!(RedirectUri::parse_within("https://app.example.com/cb", limits).is_ok());
    }

    #[test]
    fn l6_a_native_apps_scheme_is_accepted_by_its_exception_alone() {
        let exceptions = BTreeSet::from([RedirectScheme::parse("com.example.app").expect("a scheme")]);
        let limits = RedirectLimits { rule: RedirectRule::HttpsOnly, exceptions: &exceptions };
        let rule = |text: &str| RedirectUri::parse_within(text, limits).map_err(|(rule, _)| rule);
        for text in ["com.example.app:/cb", "com.example.app://oauth/cb?x=1"] {
            assert_eq!(rule(text).expect(text).as_str(), text);
        }
        for (text, broken) in [
            ("com.example.other:/cb", Rule::SchemeNeedsException),
            ("COM.example.app:/cb", Rule::NotHttps),
            ("com.example.app:cb", Rule::NotAbsolute),
            ("com.example.app://me@oauth/cb", Rule::HasUserinfo),
            ("com.example.app:/cb#x", Rule::HasFragment),
            ("javascript:alert(1)", Rule::NotHttps),
        ] {
            assert_eq!(rule(text), Err(broken), "{text}");
        }
    }

    #[test]
    fn d4_the_compatibility_api_takes_absolute_https_without_query() {
        let rule = |text: &str| RedirectUri::parse_without_query(text).map_err(|(rule, _)| rule);
        let text = "https://app.example.com/a%3Fb";
        assert_eq!(rule(text).expect(text).as_str(), text);
        for (text, broken) in [
            ("", Rule::Required),
            ("/cb", Rule::NotAbsolute),
            ("http://app.example.com/cb", Rule::NotHttps),
            ("http://localhost/cb", Rule::NotHttps),
            ("javascript:alert(1)", Rule::NotHttps),
            ("com.example.app:/cb", Rule::NotHttps),
            ("https://app.example.com/cb?x=1", Rule::HasQuery),
            ("https://app.example.com/cb?", Rule::HasQuery),
            ("https://app.example.com/cb#x", Rule::HasFragment),
            ("https://me@app.example.com/cb", Rule::HasUserinfo),
        ] {
            assert_eq!(rule(text), Err(broken), "{text}");
        }
    }

    proptest! {
        #[test]
        fn l6_what_is_accepted_is_kept_byte_for_byte(text in "\\PC{0,80}") {
            if let Ok(uri) = RedirectUri::parse(&text) {
                prop_assert_eq!(uri.as_str(), &text);
            }
        }

        #[test]
        fn l6_what_is_accepted_leads_where_it_says(text in "(https?|HTTPS)(:|:/|://|:///)[a-z0-9.@:%*\\[\\]-]{0,12}[/?#]?[a-z%@:/?#]{0,8}") {
            if RedirectUri::parse(&text).is_ok() {
                let url = url::Url::parse(&text).expect("a URI");
                let host = url.host_str().expect("a host");
                let written = text.split_once("://").expect("an authority").1;
                // Addresses have several spellings; a name has one.
                if matches!(url.host(), Some(url::Host::Domain(_))) {
                    prop_assert!(written.starts_with(host), "{} leads to {}", text, host);
                }
                prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            }
        }
    }
}
