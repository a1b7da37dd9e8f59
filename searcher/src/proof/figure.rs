//! Figures: the numbers, amounts, times and dates of a text, and whether a sentence names one that its evidence does not.
//!
//! A figure is a number, with the unit behind or the currency before it, and whether it bounds something from below or above.
//! `1.200` may be a thousand or one: both readings are kept. Numbers in words are read in English, German and Chinese.

use std::collections::BTreeSet;

/// A number in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figure {
    /// As it stands there.
    text: String,
    /// What it may mean, in plain decimal form.
    values: BTreeSet<String>,
    unit: Option<&'static str>,
    /// Whether it counts something that is no unit.
    counts: bool,
    bound: Option<Bound>,
}

/// What a number bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// At least, more than.
    Below,
    /// At most, less than.
    Above,
}

/// Units by their names.
const UNITS: &[(&str, &[&str])] = &[
    ("day", &["day", "days", "tag", "tage", "tagen", "天", "日"]),
    ("week", &["week", "weeks", "woche", "wochen", "周", "星期"]),
    ("month", &["month", "months", "monat", "monate", "monaten", "个月", "月"]),
    ("year", &["year", "years", "jahr", "jahre", "jahren", "年"]),
    ("hour", &["hour", "hours", "h", "stunde", "stunden", "小时"]),
    ("minute", &["minute", "minutes", "min", "minuten", "分钟"]),
    ("second", &["second", "seconds", "s", "sekunde", "sekunden", "秒"]),
    ("percent", &["%", "percent", "prozent", "％"]),
    ("euro", &["€", "eur", "euro", "euros", "欧元"]),
    ("dollar", &["$", "usd", "dollar", "dollars", "美元"]),
    ("pound", &["£", "gbp", "pound", "pounds", "英镑"]),
    ("yuan", &["¥", "cny", "rmb", "yuan", "元"]),
    ("kilometre", &["km", "kilometre", "kilometres", "kilometer", "kilometers", "公里"]),
    ("metre", &["m", "metre", "metres", "meter", "meters", "米"]),
    ("kilogram", &["kg", "kilogram", "kilograms", "公斤"]),
    ("gram", &["g", "gram", "grams", "克"]),
    ("gigabyte", &["gb", "gigabyte", "gigabytes"]),
    ("megabyte", &["mb", "megabyte", "megabytes"]),
    ("thousand", &["thousand", "tausend", "k"]),
    ("million", &["million", "millions", "millionen", "m"]),
];

/// Words for numbers. What stands for something else as often ("one", "ein") is not among them, unless a unit follows.
const WORDS: &[(&str, u32)] = &[
    ("zero", 0),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("zwei", 2),
    ("drei", 3),
    ("vier", 4),
    ("fünf", 5),
    ("sechs", 6),
    ("sieben", 7),
    ("acht", 8),
    ("neun", 9),
    ("zehn", 10),
    ("elf", 11),
    ("zwölf", 12),
    ("zwanzig", 20),
    ("dreißig", 30),
    ("vierzig", 40),
    ("fünfzig", 50),
    ("sechzig", 60),
    ("siebzig", 70),
    ("achtzig", 80),
    ("neunzig", 90),
];
const ONE: &[&str] = &["one", "ein", "eine", "einen", "einem", "einer"];

const FROM_BELOW: &[&str] = &[
    "at least",
    "no less than",
    "no fewer than",
    "not less than",
    "minimum of",
    "more than",
    "over",
    "above",
    "exceeding",
    "mindestens",
    "mehr als",
    "über",
    "至少",
    "不少于",
    "超过",
    "多于",
    "高于",
];
const FROM_ABOVE: &[&str] = &[
    "at most",
    "up to",
    "no more than",
    "not more than",
    "maximum of",
    "less than",
    "fewer than",
    "under",
    "below",
    "within",
    "höchstens",
    "bis zu",
    "maximal",
    "weniger als",
    "unter",
    "至多",
    "最多",
    "不超过",
    "少于",
    "低于",
    "不到",
];
const CHINESE_DIGITS: &str = "零一二三四五六七八九";

/// The first figure of a sentence that neither its evidence nor the question has.
pub(super) fn missing(sentence: &str, evidence: &str, question: &str) -> Option<String> {
    let (said, known, asked) = (figures(sentence), figures(evidence), figures(question));
    let is_known = |figure: &Figure| known.iter().any(|other| figure.is_that(other));
    // What the question says already claims nothing, unless the evidence says otherwise of the same unit.
    let is_asked = |figure: &Figure| figure.unit.is_none() && asked.iter().any(|other| figure.is_that(other));
    said.into_iter().find(|figure| !is_known(figure) && !is_asked(figure)).map(|figure| figure.text)
}

/// The years that a text names.
pub(super) fn years(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let is_year = |word: &&str| word.len() == 4 && word.parse().is_ok_and(|year: u32| (1900..2100).contains(&year));
    words.filter(is_year).collect::<Vec<_>>().join(" ")
}

/// Whether a word in small letters is a unit: those are compared as what they mean.
pub(super) fn is_unit(word: &str) -> bool {
    UNITS.iter().any(|(_, names)| names.contains(&word))
}

impl Figure {
    fn is_that(&self, other: &Self) -> bool {
        let is_unit = match (self.unit, other.unit) {
            (Some(own), Some(other)) => own == other,
            // A number by itself, as in the cell of a table, has its unit elsewhere.
            (Some(_), None) => !other.counts,
            (None, _) => true,
        };
        let is_bound = self.bound.zip(other.bound).is_none_or(|(own, other)| own == other);
        is_unit && is_bound && !self.values.is_disjoint(&other.values)
    }
}

fn figures(text: &str) -> Vec<Figure> {
    let text = text.to_lowercase();
    let mut figures = Vec::new();
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        let read = digits(&text, at).or_else(|| in_words(&text, at)).or_else(|| in_chinese(rest));
        match read {
            Some((length, values)) => {
                let (before, after) = (&text[..at], &text[at + length..]);
                let (unit, bound) = (unit(before, after), bound(before));
                let counts = unit.is_none() && after.trim_start_matches([' ', '-']).starts_with(char::is_alphabetic);
                figures.push(Figure { text: rest[..length].to_owned(), values, unit, counts, bound });
                at += length;
            }
            // A word that is no number is passed over whole, and so is a code such as `BX7700`.
            None if character.is_alphanumeric() && !storage::is_unspaced(character) => {
                let is_word = |c: char| c.is_alphanumeric() && !storage::is_unspaced(c);
                at += rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            }
            None => at += character.len_utf8(),
        }
    }
    figures
}

/// A number in digits, and what it may mean.
fn digits(text: &str, at: usize) -> Option<(usize, BTreeSet<String>)> {
    let rest = &text[at..];
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut length = 0;
    let bytes = rest.as_bytes();
    while length < bytes.len() {
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let joins = matches!(bytes[length], b'.' | b',' | b'\'') && is_digit(length + 1);
        if !is_digit(length) && !joins {
            break;
        }
        length += 1;
    }
    let number = &rest[..length];
    let groups: Vec<&str> = number.split(['.', ',', '\'']).collect();
    // A date or a version: its parts count.
    if groups.len() == 3 && groups[1].len() < 3 {
        let first = groups[0].len();
        return Some((first, BTreeSet::from([plain(groups[0], "")])));
    }
    let (whole, last) = (groups[..groups.len() - 1].concat(), groups[groups.len() - 1]);
    let mut values = BTreeSet::new();
    if groups.len() == 1 {
        values.insert(plain(number, ""));
    } else {
        if last.len() == 3 {
            values.insert(plain(&format!("{whole}{last}"), ""));
        }
        if groups.len() == 2 || last.len() != 3 {
            values.insert(plain(&whole, last));
        }
    }
    Some((length, values))
}

/// A number in plain form: no zeros before or behind.
fn plain(whole: &str, decimals: &str) -> String {
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let decimals = decimals.trim_end_matches('0');
    if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") }
}

/// A number in an English or German word.
fn in_words(text: &str, at: usize) -> Option<(usize, BTreeSet<String>)> {
    if text[..at].ends_with(char::is_alphanumeric) {
        return None;
    }
    let rest = &text[at..];
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    if let Some((_, ten)) = WORDS.iter().find(|(name, _)| *name == word) {
        // twenty-seven
        let one = after.strip_prefix(['-', ' ']).and_then(|after| {
            let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let value = WORDS.iter().find(|(name, _)| *name == &after[..end]).map(|(_, value)| *value);
            let value = value.or_else(|| (after[..end] == *"one").then_some(1));
            value.filter(|value| *value < 10).map(|value| (end + 1, value))
        });
        let (more, one) = one.filter(|_| *ten >= 20).unwrap_or((0, 0));
        return Some((end + more, BTreeSet::from([(ten + one).to_string()])));
    }
    let is_one = ONE.contains(&word) && unit("", after).is_some();
    is_one.then(|| (end, BTreeSet::from(["1".to_owned()])))
}

/// A Chinese number below ten thousand that counts something.
fn in_chinese(rest: &str) -> Option<(usize, BTreeSet<String>)> {
    let digit = |c: char| match c {
        '两' => Some(2),
        _ => CHINESE_DIGITS.chars().position(|digit| digit == c),
    };
    let (mut total, mut current, mut length) = (0, None, 0);
    for character in rest.chars() {
        match (digit(character), character) {
            (Some(value), _) => current = Some(value),
            (None, '十') => total += current.take().unwrap_or(1) * 10,
            (None, '百') => total += current.take().unwrap_or(1) * 100,
            (None, '千') => total += current.take().unwrap_or(1) * 1000,
            _ => break,
        }
        length += character.len_utf8();
    }
    // 一 and 十 stand in words, too: only before what is counted are they numbers.
    let after = &rest[length..];
    let counts =
        unit("", after).is_some() || after.starts_with(['个', '名', '次', '位', '条', '台', '万', '倍', '级', '层']);
    (length > 0 && counts).then(|| (length, BTreeSet::from([(total + current.unwrap_or(0)).to_string()])))
}

/// The unit behind a number, with at most two words between, or the currency before it.
fn unit(before: &str, after: &str) -> Option<&'static str> {
    let named = |word: &str| UNITS.iter().find(|(_, names)| names.contains(&word)).map(|(unit, _)| *unit);
    let trimmed = after.trim_start_matches([' ', '-', '\u{a0}', '\u{202f}']);
    let begins = trimmed.chars().next();
    // Signs, and words of scripts without spaces, need nothing behind them.
    let is_sign = |name: &&&str| !name.chars().all(|c| c.is_alphabetic() && !storage::is_unspaced(c));
    let stands = |(_, names): &&(&str, &[&str])| names.iter().filter(is_sign).any(|name| trimmed.starts_with(name));
    if let Some((unit, _)) = UNITS.iter().find(stands) {
        return Some(unit);
    }
    let mut words = trimmed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let adjacent = after.len() - trimmed.len() <= 2 && begins.is_some_and(char::is_alphanumeric);
    let behind = adjacent.then(|| words.by_ref().take(3).find_map(named)).flatten();
    let sign = before.trim_end().chars().next_back().and_then(|sign| named(&sign.to_string()));
    let word = before.trim_end().rsplit(|c: char| !c.is_alphanumeric()).next().and_then(named);
    let currency = word.filter(|unit| ["euro", "dollar", "pound", "yuan"].contains(unit));
    behind.or(sign).or(currency)
}

/// What a number bounds, by the words before it.
fn bound(before: &str) -> Option<Bound> {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || "€$£¥".contains(c));
    // The longest that fits: "no more than" ends with "more than".
    let longest = |list: &[&str]| list.iter().filter(|words| ends_with(before, words)).map(|words| words.len()).max();
    let (below, above) = (longest(FROM_BELOW), longest(FROM_ABOVE));
    match (below, above) {
        (None, None) => None,
        _ if below > above => Some(Bound::Below),
        _ => Some(Bound::Above),
    }
}

fn ends_with(text: &str, words: &str) -> bool {
    let Some(before) = text.strip_suffix(words) else { return false };
    words.starts_with(storage::is_unspaced) || !before.ends_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_evidence_has_may_be_said() {
        for (said, evidence) in [
            ("Staff get 27 days.", "Full-time staff have 27 working days of holiday."),
            ("You have twenty-seven days", "27 days"),
            ("The limit is EUR 1,200.", "up to 1200 € a trip"),
            ("Bis zu 1.200 Euro", "höchstens EUR 1200,00"),
            ("It takes five working days", "within 5 days"),
            ("The rate is 7.5 %", "7,5 percent"),
            ("员工有27天年假", "年假为二十七天"),
            ("两周内", "14 days, that is two weeks"),
            ("On 3 March 2025", "since 2025-03-03"),
            ("Version 2.10.1 is out", "2.10.1"),
            ("No one may do so.", "Nobody may."),
            ("Room BX7700", "nothing"),
            ("20 weeks", "| Birth parent | 20 |"),
        ] {
            assert_eq!(
                missing(said, evidence, ""),
                None,
                "{said} / {evidence}: {:?} {:?}",
                figures(said),
                figures(evidence)
            );
        }
    }

    #[test]
    fn what_it_does_not_have_may_not() {
        for (said, evidence, what) in [
            ("Staff get 28 days.", "27 working days of 28 staff members", "28"),
            ("Staff get 27 weeks.", "27 days", "27"),
            ("At least 500 euros", "up to 500 euros", "500"),
            ("It is 15 %", "1.5 %", "15"),
            ("thirty days", "three days", "thirty"),
            ("年假三十天", "年假三天", "三十"),
            ("One week", "one day", "one"),
            ("It costs $50", "It costs 50 €", "50"),
            ("In 2024", "In 2025", "2024"),
        ] {
            assert_eq!(
                missing(said, evidence, "").as_deref(),
                Some(what),
                "{said} / {evidence}: {:?}",
                figures(evidence)
            );
        }
        assert_eq!(missing("In 2024 it was so.", "It was so.", "what was it in 2024?"), None, "the question says it");
    }
}
