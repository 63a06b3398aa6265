use std::fmt::Display;

use serde::Serialize;
use static_assertions::assert_not_impl_any;

use super::*;
use crate::{DataKey, Disclosure, MasterKey, Minted, Presented, SecretString, SigningSecret};

assert_not_impl_any!(Personal<String>: Serialize, Display);
assert_not_impl_any!(SecretString: Serialize, Display);
assert_not_impl_any!(DataKey: Serialize, Display, Clone);
assert_not_impl_any!(MasterKey: Serialize, Display, Clone);
assert_not_impl_any!(SigningSecret: Serialize, Display);
assert_not_impl_any!(Presented<'static>: Serialize, Display);
assert_not_impl_any!(Minted: Serialize, Display);
assert_not_impl_any!(Disclosure: Serialize, Display);

#[test]
fn debug_shows_nothing_of_the_value() {
    let mail: Personal<String> = serde_json::from_str(r#""dev@a.example""#).unwrap();
    assert_eq!(format!("{mail:?} {:?}", Some(&mail)), "[personal] Some([personal])");
    assert_eq!(mail.expose(), "dev@a.example");
}
