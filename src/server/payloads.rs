//! What is asked of a client's signing secrets and what is answered, whoever asks: the client or a member.

use app::{PayloadAnswer, PayloadRequest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Jwe, Personal, SIGNATURE_LENGTH};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{
    extract::why,
    openapi::Operation,
    problem::{Kind, Problem},
};

/// The longest payload in bytes. What is encrypted of it can be sent back to be decrypted within the longest body that
/// the service reads if it is not told otherwise.
const LONGEST: usize = 32_768;

/// What is asked, in a body that only the client sends, and in one that a member sends, who may say why.
macro_rules! bodies {
    ($($(#[$meta:meta])* $own:ident, $members:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ })+) => {$(
        #[derive(Deserialize, ToSchema)]
        $(#[$meta])*
        #[serde(deny_unknown_fields)]
        pub(crate) struct $own { $($(#[$field_meta])* $field: $type,)+ }

        #[derive(Deserialize, ToSchema)]
        $(#[$meta])*
        #[serde(deny_unknown_fields)]
        pub(crate) struct $members {
            $($(#[$field_meta])* $field: $type,)+
            /// Why, in free text; sealed.
            #[serde(default)]
            #[schema(value_type = Option<String>, max_length = 1000)]
            reason: Option<Personal<String>>,
            /// Why, as a public reference to a case elsewhere.
            #[serde(default)]
            ticket: Option<String>,
        }

        why!($members, whole);

        impl From<$members> for $own {
            fn from(body: $members) -> Self {
                Self { $($field: body.$field),+ }
            }
        }
    )+};
}

bodies! {
    /// A payload: text, whose bytes in UTF-8 are meant, or any bytes in base64url. One of the two.
    #[schema(example = json!({ "payload": "{\"matter\":42}" }))]
    OwnPayload, Payload {
        #[serde(default)]
        #[schema(max_length = 32768)]
        payload: Option<String>,
        /// Without padding.
        #[serde(default)]
        #[schema(max_length = 43691, example = "eyJtYXR0ZXIiOjQyfQ")]
        payload_base64url: Option<String>,
    }
    /// A payload, in one of two forms, and what is said to be its signature.
    #[schema(example = json!({
        "payload": "{\"matter\":42}",
        "signature": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    }))]
    OwnSignedPayload, SignedPayload {
        #[serde(default)]
        #[schema(max_length = 32768)]
        payload: Option<String>,
        /// Without padding.
        #[serde(default)]
        #[schema(max_length = 43691)]
        payload_base64url: Option<String>,
        /// 32 bytes in base64url without padding.
        #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
        signature: String,
    }
    /// What was encrypted.
    OwnEncryptedPayload, EncryptedPayload {
        /// In compact serialisation (RFC 7516), `dir` and `A256GCM`.
        #[schema(
            example = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
        )]
        jwe: String,
    }
}

/// A signature.
#[derive(Serialize, ToSchema)]
pub(crate) struct Signature {
    /// HMAC-SHA-256 over the payload: 32 bytes in base64url without padding.
    signature: String,
    /// The signing secret that made it.
    signing_secret_id: String,
}

/// Whether a signature is one.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignatureCheck {
    valid: bool,
    /// The signing secret that made it; null if none did that the client has now.
    signing_secret_id: Option<String>,
}

/// A payload that was encrypted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Encryption {
    /// In compact serialisation (RFC 7516).
    jwe: String,
    /// The signing secret whose key it is, which is also its `kid`.
    signing_secret_id: String,
}

/// A payload that was decrypted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decryption {
    /// As text; null if it is none in UTF-8.
    payload: Option<String>,
    /// Its bytes, without padding.
    payload_base64url: String,
    /// The signing secret that it had been encrypted with.
    signing_secret_id: String,
}

/// One thing that can be done to a payload: what is asked, and what is answered.
pub(crate) trait Ask {
    type Answer: Serialize + ToSchema;
    const SUMMARY: &'static str;

    fn request(self) -> Result<PayloadRequest, Problem>;

    /// The answer to just that request; there is no other.
    fn answer(answer: PayloadAnswer) -> Option<Self::Answer>;
}

/// To be signed.
pub(crate) struct ToSign(pub(crate) OwnPayload);
/// To be encrypted.
pub(crate) struct ToEncrypt(pub(crate) OwnPayload);
/// To be verified.
pub(crate) struct ToVerify(pub(crate) OwnSignedPayload);
/// To be decrypted.
pub(crate) struct ToDecrypt(pub(crate) OwnEncryptedPayload);

impl Ask for ToSign {
    type Answer = Signature;
    const SUMMARY: &'static str = "Sign a payload with the newest signing secret";

    fn request(self) -> Result<PayloadRequest, Problem> {
        Ok(PayloadRequest::Sign(self.0.bytes()?))
    }

    fn answer(answer: PayloadAnswer) -> Option<Signature> {
        let PayloadAnswer::Signed(signature, id) = answer else { return None };
        Some(Signature { signature: URL_SAFE_NO_PAD.encode(signature), signing_secret_id: id.0 })
    }
}

impl Ask for ToVerify {
    type Answer = SignatureCheck;
    const SUMMARY: &'static str = "Verify the signature of a payload";

    fn request(self) -> Result<PayloadRequest, Problem> {
        let OwnSignedPayload { payload, payload_base64url, signature } = self.0;
        let payload = OwnPayload { payload, payload_base64url }.bytes()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok();
        let signature: Option<[u8; SIGNATURE_LENGTH]> = signature.and_then(|bytes| bytes.try_into().ok());
        let detail = "must be 32 bytes in base64url without padding";
        let signature = signature.ok_or_else(|| Problem::in_body("/signature", "malformed", detail))?;
        Ok(PayloadRequest::Verify(payload, signature))
    }

    fn answer(answer: PayloadAnswer) -> Option<SignatureCheck> {
        let PayloadAnswer::Verified(id) = answer else { return None };
        Some(SignatureCheck { valid: id.is_some(), signing_secret_id: id.map(|id| id.0) })
    }
}

impl Ask for ToEncrypt {
    type Answer = Encryption;
    const SUMMARY: &'static str = "Encrypt a payload under a key of the newest signing secret";

    fn request(self) -> Result<PayloadRequest, Problem> {
        Ok(PayloadRequest::Encrypt(self.0.bytes()?))
    }

    fn answer(answer: PayloadAnswer) -> Option<Encryption> {
        let PayloadAnswer::Encrypted(jwe, id) = answer else { return None };
        Some(Encryption { jwe, signing_secret_id: id.0 })
    }
}

impl Ask for ToDecrypt {
    type Answer = Decryption;
    const SUMMARY: &'static str = "Decrypt a payload";

    fn request(self) -> Result<PayloadRequest, Problem> {
        let detail =
            "must be a JWE in compact serialisation with `dir` and `A256GCM`, without `zip` and `crit`";
        let jwe = Jwe::parse(&self.0.jwe).map_err(|_| Problem::in_body("/jwe", "malformed", detail))?;
        Ok(PayloadRequest::Decrypt(jwe))
    }

    fn answer(answer: PayloadAnswer) -> Option<Decryption> {
        let PayloadAnswer::Decrypted(payload, id) = answer else { return None };
        Some(Decryption {
            payload: str::from_utf8(&payload).ok().map(str::to_owned),
            payload_base64url: URL_SAFE_NO_PAD.encode(&*payload),
            signing_secret_id: id.0,
        })
    }
}

impl OwnPayload {
    fn bytes(self) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let one = "give either `payload`, as text, or `payload_base64url`";
        let (pointer, bytes) = match (self.payload, self.payload_base64url) {
            (Some(text), None) => ("/payload", text.into_bytes()),
            (None, Some(encoded)) => {
                let pointer = "/payload_base64url";
                let detail = "must be base64url without padding; `payload` takes text";
                let bytes = URL_SAFE_NO_PAD.decode(encoded);
                (pointer, bytes.map_err(|_| Problem::in_body(pointer, "malformed", detail))?)
            }
            (None, None) => return Err(Problem::in_body("/payload", "required", one)),
            (Some(_), Some(_)) => {
                return Err(Problem::in_body("/payload_base64url", "contradiction", one));
            }
        };
        let bytes = Zeroizing::new(bytes);
        if bytes.len() > LONGEST {
            return Err(Problem::in_body(pointer, "too_long", format!("must have at most {LONGEST} bytes")));
        }
        Ok(bytes)
    }
}

/// What OpenAPI says of every such route, beside who asks.
pub(crate) fn document<A: Ask>(operation: Operation) -> Operation {
    operation
        .summary(A::SUMMARY)
        .json::<A::Answer>(actix_web::http::StatusCode::OK, "What came of it")
        .problems(&[Kind::NotFound, Kind::MalformedRequest, Kind::RequestTimeout, Kind::BodyTooLarge])
        .problems(&[Kind::UnsupportedMediaType, Kind::InvalidRequest])
        .problems(&[Kind::ClientNotActive, Kind::PayloadEncryptionOff, Kind::Contended])
}
