//! `/environments/{environment}/signing_keys`: the keys that tokens are signed with.

pub(crate) mod list;
pub(crate) mod retire;
pub(crate) mod rotate;

use std::collections::BTreeMap;

use domain::signing_keys::SigningKey;
use domain::{SigningAlgorithm, SigningKeys};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The keys of an environment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SigningKeyList {
    /// Oldest first; those that are retired among them.
    items: Vec<ShownSigningKey>,
}

/// A key that signs, will, or did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownSigningKey {
    /// Its `kid`.
    id: String,
    #[schema(value_type = String, pattern = "^(ES256|RS256)$")]
    algorithm: SigningAlgorithm,
    /// `pending` until its turn comes, `signing`, `published` once another took its place, `retired`.
    #[schema(value_type = String, pattern = "^(pending|signing|published|retired)$")]
    state: &'static str,
    /// Its public members (RFC 7517).
    public_key: BTreeMap<String, String>,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// It signs from here on, until the next one of its algorithm does.
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    active_from: Timestamp,
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    retired_at: Option<Timestamp>,
}

impl SigningKeyList {
    fn of(keys: &SigningKeys, now: Timestamp) -> Self {
        let shown = |key: &SigningKey| {
            let signs = keys.signer(key.algorithm, now).is_some_and(|signer| signer.id == key.id);
            let state = if key.retired_at.is_some() {
                "retired"
            } else if signs {
                "signing"
            } else if key.active_from > now {
                "pending"
            } else {
                "published"
            };
            ShownSigningKey {
                id: key.id.to_string(),
                algorithm: key.algorithm,
                state,
                public_key: key.public_key.clone(),
                created_at: key.created_at,
                active_from: key.active_from,
                retired_at: key.retired_at,
            }
        };
        Self { items: keys.keys.iter().map(shown).collect() }
    }
}
