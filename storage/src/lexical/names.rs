//! Names that are typed in lower case and would be function words: the `it` of `it support`, the `us` of `public holidays us`.
//!
//! A few key words are no sentence, and a lone function word among them is mostly a name without its capitals. Such a name
//! is looked for beside the words, where documents have it with capitals; in a question, `it` is what it is.

use super::analysis::Analyzer;
use super::normal::NormalText;
use super::stopwords::is_stopword;
use super::tokens::runs;

/// A name that may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// What was typed, in lower case and without blanks.
    pub of: String,
    /// The exact name that documents have.
    pub code: String,
}

/// Words of a query that may be key words alone.
const MAX_WORDS: usize = 4;

/// Function words that open a question or a request: a name only in front of a single word.
const OPENERS: &[&str] = &[
    "about", "all", "any", "are", "can", "could", "did", "do", "does", "for", "from", "get", "how", "in", "is", "may",
    "more", "my", "on", "our", "should", "to", "want", "what", "when", "where", "which", "who", "why", "will", "with",
];

/// The names that a query of key words may ask for.
pub(super) fn of(text: &str) -> Vec<Name> {
    let text = NormalText::of(text);
    let text = text.as_str();
    let words: Vec<&str> = runs(text).map(|(run, _)| &text[run]).collect();
    let is_plain = text.split_whitespace().count() == words.len();
    if !is_plain || !(2..=MAX_WORDS).contains(&words.len()) {
        return Vec::new();
    }
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let mut function = lower.iter().enumerate().filter(|(_, word)| is_stopword(word) && word.len() > 1);
    let (Some((at, word)), None) = (function.next(), function.next()) else { return Vec::new() };
    let is_name = match at {
        // `contact us`
        _ if at + 1 == words.len() => words.len() > 2 || word != "us",
        0 => words.len() == 2 || !OPENERS.contains(&word.as_str()),
        _ => false,
    };
    let is_known = Analyzer::codes(text).iter().any(|code| code.text.eq_ignore_ascii_case(word));
    if !is_name || is_known {
        return Vec::new();
    }
    let mut letters = word.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    [word.to_uppercase(), capital].map(|code| Name { of: word.clone(), code }).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_function_word_among_key_words_may_be_a_name() {
        for (text, names) in [
            ("public holidays us", vec!["US", "Us"]),
            ("it strategy", vec!["IT", "It"]),
            ("sales report may", vec!["MAY", "May"]),
            ("who guidelines", vec!["WHO", "Who"]),
            ("PUBLIC HOLIDAYS US", vec!["US", "Us"]),
            ("IT strategy", vec![]), // it has its capitals
            ("contact us", vec![]),
            ("who approves travel", vec![]),
            ("how do i get it", vec![]),
            ("make it work", vec![]),
            ("travel costs", vec![]),
            ("it", vec![]),
            ("check-in it", vec![]),
            ("", vec![]),
        ] {
            let codes: Vec<String> = of(text).into_iter().map(|name| name.code).collect();
            assert_eq!(codes, names, "{text}");
        }
    }
}
