//! Dates: when a document was last changed, by what it says of itself, and only without that by its file.
//!
//! The time of a file is often that of a checkout, a copy or a backup. Change detection goes by it all the same: the ledger has
//! a time of its own. What a document says is believed if it can be read without guessing (`03/04/2024` cannot) and lies
//! between 1900 and now; zeros of programs (1970, 1980) are no dates.

use std::collections::BTreeMap;
use std::fmt;

use extract::{Format, Icon};
use jiff::civil::{Date, DateTime};
use jiff::fmt::{rfc2822, temporal};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Where a date comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DateOrigin {
    /// The header of a mail.
    Mail,
    /// Lines at the head of a text: front matter, attributes, a title page.
    FrontMatter,
    /// The properties of a document: PDF, Office, HTML.
    Document,
    /// The commit that a file of a git checkout comes from.
    Git,
    /// The file's last change.
    #[default]
    File,
    /// What the program that pushed the document gave, or the time of the push.
    Pushed,
}

impl fmt::Display for DateOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mail => "mail",
            Self::FrontMatter => "front-matter",
            Self::Document => "document",
            Self::Git => "git",
            Self::File => "file",
            Self::Pushed => "pushed",
        })
    }
}

/// When something was last changed, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Of Unix time.
    pub(crate) second: i64,
    pub(crate) origin: DateOrigin,
}

/// Metadata that holds dates: that of the last change first.
const KEYS: &[&str] = &[
    "updated",
    "last_updated",
    "last-updated",
    "lastupdated",
    "last_modified",
    "last-modified",
    "lastmod",
    "modified",
    "date_modified",
    "date-modified",
    "revised",
    "date",
    "published",
    "publish_date",
    "publishdate",
    "pubdate",
    "created",
    "date_created",
    "creation-date",
];

/// Formats whose metadata is written by programs; that of other texts stands at their head.
const PROPERTIES: &[Icon] = &[Icon::Web, Icon::Pdf, Icon::Table, Icon::Slides];
const OFFICE: &[&str] = &["docx", "doc", "odt", "rtf"];

/// The last change that a document of this kind states of itself.
pub(crate) fn stated(metadata: &BTreeMap<String, String>, kind: &str) -> Option<Changed> {
    let second = KEYS.iter().find_map(|key| second(metadata.get(*key)?, Timestamp::now()))?;
    let icon = Format::named(kind).map(|format| format.icon);
    let origin = match icon {
        Some(Icon::Mail) => DateOrigin::Mail,
        Some(icon) if PROPERTIES.contains(&icon) || OFFICE.contains(&kind) => DateOrigin::Document,
        _ => DateOrigin::FrontMatter,
    };
    Some(Changed { second, origin })
}

/// A second that a repository gives, if it may be one.
pub(crate) fn committed(second: i64) -> Option<Changed> {
    plausible(second, Timestamp::now()).map(|second| Changed { second, origin: DateOrigin::Git })
}

/// The second that a date stands for; the first one of a day, month or year, in UTC where no zone is given.
fn second(text: &str, now: Timestamp) -> Option<i64> {
    plausible(moment(text.trim())?.as_second(), now)
}

fn plausible(second: i64, now: Timestamp) -> Option<i64> {
    let earliest = Date::constant(1900, 1, 2).to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    // Clocks and zones differ.
    let latest = now.checked_add(48.hours()).ok()?.as_second();
    let is_zero = |year: i16| day(year, 1, 1).is_some_and(|zero| zero.as_second() == second);
    ((earliest..=latest).contains(&second) && !is_zero(1970) && !is_zero(1980)).then_some(second)
}

fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(time) = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text) {
        return Some(time);
    }
    // `2024-05-01 10:30`, `2024-05-01T10:30:00`; what stands behind the time of day is no zone that could be read.
    let head: String = text.chars().take_while(|c| c.is_ascii_digit() || "-:T .".contains(*c)).collect();
    let head = head.trim_end_matches(['T', ' ', '.', ':', '-']);
    if let Ok(time) = temporal::DateTimeParser::new().parse_datetime(head.trim()) {
        return utc(time);
    }
    written(text)
}

fn utc(time: DateTime) -> Option<Timestamp> {
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn day(year: i16, month: i8, day: i8) -> Option<Timestamp> {
    utc(Date::new(year, month, day).ok()?.at(0, 0, 0, 0))
}

/// A date as people write it: `2024`, `2024-05`, `2024/5/1`, `1.5.2024`, `May 1, 2024`, `1 May 2024`, `2024年5月1日`.
fn written(text: &str) -> Option<Timestamp> {
    let mut numbers: Vec<(&str, i16)> = Vec::new();
    let mut month = None;
    let is_split = |c: char| !c.is_alphanumeric() || "年月日".contains(c);
    for word in text.split(is_split).filter(|word| !word.is_empty()) {
        if let Some(named) = month_named(word) {
            if month.replace(named).is_some() {
                return None;
            }
            continue;
        }
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        // `1st`, `2nd`; a weekday has no digits.
        if digits.is_empty()
            && word.chars().all(char::is_alphabetic)
            && numbers.len() + usize::from(month.is_some()) < 3
        {
            continue;
        }
        if word.len() - digits.len() > 2 {
            break;
        }
        numbers.push((digits, digits.parse().ok()?));
        if numbers.len() + usize::from(month.is_some()) == 3 {
            break;
        }
    }
    let is_year = |(digits, _): &(&str, i16)| digits.len() == 4;
    let small = |number: i16| i8::try_from(number).ok();
    match (month, numbers.as_slice()) {
        (Some(month), [one, year]) if is_year(year) => day(year.1, month, small(one.1)?),
        (Some(month), [year, one]) if is_year(year) => day(year.1, month, small(one.1)?),
        (Some(month), [year]) if is_year(year) => day(year.1, month, 1),
        (None, [year]) if is_year(year) && text.len() == 4 => day(year.1, 1, 1),
        (None, [year, month]) if is_year(year) => day(year.1, small(month.1)?, 1),
        (None, [year, month, one]) if is_year(year) => day(year.1, small(month.1)?, small(one.1)?),
        (None, [first, second, year]) if is_year(year) => {
            let (first, second) = (small(first.1)?, small(second.1)?);
            match (text.contains('.'), first > 12, second > 12) {
                // With dots the day stands first everywhere.
                (true, ..) | (_, true, false) => day(year.1, second, first),
                (_, false, true) => day(year.1, first, second),
                _ if first == second => day(year.1, first, second),
                _ => None,
            }
        }
        _ => None,
    }
}

fn month_named(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.to_lowercase();
    let is_short = word.len() == 3 || word == "sept";
    let place = MONTHS.iter().position(|month| *month == word || (is_short && month.starts_with(&word)))?;
    i8::try_from(place + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        second(text, now).map(|second| Timestamp::from_second(second).unwrap().to_string())
    }

    #[test]
    fn dates_are_read_as_programs_and_people_write_them() {
        for (text, expected) in [
            ("2024-05-03T10:20:30+02:00", "2024-05-03T08:20:30Z"),
            ("2024-05-03T10:20:30Z", "2024-05-03T10:20:30Z"),
            ("Fri, 3 May 2024 10:20:30 +0200", "2024-05-03T08:20:30Z"),
            ("2024-05-03 10:20", "2024-05-03T10:20:00Z"),
            ("2024-05-03T10:20:30.123", "2024-05-03T10:20:30Z"),
            ("2024-05-03", "2024-05-03T00:00:00Z"),
            ("2024-05", "2024-05-01T00:00:00Z"),
            ("2024", "2024-01-01T00:00:00Z"),
            ("2024/5/3", "2024-05-03T00:00:00Z"),
            ("3.5.2024", "2024-05-03T00:00:00Z"),
            ("25/12/2023", "2023-12-25T00:00:00Z"),
            ("12/25/2023", "2023-12-25T00:00:00Z"),
            ("May 3, 2024", "2024-05-03T00:00:00Z"),
            ("3rd of September 2024", "2024-09-03T00:00:00Z"),
            ("Sept. 2024", "2024-09-01T00:00:00Z"),
            ("Friday, 3 May 2024", "2024-05-03T00:00:00Z"),
            ("2024年5月3日", "2024-05-03T00:00:00Z"),
            ("1954-02-01", "1954-02-01T00:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "soon",
            "03/04/2024",
            "2090-01-01",
            "0001-01-01",
            "1970-01-01",
            "1980-01-01T00:00:00Z",
            "\\today",
            "3",
            "version 2.1",
            "2024-13-01",
            "31 February 2024",
            "1.2.3",
            "May",
            "20240",
            "9999999999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_change_goes_before_the_first_day_and_the_kind_tells_the_origin() {
        let facts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
        };
        let both = facts(&[("date", "2020-01-02"), ("updated", "2024-05-03"), ("author", "2021")]);
        let second = day(2024, 5, 3).unwrap().as_second();
        assert_eq!(stated(&both, "markdown"), Some(Changed { second, origin: DateOrigin::FrontMatter }));
        assert_eq!(stated(&both, "pdf"), Some(Changed { second, origin: DateOrigin::Document }));
        assert_eq!(stated(&both, "docx"), Some(Changed { second, origin: DateOrigin::Document }));
        assert_eq!(stated(&both, "eml"), Some(Changed { second, origin: DateOrigin::Mail }));
        let unclear = facts(&[("date", "2020-01-02"), ("updated", "03/04/2024")]);
        assert_eq!(
            stated(&unclear, "markdown").map(|changed| changed.second),
            day(2020, 1, 2).map(Timestamp::as_second)
        );
        assert_eq!(stated(&facts(&[("author", "Ana")]), "html"), None);
    }
}
