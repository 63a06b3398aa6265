//! Making and reading private keys.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use zeroize::Zeroizing;

use super::{JwtAlgorithm, Private};
use crate::{Entropy, SecretString};

/// RFC 7518 section 3.3 asks for this at least.
const RSA_BITS: usize = 2_048;

/// A new key.
#[derive(Debug)]
pub struct GeneratedKey {
    /// The private half: PKCS #8 in base64url.
    pub private: SecretString,
    /// The public members (RFC 7518 section 6).
    pub public: BTreeMap<String, String>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum JwtKeyError {
    /// No randomness, or no memory.
    #[error("make a signing key")]
    Generation,
    /// What is kept of it is damaged, or of another algorithm.
    #[error("read a signing key: it is not of this algorithm")]
    Malformed,
}

/// Makes a key. An RSA key takes a good part of a second: call it off the runtime.
///
/// # Errors
/// If there is no randomness.
pub fn generate_signing_key(
    algorithm: JwtAlgorithm,
    entropy: &dyn Entropy,
) -> Result<GeneratedKey, JwtKeyError> {
    match algorithm {
        JwtAlgorithm::Es256 => p256(),
        JwtAlgorithm::Rs256 => rsa(entropy),
    }
}

fn p256() -> Result<GeneratedKey, JwtKeyError> {
    let random = ring::rand::SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        .map_err(|_| JwtKeyError::Generation)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
        .map_err(|_| JwtKeyError::Generation)?;
    // An uncompressed point: 4, x, y.
    let point = pair.public_key().as_ref();
    let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
    let public = members([
        ("crv", "P-256".to_owned()),
        ("kty", "EC".to_owned()),
        ("x", coordinate(1)),
        ("y", coordinate(33)),
    ]);
    Ok(GeneratedKey { private: URL_SAFE_NO_PAD.encode(document.as_ref()).into(), public })
}

fn rsa(entropy: &dyn Entropy) -> Result<GeneratedKey, JwtKeyError> {
    let seed = Zeroizing::new(entropy.array::<32>().map_err(|_| JwtKeyError::Generation)?);
    let key = RsaPrivateKey::new(&mut ChaCha20Rng::from_seed(*seed), RSA_BITS)
        .map_err(|_| JwtKeyError::Generation)?;
    let document = key.to_pkcs8_der().map_err(|_| JwtKeyError::Generation)?;
    let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let public = members([("e", number(key.e())), ("kty", "RSA".to_owned()), ("n", number(key.n()))]);
    Ok(GeneratedKey { private: URL_SAFE_NO_PAD.encode(document.as_bytes()).into(), public })
}

fn members<const N: usize>(members: [(&str, String); N]) -> BTreeMap<String, String> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn parse(algorithm: JwtAlgorithm, private: &str) -> Result<Private, JwtKeyError> {
    let document = Zeroizing::new(URL_SAFE_NO_PAD.decode(private).map_err(|_| JwtKeyError::Malformed)?);
    let malformed = |_| JwtKeyError::Malformed;
    match algorithm {
        JwtAlgorithm::Es256 => {
            let random = ring::rand::SystemRandom::new();
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document, &random)
                .map(|key| Private::Es256(Box::new(key)))
                .map_err(malformed)
        }
        JwtAlgorithm::Rs256 => {
            RsaKeyPair::from_pkcs8(&document).map(|key| Private::Rs256(Box::new(key))).map_err(malformed)
        }
    }
}
