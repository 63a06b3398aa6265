//! What the tests of this crate share.

use crate::{DataKey, Entropy, EntropyError};

/// The key of the golden tests: bytes 00 to 1f.
pub(crate) fn golden_key() -> DataKey {
    DataKey::from_bytes(std::array::from_fn(|i| i as u8))
}

/// Lower-case hex digits, two a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A system that has no random bytes.
pub(crate) struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError { reason: "none left".to_owned() })
    }
}
