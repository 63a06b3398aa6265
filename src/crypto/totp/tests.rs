use super::{mint_totp, totp_code, totp_step, totp_uri};
use crate::{ExposeSecret, SecretString, SeededEntropy};

#[test]
fn l1_a_code_is_that_of_rfc_6238_and_counts_half_a_minute_before_and_after() {
    // RFC 6238 appendix B, the last six of its eight digits.
    let secret = SecretString::from("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    for (second, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
        assert_eq!(totp_code(&secret, second).unwrap(), code);
        let step = second / 30;
        assert_eq!(totp_step(&secret, code, second).unwrap(), Some(step));
        assert_eq!(totp_step(&secret, code, second + 30).unwrap(), Some(step));
        assert_eq!(totp_step(&secret, code, second - 30).unwrap(), Some(step));
        assert_eq!(totp_step(&secret, code, second + 61).unwrap(), None);
    }
    for wrong in ["", "28708", "2870822", "abcdef", "۲۸۷۰۸۲"] {
        assert_eq!(totp_step(&secret, wrong, 59).unwrap(), None, "{wrong}");
    }
    assert!(totp_step(&SecretString::from("not base32!"), "287082", 59).is_err());
}

#[test]
fn l1_a_device_reads_who_it_is_for() {
    let secret = mint_totp(&SeededEntropy::new(1)).unwrap();
    assert_eq!(secret.expose_secret().len(), 32);
    let uri = totp_uri(&secret, "ada:lovelace@members.example").unwrap();
    let uri = uri.expose_secret();
    assert!(uri.starts_with("otpauth://totp/Muniment:ada%20lovelace%40members.example?"), "{uri}");
    assert!(uri.contains(secret.expose_secret()) && uri.contains("issuer=Muniment"), "{uri}");
}
