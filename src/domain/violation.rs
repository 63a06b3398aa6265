//! What is wrong with one field of a request, in words its author can act on.

use serde::Serialize;

/// The rule a field broke; its name is part of the API and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The field must be there and not empty.
    Required,
    /// The text is longer than allowed.
    TooLong,
    /// The text is shorter than allowed.
    TooShort,
    /// There are more items than allowed.
    TooMany,
    /// The number is outside its bounds.
    OutOfRange,
    /// The text has a control character, U+0000 among them, or one that nobody can see.
    ControlCharacter,
    /// The text has not the form it needs.
    Malformed,
    /// The same item stands twice.
    Duplicate,
    /// A URI without scheme and host.
    NotAbsolute,
    /// A redirect URI that is neither https nor http on the loopback (RFC 8252 section 7.3).
    NotHttps,
    /// A redirect URI of a native app's scheme, for which the client has no recorded exception (RFC 8252 section 7.1).
    SchemeNeedsException,
    /// A loopback host in a spelling that only looks like another one.
    LoopbackSpelling,
    /// A redirect URI with a fragment (RFC 6749 section 3.1.2).
    HasFragment,
    /// A redirect URI with a query, where it must have none.
    HasQuery,
    /// A URI that carries a user name or password.
    HasUserinfo,
    /// The name is not in the catalog.
    Unknown,
    /// The client's type does not allow it.
    NotAllowedByType,
    /// The type takes no new clients.
    Deprecated,
    /// The current developer terms were not accepted.
    TermsNotAccepted,
    /// The value contradicts another field.
    Contradiction,
    /// The service does not support the value.
    Unsupported,
    /// The member is deactivated, and answers for nothing new.
    NotActive,
    /// What was sent was altered, or is not by who could have made it.
    NotAuthentic,
    /// A secret that would be guessed among the first.
    Guessable,
    /// A secret that is not the one that is held.
    WrongSecret,
    /// A patch that does not fit what is there: a `test` that fails, or a place that does not exist (RFC 6902).
    PatchFailed,
    /// The environment demands a reason for this command.
    ReasonRequired,
    /// The command has no such field.
    UnknownField,
    /// The value is of another type of JSON than the field takes.
    WrongType,
    /// The field can be left out, and cannot be null.
    NullNotAllowed,
}

/// One broken rule at one place of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// RFC 6901 pointer into the request body.
    pub pointer: String,
    /// The rule that it breaks.
    pub rule: Rule,
    /// What to do about it; never repeats a personal value.
    pub detail: String,
}

impl Violation {
    /// A violation at `pointer`.
    pub fn new(pointer: impl Into<String>, rule: Rule, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), rule, detail: detail.into() }
    }

    /// Whether `other` is this one, or could be only what follows from it: something at its place, below, or above.
    #[must_use]
    pub fn explains(&self, other: &Self) -> bool {
        if matches!(self.rule, Rule::UnknownField | Rule::Duplicate) {
            // Nothing that is known is missing.
            return self == other;
        }
        // Without an item, the others of its list stand at other places than they were sent at.
        let list = self.pointer.rsplit_once('/').filter(|(_, item)| item.parse::<usize>().is_ok());
        let place = list.map_or(self.pointer.as_str(), |(list, _)| list);
        within(&other.pointer, place) || within(place, &other.pointer)
    }
}

/// Whether one pointer is the other, or goes on from it.
fn within(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Collects what is wrong, so that one answer names all of it.
#[derive(Debug, Default)]
pub(crate) struct Violations(pub(crate) Vec<Violation>);

impl Violations {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, rule: Rule, detail: impl Into<String>) {
        self.0.push(Violation::new(pointer, rule, detail));
    }

    /// An error with everything that is wrong, if anything is.
    pub(crate) fn refuse<E>(self, invalid: impl FnOnce(Vec<Violation>) -> E) -> Result<(), E> {
        if self.0.is_empty() { Ok(()) } else { Err(invalid(self.0)) }
    }

    /// Whether something is wrong at `pointer` itself.
    pub(crate) fn at(&self, pointer: &str) -> bool {
        self.0.iter().any(|violation| violation.pointer == pointer)
    }

    /// Keeps a parsed value, or notes why it could not be parsed.
    pub(crate) fn keep<T>(&mut self, pointer: &str, parsed: Result<T, (Rule, String)>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err((rule, detail)) => {
                self.add(pointer, rule, detail);
                None
            }
        }
    }
}

/// Characters that draw nothing or turn the direction of the text, so that two different names look the same or
/// one name looks like another: `Default_Ignorable_Code_Point`, line and paragraph separator, and the blank Braille
/// pattern. Joiners and variation selectors are part of real words and emoji, and not among them.
pub(crate) fn is_invisible(c: char) -> bool {
    is_ignorable(c) && !is_joiner(c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{2800}')
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}')
}

/// Unicode's `Default_Ignorable_Code_Point` (`DerivedCoreProperties`, stable since Unicode 6).
pub(crate) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Text a person wrote: trimmed, 1 to `most` characters, all of them to be seen.
pub(crate) fn plain_text(text: &str, most: usize) -> Result<String, (Rule, String)> {
    if text.chars().count() > most {
        return Err((Rule::TooLong, format!("must have at most {most} characters")));
    }
    let text = text.trim();
    if text.chars().all(is_joiner) {
        return Err((Rule::Required, "must not be empty".into()));
    }
    if text.chars().any(char::is_control) {
        return Err((Rule::ControlCharacter, "must not contain control characters".into()));
    }
    if text.chars().any(is_invisible) {
        return Err((Rule::ControlCharacter, "must not contain characters that cannot be seen".into()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Rule, Violation, plain_text};

    fn refused(text: &str) -> Rule {
        plain_text(text, 5).expect_err(text).0
    }

    #[test]
    fn what_only_follows_from_another_fault_is_told_from_what_does_not() {
        let fault = |pointer: &str, rule| Violation::new(pointer, rule, "");
        let explained = |by: &Violation, pointer| by.explains(&fault(pointer, Rule::Required));
        let name = fault("/name", Rule::WrongType);
        assert!(explained(&name, "/name") && explained(&name, "/name/0") && explained(&name, ""));
        assert!(!explained(&name, "/names") && !explained(&name, "/nam"));
        let item = fault("/contacts/1", Rule::WrongType);
        assert!(explained(&item, "/contacts") && explained(&item, "/contacts/0/email"));
        assert!(!explained(&item, "/contact"));
        let unknown = fault("/contacts/1/phone", Rule::UnknownField);
        assert!(unknown.explains(&unknown) && !explained(&unknown, "/contacts"));
    }

    #[test]
    fn l2_text_is_trimmed_and_can_be_seen() {
        assert_eq!(plain_text("\u{a0} ops \t", 7), Ok("ops".to_owned()));
        assert_eq!(plain_text("ééééé", 5), Ok("ééééé".to_owned()), "characters, not bytes");
        assert_eq!(plain_text("\u{1F469}\u{200D}\u{1F4BB}", 5), Ok("\u{1F469}\u{200D}\u{1F4BB}".to_owned()));
        for text in ["", " \n", "\u{200D}", "\u{FE0F}\u{200C}"] {
            assert_eq!(refused(text), Rule::Required, "{text:?}");
        }
        for text in [
            "a\u{0}b",
            "a\nb",
            "a\u{85}b",
            "a\u{202E}b",
            "a\u{200B}",
            "\u{FEFF}a",
            "a\u{2028}b",
            "\u{3164}",
            "\u{E0041}",
        ] {
            assert_eq!(refused(text), Rule::ControlCharacter, "{text:?}");
        }
        assert_eq!(refused("abcdef"), Rule::TooLong);
        assert_eq!(refused("abc   "), Rule::TooLong, "as it was sent, which is what the schema speaks of");
    }
}
