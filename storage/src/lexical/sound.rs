//! How Chinese characters sound: their syllables in pinyin, without tones and in lower case, as they are typed; `v` is ü.
//!
//! Whoever types Chinese types sounds and chooses among the characters that have them, so that a slip is a character that
//! sounds like the one that was meant, or the letters themselves. Readings are those of `pinyin-data`, which the crate
//! `pinyin` brings.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use pinyin::{Pinyin, ToPinyin, ToPinyinMulti};

use super::normal::fold_characters;

/// The characters that people type: the block of unified ideographs.
const IDEOGRAPHS: RangeInclusive<char> = '\u{4E00}'..='\u{9FFF}';
/// Letters of the longest syllable: `zhuang`.
const SYLLABLE: usize = 6;
const VOWELS: [char; 6] = ['a', 'e', 'i', 'o', 'u', 'v'];
/// Ways to read letters as syllables; there are hardly more than four.
const MAX_WAYS: usize = 16;

/// The characters of each syllable, in the form that the index folds them to.
static CHARACTERS: LazyLock<HashMap<String, Vec<char>>> = LazyLock::new(|| {
    let mut characters: HashMap<String, Vec<char>> = HashMap::new();
    for character in IDEOGRAPHS.filter(|character| fold_characters(&character.to_string()).starts_with(*character)) {
        // What is only hummed (`n`, `ng`) would be read into the ends of others.
        for syllable in syllables(character).into_iter().filter(|syllable| syllable.contains(VOWELS)) {
            characters.entry(syllable).or_default().push(character);
        }
    }
    characters
});

/// The ways in which a character is read.
fn syllables(character: char) -> Vec<String> {
    let Some(readings) = IDEOGRAPHS.contains(&character).then(|| character.to_pinyin_multi()).flatten() else {
        return Vec::new();
    };
    let mut syllables: Vec<String> = readings.into_iter().map(Pinyin::plain).map(typed).collect();
    syllables.sort_unstable();
    syllables.dedup();
    syllables
}

/// A syllable as keyboards have it.
fn typed(syllable: &str) -> String {
    syllable.replace('ü', "v").replace('ê', "e")
}

/// The characters that are read so, in the form that the index folds them to; none for what is no syllable.
pub fn sounding(syllable: &str) -> &'static [char] {
    CHARACTERS.get(syllable).map_or(&[], Vec::as_slice)
}

/// The syllable that a character is read as most of all.
pub fn syllable(character: char) -> Option<String> {
    let is_known = IDEOGRAPHS.contains(&character);
    is_known.then(|| character.to_pinyin()).flatten().map(Pinyin::plain).map(typed)
}

/// The other characters that are read like this one most of all.
pub fn homophones(character: char) -> Vec<char> {
    let Some(syllable_of_it) = syllable(character) else { return Vec::new() };
    let alike = sounding(&syllable_of_it).iter().copied().filter(|other| *other != character);
    alike.filter(|other| syllable(*other).as_ref() == Some(&syllable_of_it)).collect()
}

/// The ways to read letters as syllables, those of the fewest syllables first; none for other words.
pub fn in_syllables(letters: &str) -> Vec<Vec<&str>> {
    if !letters.is_ascii() {
        return Vec::new();
    }
    // Where the letters from here on are syllables: other ways are not gone.
    let mut ends_well = vec![false; letters.len() + 1];
    ends_well[letters.len()] = true;
    for start in (0..letters.len()).rev() {
        ends_well[start] = syllables_at(letters, start).any(|end| ends_well[end]);
    }
    let mut ways: Vec<(usize, Vec<&str>)> = vec![(0, Vec::new())];
    while let Some(place) = ways.iter().position(|(end, _)| *end < letters.len()) {
        let (start, before) = ways.remove(place);
        let further = syllables_at(letters, start).filter(|end| ends_well[*end]);
        ways.extend(further.map(|end| (end, [before.as_slice(), &[&letters[start..end]]].concat())));
        ways.truncate(MAX_WAYS);
    }
    let mut ways: Vec<Vec<&str>> = ways.into_iter().map(|(_, way)| way).filter(|way| !way.is_empty()).collect();
    ways.sort_by_key(Vec::len);
    ways
}

/// Where the syllables end that begin here, the longest first.
fn syllables_at(letters: &str, start: usize) -> impl Iterator<Item = usize> + '_ {
    let ends = (start + 1..=letters.len().min(start + SYLLABLE)).rev();
    ends.filter(move |end| !sounding(&letters[start..*end]).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_as_syllables() {
        for (letters, ways) in [
            ("nianjia", vec!["nian jia", "nian ji a", "ni an jia", "ni an ji a"]),
            ("xian", vec!["xian", "xi an"]),
            ("lvxing", vec!["lv xing"]),
            ("travel", vec![]),
            ("x", vec![]),
            ("", vec![]),
        ] {
            let read: Vec<String> = in_syllables(letters).iter().map(|way| way.join(" ")).collect();
            assert_eq!(read, ways, "{letters}");
        }
        let endless = "a".repeat(4_000);
        assert!(in_syllables(&endless).len() <= MAX_WAYS);
    }

    #[test]
    fn characters_sound_alike_in_their_first_reading() {
        assert!(homophones('假').contains(&'价') && !homophones('假').contains(&'假'));
        assert!(homophones('航').contains(&'杭') && !homophones('航').contains(&'行'));
        assert!(sounding("hang").contains(&'行') && sounding("xing").contains(&'行'), "letters may be any reading");
        assert!(homophones('價').contains(&'假') && !homophones('假').contains(&'價'), "as the index folds them");
        assert!(homophones('a').is_empty() && homophones('か').is_empty());
        assert_eq!([syllable('旅'), syllable('假'), syllable('x')], [Some("lv".into()), Some("jia".into()), None]);
        assert!(sounding("lv").contains(&'旅') && sounding("qqq").is_empty());
    }
}
