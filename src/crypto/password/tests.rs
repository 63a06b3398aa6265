use super::{UnusablePassword, normalized_password};
use crate::{ExposeSecret, SecretString};

fn normalized(text: &str) -> Result<String, UnusablePassword> {
    normalized_password(&SecretString::from(text)).map(|password| password.expose_secret().to_owned())
}

#[test]
fn l1_a_password_is_the_same_on_every_keyboard_and_nothing_of_it_is_dropped() {
    // The examples of RFC 8265 section 4.3.
    assert_eq!(normalized("correct horse battery staple"), Ok("correct horse battery staple".into()));
    assert_eq!(normalized("Correct Horse Battery Staple"), Ok("Correct Horse Battery Staple".into()));
    assert_eq!(normalized("πßå"), Ok("πßå".into()));
    assert_eq!(normalized("Jack of ♦s"), Ok("Jack of ♦s".into()));
    assert_eq!(normalized("foo\u{1680}bar"), Ok("foo bar".into()));
    assert_eq!(normalized("my cat is a \u{9}by"), Err(UnusablePassword));
    assert_eq!(normalized("cafe\u{301}"), Ok("caf\u{e9}".into()));
    assert_eq!(normalized("  kept  "), Ok("  kept  ".into()));
    assert_eq!(normalized("nul\u{0}"), Err(UnusablePassword));
}
