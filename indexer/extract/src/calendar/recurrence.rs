//! The rule by which an event repeats (RFC 5545, 3.3.10), in words. Rules that take more than a sentence (every last
//! workday of a quarter) are told by how often alone: half a rule in words would be a wrong one.

use calcard::icalendar::{ICalendarDay, ICalendarFrequency, ICalendarMonth, ICalendarRecurrenceRule, ICalendarWeekday};

use super::time::Moment;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A rule in words: `every 2 weeks on Monday and Thursday until 2026-06-30`.
pub(super) fn in_words(rule: &ICalendarRecurrenceRule) -> String {
    let mut words = often(rule);
    if let Some(days) = days(rule) {
        words.push_str(&days);
    }
    if let Some(until) = rule.until.as_ref().and_then(|until| Moment::of(until, None)) {
        words.push_str(&format!(" until {}", until.day()));
    } else if let Some(count) = rule.count {
        words.push_str(&format!(", {count} times"));
    }
    words
}

fn often(rule: &ICalendarRecurrenceRule) -> String {
    let unit = match rule.freq {
        ICalendarFrequency::Yearly => "year",
        ICalendarFrequency::Monthly => "month",
        ICalendarFrequency::Weekly => "week",
        ICalendarFrequency::Daily => "day",
        ICalendarFrequency::Hourly => "hour",
        ICalendarFrequency::Minutely => "minute",
        ICalendarFrequency::Secondly => "second",
    };
    match rule.interval {
        Some(interval) if interval > 1 => format!("every {interval} {unit}s"),
        _ => format!("every {unit}"),
    }
}

/// On which days, if that can be said in a few words.
fn days(rule: &ICalendarRecurrenceRule) -> Option<String> {
    let has_more = !(rule.bysecond.is_empty()
        && rule.byminute.is_empty()
        && rule.byhour.is_empty()
        && rule.byyearday.is_empty()
        && rule.byweekno.is_empty()
        && rule.bysetpos.is_empty());
    if has_more {
        return None;
    }
    let months = (!rule.bymonth.is_empty()).then(|| rule.bymonth.iter().map(month).collect::<Option<Vec<_>>>());
    let months = match months {
        Some(months) => Some(listed(&months?)),
        None => None,
    };
    let days = match (rule.byday.as_slice(), rule.bymonthday.as_slice()) {
        ([], []) => None,
        (days, []) => Some(listed(&days.iter().map(weekday).collect::<Option<Vec<_>>>()?)),
        ([], days) => Some(format!("the {}", listed(&days.iter().map(day_of_month).collect::<Vec<_>>()))),
        _ => return None,
    };
    match (days, months) {
        (Some(days), Some(months)) => Some(format!(" on {days} of {months}")),
        (Some(days), None) => Some(format!(" on {days}")),
        (None, Some(months)) => Some(format!(" in {months}")),
        (None, None) => None,
    }
}

fn month(month: &ICalendarMonth) -> Option<String> {
    let number = usize::from(month.month());
    MONTHS.get(number.checked_sub(1)?).map(|name| (*name).to_owned()).filter(|_| !month.is_leap())
}

fn weekday(day: &ICalendarDay) -> Option<String> {
    let name = match day.weekday {
        ICalendarWeekday::Monday => "Monday",
        ICalendarWeekday::Tuesday => "Tuesday",
        ICalendarWeekday::Wednesday => "Wednesday",
        ICalendarWeekday::Thursday => "Thursday",
        ICalendarWeekday::Friday => "Friday",
        ICalendarWeekday::Saturday => "Saturday",
        ICalendarWeekday::Sunday => "Sunday",
    };
    match day.ordwk {
        None | Some(0) => Some(name.to_owned()),
        Some(1) => Some(format!("the first {name}")),
        Some(2) => Some(format!("the second {name}")),
        Some(3) => Some(format!("the third {name}")),
        Some(4) => Some(format!("the fourth {name}")),
        Some(5) => Some(format!("the fifth {name}")),
        Some(-1) => Some(format!("the last {name}")),
        Some(_) => None,
    }
}

fn day_of_month(day: &i8) -> String {
    match day {
        -1 => "last day".to_owned(),
        day if *day < 0 => format!("{} day before the last", ordinal(-i16::from(*day) - 1)),
        day => ordinal(i16::from(*day)),
    }
}

fn ordinal(number: i16) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `a, b and c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use calcard::icalendar::{ICalendar, ICalendarProperty, ICalendarValue};

    use super::*;

    fn words(rule: &str) -> String {
        let source = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nRRULE:{rule}\nEND:VEVENT\nEND:VCALENDAR\n");
        let calendar = ICalendar::parse(source).unwrap();
        match &calendar.components[1].property(&ICalendarProperty::Rrule).unwrap().values[0] {
            ICalendarValue::RecurrenceRule(rule) => in_words(rule),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn simple_rules_are_sentences() {
        for (rule, expected) in [
            ("FREQ=DAILY", "every day"),
            (
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20260630T220000Z",
                "every 2 weeks on Monday and Thursday until 2026-06-30",
            ),
            ("FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=10", "every week on Monday, Wednesday and Friday, 10 times"),
            ("FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the 1st and 15th"),
            ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
            ("FREQ=MONTHLY;BYDAY=2TU", "every month on the second Tuesday"),
            ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
            ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=22", "every year on the 22nd of March"),
            ("FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "every year on the last Sunday of October"),
        ] {
            assert_eq!(words(rule), expected, "{rule}");
        }
    }

    #[test]
    fn long_rules_say_only_how_often() {
        for rule in ["FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"] {
            assert_eq!(words(rule), "every month", "{rule}");
        }
    }
}
