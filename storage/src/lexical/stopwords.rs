//! English function words, and the verbs that only frame a question: left out of a lexical query that has other words.
//!
//! They are indexed all the same, so that phrases and queries made of nothing else still find something.

/// Sorted, as they look before stemming.
const ENGLISH: &[&str] = &[
    "a", "about", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because", "been",
    "being", "both", "but", "by", "can", "could", "did", "do", "does", "doing", "each", "few", "for", "from",
    "further", "get", "gets", "getting", "got", "had", "has", "have", "having", "he", "her", "here", "him", "his",
    "how", "i", "if", "in", "into", "is", "it", "its", "just", "may", "me", "might", "more", "most", "must", "my",
    "of", "on", "once", "only", "or", "other", "our", "ours", "own", "please", "same", "shall", "she", "should", "so",
    "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "through", "to", "too", "until", "us", "very", "want", "wants", "was", "we", "were", "what", "when", "where",
    "which", "while", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "yours",
];

/// Whether a lower-case word carries no topic.
pub fn is_stopword(word: &str) -> bool {
    ENGLISH.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(ENGLISH.is_sorted());
        assert!(is_stopword("the") && is_stopword("yours") && !is_stopword("travel"));
    }
}
