//! Slips of the hand, made by rule: what correction is measured with.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use storage::{Script, homophones, is_stopword, runs, syllable};

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
    /// A Chinese character that sounds like the right one.
    Homophone,
    /// The letters of two Chinese characters in their place.
    Pinyin,
}

impl Slip {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Swapped, Self::Missing, Self::Doubled, Self::Beside, Self::First, Self::Homophone, Self::Pinyin];

    /// What it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::Beside => "key beside",
            Self::First => "first letter",
            Self::Homophone => "homophone",
            Self::Pinyin => "pinyin",
        }
    }

    /// The word with this slip in it; `None` where it would be the same word.
    fn made_in(self, word: &str, texts: &Texts<'_>, random: &mut Random) -> Option<String> {
        let mut letters: Vec<char> = word.chars().collect();
        match self {
            Self::Homophone => {
                let at = random.below(letters.len());
                let alike: Vec<char> =
                    homophones(letters[at]).into_iter().filter(|other| texts.characters.contains(other)).collect();
                letters[at] = *alike.get(random.below(alike.len().max(1)))?;
                return Some(letters.into_iter().collect());
            }
            Self::Pinyin => return letters.into_iter().map(syllable).collect(),
            _ => {}
        }
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
            Self::Homophone | Self::Pinyin => return None,
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
    let of_all = Texts::of(texts);
    let texts = of_all.texts;
    let kinds: Vec<Slip> =
        Slip::ALL.into_iter().filter(|slip| texts.iter().any(|text| !of_all.places(*slip, text).is_empty())).collect();
    for slip in kinds.iter().copied().cycle().take(if kinds.is_empty() { 0 } else { count }) {
        made.extend((0..TRIES).find_map(|_| {
            let of = random.below(texts.len());
            let words = of_all.places(slip, texts[of]);
            let place = words.get(random.below(words.len().max(1)))?.clone();
            let word = slip.made_in(&texts[of][place.clone()], &of_all, &mut random)?;
            let mut text = texts[of].to_owned();
            text.replace_range(place, &word);
            Some(Slipped { of, slip, text })
        }));
    }
    made
}

/// The texts in which slips are made, and what they are made of.
struct Texts<'t> {
    texts: &'t [&'t str],
    /// Characters of scripts without spaces.
    characters: HashSet<char>,
    /// Two of them that stand beside each other more than once: most are words.
    pairs: HashSet<&'t str>,
}

impl<'t> Texts<'t> {
    fn of(texts: &'t [&'t str]) -> Self {
        let mut pairs: HashMap<&str, usize> = HashMap::new();
        let mut characters = HashSet::new();
        for text in texts {
            for pair in pairs_of(text) {
                *pairs.entry(&text[pair.clone()]).or_default() += 1;
                characters.extend(text[pair].chars());
            }
        }
        let pairs = pairs.into_iter().filter(|(_, count)| *count > 1).map(|(pair, _)| pair).collect();
        Self { texts, characters, pairs }
    }

    /// Where in a text such a slip can be made.
    fn places(&self, slip: Slip, text: &str) -> Vec<Range<usize>> {
        match slip {
            Slip::Homophone | Slip::Pinyin => {
                pairs_of(text).filter(|pair| self.pairs.contains(&text[pair.clone()])).collect()
            }
            _ => long_words(text),
        }
    }
}

/// Two Chinese characters beside each other.
fn pairs_of(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let neighbours = text.char_indices().zip(text.char_indices().skip(1));
    let has_sound = |character: char| syllable(character).is_some();
    let sounding = neighbours.filter(move |((_, first), (_, second))| has_sound(*first) && has_sound(*second));
    sounding.map(|((start, _), (second, character))| start..second + character.len_utf8())
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
        for kind in &Slip::ALL[..5] {
            assert_eq!(made.iter().filter(|slipped| slipped.slip == *kind).count(), 10, "{kind:?}");
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
            let made = |slip: Slip| slip.made_in("travel", &Texts::of(&[]), &mut Random(seed)).unwrap();
            assert_eq!(made(Slip::Missing).len(), 5);
            assert!(made(Slip::Missing).starts_with('t') && made(Slip::Doubled).len() == 7);
            assert!(!made(Slip::First).starts_with("tr"));
            assert!(made(Slip::Beside).starts_with('t') && made(Slip::Swapped).starts_with('t'));
        }
    }

    #[test]
    fn slips_in_chinese_keep_the_sound() {
        let texts = ["年假怎么申请", "年假有几天", "价格表", "报销的期限和报销的价格"];
        let made = slips(&texts, 40, 3);
        assert_eq!(made.len(), 40);
        for Slipped { of, slip, text } in &made {
            match slip {
                Slip::Homophone => assert_eq!(text.chars().count(), texts[*of].chars().count(), "{text}"),
                Slip::Pinyin => assert!(text.contains(|c: char| c.is_ascii_lowercase()), "{text}"),
                other => panic!("{other:?} in {text}"),
            }
            assert!(text != texts[*of]);
        }
        let pinyin = |pair: &str| Slip::Pinyin.made_in(pair, &Texts::of(&texts), &mut Random(0));
        assert_eq!(pinyin("年假").as_deref(), Some("nianjia"));
        for seed in 0..20 {
            let homophone = Slip::Homophone.made_in("年假", &Texts::of(&texts), &mut Random(seed));
            assert!(homophone.is_none_or(|pair| pair == "年价"), "of the characters that are used");
        }
    }
}
