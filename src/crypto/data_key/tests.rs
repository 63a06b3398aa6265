use super::*;
use crate::SeededEntropy;
use crate::testing::{golden_key, hex};

#[test]
fn the_derivation_is_frozen() {
    let key = golden_key();
    let expected = "620d593a78ddfea0d7d1c02c8bca5f1835b6d62f20cb7a3b4384a54ac64af2d6";
    assert_eq!(hex(key.derive("cursor").expose_bytes()), expected);
    assert_ne!(key.derive("cursors").expose_bytes(), key.derive("cursor").expose_bytes());
}

#[test]
fn random_keys_differ() {
    let entropy = SeededEntropy::new(1);
    let (first, second) = (DataKey::random(&entropy).unwrap(), DataKey::random(&entropy).unwrap());
    assert_ne!(first.expose_bytes(), second.expose_bytes());
}

#[test]
fn debug_shows_nothing_of_the_key() {
    assert_eq!(format!("{:?}", DataKey::from_bytes([7; 32])), "DataKey([secret])");
}
