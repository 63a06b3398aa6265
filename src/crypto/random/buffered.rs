//! Entropy drawn ahead: a system call for a few bytes costs more than sealing with them.

use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroize;

use super::{Entropy, EntropyError};

/// Bytes drawn at a time.
const DRAWN: usize = 4_096;
/// More than this is drawn from the source itself.
const MOST: usize = 256;

/// Another source's bytes, drawn a page at a time. Each byte is handed out once and wiped from here as it is; a source
/// that fails fails here too, and nothing is handed out twice to make up for it.
///
/// One process, one buffer: a process that forked and went on with a copy would repeat the bytes. Ours never forks.
pub struct BufferedEntropy {
    source: Arc<dyn Entropy>,
    drawn: Mutex<Drawn>,
}

struct Drawn {
    bytes: Box<[u8; DRAWN]>,
    /// Those from here on were not handed out yet.
    fresh_from: usize,
}

impl BufferedEntropy {
    /// Nothing is drawn before the first request.
    #[must_use]
    pub fn new(source: Arc<dyn Entropy>) -> Self {
        Self { source, drawn: Mutex::new(Drawn { bytes: Box::new([0; DRAWN]), fresh_from: DRAWN }) }
    }
}

impl Entropy for BufferedEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if bytes.len() > MOST {
            return self.source.fill(bytes);
        }
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if DRAWN - drawn.fresh_from < bytes.len() {
            // Until the source has filled all of it, none of it is fresh.
            drawn.fresh_from = DRAWN;
            self.source.fill(drawn.bytes.as_mut_slice())?;
            drawn.fresh_from = 0;
        }
        let (from, to) = (drawn.fresh_from, drawn.fresh_from + bytes.len());
        // First, so that not even a panic could hand them out again.
        drawn.fresh_from = to;
        bytes.copy_from_slice(&drawn.bytes[from..to]);
        drawn.bytes[from..to].zeroize();
        Ok(())
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
