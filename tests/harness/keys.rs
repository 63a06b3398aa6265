//! Keys of clients, and what clients sign with them: assertions (RFC 7523) and proofs (RFC 9449).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use store::{Clock as _, SystemClock};

/// A P-256 key that only its client has.
pub struct ClientKey {
    pair: EcdsaKeyPair,
    /// The private half: PKCS #8 in base64url.
    pub private: String,
    /// The public half, as a JWK without `kid`.
    pub public: Value,
}

impl ClientKey {
    /// A new one.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn new() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("its own key");
        // An uncompressed point: 4, x, y.
        let point = pair.public_key().as_ref();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
        let public = json!({ "kty": "EC", "crv": "P-256", "x": coordinate(1), "y": coordinate(33) });
        Self { pair, private: URL_SAFE_NO_PAD.encode(document.as_ref()), public }
    }

    /// The public half as a set of one.
    #[must_use]
    pub fn set(&self) -> Value {
        json!({ "keys": [self.public] })
    }

    /// A JWT with this header and these claims.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("randomness");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// An assertion of the client of that id for that audience, good for a minute.
    #[must_use]
    pub fn assertion(&self, client_id: &str, audience: &str) -> String {
        self.sign(&json!({ "alg": "ES256", "typ": "JWT" }), &assertion_claims(client_id, audience))
    }

    /// A proof for a request of this method and URL, which presents this access token or none.
    #[must_use]
    pub fn proof(&self, method: &str, url: &str, access_token: Option<&str>) -> String {
        self.sign(&self.proof_header(), &proof_claims(method, url, access_token))
    }

    /// What the header of such a proof says.
    #[must_use]
    pub fn proof_header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": self.public })
    }
}

impl Default for ClientKey {
    fn default() -> Self {
        Self::new()
    }
}

/// What such an assertion says.
#[must_use]
pub fn assertion_claims(client_id: &str, audience: &str) -> Value {
    let now = now();
    json!({
        "iss": client_id, "sub": client_id, "aud": audience,
        "iat": now, "exp": now + 60, "jti": random(),
    })
}

/// What such a proof says.
#[must_use]
pub fn proof_claims(method: &str, url: &str, access_token: Option<&str>) -> Value {
    let mut claims = json!({
        "jti": random(), "htm": method, "htu": url, "iat": now(),
    });
    if let Some(token) = access_token {
        claims["ath"] =
            json!(URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, token.as_bytes())));
    }
    claims
}

/// A text that nobody used before.
fn random() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> i64 {
    SystemClock.now().as_second()
}
