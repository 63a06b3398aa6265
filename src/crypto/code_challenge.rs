//! Proof keys of authorization codes (RFC 7636), by the one method that is worth anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether a text can be a challenge of the method S256: the digest of something, in base64url (RFC 7636 section 4.2).
#[must_use]
pub fn is_code_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|digest| digest.len() == 32)
}

/// Whether `challenge` was made of `verifier` by S256 (RFC 7636 section 4.6), in time that does not depend on where they
/// differ.
#[must_use]
pub fn fits_code_challenge(verifier: &str, challenge: &str) -> bool {
    let computed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    computed.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::{fits_code_challenge, is_code_challenge};

    #[test]
    fn oauth_12_the_verifier_of_rfc_7636_appendix_b_fits_its_challenge() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(fits_code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge));
        assert!(!fits_code_challenge(challenge, challenge), "the challenge is no verifier");
        assert!(is_code_challenge(challenge));
        for text in ["", "dBjftJeZ4CVP", &challenge[1..], &format!("{challenge}="), &"+".repeat(43)] {
            assert!(!is_code_challenge(text), "{text}");
        }
    }
}
