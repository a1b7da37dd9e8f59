//! Lines with letters that run from right to left. A page has characters where they stand, a text has them in the order
//! they are read in; the bidirectional algorithm (UAX #9, by `unicode-bidi`) leads from the text to the page, and run on
//! what is drawn it leads back: runs are reversed, and what is reversed twice is as before. Two things that the drawing
//! does not say are judged by what makes sense: the direction of the line as a whole, and whether a bracket is noted as
//! it looks or as it is meant (programs differ, some even within a line).

use unicode_bidi::{BidiClass, BidiInfo, Level, bidi_class};

use super::text::is_right_to_left;

/// Characters that stand for a class where the class of one depends on what is around it.
const ARABIC_NUMBER: char = '٠';
const LEFT_TO_RIGHT: char = 'a';
const RIGHT_TO_LEFT: char = 'א';

/// Brackets that are turned round in lines from right to left.
const BRACKETS: [(char, char); 6] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'), ('«', '»'), ('‹', '›')];

/// A character in reading order, and whether it runs from right to left.
type Read = (char, bool);

/// The characters of a line, which are given from left to right, in the order they are read in.
pub(super) fn reading_order(drawn: &str) -> String {
    let drawn: Vec<char> = drawn.chars().collect();
    let directions = match runs_leftwards(&drawn) {
        true => [Level::rtl(), Level::ltr()],
        false => [Level::ltr(), Level::rtl()],
    };
    let classes = classes(&drawn);
    let readings = directions.into_iter().map(|direction| reading(&drawn, &classes, direction));
    // The likelier direction, if both make as much sense.
    readings.min_by_key(|(_, faults)| *faults).map(|(text, _)| text).unwrap_or_default()
}

/// The likelier direction of a line: that of the letters at both ends, because a line begins with one of them and most
/// lines begin in their own script, else that of most letters.
fn runs_leftwards(drawn: &[char]) -> bool {
    let letters = || drawn.iter().filter(|character| character.is_alphabetic());
    let ends = letters().next().into_iter().chain(letters().next_back());
    let leftwards = letters().filter(|letter| is_right_to_left(**letter)).count();
    leftwards > 0 && ends.into_iter().all(|letter| is_right_to_left(*letter)) || leftwards * 2 > letters().count()
}

/// The characters of a text from left to right as they are drawn; brackets stay as they are written.
pub(super) fn drawing_order(text: &str) -> String {
    let text: Vec<char> = text.chars().collect();
    let plain: String = text.iter().map(|character| representative(*character)).collect();
    let base = if text.iter().any(|character| is_right_to_left(*character)) { None } else { Some(Level::ltr()) };
    order(&plain, base).into_iter().map(|(at, _)| text[at]).collect()
}

/// The order in which characters of these classes change between the drawing and the text, with their direction.
fn order(classes: &str, base: Option<Level>) -> Vec<(usize, bool)> {
    let info = BidiInfo::new(classes, base);
    let Some(paragraph) = info.paragraphs.first() else { return Vec::new() };
    let levels = info.reordered_levels_per_char(paragraph, paragraph.range.clone());
    BidiInfo::reorder_visual(&levels).into_iter().map(|at| (at, levels[at].is_rtl())).collect()
}

/// The text if the line runs in this direction, and how much of it makes no sense.
fn reading(drawn: &[char], classes: &str, direction: Level) -> (String, usize) {
    let read: Vec<Read> =
        order(classes, Some(direction)).into_iter().map(|(at, leftwards)| (drawn[at], leftwards)).collect();
    let as_drawn: Vec<char> = read.iter().map(|(character, _)| *character).collect();
    let turned: Vec<char> = read.iter().map(|&(one, leftwards)| if leftwards { mirrored(one) } else { one }).collect();
    let (text, faults) = match (unpaired(&turned), unpaired(&as_drawn)) {
        (turned_faults, faults) if faults < turned_faults => (as_drawn, faults),
        (faults, _) => (turned, faults),
    };
    let begins_with_an_end =
        text.iter().find(|first| !first.is_whitespace()).is_some_and(|first| ".,;:!?،؛؟".contains(*first));
    (text.into_iter().collect(), faults + usize::from(begins_with_an_end))
}

/// What the algorithm is to see for each character. It takes a number for a part of what was read before it, which on
/// the page stands on its right or on its left, as the case may be.
fn classes(drawn: &[char]) -> String {
    let strong = |character: &char| strong(*character);
    let mut after: Vec<Option<BidiClass>> = Vec::with_capacity(drawn.len());
    let mut next = None;
    for character in drawn.iter().rev() {
        after.push(next);
        next = strong(character).or(next);
    }
    after.reverse();
    let mut before = None;
    let mut classes = String::with_capacity(drawn.len() * 2);
    for (character, after) in drawn.iter().zip(after) {
        let number = bidi_class(*character) == BidiClass::EN;
        classes.push(match after {
            Some(BidiClass::L) if number => LEFT_TO_RIGHT,
            Some(BidiClass::AL) if number && before != Some(BidiClass::L) => ARABIC_NUMBER,
            _ => representative(*character),
        });
        before = strong(character).or(before);
    }
    classes
}

fn strong(character: char) -> Option<BidiClass> {
    Some(bidi_class(character)).filter(|class| matches!(class, BidiClass::L | BidiClass::R | BidiClass::AL))
}

/// The character itself, but for what ends paragraphs or steers the algorithm, and for marks, which are drawn before or
/// after their letter.
fn representative(character: char) -> char {
    match bidi_class(character) {
        BidiClass::NSM if is_right_to_left(character) => RIGHT_TO_LEFT,
        BidiClass::L
        | BidiClass::R
        | BidiClass::AL
        | BidiClass::EN
        | BidiClass::ES
        | BidiClass::ET
        | BidiClass::AN
        | BidiClass::CS
        | BidiClass::NSM
        | BidiClass::WS
        | BidiClass::ON => character,
        _ => ' ',
    }
}

fn mirrored(character: char) -> char {
    let pair = BRACKETS.iter().find(|(open, close)| *open == character || *close == character);
    pair.map_or(character, |&(open, close)| if character == open { close } else { open })
}

/// Brackets that lack their other half.
fn unpaired(text: &[char]) -> usize {
    let mut open: Vec<char> = Vec::new();
    let mut stray = 0;
    for character in text {
        match BRACKETS.iter().find(|(open, close)| open == character || close == character) {
            Some((opening, closing)) if opening == character => open.push(*closing),
            Some(_) if open.last() == Some(character) => drop(open.pop()),
            Some(_) => stray += 1,
            None => {}
        }
    }
    stray + open.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a page shows it: brackets from right to left look the other way.
    fn shown(text: &str) -> String {
        let text: Vec<char> = text.chars().collect();
        let plain: String = text.iter().collect();
        let drawn = order(&plain, None).into_iter();
        drawn.map(|(at, leftwards)| if leftwards { mirrored(text[at]) } else { text[at] }).collect()
    }

    #[test]
    fn what_is_drawn_is_read() {
        for text in [
            "שלום עולם",
            "החוזה מספר 4711 תקף עד 31.12.2025 בסכום של 1,250.50 שקל (הנחה 15%).",
            "العقد رقم 4711 صالح حتى 31.12.2025 بمبلغ 1,250.50 دولار (خصم 15%).",
            "تم دفع ٢٠٢٤ ريالا في ١٥ مايو إلى المورد رقم ٧٨٩٠.",
            "شماره تماس ۰۲۱-۸۸۷۶ است.",
            "An English line with a Hebrew name יוסי כהן in the middle (יוסי) and محمد السيد at the end.",
            "הקובץ report.pdf נשלח אל name@example.com אתמול",
            "מחיר: 20-30 שקל [ראה סעיף 4]",
            "«نام» و «نام خانوادگی»",
            "The word שלום means peace.",
            "windows 11 מותקן",
        ] {
            assert_eq!(reading_order(&shown(text)), text);
        }
    }

    #[test]
    fn brackets_noted_as_they_are_meant_stay() {
        for text in ["(הנחה 15%) היום", "سعر (خصم) اليوم"] {
            assert_eq!(reading_order(&drawing_order(text)), text);
        }
        // A line from right to left with hardly a letter of its script.
        assert_eq!(
            reading_order("name@example.com> has signed this form> ימע"),
            "עמי <name@example.com> has signed this form"
        );
        assert_eq!(
            reading_order("name@example.com> has signed this form< ימע"),
            "עמי <name@example.com> has signed this form"
        );
    }

    #[test]
    fn numbers_before_latin_words_are_theirs() {
        assert_eq!(reading_order("(גבא) 12.5 abc דה"), "הד 12.5 abc (אבג)");
    }

    #[test]
    fn marks_stay_with_their_letters() {
        assert_eq!(reading_order("abc \u{5b8}\u{5e9}\u{5dc}"), "abc \u{5dc}\u{5e9}\u{5b8}");
    }

    proptest! {
        #[test]
        fn numbers_and_words_survive(words in prop::collection::vec("[א-ת]{1,5}|[ا-ي]{1,5}|[a-z]{1,5}|[1-9]{1,4}|[۱-۹]{1,4}|[٠-٩]{1,4}", 1..8)) {
            let text = words.join(" ");
            let read = reading_order(&shown(&text));
            for word in &words {
                prop_assert!(read.split(' ').any(|found| found == word), "{word} of {text} in {read}");
            }
        }

        #[test]
        fn anything_is_survived(text in "\\PC{0,40}") {
            let read = reading_order(&text);
            prop_assert_eq!(read.chars().count(), text.chars().count());
            prop_assert_eq!(drawing_order(&text).chars().count(), text.chars().count());
        }
    }
}
