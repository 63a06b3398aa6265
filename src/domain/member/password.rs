//! The password: what a member signs in with as a person.
//!
//! Only its verifier is kept, in the vault; the log knows that there is one. What a password must be is said here: long
//! enough, and not among the first that anybody would try (NIST SP 800-63B-4 section 3.1.1.2). There is no rule about kinds
//! of characters, and none that it must be changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MemberError, MemberEvent, Membership, NewCredential, PasswordRemoved, PasswordSet};
use crate::{Rule, SecretId};

/// The fewest characters of a password.
pub const LEAST_PASSWORD_CHARS: usize = 12;
/// The most bytes of a password.
pub const MOST_PASSWORD_BYTES: usize = 1_024;
/// Fewer different characters are a pattern.
const LEAST_DIFFERENT_CHARS: usize = 5;
/// What passwords begin with that are made up in a hurry. Whoever adds digits and signs to one of them adds what everybody
/// adds.
const COMMON_WORDS: &[&str] = &[
    "abc",
    "abcd",
    "abcdef",
    "abcdefgh",
    "access",
    "admin",
    "administrator",
    "adminadmin",
    "asdf",
    "asdfasdf",
    "asdfgh",
    "asdfghjkl",
    "baseball",
    "basketball",
    "changeit",
    "changeme",
    "charlie",
    "computer",
    "correcthorsebatterystaple",
    "default",
    "dragon",
    "football",
    "freedom",
    "guest",
    "hello",
    "hellohello",
    "helloworld",
    "iloveyou",
    "iloveyouforever",
    "letmein",
    "letmeinplease",
    "login",
    "manager",
    "master",
    "mercedes",
    "michael",
    "monkey",
    "muniment",
    "mypassword",
    "newpassword",
    "nopassword",
    "oauth",
    "pass",
    "passpass",
    "passphrase",
    "passwd",
    "passwor",
    "password",
    "passwordpassword",
    "passwort",
    "princess",
    "private",
    "qazwsx",
    "qazwsxedc",
    "qazwsxedcrfv",
    "qwer",
    "qwerasdf",
    "qwerasdfzxcv",
    "qwert",
    "qwerty",
    "qwertyqwerty",
    "qwertyui",
    "qwertyuiop",
    "qwertyuiopasdfghjkl",
    "qwertz",
    "qwertzuiop",
    "root",
    "secret",
    "secretpassword",
    "security",
    "service",
    "shadow",
    "starwars",
    "summer",
    "sunshine",
    "superman",
    "superuser",
    "supervisor",
    "system",
    "temp",
    "temporary",
    "test",
    "testing",
    "testtest",
    "thisismypassword",
    "trustno",
    "unknown",
    "user",
    "username",
    "welcome",
    "welcomewelcome",
    "whatever",
    "winter",
    "zaqwsx",
    "zxcv",
    "zxcvbn",
    "zxcvbnm",
];
/// Keys in the order in which fingers find them.
const WALKS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789012345678901234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
    "q1w2e3r4t5y6u7i8o9p0",
];

/// A password as far as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// The id of its verifier in the vault.
    pub id: SecretId,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
    /// When it was set.
    #[serde(with = "crate::time::micros")]
    pub set_at: Timestamp,
}

impl Password {
    pub(super) fn set(password: &PasswordSet, at: Timestamp) -> Self {
        Self { id: password.id.clone(), commitment: password.commitment.clone(), set_at: at }
    }
}

impl Membership {
    pub(super) fn set_password(&self, NewCredential { id, commitment }: NewCredential) -> Vec<MemberEvent> {
        let replaced = self.password.as_ref().map(|password| password.id.clone());
        vec![MemberEvent::PasswordSet(PasswordSet { id, commitment, replaced })]
    }

    pub(super) fn remove_password(&self) -> Result<Vec<MemberEvent>, MemberError> {
        let password = self.password.as_ref().ok_or(MemberError::NoPassword)?;
        Ok(vec![MemberEvent::PasswordRemoved(PasswordRemoved { id: password.id.clone() })])
    }
}

/// Whether somebody may choose this password, of whom `name` and `email` are known.
///
/// # Errors
/// The rule that it breaks, in words that repeat nothing of it.
pub fn check_password(
    password: &str,
    name: Option<&str>,
    email: Option<&str>,
) -> Result<(), (Rule, &'static str)> {
    if password.len() > MOST_PASSWORD_BYTES {
        return Err((Rule::TooLong, "at most 1024 bytes"));
    }
    if password.chars().count() < LEAST_PASSWORD_CHARS {
        return Err((Rule::TooShort, "at least 12 characters"));
    }
    let folded = password.to_lowercase();
    let mailbox = email.and_then(|email| email.split('@').next());
    let own = [name, email, mailbox].into_iter().flatten().map(bare);
    if own.into_iter().any(|own| !own.is_empty() && (own == bare(&folded) || own == stem(&folded))) {
        return Err((Rule::Guessable, "must not be the member's own name or e-mail"));
    }
    let mut different: Vec<_> = folded.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < LEAST_DIFFERENT_CHARS {
        return Err((Rule::Guessable, "must not be a few characters again and again"));
    }
    if is_walk(&folded) {
        return Err((Rule::Guessable, "must not be keys in a row"));
    }
    if COMMON_WORDS.contains(&stem(&folded).as_str()) {
        return Err((Rule::Guessable, "is among those that are tried first: choose several words"));
    }
    Ok(())
}

/// Letters and digits alone, in lower case.
fn bare(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// What is left of a password without the digits and signs around its letters, with the letters for which others stand.
fn stem(folded: &str) -> String {
    let words = folded.trim_matches(|c: char| !c.is_alphabetic() && !"@$".contains(c));
    let letter = |c| match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    words.chars().map(letter).filter(|c| c.is_alphanumeric()).collect()
}

/// Whether it is part of a walk over the keys, there or back, or of one that begins again.
fn is_walk(folded: &str) -> bool {
    let back: String = folded.chars().rev().collect();
    WALKS.iter().any(|walk| {
        let twice = walk.repeat(2);
        twice.contains(folded) || twice.contains(&back)
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{MOST_PASSWORD_BYTES, check_password};
    use crate::{
        BuiltInRole, Member, MemberCommand, MemberError, MemberEvent, OwnRoles, Rule, SecretId,
        member::{CreateMember, NewCredential, PasswordRemoved, PasswordSet},
    };

    fn new(name: &str) -> NewCredential {
        NewCredential { id: SecretId(name.into()), commitment: format!("of {name}") }
    }

    fn set(name: &str, replaced: Option<&str>) -> MemberEvent {
        let NewCredential { id, commitment } = new(name);
        let replaced = replaced.map(|name| SecretId(name.into()));
        MemberEvent::PasswordSet(PasswordSet { id, commitment, replaced })
    }

    #[test]
    fn l1_a_member_has_one_password_at_most() {
        let now = Timestamp::UNIX_EPOCH;
        let mut member = Member::Absent;
        let mut decide = |command| -> Result<Vec<MemberEvent>, MemberError> {
            let events = member.decide(command, now)?;
            events.iter().for_each(|event| member.apply(event, now));
            Ok(events)
        };
        assert_eq!(decide(MemberCommand::SetPassword(new("a"))), Err(MemberError::NotFound));
        let roles = vec![BuiltInRole::Auditor.into()];
        let create =
            CreateMember { roles, own_roles: OwnRoles::new(), token: None, password: Some(new("a")) };
        let created = decide(MemberCommand::CreateMember(create)).expect("a member");
        assert_eq!(created[1..], [set("a", None)]);
        assert_eq!(decide(MemberCommand::SetPassword(new("b"))), Ok(vec![set("b", Some("a"))]));
        let removed = MemberEvent::PasswordRemoved(PasswordRemoved { id: SecretId("b".into()) });
        assert_eq!(decide(MemberCommand::RemovePassword), Ok(vec![removed]));
        assert_eq!(decide(MemberCommand::RemovePassword), Err(MemberError::NoPassword));
        assert_eq!(decide(MemberCommand::SetPassword(new("c"))), Ok(vec![set("c", None)]));
        assert_eq!(
            member.membership().and_then(|member| member.password.as_ref()).map(|it| it.set_at),
            Some(now)
        );
    }

    fn check(password: &str) -> Result<(), Rule> {
        check_password(password, Some("Ada Lovelace"), Some("ada.lovelace@members.example"))
            .map_err(|(rule, _)| rule)
    }

    #[test]
    fn l1_a_password_is_long_and_need_not_be_strange() {
        for password in [
            "correct horse battery",
            "twelve chars",
            "ααααβγδεζηθικ",
            "my password is long",
            "ada likes engines",
            "  leading and trailing  ",
        ] {
            assert_eq!(check(password), Ok(()), "{password}");
        }
        assert_eq!(check("elevenchars"), Err(Rule::TooShort));
        assert_eq!(check("éééééé"), Err(Rule::TooShort), "characters, not bytes");
        assert_eq!(check(&"ab cd ef ".repeat(MOST_PASSWORD_BYTES / 9)), Ok(()));
        assert_eq!(check(&"ab cd ef ".repeat(MOST_PASSWORD_BYTES / 9 + 1)), Err(Rule::TooLong));
    }

    #[test]
    fn l1_what_is_tried_first_is_no_password() {
        for password in [
            "aaaaaaaaaaaa",
            "abababababab",
            "123456789012",
            "098765432109",
            "abcdefghijkl",
            "QwertyUiopAs",
            "1q2w3e4r5t6y",
            "Password1234",
            "P@ssw0rd!!!!",
            "!!!Welcome2026!!!",
            "passwordpassword",
            "changeme-2026",
            "Administrator1",
            "CorrectHorseBatteryStaple",
            "Ada Lovelace",
            "adalovelace2026",
            "ada.lovelace@members.example",
            "Ada.Lovelace",
        ] {
            assert_eq!(check(password), Err(Rule::Guessable), "{password}");
        }
    }
}
