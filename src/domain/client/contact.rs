//! What a contact must look like. The values are looked at and forgotten: no command and no event holds them.

use crate::{
    Rule, Violation,
    violation::{is_invisible, plain_text},
};

const LONGEST_NAME: usize = 200;
const LONGEST_EMAIL: usize = 254;

/// What is wrong with one contact; `pointer` is where it stands in the request.
pub fn check(name: &str, email: &str, pointer: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    if let Err((rule, detail)) = plain_text(name, LONGEST_NAME) {
        violations.push(Violation::new(format!("{pointer}/name"), rule, detail));
    }
    if let Err((rule, detail)) = email_form(email) {
        violations.push(Violation::new(format!("{pointer}/email"), rule, detail));
    }
    violations
}

/// The form a mail server could deliver to; whether it does is known only once a mail was sent.
fn email_form(email: &str) -> Result<(), (Rule, String)> {
    if email.is_empty() {
        return Err((Rule::Required, "must not be empty".into()));
    }
    if email.len() > LONGEST_EMAIL {
        return Err((
            Rule::TooLong,
            format!("must have at most {LONGEST_EMAIL} bytes (RFC 5321 section 4.5.3.1.3)"),
        ));
    }
    match email.rsplit_once('@') {
        Some((local, domain)) if local_part_fits(local) && domain_fits(domain) => Ok(()),
        _ => Err((Rule::Malformed, "must be an address like ops@example.com".into())),
    }
}

fn local_part_fits(local: &str) -> bool {
    let wrong =
        |c: char| c.is_whitespace() || c.is_control() || is_invisible(c) || "@<>(),;:\\\"[]".contains(c);
    !local.is_empty() && !local.contains(wrong)
}

fn domain_fits(domain: &str) -> bool {
    let label_fits = |label: &str| {
        let inside = |c: char| c.is_alphanumeric() || c == '-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(inside)
    };
    domain.contains('.') && domain.split('.').all(label_fits)
}

#[cfg(test)]
mod tests {
    use super::{Rule, check};

    fn rules(name: &str, email: &str) -> Vec<Rule> {
        check(name, email, "/contacts/0").into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn l2_a_contact_is_a_name_and_an_address() {
        assert!(rules("Ops", "ops@example.com").is_empty());
        assert!(rules("Ops", "o.p+s@mail.example.co.uk").is_empty());
        assert_eq!(rules(" ", "ops@example.com"), [Rule::Required]);
        for email in [
            "ops",
            "ops@",
            "@example.com",
            "ops@example",
            "o ps@example.com",
            "ops@-x.com",
            "ops@x-.com",
            "ops@exa_mple.com",
            "a@b@c.de",
            "ops@example..com",
            "ops@example.com.",
            "ops\u{200b}@example.com",
            "ops@example.com\r\nBcc: x@example.com",
            "<ops@example.com>",
        ] {
            assert_eq!(rules("Ops", email), [Rule::Malformed], "{email}");
        }
        assert!(rules("Ops", "ops@b\u{fc}ro.example").is_empty());
        let long = format!("{}@example.com", "x".repeat(243));
        assert_eq!(rules(&"x".repeat(201), &long), [Rule::TooLong, Rule::TooLong]);
        assert!(rules(&"x".repeat(200), &long[1..]).is_empty());
        assert_eq!(rules("a\u{0}b", ""), [Rule::ControlCharacter, Rule::Required]);
    }
}
