//! Characters of symbol fonts (`w:sym`): Word stores the place in the font, not what it shows.

/// What a character of a font shows; `None` where that is no text.
pub(super) fn shown(font: &str, code: &str) -> Option<char> {
    let code = u32::from_str_radix(code, 16).ok()?;
    // Symbol fonts are addressed in the private use area.
    let place = if (0xf000..=0xf0ff).contains(&code) { code - 0xf000 } else { code };
    let font = font.to_lowercase();
    if font.contains("wingdings") {
        return wingdings(place);
    }
    if font.contains("symbol") {
        return symbol(place);
    }
    char::from_u32(if code >= 0xf000 { place } else { code }).filter(|character| !character.is_control())
}

fn wingdings(place: u32) -> Option<char> {
    Some(match place {
        0x28 => '☎',
        0x2a => '✉',
        0x4a => '☺',
        0x6c | 0x9f => '•',
        0x6e | 0xa7 => '▪',
        0x6f | 0xa8 => '☐',
        0xd8 => '➢',
        0xdf | 0xe7 => '←',
        0xe0 | 0xe8 => '→',
        0xfb => '✗',
        0xfc => '✓',
        0xfd => '☒',
        0xfe => '☑',
        _ => return None,
    })
}

/// The Symbol font: Greek letters where Latin ones would be, and signs of mathematics.
fn symbol(place: u32) -> Option<char> {
    const UPPER: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
    const LOWER: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";
    Some(match place {
        0x41..=0x5a => UPPER.chars().nth((place - 0x41) as usize)?,
        0x61..=0x7a => LOWER.chars().nth((place - 0x61) as usize)?,
        0xa3 => '≤',
        0xb3 => '≥',
        0xb0 => '°',
        0xb1 => '±',
        0xb4 => '×',
        0xb7 => '•',
        0xb8 => '÷',
        0xb9 => '≠',
        0xbb => '≈',
        0xa5 => '∞',
        0xac => '←',
        0xae => '→',
        0xb6 => '∂',
        0xd6 => '√',
        0xe5 => '∑',
        0xf2 => '∫',
        0x20..=0x7e => char::from_u32(place)?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_shown() {
        assert_eq!(shown("Wingdings", "F0FE"), Some('☑'));
        assert_eq!(shown("Symbol", "F061"), Some('α'));
        assert_eq!(shown("Symbol", "b3"), Some('≥'));
        assert_eq!(shown("Arial", "2022"), Some('•'));
        assert_eq!(shown("Wingdings", "zz"), None);
    }
}
