//! Passkeys (Web Authentication Level 2): what an authenticator says when it makes a key, and when it signs with it.
//!
//! No attestation is asked for, and none is looked at: nothing here rests on who made an authenticator. What is left is a
//! few lengths and flags, two digests and a signature; everything that is not exactly as the specification has it is refused.

use ring::{
    digest::{SHA256, digest},
    signature::{self, RsaPublicKeyComponents, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use self::reader::Reader;

#[cfg(any(test, feature = "testing"))]
pub(crate) mod authenticator;
mod reader;
#[cfg(test)]
mod tests;

/// Bytes of a challenge: section 13.4.3 asks for 16 at least.
pub const CHALLENGE_BYTES: usize = 32;
/// Section 4: the longest id of a credential.
const MOST_ID_BYTES: usize = 1_023;
/// The algorithms of keys (RFC 9053, RFC 8812), the dearest to us first.
pub const PASSKEY_ALGORITHMS: [i64; 3] = [ES256, ED_DSA, RS256];
const ES256: i64 = -7;
const ED_DSA: i64 = -8;
const RS256: i64 = -257;
/// Bytes of a modulus, from 2,048 to 4,096 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// Who asks: what the browser holds a passkey to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The host, without a port.
    pub id: String,
    /// The only origin whose pages may ask.
    pub origin: String,
}

/// What a browser answers when an authenticator has made a key.
#[derive(Clone, Debug)]
pub struct PasskeyCreation {
    /// What was asked, in JSON, as the browser wrote it.
    pub client_data: Vec<u8>,
    /// What the authenticator says, in CBOR.
    pub attestation: Vec<u8>,
}

/// What a browser answers when an authenticator has signed.
#[derive(Clone, Debug)]
pub struct PasskeyAssertion {
    /// The id of the credential.
    pub credential_id: Vec<u8>,
    /// What was asked, in JSON, as the browser wrote it.
    pub client_data: Vec<u8>,
    /// What the authenticator says.
    pub authenticator_data: Vec<u8>,
    /// Its signature over both.
    pub signature: Vec<u8>,
}

/// A passkey as it is kept: nothing of it is secret, but the id tells a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkey {
    #[serde(with = "base64url")]
    credential_id: Vec<u8>,
    key: Key,
    sign_count: u32,
}

/// A public key, as the verifier takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "algorithm")]
enum Key {
    /// An uncompressed point of P-256.
    #[serde(rename = "ES256")]
    Es256 {
        #[serde(with = "base64url")]
        point: Vec<u8>,
    },
    /// A point of Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa {
        #[serde(with = "base64url")]
        point: Vec<u8>,
    },
    /// Big-endian numbers without zeros before them.
    #[serde(rename = "RS256")]
    Rs256 {
        #[serde(with = "base64url")]
        modulus: Vec<u8>,
        #[serde(with = "base64url")]
        exponent: Vec<u8>,
    },
}

/// What an authenticator has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasskeyUse {
    /// How often it has signed; 0 if it does not count.
    pub sign_count: u32,
    /// Whether it knows that it is its owner who uses it, by a fingerprint or a PIN.
    pub user_verified: bool,
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// It does not have the form that the specification gives it.
    #[error("the answer is malformed")]
    Malformed,
    /// It is the answer to something else.
    #[error("the answer is to another challenge or of another kind")]
    OtherChallenge,
    /// It was given to another site.
    #[error("the answer was given to another site")]
    OtherSite,
    /// Nobody has touched the authenticator.
    #[error("nobody was present")]
    NobodyPresent,
    /// The key is of a kind that was not asked for.
    #[error("the key is of a kind that was not asked for")]
    UnsupportedKey,
    /// It was not signed by the key.
    #[error("the signature is wrong")]
    WrongSignature,
}

#[derive(Deserialize)]
struct ClientData<'d> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'d, str>,
    #[serde(borrow)]
    challenge: std::borrow::Cow<'d, str>,
    #[serde(borrow)]
    origin: std::borrow::Cow<'d, str>,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
}

/// What an authenticator says of itself (section 6.1).
struct AuthenticatorData<'d> {
    shown: PasskeyUse,
    attested: Option<(&'d [u8], Key)>,
}

impl Passkey {
    /// The passkey that was made for `challenge` (section 7.1).
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub fn created(
        party: &RelyingParty,
        challenge: &[u8; CHALLENGE_BYTES],
        creation: &PasskeyCreation,
    ) -> Result<Self, PasskeyError> {
        check_client_data(party, "webauthn.create", challenge, &creation.client_data)?;
        let data = reader::authenticator_data_of(&creation.attestation)?;
        let AuthenticatorData { shown, attested } = AuthenticatorData::read(party, data)?;
        let (credential_id, key) = attested.ok_or(PasskeyError::Malformed)?;
        Ok(Self { credential_id: credential_id.to_owned(), key, sign_count: shown.sign_count })
    }

    /// What the authenticator shows that has answered `challenge` (section 7.2). Whether it has counted on is the caller's to
    /// see, who alone knows how far it had.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub fn used(
        &self,
        party: &RelyingParty,
        challenge: &[u8; CHALLENGE_BYTES],
        assertion: &PasskeyAssertion,
    ) -> Result<PasskeyUse, PasskeyError> {
        check_client_data(party, "webauthn.get", challenge, &assertion.client_data)?;
        let data = AuthenticatorData::read(party, &assertion.authenticator_data)?;
        let mut signed = assertion.authenticator_data.clone();
        signed.extend_from_slice(digest(&SHA256, &assertion.client_data).as_ref());
        let fits =
            match &self.key {
                Key::Es256 { point } => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point)
                    .verify(&signed, &assertion.signature),
                Key::EdDsa { point } => {
                    UnparsedPublicKey::new(&signature::ED25519, point).verify(&signed, &assertion.signature)
                }
                Key::Rs256 { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                    .verify(&signature::RSA_PKCS1_2048_8192_SHA256, &signed, &assertion.signature),
            };
        fits.map_err(|_| PasskeyError::WrongSignature)?;
        Ok(data.shown)
    }

    /// What it is known by to the authenticator.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        &self.credential_id
    }

    /// How often it had signed when it was made.
    #[must_use]
    pub fn sign_count(&self) -> u32 {
        self.sign_count
    }
}

fn check_client_data(
    party: &RelyingParty,
    kind: &str,
    challenge: &[u8; CHALLENGE_BYTES],
    json: &[u8],
) -> Result<(), PasskeyError> {
    let data: ClientData<'_> = serde_json::from_slice(json).map_err(|_| PasskeyError::Malformed)?;
    let answered = base64url::decoded(&data.challenge).ok_or(PasskeyError::Malformed)?;
    if data.kind != kind || !bool::from(answered.ct_eq(challenge)) {
        return Err(PasskeyError::OtherChallenge);
    }
    if data.origin != party.origin || data.cross_origin {
        return Err(PasskeyError::OtherSite);
    }
    Ok(())
}

impl<'d> AuthenticatorData<'d> {
    const USER_PRESENT: u8 = 1;
    const USER_VERIFIED: u8 = 1 << 2;
    const ATTESTED: u8 = 1 << 6;
    const EXTENSIONS: u8 = 1 << 7;

    fn read(party: &RelyingParty, bytes: &'d [u8]) -> Result<Self, PasskeyError> {
        let mut reader = Reader::new(bytes);
        if reader.take(32)? != digest(&SHA256, party.id.as_bytes()).as_ref() {
            return Err(PasskeyError::OtherSite);
        }
        let flags = reader.array::<1>()?[0];
        let sign_count = u32::from_be_bytes(reader.array()?);
        let is_set = |flag| flags & flag != 0;
        let attested = if is_set(Self::ATTESTED) {
            let _model = reader.take(16)?;
            let length = usize::from(u16::from_be_bytes(reader.array()?));
            if length == 0 || length > MOST_ID_BYTES {
                return Err(PasskeyError::Malformed);
            }
            let credential_id = reader.take(length)?;
            Some((credential_id, reader.key()?))
        } else {
            None
        };
        if is_set(Self::EXTENSIONS) {
            reader.skip_item()?;
        }
        reader.end()?;
        if !is_set(Self::USER_PRESENT) {
            return Err(PasskeyError::NobodyPresent);
        }
        let shown = PasskeyUse { sign_count, user_verified: is_set(Self::USER_VERIFIED) };
        Ok(Self { shown, attested })
    }
}

/// Bytes in JSON, without padding.
mod base64url {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(text).ok()
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        decoded(&text).ok_or_else(|| D::Error::custom("no base64url"))
    }
}
