//! `Idempotency-Key`: a name that the caller gives to a command, so that asking twice does it once.

use actix_web::{HttpRequest, http::header::HeaderMap};
use app::Idempotency;
use crypto::Personal;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The header.
pub(crate) const NAME: &str = "Idempotency-Key";
const LONGEST: usize = 255;
const NEEDED: &str = "must be 1 to 255 printable ASCII characters, with or without quotes around them";

/// The key and what it stands for; `None` without the header.
pub(super) fn of(http: &HttpRequest, body: &[u8], secrets: &[&str]) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = key(http.headers())? else { return Ok(None) };
    let fingerprint =
        if secrets.is_empty() { fingerprint(http, body) } else { fingerprint(http, &without(secrets, body)) };
    Ok(Some(Idempotency { key, request: Personal::new(fingerprint) }))
}

/// What a body says beside its secrets; nothing of one that says nothing else, or is none.
fn without(secrets: &[&str], body: &[u8]) -> Vec<u8> {
    let mut rest: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    rest.retain(|field, _| !secrets.contains(&field.as_str()));
    Value::Object(rest).to_string().into_bytes()
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(NAME);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let parsed = value.to_str().ok().and_then(parse);
            parsed.map(|key| Some(key.to_owned())).ok_or_else(|| Problem::in_header(NAME, NEEDED))
        }
        (Some(_), Some(_)) => Err(Problem::in_header(NAME, NEEDED)),
    }
}

/// The key itself; the quotes of a structured header's string (RFC 9651 section 3.3.3) are not part of it.
fn parse(text: &str) -> Option<&str> {
    let key = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').filter(|key| !key.contains(['"', '\\']))?,
        None => text,
    };
    let fits = (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then_some(key)
}

/// Method, path with query, and body, apart from each other.
fn fingerprint(http: &HttpRequest, body: &[u8]) -> Vec<u8> {
    [http.method().as_str().as_bytes(), b" ", http.uri().to_string().as_bytes(), b"\n", body].concat()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, parse, without};

    #[test]
    fn quotes_are_no_part_of_the_key() {
        assert_eq!(parse("deploy-7"), Some("deploy-7"));
        assert_eq!(parse("deploy 7"), Some("deploy 7"));
        assert_eq!(parse("\"deploy-7\""), Some("deploy-7"));
        assert_eq!(parse(&"x".repeat(LONGEST)).map(str::len), Some(LONGEST));
    }

    #[test]
    fn a3_nothing_of_a_secret_is_in_what_a_key_stands_for() {
        let said = |body: &str| String::from_utf8(without(&["password"], body.as_bytes())).unwrap();
        assert_eq!(said(r#"{"ticket":"INC-42","password":"twelve chars"}"#), r#"{"ticket":"INC-42"}"#);
        assert_eq!(said(r#"{"password":"twelve chars""#), "{}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "\"\"", "\"", "\"a", "\"a\\\"b\"", "a\u{7f}", &"x".repeat(LONGEST + 1)] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
