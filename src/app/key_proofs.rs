//! Proofs that a sender has a key (DPoP, RFC 9449): a token that is bound to a key is worth nothing to who stole it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{JwtPublicKey, PresentedJwt, access_token_hash};
use domain::{oauth::PublicKey, time::from_numeric_date};
use jiff::SignedDuration;
use serde::Deserialize;
use store::{ActivityError, Voucher, VoucherChange};
use url::Url;

use crate::{Inner, refusals::refusals};

/// The kind of the vouchers by which proofs are known to be used.
pub(crate) const KEY_PROOF: &str = "key_proof";
/// What its header calls a proof (RFC 9449 section 4.2).
const TYPE: &str = "dpop+jwt";
/// The longest text that can be a proof.
const LONGEST: usize = 8_192;
/// How far from now a proof may have been made: clocks differ, and networks are slow.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// A proof that came with a request.
#[derive(Clone, Debug)]
pub struct KeyProof {
    /// What came.
    pub text: String,
    /// The method of the request.
    pub method: String,
    /// The URL of the endpoint, as clients know it.
    pub url: String,
}

refusals! {
    /// Why a proof is refused.
    pub enum ProofRefusal,
    /// The `error` of RFC 9449 section 5.
    error;

    /// No proof by its form.
    Malformed = "proof_malformed", "invalid_dpop_proof", "the proof must be a dpop+jwt with the public key in its header, and with jti, htm, htu and iat";
    /// The key in its header did not sign it, or not with ES256 or RS256.
    Wrong = "proof_wrong", "invalid_dpop_proof", "the proof is not signed with ES256 or RS256 by the key in its header";
    /// It was made for another request.
    Request = "proof_request", "invalid_dpop_proof", "htm and htu of the proof are not those of this request";
    /// It was made too long ago, or is of the future.
    Time = "proof_time", "invalid_dpop_proof", "iat of the proof is more than a minute from now";
    /// It was made for another access token (RFC 9449 section 7).
    Token = "proof_token", "invalid_dpop_proof", "ath of the proof is not the digest of the access token";
    /// It was used before.
    Reused = "proof_reused", "invalid_dpop_proof", "the proof was used before: make a new one for each request";
}

/// A key that its sender has.
pub(crate) struct ProvedKey {
    /// By which it is known (RFC 7638).
    pub(crate) thumbprint: String,
    /// To be kept with the record of what it was used for.
    pub(crate) used: VoucherChange,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    #[serde(default)]
    ath: Option<String>,
}

/// Whether somebody was faster with the same proof.
pub(crate) fn reused(error: &ActivityError) -> Option<ProofRefusal> {
    match error {
        ActivityError::VoucherTaken { kind: KEY_PROOF, .. } => Some(ProofRefusal::Reused),
        ActivityError::VoucherTaken { .. }
        | ActivityError::VoucherNotLive { .. }
        | ActivityError::OverLimit { .. }
        | ActivityError::Unavailable(_) => None,
    }
}

impl Inner {
    /// The key that a proof shows, for a request that presents this access token or none (RFC 9449 section 4.3). It counts
    /// once: whoever asks commits that it was used.
    pub(crate) fn prove_key(
        &self,
        proof: &KeyProof,
        access_token: Option<&str>,
    ) -> Result<ProvedKey, ProofRefusal> {
        let (thumbprint, claims) = verified(&proof.text)?;
        if claims.htm != proof.method || !is_same_endpoint(&claims.htu, &proof.url) {
            return Err(ProofRefusal::Request);
        }
        let made = from_numeric_date(claims.iat).ok_or(ProofRefusal::Time)?;
        if made.duration_since(self.log.now()).abs() > WINDOW {
            return Err(ProofRefusal::Time);
        }
        if let Some(token) = access_token
            && claims.ath != Some(access_token_hash(token))
        {
            return Err(ProofRefusal::Token);
        }
        let parts = [thumbprint.as_bytes(), claims.jti.as_bytes()];
        let id = URL_SAFE_NO_PAD.encode(self.vault.ring.digests.digest(KEY_PROOF, &parts));
        // Until nobody would believe it any more.
        let used = Voucher { kind: KEY_PROOF, id, data: Vec::new(), expires_at: made + WINDOW * 2 };
        Ok(ProvedKey { thumbprint, used: VoucherChange::Issue(used) })
    }
}

/// What a proof says, and the thumbprint of the key that signed it.
fn verified(proof: &str) -> Result<(String, Claims), ProofRefusal> {
    if proof.len() > LONGEST {
        return Err(ProofRefusal::Malformed);
    }
    let presented = PresentedJwt::parse(proof).map_err(|_| ProofRefusal::Malformed)?;
    let header = presented.header().map_err(|_| ProofRefusal::Malformed)?;
    if header.typ.as_deref() != Some(TYPE) {
        return Err(ProofRefusal::Malformed);
    }
    let key = header.jwk.ok_or(ProofRefusal::Malformed)?;
    // A private key in the header is refused too: whoever sees the request has it.
    let key = PublicKey::parse_set(&[key], "").map_err(|_| ProofRefusal::Malformed)?;
    let key = key.first().and_then(|key| JwtPublicKey::of_members(|name| key.member(name)));
    let key = key.ok_or(ProofRefusal::Malformed)?;
    let claims = presented.signed_by(key.algorithm(), &key).map_err(|_| ProofRefusal::Wrong)?;
    let claims = serde_json::from_slice(&claims).map_err(|_| ProofRefusal::Malformed)?;
    Ok((key.thumbprint(), claims))
}

/// Whether two URLs are one, without query and fragment (RFC 9449 section 4.3, RFC 3986 section 6.2.2).
fn is_same_endpoint(claimed: &str, url: &str) -> bool {
    let bare = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    bare(claimed).is_some_and(|claimed| Some(claimed) == bare(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oauth_56_an_endpoint_is_known_by_its_url_without_query_in_any_spelling() {
        let same = |claimed| is_same_endpoint(claimed, "https://oauth.example.com/sandbox/token");
        for claimed in [
            "https://oauth.example.com/sandbox/token",
            "HTTPS://OAuth.example.com:443/sandbox/token",
            "https://oauth.example.com/sandbox/token?x=1#y",
        ] {
            assert!(same(claimed), "{claimed}");
        }
        for claimed in [
            "http://oauth.example.com/sandbox/token",
            "https://oauth.example.com/sandbox/token/",
            "https://oauth.example.com/sandbox/Token",
            "https://oauth.example.com.evil.example/sandbox/token",
            "/sandbox/token",
            "",
        ] {
            assert!(!same(claimed), "{claimed}");
        }
    }

    #[test]
    fn oauth_56_what_is_no_proof_is_refused_by_its_form() {
        // The header of the example of RFC 9449 section 4.2, with a made up signature.
        let header = r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}}"#;
        let with = |header: &str| format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
        let refused = |proof: &str| verified(proof).err();
        assert_eq!(refused(&with(header)), Some(ProofRefusal::Wrong));
        for other in [
            header.replace("dpop+jwt", "JWT"),
            header.replace("\"typ\":\"dpop+jwt\",", ""),
            header.replace("\"jwk\"", "\"kid\""),
            header.replace("\"crv\"", "\"d\":\"AA\",\"crv\""),
            header.replace("EC", "oct"),
        ] {
            assert_eq!(refused(&with(&other)), Some(ProofRefusal::Malformed), "{other}");
        }
        assert_eq!(refused(&with(&header.replace("ES256", "none"))), Some(ProofRefusal::Wrong));
        for text in ["", "a.b.c", "..", &"a".repeat(LONGEST + 1)] {
            assert_eq!(refused(text), Some(ProofRefusal::Malformed));
        }
    }
}
