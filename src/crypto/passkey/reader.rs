//! The bytes of an authenticator: fields of fixed length, and items of CBOR (RFC 8949) between them.

use minicbor::Decoder;

use super::{ED_DSA, ES256, Key, MODULUS_BYTES, PasskeyError, RS256};

/// COSE (RFC 9052 section 7, RFC 9053 section 7.1, RFC 8230 section 4): what is what in a map that is a key.
const KIND: i64 = 1;
const ALGORITHM: i64 = 3;
const CURVE_OR_MODULUS: i64 = -1;
const X_OR_EXPONENT: i64 = -2;
const Y: i64 = -3;
const OCTET_KEY_PAIR: i64 = 1;
const ELLIPTIC_CURVE: i64 = 2;
const RSA: i64 = 3;
const P_256: i64 = 1;
const ED25519: i64 = 6;
const COORDINATE_BYTES: usize = 32;
/// Bytes of an exponent: more than anybody has.
const MOST_EXPONENT_BYTES: usize = 4;

/// Reads from the beginning to the end.
pub(super) struct Reader<'d>(&'d [u8]);

/// What a key says of itself, as far as it is read.
#[derive(Default)]
struct Fields<'d> {
    kind: Option<i64>,
    algorithm: Option<i64>,
    curve: Option<i64>,
    modulus: Option<&'d [u8]>,
    x_or_exponent: Option<&'d [u8]>,
    y: Option<&'d [u8]>,
}

/// The authenticator data of an attestation object (section 6.5.4); whatever else it says is not looked at.
pub(super) fn authenticator_data_of(attestation: &[u8]) -> Result<&[u8], PasskeyError> {
    let mut decoder = Decoder::new(attestation);
    let mut data = None;
    for _ in 0..fields(&mut decoder)? {
        if decoder.str()? == "authData" {
            if data.replace(decoder.bytes()?).is_some() {
                return Err(PasskeyError::Malformed);
            }
        } else {
            decoder.skip()?;
        }
    }
    if decoder.position() != attestation.len() {
        return Err(PasskeyError::Malformed);
    }
    data.ok_or(PasskeyError::Malformed)
}

impl<'d> Reader<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'d [u8], PasskeyError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(PasskeyError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PasskeyError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(PasskeyError::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn skip_item(&mut self) -> Result<(), PasskeyError> {
        let mut decoder = Decoder::new(self.0);
        decoder.skip()?;
        let read = decoder.position();
        self.take(read).map(|_| ())
    }

    /// Whether everything was read.
    pub(super) fn end(&self) -> Result<(), PasskeyError> {
        if self.0.is_empty() { Ok(()) } else { Err(PasskeyError::Malformed) }
    }

    /// A public key.
    pub(super) fn key(&mut self) -> Result<Key, PasskeyError> {
        let mut decoder = Decoder::new(self.0);
        let mut found = Fields::default();
        for _ in 0..fields(&mut decoder)? {
            let place = decoder.i64()?;
            let is_first = match place {
                KIND => found.kind.replace(decoder.i64()?).is_none(),
                ALGORITHM => found.algorithm.replace(decoder.i64()?).is_none(),
                CURVE_OR_MODULUS if found.kind == Some(RSA) => {
                    found.modulus.replace(decoder.bytes()?).is_none()
                }
                CURVE_OR_MODULUS => found.curve.replace(decoder.i64()?).is_none(),
                X_OR_EXPONENT => found.x_or_exponent.replace(decoder.bytes()?).is_none(),
                Y => found.y.replace(decoder.bytes()?).is_none(),
                _ => return Err(PasskeyError::Malformed),
            };
            if !is_first {
                return Err(PasskeyError::Malformed);
            }
        }
        let read = decoder.position();
        self.take(read)?;
        found.key()
    }
}

impl Fields<'_> {
    fn key(self) -> Result<Key, PasskeyError> {
        let (kind, algorithm) = self.kind.zip(self.algorithm).ok_or(PasskeyError::Malformed)?;
        let first = self.x_or_exponent.ok_or(PasskeyError::Malformed)?;
        match (kind, algorithm, self.curve, self.y, self.modulus) {
            (ELLIPTIC_CURVE, ES256, Some(P_256), Some(y), None) => {
                if first.len() != COORDINATE_BYTES || y.len() != COORDINATE_BYTES {
                    return Err(PasskeyError::Malformed);
                }
                Ok(Key::Es256 { point: [&[4], first, y].concat() })
            }
            (OCTET_KEY_PAIR, ED_DSA, Some(ED25519), None, None) => {
                if first.len() != COORDINATE_BYTES {
                    return Err(PasskeyError::Malformed);
                }
                Ok(Key::EdDsa { point: first.to_owned() })
            }
            (RSA, RS256, None, None, Some(modulus)) => {
                let has_zero = |number: &[u8]| number.first().is_none_or(|byte| *byte == 0);
                let fits = MODULUS_BYTES.contains(&modulus.len()) && first.len() <= MOST_EXPONENT_BYTES;
                if !fits || has_zero(modulus) || has_zero(first) {
                    return Err(PasskeyError::Malformed);
                }
                Ok(Key::Rs256 { modulus: modulus.to_owned(), exponent: first.to_owned() })
            }
            _ => Err(PasskeyError::UnsupportedKey),
        }
    }
}

/// How many pairs a map has; one of unknown length is none that an authenticator writes (section 6: CTAP2 canonical form).
fn fields(decoder: &mut Decoder<'_>) -> Result<u64, PasskeyError> {
    decoder.map()?.ok_or(PasskeyError::Malformed)
}

impl From<minicbor::decode::Error> for PasskeyError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed
    }
}
