//! Secrets, keys, seals and digests: every cryptographic decision of the registry, and nothing else.
//!
//! | what | where | made of |
//! |---|---|---|
//! | a secret shown once: `mcs_…`, `mat_…`, `mrt_…`, `mac_…`, `mpt_…`, `mse_…`, `mia_…`, `mra_…` | [`mint`], [`Presented`] | 256 random bits, a keyed tag, a public checksum |
//! | the secret that signs payloads: `whsec_…` | [`SigningSecret`] | 256 random bits |
//! | whether a text has one of either in it | [`has_secret`] | their prefixes |
//! | payloads that it signs and encrypts | [`SigningSecret::sign`], [`Jwe`] | HMAC-SHA-256; RFC 7516 with A256GCM |
//! | a password as it is compared | [`normalized_password`] | RFC 8265 |
//! | codes of a device | [`totp_step`] | RFC 6238 |
//! | a key of an authenticator | [`Passkey`] | Web Authentication; ES256, EdDSA, RS256 |
//! | what is kept of a secret | [`Argon2Pool`] | Argon2id, PHC strings |
//! | what is sealed in the vault | [`DataKey::seal`], [`DataKey::open`] | XChaCha20-Poly1305 |
//! | what wraps the data keys | [`MasterKey`] | one file or one environment variable |
//! | a token that anybody can verify | [`JwtSigner`], [`PresentedJwt`] | RFC 7519 with ES256 or RS256 |
//! | the proof key of a code | [`fits_code_challenge`] | RFC 7636, S256 |
//! | a private part of an event | [`Disclosure`] | RFC 9901 |
//! | look-ups that must not be guessed, digests of requests | [`KeyedDigest`] | HMAC-SHA-256 |
//! | the root of a Merkle tree | [`MerkleTree`] | RFC 6962, SHA-256 |
//! | opaque cursors of lists | [`CursorKey`] | HMAC-SHA-256, 128 bits of it |
//!
//! Three rules hold throughout:
//!
//! - **A secret cannot be printed or serialised.** [`SecretString`], [`DataKey`], [`MasterKey`] and
//!   [`Personal`] have neither `Display` nor `Serialize`; their `Debug` says only what they are.
//! - **Randomness is an argument.** Nothing draws entropy but through [`Entropy`], and a system without it
//!   is an error.
//! - **Formats are frozen.** Every stored form begins with a format byte or a prefix and is pinned by a
//!   golden test.
//!
//! There is no I/O here but the master key file and the system's entropy.

mod base62;
mod code_challenge;
mod cursor;
mod data_key;
mod digest;
mod disclosure;
mod framing;
mod jwt;
mod master_key;
mod merkle;
mod passkey;
mod password;
mod payload;
mod personal;
mod random;
mod seal;
mod secret;
mod signing_secret;
#[cfg(test)]
mod testing;
mod totp;
mod verifier;

pub use code_challenge::{fits_code_challenge, is_code_challenge};
pub use cursor::{CursorKey, ForgedCursor};
pub use data_key::DataKey;
pub use digest::KeyedDigest;
pub use disclosure::{Disclosure, MalformedDisclosure};
pub use jwt::{
    GeneratedKey, JwtAlgorithm, JwtError, JwtHeader, JwtKeyError, JwtPublicKey, JwtSigner, JwtType,
    PresentedJwt, access_token_hash, generate_signing_key,
};
pub use master_key::{DataKeyRef, MalformedMasterKey, MasterKey, MasterKeyError, MasterKeyId, UnwrapError};
pub use merkle::MerkleTree;
#[cfg(any(test, feature = "testing"))]
pub use passkey::authenticator::TestAuthenticator;
pub use passkey::{
    CHALLENGE_BYTES, PASSKEY_ALGORITHMS, Passkey, PasskeyAssertion, PasskeyCreation, PasskeyError,
    PasskeyUse, RelyingParty,
};
pub use password::{UnusablePassword, normalized_password};
pub use payload::{ForgedJwe, Jwe, MalformedJwe, SIGNATURE_LENGTH};
pub use personal::Personal;
#[cfg(any(test, feature = "testing"))]
pub use random::SeededEntropy;
pub use random::{BufferedEntropy, Entropy, EntropyError, SystemEntropy};
pub use seal::OpenError;
pub use secrecy::{ExposeSecret, SecretBox, SecretString};
pub use secret::{
    Binding, DuplicateTagKey, MalformedSecret, MalformedSecretId, Minted, Presented, SecretId, SecretKind,
    TagKeys, WrongTag, has_secret, mint,
};
pub use signing_secret::{MalformedSigningSecret, SigningSecret};
#[cfg(any(test, feature = "testing"))]
pub use totp::totp_code;
pub use totp::{UnusableTotp, mint_totp, totp_step, totp_uri};
pub use verifier::{Argon2Pool, UnsupportedVerifier, VerifierError};
