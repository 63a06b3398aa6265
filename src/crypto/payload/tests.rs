use proptest::prelude::*;

use super::*;
use crate::testing::{NoEntropy, golden_key, hex};
use crate::{DataKey, SeededEntropy};

const KID: &str = "5d41402abc4b2a76b9719d91";

fn secret() -> SigningSecret {
    SigningSecret(golden_key())
}

fn encrypted(payload: &[u8]) -> String {
    secret().encrypt(KID, payload, &SeededEntropy::new(1)).unwrap()
}

fn decrypted(secret: &SigningSecret, jwe: &str) -> Option<Vec<u8>> {
    secret.decrypt(&Jwe::parse(jwe).ok()?).ok().map(|payload| payload.to_vec())
}

/// The five parts with another one at `place`.
fn with_part(jwe: &str, place: usize, part: &str) -> String {
    let mut parts: Vec<_> = jwe.split('.').collect();
    parts[place] = part;
    parts.join(".")
}

fn header(json: &str) -> String {
    with_part(&encrypted(b"payload"), 0, &URL_SAFE_NO_PAD.encode(json))
}

/// `printf payload | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f`
#[test]
fn o4_a_signature_is_plain_hmac_sha_256_under_the_secret() {
    let expected = "6802511184650e073a0be19d50929d6c951f060bdca6c41e037f38f13c025881";
    assert_eq!(hex(&secret().sign(b"payload")), expected);
    assert!(secret().verifies(b"payload", &secret().sign(b"payload")));
    for signature in [&[][..], &[0; 32], &secret().sign(b"payload")[..31], &secret().sign(b"payloae")] {
        assert!(!secret().verifies(b"payload", signature), "{signature:?}");
    }
}

/// RFC 4231, test case 2. Its key is shorter than ours: the zeros are those that HMAC pads it with.
#[test]
fn o4_hmac_is_that_of_rfc_4231() {
    let mut key = [0; 32];
    key[..4].copy_from_slice(b"Jefe");
    let signature = SigningSecret(DataKey::from_bytes(key)).sign(b"what do ya want for nothing?");
    assert_eq!(hex(&signature), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/// RFC 5869, appendix A.3: no salt, no info, the first of its two blocks.
#[test]
fn o4_hkdf_is_that_of_rfc_5869() {
    let mut okm = [0; 42];
    hkdf::Hkdf::<sha2::Sha256>::new(None, &[0x0b; 22]).expand(&[], &mut okm).unwrap();
    let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    assert_eq!(hex(&okm), expected);
}

#[test]
fn o4_the_key_of_encryption_is_frozen() {
    let mut derived = [0; 32];
    hkdf::Hkdf::<sha2::Sha256>::new(None, golden_key().expose_bytes())
        .expand(b"muniment/v1/payload-encryption", &mut derived)
        .unwrap();
    assert_eq!(hex(&derived), "14b43e7c879cf71c90639bb79162b49c1a9a21661496824c395d40d645ac661f");
    assert_eq!(golden_key().derive(ENCRYPTION).expose_bytes(), &derived);
}

#[test]
fn o4_a_jwe_is_frozen_in_its_form() {
    let jwe = encrypted(b"payload");
    let parts: Vec<_> = jwe.split('.').collect();
    let header = URL_SAFE_NO_PAD.decode(parts[0]).unwrap();
    assert_eq!(header, br#"{"alg":"dir","enc":"A256GCM","kid":"5d41402abc4b2a76b9719d91"}"#);
    assert_eq!(parts[1], "", "RFC 7518 section 4.5: the encrypted key is empty");
    let lengths = parts[2..].iter().map(|part| URL_SAFE_NO_PAD.decode(part).unwrap().len());
    assert_eq!(lengths.collect::<Vec<_>>(), [12, 7, 16], "RFC 7518 section 5.3");
    assert_eq!(Jwe::parse(&jwe).unwrap().kid(), Some(KID));
    assert_eq!(decrypted(&secret(), &jwe).unwrap(), b"payload");
    assert_ne!(secret().encrypt(KID, b"payload", &SeededEntropy::new(2)).unwrap(), jwe);
}

#[test]
fn o4_what_is_no_jwe_of_ours_is_refused_before_any_key_is_used() {
    let jwe = encrypted(b"payload");
    let padded = format!("{jwe}==");
    let longer = format!("{jwe}.AAAA");
    for text in ["", "a.b.c", &padded, &longer, &with_part(&jwe, 1, "AAAA"), &jwe.replace('.', "..")] {
        assert_eq!(Jwe::parse(text), Err(MalformedJwe::Form), "{text}");
    }
    for (place, part) in [(2, "AAAA"), (4, "AAAA"), (2, "AAAAAAAAAAAAAAAAAAAAAA"), (3, "A A")] {
        assert_eq!(Jwe::parse(&with_part(&jwe, place, part)), Err(MalformedJwe::Form), "{place}");
    }
    for json in [
        "",
        "[]",
        "{}",
        r#"{"alg":"A256KW","enc":"A256GCM"}"#,
        r#"{"alg":"dir","enc":"A128GCM"}"#,
        r#"{"alg":"none","enc":"A256GCM"}"#,
        r#"{"alg":"dir","alg":"dir","enc":"A256GCM"}"#,
        r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#,
        r#"{"alg":"dir","enc":"A256GCM","crit":["exp"],"exp":1}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":7}"#,
    ] {
        assert_eq!(Jwe::parse(&header(json)), Err(MalformedJwe::Header), "{json}");
    }
    let known = header(r#"{"alg":"dir","enc":"A256GCM","typ":"JWE","cty":"json"}"#);
    assert_eq!(Jwe::parse(&known).unwrap().kid(), None);
    assert_eq!(decrypted(&secret(), &known), None, "another header is another text under the tag");
}

#[test]
fn o4_nothing_is_encrypted_without_entropy() {
    assert!(secret().encrypt(KID, b"payload", &NoEntropy).is_err());
}

proptest! {
    #[test]
    fn o4_what_is_encrypted_is_decrypted(key: [u8; 32], payload: Vec<u8>, seed: u64, kid in "[a-z0-9\"\\\\]{0,24}") {
        let secret = SigningSecret(DataKey::from_bytes(key));
        let jwe = secret.encrypt(&kid, &payload, &SeededEntropy::new(seed)).unwrap();
        let read = Jwe::parse(&jwe).unwrap();
        prop_assert_eq!(read.kid(), Some(kid.as_str()));
        prop_assert_eq!(&*secret.decrypt(&read).unwrap(), &payload);
        prop_assert!(secret.verifies(&payload, &secret.sign(&payload)));
    }

    #[test]
    fn o4_any_other_character_or_secret_opens_nothing(
        payload: Vec<u8>,
        at: prop::sample::Index,
        other in "[A-Za-z0-9_.-]",
        other_key: [u8; 32],
    ) {
        let jwe = encrypted(&payload);
        let at = at.index(jwe.len());
        let mut altered = jwe.clone();
        altered.replace_range(at..=at, &other);
        if altered != jwe {
            prop_assert_eq!(decrypted(&secret(), &altered), None);
        }
        prop_assert_eq!(decrypted(&SigningSecret(DataKey::from_bytes(other_key)), &jwe), None);
    }

    #[test]
    fn o4_any_flipped_bit_of_a_signature_or_a_payload_fails(payload: Vec<u8>, at in 0_usize..32, bit in 0..8) {
        let mut signature = secret().sign(&payload);
        signature[at] ^= 1_u8 << bit;
        prop_assert!(!secret().verifies(&payload, &signature));
        let mut longer = payload.clone();
        longer.push(0);
        prop_assert!(!secret().verifies(&longer, &secret().sign(&payload)));
    }

    #[test]
    fn o4_no_text_makes_reading_a_jwe_fail_in_another_way(text in "\\PC*") {
        let _ = Jwe::parse(&text);
    }
}
