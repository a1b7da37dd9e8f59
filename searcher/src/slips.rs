//! Slips of the hand: how many it takes to make one word of another.
//!
//! Counted are insertions, deletions, replacements and swaps of neighbours (optimal string alignment).

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
    fn beginnings_differ_by_their_slips() {
        let count = |a: &str, b: &str| to_beginning(&chars(a), &chars(b), 2);
        assert_eq!(count("trvel", "travelling"), Some(1));
        assert_eq!(count("rtavel", "travel"), Some(1));
        assert_eq!(count("travle", "travelling"), Some(1));
        assert_eq!(count("travel", "travelling"), Some(0));
        assert_eq!(count("xyz", "travelling"), None);
    }
}
