//! Words: how much of a sentence stands in its evidence.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation as _;

/// The share of a sentence's words that its evidence has to hold.
const LEAST: f64 = 0.5;
/// Shorter words join others, and say little.
const SHORT: usize = 4;
/// Letters at the end of a word that may differ: its form.
const ENDING: usize = 3;

/// Whether most words of a sentence stand in a text.
pub(super) fn are_found(sentence: &str, text: &str) -> bool {
    share(sentence, text) >= LEAST
}

/// The share of a sentence's words that stand in a text, whatever their form; pairs of characters for scripts without spaces.
/// 0 for a sentence without words.
pub(super) fn share(sentence: &str, text: &str) -> f64 {
    let (said, known) = (parts(sentence), parts(text));
    if said.is_empty() {
        return 0.0;
    }
    let stems: HashSet<String> = known.iter().map(|word| stem(word)).collect();
    let found = said.iter().filter(|word| known.contains(*word) || stems.contains(&stem(word))).count();
    found as f64 / said.len() as f64
}

fn parts(text: &str) -> HashSet<String> {
    let text = text.to_lowercase();
    let mut parts: HashSet<String> = HashSet::new();
    let spaced = |word: &str| !word.starts_with(storage::is_unspaced);
    parts.extend(text.unicode_words().filter(|word| spaced(word) && word.chars().count() >= SHORT).map(str::to_owned));
    let characters: Vec<char> = text.chars().collect();
    let pairs =
        characters.windows(2).filter(|pair| pair.iter().all(|c| storage::is_unspaced(*c) && c.is_alphanumeric()));
    parts.extend(pairs.map(|pair| pair.iter().collect::<String>()));
    parts
}

/// A word without what changes with its form.
fn stem(word: &str) -> String {
    let length = word.chars().count();
    let kept = length.saturating_sub(ENDING).max(SHORT);
    word.chars().take(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_other_forms_is_found() {
        assert!(are_found("Expenses are claimed in Nest.", "Claim your expense in Nest within a month."));
        assert!(are_found("员工有27天年假。", "全职员工每年有27天年假"));
        assert!(!are_found("The password is hunter2.", "Claim your expense in Nest."));
        assert!(!are_found("员工可以远程办公。", "全职员工每年有27天年假"));
        assert!(!are_found("42", "42"));
    }
}
