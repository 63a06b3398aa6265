//! Fixed-width base62, big-endian, digits in the order of their characters (`0-9A-Za-z`): equal lengths sort
//! as their numbers, and each number has one spelling.

use crate::{Entropy, EntropyError};

#[cfg(test)]
mod tests;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// As many as can be taken with one pass over the bytes: 62 to their power, times a byte, and what is carried is less
/// than 2^64.
const DIGITS_AT_ONCE: usize = 9;

/// Writes the number in `bytes` into `digits`, with leading zeros. The width of `digits` must hold the
/// greatest number of that many bytes: 43 digits for 32 bytes, 18 for 13, 6 for 4.
pub(crate) fn encode_into(bytes: &[u8], digits: &mut [u8]) {
    digits.fill(0);
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in digits.iter_mut().rev() {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 62) as u8;
            carry /= 62;
        }
        debug_assert_eq!(carry, 0, "the digits are too few for the bytes");
    }
    for digit in digits {
        *digit = ALPHABET[usize::from(*digit)];
    }
}

/// Reads the number in `digits` into `bytes`; `None` if a character is no digit or the number does not fit.
pub(crate) fn decode_into(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    bytes.fill(0);
    for digits in digits.chunks(DIGITS_AT_ONCE) {
        let (mut carry, mut weight) = (0, 1);
        for &digit in digits {
            carry = carry * 62 + u64::from(value_of(digit)?);
            weight *= 62;
        }
        for byte in bytes.iter_mut().rev() {
            carry += u64::from(*byte) * weight;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(())
}

/// Whether every byte is a digit.
pub(crate) fn all_digits(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_alphanumeric)
}

/// `N` digits, each of the 62 as likely as any other.
pub(crate) fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], EntropyError> {
    // 248 is the greatest multiple of 62 in a byte: the bytes above it would favour the first digits.
    const FAIR: u8 = 248;
    let mut digits = [0; N];
    let mut filled = 0;
    while filled < N {
        for byte in entropy.array::<32>()?.into_iter().filter(|byte| *byte < FAIR).take(N - filled) {
            digits[filled] = ALPHABET[usize::from(byte % 62)];
            filled += 1;
        }
    }
    Ok(digits)
}

const fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'Z' => Some(digit - b'A' + 10),
        b'a'..=b'z' => Some(digit - b'a' + 36),
        _ => None,
    }
}
