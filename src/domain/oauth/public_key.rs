//! Public keys of clients (RFC 7517): what they sign their assertions with (RFC 7523).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Rule, Violation, violation::Violations};

/// Enough for two keys of each algorithm, and their successors.
pub(crate) const MOST_KEYS: usize = 10;
const LONGEST_KEY_ID: usize = 200;
/// What stands only in a private key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// A coordinate of P-256: 32 bytes in base64url.
const COORDINATE: usize = 43;
/// A modulus of 2048 to 8192 bits in base64url.
const MODULUS: std::ops::RangeInclusive<usize> = 342..=1_366;
/// An exponent: 65537 is `AQAB`.
const EXPONENT: std::ops::RangeInclusive<usize> = 1..=6;

/// A public key, by those of its members that say what it is: `kty` and what belongs to it, and `kid` if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(BTreeMap<String, String>);

impl PublicKey {
    /// Reads the keys of a set (RFC 7517 section 5). A private key is refused, and so not kept: whoever sent it must not go
    /// on with it.
    ///
    /// # Errors
    /// Every rule that one of them breaks, below `pointer`.
    pub fn parse_set(keys: &[Map<String, Value>], pointer: &str) -> Result<Vec<Self>, Vec<Violation>> {
        let mut wrong = Violations::default();
        if keys.len() > MOST_KEYS {
            wrong.add(pointer, Rule::TooMany, format!("at most {MOST_KEYS} keys"));
            return Err(wrong.0);
        }
        let mut parsed: Vec<Self> = Vec::with_capacity(keys.len());
        for (place, key) in keys.iter().enumerate() {
            let pointer = format!("{pointer}/{place}");
            match Self::parse(key) {
                Ok(key) if parsed.iter().any(|other| other.is_known_as(&key)) => {
                    wrong.add(pointer, Rule::Duplicate, "the key, or its kid, stands twice");
                }
                Ok(key) => parsed.push(key),
                Err((member, rule, detail)) => wrong.add(format!("{pointer}/{member}"), rule, detail),
            }
        }
        if wrong.0.is_empty() { Ok(parsed) } else { Err(wrong.0) }
    }

    fn parse(key: &Map<String, Value>) -> Result<Self, (&'static str, Rule, String)> {
        if let Some(member) = PRIVATE.into_iter().find(|member| key.contains_key(*member)) {
            let detail =
                "is part of a private key: send the public one, and make a new pair, for this one was sent";
            return Err((member, Rule::Unsupported, detail.to_owned()));
        }
        let text = |member: &'static str| match key.get(member) {
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err((member, Rule::WrongType, "must be a text".to_owned())),
            None => Ok(None),
        };
        let one_of = |member: &'static str, known: &'static [&'static str]| match text(member)? {
            Some(text) if known.contains(&text) => Ok(Some(text)),
            Some(_) => Err((member, Rule::Unsupported, format!("must be {}", known.join(" or ")))),
            None => Ok(None),
        };
        one_of("use", &["sig"])?;
        let required = |member: &'static str| (member, Rule::Required, "is missing".to_owned());
        let encoded = |member: &'static str, length: std::ops::RangeInclusive<usize>| {
            let text = text(member)?.ok_or_else(|| required(member))?;
            let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if !text.bytes().all(base64url) {
                return Err((member, Rule::Malformed, "must be base64url without padding".to_owned()));
            }
            if !length.contains(&text.len()) {
                let detail = "is too short or too long: P-256, or RSA of 2048 to 8192 bits";
                return Err((member, Rule::OutOfRange, detail.to_owned()));
            }
            Ok((member.to_owned(), text.to_owned()))
        };
        let kty = one_of("kty", &["EC", "RSA"])?.ok_or_else(|| required("kty"))?;
        let mut members = BTreeMap::from([("kty".to_owned(), kty.to_owned())]);
        if kty == "EC" {
            one_of("alg", &["ES256"])?;
            let crv = one_of("crv", &["P-256"])?.ok_or_else(|| required("crv"))?;
            members.insert("crv".to_owned(), crv.to_owned());
            members.extend([encoded("x", COORDINATE..=COORDINATE)?, encoded("y", COORDINATE..=COORDINATE)?]);
        } else {
            one_of("alg", &["RS256"])?;
            members.extend([encoded("n", MODULUS)?, encoded("e", EXPONENT)?]);
        }
        if let Some(kid) = text("kid")? {
            if kid.is_empty() || kid.len() > LONGEST_KEY_ID {
                return Err(("kid", Rule::OutOfRange, format!("must have 1 to {LONGEST_KEY_ID} bytes")));
            }
            members.insert("kid".to_owned(), kid.to_owned());
        }
        Ok(Self(members))
    }

    /// One of its members.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What its owner calls it.
    pub fn key_id(&self) -> Option<&str> {
        self.member("kid")
    }

    /// Whether it would be taken for the other.
    fn is_known_as(&self, other: &Self) -> bool {
        let material = |key: &Self| {
            let mut members = key.0.clone();
            members.remove("kid");
            members
        };
        material(self) == material(other) || self.key_id().is_some() && self.key_id() == other.key_id()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The public key of RFC 7517 appendix A.1.
    fn p256() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        })
    }

    /// It, with some members changed; one that is changed to null is left out.
    fn with(changes: &Value) -> Value {
        let mut key = p256();
        let members = key.as_object_mut().unwrap();
        members.extend(changes.as_object().unwrap().clone());
        members.retain(|_, value| !value.is_null());
        key
    }

    fn parsed(keys: &[Value]) -> Result<Vec<PublicKey>, Vec<(String, Rule)>> {
        let keys: Vec<_> = keys.iter().map(|key| key.as_object().unwrap().clone()).collect();
        PublicKey::parse_set(&keys, "/jwks/keys")
            .map_err(|wrong| wrong.into_iter().map(|one| (one.pointer, one.rule)).collect())
    }

    #[test]
    fn l2_a_public_key_is_kept_by_what_says_what_it_is() {
        let keys =
            parsed(&[with(&json!({ "x5c": ["abc"], "key_ops": ["verify"], "alg": "ES256" }))]).unwrap();
        let kept = serde_json::to_value(&keys[0]).unwrap();
        assert_eq!(kept, with(&json!({ "use": null })), "and nothing else of it");
        let rsa = json!({ "kty": "RSA", "n": "0".repeat(342), "e": "AQAB" });
        assert_eq!(parsed(&[rsa]).unwrap()[0].key_id(), None);
    }

    #[test]
    fn l2_what_is_no_public_key_for_signatures_is_refused_by_its_member() {
        let cases = [
            (json!({ "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE" }), "d", Rule::Unsupported),
            (json!({ "kty": "oct", "k": "c2VjcmV0" }), "k", Rule::Unsupported),
            (json!({ "kty": "OKP" }), "kty", Rule::Unsupported),
            (json!({ "kty": null }), "kty", Rule::Required),
            (json!({ "use": "enc" }), "use", Rule::Unsupported),
            (json!({ "crv": "P-384" }), "crv", Rule::Unsupported),
            (json!({ "alg": "RS256" }), "alg", Rule::Unsupported),
            (json!({ "x": null }), "x", Rule::Required),
            (json!({ "x": 7 }), "x", Rule::WrongType),
            (json!({ "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFy=" }), "y", Rule::Malformed),
            (json!({ "y": "AQAB" }), "y", Rule::OutOfRange),
            (json!({ "kid": "" }), "kid", Rule::OutOfRange),
            (json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }), "n", Rule::OutOfRange),
        ];
        for (changes, member, rule) in cases {
            let pointer = format!("/jwks/keys/0/{member}");
            assert_eq!(parsed(&[with(&changes)]), Err(vec![(pointer, rule)]), "{changes}");
        }
        let twice = |second| parsed(&[p256(), second]);
        let duplicate = Err(vec![("/jwks/keys/1".to_owned(), Rule::Duplicate)]);
        assert_eq!(twice(with(&json!({ "kid": "2" }))), duplicate, "the same key");
        let other = "NKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
        assert_eq!(twice(with(&json!({ "x": other }))), duplicate, "the same kid");
        assert!(twice(with(&json!({ "x": other, "kid": "2" }))).is_ok());
        let many = vec![p256(); MOST_KEYS + 1];
        assert_eq!(parsed(&many), Err(vec![("/jwks/keys".to_owned(), Rule::TooMany)]));
    }
}
