//! The credentials of a client in a header (RFC 7617, RFC 6749 section 2.3.1).

use actix_web::{HttpRequest, http::header};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use crypto::SecretString;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// Clients that leave out the padding exist, and nothing is gained by refusing them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Id and secret, if there is exactly one `Authorization` and its scheme is `Basic`. What cannot be read as a pair is the
/// empty pair, which is nobody's: it was an attempt.
pub(super) fn credentials(http: &HttpRequest) -> Option<(String, SecretString)> {
    let mut headers = http.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| pair(encoded.trim()).unwrap_or_default())
}

fn pair(encoded: &str) -> Option<(String, SecretString)> {
    let decoded = Zeroizing::new(BASE64.decode(encoded).ok()?);
    let (client_id, secret) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((form_decoded(client_id)?, form_decoded(secret)?.into()))
}

/// Both are form-urlencoded before they are joined.
fn form_decoded(text: &str) -> Option<String> {
    let spaced = Zeroizing::new(text.replace('+', " "));
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use crypto::ExposeSecret;

    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let request = TestRequest::default().insert_header((header::AUTHORIZATION, value)).to_http_request();
        credentials(&request).map(|(id, secret)| (id, secret.expose_secret().to_owned()))
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair))
    }

    #[test]
    fn l4_a_pair_is_form_urlencoded_then_base64() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(read(&basic("id:secret")), pair("id", "secret"));
        assert_eq!(read(&basic("a%3Ab+c:s%25%2B:x")), pair("a:b c", "s%+:x"));
        assert_eq!(read("bAsIc aWQ6c2VjcmV0"), pair("id", "secret"), "the scheme has no case");
        assert_eq!(read("Basic aWQ6cw"), pair("id", "s"), "without padding");
    }

    #[test]
    fn l4_what_is_no_pair_is_nobodys_and_another_scheme_is_no_attempt() {
        for attempt in ["Basic", "Bearer aWQ6cw==", "", "aWQ6cw=="] {
            assert_eq!(read(attempt), None, "{attempt}");
        }
        for attempt in ["Basic !!!", "Basic aWQ=", &basic("%ff:x")] {
            assert_eq!(read(attempt), Some((String::new(), String::new())), "{attempt}");
        }
    }
}
