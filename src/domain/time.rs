//! Time on the wire: RFC 3339, `Z`, always six digits, so that text order is time order.

use jiff::{SignedDuration, Timestamp, fmt::temporal::DateTimePrinter};

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// `2026-11-20T22:13:25.123456Z`; finer digits are cut, never rounded up into the future.
pub fn to_wire(at: Timestamp) -> String {
    let mut text = String::with_capacity(27);
    // Writing into a String cannot fail; an empty text would be refused by every reader.
    let _ = PRINTER.print_timestamp(&truncated(at), &mut text);
    text
}

/// The same moment without its nanoseconds: the log's resolution is one microsecond.
pub fn truncated(at: Timestamp) -> Timestamp {
    // Rounding down, also before 1970, where a division would round towards it.
    let micros = at.as_nanosecond().div_euclid(1_000);
    i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or(at)
}

/// A `NumericDate` (RFC 7519 section 2): seconds since 1970, of which some libraries write fractions. `None` if there is no such
/// moment.
pub fn from_numeric_date(seconds: f64) -> Option<Timestamp> {
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(since).ok().map(truncated)
}

/// Serde of one timestamp in the wire form.
pub mod micros {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the wire form.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_wire(*at))
    }

    /// Reads any RFC 3339 timestamp, cut to the log's resolution.
    ///
    /// # Errors
    /// If the text is no timestamp.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer).map(super::truncated)
    }

    /// Serde of a timestamp that may be absent.
    pub mod option {
        use jiff::Timestamp;
        use serde::{Deserialize, Deserializer, Serializer};

        /// Writes the wire form, or null.
        ///
        /// # Errors
        /// Only what the serializer itself reports.
        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads a timestamp, cut to the log's resolution, or null.
        ///
        /// # Errors
        /// If the text is no timestamp.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Ok(Option::<Timestamp>::deserialize(deserializer)?.map(crate::time::truncated))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::{to_wire, truncated};

    #[test]
    fn a1_time_has_six_digits_and_is_cut() {
        let at = |text: &str| text.parse::<Timestamp>().expect(text);
        assert_eq!(to_wire(at("2026-11-20T22:13:25Z")), "2026-11-20T22:13:25.000000Z");
        assert_eq!(to_wire(at("2026-11-20T23:13:25.123456999+01:00")), "2026-11-20T22:13:25.123456Z");
        assert_eq!(to_wire(at("1969-12-31T23:59:59.9999999Z")), "1969-12-31T23:59:59.999999Z");
    }

    proptest! {
        #[test]
        fn a1_time_is_never_moved_into_the_future(nanosecond in -60_000_000_000_000_000_000_i128..250_000_000_000_000_000_000) {
            let at = Timestamp::from_nanosecond(nanosecond).expect("a time");
            let cut = truncated(at);
            prop_assert!(cut <= at && at.as_nanosecond() - cut.as_nanosecond() < 1_000);
            prop_assert_eq!(to_wire(cut).parse::<Timestamp>().expect("the wire form"), cut);
            prop_assert_eq!(to_wire(at), to_wire(cut));
        }
    }
}
