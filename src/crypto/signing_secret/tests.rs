use super::*;
use crate::testing::golden_key;
use crate::{ExposeSecret, SeededEntropy};

const GOLDEN: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn the_form_is_that_of_standard_webhooks() {
    let secret = SigningSecret::parse(GOLDEN).unwrap();
    assert_eq!(secret.expose_key(), golden_key().expose_bytes());
    assert_eq!(secret.reveal().expose_secret(), GOLDEN);
}

#[test]
fn a_minted_secret_is_read_back() {
    let minted = SigningSecret::mint(&SeededEntropy::new(1)).unwrap();
    let parsed = SigningSecret::parse(minted.reveal().expose_secret()).unwrap();
    assert_eq!(parsed.expose_key(), minted.expose_key());
    assert_eq!(format!("{minted:?}"), "SigningSecret([secret])");
}

#[test]
fn what_is_no_signing_secret_is_refused() {
    let parse = |text: &str| SigningSecret::parse(text).map(|_| ());
    assert_eq!(
        parse("whsek_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        Err(MalformedSigningSecret::Prefix)
    );
    for key in [
        "",
        "AAEC",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
    ] {
        assert_eq!(parse(&format!("whsec_{key}")), Err(MalformedSigningSecret::Key), "{key}");
    }
}
