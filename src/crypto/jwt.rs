//! Tokens that anybody can verify: JWTs (RFC 7519) signed with keys of an environment.
//!
//! Signatures and P-256 keys are made by `ring`, which draws its randomness from the system itself; RSA keys, which `ring`
//! does not make, from a generator that [`Entropy`] seeds.

mod key;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use key::{GeneratedKey, JwtKeyError, generate_signing_key};

/// A coordinate of P-256, in bytes.
const P256_COORDINATE: usize = 32;

/// What a token is signed with (RFC 7518 section 3.1). There is no `none`, and nothing symmetric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JwtAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl JwtAlgorithm {
    /// The name in `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// What kind of token it is, said in its header so that none passes as another (RFC 8725 section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JwtType {
    /// `at+jwt`: an access token (RFC 9068 section 2.1).
    AccessToken,
    /// `JWT`: an ID token (OpenID Connect Core section 2).
    IdToken,
    /// `logout+jwt`: tells a client that somebody signed out.
    LogoutToken,
}

impl JwtType {
    /// The name in `typ`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::LogoutToken => "logout+jwt",
        }
    }
}

enum Private {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
}

/// A private key, ready to sign.
pub struct JwtSigner {
    private: Private,
    headers: Headers,
}

/// Encoded headers.
struct Headers {
    access_token: String,
    id_token: String,
    logout_token: String,
}

impl JwtSigner {
    /// The key that [`generate_signing_key`] made, by its `kid`.
    ///
    /// # Errors
    /// If it is none of this algorithm.
    pub fn new(algorithm: JwtAlgorithm, key_id: &str, private: &str) -> Result<Self, JwtKeyError> {
        let private = key::parse(algorithm, private)?;
        let header = |kind: JwtType| {
            // All of it is plain ASCII without anything to escape.
            let header =
                format!(r#"{{"alg":"{}","kid":"{key_id}","typ":"{}"}}"#, algorithm.as_str(), kind.as_str());
            URL_SAFE_NO_PAD.encode(header)
        };
        let headers = Headers {
            access_token: header(JwtType::AccessToken),
            id_token: header(JwtType::IdToken),
            logout_token: header(JwtType::LogoutToken),
        };
        Ok(Self { private, headers })
    }

    /// The compact form (RFC 7515 section 3.1) of a token with these claims.
    ///
    /// # Errors
    /// If the claims are no JSON object, or there is no randomness.
    pub fn sign(&self, kind: JwtType, claims: &impl Serialize) -> Result<String, JwtError> {
        let claims = serde_json::to_vec(claims).map_err(JwtError::Claims)?;
        let header = match kind {
            JwtType::AccessToken => &self.headers.access_token,
            JwtType::IdToken => &self.headers.id_token,
            JwtType::LogoutToken => &self.headers.logout_token,
        };
        let mut token = String::with_capacity(header.len() + claims.len() * 4 / 3 + 350);
        token.push_str(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        let random = ring::rand::SystemRandom::new();
        let refused = |_| JwtError::Signing;
        match &self.private {
            Private::Es256(key) => {
                let signature = key.sign(&random, token.as_bytes()).map_err(refused)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
            }
            Private::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).map_err(refused)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
            }
        }
        Ok(token)
    }
}

impl fmt::Debug for JwtSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwtSigner([secret])")
    }
}

/// By which a proof names an access token: `ath` (RFC 9449 section 4.2).
#[must_use]
pub fn access_token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

/// What the header of a token says. Nothing of it is believed before the signature fits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JwtHeader {
    /// With what it claims to be signed.
    pub alg: String,
    /// Under which key.
    #[serde(default)]
    pub kid: Option<String>,
    /// What kind of token it claims to be.
    #[serde(default)]
    pub typ: Option<String>,
    /// The key that signed it, if it stands in the token itself (RFC 9449 section 4.2).
    #[serde(default)]
    pub jwk: Option<serde_json::Map<String, serde_json::Value>>,
    /// Extensions that must be understood (RFC 7515 section 4.1.11); none is.
    #[serde(default)]
    pub crit: Option<serde_json::Value>,
}

/// A token in compact form, cut into its parts.
#[derive(Clone, Copy, Debug)]
pub struct PresentedJwt<'a> {
    signed: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> PresentedJwt<'a> {
    /// Cuts a text at its two dots.
    ///
    /// # Errors
    /// If it has not exactly two.
    pub fn parse(text: &'a str) -> Result<Self, JwtError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        if claims.contains('.') {
            return Err(JwtError::Malformed);
        }
        Ok(Self { signed, header, claims, signature })
    }

    /// What its header says.
    ///
    /// # Errors
    /// If it is no header.
    pub fn header(&self) -> Result<JwtHeader, JwtError> {
        let header = URL_SAFE_NO_PAD.decode(self.header).map_err(|_| JwtError::Malformed)?;
        serde_json::from_slice(&header).map_err(|_| JwtError::Malformed)
    }

    /// What it claims, whoever wrote that. For finding out by which key it would have to be signed, and for nothing else.
    ///
    /// # Errors
    /// If it claims nothing by its form.
    pub fn unverified_claims(&self) -> Result<Vec<u8>, JwtError> {
        URL_SAFE_NO_PAD.decode(self.claims).map_err(|_| JwtError::Malformed)
    }

    /// The claims of a token of this kind, if this key signed it with this algorithm.
    ///
    /// # Errors
    /// If it did not, or the token is of another kind, or is none.
    pub fn verified(
        &self,
        algorithm: JwtAlgorithm,
        kind: JwtType,
        public: &JwtPublicKey,
    ) -> Result<Vec<u8>, JwtError> {
        let header = self.header()?;
        if !header.typ.as_deref().unwrap_or_default().eq_ignore_ascii_case(kind.as_str()) {
            return Err(JwtError::Forged);
        }
        self.signed_by(algorithm, public)
    }

    /// The claims, if this key signed them with this algorithm; of what kind the token is, whoever asks has looked.
    ///
    /// # Errors
    /// If it did not.
    pub fn signed_by(&self, algorithm: JwtAlgorithm, public: &JwtPublicKey) -> Result<Vec<u8>, JwtError> {
        let header = self.header()?;
        if header.alg != algorithm.as_str() || header.crit.is_some() {
            return Err(JwtError::Forged);
        }
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| JwtError::Malformed)?;
        if !public.verifies(algorithm, self.signed.as_bytes(), &signature) {
            return Err(JwtError::Forged);
        }
        self.unverified_claims()
    }
}

/// A public key of an environment, or of a client.
#[derive(Clone, Debug)]
pub enum JwtPublicKey {
    /// An uncompressed point of P-256.
    P256(Vec<u8>),
    /// Modulus and exponent.
    Rsa {
        /// The modulus, big-endian.
        n: Vec<u8>,
        /// The exponent, big-endian.
        e: Vec<u8>,
    },
}

impl JwtPublicKey {
    /// The key of which these are members (RFC 7518 section 6); `member` finds one by its name.
    #[must_use]
    pub fn of_members<'m>(member: impl Fn(&str) -> Option<&'m str>) -> Option<Self> {
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(member(name)?).ok();
        match member("kty")? {
            "EC" if member("crv")? == "P-256" => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != P256_COORDINATE || y.len() != P256_COORDINATE {
                    return None;
                }
                Some(Self::P256([&[4][..], &x, &y].concat()))
            }
            "RSA" => Some(Self::Rsa { n: bytes("n")?, e: bytes("e")? }),
            _ => None,
        }
    }

    /// The one algorithm that it verifies.
    #[must_use]
    pub fn algorithm(&self) -> JwtAlgorithm {
        match self {
            Self::P256(_) => JwtAlgorithm::Es256,
            Self::Rsa { .. } => JwtAlgorithm::Rs256,
        }
    }

    /// By which everybody knows this key, whatever it is called: the SHA-256 thumbprint in base64url (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // The members that must be there, in the order of their names, without blanks (RFC 7638 section 3.2).
        let canonical = match self {
            Self::P256(point) => {
                let (x, y) = point[1..].split_at(P256_COORDINATE);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
        };
        text(&Sha256::digest(canonical))
    }

    fn verifies(&self, algorithm: JwtAlgorithm, signed: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::P256(point), JwtAlgorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
            (Self::Rsa { n, e }, JwtAlgorithm::Rs256) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            (Self::P256(_), JwtAlgorithm::Rs256) | (Self::Rsa { .. }, JwtAlgorithm::Es256) => false,
        }
    }
}

/// Why a token could not be made, or is not believed.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// The claims are no JSON.
    #[error("write a token: its claims are no JSON")]
    Claims(#[source] serde_json::Error),
    /// There is no randomness.
    #[error("sign a token: the system gave no randomness")]
    Signing,
    /// No token by its form.
    #[error("read a token: it is not in compact form")]
    Malformed,
    /// Not signed by this key, or not a token of this kind.
    #[error("verify a token: it is not signed by this key as this kind of token")]
    Forged,
}
