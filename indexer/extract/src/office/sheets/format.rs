//! Numbers as a person sees them in a cell: number formats of spreadsheets (ECMA-376 part 1, 18.8.31) as far as they
//! matter for reading: percent, thousands, decimals, units. Dates are written the international way whatever the
//! format, since the order of day and month would be a guess.

use calamine::{DataRef, ExcelDateTime};

/// Digits that a double holds for certain.
const SIGNIFICANT: usize = 15;

/// A cell's value under a number format.
pub(super) fn shown(value: &DataRef<'_>, code: &str) -> String {
    match value {
        DataRef::Int(number) => formatted(*number as f64, code),
        DataRef::Float(number) => formatted(*number, code),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(true) => "TRUE".to_owned(),
        DataRef::Bool(false) => "FALSE".to_owned(),
        DataRef::DateTime(date) => moment(date, code),
        DataRef::DateTimeIso(text) => text.strip_suffix("T00:00:00").unwrap_or(text).to_owned(),
        DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

fn moment(date: &ExcelDateTime, code: &str) -> String {
    if date.is_duration() {
        let seconds = (date.as_f64().clamp(0.0, 1e9) * 86_400.0).round() as u64;
        return format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, mut second, milli) = date.to_ymd_hms_milli();
    second += u8::from(milli >= 500 && second < 59);
    let time =
        if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") };
    let midnight = (hour, minute, second) == (0, 0, 0);
    let only_time = date.as_f64() < 1.0 && !code.is_empty() && !code.to_lowercase().contains(['d', 'y']);
    match (only_time, midnight) {
        (true, _) => time,
        (false, true) => format!("{year:04}-{month:02}-{day:02}"),
        (false, false) => format!("{year:04}-{month:02}-{day:02} {time}"),
    }
}

/// A number under a format.
fn formatted(number: f64, code: &str) -> String {
    let sections: Vec<&str> = code.split(';').collect();
    let section = match sections[..] {
        [_, negative, ..] if number < 0.0 => negative,
        [_, _, zero, ..] if number == 0.0 => zero,
        [positive, ..] => positive,
        [] => "",
    };
    let (before, pattern, after) = parts(section);
    if pattern.is_empty() || pattern.contains(['?', '/', 'E', 'e']) {
        let literal = format!("{before}{after}");
        let no_digits = !section.is_empty() && !section.contains("General") && !section.contains(['0', '#', '?', '@']);
        return if no_digits { literal.trim().to_owned() } else { general(number) };
    }
    let percent = before.contains('%') || after.contains('%');
    let decimals =
        pattern.split_once('.').map_or(0, |(_, decimals)| decimals.chars().filter(|c| "0#".contains(*c)).count());
    let required = pattern.split_once('.').map_or(0, |(_, decimals)| decimals.matches('0').count());
    let trailing_commas = pattern.chars().rev().take_while(|&c| c == ',').count();
    let scaled = number * if percent { 100.0 } else { 1.0 } / 1000f64.powi(i32::try_from(trailing_commas).unwrap_or(0));
    // With a section of its own, a negative number brings no sign: the section shows it.
    let own_section = sections.len() > 1 && number < 0.0;
    let magnitude = if own_section { scaled.abs() } else { scaled };
    let mut digits = format!("{magnitude:.0$}", decimals.min(SIGNIFICANT));
    while decimals > required && digits.ends_with('0') && digits.split('.').nth(1).is_some_and(|d| d.len() > required) {
        digits.pop();
    }
    let digits = digits.strip_suffix('.').unwrap_or(&digits);
    let integer = pattern.split('.').next().unwrap_or_default().trim_end_matches(',');
    let digits = if integer.contains(',') { with_thousands(digits) } else { digits.to_owned() };
    let width = integer.matches('0').count();
    format!("{before}{}{after}", padded(&digits, width)).trim().to_owned()
}

/// Zeros in front, where a format asks for more digits: `00042`.
fn padded(digits: &str, width: usize) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let integer = rest.split('.').next().map_or(0, str::len);
    format!("{sign}{}{rest}", "0".repeat(width.min(SIGNIFICANT).saturating_sub(integer)))
}

fn with_thousands(digits: &str) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (integer, decimals) = rest.split_once('.').map_or((rest, None), |(integer, rest)| (integer, Some(rest)));
    let mut out = sign.to_owned();
    for (at, digit) in integer.chars().enumerate() {
        if at > 0 && (integer.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    decimals.into_iter().for_each(|decimals| out.extend(['.'].into_iter().chain(decimals.chars())));
    out
}

/// A number without a format: as short as it can be told.
pub(super) fn general(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let rounded: f64 = format!("{number:.*e}", SIGNIFICANT - 1).parse().unwrap_or(number);
    format!("{rounded}")
}

/// A format's section as what stands before the digits, the digits, and what stands behind them.
fn parts(section: &str) -> (String, String, String) {
    let (mut before, mut pattern, mut after) = (String::new(), String::new(), String::new());
    let mut characters = section.chars().peekable();
    while let Some(character) = characters.next() {
        let mut literal = String::new();
        match character {
            '0' | '#' | '?' if after.trim().is_empty() => {
                pattern.push(character);
                continue;
            }
            '.' | ',' | '/' | 'E' | 'e' if !pattern.is_empty() && after.is_empty() => {
                pattern.push(character);
                continue;
            }
            '"' => literal.extend(characters.by_ref().take_while(|&c| c != '"')),
            '\\' => literal.extend(characters.next()),
            // Space for a character, and filling with one.
            '_' => {
                characters.next();
                literal.push(' ');
            }
            '*' => drop(characters.next()),
            '[' => {
                let inner: String = characters.by_ref().take_while(|&c| c != ']').collect();
                // `[$€-407]` is a currency, `[Red]` a colour, `[>100]` a condition.
                let currency = inner.strip_prefix('$').map(|inner| inner.split('-').next().unwrap_or_default());
                literal.push_str(currency.unwrap_or_default());
            }
            '@' => {}
            other => literal.push(other),
        }
        if pattern.is_empty() { before.push_str(&literal) } else { after.push_str(&literal) }
    }
    (before, pattern, after)
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_shown_as_in_the_cell() {
        let cases = [
            (0.125, "0.0%", "12.5%"),
            (0.5, "0%", "50%"),
            (1234567.891, "#,##0.00", "1,234,567.89"),
            (1234.5, "#,##0.00\\ \"€\"", "1,234.50 €"),
            (1234.0, "[$€-407]\\ #,##0", "€ 1,234"),
            (-5.0, "#,##0;(#,##0)", "(5)"),
            (-5.0, "0.0", "-5.0"),
            (42.0, "00000", "00042"),
            (0.30000000000000004, "General", "0.3"),
            (1.5, "", "1.5"),
            (1e20, "General", "100000000000000000000"),
            (7.0, "0.##", "7"),
            (12_000.0, "0,\"k\"", "12k"),
            (3.0, "# ?/?", "3"),
            (0.0, "0;0;\"-\"", "-"),
        ];
        for (number, code, expected) in cases {
            assert_eq!(formatted(number, code), expected, "{number} as {code}");
        }
    }

    #[test]
    fn dates_are_written_the_international_way() {
        let date = |value, kind| DataRef::DateTime(ExcelDateTime::new(value, kind, false));
        assert_eq!(shown(&date(45943.0, ExcelDateTimeType::DateTime), "DD.MM.YYYY"), "2025-10-13");
        assert_eq!(shown(&date(45943.5, ExcelDateTimeType::DateTime), "m/d/yy h:mm"), "2025-10-13 12:00");
        assert_eq!(shown(&date(0.25, ExcelDateTimeType::DateTime), "h:mm"), "06:00");
        assert_eq!(shown(&date(1.5, ExcelDateTimeType::TimeDelta), "[h]:mm:ss"), "36:00:00");
    }

    proptest! {
        #[test]
        fn no_format_breaks(number in any::<f64>(), code in "[0#?.,%;\"\\\\_*\\[\\]$€E+@ a-z-]{0,24}") {
            prop_assert!(formatted(number, &code).len() < 2_000);
        }
    }
}
