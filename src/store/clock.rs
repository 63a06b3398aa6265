//! The one source of time: everything that is recorded or expires asks a [`Clock`].

use jiff::Timestamp;

/// A wall clock. It may jump in either direction; the log records it when it goes back.
pub trait Clock: Send + Sync {
    /// The present moment, cut to whole microseconds.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else takes the time from"
    )]
    fn now(&self) -> Timestamp {
        to_microseconds(Timestamp::now())
    }
}

/// The moment without what is finer than a microsecond: the precision of everything recorded.
#[must_use]
pub fn to_microseconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(moment.as_microsecond()).unwrap_or(moment)
}

/// The moment as it is written on the wire and in entries: RFC 3339, `Z`, exactly six digits of a second.
#[must_use]
pub fn to_rfc3339(moment: Timestamp) -> String {
    format!("{moment:.6}")
}

/// A clock that stands still until a test moves it.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct ManualClock(std::sync::atomic::AtomicI64);

#[cfg(feature = "testing")]
impl ManualClock {
    /// A clock that shows `moment`.
    #[must_use]
    pub fn new(moment: Timestamp) -> Self {
        Self(std::sync::atomic::AtomicI64::new(moment.as_microsecond()))
    }

    /// Shows `moment` from now on, be it earlier or later.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.as_microsecond(), std::sync::atomic::Ordering::SeqCst);
    }

    /// Moves on by `duration`, or back if it is negative.
    pub fn advance(&self, duration: jiff::SignedDuration) {
        let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(microseconds, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(feature = "testing")]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(std::sync::atomic::Ordering::SeqCst))
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_exactly_six_digits() {
        for (microseconds, text) in [
            (1_795_212_805_123_456, "2026-11-20T22:13:25.123456Z"),
            (1_795_212_805_000_000, "2026-11-20T22:13:25.000000Z"),
            (1_795_212_805_100_000, "2026-11-20T22:13:25.100000Z"),
        ] {
            assert_eq!(to_rfc3339(Timestamp::from_microsecond(microseconds).unwrap()), text);
        }
    }

    #[test]
    fn nanoseconds_are_cut_off() {
        let moment = Timestamp::from_nanosecond(1_795_212_805_123_456_789).unwrap();
        assert_eq!(to_microseconds(moment).as_nanosecond(), 1_795_212_805_123_456_000);
    }
}
