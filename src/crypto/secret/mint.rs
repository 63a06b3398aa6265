//! Making a secret.

use zeroize::Zeroizing;

use super::tag::{Binding, TagKeys, Tagged};
use super::{BODY, BODY_BYTES, LENGTH, SecretId, SecretKind, TAG, checksum_of};
use crate::{Entropy, EntropyError, SecretString, base62};

/// Characters of the id that a hint shows.
const HINT_LENGTH: usize = 6;

/// A secret that exists nowhere else yet.
#[derive(Debug)]
pub struct Minted {
    /// Its public name.
    pub id: SecretId,
    /// The whole secret: shown once, kept only as a verifier.
    pub secret: SecretString,
    /// What a list may show for people to recognise it by, e.g. `mcs_k3VqTz…`: part of the id, never of the
    /// body.
    pub hint: String,
}

/// Makes a secret of this `kind` for the owner in `binding`.
pub fn mint(
    kind: SecretKind,
    binding: &Binding<'_>,
    tag_keys: &TagKeys,
    entropy: &dyn Entropy,
) -> Result<Minted, EntropyError> {
    let id = SecretId::random(entropy)?;
    let body_bytes = Zeroizing::new(entropy.array::<BODY_BYTES>()?);
    let mut body = Zeroizing::new([0; BODY.end - BODY.start]);
    base62::encode_into(&*body_bytes, &mut *body);

    // Of exactly its final length: neither the pushes nor `SecretString` move it, so no copy is left behind.
    let mut secret = Zeroizing::new(String::with_capacity(LENGTH));
    secret.push_str(kind.prefix());
    secret.push('_');
    secret.push_str(id.as_str());
    secret.push('_');
    push_ascii(&mut secret, &*body);
    let tag = tag_keys.tag(&Tagged { kind, binding: *binding, secret_id: id.as_str(), body: &secret[BODY] });
    let mut tag_digits = [0; TAG.end - TAG.start];
    base62::encode_into(&tag, &mut tag_digits);
    secret.push('_');
    push_ascii(&mut secret, &tag_digits);
    let checksum = checksum_of(secret.as_bytes());
    push_ascii(&mut secret, &checksum);

    let hint = format!("{}_{}…", kind.prefix(), &id.as_str()[..HINT_LENGTH]);
    Ok(Minted { id, secret: SecretString::from(std::mem::take(&mut *secret)), hint })
}

fn push_ascii(text: &mut String, digits: &[u8]) {
    text.extend(digits.iter().copied().map(char::from));
}
