//! Answers of authenticators: right ones, and each way of being wrong.

use minicbor::Encoder;

use super::{
    CHALLENGE_BYTES, Passkey, PasskeyCreation, PasskeyError, PasskeyUse, RelyingParty,
    authenticator::{TestAuthenticator, client_data},
};

const CHALLENGE: [u8; CHALLENGE_BYTES] = [7; CHALLENGE_BYTES];

fn party() -> RelyingParty {
    RelyingParty { id: "oauth.example.com".into(), origin: "https://oauth.example.com:8443".into() }
}

fn authenticator() -> TestAuthenticator {
    TestAuthenticator { sign_count: 41, ..TestAuthenticator::new(b"credential") }
}

fn created(creation: &PasskeyCreation) -> Result<Passkey, PasskeyError> {
    Passkey::created(&party(), &CHALLENGE, creation)
}

#[test]
fn l1_a_passkey_is_made_kept_and_used() {
    let mut authenticator = authenticator();
    let made = created(&authenticator.create(&party(), &CHALLENGE)).expect("a passkey");
    assert_eq!((made.credential_id(), made.sign_count()), (&b"credential"[..], 41));
    let kept = serde_json::to_string(&made).expect("JSON");
    let made: Passkey = serde_json::from_str(&kept).expect("a passkey");
    authenticator.sign_count = 42;
    let used = made.used(&party(), &CHALLENGE, &authenticator.sign(&party(), &CHALLENGE));
    assert_eq!(used, Ok(PasskeyUse { sign_count: 42, user_verified: true }));
    authenticator.flags = 1;
    let used = made.used(&party(), &CHALLENGE, &authenticator.sign(&party(), &CHALLENGE));
    assert_eq!(used, Ok(PasskeyUse { sign_count: 42, user_verified: false }));
}

#[test]
fn l1_what_is_kept_of_a_passkey_stays_readable() {
    let kept = r#"{"credential_id":"Y3I","key":{"algorithm":"EdDSA","point":"AQ"},"sign_count":3}"#;
    let passkey: Passkey = serde_json::from_str(kept).expect("a passkey");
    assert_eq!(serde_json::to_string(&passkey).expect("JSON"), kept);
    for broken in [
        r#"{"credential_id":"Y3I=","key":{"algorithm":"EdDSA","point":"AQ"},"sign_count":3}"#,
        r#"{"credential_id":"Y3I","key":{"algorithm":"none","point":"AQ"},"sign_count":3}"#,
    ] {
        serde_json::from_str::<Passkey>(broken).expect_err(broken);
    }
}

#[test]
fn l1_an_answer_to_anything_else_is_none() {
    let authenticator = authenticator();
    let made = created(&authenticator.create(&party(), &CHALLENGE)).expect("a passkey");
    let elsewhere = RelyingParty { origin: "https://oauth.example.com".into(), ..party() };
    let another = RelyingParty { id: "example.com".into(), ..party() };
    let right = authenticator.sign(&party(), &CHALLENGE);
    let mut cases = vec![
        (authenticator.sign(&party(), &[8; CHALLENGE_BYTES]), PasskeyError::OtherChallenge),
        (authenticator.sign(&elsewhere, &CHALLENGE), PasskeyError::OtherSite),
        (authenticator.sign(&another, &CHALLENGE), PasskeyError::OtherSite),
        (
            TestAuthenticator { flags: 4, ..authenticator.clone() }.sign(&party(), &CHALLENGE),
            PasskeyError::NobodyPresent,
        ),
        (TestAuthenticator::new(b"credential").sign(&party(), &CHALLENGE), PasskeyError::WrongSignature),
    ];
    for (change, error) in [
        (client_data("webauthn.create", &party(), &CHALLENGE), PasskeyError::OtherChallenge),
        (client_data("webauthn.get", &party(), &CHALLENGE[1..]), PasskeyError::OtherChallenge),
        (b"{}".to_vec(), PasskeyError::Malformed),
        (b"\xff".to_vec(), PasskeyError::Malformed),
        (
            String::from_utf8(right.client_data.clone()).expect("text").replace("false", "true").into_bytes(),
            PasskeyError::OtherSite,
        ),
        ([&right.client_data[..], b" "].concat(), PasskeyError::WrongSignature),
    ] {
        let mut changed = right.clone();
        changed.client_data = change;
        cases.push((changed, error));
    }
    for (length, error) in [(0, PasskeyError::Malformed), (36, PasskeyError::Malformed)] {
        let mut cut = right.clone();
        cut.authenticator_data.truncate(length);
        cases.push((cut, error));
    }
    let mut longer = right.clone();
    longer.authenticator_data.push(0);
    cases.push((longer, PasskeyError::Malformed));
    let mut counted = right.clone();
    counted.authenticator_data[36] = 99;
    cases.push((counted, PasskeyError::WrongSignature));
    let mut unsigned = right;
    unsigned.signature.clear();
    cases.push((unsigned, PasskeyError::WrongSignature));
    for (place, (assertion, error)) in cases.iter().enumerate() {
        assert_eq!(made.used(&party(), &CHALLENGE, assertion), Err(*error), "case {place}");
    }
}

#[test]
fn l1_a_malformed_attestation_is_refused() {
    let authenticator = authenticator();
    let right = authenticator.create(&party(), &CHALLENGE);
    let with = |attestation: Vec<u8>| created(&PasskeyCreation { attestation, ..right.clone() });
    with(right.attestation.clone()).expect("it is right");
    // Cut anywhere, or with something behind it.
    for length in 0..right.attestation.len() {
        with(right.attestation[..length].to_vec()).expect_err("cut");
    }
    assert_eq!(with([&right.attestation[..], &[0]].concat()), Err(PasskeyError::Malformed));
    // A number, a list, a map without end, one that promises more than memory holds, data that stands twice.
    let data = authenticator.attested_data(&party(), &authenticator.cose_key(-7));
    let mut twice = Encoder::new(Vec::new());
    let written =
        twice.map(2).and_then(|cbor| cbor.str("authData")?.bytes(&data)?.str("authData")?.bytes(&data));
    written.expect("CBOR");
    for attestation in [
        vec![0x01],
        vec![0x80],
        vec![0xa0],
        vec![0xbf, 0xff],
        vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![
            0xa1, 0x68, b'a', b'u', b't', b'h', b'D', b'a', b't', b'a', 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff,
        ],
        twice.into_writer(),
    ] {
        assert_eq!(with(attestation.clone()), Err(PasskeyError::Malformed), "{attestation:02x?}");
    }
    // No key in it; an id that is too long or empty; somebody else's site.
    let of = |data: &[u8]| with(authenticator.attestation(data));
    assert_eq!(of(&authenticator.data(&party(), 1)), Err(PasskeyError::Malformed));
    for id in [&[][..], &[1; 1_024]] {
        let other = TestAuthenticator { credential_id: id.to_vec(), ..authenticator.clone() };
        assert_eq!(created(&other.create(&party(), &CHALLENGE)), Err(PasskeyError::Malformed));
    }
    let another = RelyingParty { id: "example.com".into(), ..party() };
    let other = authenticator.attested_data(&another, &authenticator.cose_key(-7));
    assert_eq!(of(&other), Err(PasskeyError::OtherSite));
}

#[test]
fn l1_a_key_of_another_kind_or_none_is_refused() {
    let authenticator = authenticator();
    let with = |key: &[u8]| {
        let data = authenticator.attested_data(&party(), key);
        let creation = authenticator.create(&party(), &CHALLENGE);
        created(&PasskeyCreation { attestation: authenticator.attestation(&data), ..creation })
    };
    assert_eq!(with(&authenticator.cose_key(-35)), Err(PasskeyError::UnsupportedKey));
    let key = |pairs: &[(i64, Result<i64, &[u8]>)]| {
        let mut cbor = Encoder::new(Vec::new());
        cbor.map(pairs.len() as u64).expect("CBOR");
        for (place, value) in pairs {
            cbor.i64(*place).expect("CBOR");
            match value {
                Ok(number) => cbor.i64(*number).expect("CBOR"),
                Err(bytes) => cbor.bytes(bytes).expect("CBOR"),
            };
        }
        cbor.into_writer()
    };
    let (short, long, modulus) = ([1_u8; 31], [1_u8; 32], [1_u8; 256]);
    with(&key(&[(1, Ok(1)), (3, Ok(-8)), (-1, Ok(6)), (-2, Err(&long))])).expect("Ed25519");
    with(&key(&[(1, Ok(3)), (3, Ok(-257)), (-1, Err(&modulus)), (-2, Err(&[1, 0, 1]))])).expect("RSA");
    for pairs in [
        &[(1, Ok(2)), (3, Ok(-7)), (-1, Ok(1)), (-2, Err(&short[..])), (-3, Err(&long[..]))][..],
        &[(1, Ok(2)), (3, Ok(-7)), (-1, Ok(1)), (-2, Err(&long))],
        &[(1, Ok(2)), (3, Ok(-7)), (-1, Ok(2)), (-2, Err(&long)), (-3, Err(&long))],
        &[(1, Ok(2)), (1, Ok(2)), (3, Ok(-7)), (-1, Ok(1)), (-2, Err(&long)), (-3, Err(&long))],
        &[(1, Ok(2)), (3, Ok(-7)), (-1, Ok(1)), (-2, Err(&long)), (-3, Err(&long)), (-4, Err(&long))],
        &[(1, Ok(1)), (3, Ok(-8)), (-1, Ok(6)), (-2, Err(&short))],
        &[(1, Ok(1)), (3, Ok(-7)), (-1, Ok(6)), (-2, Err(&long))],
        &[(1, Ok(3)), (3, Ok(-257)), (-1, Err(&long)), (-2, Err(&[1, 0, 1]))],
        &[(1, Ok(3)), (3, Ok(-257)), (-1, Err(&modulus)), (-2, Err(&[]))],
        &[(1, Ok(3)), (3, Ok(-257)), (-1, Err(&modulus)), (-2, Err(&[0, 3]))],
        &[(3, Ok(-7))],
        &[],
    ] {
        with(&key(pairs)).expect_err("no key");
    }
}
