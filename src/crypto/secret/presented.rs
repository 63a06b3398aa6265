//! Reading a secret that someone presents.

use std::fmt;

use super::tag::{Binding, Tag, TagKeys, Tagged};
use super::{BODY, CHECKSUM, ID, LENGTH, PREFIX, SecretId, SecretKind, TAG, checksum_of};
use crate::base62;

/// The body of 32 bytes that are all 255.
pub(super) const GREATEST_BODY: &[u8] = b"yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1";

/// A text in the form of a secret, borrowed from the request. That it has the form says nothing of whether it
/// is one: [`verify_tag`](Self::verify_tag) does.
///
/// `Debug` shows kind and id alone.
pub struct Presented<'a> {
    kind: SecretKind,
    id: SecretId,
    text: &'a str,
    tag: Tag,
}

impl<'a> Presented<'a> {
    /// Checks the form: prefix, length, alphabet, one spelling for each number, checksum. Needs no key and
    /// finds any single wrong character.
    pub fn parse(text: &'a str) -> Result<Self, MalformedSecret> {
        let kind = text.get(..PREFIX).and_then(SecretKind::from_prefix).ok_or(MalformedSecret::Prefix)?;
        let bytes = text.as_bytes();
        let separated = || [PREFIX, ID.end, BODY.end].iter().all(|&at| bytes[at] == b'_');
        if text.len() != LENGTH || !separated() {
            return Err(MalformedSecret::Shape);
        }
        if ![ID, BODY, TAG, CHECKSUM].into_iter().all(|part| base62::all_digits(&bytes[part])) {
            return Err(MalformedSecret::Alphabet);
        }
        if bytes[CHECKSUM] != checksum_of(&bytes[..CHECKSUM.start]) {
            return Err(MalformedSecret::Checksum);
        }
        // Digits are in the order of their characters: the body need not be read to know that it fits.
        if &bytes[BODY] > GREATEST_BODY {
            return Err(MalformedSecret::Range);
        }
        let mut tag: Tag = [0; _];
        base62::decode_into(&bytes[TAG], &mut tag).ok_or(MalformedSecret::Range)?;
        let id = text[ID].parse().map_err(|_| MalformedSecret::Alphabet)?;
        Ok(Self { kind, id, text, tag })
    }

    /// What the secret claims to be for.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        self.kind
    }

    /// The public name to look it up by.
    #[must_use]
    pub const fn id(&self) -> &SecretId {
        &self.id
    }

    /// The id of the tag key it claims. A key nobody knows any more is worth an entry in the log of the
    /// server.
    #[must_use]
    pub const fn tag_key_id(&self) -> u8 {
        self.tag[0]
    }

    /// The whole secret, for the digest and for Argon2.
    #[must_use]
    pub const fn expose_secret(&self) -> &'a str {
        self.text
    }

    /// Whether we made this very secret for `binding`: a guess, and a secret of another environment or owner,
    /// end here. Compares in constant time. Says nothing of whether the secret is still live.
    pub fn verify_tag(&self, tag_keys: &TagKeys, binding: &Binding<'_>) -> Result<(), WrongTag> {
        let tagged = Tagged {
            kind: self.kind,
            binding: *binding,
            secret_id: self.id.as_str(),
            body: &self.text[BODY],
        };
        if tag_keys.verify(&tagged, &self.tag) { Ok(()) } else { Err(WrongTag) }
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Presented")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why a text is not in the form of a secret. Says nothing of its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MalformedSecret {
    /// Not the prefix of any kind.
    #[error("read a secret: unknown prefix")]
    Prefix,
    /// Not 89 bytes with separators in their places.
    #[error("read a secret: wrong length, or separators out of place")]
    Shape,
    /// A character other than `0-9A-Za-z`.
    #[error("read a secret: a character outside 0-9, A-Z and a-z")]
    Alphabet,
    /// The checksum is not that of the rest: a typing error.
    #[error("read a secret: the checksum does not fit; it was mistyped or cut")]
    Checksum,
    /// A number above what its bytes can hold.
    #[error("read a secret: a part is out of range")]
    Range,
}

/// We did not make this secret for this owner, or the key that tagged it is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("verify a secret: its tag is not ours for this owner")]
pub struct WrongTag;
