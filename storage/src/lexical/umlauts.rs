//! Letters that a keyboard may lack, written in two: `Mueller` for Müller, `Aarhus` for Århus, `Oeresund` for Øresund.

/// Letters with what they are written as (DIN 5007-2 for German names, and what Danish and Swedish had before the å).
const LETTERS: &[(char, &str)] = &[('ä', "ae"), ('ö', "oe"), ('ü', "ue"), ('å', "aa"), ('ø', "oe")];

/// A word in lower case with two letters for each of those; nothing where it has none.
pub(super) fn in_two(word: &str) -> Option<String> {
    let of = |letter: char| LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, two)| *two);
    if !word.chars().any(|letter| of(letter).is_some()) {
        return None;
    }
    let mut written = String::with_capacity(word.len() + 2);
    for letter in word.chars() {
        match of(letter) {
            Some(two) => written.push_str(two),
            None => written.push(letter),
        }
    }
    Some(written)
}

/// A word in lower case with one letter for each two that may stand for one; nothing where it has none. Behind a vowel or a `q`
/// they stand for themselves (`neue`, `Quelle`).
pub(super) fn in_one(word: &str) -> Option<String> {
    let mut written = String::with_capacity(word.len());
    let (mut rest, mut before) = (word, None);
    while let Some(first) = rest.chars().next() {
        let is_apart = before.is_some_and(|before| "aeiouyq".contains(before));
        let found = LETTERS.iter().find(|(_, two)| !is_apart && rest.starts_with(two));
        let (letter, taken) = found.map_or((first, first.len_utf8()), |(letter, two)| (*letter, two.len()));
        written.push(letter);
        before = Some(letter);
        rest = &rest[taken..];
    }
    (written != word).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_written_in_two_and_in_one() {
        for (one, two) in [("müller", "mueller"), ("über", "ueber"), ("århus", "aarhus"), ("prüfgröße", "pruefgroeße")]
        {
            assert_eq!(in_two(one).as_deref(), Some(two), "{one}");
            assert_eq!(in_one(two).as_deref(), Some(one), "{two}");
        }
        assert_eq!(in_two("øresund").as_deref(), Some("oeresund"));
        for word in ["neue", "quelle", "bauer", "plan", ""] {
            assert_eq!((in_one(word), in_two(word)), (None, None), "{word}");
        }
    }
}
