//! Which backups are kept: `7d4w6m`, the newest of each of the last seven days, four weeks and six months that have any.
//!
//! Periods that have no backup do not count, so that a machine that was off for a month loses nothing by that. The newest
//! backup is always kept. Days, weeks (from Monday) and months are those of UTC.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use super::moment::day_of;

/// How many backups are kept, by period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    days: u32,
    weeks: u32,
    months: u32,
}

/// Why a text says nothing of what to keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} does not say what to keep; expected numbers of days, weeks and months, such as 7d4w6m")]
pub struct KeepError {
    text: String,
}

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let refused = || KeepError { text: text.chars().take(100).collect() };
        let mut keep = Self { days: 0, weeks: 0, months: 0 };
        let mut rest = text.trim();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
            let number: u32 = rest[..digits].parse().map_err(|_| refused())?;
            let period = match rest.as_bytes()[digits] {
                b'd' => &mut keep.days,
                b'w' => &mut keep.weeks,
                b'm' => &mut keep.months,
                _ => return Err(refused()),
            };
            if *period != 0 || number == 0 {
                return Err(refused());
            }
            *period = number;
            rest = &rest[digits + 1..];
        }
        if keep == (Self { days: 0, weeks: 0, months: 0 }) { Err(refused()) } else { Ok(keep) }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let periods = [(self.days, 'd'), (self.weeks, 'w'), (self.months, 'm')];
        periods.iter().filter(|(number, _)| *number > 0).try_for_each(|(number, period)| write!(f, "{number}{period}"))
    }
}

impl Keep {
    /// For each backup whether it is kept. `times` are seconds of Unix time, the newest first.
    pub(super) fn kept(&self, times: &[i64]) -> Vec<bool> {
        let mut kept: Vec<bool> = times.iter().map(|_| false).collect();
        let week = |day: Date| {
            let week = day.iso_week_date();
            (week.year(), week.week())
        };
        mark(&mut kept, times, self.days, |day| (day.year(), day.day_of_year()));
        mark(&mut kept, times, self.weeks, |day| (week(day).0, i16::from(week(day).1)));
        mark(&mut kept, times, self.months, |day| (day.year(), i16::from(day.month())));
        if let Some(newest) = kept.first_mut() {
            *newest = true;
        }
        kept
    }
}

/// Marks the newest backup of each of the last `number` periods that have one.
fn mark(kept: &mut [bool], times: &[i64], number: u32, period: impl Fn(Date) -> (i16, i16)) {
    let mut seen = BTreeSet::new();
    for (kept, time) in kept.iter_mut().zip(times) {
        if seen.len() as u64 >= u64::from(number) {
            return;
        }
        *kept |= seen.insert(period(day_of(*time)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 24 * 3600;
    /// Noon of Monday, 2026-11-30.
    const NOON: i64 = 1_796_040_000;

    fn keep(text: &str) -> Keep {
        text.parse().unwrap()
    }

    /// Days before the 30th of November whose backups are kept, of one at noon of each of the last `days` days.
    fn kept(text: &str, days: i64) -> Vec<i64> {
        let times: Vec<i64> = (0..days).map(|day| NOON - day * DAY).collect();
        let kept = keep(text).kept(&times);
        (0..).zip(kept).filter_map(|(day, kept)| kept.then_some(day)).collect()
    }

    #[test]
    fn what_is_written_is_what_is_kept() {
        assert_eq!(keep("7d4w6m"), Keep { days: 7, weeks: 4, months: 6 });
        assert_eq!(keep("6m7d"), Keep { days: 7, weeks: 0, months: 6 });
        assert_eq!(keep("6m7d").to_string(), "7d6m");
        for text in ["", "7", "d", "7x", "0d", "7d7d", "-1d", "99999999999d", "7 d"] {
            let told = text.parse::<Keep>().unwrap_err().to_string();
            assert!(told.contains("7d4w6m"), "{told}");
        }
    }

    #[test]
    fn the_newest_of_each_period_is_kept() {
        assert_eq!(kept("3d", 10), [0, 1, 2]);
        // The 30th is a Monday: the week before ends with the 29th, the one before that with the 22nd.
        assert_eq!(kept("3w", 40), [0, 1, 8]);
        // November, October, September.
        assert_eq!(kept("3m", 100), [0, 30, 61]);
        assert_eq!(kept("2d2w2m", 100), [0, 1, 30]);
        // Several of a day: the last of it.
        let times = [NOON + 3600, NOON, NOON - DAY, NOON - DAY - 60];
        assert_eq!(keep("2d").kept(&times), [true, false, true, false]);
    }

    #[test]
    fn periods_without_a_backup_do_not_count_and_the_newest_stays() {
        let times = [NOON, NOON - 90 * DAY, NOON - 91 * DAY, NOON - 400 * DAY];
        assert_eq!(keep("3d").kept(&times), [true, true, true, false]);
        assert_eq!(keep("1m").kept(&times), [true, false, false, false]);
        // The first days of January may belong to a week of the year before.
        let new_year = 1_798_761_600 + DAY; // 2027-01-02, a Saturday
        assert_eq!(keep("1w").kept(&[new_year, new_year - 3 * DAY]), [true, false]);
    }

    proptest! {
        #[test]
        fn no_more_than_asked_for_and_never_nothing(
            days in 1u32..9, weeks in 1u32..9, months in 1u32..9,
            mut times in proptest::collection::vec(0i64..4_000_000_000, 1..60),
        ) {
            times.sort_unstable_by(|a, b| b.cmp(a));
            let kept = Keep { days, weeks, months }.kept(&times);
            prop_assert!(kept[0]);
            let count = kept.iter().filter(|kept| **kept).count() as u32;
            prop_assert!(count <= days + weeks + months);
        }
    }
}
