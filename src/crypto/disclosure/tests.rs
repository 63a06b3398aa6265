use proptest::prelude::*;
use serde_json::json;

use super::*;

fn salt() -> [u8; 32] {
    std::array::from_fn(|i| i as u8)
}

#[test]
fn the_example_of_rfc_9901_has_its_digest() {
    let disclosure =
        Disclosure::parse("WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0").unwrap();
    assert_eq!(disclosure.digest(), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
    assert_eq!((disclosure.name(), disclosure.expose_value()), ("family_name", &json!("Möbius")));
}

#[test]
fn our_form_is_frozen() {
    let disclosure = Disclosure::new("contact_email", json!("dev@a.example"), salt()).unwrap();
    assert_eq!(
        disclosure.encoded(),
        "WyJBQUVDQXdRRkJnY0lDUW9MREEwT0R4QVJFaE1VRlJZWEdCa2FHeHdkSGg4IiwiY29udGFjdF9lbWFpbCIsImRldkBhLmV4YW1wbGUiXQ"
    );
    assert_eq!(disclosure.digest(), "29JNQIxrpgiSeouTzCaVeodb3tNdbprq5okimTKfhE4");
}

#[test]
fn names_kept_by_the_rfc_are_refused() {
    for name in ["_sd", "..."] {
        assert_eq!(Disclosure::new(name, json!(1), salt()), Err(MalformedDisclosure::ReservedName));
        let encoded = URL_SAFE_NO_PAD.encode(json!(["salt", name, 1]).to_string());
        assert_eq!(Disclosure::parse(&encoded), Err(MalformedDisclosure::ReservedName));
    }
}

#[test]
fn what_is_no_disclosure_is_refused() {
    assert_eq!(Disclosure::parse("WyJh=="), Err(MalformedDisclosure::Encoding));
    for json in
        ["", "{}", r#"["salt","name"]"#, r#"["salt","name",1,2]"#, r#"[1,"name",1]"#, r#"["salt","name",1]x"#]
    {
        assert_eq!(
            Disclosure::parse(&URL_SAFE_NO_PAD.encode(json)),
            Err(MalformedDisclosure::Json),
            "{json}"
        );
    }
}

#[test]
fn debug_shows_the_digest_alone() {
    let disclosure = Disclosure::new("reason", json!("canary"), salt()).unwrap();
    assert_eq!(format!("{disclosure:?}"), format!("Disclosure {{ digest: {:?}, .. }}", disclosure.digest()));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(name in "[a-z_]{4,20}", value: String, salt: [u8; 32]) {
        let written = Disclosure::new(&name, json!({ "text": value }), salt).unwrap();
        prop_assert_eq!(&Disclosure::parse(written.encoded()).unwrap(), &written);
        prop_assert_eq!(written.digest().len(), 43);
    }

    #[test]
    fn equal_values_show_as_different_digests(value: String, a: [u8; 32], b: [u8; 32]) {
        prop_assume!(a != b);
        let digest = |salt| Disclosure::new("reason", json!(value), salt).unwrap().digest().to_owned();
        prop_assert_ne!(digest(a), digest(b));
    }
}
