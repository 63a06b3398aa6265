//! One-time passwords of a device (RFC 6238): SHA-1, six digits, half a minute, as every program for them has it.

use totp_rs::{Builder, Secret, Totp, TotpError};
use zeroize::Zeroizing;

use crate::{Entropy, EntropyError, ExposeSecret, SecretString};

#[cfg(test)]
mod tests;

/// Bytes of a device's secret: what RFC 4226 section 4 recommends.
const SECRET_BYTES: usize = 20;
const ISSUER: &str = "Muniment";

/// A fresh secret for a device, in base32, as a person can type it.
///
/// # Errors
/// If the system has no entropy.
pub fn mint_totp(entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
    let bytes = Zeroizing::new(entropy.array::<SECRET_BYTES>()?);
    Ok(SecretString::from(Secret::new_stack(*bytes).to_base32()))
}

/// What a device reads from a picture: the secret, and what to call it.
///
/// # Errors
/// If the secret is not one of [`mint_totp`].
pub fn totp_uri(secret: &SecretString, account: &str) -> Result<SecretString, UnusableTotp> {
    let account = account.replace(':', " ");
    let named = builder(secret)?.with_account_name(account).with_issuer(Some(ISSUER)).build();
    Ok(SecretString::from(named.and_then(|totp| totp.to_url())?))
}

/// The step of half a minute that a code is of, if that is this one, the one before it or the one after. Each is to be taken
/// once.
///
/// # Errors
/// If the secret is not one of [`mint_totp`].
pub fn totp_step(secret: &SecretString, code: &str, now_seconds: u64) -> Result<Option<u64>, UnusableTotp> {
    Ok(totp(secret)?.check(code, now_seconds))
}

/// The code that a device shows at a moment.
///
/// # Errors
/// If the secret is not one of [`mint_totp`].
#[cfg(any(test, feature = "testing"))]
pub fn totp_code(secret: &SecretString, now_seconds: u64) -> Result<String, UnusableTotp> {
    Ok(totp(secret)?.generate(now_seconds).to_string())
}

fn totp(secret: &SecretString) -> Result<Totp, UnusableTotp> {
    Ok(builder(secret)?.build()?)
}

fn builder(secret: &SecretString) -> Result<Builder, UnusableTotp> {
    let secret = Secret::try_from_base32(secret.expose_secret()).map_err(|_| UnusableTotp)?;
    Ok(Builder::new().with_secret(secret))
}

/// The text is no secret of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("read the secret of a device: it is none")]
pub struct UnusableTotp;

impl From<TotpError> for UnusableTotp {
    fn from(_: TotpError) -> Self {
        Self
    }
}
