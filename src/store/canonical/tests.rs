use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn keys_are_sorted_by_utf16_and_only_what_must_be_is_escaped() {
    // RFC 8785 §3.2.3: an emoji's surrogates come before U+FB33 though its code point does not.
    let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "ö": "\u{1f}\u{7f}\u{2028}/\"\\\u{8}"});
    let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":\"\\u001f\u{7f}\u{2028}/\\\"\\\\\\b\",\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
    assert_eq!(CanonicalJson::from_value(&value).unwrap().as_str(), expected);
}

#[test]
fn what_readers_would_understand_differently_is_refused_with_its_place() {
    for (value, refusal) in [
        (json!([]), "canonicalising a value that is no JSON object"),
        (json!({"a": [1, {"b/c~": 1.5}]}), "canonicalising `/a/1/b~1c~0`: the number is no integer"),
        (json!({"a": 9_007_199_254_740_992_u64}), "canonicalising `/a`: the integer is beyond 2^53 - 1"),
        (json!({"a": -9_007_199_254_740_992_i64}), "canonicalising `/a`: the integer is beyond 2^53 - 1"),
        (json!({"a": i64::MIN}), "canonicalising `/a`: the integer is beyond 2^53 - 1"),
        (json!({"a": "x\0"}), "canonicalising `/a`: the text holds U+0000"),
        (json!({"\0": 1}), "canonicalising `/\0`: the text holds U+0000"),
    ] {
        assert_eq!(CanonicalJson::from_value(&value).unwrap_err().to_string(), refusal);
    }
    let largest = json!({"a": 9_007_199_254_740_991_u64, "b": -9_007_199_254_740_991_i64});
    let text = "{\"a\":9007199254740991,\"b\":-9007199254740991}";
    assert_eq!(CanonicalJson::from_value(&largest).unwrap().as_str(), text);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[^\\x00]{0,6}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn bytes_are_those_of_another_implementation(value in value()) {
        let value = json!({"value": value});
        let canonical = CanonicalJson::from_value(&value).unwrap();
        prop_assert_eq!(canonical.as_str(), serde_json_canonicalizer::to_string(&value).unwrap());
    }
}
