//! Function words, and the verbs that only frame a question: left out of a lexical query that has other words.
//!
//! They are indexed all the same, so that phrases and queries made of nothing else still find something. English ones are
//! function words in any query; those of another language only in a query that is in it, because `die` and `man` are
//! words of English.

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

const GERMAN: &[&str] = &[
    "aber", "als", "am", "an", "auch", "auf", "aus", "bei", "beim", "bin", "bis", "bitte", "das", "dass", "dem", "den",
    "der", "des", "die", "diese", "dieser", "dieses", "durch", "ein", "eine", "einem", "einen", "einer", "eines", "er",
    "es", "für", "gibt", "habe", "haben", "hat", "ich", "ihr", "im", "in", "ist", "kann", "mein", "meine", "meinen",
    "meiner", "mich", "mir", "mit", "muss", "nach", "nicht", "oder", "ohne", "sein", "sich", "sie", "sind", "um",
    "und", "uns", "unser", "unsere", "unter", "vom", "von", "vor", "wann", "warum", "was", "welche", "welchem",
    "welchen", "welcher", "welches", "wenn", "wer", "werden", "wie", "wir", "wird", "wo", "wofür", "woher", "wohin",
    "zu", "zum", "zur", "über",
];

const FRENCH: &[&str] = &[
    "a", "ai", "au", "aux", "avec", "ce", "ces", "cette", "combien", "comment", "d", "dans", "de", "des", "du", "elle",
    "en", "est", "et", "il", "j", "je", "l", "la", "le", "les", "leur", "ma", "mes", "mon", "ne", "nos", "notre",
    "nous", "on", "ont", "ou", "où", "par", "pas", "peut", "peux", "pour", "pourquoi", "qu", "quand", "que", "quel",
    "quelle", "quelles", "quels", "qui", "quoi", "sa", "se", "ses", "son", "sont", "sur", "un", "une", "vos", "votre",
    "vous", "à",
];

const SPANISH: &[&str] = &[
    "a", "al", "como", "con", "cuando", "cuál", "cuándo", "cuánto", "cuántos", "cómo", "de", "del", "dónde", "el",
    "en", "es", "esta", "este", "está", "hay", "la", "las", "lo", "los", "me", "mi", "mis", "no", "nuestra", "nuestro",
    "o", "para", "pero", "por", "puede", "puedo", "que", "quién", "qué", "se", "ser", "si", "sin", "son", "su", "sus",
    "un", "una", "y",
];

const ITALIAN: &[&str] = &[
    "a", "ai", "al", "alla", "alle", "che", "chi", "come", "con", "cosa", "da", "dal", "dalla", "dei", "del", "della",
    "delle", "di", "dove", "e", "gli", "ho", "i", "il", "in", "io", "l", "la", "le", "lo", "mi", "mia", "mio", "nel",
    "nella", "non", "o", "per", "perché", "posso", "quale", "quali", "quando", "quanti", "quanto", "si", "sono", "su",
    "sul", "sulla", "un", "una", "è",
];

const PORTUGUESE: &[&str] = &[
    "a", "ao", "aos", "as", "com", "como", "da", "das", "de", "do", "dos", "e", "em", "eu", "me", "meu", "minha", "na",
    "nas", "no", "nos", "não", "o", "onde", "os", "ou", "para", "pela", "pelo", "por", "posso", "quais", "qual",
    "quando", "quanto", "quantos", "que", "quem", "se", "ser", "são", "um", "uma", "à", "é",
];

const DUTCH: &[&str] = &[
    "aan", "als", "bij", "dat", "de", "deze", "die", "dit", "door", "een", "en", "er", "heb", "heeft", "het", "hoe",
    "hoeveel", "ik", "in", "is", "kan", "met", "mijn", "moet", "naar", "niet", "of", "om", "onze", "op", "te", "tot",
    "uit", "van", "voor", "waar", "waarom", "wanneer", "wat", "we", "welke", "wie", "wij", "worden", "wordt", "zijn",
];

/// The lists of other languages than English, by their codes.
const OTHERS: [(&str, &[&str]); 6] =
    [("de", GERMAN), ("es", SPANISH), ("fr", FRENCH), ("it", ITALIAN), ("nl", DUTCH), ("pt", PORTUGUESE)];

/// Function words that show which language a query is in.
const TELLING: usize = 2;

/// Whether a lower-case word carries no topic in English.
pub fn is_stopword(word: &str) -> bool {
    ENGLISH.binary_search(&word).is_ok()
}

/// Whether a lower-case word carries no topic in a query of this language.
pub(super) fn is_stopword_in(language: Option<&str>, word: &str) -> bool {
    let list = OTHERS.iter().find(|(code, _)| Some(*code) == language).map(|(_, list)| list);
    is_stopword(word) || list.is_some_and(|list| list.binary_search(&word).is_ok())
}

/// The language of a query, as its function words show it; `None` if there are too few, or as many of two languages.
pub(super) fn language_of<'w>(words: impl Iterator<Item = &'w str> + Clone) -> Option<&'static str> {
    let count = |list: &[&str]| words.clone().filter(|word| list.binary_search(word).is_ok()).count();
    let mut counts: Vec<(usize, &'static str)> = OTHERS.iter().map(|(code, list)| (count(list), *code)).collect();
    counts.push((count(ENGLISH), "en"));
    counts.sort_unstable_by(|a, b| b.cmp(a));
    match counts.as_slice() {
        [(most, code), (next, _), ..] if *most >= TELLING && most > next => Some(*code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in OTHERS.iter().map(|(_, list)| list).chain([&ENGLISH]) {
            assert!(list.is_sorted(), "{list:?}");
        }
        assert!(is_stopword("the") && is_stopword("yours") && !is_stopword("travel"));
    }

    #[test]
    fn function_words_show_the_language() {
        let language = |text: &str| language_of(text.split(' '));
        assert_eq!(language("wie beantrage ich urlaub"), Some("de"));
        assert_eq!(language("how do i request vacation"), Some("en"));
        assert_eq!(language("comment demander des congés pour mon enfant"), Some("fr"));
        assert_eq!(language("die casting"), None);
        assert_eq!(language("reset"), None);
        assert!(is_stopword_in(Some("de"), "wie") && !is_stopword_in(None, "wie") && is_stopword_in(None, "how"));
    }
}
