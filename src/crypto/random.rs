//! Where random bytes come from: an argument, so that a test can know them and a failure can be told.

mod buffered;
#[cfg(any(test, feature = "testing"))]
mod seeded;
#[cfg(test)]
mod tests;

pub use buffered::BufferedEntropy;
#[cfg(any(test, feature = "testing"))]
pub use seeded::SeededEntropy;

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`, or fails and leaves them unspecified: a caller must not use them then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

impl dyn Entropy + '_ {
    /// `N` fresh bytes.
    pub fn array<const N: usize>(&self) -> Result<[u8; N], EntropyError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

/// The operating system's generator: the only one outside tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|source| EntropyError { reason: source.to_string() })
    }
}

/// The system gave no random bytes. Nothing that needs them can go on: no weaker source is tried.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("draw random bytes from the system: {reason}")]
pub struct EntropyError {
    /// What the system said.
    pub reason: String,
}
