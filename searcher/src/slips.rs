//! Slips of the hand: how many it takes to make one word of another, and how likely they are.
//!
//! Counted are insertions, deletions, replacements and swaps of neighbours (optimal string alignment). Likely ones cost
//! less: a letter doubled or not, a key beside the right one, a vowel for a vowel, one that sounds alike, a swap; the first
//! letter, which people look at, costs more.

/// The least number of slips that make `typed` the whole of `word`, if it is within `allowed`.
pub(crate) fn between(typed: &[char], word: &[char], allowed: usize) -> Option<usize> {
    if typed.len().abs_diff(word.len()) > allowed {
        return None;
    }
    let last = *alignment(typed, word, allowed)?.last()?;
    (last <= allowed).then_some(last)
}

/// The least number of slips that make `typed` a beginning of `word`, if it is within `allowed`.
pub(crate) fn to_beginning(typed: &[char], word: &[char], allowed: usize) -> Option<usize> {
    let word = &word[..word.len().min(typed.len() + allowed)];
    if word.len() + allowed < typed.len() {
        return None;
    }
    alignment(typed, word, allowed)?.into_iter().min().filter(|slips| *slips <= allowed)
}

/// The slips between `typed` and each beginning of `word`, from the empty one; `None` once all are above `allowed`.
fn alignment(typed: &[char], word: &[char], allowed: usize) -> Option<Vec<usize>> {
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=word.len()).collect();
    for (row, letter) in typed.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in word.iter().enumerate() {
            let replaced = previous[column] + usize::from(letter != other);
            let mut least = replaced.min(previous[column + 1] + 1).min(current[column] + 1);
            let is_swapped = row > 0 && column > 0 && *letter == word[column - 1] && typed[row - 1] == *other;
            if is_swapped {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        if current.iter().all(|slips| *slips > allowed) {
            return None;
        }
        before = std::mem::replace(&mut previous, current);
    }
    Some(previous)
}

/// Cost of a letter too many or too few.
const LETTER: f32 = 1.0;
/// Cost of one that only doubles its neighbour.
const DOUBLED: f32 = 0.5;
/// Cost of two letters in the wrong order.
const SWAPPED: f32 = 0.7;
/// Cost of a key beside the right one.
const BESIDE: f32 = 0.7;
/// Cost of a vowel for a vowel.
const VOWEL: f32 = 0.8;
/// Cost of a letter that sounds alike.
const ALIKE: f32 = 1.0;
/// Cost of any other letter.
const OTHER: f32 = 1.6;
/// What a slip in the first letter costs beside that.
const FIRST: f32 = 0.5;
/// What one too many in front costs beside that, unless its key is beside the next one's: nobody types one unseen.
const IN_FRONT: f32 = 1.0;
/// Cost of a first letter that is another one altogether: more often than not, another word was meant.
const OTHER_FIRST: f32 = 2.5;

/// How unlikely it is that `typed` was to be `word`: the sum of what its slips cost, along the cheapest way.
pub(crate) fn cost(typed: &[char], word: &[char]) -> f32 {
    let first = |at: usize| if at == 0 { FIRST } else { 0.0 };
    let letter = |text: &[char], at: usize| {
        let doubles = at > 0 && text[at] == text[at - 1];
        first(at) + if doubles { DOUBLED } else { LETTER }
    };
    let in_front = match typed {
        [first, second, ..] if !are_beside(*first, *second) => IN_FRONT,
        _ => 0.0,
    };
    let too_many = |at: usize| letter(typed, at) + if at == 0 { in_front } else { 0.0 };
    let mut before: Vec<f32> = Vec::new();
    let mut previous = vec![0.0];
    for column in 0..word.len() {
        previous.push(previous[column] + letter(word, column));
    }
    for row in 0..typed.len() {
        let mut current = vec![previous[0] + too_many(row)];
        for column in 0..word.len() {
            let replaced = previous[column] + replacement(typed[row], word[column], row + column == 0);
            let mut least =
                replaced.min(previous[column + 1] + too_many(row)).min(current[column] + letter(word, column));
            let is_swapped = row > 0 && column > 0 && typed[row] == word[column - 1] && typed[row - 1] == word[column];
            if is_swapped {
                least = least.min(before[column - 1] + SWAPPED + first(row.min(column) - 1));
            }
            current.push(least);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[word.len()]
}

fn replacement(typed: char, meant: char, is_first: bool) -> f32 {
    let is_vowel = |letter: char| "aeiouy".contains(letter);
    let cost = match () {
        () if typed == meant => return 0.0,
        () if are_beside(typed, meant) => BESIDE,
        () if is_vowel(typed) && is_vowel(meant) => VOWEL,
        () if is_first => return OTHER_FIRST,
        () if sound_alike(typed, meant) => ALIKE,
        () => OTHER,
    };
    cost + if is_first { FIRST } else { 0.0 }
}

/// Letters that are written for one another by ear.
const SOUNDS: [&str; 8] = ["bp", "dt", "gk", "ckq", "csz", "fv", "gj", "mn"];

fn sound_alike(a: char, b: char) -> bool {
    SOUNDS.iter().any(|sounds| sounds.contains(a) && sounds.contains(b))
}

/// The letters of keyboards, row by row: each row stands half a key to the right of the one above. The `m` of AZERTY is left
/// out: it would make `paternity` a slip of `maternity`.
const KEYBOARDS: [[&str; 3]; 3] = [
    ["qwertyuiop", "asdfghjkl", "zxcvbnm"],
    ["qwertzuiop", "asdfghjkl", "yxcvbnm"],
    ["azertyuiop", "qsdfghjkl", "wxcvbn"],
];

/// Whether the keys of two letters touch, on any of the keyboards.
fn are_beside(a: char, b: char) -> bool {
    let place = |keyboard: &[&str; 3], letter: char| {
        keyboard.iter().enumerate().find_map(|(row, keys)| Some((row, keys.chars().position(|key| key == letter)?)))
    };
    KEYBOARDS.iter().any(|keyboard| {
        let (Some(a), Some(b)) = (place(keyboard, a), place(keyboard, b)) else { return false };
        let (upper, lower) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        match lower.0 - upper.0 {
            0 => upper.1.abs_diff(lower.1) == 1,
            1 => upper.1 == lower.1 || upper.1 == lower.1 + 1,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn whole_words_differ_by_their_slips() {
        let count = |a: &str, b: &str| between(&chars(a), &chars(b), 1);
        for slip in ["tpye", "typ", "types", "typo", "ype"] {
            assert_eq!(count(slip, "type"), Some(1), "{slip}");
        }
        assert_eq!((count("type", "type"), count("tp", "type"), count("", "")), (Some(0), None, Some(0)));
    }

    #[test]
    fn likely_slips_cost_less_than_others() {
        let of = |typed: &str, word: &str| cost(&chars(typed), &chars(word));
        assert_eq!((of("agreement", "agreement"), of("", "")), (0.0, 0.0));
        let dearer = [
            ("agrement", "agreement"),  // a double letter missing
            ("agreememt", "agreement"), // the key beside
            ("agreeemnt", "agreement"), // a swap
            ("agreiment", "agreement"), // a vowel for a vowel
            ("agreemend", "agreement"), // a letter that sounds alike
            ("agreemen", "agreement"),  // a letter missing
            ("greement", "agreement"),  // the first letter missing
            ("agreexent", "agreement"), // another letter
            ("pgreement", "agreement"), // another first letter
        ];
        let costs: Vec<f32> = dearer.iter().map(|(typed, word)| of(typed, word)).collect();
        assert!(costs.is_sorted(), "{costs:?}");
        assert!(of("paternity", "maternity") > of("matermoty", "maternity"));
        assert!(
            of("vaction", "action") > of("vaction", "vacation") + 0.5
                && of("rtravel", "travel") < of("xtravel", "travel")
        );
        assert!(of("nogotiate", "negotiate") < of("ngotate", "negotiate"), "two slips cost more than one");
    }

    #[test]
    fn keys_touch_along_and_across_rows() {
        for pair in ["qw", "qa", "wa", "ws", "as", "sz", "sx", "az", "ty", "tz", "bn", "gv", "gb"] {
            let [a, b] = [0, 1].map(|at| chars(pair)[at]);
            assert!(are_beside(a, b) && are_beside(b, a), "{pair}");
        }
        for pair in ["qp", "ql", "aa", "fm", "rv", "é1"] {
            assert!(!are_beside(chars(pair)[0], chars(pair)[1]), "{pair}");
        }
    }

    #[test]
    fn beginnings_differ_by_their_slips() {
        let count = |a: &str, b: &str| to_beginning(&chars(a), &chars(b), 2);
        assert_eq!(count("trvel", "travelling"), Some(1));
        assert_eq!(count("rtavel", "travel"), Some(1));
        assert_eq!(count("travle", "travelling"), Some(1));
        assert_eq!(count("travel", "travelling"), Some(0));
        assert_eq!(count("xyz", "travelling"), None);
    }
}
