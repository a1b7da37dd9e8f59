//! The oddness of a text: how much of it beyond ASCII stands where no writer puts it. What a charset turns into, when it
//! is not the right one, is odd in few ways, whatever the language: signs inside of words, capitals behind small letters,
//! rows of accented letters, letters of two scripts in one word, control characters. It judges a reading; it never
//! guesses one.

/// Characters looked at.
const SAMPLE: usize = 100_000;

/// What is not possible at all weighs as much as several odd places.
const IMPOSSIBLE: usize = 4;

/// Accented letters in a row from which on they belong to no Western word.
const LONG_ROW: usize = 4;

/// Odd places for each character beyond ASCII: 0 for a text that looks right, 1 and more for one that was misread.
pub(super) fn oddness(text: &str) -> f32 {
    let (mut odd, mut foreign, mut row) = (0, 0, 0_usize);
    let mut before = '\n';
    let mut characters = text.chars().take(SAMPLE).peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or('\n');
        row = if matches!(character, '\u{c0}'..='\u{ff}') { row + 1 } else { 0 };
        if !character.is_ascii() {
            foreign += 1;
            odd += match row {
                0..LONG_ROW => oddness_of(before, character, after),
                // The first ones of a row count when it turns out to be one.
                LONG_ROW => LONG_ROW,
                _ => 1,
            };
        } else if is_capital_behind_small(before, character) && !before.is_ascii() {
            odd += 1;
        }
        before = character;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of a sample")]
    let share = odd as f32 / foreign.max(1) as f32;
    share
}

fn oddness_of(before: char, character: char, after: char) -> usize {
    if is_impossible(character) {
        return IMPOSSIBLE;
    }
    let (opens, closes) = (before.is_alphabetic(), after.is_alphabetic());
    let within = opens && closes;
    let odd = match character {
        // Signs that close or part words.
        '\u{2019}' | '\u{ad}' | '\u{2013}' | '\u{2014}' | '\u{2010}'..='\u{2012}' | '\u{200b}'..='\u{200d}' => false,
        // Quotes that open stand behind no letter.
        '\u{201a}' | '\u{201e}' | '\u{2039}' => opens,
        'ƒ' | 'ˆ' | '˜' | '\u{2200}'..='\u{22ff}' => opens || closes,
        '\u{b7}' => within && !(before.eq_ignore_ascii_case(&'l') && after.eq_ignore_ascii_case(&'l')),
        '\u{a1}'..='\u{bf}' | '\u{d7}' | '\u{f7}' => within,
        '\u{2018}'..='\u{2044}' | '\u{20a0}'..='\u{20bf}' | '\u{2500}'..='\u{25a0}' => within,
        // Ligatures that only charsets of typesetters have.
        '\u{fb01}' | '\u{fb02}' => true,
        _ if is_ideographic(character) => before.is_ascii_alphabetic() && after.is_ascii_alphabetic(),
        // Case turned round: one Russian charset read as another.
        _ if is_capital_behind_small(before, character) && after.is_uppercase() => return IMPOSSIBLE,
        _ if character.is_alphabetic() => {
            is_capital_behind_small(before, character) || is_of_another_script(before, character)
        }
        _ => false,
    };
    usize::from(odd)
}

fn is_impossible(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
}

fn is_capital_behind_small(before: char, character: char) -> bool {
    before.is_lowercase() && character.is_uppercase()
}

fn is_ideographic(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff61}'..='\u{ff9f}')
}

/// Latin beside Greek, Cyrillic, Hebrew or Arabic, both beyond ASCII or not.
fn is_of_another_script(before: char, character: char) -> bool {
    let script = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some(0),
        '\u{370}'..='\u{3ff}' => Some(1),
        '\u{400}'..='\u{52f}' => Some(2),
        '\u{590}'..='\u{5ff}' => Some(3),
        '\u{600}'..='\u{6ff}' => Some(4),
        _ => None,
    };
    matches!((script(before), script(character)), (Some(one), Some(other)) if one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_right_are_not_odd() {
        let right = [
            "Die Prüfung der Geräte übernimmt „die Abteilung“ – für 5 €; § 7 gilt, 20 °C, Größe ±2 µm",
            "L’été, « déjà vu », une année créée, cœur, col·lecció",
            "¿Qué? ¡Año! 1ª edición, nº 5",
            "Zażółć gęślą jaźń, żółw; příliš žluťoučký kůň",
            "Съешь ещё этих мягких французских булок",
            "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
            "出差人员应当在返回后十五个工作日内提交ABC申请，附上Word文件。",
            "Iğdır, ÇAĞRI, İSTANBUL",
        ];
        for text in right {
            assert!(oddness(text) < 0.1, "{text}: {}", oddness(text));
        }
    }

    #[test]
    fn texts_that_were_misread_are_odd() {
        let misread =
            ["Gr”áe und Pr\u{81}fung", "Ïðèâåò", "ÖйúÈË", "Grîﬂe", "оПХБЕР", "GrÃ¶ÃŸe", "Gr冓e", "cafŽ", "Gr√∂√üe"];
        for text in misread {
            assert!(oddness(text) >= 0.3, "{text}: {}", oddness(text));
        }
    }
}
