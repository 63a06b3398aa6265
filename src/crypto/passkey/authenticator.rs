//! An authenticator for tests: makes keys of P-256, counts, and can be cloned.

#![expect(clippy::expect_used, reason = "only tests have one")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::Encoder;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};

use super::{CHALLENGE_BYTES, PasskeyAssertion, PasskeyCreation, RelyingParty};

/// One key of one authenticator.
#[derive(Clone, Debug)]
pub struct TestAuthenticator {
    /// Its private key.
    pub key: Vec<u8>,
    /// The id of its credential.
    pub credential_id: Vec<u8>,
    /// How often it says to have signed.
    pub sign_count: u32,
    /// Its flags: present and verified.
    pub flags: u8,
}

impl TestAuthenticator {
    /// A new key.
    ///
    /// # Panics
    /// If the system has no entropy.
    #[must_use]
    pub fn new(credential_id: &[u8]) -> Self {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let key = key.expect("a key").as_ref().to_owned();
        Self { key, credential_id: credential_id.to_owned(), sign_count: 0, flags: 0b101 }
    }

    /// What it answers to who wants a key.
    #[must_use]
    pub fn create(&self, party: &RelyingParty, challenge: &[u8; CHALLENGE_BYTES]) -> PasskeyCreation {
        PasskeyCreation {
            client_data: client_data("webauthn.create", party, challenge),
            attestation: self.attestation(&self.attested_data(party, &self.cose_key(-7))),
        }
    }

    /// What it signs, having counted on.
    ///
    /// # Panics
    /// If the system has no entropy.
    #[must_use]
    pub fn sign(&self, party: &RelyingParty, challenge: &[u8; CHALLENGE_BYTES]) -> PasskeyAssertion {
        let client_data = client_data("webauthn.get", party, challenge);
        let authenticator_data = self.data(party, self.flags);
        let mut signed = authenticator_data.clone();
        signed.extend_from_slice(digest(&SHA256, &client_data).as_ref());
        let signature = self.pair().sign(&SystemRandom::new(), &signed).expect("a signature");
        PasskeyAssertion {
            credential_id: self.credential_id.clone(),
            client_data,
            authenticator_data,
            signature: signature.as_ref().to_owned(),
        }
    }

    pub(super) fn data(&self, party: &RelyingParty, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, party.id.as_bytes()).as_ref().to_owned();
        data.push(flags);
        data.extend_from_slice(&self.sign_count.to_be_bytes());
        data
    }

    pub(super) fn attested_data(&self, party: &RelyingParty, key: &[u8]) -> Vec<u8> {
        let mut data = self.data(party, self.flags | 1 << 6);
        data.extend_from_slice(&[0; 16]);
        let length = u16::try_from(self.credential_id.len()).expect("a short id");
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(&self.credential_id);
        data.extend_from_slice(key);
        data
    }

    pub(super) fn attestation(&self, data: &[u8]) -> Vec<u8> {
        let mut cbor = Encoder::new(Vec::new());
        let written = cbor.map(3).and_then(|cbor| {
            cbor.str("fmt")?.str("none")?.str("attStmt")?.map(0)?.str("authData")?.bytes(data)
        });
        written.expect("CBOR");
        cbor.into_writer()
    }

    pub(super) fn cose_key(&self, algorithm: i64) -> Vec<u8> {
        let pair = self.pair();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let mut cbor = Encoder::new(Vec::new());
        let written = cbor.map(5).and_then(|cbor| {
            cbor.u8(1)?.u8(2)?.u8(3)?.i64(algorithm)?.i8(-1)?.u8(1)?.i8(-2)?.bytes(x)?.i8(-3)?.bytes(y)
        });
        written.expect("CBOR");
        cbor.into_writer()
    }

    fn pair(&self) -> EcdsaKeyPair {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.key, &SystemRandom::new())
            .expect("a key")
    }
}

pub(super) fn client_data(kind: &str, party: &RelyingParty, challenge: &[u8]) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    let origin = &party.origin;
    format!(
        "{{\"type\":\"{kind}\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\",\"crossOrigin\":false,\
         \"other_keys_can_be_added_here\":\"do not compare clientDataJSON against a template\"}}"
    )
    .into_bytes()
}
