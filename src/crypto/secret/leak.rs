//! Secrets where none belongs.

use super::{SecretId, SecretKind};
use crate::signing_secret;

/// Whether something in a text begins like a secret of ours, whole or cut off, rightly typed or not. For what is kept in
/// public for ever, and may have been pasted.
#[must_use]
pub fn has_secret(text: &str) -> bool {
    let of_secret = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    text.match_indices('_').any(|(at, _)| {
        let (before, after) = (&text[..at], &text.as_bytes()[at + 1..]);
        let prefixed = before.ends_with(signing_secret::PREFIX.trim_end_matches('_'))
            || SecretKind::ALL.iter().any(|kind| before.ends_with(kind.prefix()));
        prefixed && after.iter().take_while(of_secret).count() >= SecretId::LENGTH
    })
}

#[cfg(test)]
mod tests {
    use super::has_secret;

    #[test]
    fn a3_a_secret_is_seen_wherever_it_stands_and_a_reference_is_none() {
        for text in [
            "mcs_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_02ucoQ2VLilGmYe2Qf48q1Vd",
            "see:mpt_wub6gnYaWXKkegFO_JiuY9",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        ] {
            assert!(has_secret(text), "{text}");
        }
        for text in ["INC-42", "mcs_wub6gn", "https://tickets.example/mac_and_cheese", "wub6gnYaWXKkegFO", ""]
        {
            assert!(!has_secret(text), "{text}");
        }
    }
}
