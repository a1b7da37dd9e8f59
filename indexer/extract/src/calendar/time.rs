//! A point in time as calendars write it: a day, or a time of day where it happens. It is told in its own zone, because
//! a meeting at nine is looked for at nine; zones are named as IANA names them, whatever the program called them.

use std::fmt;
use std::str::FromStr;

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::icalendar::{ICalendarDuration, ICalendarEntry, ICalendarParameterName, ICalendarValue};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};

/// Longest name of a zone that is shown.
const MAX_ZONE: usize = 60;

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// On the clock where it happens.
    local: NaiveDateTime,
    zone: Zone,
}

/// Where the clock hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Zone {
    /// Nowhere: a whole day.
    Day,
    /// Wherever somebody is.
    Floating,
    Utc,
    /// By its name.
    Named(String),
}

impl Moment {
    /// The value of a property with the zone that it names.
    pub(super) fn of_entry(entry: &ICalendarEntry) -> Option<Self> {
        let zone = entry.parameter(&ICalendarParameterName::Tzid).and_then(|zone| zone.as_text());
        entry.values.iter().find_map(|value| match value {
            ICalendarValue::PartialDateTime(time) => Self::of(time, zone),
            _ => None,
        })
    }

    /// What a calendar states, in this zone unless it is UTC.
    pub(super) fn of(stated: &PartialDateTime, zone: Option<&str>) -> Option<Self> {
        let (year, month, day) = (stated.year?, stated.month?, stated.day?);
        let day = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())?;
        let Some(hour) = stated.hour else {
            return Some(Self { local: day.and_hms_opt(0, 0, 0)?, zone: Zone::Day });
        };
        let (minute, second) = (stated.minute.unwrap_or(0), stated.second.unwrap_or(0).min(59));
        let local = day.and_hms_opt(hour.into(), minute.into(), second.into())?;
        let zone = match (stated.tz_hour, zone.map(str::trim).filter(|zone| !zone.is_empty())) {
            (Some(_), _) => Zone::Utc,
            (None, Some(zone)) => Zone::named(zone),
            (None, None) => Zone::Floating,
        };
        // What is written with another offset is rare, and told as UTC.
        let offset = i64::from(stated.tz_hour.unwrap_or(0)) * 60 + i64::from(stated.tz_minute.unwrap_or(0));
        let offset = TimeDelta::try_minutes(if stated.tz_minus { offset } else { -offset })?;
        Some(Self { local: local.checked_add_signed(offset)?, zone })
    }

    /// Seconds of Unix time, told in a zone; in UTC where nobody knows it.
    pub(crate) fn of_unix(seconds: i64, zone: Option<&str>) -> Option<Self> {
        let utc = DateTime::from_timestamp(seconds, 0)?;
        let zone = zone.and_then(|zone| Tz::from_str(zone).ok()).filter(|zone| !zone.is_utc());
        Some(match zone.and_then(|zone| zone.name().map(|name| (zone, name.into_owned()))) {
            Some((zone, name)) => Self { local: utc.with_timezone(&zone).naive_local(), zone: Zone::Named(name) },
            None => Self { local: utc.naive_utc(), zone: Zone::Utc },
        })
    }

    /// The day alone.
    #[must_use]
    pub(crate) fn day(self) -> Self {
        Self { local: self.local.date().and_time(chrono::NaiveTime::MIN), zone: Zone::Day }
    }

    pub(super) fn is_day(&self) -> bool {
        self.zone == Zone::Day
    }

    /// As long after it; days are whole days.
    pub(super) fn after(&self, duration: &ICalendarDuration) -> Option<Self> {
        let days = i64::from(duration.weeks).checked_mul(7)?.checked_add(duration.days.into())?;
        let seconds = i64::from(duration.hours) * 3600 + i64::from(duration.minutes) * 60 + i64::from(duration.seconds);
        let delta = TimeDelta::try_days(days)?.checked_add(&TimeDelta::try_seconds(seconds)?)?;
        let local = self.local.checked_add_signed(if duration.neg { -delta } else { delta })?;
        Some(Self { local, zone: self.zone.clone() })
    }

    /// The day before, for ends that are the first day after.
    fn day_before(&self) -> Option<Self> {
        Some(Self { local: self.local.checked_sub_signed(TimeDelta::try_days(1)?)?, zone: Zone::Day })
    }

    /// As metadata has it: with its offset where the zone is known.
    pub(crate) fn rfc3339(&self) -> String {
        let local = self.local.format("%Y-%m-%dT%H:%M:%S");
        match &self.zone {
            Zone::Day => self.local.format("%Y-%m-%d").to_string(),
            Zone::Floating => local.to_string(),
            Zone::Utc => format!("{local}Z"),
            Zone::Named(name) => {
                let known = Tz::from_str(name).ok().and_then(|zone| zone.from_local_datetime(&self.local).earliest());
                known.map_or_else(|| local.to_string(), |time| time.to_rfc3339())
            }
        }
    }

    fn clock(&self) -> String {
        self.local.format("%H:%M").to_string()
    }
}

impl Zone {
    fn named(name: &str) -> Self {
        match Tz::from_str(name) {
            Ok(zone) if zone.is_utc() => Self::Utc,
            Ok(zone) => zone.name().map_or(Self::Floating, |name| Self::Named(name.into_owned())),
            Err(()) => Self::Named(name.chars().take(MAX_ZONE).collect()),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day | Self::Floating => Ok(()),
            Self::Utc => f.write_str(" UTC"),
            Self::Named(name) => write!(f, " ({name})"),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local.format("%Y-%m-%d"))?;
        if self.is_day() {
            return Ok(());
        }
        write!(f, " {}{}", self.clock(), self.zone)
    }
}

/// From when to when: what both share is said once. The end of whole days is the day after the last one.
pub(crate) fn period(start: &Moment, end: Option<&Moment>) -> String {
    let Some(end) = end.filter(|end| end.local > start.local || end.zone != start.zone) else {
        return start.to_string();
    };
    if start.is_day() && end.is_day() {
        let last = end.day_before().filter(|last| last.local > start.local);
        return last.map_or_else(|| start.to_string(), |last| format!("{start} to {last}"));
    }
    if start.zone != end.zone {
        return format!("{start} to {end}");
    }
    let day = start.local.format("%Y-%m-%d");
    let same_day = start.local.date() == end.local.date();
    let until = if same_day { end.clock() } else { end.local.format("%Y-%m-%d %H:%M").to_string() };
    format!("{day} {} to {until}{}", start.clock(), start.zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(year: u16, month: u8, day: u8, hour: Option<u8>, zone: Option<&str>) -> Moment {
        let stated = PartialDateTime {
            year: Some(year),
            month: Some(month),
            day: Some(day),
            hour,
            minute: hour.map(|_| 30),
            ..PartialDateTime::default()
        };
        Moment::of(&stated, zone).unwrap()
    }

    #[test]
    fn a_period_says_once_what_both_ends_share() {
        let berlin = Some("W. Europe Standard Time");
        let start = moment(2026, 3, 2, Some(9), berlin);
        assert_eq!(start.to_string(), "2026-03-02 09:30 (Europe/Berlin)");
        let cases = [
            (moment(2026, 3, 2, Some(10), berlin), "2026-03-02 09:30 to 10:30 (Europe/Berlin)"),
            (moment(2026, 3, 3, Some(10), berlin), "2026-03-02 09:30 to 2026-03-03 10:30 (Europe/Berlin)"),
            (start.clone(), "2026-03-02 09:30 (Europe/Berlin)"),
            (
                moment(2026, 3, 2, Some(12), Some("America/New_York")),
                "2026-03-02 09:30 (Europe/Berlin) to 2026-03-02 12:30 (America/New_York)",
            ),
        ];
        for (end, expected) in cases {
            assert_eq!(period(&start, Some(&end)), expected);
        }
        let first = moment(2026, 3, 2, None, None);
        assert_eq!(period(&first, Some(&moment(2026, 3, 3, None, None))), "2026-03-02");
        assert_eq!(period(&first, Some(&moment(2026, 3, 5, None, None))), "2026-03-02 to 2026-03-04");
        assert_eq!(period(&first, None), "2026-03-02");
    }

    #[test]
    fn zones_are_told_by_every_name_they_have() {
        for (zone, expected) in [
            ("/softwarestudio.org/Olson_20011030_5/America/Chicago", " (America/Chicago)"),
            ("UTC", " UTC"),
            ("Kitchen clock", " (Kitchen clock)"),
            ("", ""),
        ] {
            assert_eq!(
                moment(2026, 7, 2, Some(9), Some(zone)).to_string(),
                format!("2026-07-02 09:30{expected}"),
                "{zone}"
            );
        }
    }

    #[test]
    fn metadata_has_the_offset_where_the_zone_is_known() {
        assert_eq!(moment(2026, 7, 2, Some(9), Some("Europe/Berlin")).rfc3339(), "2026-07-02T09:30:00+02:00");
        assert_eq!(moment(2026, 7, 2, Some(9), Some("Kitchen")).rfc3339(), "2026-07-02T09:30:00");
        assert_eq!(moment(2026, 7, 2, None, None).rfc3339(), "2026-07-02");
        let told = Moment::of_unix(1_774_946_700, Some("W. Europe Standard Time")).unwrap();
        assert_eq!(told.to_string(), "2026-03-31 10:45 (Europe/Berlin)");
        assert_eq!(Moment::of_unix(1_774_946_700, Some("Nowhere")).unwrap().rfc3339(), "2026-03-31T08:45:00Z");
        assert_eq!(Moment::of_unix(i64::MAX, None), None);
    }
}
