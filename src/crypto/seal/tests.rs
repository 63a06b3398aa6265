use proptest::prelude::*;

use super::*;
use crate::SeededEntropy;
use crate::testing::{NoEntropy, golden_key, hex};

#[test]
fn the_sealed_form_is_frozen() {
    let sealed = golden_key().seal(b"context", b"plaintext", &SeededEntropy::new(1)).unwrap();
    let expected = "01783825822a6f9e62da2190e828e4c9d2576e5977e3a0b36294abc48b81b11addeb693f25e93c0686ecf6394b1d8c0d4405";
    assert_eq!(hex(&sealed), expected);
}

#[test]
fn what_is_cut_or_of_another_format_is_told_from_what_is_forged() {
    let sealed = golden_key().seal(b"", b"", &SeededEntropy::new(1)).unwrap();
    assert_eq!(sealed.len(), DataKey::SEAL_OVERHEAD);
    assert_eq!(golden_key().open(b"", &sealed[1..]), Err(OpenError::TooShort { length: sealed.len() - 1 }));
    assert_eq!(golden_key().open(b"", &[2; 60]), Err(OpenError::UnknownFormat { found: 2 }));
    assert_eq!(golden_key().open(b"", &[1; 60]), Err(OpenError::Forged));
}

#[test]
fn nothing_is_sealed_without_entropy() {
    assert!(golden_key().seal(b"", b"plaintext", &NoEntropy).is_err());
}

proptest! {
    #[test]
    fn what_is_sealed_opens(key: [u8; 32], context: Vec<u8>, plaintext: Vec<u8>, seed: u64) {
        let key = DataKey::from_bytes(key);
        let entropy = SeededEntropy::new(seed);
        let sealed = key.seal(&context, &plaintext, &entropy).unwrap();
        prop_assert_eq!(&*key.open(&context, &sealed).unwrap(), &plaintext);
        prop_assert_ne!(key.seal(&context, &plaintext, &entropy).unwrap(), sealed);
    }

    #[test]
    fn any_flipped_bit_fails(plaintext: Vec<u8>, at: prop::sample::Index, bit in 0..8) {
        let mut sealed = golden_key().seal(b"context", &plaintext, &SeededEntropy::new(1)).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1_u8 << bit;
        prop_assert!(golden_key().open(b"context", &sealed).is_err());
    }

    #[test]
    fn any_other_context_or_key_fails(context: Vec<u8>, other_context: Vec<u8>, other_key: [u8; 32]) {
        let sealed = golden_key().seal(&context, b"plaintext", &SeededEntropy::new(1)).unwrap();
        prop_assume!(context != other_context);
        prop_assert_eq!(golden_key().open(&other_context, &sealed), Err(OpenError::Forged));
        prop_assert_eq!(DataKey::from_bytes(other_key).open(&context, &sealed), Err(OpenError::Forged));
    }
}
