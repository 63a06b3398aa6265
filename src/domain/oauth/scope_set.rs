//! Scopes (RFC 6749 section 3.3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Rule, Violation};

const LONGEST: usize = 100;
/// The most scopes of a client or a type.
pub(crate) const MOST_SCOPES: usize = 100;

/// One scope-token: printable ASCII without blank, `"` and `\` (RFC 6749 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeToken(String);

impl ScopeToken {
    /// Reads one token.
    ///
    /// # Errors
    /// If it is empty, too long or has a character that the RFC forbids.
    pub fn parse(text: &str) -> Result<Self, (Rule, String)> {
        if text.is_empty() {
            return Err((Rule::Required, "must not be empty".into()));
        }
        if text.len() > LONGEST {
            return Err((Rule::TooLong, format!("a scope must have at most {LONGEST} characters")));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
            return Err((
                Rule::Malformed,
                "a scope is printable ASCII without blank, quote and backslash".into(),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A set of scopes, sorted, so that equal sets have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(pub BTreeSet<ScopeToken>);

impl ScopeSet {
    /// Reads the wire form: tokens separated by single blanks.
    ///
    /// # Errors
    /// One violation for each token at fault, at `pointer`; one alone if there are too many.
    pub fn parse(text: &str, pointer: &str) -> Result<Self, Vec<Violation>> {
        let mut tokens = BTreeSet::new();
        let mut violations = Vec::new();
        let parts = || text.split(' ').filter(|part| !part.is_empty());
        if parts().nth(MOST_SCOPES).is_some() {
            return Err(vec![Violation::new(
                pointer,
                Rule::TooMany,
                format!("at most {MOST_SCOPES} scopes"),
            )]);
        }
        for part in parts() {
            match ScopeToken::parse(part) {
                Ok(token) => {
                    tokens.insert(token);
                }
                Err((rule, detail)) => violations.push(Violation::new(pointer, rule, detail)),
            }
        }
        if violations.is_empty() { Ok(Self(tokens)) } else { Err(violations) }
    }

    /// The wire form: tokens separated by single blanks, sorted.
    pub fn to_wire(&self) -> String {
        self.0.iter().map(ScopeToken::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Whether `name` is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|token| token.as_str() == name)
    }

    /// Whether all of them are in `other` too.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// These and those.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// Those of them that are in `other` too.
    #[must_use]
    pub fn common_with(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// Whether the set has no scope at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for ScopeSet {
    /// Takes tokens that are known to be well formed, such as those of the default catalog.
    fn from_iter<I: IntoIterator<Item = &'a str>>(tokens: I) -> Self {
        Self(tokens.into_iter().map(|token| ScopeToken(token.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, ScopeSet, ScopeToken};

    fn rules(text: &str) -> Vec<Rule> {
        ScopeSet::parse(text, "/scope").expect_err(text).into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn o2_scopes_are_a_sorted_set() {
        let scope = ScopeSet::parse(" matters:write  matters:read matters:write", "/scope").expect("scopes");
        assert_eq!(scope.to_wire(), "matters:read matters:write");
        assert!(ScopeSet::parse("", "/scope").expect("none").is_empty());
        assert_eq!(scope, ["matters:write", "matters:read"].into_iter().collect());
    }

    #[test]
    fn o2_each_bad_scope_is_named() {
        assert_eq!(rules("caf\u{e9} a\"b a\\b ok"), [Rule::Malformed; 3]);
        assert_eq!(rules("a\tb"), [Rule::Malformed], "only a blank separates");
        assert_eq!(rules(&"x".repeat(101)), [Rule::TooLong]);
        assert!(ScopeSet::parse(&"x".repeat(100), "/scope").is_ok());
        assert_eq!(ScopeToken::parse("").expect_err("empty").0, Rule::Required);
    }

    #[test]
    fn o2_at_most_a_hundred_scopes() {
        let many = |count: u32| (0..count).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        assert!(ScopeSet::parse(&many(100), "/scope").is_ok());
        assert_eq!(rules(&many(101)), [Rule::TooMany]);
        assert_eq!(rules(&"\" ".repeat(30_000)), [Rule::TooMany], "one violation, not one a token");
    }
}
