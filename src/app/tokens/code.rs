//! Codes: what a member's consent is exchanged for (RFC 6749 section 4.1.3, RFC 7636).

use crypto::{SecretKind, SecretString, fits_code_challenge};
use domain::GrantCommand;
use serde::{Deserialize, Serialize};
use store::VoucherChange;

use super::{Asked, Draft, Entitlement, Exchanged, TokenError, TokenRefusal};
use crate::Inner;

/// Codes; their vouchers are [`CodeVoucher`]s.
pub(crate) const CODE: Exchanged = Exchanged {
    voucher: "code",
    secret: SecretKind::AuthorizationCode,
    unknown: TokenRefusal::UnknownCode,
    of_another: TokenRefusal::CodeOfAnother,
    expired: TokenRefusal::ExpiredCode,
    reused: TokenRefusal::ReusedCode,
    report: GrantCommand::ReportReusedCode,
};

/// What a code is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CodeVoucher {
    #[serde(flatten)]
    pub(crate) entitlement: Entitlement,
    /// Where it was sent.
    pub(crate) redirect_uri: String,
    /// Of RFC 7636, always S256.
    pub(crate) code_challenge: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    /// How the member signed in (RFC 8176).
    pub(crate) methods: Vec<String>,
}

impl AsRef<Entitlement> for CodeVoucher {
    fn as_ref(&self) -> &Entitlement {
        &self.entitlement
    }
}

impl Inner {
    pub(super) async fn for_code(
        &self,
        asked: &Asked<'_>,
        code: &SecretString,
        redirect_uri: Option<&str>,
        code_verifier: Option<&str>,
    ) -> Result<Draft, TokenError> {
        let (id, voucher): (_, CodeVoucher) = self.exchangeable(asked, &CODE, code).await?;
        if redirect_uri != Some(voucher.redirect_uri.as_str()) {
            return Err(TokenRefusal::RedirectUriDiffers.into());
        }
        check_verifier(&voucher.code_challenge, code_verifier)?;
        let (token, scope) = self.entitled_token(asked, &voucher.entitlement)?;
        let mut vouchers = vec![VoucherChange::Spend { kind: CODE.voucher, id: id.0 }];
        let refresh_token = self.first_refresh_token(asked, &voucher, &scope, &mut vouchers)?;
        let id_token = self.id_token(asked, &voucher, &scope, &token).await?;
        Ok(Draft { token, scope, vouchers, refresh_token, id_token })
    }
}

/// RFC 7636 section 4.6, by S256, the one method there is.
fn check_verifier(challenge: &str, verifier: Option<&str>) -> Result<(), TokenRefusal> {
    let verifier = verifier.ok_or(TokenRefusal::VerifierMissing)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(fits) {
        return Err(TokenRefusal::VerifierMalformed);
    }
    if fits_code_challenge(verifier, challenge) { Ok(()) } else { Err(TokenRefusal::VerifierWrong) }
}

#[cfg(test)]
mod tests {
    use super::{TokenRefusal, check_verifier};

    #[test]
    fn oauth_12_the_verifier_of_rfc_7636_appendix_b_fits_its_challenge() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let check = |verifier: Option<&str>| check_verifier(challenge, verifier);
        assert_eq!(check(Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")), Ok(()));
        assert_eq!(check(None), Err(TokenRefusal::VerifierMissing));
        assert_eq!(check(Some(challenge)), Err(TokenRefusal::VerifierWrong), "the challenge is no verifier");
        assert_eq!(check(Some(&"a".repeat(42))), Err(TokenRefusal::VerifierMalformed));
        assert_eq!(check(Some(&"a".repeat(129))), Err(TokenRefusal::VerifierMalformed));
        assert_eq!(check(Some(&"ä".repeat(43))), Err(TokenRefusal::VerifierMalformed));
    }
}
