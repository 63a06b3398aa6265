use super::*;
use crate::testing::{golden_key, hex};

#[test]
fn the_digest_is_frozen() {
    let digest = KeyedDigest::new(&golden_key()).digest("email-token", &[b"dev@a.example", b""]);
    assert_eq!(hex(&digest), "75078424638566a379d1f08f9bebb480f5f0e28657eaf7c951db380b33c0d998");
}

#[test]
fn no_two_lists_and_no_two_labels_share_a_digest() {
    let digests = KeyedDigest::new(&golden_key());
    let lists: [(&str, &[&[u8]]); 7] = [
        ("l", &[]),
        ("l", &[b""]),
        ("l", &[b"", b""]),
        ("l", &[b"ab", b"c"]),
        ("l", &[b"a", b"bc"]),
        ("l", &[b"abc"]),
        ("m", &[b"abc"]),
    ];
    let distinct: std::collections::HashSet<_> =
        lists.iter().map(|(label, parts)| digests.digest(label, parts)).collect();
    assert_eq!(distinct.len(), lists.len());
}

#[test]
fn only_the_same_key_label_and_parts_match() {
    let digests = KeyedDigest::new(&golden_key());
    let digest = digests.digest("request", &[b"body"]);
    assert!(digests.matches("request", &[b"body"], &digest));
    assert!(!digests.matches("request", &[b"bodY"], &digest));
    assert!(!digests.matches("cursor", &[b"body"], &digest));
    assert!(!digests.matches("request", &[b"body"], &digest[..31]));
    assert!(!KeyedDigest::new(&DataKey::from_bytes([0; 32])).matches("request", &[b"body"], &digest));
}
