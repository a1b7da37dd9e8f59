//! Slips of the hand, made by rule: what correction is measured with.

use std::ops::Range;

use storage::{Script, is_stopword, runs};

use super::random::Random;

/// Letters of a word that gets a slip.
const LETTERS: usize = 5;
/// Words that are tried before a text is taken to have none that a slip can be made in.
const TRIES: usize = 20;
/// The rows of a keyboard.
const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// A kind of slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// Two letters in the wrong order.
    Swapped,
    /// A letter that is missing.
    Missing,
    /// A letter twice.
    Doubled,
    /// The key beside the right one.
    Beside,
    /// The first letter missing, swapped with the second, or the key beside it.
    First,
}

impl Slip {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Swapped, Self::Missing, Self::Doubled, Self::Beside, Self::First];

    /// What it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::Beside => "key beside",
            Self::First => "first letter",
        }
    }

    /// The word with this slip in it; `None` where it would be the same word.
    fn made_in(self, word: &str, random: &mut Random) -> Option<String> {
        let mut letters: Vec<char> = word.chars().collect();
        // Beside the first letter, which has a kind of its own.
        let at = 1 + random.below(letters.len() - 2);
        match self {
            Self::Swapped => letters.swap(at, at + 1),
            Self::Missing => drop(letters.remove(at)),
            Self::Doubled => letters.insert(at, letters[at]),
            Self::Beside => letters[at] = beside(letters[at], random)?,
            Self::First => match random.below(3) {
                0 => drop(letters.remove(0)),
                1 => letters.swap(0, 1),
                _ => letters[0] = beside(letters[0], random)?,
            },
        }
        let slipped: String = letters.into_iter().collect();
        (slipped != word).then_some(slipped)
    }
}

/// A key to the left or to the right of a letter's.
fn beside(letter: char, random: &mut Random) -> Option<char> {
    let row: Vec<char> = ROWS.iter().find(|row| row.contains(letter))?.chars().collect();
    let at = row.iter().position(|key| *key == letter)?;
    let sides = [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|at| row.get(at).copied());
    let sides: Vec<char> = sides.collect();
    sides.get(random.below(sides.len())).copied()
}

/// A text with one slip in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slipped {
    /// Which text it was, by its place.
    pub of: usize,
    /// What was done to it.
    pub slip: Slip,
    /// The text with it.
    pub text: String,
}

/// So many slips in words of the texts, of all kinds alike; the same ones for the same seed. Fewer if the texts have hardly
/// any words that a slip can be made in.
pub fn slips(texts: &[&str], count: usize, seed: u64) -> Vec<Slipped> {
    let mut random = Random(seed);
    let mut made = Vec::with_capacity(count);
    let kinds = Slip::ALL.iter().copied().cycle().take(if texts.is_empty() { 0 } else { count });
    for slip in kinds {
        made.extend((0..TRIES).find_map(|_| {
            let of = random.below(texts.len());
            let words = long_words(texts[of]);
            let place = words.get(random.below(words.len().max(1)))?.clone();
            let word = slip.made_in(&texts[of][place.clone()], &mut random)?;
            let mut text = texts[of].to_owned();
            text.replace_range(place, &word);
            Some(Slipped { of, slip, text })
        }));
    }
    made
}

/// The words of a text that people would mistype: lower case, of letters alone, and with a topic.
fn long_words(text: &str) -> Vec<Range<usize>> {
    let is_long = |(range, script): &(Range<usize>, Script)| {
        let word = &text[range.clone()];
        let in_token = [text[..range.start].chars().next_back(), text[range.end..].chars().next()];
        *script == Script::Spaced
            && word.chars().count() >= LETTERS
            && word.chars().all(char::is_lowercase)
            && in_token
                .into_iter()
                .flatten()
                .all(|beside| beside.is_whitespace() || matches!(beside, ',' | '.' | '?' | '!'))
            && !is_stopword(word)
    };
    runs(text).filter(is_long).map(|(range, _)| range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_of_all_kinds_and_repeat() {
        let texts = ["the travel budget of ERR_4711 workers", "who, where", "annual leave requests"];
        let made = slips(&texts, 50, 7);
        assert_eq!((made.len(), &made), (50, &slips(&texts, 50, 7)));
        assert!(made != slips(&texts, 50, 8));
        for kind in Slip::ALL {
            assert_eq!(made.iter().filter(|slipped| slipped.slip == kind).count(), 10, "{kind:?}");
        }
        for Slipped { of, text, .. } in &made {
            assert!(*of != 1 && text != texts[*of] && text.contains("ERR_4711") == (*of == 0), "{text}");
            let pairs = text.split(' ').zip(texts[*of].split(' '));
            assert_eq!(pairs.filter(|(slipped, word)| slipped != word).count(), 1, "{text}");
        }
        assert!(slips(&["who"], 5, 1).is_empty() && slips(&[], 5, 1).is_empty());
    }

    #[test]
    fn each_kind_does_what_it_says() {
        for seed in 0..50 {
            let made = |slip: Slip| slip.made_in("travel", &mut Random(seed)).unwrap();
            assert_eq!(made(Slip::Missing).len(), 5);
            assert!(made(Slip::Missing).starts_with('t') && made(Slip::Doubled).len() == 7);
            assert!(!made(Slip::First).starts_with("tr"));
            assert!(made(Slip::Beside).starts_with('t') && made(Slip::Swapped).starts_with('t'));
        }
    }
}
