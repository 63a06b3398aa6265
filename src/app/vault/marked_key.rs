//! A key, and the mark of it on what it sealed.

use crypto::{DataKey, Entropy, EntropyError, OpenError};

const MARK: usize = 8;

/// A data key whose sealed values carry its mark: what another key sealed is told apart from what was altered. What a
/// key sealed that is lost is erased, not damaged.
pub(super) struct MarkedKey {
    key: DataKey,
    mark: [u8; MARK],
}

/// A sealed value, looked at with a key.
pub(super) enum Looked<T> {
    /// It was sealed under this key.
    Opened(T),
    /// It was sealed under another one.
    OfAnotherKey,
}

impl MarkedKey {
    pub(super) fn new(key: DataKey) -> Self {
        let mut mark = [0; MARK];
        mark.copy_from_slice(&key.derive("mark").expose_bytes()[..MARK]);
        Self { key, mark }
    }

    /// Seals for one place: the value opens nowhere else.
    pub(super) fn seal(
        &self,
        place: &str,
        plaintext: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, EntropyError> {
        let sealed = self.key.seal(place.as_bytes(), plaintext.as_bytes(), entropy)?;
        Ok([self.mark.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// If it bears the mark of this key and does not open: it was altered, or moved here from another place.
    pub(super) fn open(
        &self,
        place: &str,
        sealed: &[u8],
    ) -> Result<Looked<zeroize::Zeroizing<Vec<u8>>>, OpenError> {
        match sealed.split_at_checked(MARK) {
            Some((mark, sealed)) if mark == self.mark => {
                self.key.open(place.as_bytes(), sealed).map(Looked::Opened)
            }
            Some(_) => Ok(Looked::OfAnotherKey),
            None => Err(OpenError::TooShort { length: sealed.len() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crypto::{DataKey, SeededEntropy};

    use super::{Looked, MarkedKey};

    #[test]
    fn a3_what_another_key_sealed_is_told_from_what_was_altered() {
        let entropy = SeededEntropy::new(1);
        let [old, new] = [1, 2].map(|byte| MarkedKey::new(DataKey::from_bytes([byte; 32])));
        let mut sealed = old.seal("place", "value", &entropy).expect("sealed");
        assert!(matches!(old.open("place", &sealed), Ok(Looked::Opened(value)) if *value == b"value"));
        assert!(matches!(new.open("place", &sealed), Ok(Looked::OfAnotherKey)));
        assert!(old.open("elsewhere", &sealed).is_err());
        *sealed.last_mut().expect("bytes") ^= 1;
        assert!(old.open("place", &sealed).is_err());
    }
}
