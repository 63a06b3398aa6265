//! Passwords as they are compared: the profile `OpaqueString` of RFC 8265, so that what one keyboard makes of a letter is
//! what another makes of it.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{ExposeSecret, SecretString};

#[cfg(test)]
mod tests;

/// A password in the form in which it is hashed and compared: every blank is U+0020, letters are composed (NFC). Nothing is
/// trimmed or folded.
///
/// # Errors
/// If it has a control character, which no field for passwords lets anybody type.
pub fn normalized_password(text: &SecretString) -> Result<SecretString, UnusablePassword> {
    let text = text.expose_secret();
    if text.chars().any(char::is_control) {
        return Err(UnusablePassword);
    }
    let composed = || text.chars().map(|c| if is_blank(c) { ' ' } else { c }).nfc();
    // Of exactly its final length: neither the pushes nor `SecretString` move it, so no copy is left behind.
    let length = composed().map(char::len_utf8).sum();
    let mut normalized = Zeroizing::new(String::with_capacity(length));
    normalized.extend(composed());
    Ok(SecretString::from(std::mem::take(&mut *normalized)))
}

/// Unicode's general category `Zs`.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}')
}

/// The text is no password: it has a control character.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("read a password: it has a control character")]
pub struct UnusablePassword;
