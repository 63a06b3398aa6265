//! A moment as people read it: the day or the minute, always of UTC, and how long ago that is.

use jiff::{Timestamp, tz::TimeZone};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment, and the one at which the page is read.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The moment.
    pub at: Timestamp,
    /// When the page is made.
    pub now: Timestamp,
}

impl Moment {
    /// For the machine: RFC 3339.
    pub(super) fn machine(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// The day.
    pub(super) fn day(self) -> String {
        self.format("%-d %b %Y")
    }

    /// The day and the minute.
    pub(super) fn minute(self) -> String {
        self.format("%-d %b %Y, %H:%M UTC")
    }

    /// How long ago, or in how long.
    pub(super) fn relative(self) -> String {
        let seconds = self.at.as_second() - self.now.as_second();
        let (number, unit) = match seconds.abs() {
            ..MINUTE => return "just now".to_owned(),
            away @ MINUTE..HOUR => (away / MINUTE, "minute"),
            away @ HOUR..DAY => (away / HOUR, "hour"),
            away if away < 60 * DAY => (away / DAY, "day"),
            away if away < 730 * DAY => (away / (30 * DAY), "month"),
            away => (away / (365 * DAY), "year"),
        };
        let plural = if number == 1 { "" } else { "s" };
        if seconds < 0 {
            format!("{number} {unit}{plural} ago")
        } else {
            format!("in {number} {unit}{plural}")
        }
    }

    fn format(self, form: &str) -> String {
        self.at.to_zoned(TimeZone::UTC).strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn a_moment_is_told_absolutely_and_from_now() {
        let now = "2026-10-06T09:41:10Z".parse().unwrap();
        for (at, minute, relative) in [
            ("2026-10-06T09:40:40Z", "6 Oct 2026, 09:40 UTC", "just now"),
            ("2026-10-06T09:38:10Z", "6 Oct 2026, 09:38 UTC", "3 minutes ago"),
            ("2026-10-06T08:41:09Z", "6 Oct 2026, 08:41 UTC", "1 hour ago"),
            ("2026-10-18T10:00:00Z", "18 Oct 2026, 10:00 UTC", "in 12 days"),
            ("2026-03-03T00:00:00Z", "3 Mar 2026, 00:00 UTC", "7 months ago"),
            ("2020-01-01T00:00:00Z", "1 Jan 2020, 00:00 UTC", "6 years ago"),
        ] {
            let moment = Moment { at: at.parse().unwrap(), now };
            assert_eq!((moment.minute().as_str(), moment.relative().as_str()), (minute, relative));
            assert_eq!(moment.machine(), at);
        }
        let day = Moment { at: "2026-10-18T10:00:00.123456Z".parse().unwrap(), now };
        assert_eq!((day.day().as_str(), day.machine().as_str()), ("18 Oct 2026", "2026-10-18T10:00:00Z"));
    }
}
