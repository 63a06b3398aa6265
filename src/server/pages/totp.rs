//! Adding an authenticator as the second factor, and the codes for whoever loses it.

use std::fmt::Write as _;

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use qrcode::{Color, EcLevel, QrCode};

use super::{Person, Place, SignInRefusal, answer, assets, sign_in::refused};

/// The light margin without which no camera finds a picture (ISO/IEC 18004 section 9.1).
const MARGIN: usize = 4;

/// The key for the authenticator, and a field for its first code.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "totp.html")]
pub struct TotpEnrolment<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Whose second factor it is.
    pub member: Person<'a>,
    /// The query of the request that goes on afterwards, if one does; it is validated again then.
    pub continue_query: &'a str,
    /// Which enrolment it is: it goes with the code.
    pub enrolment_id: &'a str,
    /// The address that an authenticator on this device opens: `otpauth://totp/…`.
    pub otpauth: &'a str,
    /// The key in base32, for an authenticator elsewhere.
    pub secret: &'a str,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
    /// Why the code did not do.
    pub refusal: Option<SignInRefusal>,
}

/// A key as a picture: squares of one unit.
struct Picture {
    /// How many units it is wide and high, the margin among them.
    side: usize,
    /// The dark ones, as a path of SVG.
    path: String,
}

/// Codes that are shown once, each to be used once.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodes<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Whose they are.
    pub member: Person<'a>,
    /// The codes.
    pub codes: &'a [&'a str],
    /// The page that comes next, relative to this one.
    pub next: &'a str,
}

impl RecoveryCodes<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        answer(self, StatusCode::OK, None)
    }
}

impl TotpEnrolment<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        refused(self, self.refusal, None)
    }

    /// What an authenticator with a camera reads; none if there is too much of it for a picture.
    fn picture(&self) -> Option<Picture> {
        let code = QrCode::with_error_correction_level(self.otpauth, EcLevel::M).ok()?;
        let mut path = String::new();
        for (row, squares) in code.to_colors().chunks(code.width()).enumerate() {
            let mut column = 0;
            for run in squares.chunk_by(Color::eq) {
                if run[0] == Color::Dark {
                    let (x, y, wide) = (column + MARGIN, row + MARGIN, run.len());
                    let _always = write!(path, "M{x} {y}h{wide}v1h-{wide}z");
                }
                column += run.len();
            }
        }
        Some(Picture { side: code.width() + 2 * MARGIN, path })
    }

    /// The key in groups of four, to be read aloud and typed.
    fn groups(&self) -> Vec<&str> {
        let mut rest = self.secret;
        let mut groups = Vec::new();
        while let Some((group, left)) = rest.split_at_checked(4).filter(|_| rest.len() > 4) {
            groups.push(group);
            rest = left;
        }
        groups.push(rest);
        groups
    }
}
