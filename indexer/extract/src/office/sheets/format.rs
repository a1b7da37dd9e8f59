//! Numbers as a person sees them in a cell: number formats of spreadsheets (ECMA-376 part 1, 18.8.31) with their
//! sections, conditions, literals, fractions and exponents. Dates are written the international way whatever the
//! format, since the order of day and month would be a guess, with as much of them as the format shows.
//!
//! `ssfmt` 0.1.2 was tried and left: it rounds in binary (1.005 with two decimals as 1.00, 28.5 % as 28 %), cuts where
//! thousands are scaled away, shows what an empty section hides, and loses the number of `"ca. "General`.

use calamine::{DataRef, ExcelDateTime, ExcelDateTimeType};

use super::code::{Section, Token, sections};
use super::decimal::{Decimal, SIGNIFICANT};

/// Largest denominator of a fraction.
const MAX_DENOMINATOR: u64 = 9_999;
/// Digits that one part of a format may ask for.
const MAX_PLACES: usize = 60;

/// A number format.
#[derive(Debug, Clone)]
pub(crate) struct NumberFormat {
    sections: Vec<Section>,
    /// Whether nothing is known of it.
    is_unknown: bool,
}

impl NumberFormat {
    pub(crate) fn of(code: &str) -> Self {
        Self { sections: sections(code), is_unknown: code.is_empty() }
    }

    /// A number that a file keeps as text beside its format, as charts do; what is no number stays as it is.
    pub(crate) fn of_cached(&self, text: &str, from_1904: bool) -> String {
        let Ok(number) = text.trim().parse::<f64>() else { return text.to_owned() };
        if !number.is_finite() {
            return text.to_owned();
        }
        if self.sections.iter().any(Section::is_moment) {
            let date = ExcelDateTime::new(number, ExcelDateTimeType::DateTime, from_1904);
            return self.shown(&DataRef::DateTime(date));
        }
        self.number(number)
    }

    /// A cell's value.
    pub(super) fn shown(&self, value: &DataRef<'_>) -> String {
        match value {
            DataRef::Int(number) => self.number(*number as f64),
            DataRef::Float(number) => self.number(*number),
            DataRef::String(text) => self.text(text),
            DataRef::SharedString(text) => self.text(text),
            DataRef::Bool(true) => "TRUE".to_owned(),
            DataRef::Bool(false) => "FALSE".to_owned(),
            DataRef::DateTime(date) => self.moment(date),
            DataRef::DateTimeIso(text) => text.strip_suffix("T00:00:00").unwrap_or(text).to_owned(),
            DataRef::DurationIso(text) => text.clone(),
            DataRef::Error(error) => error.to_string(),
            DataRef::Empty => String::new(),
        }
    }

    /// A text, which a section may put into words around it.
    fn text(&self, text: &str) -> String {
        let own = if self.sections.len() == 4 { self.sections.get(3) } else { self.sections.last() };
        // Only what says more: a section that hides texts hides them from the eye, not from a search.
        let Some(section) = own.filter(|section| section.has(&Token::Text) && section.tokens.len() > 1) else {
            return text.to_owned();
        };
        let mut out = String::new();
        for token in &section.tokens {
            match token {
                Token::Text => out.push_str(text),
                Token::Literal(literal) => out.push(*literal),
                _ => {}
            }
        }
        out
    }

    fn moment(&self, date: &ExcelDateTime) -> String {
        let section = self.sections.iter().find(|section| section.is_moment());
        match section {
            Some(section) if section.tokens.iter().any(|token| matches!(token, Token::Passed(..))) => {
                passed(date.as_f64(), section)
            }
            Some(section) => moment(date, section),
            None if !self.is_unknown => self.number(date.as_f64()),
            None if date.is_duration() => passed(date.as_f64(), &Section::default()),
            None => whole_moment(date),
        }
    }

    /// A number.
    fn number(&self, number: f64) -> String {
        let Some(decimal) = Decimal::of(number) else { return general(number) };
        let (section, shows_sign) = self.section(number);
        let Some(section) = section else { return general(number) };
        let plain = section.tokens.is_empty() && self.sections.len() == 1 && section.condition.is_none();
        if plain || section.is_moment() {
            return general(number);
        }
        let drawn = Drawn::of(section).write(&decimal, number);
        // A section of its own shows by itself that a number is negative.
        let sign = if number < 0.0 && !shows_sign { "-" } else { "" };
        format!("{sign}{}", drawn.trim_end()).trim().to_owned()
    }

    /// The section for a number, and whether it stands for negative ones alone.
    fn section(&self, number: f64) -> (Option<&Section>, bool) {
        let numeric = &self.sections[..self.sections.len().min(3)];
        let conditions = [0, 1].map(|at| numeric.get(at).and_then(|section| section.condition));
        if conditions.iter().all(Option::is_none) {
            let at = match numeric.len() {
                1 => 0,
                2 => usize::from(number < 0.0),
                _ if number > 0.0 => 0,
                _ => {
                    if number < 0.0 {
                        1
                    } else {
                        2
                    }
                }
            };
            return (numeric.get(at), at == 1);
        }
        let at = match conditions {
            [Some(first), _] if first.holds(number) => 0,
            [None, Some(second)] if number > 0.0 && !second.holds(number) => 0,
            [_, Some(second)] if second.holds(number) => 1,
            [Some(_), Some(_)] => 2,
            [Some(first), None] if numeric.len() > 2 && (number >= 0.0 || first.is_negative()) => 2,
            _ => numeric.len().min(3) - 1,
        };
        let own = numeric.get(at).and_then(|section| section.condition).map_or(
            // The section that remains for negative numbers when the first takes the others.
            at == 1 && number < 0.0,
            |condition| condition.is_negative(),
        );
        (numeric.get(at), own)
    }
}

/// A number without a format: as short as it can be told.
pub(super) fn general(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let rounded: f64 = format!("{number:.*e}", SIGNIFICANT - 1).parse().unwrap_or(number);
    format!("{rounded}")
}

/// A section for numbers, with what its placeholders say together.
struct Drawn<'s> {
    tokens: &'s [Token],
    /// Places of the point, the exponent and the slash.
    point: Option<usize>,
    exponent: Option<usize>,
    slash: Option<usize>,
    /// Powers of ten that the number is shown times.
    shift: i32,
    grouped: bool,
}

impl<'s> Drawn<'s> {
    fn of(section: &'s Section) -> Self {
        let tokens = &section.tokens[..];
        let place = |wanted: fn(&Token) -> bool| tokens.iter().position(wanted);
        let exponent = place(|token| matches!(token, Token::Exponent(_)));
        let end = exponent.unwrap_or(tokens.len());
        let point = tokens[..end].iter().position(|token| *token == Token::Point);
        let is_digit = |token: &Token| matches!(token, Token::Digit(_));
        let whole = &tokens[..point.unwrap_or(end)];
        let last = whole.iter().rposition(is_digit);
        let first = whole.iter().position(is_digit);
        let commas = |from: usize, to: usize| tokens[from..to].iter().filter(|token| **token == Token::Comma).count();
        // Commas right behind the digits scale by thousands, wherever the point stands.
        let behind = |at: usize| tokens[at + 1..].iter().take_while(|token| **token == Token::Comma).count();
        let last_of_all = tokens[..end].iter().rposition(is_digit);
        let scaled = last.map_or(0, behind) + last_of_all.filter(|at| Some(*at) != last).map_or(0, behind);
        let percent = tokens.iter().filter(|token| **token == Token::Percent).count();
        Self {
            tokens,
            point,
            exponent,
            slash: place(|token| *token == Token::Slash),
            shift: 2 * percent as i32 - 3 * scaled as i32,
            grouped: first.zip(last).is_some_and(|(first, last)| commas(first, last) > 0),
        }
    }

    fn write(&self, decimal: &Decimal, number: f64) -> String {
        if let Some(fraction) = self.slash.and_then(|slash| Fraction::of(self.tokens, slash)) {
            return fraction.write(self.tokens, number.abs());
        }
        match self.exponent {
            Some(at) => self.scientific(decimal, at),
            None => self.plain(decimal.clone().shifted(self.shift), number, self.tokens.len()),
        }
    }

    fn places(&self, tokens: &[Token]) -> usize {
        tokens.iter().filter(|token| matches!(token, Token::Digit(_))).count().min(MAX_PLACES)
    }

    /// The tokens up to `end` with the digits in their places.
    fn plain(&self, decimal: Decimal, number: f64, end: usize) -> String {
        let point = self.point.unwrap_or(end).min(end);
        let decimals = self.places(&self.tokens[point..end]);
        let (whole, rest) = decimal.rounded(decimals).written(decimals);
        let mut out = self.whole(&whole, point, number);
        out.push_str(&self.decimals(&rest, point, end));
        out
    }

    /// From the right: each placeholder takes a digit, the leftmost all that remain.
    fn whole(&self, digits: &str, point: usize, number: f64) -> String {
        let mut left: Vec<char> = digits.chars().collect();
        let first = self.tokens[..point].iter().position(|token| matches!(token, Token::Digit(_)));
        let mut out: Vec<char> = Vec::new();
        let mut count = 0;
        let mut put = |out: &mut Vec<char>, digit: char| {
            if self.grouped && count > 0 && count % 3 == 0 && digit != ' ' {
                out.push(',');
            }
            out.push(digit);
            count += 1;
        };
        if first.is_none() && self.point.is_some() {
            // `.00`: what is more than a fraction is shown all the same.
            while let Some(digit) = left.pop() {
                put(&mut out, digit);
            }
        }
        for (at, token) in self.tokens[..point].iter().enumerate().rev() {
            match token {
                Token::Digit(placeholder) => {
                    match (left.pop(), placeholder) {
                        (Some(digit), _) => put(&mut out, digit),
                        (None, '0') => put(&mut out, '0'),
                        (None, '?') => put(&mut out, ' '),
                        (None, _) => {}
                    }
                    while first == Some(at)
                        && let Some(digit) = left.pop()
                    {
                        put(&mut out, digit);
                    }
                }
                other => out.extend(literal(other, number).chars().rev()),
            }
        }
        out.into_iter().rev().collect()
    }

    fn decimals(&self, digits: &str, point: usize, end: usize) -> String {
        let kept = digits.trim_end_matches('0').len();
        let mut digits = digits.chars().enumerate();
        let mut out = String::new();
        for token in &self.tokens[point..end] {
            match token {
                Token::Point if !out.contains('.') => out.push('.'),
                Token::Digit(placeholder) => match (digits.next(), placeholder) {
                    (Some((at, digit)), placeholder) if at < kept || *placeholder == '0' => out.push(digit),
                    (_, '?') => out.push(' '),
                    _ => {}
                },
                other => out.push_str(&literal(other, 0.0)),
            }
        }
        out
    }

    /// `0.00E+00`: with more digits before the point the exponent is a multiple of them.
    fn scientific(&self, decimal: &Decimal, at: usize) -> String {
        let point = self.point.unwrap_or(at).min(at);
        let step = self.places(&self.tokens[..point]).max(1) as i32;
        let decimals = self.places(&self.tokens[point..at]);
        let decimal = decimal.clone().shifted(self.shift);
        let exponent_of = |decimal: &Decimal| decimal.exponent().div_euclid(step) * step;
        let mut exponent = exponent_of(&decimal);
        let rounded = decimal.clone().shifted(-exponent).rounded(decimals);
        // 9.996 rounds to 10.00, which is written 1.00E+01.
        exponent += exponent_of(&rounded);
        let digits = self.places(&self.tokens[at..]);
        let plus = matches!(self.tokens.get(at), Some(Token::Exponent(true)));
        let sign = if exponent < 0 {
            "-"
        } else if plus {
            "+"
        } else {
            ""
        };
        let after: String = self.tokens[at + 1..].iter().map(|token| literal(token, 0.0)).collect();
        let mantissa = self.plain(decimal.shifted(-exponent), 0.0, at);
        format!("{mantissa}E{sign}{:0digits$}{after}", exponent.unsigned_abs())
    }
}

/// What a token shows that is no digit.
fn literal(token: &Token, number: f64) -> String {
    match token {
        Token::Literal(literal) => literal.to_string(),
        Token::Percent => "%".to_owned(),
        Token::General | Token::Text => general(number.abs()),
        Token::Slash => "/".to_owned(),
        _ => String::new(),
    }
}

/// `# ?/?` or `# ?/8`: where the numerator begins, and the denominator.
struct Fraction {
    numerator: usize,
    end: usize,
    has_whole: bool,
    /// Given, or the largest.
    denominator: (Option<u64>, u64),
}

impl Fraction {
    fn of(tokens: &[Token], slash: usize) -> Option<Self> {
        let is_digit = |token: &Token| matches!(token, Token::Digit(_));
        let digits = tokens[..slash].iter().rev().take_while(|token| is_digit(token)).count();
        let numerator = slash.checked_sub(digits).filter(|_| digits > 0)?;
        let below = tokens[slash + 1..].iter();
        let below: Vec<&Token> = below
            .take_while(|token| is_digit(token) || matches!(token, Token::Literal(one) if one.is_ascii_digit()))
            .collect();
        let given: String =
            below.iter().map(|token| if let Token::Literal(digit) = token { *digit } else { '0' }).collect();
        let is_given = below.iter().any(|token| matches!(token, Token::Literal(_)));
        let most = 10u64.saturating_pow(below.len().min(4) as u32).saturating_sub(1).min(MAX_DENOMINATOR);
        Some(Self {
            numerator,
            end: slash + 1 + below.len(),
            has_whole: tokens[..numerator].iter().any(is_digit),
            denominator: (if is_given { given.parse().ok().filter(|given| *given > 0) } else { None }, most),
        })
        .filter(|fraction| fraction.denominator.0.is_some() || fraction.denominator.1 > 0)
    }

    fn write(&self, tokens: &[Token], number: f64) -> String {
        if number >= 1e15 {
            return general(number);
        }
        let mut whole = number.trunc();
        let part = if self.has_whole { number - whole } else { number };
        let (mut over, under) = match self.denominator {
            (Some(under), _) => ((part * under as f64).round() as u64, under),
            (None, most) => nearest(part, most),
        };
        if self.has_whole && over == under {
            (whole, over) = (whole + 1.0, 0);
        }
        let literals = |tokens: &[Token]| tokens.iter().map(|token| literal(token, 0.0)).collect::<String>();
        let first = tokens[..self.numerator].iter().position(|token| matches!(token, Token::Digit(_)));
        let before = literals(&tokens[..first.unwrap_or(self.numerator)]);
        let after = literals(&tokens[self.end..]);
        let shown = match (self.has_whole, whole == 0.0, over) {
            (true, _, 0) => format!("{whole:.0}"),
            (true, true, _) | (false, ..) => format!("{over}/{under}"),
            (true, false, _) => format!("{whole:.0} {over}/{under}"),
        };
        format!("{before}{shown}{after}")
    }
}

/// A near fraction with a denominator of at most `most`, by continued fractions, as spreadsheets do it.
fn nearest(number: f64, most: u64) -> (u64, u64) {
    let (mut over, mut under) = ((1u64, number.trunc() as u64), (0u64, 1u64));
    let mut rest = number - number.trunc();
    for _ in 0..20 {
        if rest < 1e-9 {
            break;
        }
        let inverse = 1.0 / rest;
        let step = inverse.trunc() as u64;
        let next =
            (step.saturating_mul(over.1).saturating_add(over.0), step.saturating_mul(under.1).saturating_add(under.0));
        if next.1 > most {
            break;
        }
        (over, under) = ((over.1, next.0), (under.1, next.1));
        rest = inverse - inverse.trunc();
    }
    (over.1, under.1)
}

/// Time that has passed, in hours, minutes or seconds as the format has it: `36:00:00`.
fn passed(days: f64, section: &Section) -> String {
    let seconds = (days.abs().clamp(0.0, 1e9) * 86_400.0).round() as u64;
    let unit = section.tokens.iter().find_map(|token| match token {
        Token::Passed(unit, _) => Some(*unit),
        _ => None,
    });
    let has =
        |wanted: char| section.tokens.iter().any(|token| matches!(token, Token::Moment(one, _) if *one == wanted));
    let shown = match unit {
        Some('s') => seconds.to_string(),
        Some('m') if has('s') => format!("{}:{:02}", seconds / 60, seconds % 60),
        Some('m') => (seconds / 60).to_string(),
        Some('h') if !has('m') => (seconds / 3600).to_string(),
        Some('h') if !has('s') => format!("{}:{:02}", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    };
    if days < 0.0 && seconds > 0 { format!("-{shown}") } else { shown }
}

/// As much of a date and a time as a format shows.
fn moment(date: &ExcelDateTime, section: &Section) -> String {
    let has =
        |wanted: char| section.tokens.iter().any(|token| matches!(token, Token::Moment(one, _) if *one == wanted));
    let (year, month, day, hour, minute, mut second, milli) = date.to_ymd_hms_milli();
    second += u8::from(milli >= 500 && second < 59);
    let has_time = has('h') || has('s') || section.has(&Token::Noon);
    // Beside hours or seconds an `m` is minutes, so months count only where a day or a year stands too.
    let has_date = has('d') || has('y') || has('e') || !has_time;
    let seconds = if has('s') { format!(":{second:02}") } else { String::new() };
    let time = if section.has(&Token::Noon) {
        let half = if hour < 12 { "AM" } else { "PM" };
        format!("{}:{minute:02}{seconds} {half}", if hour % 12 == 0 { 12 } else { hour % 12 })
    } else {
        format!("{hour:02}:{minute:02}{seconds}")
    };
    let (has_year, has_month) = (has('y') || has('e'), has('m'));
    let day = match (has('d'), has_year, has_month) {
        (false, true, false) => format!("{year:04}"),
        (false, true, true) if !has_time => format!("{year:04}-{month:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}"),
    };
    match (has_date, has_time) {
        (true, true) => format!("{day} {time}"),
        (false, true) => time,
        _ => day,
    }
}

/// A date of which no format is known: with its time, if it has one.
fn whole_moment(date: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, mut second, milli) = date.to_ymd_hms_milli();
    second += u8::from(milli >= 500 && second < 59);
    let time =
        if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") };
    match (hour, minute, second) {
        (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02} {time}"),
    }
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;
    use proptest::prelude::*;

    use super::*;

    fn formatted(number: f64, code: &str) -> String {
        NumberFormat::of(code).shown(&DataRef::Float(number))
    }

    fn text(text: &str, code: &str) -> String {
        NumberFormat::of(code).shown(&DataRef::String(text.to_owned()))
    }

    #[test]
    fn numbers_are_shown_as_in_the_cell() {
        let cases = [
            (0.125, "0.0%", "12.5%"),
            (0.5, "0%", "50%"),
            (0.285, "0%", "29%"),
            (1234567.891, "#,##0.00", "1,234,567.89"),
            (1234.5, "#,##0.00\\ \"€\"", "1,234.50 €"),
            (1234.0, "[$€-407]\\ #,##0", "€ 1,234"),
            (-5.0, "#,##0;(#,##0)", "(5)"),
            (-5.0, "0.0", "-5.0"),
            (-5.0, "[$$-409]#,##0.00", "-$5.00"),
            (42.0, "00000", "00042"),
            (7.0, "0,000", "0,007"),
            (0.30000000000000004, "General", "0.3"),
            (1.5, "", "1.5"),
            (1e20, "General", "100000000000000000000"),
            (7.0, "0.##", "7."),
            (12_000.0, "0,\"k\"", "12k"),
            (1_234_567.0, "#,##0,\"k\"", "1,235k"),
            (1_234_567.0, "0.0,,\" M\"", "1.2 M"),
            (0.0, "0;0;\"-\"", "-"),
            (0.0, "0;;", ""),
            (0.0, ";;;", ""),
            (0.5, ".00", ".50"),
            (12.5, ".00", "12.50"),
            (0.5, "#.00", ".50"),
            (1.005, "0.00", "1.01"),
            (-2.5, "0", "-3"),
            (5.0, "\"ca. \"General", "ca. 5"),
            (-5.0, "General\" pcs\"", "-5 pcs"),
            (0.0, "\"none\"", "none"),
        ];
        for (number, code, expected) in cases {
            assert_eq!(formatted(number, code), expected, "{number} as {code}");
        }
    }

    #[test]
    fn literals_stand_between_digits() {
        let cases = [
            (5551234567.0, "(000) 000-0000", "(555) 123-4567"),
            (5551234567.0, "[<=9999999]###-####;(###) ###-####", "(555) 123-4567"),
            (1234567.0, "[<=9999999]###-####;(###) ###-####", "123-4567"),
            (123456789.0, "000-00-0000", "123-45-6789"),
            (471101.0, "00\\.00\\.00", "47.11.01"),
            (12345.0, "\"KST-\"00-000", "KST-12-345"),
            (1234567.0, "00 00 000", "12 34 567"),
            (4912345678901.0, "00\\-0000\\-000000", "491-2345-678901"),
            (7.0, "0\\h", "7h"),
            (7.0, "\"day \"0", "day 7"),
            (12.0, "0_);(0)", "12"),
            (42.42, "* #,##0.00", "42.42"),
        ];
        for (number, code, expected) in cases {
            assert_eq!(formatted(number, code), expected, "{number} as {code}");
        }
    }

    #[test]
    fn conditions_choose_a_section() {
        let lakh = "[>=10000000]##\\,##\\,##\\,##0.00;[>=100000]##\\,##\\,##0.00;##,##0.00";
        let cases = [
            (12345678.9, lakh, "1,23,45,678.90"),
            (123456.0, lakh, "1,23,456.00"),
            (1234.0, lakh, "1,234.00"),
            (1.0, "[=1]\"ja\";[=0]\"nein\";0", "ja"),
            (0.0, "[=1]\"ja\";[=0]\"nein\";0", "nein"),
            (7.0, "[=1]\"ja\";[=0]\"nein\";0", "7"),
            (-7.0, "[Red][<0]0.0;0", "7.0"),
            (7.0, "[color10]0;[Red]-0", "7"),
            (-7.0, "[color10]0;[Red]-0", "-7"),
            (250.0, "[>100]\"many\";0", "many"),
            (50.0, "[>100]\"many\";0", "50"),
        ];
        for (number, code, expected) in cases {
            assert_eq!(formatted(number, code), expected, "{number} as {code}");
        }
    }

    #[test]
    fn fractions_and_exponents_are_written() {
        let cases = [
            (3.0, "# ?/?", "3"),
            (2.25, "# ?/?", "2 1/4"),
            (0.75, "# ?/?", "3/4"),
            (3.1428, "# ??/??", "3 1/7"),
            (1.75, "?/?", "7/4"),
            (2.3, "# ?/8", "2 2/8"),
            (0.5, "# ??/100", "50/100"),
            (0.000123, "0.00E+00", "1.23E-04"),
            (12345.0, "0.0E+0", "1.2E+4"),
            (12345.0, "##0.0E+0", "12.3E+3"),
            (9.996, "0.00E+00", "1.00E+01"),
            (0.0, "0.00E+00", "0.00E+00"),
            (1234.0, "0E-0", "1E3"),
        ];
        for (number, code, expected) in cases {
            assert_eq!(formatted(number, code), expected, "{number} as {code}");
        }
    }

    #[test]
    fn texts_are_put_into_words() {
        assert_eq!(text("abc", "0;0;0;\"Text: \"@"), "Text: abc");
        assert_eq!(text("abc", "@"), "abc");
        assert_eq!(text("abc", "0.00"), "abc");
        assert_eq!(text("abc", ";;;"), "abc");
    }

    #[test]
    fn dates_are_written_the_international_way() {
        let shown = |value: f64, code: &str| {
            let kind = if code.contains('[') { ExcelDateTimeType::TimeDelta } else { ExcelDateTimeType::DateTime };
            NumberFormat::of(code).shown(&DataRef::DateTime(ExcelDateTime::new(value, kind, false)))
        };
        for (value, code, expected) in [
            (45943.0, "DD.MM.YYYY", "2025-10-13"),
            (45943.5, "DD.MM.YYYY", "2025-10-13"),
            (45943.5, "m/d/yy h:mm", "2025-10-13 12:00"),
            (45943.5, "", "2025-10-13 12:00"),
            (0.25, "h:mm", "06:00"),
            (45943.25, "h:mm", "06:00"),
            (45943.75, "h:mm:ss AM/PM", "6:00:00 PM"),
            (45943.0, "mmmm yyyy", "2025-10"),
            (45943.0, "yyyy", "2025"),
            (45943.0, "dddd", "2025-10-13"),
            (1.5, "[h]:mm:ss", "36:00:00"),
            (1.5, "[h]:mm", "36:00"),
            (3.25, "[mm]:ss", "4680:00"),
            (7.0, "Standard", "7"),
            (7.0, "0 \"hours\"", "7 hours"),
        ] {
            assert_eq!(shown(value, code), expected, "{value} as {code}");
        }
    }

    proptest! {
        #[test]
        fn no_format_breaks(number in any::<f64>(), code in "[0#?.,%;/\"\\\\_*\\[\\]$€E+@ a-z0-9<>=-]{0,24}") {
            prop_assert!(formatted(number, &code).len() < 2_000);
        }
    }
}
