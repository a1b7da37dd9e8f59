//! The one model of list numbers for all office formats: levels with a style and a pattern, counters that go up, and
//! the marker as a reader sees it (`2.1.`, `b)`, `IV`, `三、`).

use std::collections::HashMap;

/// Levels that a list has at most.
pub(crate) const LEVELS: usize = 10;

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum NumberStyle {
    #[default]
    Decimal,
    /// Two digits at least.
    Padded,
    LowerLetter,
    UpperLetter,
    LowerRoman,
    UpperRoman,
    /// 一 二 三 十一
    Ideograph,
    /// No number: a bullet.
    Bullet,
    /// Nothing at all.
    None,
}

/// A level of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) style: NumberStyle,
    /// The marker, with `%1` for the number of the outermost level: `%1.%2.`
    pub(crate) pattern: String,
    pub(crate) start: u32,
}

impl Default for Level {
    fn default() -> Self {
        Self { style: NumberStyle::Bullet, pattern: String::new(), start: 1 }
    }
}

/// Numbers of all lists of a document, by list.
#[derive(Debug, Default)]
pub(crate) struct Counters(HashMap<String, [Option<u32>; LEVELS]>);

impl Counters {
    /// The marker of the next item of a list; empty for none.
    pub(crate) fn next(&mut self, list: &str, levels: &[Level], level: usize) -> String {
        let level = level.min(LEVELS - 1);
        let Some(own) = levels.get(level) else { return "-".to_owned() };
        match own.style {
            NumberStyle::Bullet => return "-".to_owned(),
            NumberStyle::None => return String::new(),
            _ => {}
        }
        let counters = self.0.entry(list.to_owned()).or_default();
        counters[level] = Some(counters[level].map_or(own.start, |number| number.saturating_add(1)));
        counters[level + 1..].fill(None);
        let mut marker = own.pattern.clone();
        for (number, (counter, level)) in counters.iter().zip(levels).enumerate().take(level + 1) {
            let place = format!("%{}", number + 1);
            if marker.contains(&place) {
                marker = marker.replace(&place, &written(counter.unwrap_or(level.start), level.style));
            }
        }
        marker.trim().to_owned()
    }

    /// Starts a list anew.
    pub(crate) fn restart(&mut self, list: &str) {
        self.0.remove(list);
    }
}

/// A number in a style.
pub(crate) fn written(number: u32, style: NumberStyle) -> String {
    match style {
        NumberStyle::Decimal | NumberStyle::Bullet => number.to_string(),
        NumberStyle::Padded => format!("{number:02}"),
        NumberStyle::LowerLetter => letters(number),
        NumberStyle::UpperLetter => letters(number).to_uppercase(),
        NumberStyle::LowerRoman => roman(number).to_lowercase(),
        NumberStyle::UpperRoman => roman(number),
        NumberStyle::Ideograph => ideographs(number),
        NumberStyle::None => String::new(),
    }
}

/// a .. z, then aa, bb: as word processors count.
fn letters(number: u32) -> String {
    let Some(index) = number.checked_sub(1) else { return "0".to_owned() };
    let letter = char::from(b'a' + u8::try_from(index % 26).unwrap_or(0));
    letter.to_string().repeat((index / 26 + 1).min(10) as usize)
}

fn roman(number: u32) -> String {
    const VALUES: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..4000).contains(&number) {
        return number.to_string();
    }
    let mut left = number;
    let mut out = String::new();
    for (value, digits) in VALUES {
        while left >= value {
            out.push_str(digits);
            left -= value;
        }
    }
    out
}

fn ideographs(number: u32) -> String {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let digit = |digit: u32| DIGITS[(digit % 10) as usize];
    match number {
        1..10 => digit(number).to_owned(),
        10..20 => format!("十{}", digit(number)),
        20..100 => format!("{}十{}", digit(number / 10), digit(number)),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(style: NumberStyle, pattern: &str) -> Level {
        Level { style, pattern: pattern.to_owned(), start: 1 }
    }

    #[test]
    fn inner_numbers_start_again_under_the_next_outer_one() {
        let levels = [level(NumberStyle::Decimal, "%1."), level(NumberStyle::LowerLetter, "%1.%2)")];
        let mut counters = Counters::default();
        let markers: Vec<String> = [0, 1, 1, 0, 1].map(|level| counters.next("a", &levels, level)).to_vec();
        assert_eq!(markers, ["1.", "1.a)", "1.b)", "2.", "2.a)"]);
        assert_eq!(counters.next("b", &levels, 1), "1.a)");
        counters.restart("a");
        assert_eq!(counters.next("a", &levels, 0), "1.");
        assert_eq!(counters.next("a", &levels, 5), "-");
    }

    #[test]
    fn numbers_are_written_in_many_ways() {
        let cases = [
            (4, NumberStyle::UpperRoman, "IV"),
            (1999, NumberStyle::LowerRoman, "mcmxcix"),
            (28, NumberStyle::UpperLetter, "BB"),
            (7, NumberStyle::Padded, "07"),
            (21, NumberStyle::Ideograph, "二十一"),
            (10, NumberStyle::Ideograph, "十"),
            (u32::MAX, NumberStyle::LowerRoman, "4294967295"),
            (0, NumberStyle::LowerLetter, "0"),
        ];
        for (number, style, expected) in cases {
            assert_eq!(written(number, style), expected);
        }
    }
}
