//! Characters as PDF files write them, turned into the ones that people write: ligatures taken apart, forms of Arabic
//! letters and of old compatibility characters brought back to the letter, accents put onto their letters.

use hayro_syntax::object::DateTime;
use unicode_normalization::UnicodeNormalization;

/// A text string of a PDF file: UTF-16 or UTF-8 with a mark, else PDFDocEncoding (ISO 32000-1, annex D.2).
pub(super) fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        // Not by the standard, but so many programs write it that it is the better guess where it is sound.
        _ if !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok() => String::from_utf8_lossy(bytes).into_owned(),
        _ => bytes.iter().map(|&byte| document_character(byte)).collect(),
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|&pair| unit(pair));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn document_character(byte: u8) -> char {
    const ACCENTS: [char; 8] = ['˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'];
    const SIGNS: [char; 31] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł',
        'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž',
    ];
    match byte {
        0x18..=0x1f => ACCENTS[usize::from(byte - 0x18)],
        0x80..=0x9e => SIGNS[usize::from(byte - 0x80)],
        0xa0 => '€',
        _ => char::from(byte),
    }
}

/// A date as ISO 8601 writes it: `2024-05-03T10:20:30+02:00`.
pub(super) fn iso_date(date: &DateTime) -> Option<String> {
    let sound = (1..=12).contains(&date.month) && (1..=31).contains(&date.day) && date.year >= 1900;
    let time = (date.hour < 24 && date.minute < 60 && date.second < 60).then(|| {
        let offset = match (date.utc_offset_hour, date.utc_offset_minute) {
            (0, 0) => "Z".to_string(),
            (hour, minute) => format!("{hour:+03}:{minute:02}"),
        };
        format!("T{:02}:{:02}:{:02}{offset}", date.hour, date.minute, date.second)
    });
    sound.then(|| format!("{:04}-{:02}-{:02}{}", date.year, date.month, date.day, time.unwrap_or_default()))
}

/// The character that is meant: symbol fonts number theirs in the area for private use. `None` for what means nothing.
pub(super) fn settle(character: char) -> Option<char> {
    Some(match character {
        '\u{f0b7}' | '\u{f09f}' => '•',
        '\u{f0a7}' | '\u{f06e}' => '▪',
        '\u{f0d8}' | '\u{f0c4}' => '➢',
        '\u{f0fc}' => '✓',
        '\u{f0a8}' | '\u{f06f}' => '□',
        '\u{f020}'..='\u{f07e}' => char::from_u32(u32::from(character) - 0xf000)?,
        '\u{e000}'..='\u{f8ff}' | char::REPLACEMENT_CHARACTER | '\u{f0000}'..='\u{10ffff}' => return None,
        '\t' | '\n' | '\r' => ' ',
        control if control.is_control() => return None,
        known => known,
    })
}

/// The line as people write it.
pub(super) fn tidy(line: &str) -> String {
    if line.is_ascii() {
        return line.chars().filter(|character| !character.is_control()).collect();
    }
    let mut plain = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' => plain.push(' '),
            // Marks without width that only steer how the line is shown.
            '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2060}'
            | '\u{feff}' => {}
            control if control.is_control() => {}
            // What macOS makes of TeX's ligature.
            '↵' if plain.ends_with(char::is_alphabetic) => plain.push_str("ff"),
            form if is_form(form) => plain.extend(std::iter::once(form).nfkc()),
            other => plain.push(other),
        }
    }
    plain.nfc().collect()
}

/// Whether a character is one of the dots that lead from a title to its page.
pub(super) fn is_leader(character: char) -> bool {
    matches!(character, '.' | '·' | '․' | '‥' | '…' | '⋯')
}

/// Fewest dots that lead somewhere.
pub(super) const LEADER: usize = 5;

/// The line with three dots for those that lead from a title to its page, however many there are.
pub(super) fn without_leaders(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_leader) {
        let length = rest[start..].find(|one| !is_leader(one) && one != ' ').unwrap_or(rest.len() - start);
        let (dots, behind) = rest[start..].split_at(length);
        let count = dots.chars().filter(|one| is_leader(*one)).count();
        let mark = if dots.contains(['…', '⋯']) { 3 * count } else { count };
        plain.push_str(&rest[..start]);
        if mark >= LEADER && count > 1 {
            let before = if plain.is_empty() || plain.ends_with(' ') { "" } else { " " };
            let after = if behind.is_empty() { "" } else { " " };
            plain.extend([before, "...", after]);
        } else {
            plain.push_str(dots);
        }
        rest = behind;
    }
    plain.push_str(rest);
    plain
}

/// Whether a character is a form of others that exists only for old typesetting: ligatures, Arabic and Hebrew
/// presentation forms, radicals that stand for ideographs.
fn is_form(character: char) -> bool {
    matches!(character, '\u{fb00}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{2e80}'..='\u{2fdf}' | '\u{132}'..='\u{133}')
}

/// The combining form of an accent that is drawn as a character of its own, as TeX does.
pub(super) fn combining(accent: char) -> Option<char> {
    Some(match accent {
        '`' | 'ˋ' => '\u{300}',
        '´' | 'ˊ' => '\u{301}',
        'ˆ' => '\u{302}',
        '˜' => '\u{303}',
        '¯' | 'ˉ' => '\u{304}',
        '˘' => '\u{306}',
        '˙' => '\u{307}',
        '¨' => '\u{308}',
        '˚' => '\u{30a}',
        '˝' => '\u{30b}',
        'ˇ' => '\u{30c}',
        '¸' => '\u{327}',
        '˛' => '\u{328}',
        _ => return None,
    })
}

/// Whether a character belongs to a script that is written from right to left.
pub(super) fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_decoded_by_their_mark() {
        assert_eq!(decode(b"\xfe\xff\x00A\x4e\x2d"), "A中");
        assert_eq!(decode(b"\xff\xfeA\x00"), "A");
        assert_eq!(decode("\u{feff}é".as_bytes()), "é");
        assert_eq!(decode(b"caf\xe9 \x84 \xa0"), "café — €");
    }

    #[test]
    fn forms_become_letters() {
        assert_eq!(tidy("e\u{fb03}cient\u{a0}a\u{ad}b"), "efficient a\u{ad}b");
        assert_eq!(tidy("\u{fee3}\u{fe8e}"), "ما");
        assert_eq!(tidy("⼀ cafe\u{301}\u{200b}"), "一 café");
        assert_eq!(tidy("a\u{1}b"), "ab");
    }

    #[test]
    fn dots_that_lead_to_a_page_are_three() {
        assert_eq!(without_leaders("Pumps . . . . . . . . 12"), "Pumps ... 12");
        assert_eq!(without_leaders("Pumps.................12"), "Pumps ... 12");
        assert_eq!(without_leaders("Valves………… 3"), "Valves ... 3");
        for plain in ["Wait... what?", "e.g. 1.2.3.4", "a … b", "", "1 · 2 · 3"] {
            assert_eq!(without_leaders(plain), plain);
        }
    }

    #[test]
    fn dates_are_iso_8601() {
        let date = DateTime {
            year: 2024,
            month: 5,
            day: 3,
            hour: 10,
            minute: 20,
            second: 30,
            utc_offset_hour: -7,
            utc_offset_minute: 30,
        };
        assert_eq!(iso_date(&date).as_deref(), Some("2024-05-03T10:20:30-07:30"));
        assert_eq!(iso_date(&DateTime { month: 13, ..date }), None);
    }
}
