//! What goes to and fro between the script of a page and an authenticator: bytes, as base64url.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{CHALLENGE_BYTES, PasskeyAssertion, PasskeyCreation, RelyingParty};

use super::form::Form;
use crate::pages::PasskeyRequest;

/// What a page asks, with its texts.
pub(super) struct Asked {
    challenge: String,
    party: String,
    held: String,
}

impl Asked {
    pub(super) fn new(party: &RelyingParty, challenge: &[u8; CHALLENGE_BYTES], held: &[Vec<u8>]) -> Self {
        let held: Vec<_> = held.iter().map(|id| encoded(id)).collect();
        Self { challenge: encoded(challenge), party: party.id.clone(), held: held.join(" ") }
    }

    pub(super) fn request(&self) -> PasskeyRequest<'_> {
        PasskeyRequest { challenge: &self.challenge, party: &self.party, held: &self.held }
    }
}

/// The answer of a passkey that a form carries; what is no base64url is nothing.
pub(super) fn assertion(form: &Form) -> Option<PasskeyAssertion> {
    form.get("credential")?;
    Some(PasskeyAssertion {
        credential_id: field(form, "credential"),
        client_data: field(form, "client_data"),
        authenticator_data: field(form, "authenticator_data"),
        signature: field(form, "signature"),
    })
}

/// The answer of an authenticator that has made one.
pub(super) fn creation(form: &Form) -> PasskeyCreation {
    PasskeyCreation { client_data: field(form, "client_data"), attestation: field(form, "attestation") }
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn field(form: &Form, name: &str) -> Vec<u8> {
    form.get(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).unwrap_or_default()
}
