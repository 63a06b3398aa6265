use proptest::prelude::*;

use super::*;
use crate::testing::golden_key;

fn key() -> CursorKey {
    CursorKey::new(&golden_key())
}

#[test]
fn the_form_is_frozen() {
    let cursor = "eyJhZnRlciI6NDJ9JOQUmXlEzvFHSWyxt3RuMA";
    assert_eq!(key().sign("clients", br#"{"after":42}"#), cursor);
    assert_eq!(key().verify("clients", cursor).unwrap(), br#"{"after":42}"#);
}

#[test]
fn a_cursor_of_another_list_or_key_is_refused() {
    let cursor = key().sign("clients", b"42");
    assert_eq!(key().verify("members", &cursor), Err(ForgedCursor));
    assert_eq!(CursorKey::new(&DataKey::from_bytes([0; 32])).verify("clients", &cursor), Err(ForgedCursor));
}

#[test]
fn what_is_no_cursor_is_refused() {
    for text in ["", "AAAA", "not base64!", "eyJhZnRlciI6NDJ9JOQUmXlEzvFHSWyxt3RuMA=="] {
        assert_eq!(key().verify("clients", text), Err(ForgedCursor), "{text}");
    }
    let too_long = key().sign("clients", &[0; 1600]);
    assert!(too_long.len() > CursorKey::MAX_LENGTH);
    assert_eq!(key().verify("clients", &too_long), Err(ForgedCursor));
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused(payload in prop::collection::vec(any::<u8>(), 0..100), at: prop::sample::Index, bit in 0..8) {
        let cursor = key().sign("clients", &payload);
        prop_assert_eq!(key().verify("clients", &cursor).unwrap(), payload);
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert_eq!(key().verify("clients", &URL_SAFE_NO_PAD.encode(bytes)), Err(ForgedCursor));
    }
}
