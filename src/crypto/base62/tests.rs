use proptest::prelude::*;

use super::*;
use crate::SeededEntropy;

fn encode<const DIGITS: usize>(bytes: &[u8]) -> String {
    let mut digits = [0; DIGITS];
    encode_into(bytes, &mut digits);
    String::from_utf8(digits.to_vec()).unwrap()
}

fn decode<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    decode_into(digits.as_bytes(), &mut bytes).map(|()| bytes)
}

#[test]
fn the_widths_hold_the_greatest_numbers() {
    assert_eq!(encode::<43>(&[0xff; 32]), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    assert_eq!(encode::<18>(&[0xff; 13]), "6rS8oxBA9U5pIjyIaF");
    assert_eq!(encode::<6>(&[0xff; 4]), "4gfFC3");
    assert_eq!(encode::<6>(&[0, 0, 0, 62]), "000010");
}

#[test]
fn one_above_the_greatest_number_does_not_fit() {
    assert_eq!(decode::<4>("4gfFC3"), Some([0xff; 4]));
    assert_eq!(decode::<4>("4gfFC4"), None);
    assert_eq!(decode::<32>("yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp2"), None);
}

#[test]
fn what_is_no_digit_does_not_decode() {
    for text in ["00000_", "00000-", "0000 0", "0000é"] {
        assert_eq!(decode::<4>(text), None, "{text}");
    }
}

#[test]
fn random_digits_are_fair() {
    let entropy = SeededEntropy::new(1);
    let mut counts = [0_u32; 62];
    for _ in 0..1_000 {
        for digit in random::<62>(&entropy).unwrap() {
            counts[usize::from(value_of(digit).unwrap())] += 1;
        }
    }
    // 1000 of each expected, standard deviation 31. Without the rejection the first eight digits would come
    // 1210 times.
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
}

proptest! {
    #[test]
    fn every_number_has_one_spelling_and_keeps_its_order(a: [u8; 32], b: [u8; 32]) {
        let (a_digits, b_digits) = (encode::<43>(&a), encode::<43>(&b));
        prop_assert_eq!(decode::<32>(&a_digits), Some(a));
        prop_assert_eq!(a.cmp(&b), a_digits.cmp(&b_digits));
    }
}
