use proptest::prelude::*;

use super::*;
use crate::testing::{NoEntropy, golden_key};
use crate::{DataKey, ExposeSecret, SeededEntropy};

const BINDING: Binding<'_> = Binding { environment: "sandbox", owner: "client-1" };
const CLIENT_SECRET: &str =
    "mcs_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_02ucoQ2VLilGmYe2Qf48q1Vd";

fn keys() -> TagKeys {
    TagKeys::new(1, &golden_key())
}

fn other_key() -> DataKey {
    DataKey::from_bytes([9; 32])
}

/// The text with a checksum that fits: what someone does who knows the format but not the key.
fn with_checksum(text: &str) -> String {
    let checked = &text[..CHECKSUM.start];
    format!("{checked}{}", str::from_utf8(&checksum_of(checked.as_bytes())).unwrap())
}

#[test]
fn the_form_is_frozen() {
    let golden = [
        (SecretKind::ClientSecret, CLIENT_SECRET),
        (
            SecretKind::AccessToken,
            "mat_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_02d20W1ibn8nCBz6kc43Qpmi",
        ),
        (
            SecretKind::RefreshToken,
            "mrt_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_03CtfIUOBXPNStNLNM3ln3n2",
        ),
        (
            SecretKind::AuthorizationCode,
            "mac_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_02tuxb192p8f6DKS5z3LRbtw",
        ),
        (
            SecretKind::PersonalToken,
            "mpt_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_03EDli3XqnhXagtKnu4gXQAd",
        ),
        (
            SecretKind::Session,
            "mse_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_01udsfQQbv53jzPRyR2ceTkL",
        ),
        (
            SecretKind::InitialAccessToken,
            "mia_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_02OSYvhJB4DQhVoeER362Jxu",
        ),
        (
            SecretKind::RegistrationAccessToken,
            "mra_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_01wxk26WoSA1Swf0qo3sGYjd",
        ),
    ];
    assert_eq!(golden.map(|(kind, _)| kind), SecretKind::ALL);
    for (kind, expected) in golden {
        let minted = mint(kind, &BINDING, &keys(), &SeededEntropy::new(1)).unwrap();
        assert_eq!(minted.secret.expose_secret(), expected);
        assert_eq!(expected.len(), LENGTH);
        Presented::parse(expected).unwrap().verify_tag(&keys(), &BINDING).unwrap();
    }
}

#[test]
fn the_greatest_body_is_that_of_the_greatest_bytes() {
    let mut digits = [0; 43];
    crate::base62::encode_into(&[255; BODY_BYTES], &mut digits);
    assert_eq!(digits, presented::GREATEST_BODY);
}

#[test]
fn ids_in_time_are_in_its_order_and_differ_within_a_moment() {
    let entropy = SeededEntropy::new(1);
    let ids: Vec<_> = [0, 1, 61, 62, 1_795_212_805_123, 1_795_212_805_124, 3_000_000_000_000]
        .map(|at| SecretId::in_time(at, &entropy).unwrap())
        .into();
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(ids.iter().all(|id| id.as_str().parse::<SecretId>().is_ok()), "{ids:?}");
    assert_ne!(ids[0], SecretId::in_time(0, &entropy).unwrap());
    assert!(SecretId::in_time(u64::MAX, &entropy).is_ok());
}

#[test]
fn a_hint_is_part_of_the_id_and_debug_shows_nothing_more() {
    let minted = mint(SecretKind::ClientSecret, &BINDING, &keys(), &SeededEntropy::new(1)).unwrap();
    assert_eq!(minted.hint, "mcs_wub6gn…");
    let presented = Presented::parse(minted.secret.expose_secret()).unwrap();
    for shown in [format!("{minted:?}"), format!("{presented:?}"), format!("{:?}", keys())] {
        assert!(!shown.contains(&CLIENT_SECRET[BODY]) && !shown.contains(&CLIENT_SECRET[TAG]), "{shown}");
    }
}

#[test]
fn each_defect_of_form_has_its_name() {
    use MalformedSecret::{Alphabet, Checksum, Prefix, Range, Shape};
    let with_body = |body: &str| {
        with_checksum(&[&CLIENT_SECRET[..BODY.start], body, &CLIENT_SECRET[BODY.end..]].concat())
    };
    let refusals = [
        (String::new(), Prefix),
        ("mc".to_owned(), Prefix),
        ("€cs_".to_owned(), Prefix),
        (CLIENT_SECRET.replace("mcs_", "MCS_"), Prefix),
        ("mcs_".to_owned(), Shape),
        (format!("{CLIENT_SECRET}\n"), Shape),
        (CLIENT_SECRET.replace('_', "-"), Shape),
        (CLIENT_SECRET.replace("wub6", "wub-"), Alphabet),
        (CLIENT_SECRET.replace("wub6", "wué"), Alphabet),
        (CLIENT_SECRET.replace("wub6", "wub7"), Checksum),
        (with_body(&"z".repeat(43)), Range),
        (with_body("yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp2"), Range),
    ];
    for (text, refusal) in refusals {
        assert_eq!(Presented::parse(&text).map(|_| ()), Err(refusal), "{text}");
    }
    let greatest = with_body("yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    assert_eq!(Presented::parse(&greatest).unwrap().verify_tag(&keys(), &BINDING), Err(WrongTag));
}

#[test]
fn a_secret_passes_for_its_own_environment_and_owner_alone() {
    let presented = Presented::parse(CLIENT_SECRET).unwrap();
    for (environment, owner) in
        [("production", "client-1"), ("sandbox", "client-2"), ("sandboxc", "lient-1"), ("", "")]
    {
        assert_eq!(presented.verify_tag(&keys(), &Binding { environment, owner }), Err(WrongTag));
    }
}

#[test]
fn a_secret_of_one_kind_does_not_pass_as_another() {
    let renamed = with_checksum(&CLIENT_SECRET.replace("mcs_", "mat_"));
    let presented = Presented::parse(&renamed).unwrap();
    assert_eq!(presented.kind(), SecretKind::AccessToken);
    assert_eq!(presented.verify_tag(&keys(), &BINDING), Err(WrongTag));
}

#[test]
fn tag_keys_overlap_and_an_old_one_ends() {
    let presented = Presented::parse(CLIENT_SECRET).unwrap();
    assert_eq!(presented.tag_key_id(), 1);
    let overlapping = TagKeys::new(2, &other_key()).with_older(1, &golden_key()).unwrap();
    assert_eq!(presented.verify_tag(&overlapping, &BINDING), Ok(()));
    assert_eq!(presented.verify_tag(&TagKeys::new(2, &other_key()), &BINDING), Err(WrongTag));
    assert_eq!(presented.verify_tag(&TagKeys::new(1, &other_key()), &BINDING), Err(WrongTag));
    assert_eq!(presented.verify_tag(&TagKeys::new(2, &golden_key()), &BINDING), Err(WrongTag));

    let renewed = mint(SecretKind::ClientSecret, &BINDING, &overlapping, &SeededEntropy::new(1)).unwrap();
    assert_eq!(Presented::parse(renewed.secret.expose_secret()).unwrap().tag_key_id(), 2);
    assert_eq!(overlapping.with_older(2, &golden_key()).map(|_| ()), Err(DuplicateTagKey { id: 2 }));
}

#[test]
fn no_secret_is_minted_without_entropy() {
    assert!(mint(SecretKind::ClientSecret, &BINDING, &keys(), &NoEntropy).is_err());
}

#[test]
fn the_id_of_a_secret_is_checked() {
    assert_eq!("wub6gnYaWXKkegFO".parse::<SecretId>().unwrap().to_string(), "wub6gnYaWXKkegFO");
    for text in ["", "wub6gnYaWXKkegF", "wub6gnYaWXKkegFO0", "wub6gnYaWXKkeg_O", "wub6gnYaWXKkegé"] {
        assert_eq!(text.parse::<SecretId>(), Err(MalformedSecretId), "{text}");
    }
}

#[test]
fn any_single_wrong_character_is_refused_by_the_form_alone() {
    let alphabet = ('0'..='9').chain('A'..='Z').chain('a'..='z').chain("_-é".chars());
    for character in alphabet {
        for (at, original) in CLIENT_SECRET.char_indices().filter(|(_, original)| *original != character) {
            let changed =
                format!("{}{character}{}", &CLIENT_SECRET[..at], &CLIENT_SECRET[at + original.len_utf8()..]);
            assert!(Presented::parse(&changed).is_err(), "{changed}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_minted_is_read_back(
        kind in prop::sample::select(&SecretKind::ALL[..]),
        environment: String,
        owner: String,
        key: [u8; 32],
        key_id: u8,
        seed: u64,
    ) {
        let binding = Binding { environment: &environment, owner: &owner };
        let tag_keys = TagKeys::new(key_id, &DataKey::from_bytes(key));
        let minted = mint(kind, &binding, &tag_keys, &SeededEntropy::new(seed)).unwrap();
        let presented = Presented::parse(minted.secret.expose_secret()).unwrap();
        prop_assert_eq!((presented.kind(), presented.id(), presented.tag_key_id()), (kind, &minted.id, key_id));
        prop_assert_eq!(presented.expose_secret(), minted.secret.expose_secret());
        prop_assert_eq!(presented.verify_tag(&tag_keys, &binding), Ok(()));
    }

    #[test]
    fn no_guess_passes_even_with_a_checksum_that_fits(at in PREFIX + 1..CHECKSUM.start, character in "[0-9A-Za-z]") {
        prop_assume!(!CLIENT_SECRET[at..].starts_with(&character) && CLIENT_SECRET.as_bytes()[at] != b'_');
        let guess = with_checksum(&[&CLIENT_SECRET[..at], &character, &CLIENT_SECRET[at + 1..]].concat());
        match Presented::parse(&guess) {
            Ok(presented) => prop_assert_eq!(presented.verify_tag(&keys(), &BINDING), Err(WrongTag)),
            Err(malformed) => prop_assert_eq!(malformed, MalformedSecret::Range),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(mcs_)?\\PC{0,100}") {
        prop_assert!(Presented::parse(&text).is_err());
    }
}
