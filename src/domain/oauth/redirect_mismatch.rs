//! In what a redirect URI differs from those that a client registered. They are compared byte for byte (RFC 9700 section
//! 2.1); what is told here is for whoever has to find the difference.

use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::RedirectUri;

/// A part in which two redirect URIs differ; its name is part of the API and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectDifference {
    /// `http` and `https`, say.
    Scheme,
    /// `HTTPS` and `https`.
    SchemeCase,
    /// A user name or password, which no registered one has.
    Userinfo,
    /// Another host.
    Host,
    /// Capital letters in the host.
    HostCase,
    /// Another port, or one that is spelled out.
    Port,
    /// Another path.
    Path,
    /// Capital letters in the path.
    PathCase,
    /// A `/` at the end of the path.
    TrailingSlash,
    /// The same path, with other characters percent-encoded.
    PercentEncoding,
    /// Another query, or one more or less.
    Query,
    /// A fragment, which no registered one has.
    Fragment,
}

/// A redirect URI that is none of those registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectMismatch {
    /// The registered one that it is closest to; `None` if there is none at all.
    pub nearest: Option<RedirectUri>,
    /// In what it differs from that one.
    pub differences: Vec<RedirectDifference>,
}

impl RedirectDifference {
    /// What differs, in words that follow "only".
    pub fn words(self) -> &'static str {
        match self {
            Self::Scheme => "the scheme",
            Self::SchemeCase => "the case of the scheme",
            Self::Userinfo => "a user name or password",
            Self::Host => "the host",
            Self::HostCase => "the case of the host",
            Self::Port => "the port",
            Self::Path => "the path",
            Self::PathCase => "the case of the path",
            Self::TrailingSlash => "a trailing slash",
            Self::PercentEncoding => "the percent-encoding of the path",
            Self::Query => "the query",
            Self::Fragment => "a fragment",
        }
    }

    /// How far it takes two URIs apart: a slip of the pen is nearer than another place.
    fn weight(self) -> u32 {
        match self {
            Self::SchemeCase
            | Self::HostCase
            | Self::PathCase
            | Self::TrailingSlash
            | Self::PercentEncoding => 1,
            Self::Scheme | Self::Userinfo | Self::Port | Self::Query | Self::Fragment => 2,
            Self::Path => 4,
            Self::Host => 8,
        }
    }
}

impl RedirectMismatch {
    /// Finds `presented` among the registered ones, byte for byte.
    ///
    /// # Errors
    /// In what it differs from the nearest of them.
    pub fn check(registered: &[RedirectUri], presented: &str) -> Result<(), Self> {
        if registered.iter().any(|uri| uri.as_str() == presented) {
            return Ok(());
        }
        let nearest = registered
            .iter()
            .map(|uri| (uri, differences(uri.as_str(), presented)))
            .min_by_key(|(_, differences)| differences.iter().map(|one| one.weight()).sum::<u32>());
        Err(match nearest {
            Some((uri, differences)) => Self { nearest: Some(uri.clone()), differences },
            None => Self { nearest: None, differences: Vec::new() },
        })
    }

    /// What differs, in one sentence; it repeats neither URI.
    pub fn detail(&self) -> String {
        let words: Vec<_> = self.differences.iter().map(|one| one.words()).collect();
        match words.as_slice() {
            [] => "the client has registered no redirect URI".to_owned(),
            [one] => format!("it differs from a registered redirect URI by only {one}"),
            [most @ .., last] => format!(
                "it differs from the nearest registered redirect URI by {} and {last}",
                most.join(", ")
            ),
        }
    }
}

/// A URI taken apart without loss: the parts together are the text, so that two texts that differ have a part that does.
#[derive(PartialEq, Eq)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    userinfo: Option<&'a str>,
    /// `None` is a URI without an authority, `scheme:/path`.
    host: Option<&'a str>,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (text, fragment) = cut(text, '#');
        let (text, query) = cut(text, '?');
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if !scheme.contains('/') => (Some(scheme), rest),
            Some(_) | None => (None, text),
        };
        let Some(rest) = rest.strip_prefix("//") else {
            return Self { scheme, userinfo: None, host: None, port: None, path: rest, query, fragment };
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority),
        };
        // The colons of an IPv6 address stand between brackets.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            Some(_) | None => (place, None),
        };
        Self { scheme, userinfo, host: Some(host), port, path, query, fragment }
    }
}

fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn differences(registered: &str, presented: &str) -> Vec<RedirectDifference> {
    use RedirectDifference::{
        Fragment, Host, HostCase, Path, PathCase, PercentEncoding, Port, Query, Scheme, SchemeCase,
        TrailingSlash, Userinfo,
    };
    let (left, right) = (Parts::of(registered), Parts::of(presented));
    let mut found = Vec::new();
    if left.scheme != right.scheme {
        found.push(if same_letters(left.scheme, right.scheme) { SchemeCase } else { Scheme });
    }
    if left.userinfo != right.userinfo {
        found.push(Userinfo);
    }
    if left.host != right.host {
        found.push(if same_letters(left.host, right.host) { HostCase } else { Host });
    }
    if left.port != right.port {
        found.push(Port);
    }
    if left.path != right.path {
        let slash = |long: &str, short: &str| long.strip_suffix('/') == Some(short);
        found.push(if slash(left.path, right.path) || slash(right.path, left.path) {
            TrailingSlash
        } else if left.path.eq_ignore_ascii_case(right.path) {
            PathCase
        } else if percent_decode_str(left.path).eq(percent_decode_str(right.path)) {
            PercentEncoding
        } else {
            Path
        });
    }
    if left.query != right.query {
        found.push(Query);
    }
    if left.fragment != right.fragment {
        found.push(Fragment);
    }
    found
}

fn same_letters(left: Option<&str>, right: Option<&str>) -> bool {
    matches!((left, right), (Some(left), Some(right)) if left.eq_ignore_ascii_case(right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{RedirectDifference::*, *};

    fn check(registered: &[&str], presented: &str) -> Result<(), RedirectMismatch> {
        let uris: Vec<_> = registered.iter().map(|uri| RedirectUri::parse(uri).expect(uri)).collect();
        RedirectMismatch::check(&uris, presented)
    }

    #[test]
    fn l6_a_mismatch_says_exactly_what_differs() {
        let registered = "https://app.example.com/callback?x=1";
        assert_eq!(check(&[registered], registered), Ok(()));
        for (presented, expected) in [
            ("https://app.example.com/callback/?x=1", vec![TrailingSlash]),
            ("http://app.example.com/callback?x=1", vec![Scheme]),
            ("HTTPS://app.example.com/callback?x=1", vec![SchemeCase]),
            ("https://app.example.COM/callback?x=1", vec![HostCase]),
            ("https://app.example.org/callback?x=1", vec![Host]),
            ("https://app.example.com:443/callback?x=1", vec![Port]),
            ("https://app.example.com/Callback?x=1", vec![PathCase]),
            ("https://app.example.com/call%62ack?x=1", vec![PercentEncoding]),
            ("https://app.example.com/./callback?x=1", vec![Path]),
            ("https://app.example.com/callback", vec![Query]),
            ("https://app.example.com/callback?", vec![Query]),
            ("https://app.example.com/callback?x=1#", vec![Fragment]),
            ("https://me@app.example.com/callback?x=1", vec![Userinfo]),
            ("https://app.example.com@evil.example/callback?x=1", vec![Userinfo, Host]),
            ("https:/app.example.com/callback?x=1", vec![Host, Path]),
            ("/callback?x=1", vec![Scheme, Host]),
            ("", vec![Scheme, Host, Path, Query]),
        ] {
            let mismatch = check(&[registered], presented).expect_err(presented);
            assert_eq!(mismatch.differences, expected, "{presented}");
        }
        let slash = check(&[registered], "https://app.example.com/callback/?x=1").expect_err("a slash");
        assert_eq!(slash.detail(), "it differs from a registered redirect URI by only a trailing slash");
        let two = check(&[registered], "http://app.example.com:80/callback?x=1").expect_err("two");
        assert_eq!(
            two.detail(),
            "it differs from the nearest registered redirect URI by the scheme and the port"
        );
    }

    #[test]
    fn l6_it_is_compared_with_the_nearest_one() {
        let registered =
            ["https://other.example.com/cb", "https://app.example.com/cb", "http://[::1]:8080/cb"];
        let mismatch = check(&registered, "https://app.example.com/cb/").expect_err("a slash");
        assert_eq!(mismatch.nearest.as_ref().map(RedirectUri::as_str), Some(registered[1]));
        let mismatch = check(&registered, "http://[::1]:8081/cb").expect_err("a port");
        assert_eq!(
            (mismatch.nearest.as_ref().map(RedirectUri::as_str), &*mismatch.differences),
            (Some(registered[2]), &[Port][..])
        );
        let nothing = check(&[], "https://app.example.com/cb").expect_err("nothing registered");
        assert_eq!(nothing.detail(), "the client has registered no redirect URI");
    }

    proptest! {
        #[test]
        fn l6_what_is_not_the_same_differs_in_something(
            left in "(https?|app)?(:|:/|://)?[aA@:\\[\\]]{0,4}[/?#aA%@:]{0,6}",
            right in "(https?|app)?(:|:/|://)?[aA@:\\[\\]]{0,4}[/?#aA%@:]{0,6}",
        ) {
            prop_assert_eq!(differences(&left, &right).is_empty(), left == right, "{} {}", left, right);
        }
    }
}
