//! The fields of the query language and the values they take.

use formats::{Family, Format};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use storage::Filter;

use crate::slips;

/// A field that restricts the documents of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Source,
    Path,
    Type,
    Lang,
    After,
    Before,
}

/// What one value of a field asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Source(String),
    Path(String),
    Kind(String),
    Language(String),
    After(i64),
    Before(i64),
}

/// Names people use for languages beside their ISO 639-1 codes.
const LANGUAGES: [(&str, &str); 20] = [
    ("arabic", "ar"),
    ("chinese", "zh"),
    ("cn", "zh"),
    ("deutsch", "de"),
    ("dutch", "nl"),
    ("english", "en"),
    ("french", "fr"),
    ("german", "de"),
    ("hindi", "hi"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("jp", "ja"),
    ("korean", "ko"),
    ("portuguese", "pt"),
    ("russian", "ru"),
    ("spanish", "es"),
    ("thai", "th"),
    ("turkish", "tr"),
    ("vietnamese", "vi"),
    ("中文", "zh"),
];

/// What stands between or behind values without belonging to them.
const SEPARATORS: [char; 8] = [',', ';', '，', '；', '、', '。', '.', '|'];

impl Field {
    const ALL: [Self; 6] = [Self::Source, Self::Path, Self::Type, Self::Lang, Self::After, Self::Before];

    /// The name in a query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Path => "path",
            Self::Type => "type",
            Self::Lang => "lang",
            Self::After => "after",
            Self::Before => "before",
        }
    }

    /// The field a word begins with, and the length of its name and colon. `Type::Name` and `source://..` have none.
    pub(super) fn split(word: &str) -> Option<(Self, usize)> {
        let (name, value) = split_colon(word)?;
        let field = Self::ALL.into_iter().find(|field| name.eq_ignore_ascii_case(field.name()))?;
        Some((field, word.len() - value.len()))
    }

    /// The field that the beginning of a word seems to have been meant for: one letter is wrong, missing, too much, or
    /// two are swapped.
    pub(super) fn near_miss(word: &str) -> Option<Self> {
        let (name, value) = split_colon(word)?;
        if value.is_empty() || name.len() > 8 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let name: Vec<char> = name.to_ascii_lowercase().chars().collect();
        let letters = |field: &Self| field.name().chars().collect::<Vec<char>>();
        Self::ALL.into_iter().find(|field| slips::between(&name, &letters(field), 1) == Some(1))
    }

    /// Reads the field's value, which can be several for `type:` and `lang:`. The error says what was expected.
    pub(super) fn read(self, value: &str) -> Result<Vec<Value>, String> {
        let trimmed = value.trim();
        if trimmed.is_empty() {
            return Err(format!("{}: has no value", self.name()));
        }
        match self {
            Self::Source => Ok(vec![Value::Source(trimmed.to_owned())]),
            Self::Path => Ok(vec![Value::Path(trimmed.to_owned())]),
            Self::Type => several(trimmed, self, |name| kind(name).map(Value::Kind)),
            Self::Lang => several(trimmed, self, |name| language(name).map(Value::Language)),
            Self::After => Ok(vec![Value::After(first_second(trimmed)?)]),
            Self::Before => Ok(vec![Value::Before(first_second(trimmed)?)]),
        }
    }
}

impl Value {
    /// Adds the value to the filter: alternatives are collected, of several dates the narrowest counts.
    pub(super) fn restrict(self, filter: &mut Filter) {
        match self {
            Self::Source(name) => add(&mut filter.sources, name),
            Self::Path(part) => add(&mut filter.paths, part),
            Self::Kind(kind) => add(&mut filter.kinds, kind),
            Self::Language(code) => add(&mut filter.languages, code),
            Self::After(second) => filter.after = Some(filter.after.map_or(second, |old| old.max(second))),
            Self::Before(second) => filter.before = Some(filter.before.map_or(second, |old| old.min(second))),
        }
    }
}

fn add(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// Name and value around the first colon, unless the colon belongs to a URL or to a `::` path.
fn split_colon(word: &str) -> Option<(&str, &str)> {
    let colon = word.find([':', '：'])?;
    let value = word[colon..].strip_prefix([':', '：'])?;
    if value.starts_with([':', '：']) || value.starts_with("//") {
        return None;
    }
    Some((&word[..colon], value))
}

fn several(value: &str, field: Field, read: impl Fn(&str) -> Result<Value, String>) -> Result<Vec<Value>, String> {
    let separators = SEPARATORS.iter().filter(|separator| **separator != '.').copied().collect::<Vec<_>>();
    let values = value
        .split(separators.as_slice())
        .map(|name| name.trim().trim_matches('.'))
        .filter(|name| !name.is_empty())
        .map(|name| read(&name.to_lowercase()))
        .collect::<Result<Vec<_>, _>>()?;
    if values.is_empty() { Err(format!("{}: has no value", field.name())) } else { Ok(values) }
}

/// The kind of documents that a word asks for: the name of a format, a file ending or another name that people use.
///
/// # Errors
/// What was expected instead, in words.
pub(crate) fn kind(word: &str) -> Result<String, String> {
    let known = || Format::all().iter().filter(|format| format.family != Family::Binary).map(|format| format.name);
    let expected = || format!("expected a type of documents: {}", known().collect::<Vec<_>>().join(", "));
    Format::meant_by(word).map(|format| format.name.to_owned()).ok_or_else(expected)
}

fn language(name: &str) -> Result<String, String> {
    let code = name.split(['-', '_']).next().unwrap_or(name);
    let code = LANGUAGES.iter().find(|(name, _)| *name == code).map_or(code, |(_, code)| code);
    if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(code.to_owned());
    }
    Err("expected a language code of two letters, such as en or zh".to_owned())
}

/// The Unix time at which the year, month or day begins in UTC, from `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
///
/// # Errors
/// What was expected instead, in words.
pub fn first_second(value: &str) -> Result<i64, String> {
    let expected = || "expected a date as YYYY, YYYY-MM or YYYY-MM-DD".to_owned();
    let value = value.trim_end_matches(SEPARATORS);
    let parts: Vec<&str> = value.split('-').collect();
    let number = |index: usize, digits: usize| match parts.get(index) {
        None => Some(1),
        Some(part) if part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()) => part.parse().ok(),
        Some(_) => None,
    };
    let (Some(year), Some(month), Some(day), true) = (number(0, 4), number(1, 2), number(2, 2), parts.len() <= 3)
    else {
        return Err(expected());
    };
    let month = i8::try_from(month).map_err(|_| expected())?;
    let day = i8::try_from(day).map_err(|_| expected())?;
    let date = Date::new(year, month, day).map_err(|_| format!("there is no such date; {}", expected()))?;
    let midnight = date.to_zoned(TimeZone::UTC).map_err(|_| expected())?;
    Ok(midnight.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_first_second_in_utc() {
        assert_eq!(first_second("1970"), Ok(0));
        assert_eq!(first_second("2024-06"), Ok(1_717_200_000));
        assert_eq!(first_second("2024-06-15"), Ok(1_718_409_600));
        assert_eq!(first_second("2024-06-15,"), Ok(1_718_409_600));
        for bad in
            ["24", "2024-6", "2024-13", "2023-02-29", "2024-06-15-1", "20 24", "-2024", "２０２４", "yesterday", "+024"]
        {
            assert!(first_second(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn slips_are_single() {
        for slip in ["tpye", "typ", "types", "typo", "ype"] {
            assert_eq!(Field::near_miss(&format!("{slip}:x")), Some(Field::Type), "{slip}");
        }
        assert_eq!(Field::near_miss("soruce:x"), Some(Field::Source));
        for other in ["type", "foo:bar", "tpye::x", "tp:x", "10:30", "http://x", "tpye:", "format:x"] {
            assert_eq!(Field::near_miss(other), None, "{other}");
        }
    }

    #[test]
    fn kinds_and_languages_have_aliases() {
        let kinds = Field::Type.read("MD, .rs,，plain.").unwrap();
        assert_eq!(kinds, ["markdown", "rust", "text"].map(|kind| Value::Kind(kind.to_owned())));
        for (word, kind) in [("rst", "rst"), ("adoc", "asciidoc"), ("doc", "doc"), ("msg", "msg"), ("C++", "cpp")] {
            assert_eq!(Field::Type.read(word), Ok(vec![Value::Kind(kind.to_owned())]), "{word}");
        }
        let unknown = Field::Type.read("md,klingon").unwrap_err();
        assert!(unknown.starts_with("expected a type of documents: text, markdown, html, rst"), "{unknown}");
        let codes = Field::Lang.read("zh-CN,English,de").unwrap();
        assert_eq!(codes, ["zh", "en", "de"].map(|code| Value::Language(code.to_owned())));
        assert!(Field::Lang.read("klingon").is_err());
        assert!(Field::Type.read(",").is_err());
    }
}
