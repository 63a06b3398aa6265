//! The tag: proof that we made a secret, and for whom.

use std::fmt;

use hmac::Mac;
use subtle::ConstantTimeEq;

use super::SecretKind;
use crate::DataKey;
use crate::framing::{HmacSha256, absorb, keyed};

const MAC_LENGTH: usize = 12;

/// The id of the tag key, then 96 bits of HMAC-SHA-256.
pub(super) type Tag = [u8; 1 + MAC_LENGTH];

/// Whose a secret is: it passes as nobody else's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Binding<'a> {
    /// Name of the environment.
    pub environment: &'a str,
    /// Id of the client, or of the member for a personal token.
    pub owner: &'a str,
}

/// The keys that tag secrets: the current one, and older ones whose secrets still pass. To rotate, add a key
/// as current, keep the last one as older, and drop it when no secret it tagged is live.
#[derive(Clone)]
pub struct TagKeys {
    current: TagKey,
    older: Vec<TagKey>,
}

#[derive(Clone)]
struct TagKey {
    id: u8,
    mac: HmacSha256,
}

impl TagKeys {
    /// Tags new secrets under `key`, which is named `id` in them.
    #[must_use]
    pub fn new(id: u8, key: &DataKey) -> Self {
        Self { current: TagKey::new(id, key), older: Vec::new() }
    }

    /// Lets secrets tagged under an older key pass as well.
    pub fn with_older(mut self, id: u8, key: &DataKey) -> Result<Self, DuplicateTagKey> {
        if self.find(id).is_some() {
            return Err(DuplicateTagKey { id });
        }
        self.older.push(TagKey::new(id, key));
        Ok(self)
    }

    pub(super) fn tag(&self, tagged: &Tagged<'_>) -> Tag {
        self.current.tag(tagged)
    }

    /// Whether `tag` is the tag of `tagged`, in time that depends on nothing but the id of the tag key, which
    /// is public.
    pub(super) fn verify(&self, tagged: &Tagged<'_>, tag: &Tag) -> bool {
        self.find(tag[0]).is_some_and(|key| key.tag(tagged).ct_eq(tag).into())
    }

    fn find(&self, id: u8) -> Option<&TagKey> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id)
    }
}

impl TagKey {
    fn new(id: u8, key: &DataKey) -> Self {
        Self { id, mac: keyed(&key.derive("secret-tag")) }
    }

    fn tag(&self, tagged: &Tagged<'_>) -> Tag {
        let Tagged { kind, binding, secret_id, body } = tagged;
        let parts = [kind.prefix(), binding.environment, binding.owner, secret_id, body].map(str::as_bytes);
        let mac = absorb(self.mac.clone(), &parts).finalize().into_bytes();
        let mut tag = [self.id; 1 + MAC_LENGTH];
        tag[1..].copy_from_slice(&mac[..MAC_LENGTH]);
        tag
    }
}

impl fmt::Debug for TagKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let older: Vec<u8> = self.older.iter().map(|key| key.id).collect();
        formatter
            .debug_struct("TagKeys")
            .field("current", &self.current.id)
            .field("older", &older)
            .finish_non_exhaustive()
    }
}

/// All that a tag covers.
pub(super) struct Tagged<'a> {
    pub kind: SecretKind,
    pub binding: Binding<'a>,
    pub secret_id: &'a str,
    pub body: &'a str,
}

/// Two tag keys of one id: a secret could not say which of them tagged it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("add an older tag key: there is a key with id {id} already")]
pub struct DuplicateTagKey {
    /// The id given twice.
    pub id: u8,
}
