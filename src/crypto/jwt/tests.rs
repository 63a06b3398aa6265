use serde_json::json;

use super::*;
use crate::SeededEntropy;

fn key(algorithm: JwtAlgorithm) -> (JwtSigner, JwtPublicKey) {
    let generated = generate_signing_key(algorithm, &SeededEntropy::new(1)).unwrap();
    let signer =
        JwtSigner::new(algorithm, "kid1", secrecy::ExposeSecret::expose_secret(&generated.private)).unwrap();
    let public = JwtPublicKey::of_members(|name| generated.public.get(name).map(String::as_str)).unwrap();
    (signer, public)
}

#[test]
fn oauth_53_a_token_is_verified_by_its_own_key_algorithm_and_kind_alone() {
    let (es256, of_es256) = key(JwtAlgorithm::Es256);
    let (rs256, of_rs256) = key(JwtAlgorithm::Rs256);
    let (_, other) = key(JwtAlgorithm::Es256);
    let claims = json!({ "sub": "somebody" });
    for (signer, public, algorithm) in
        [(&es256, &of_es256, JwtAlgorithm::Es256), (&rs256, &of_rs256, JwtAlgorithm::Rs256)]
    {
        let token = signer.sign(JwtType::AccessToken, &claims).unwrap();
        let presented = PresentedJwt::parse(&token).unwrap();
        let header = presented.header().unwrap();
        assert_eq!((header.alg.as_str(), header.kid.as_deref()), (algorithm.as_str(), Some("kid1")));
        let verified = presented.verified(algorithm, JwtType::AccessToken, public).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&verified).unwrap(), claims);
        assert!(presented.verified(algorithm, JwtType::IdToken, public).is_err(), "another kind");
        assert!(presented.verified(algorithm, JwtType::AccessToken, &other).is_err(), "another key");
    }
    let token = es256.sign(JwtType::AccessToken, &claims).unwrap();
    let presented = PresentedJwt::parse(&token).unwrap();
    assert!(presented.verified(JwtAlgorithm::Rs256, JwtType::AccessToken, &of_es256).is_err());
    assert!(presented.verified(JwtAlgorithm::Rs256, JwtType::AccessToken, &of_rs256).is_err());
}

#[test]
fn oauth_35_a_key_is_known_by_the_thumbprint_of_rfc_7638() {
    let n = concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4",
        "n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0",
        "zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-c",
        "sFCur-kEgU8awapJzKnqDKgw"
    );
    let members = |name: &str| match name {
        "kty" => Some("RSA"),
        "n" => Some(n),
        "e" => Some("AQAB"),
        _ => None,
    };
    let key = JwtPublicKey::of_members(members).unwrap();
    assert_eq!(
        key.thumbprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "the example of its section 3.1"
    );
    assert_eq!(key.algorithm(), JwtAlgorithm::Rs256);
    let short =
        |name: &str| (name == "kty").then_some("EC").or((name == "crv").then_some("P-256")).or(Some("AA"));
    assert!(JwtPublicKey::of_members(short).is_none(), "no coordinate");
}

#[test]
fn oauth_56_a_forged_token_is_refused() {
    let (signer, public) = key(JwtAlgorithm::Es256);
    let token = signer.sign(JwtType::AccessToken, &json!({ "sub": "a" })).unwrap();
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let b64 = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let none = b64(r#"{"alg":"none","typ":"at+jwt"}"#);
    let critical = b64(r#"{"alg":"ES256","typ":"at+jwt","crit":["exp"]}"#);
    let claims = b64(r#"{"sub":"b"}"#);
    for forged in [
        format!("{header}.{claims}.{signature}"),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{critical}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        token.replace('.', "..").replacen("..", ".", 1),
        token[..token.len() - 2].to_owned(),
    ] {
        let verified = PresentedJwt::parse(&forged)
            .and_then(|jwt| jwt.verified(JwtAlgorithm::Es256, JwtType::AccessToken, &public));
        assert!(verified.is_err(), "{forged}");
    }
    for text in ["", ".", "a.b", "a.b.c.d"] {
        assert!(PresentedJwt::parse(text).is_err(), "{text}");
    }
}

#[test]
fn oauth_79_an_rsa_key_has_2048_bits_and_only_public_members_are_public() {
    let generated = generate_signing_key(JwtAlgorithm::Rs256, &SeededEntropy::new(2)).unwrap();
    assert_eq!(generated.public.keys().collect::<Vec<_>>(), ["e", "kty", "n"]);
    assert_eq!(URL_SAFE_NO_PAD.decode(&generated.public["n"]).unwrap().len(), 256);
    let generated = generate_signing_key(JwtAlgorithm::Es256, &SeededEntropy::new(2)).unwrap();
    assert_eq!(generated.public.keys().collect::<Vec<_>>(), ["crv", "kty", "x", "y"]);
}
