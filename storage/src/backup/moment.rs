//! Moments as backups are named and asked for: `20261130T160716Z-1`, and whatever people write of a time.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Which backup to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The newest.
    Newest,
    /// The newest that was made by then, in seconds of Unix time.
    By(i64),
    /// The one of that name.
    Named(String),
}

impl At {
    /// What a text asks for: a time with its zone, a time or a day of UTC (a day counts to its end), or the name of a backup.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if let Ok(time) = text.parse::<Timestamp>() {
            return Self::By(time.as_second());
        }
        let in_utc = |time: DateTime| Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second());
        // A name is a time, too, and something behind it.
        if text.contains('-') && !text.contains("Z-") {
            if let Some(time) = text.parse::<Date>().ok().filter(|_| !text.contains([':', 'T', ' '])) {
                let end = time.at(0, 0, 0, 0).checked_add(1.day()).ok().and_then(in_utc);
                return end.map_or_else(|| Self::Named(text.to_string()), |end| Self::By(end - 1));
            }
            if let Some(time) = text.parse::<DateTime>().ok().and_then(in_utc) {
                return Self::By(time);
            }
        }
        Self::Named(text.to_string())
    }
}

/// Seconds of Unix time.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The first part of the name of a backup: its time, in an order that is that of letters.
pub(super) fn name_of(second: i64) -> String {
    let time = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The day of a time, in UTC.
pub(super) fn day_of(second: i64) -> Date {
    Timestamp::from_second(second).unwrap_or(Timestamp::MIN).to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_write_of_a_time_is_understood() {
        let noon = 1_796_040_000; // 2026-11-30T12:00:00Z
        assert_eq!(name_of(noon), "20261130T120000Z");
        assert_eq!(day_of(noon).to_string(), "2026-11-30");
        for text in ["2026-11-30T12:00:00Z", "2026-11-30T13:00:00+01:00", "2026-11-30T12:00", " 2026-11-30 12:00:00 "] {
            assert_eq!(At::of(text), At::By(noon), "{text}");
        }
        assert_eq!(At::of("2026-11-30"), At::By(noon + 12 * 3600 - 1), "a day counts to its end");
        for name in ["20261130T120000Z-1", "20261130T120000Z-12", "x"] {
            assert_eq!(At::of(name), At::Named(name.to_string()));
        }
    }
}
