//! Clients that prove themselves by a key: an assertion that they signed (RFC 7523 section 3, OpenID Connect Core section 9).

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{ExposeSecret, JwtPublicKey, PresentedJwt, SecretString};
use domain::{
    ClientId, EnvironmentName,
    oauth::{PublicKey, TokenEndpointAuthMethod},
    time::from_numeric_date,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::{Voucher, VoucherChange};

use super::{ClientAuthenticationError, ClientRefusal, ProvedBy, ProvedClient, Traces, check_status};
use crate::Inner;

/// The kind of the vouchers by which assertions are known to be used.
pub(super) const ASSERTION: &str = "client_assertion";
/// The longest text that can be an assertion.
const LONGEST: usize = 8_192;
/// What clocks may differ by.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// Whoever needs a longer one does not make it for this request.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// What the header of an assertion may call it; others are tokens for something else.
const TYPES: [&str; 2] = ["jwt", "client-authentication+jwt"];

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has_one_of(&self, accepted: &[String]) -> bool {
        match self {
            Self::One(audience) => accepted.contains(audience),
            Self::Many(audiences) => audiences.iter().any(|audience| accepted.contains(audience)),
        }
    }
}

/// The client that an assertion claims to be of; nothing of it is believed yet.
#[must_use]
pub fn claimed_subject(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let claims = PresentedJwt::parse(assertion).ok()?.unverified_claims().ok()?;
    serde_json::from_slice::<Subject>(&claims).ok().map(|claims| claims.sub)
}

impl Inner {
    /// A client that presents an assertion.
    pub(super) async fn judge_assertion(
        &self,
        environment: &EnvironmentName,
        claimed: &str,
        assertion: &SecretString,
        audiences: &[String],
    ) -> Result<ProvedClient, ClientAuthenticationError> {
        let client_id: ClientId = claimed.parse().map_err(|_| ClientRefusal::NoSuchClient)?;
        let loaded = self.clients.current(claimed).await?;
        let registration =
            loaded.aggregate.registration().filter(|client| client.environment == *environment);
        let registration = registration.ok_or(ClientRefusal::NoSuchClient)?;
        if registration.token_endpoint_auth_method != TokenEndpointAuthMethod::PrivateKeyJwt {
            return Err(ClientRefusal::AnotherMethod.into());
        }
        check_status(registration)?;
        let (thumbprint, claims) = verified(&registration.keys, assertion.expose_secret())?;
        if claims.iss != claimed || claims.sub != claimed {
            return Err(ClientRefusal::AssertionWrong.into());
        }
        if !claims.aud.has_one_of(audiences) {
            return Err(ClientRefusal::AssertionAudience.into());
        }
        let expires_at = within_its_time(&claims, self.log.now())?;
        let parts = [claimed.as_bytes(), claims.jti.as_bytes()];
        let id = URL_SAFE_NO_PAD.encode(self.vault.ring.digests.digest(ASSERTION, &parts));
        let used = Voucher { kind: ASSERTION, id, data: Vec::new(), expires_at };
        Ok(ProvedClient {
            client_id,
            by: ProvedBy::Key(thumbprint),
            traces: Traces { digests: Vec::new(), vouchers: vec![VoucherChange::Issue(used)] },
            loaded: Arc::clone(&loaded),
        })
    }
}

/// What an assertion says, and the thumbprint of the key that signed it.
fn verified(keys: &[PublicKey], assertion: &str) -> Result<(String, Claims), ClientRefusal> {
    if assertion.len() > LONGEST {
        return Err(ClientRefusal::AssertionMalformed);
    }
    let presented = PresentedJwt::parse(assertion).map_err(|_| ClientRefusal::AssertionMalformed)?;
    let header = presented.header().map_err(|_| ClientRefusal::AssertionMalformed)?;
    let typ = header.typ.as_deref().map(str::to_ascii_lowercase);
    if typ.is_some_and(|typ| !TYPES.contains(&typ.as_str())) {
        return Err(ClientRefusal::AssertionMalformed);
    }
    let named = |key: &&PublicKey| header.kid.is_none() || key.key_id() == header.kid.as_deref();
    let known = keys.iter().filter(named);
    let mut known = known.filter_map(|key| JwtPublicKey::of_members(|name| key.member(name)));
    let signer = known.find_map(|key| {
        let claims = presented.signed_by(key.algorithm(), &key).ok()?;
        Some((key.thumbprint(), claims))
    });
    let (thumbprint, claims) = signer.ok_or(ClientRefusal::AssertionWrong)?;
    let claims = serde_json::from_slice(&claims).map_err(|_| ClientRefusal::AssertionMalformed)?;
    Ok((thumbprint, claims))
}

/// When an assertion ends whose time is now.
fn within_its_time(claims: &Claims, now: Timestamp) -> Result<Timestamp, ClientRefusal> {
    let at = |date| from_numeric_date(date).ok_or(ClientRefusal::AssertionTime);
    let end = at(claims.exp)?;
    let mut begun = true;
    for begin in [claims.nbf, claims.iat].into_iter().flatten() {
        begun &= at(begin)? <= now + LEEWAY;
    }
    // The end of the time in which it is believed is the end of the time in which its use is remembered.
    let end = end.checked_add(LEEWAY).map_err(|_| ClientRefusal::AssertionTime)?;
    if begun && end > now && end <= now + LONGEST_LIFE + LEEWAY * 2 {
        Ok(end)
    } else {
        Err(ClientRefusal::AssertionTime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(exp: f64, nbf: Option<f64>, iat: Option<f64>) -> Claims {
        let text = String::new;
        Claims { iss: text(), sub: text(), aud: Audience::One(text()), exp, nbf, iat, jti: text() }
    }

    #[test]
    fn oauth_35_an_assertion_is_good_for_an_hour_at_most_and_clocks_may_differ_a_little() {
        let now = Timestamp::from_second(10_000).unwrap();
        let at = |exp, nbf, iat| within_its_time(&claims(exp, nbf, iat), now).map(Timestamp::as_second);
        assert_eq!(at(10_060.0, None, Some(10_000.0)), Ok(10_090));
        assert_eq!(
            at(10_060.9, None, Some(10_030.0)),
            Ok(10_090),
            "a date may have a fraction (RFC 7519 section 2)"
        );
        assert_eq!(at(10_060.0, None, Some(10_030.1)), Err(ClientRefusal::AssertionTime));
        assert_eq!(at(9_971.0, None, None), Ok(10_001), "a slow clock of ours");
        assert_eq!(at(9_970.0, None, None), Err(ClientRefusal::AssertionTime));
        assert_eq!(at(13_600.0, Some(10_030.0), Some(10_030.0)), Ok(13_630));
        assert_eq!(at(13_600.0, Some(10_031.0), None), Err(ClientRefusal::AssertionTime));
        assert_eq!(at(13_600.0, None, Some(10_031.0)), Err(ClientRefusal::AssertionTime));
        assert_eq!(at(13_631.0, None, None), Err(ClientRefusal::AssertionTime), "more than an hour");
        for end in [f64::MIN, f64::MAX, f64::NAN, f64::INFINITY, 1e18, -1.0] {
            assert_eq!(at(end, None, None), Err(ClientRefusal::AssertionTime));
        }
    }
}
