//! PHC strings: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.

use argon2::password_hash::phc::PasswordHash;
use argon2::{ARGON2ID_IDENT, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Longest string looked at, in bytes.
const LONGEST: usize = 256;
/// Greatest memory, in KiB: 64 MiB, the second choice of RFC 9106 section 4.
const MOST_MEMORY: u32 = 64 * 1024;
/// Greatest number of passes.
const MOST_PASSES: u32 = 10;
/// Greatest number of lanes, which we compute one after the other.
const MOST_LANES: u32 = 4;
/// Shortest hash that is worth comparing, in bytes.
const SHORTEST_HASH: usize = 16;

/// A verifier taken apart, at costs we are willing to pay.
pub(super) struct Verifier {
    pub params: Params,
    pub salt: Vec<u8>,
    pub hash: Vec<u8>,
}

impl Verifier {
    pub fn parse(phc: &str) -> Result<Self, UnsupportedVerifier> {
        if phc.len() > LONGEST {
            return Err(UnsupportedVerifier::Malformed);
        }
        let parsed = PasswordHash::new(phc).map_err(|_| UnsupportedVerifier::Malformed)?;
        if parsed.algorithm != ARGON2ID_IDENT || parsed.version != Some(Version::V0x13.into()) {
            return Err(UnsupportedVerifier::Algorithm);
        }
        let params = Params::try_from(&parsed).map_err(|_| UnsupportedVerifier::Malformed)?;
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
            return Err(UnsupportedVerifier::TooCostly);
        }
        let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else {
            return Err(UnsupportedVerifier::Malformed);
        };
        if hash.len() < SHORTEST_HASH {
            return Err(UnsupportedVerifier::ShortHash);
        }
        Ok(Self { params, salt: salt.as_ref().to_vec(), hash: hash.as_bytes().to_vec() })
    }
}

/// The PHC string of an Argon2id hash, version 19.
pub(super) fn format(params: &Params, salt: &[u8], hash: &[u8]) -> String {
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}")
}

/// Why a stored verifier is not computed here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnsupportedVerifier {
    /// Not a PHC string with a salt of 8 bytes or more and a hash.
    #[error("read a verifier: not a PHC string with a salt of 8 bytes or more and a hash")]
    Malformed,
    /// Not Argon2id, version 19.
    #[error("read a verifier: not argon2id, version 19")]
    Algorithm,
    /// More than 64 MiB, 10 passes or 4 lanes: it could be there to eat memory.
    #[error("read a verifier: more than 64 MiB, 10 passes or 4 lanes")]
    TooCostly,
    /// A hash under 16 bytes: a guess would match it too easily.
    #[error("read a verifier: a hash under 16 bytes")]
    ShortHash,
}
