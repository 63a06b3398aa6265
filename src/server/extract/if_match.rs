//! `If-Match` (RFC 9110 section 13.1.1).

use actix_web::http::header::{self, HeaderMap};
use app::IfMatch;
use store::{MAX_INTEGER, Revision};

use crate::problem::Problem;

const NEEDED: &str =
    "must be the ETag of what was seen, like \"3\", or `*`; never a weak one, and never a list";

/// What the request demands; `None` if it demands nothing.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<IfMatch>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let parsed = value.to_str().ok().and_then(parse);
            parsed.map(Some).ok_or_else(|| Problem::in_header("If-Match", NEEDED))
        }
        (Some(_), Some(_)) => Err(Problem::in_header("If-Match", NEEDED)),
    }
}

fn parse(text: &str) -> Option<IfMatch> {
    let text = text.trim();
    if text == "*" {
        return Some(IfMatch::Any);
    }
    let digits = text.strip_prefix('"')?.strip_suffix('"')?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|number| plain && *number <= MAX_INTEGER)?;
    Some(IfMatch::Revision(Revision::new(number)))
}

#[cfg(test)]
mod tests {
    use super::{IfMatch, Revision, parse};

    #[test]
    fn a_revision_in_quotes_or_a_star() {
        assert_eq!(parse("*"), Some(IfMatch::Any));
        assert_eq!(parse("\"1\""), Some(IfMatch::Revision(Revision::new(1))));
        assert_eq!(parse(" \"70\" "), Some(IfMatch::Revision(Revision::new(70))));
    }

    #[test]
    fn everything_else_is_malformed() {
        for text in [
            "",
            "1",
            "\"\"",
            "\"0\"",
            "\"01\"",
            "\"+1\"",
            "\"-1\"",
            "W/\"1\"",
            "\"1\", \"2\"",
            "\"a\"",
            "**",
            "\"9007199254740992\"",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
