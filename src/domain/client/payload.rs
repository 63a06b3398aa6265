//! What a client's signing secrets may be used for (behaviour O4).

use jiff::Timestamp;

use super::{ClientError, Registration, SigningSecret, Status};

/// What is done to a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadUse {
    /// A signature is made.
    Sign,
    /// A signature is compared.
    Verify,
    /// It is encrypted.
    Encrypt,
    /// It is decrypted.
    Decrypt,
}

impl PayloadUse {
    /// The name in the log and in activity.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
        }
    }
}

impl Registration {
    /// The signing secrets that serve for `usage` at `now`, the newest first. What is made is made with the newest alone;
    /// what was made with the one before it is good for as long as its overlap lasts.
    ///
    /// # Errors
    /// [`ClientError::NotActive`]; [`ClientError::PayloadEncryptionOff`] unless the client asked for encryption.
    pub fn payload_secrets(
        &self,
        usage: PayloadUse,
        now: Timestamp,
    ) -> Result<Vec<&SigningSecret>, ClientError> {
        match self.status {
            Status::Active => {}
            Status::Inactive => return Err(ClientError::NotActive),
            Status::Deleted => return Err(ClientError::Deleted),
        }
        let (encrypts, newest_alone) = match usage {
            PayloadUse::Sign => (false, true),
            PayloadUse::Verify => (false, false),
            PayloadUse::Encrypt => (true, true),
            PayloadUse::Decrypt => (true, false),
        };
        if encrypts && !self.payload_encryption {
            return Err(ClientError::PayloadEncryptionOff);
        }
        let previous = self.previous_signing_secret(now).filter(|_| !newest_alone);
        Ok([&self.signing_secret].into_iter().chain(previous.map(|previous| &previous.secret)).collect())
    }
}
