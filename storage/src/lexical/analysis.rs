//! The analysis of text into terms, the one that indexing, querying and highlighting share.
//!
//! Three streams of terms come out of a text, one for each lexical field:
//! * *words*: runs of letters and digits, compatibility-normalised (NFKC), lower-cased, stemmed in the document's
//!   language and freed of diacritics; `camelCase` names give their parts as well;
//! * *grams*: characters and overlapping pairs of characters of scripts that are written without spaces (Chinese,
//!   Japanese, Korean, Thai, Lao, Khmer, Burmese);
//! * *codes*: exact names and numbers such as `ERR_4711`, `foo_bar` or `v1.2.3`, only lower-cased.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use frostem::Stemmer;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::schema::DEFAULT_LANGUAGE;

/// Longest term in bytes; anything longer is no word anybody types (base64, minified code).
const MAX_TERM_BYTES: usize = 100;

/// A term, where it comes from and its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The normalised text.
    pub text: String,
    /// Bytes of the analysed text it comes from.
    pub span: Range<usize>,
    /// Position for phrases; parts of one name share or follow its position.
    pub position: usize,
}

/// A text as the index compares it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnalysedText {
    /// Its words, in order of their positions.
    pub words: Vec<Term>,
    /// Its characters and pairs of characters of unspaced scripts, in order of their positions.
    pub grams: Vec<Term>,
    /// Its exact names and numbers.
    pub codes: Vec<Term>,
}

/// Words whose normal forms are kept; when there are more, it begins anew.
const KEPT_FORMS: usize = 20_000;

/// The normal forms of words that were met before, in one language: stemming the passages of an answer takes longer than
/// finding them, and most words are met again and again.
#[derive(Debug, Default)]
pub struct NormalForms(HashMap<String, String>);

impl NormalForms {
    fn of(&mut self, analyzer: &Analyzer, word: &str) -> String {
        if let Some(form) = self.0.get(word) {
            return form.clone();
        }
        if self.0.len() >= KEPT_FORMS {
            self.0.clear();
        }
        let form = analyzer.normalize(word);
        self.0.insert(word.to_owned(), form.clone());
        form
    }
}

/// Turns text into terms, in one language.
#[derive(Clone)]
pub struct Analyzer {
    stemmer: Option<Stemmer>,
}

impl Analyzer {
    /// The analysis for an ISO 639-1 language; words of languages without a stemmer stay as they are.
    pub fn for_language(language: Option<&str>) -> Self {
        Self { stemmer: language.and_then(|code| Stemmer::try_from_name(code).ok()) }
    }

    /// The analysis of documents in this language; of those in none that is known, that of the default language.
    pub fn for_documents(language: Option<&str>) -> Self {
        Self::for_language(Some(language.unwrap_or(DEFAULT_LANGUAGE)))
    }

    /// The words of `text`, stemmed.
    pub fn words(&self, text: &str) -> Vec<Term> {
        self.words_by(text, |word| self.normalize(word))
    }

    /// All three streams of a text.
    pub fn analyse(&self, text: &str, known: &mut NormalForms) -> AnalysedText {
        AnalysedText { words: self.known_words(text, known), grams: Self::grams(text), codes: Self::codes(text) }
    }

    /// [`Analyzer::words`], with the forms of words that were met before.
    pub fn known_words(&self, text: &str, known: &mut NormalForms) -> Vec<Term> {
        self.words_by(text, |word| known.of(self, word))
    }

    fn words_by(&self, text: &str, mut normalize: impl FnMut(&str) -> String) -> Vec<Term> {
        let mut push = |terms: &mut Vec<Term>, span: Range<usize>, position: usize| {
            let text = normalize(&text[span.clone()]);
            if !text.is_empty() && text.len() <= MAX_TERM_BYTES {
                terms.push(Term { text, span, position });
            }
        };
        let mut terms = Vec::with_capacity(text.len() / 6);
        let mut position = 0;
        for (span, script) in runs(text) {
            if script == Script::Unspaced {
                // A gap, so that no phrase reaches across.
                position += 1;
                continue;
            }
            let word = &text[span.clone()];
            let parts = camel_parts(word);
            push(&mut terms, span.clone(), position);
            if parts.len() > 1 {
                for part in parts {
                    push(&mut terms, span.start + part.start..span.start + part.end, position);
                    position += 1;
                }
            } else {
                position += 1;
            }
        }
        terms
    }

    /// One word as it is stored in the index.
    pub fn normalize(&self, word: &str) -> String {
        let lower = fold_compatibility(word).to_lowercase();
        let stemmed = match &self.stemmer {
            Some(stemmer) => stemmer.stem(&lower),
            None => Cow::Borrowed(lower.as_str()),
        };
        fold_diacritics(&stemmed).into_owned()
    }

    /// Characters and pairs of characters of the unspaced scripts in `text`. Both start at the position of their first
    /// character, so that a phrase of pairs is a phrase of characters.
    pub fn grams(text: &str) -> Vec<Term> {
        let mut terms = Vec::new();
        let mut position = 0;
        for (span, script) in runs(text) {
            if script == Script::Spaced {
                position += 1;
                continue;
            }
            let run = &text[span.clone()];
            let mut characters = run.char_indices().peekable();
            while let Some((at, character)) = characters.next() {
                let start = span.start + at;
                let end = start + character.len_utf8();
                terms.push(gram(&text[start..end], start..end, position));
                if let Some((_, next)) = characters.peek() {
                    let end = end + next.len_utf8();
                    terms.push(gram(&text[start..end], start..end, position));
                }
                position += 1;
            }
            position += 1;
        }
        terms
    }

    /// Exact names and numbers in `text`: tokens between spaces and brackets that are more than a plain word.
    pub fn codes(text: &str) -> Vec<Term> {
        let mut terms = Vec::new();
        for (position, span) in tokens_between_spaces(text).enumerate() {
            let token = &text[span.clone()];
            if is_code(token) && token.len() <= MAX_TERM_BYTES {
                let text = fold_compatibility(token).to_lowercase();
                terms.push(Term { text, span, position });
            }
        }
        terms
    }
}

fn gram(text: &str, span: Range<usize>, position: usize) -> Term {
    Term { text: fold_compatibility(text).to_lowercase(), span, position }
}

/// How a script separates words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// By spaces: a run is a word.
    Spaced,
    /// Not at all: a run is a clause.
    Unspaced,
}

/// Runs of letters and digits, each of one kind of script, as byte ranges: what all analysis begins with.
pub fn runs(text: &str) -> impl Iterator<Item = (Range<usize>, Script)> + '_ {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = rest.find(|(_, character)| character.is_alphanumeric())?;
        let script = script_of(first);
        let mut end = start + first.len_utf8();
        while let Some((at, character)) = rest.peek() {
            let joins = character.is_alphanumeric() || is_combining_mark(*character);
            if !joins || (character.is_alphanumeric() && script_of(*character) != script) {
                break;
            }
            end = at + character.len_utf8();
            rest.next();
        }
        Some((start..end, script))
    })
}

/// The words of a text in lower case, unstemmed; of scripts without spaces, each character: for the likeness of texts.
pub fn plain_words(text: &str) -> impl Iterator<Item = String> + '_ {
    runs(text).flat_map(|(run, script)| {
        let run = &text[run];
        match script {
            Script::Spaced => vec![run.to_lowercase()],
            Script::Unspaced => run.chars().map(String::from).collect(),
        }
    })
}

/// Whether the character belongs to a script written without spaces (or, for Korean, best matched without them).
pub fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x0EFF          // Thai, Lao
        | 0x1000..=0x109F        // Burmese
        | 0x1100..=0x11FF        // Hangul letters
        | 0x1780..=0x17FF        // Khmer
        | 0x3005..=0x3007        // iteration marks, zero
        | 0x3040..=0x30FF        // Hiragana, Katakana
        | 0x3130..=0x318F        // Hangul compatibility letters
        | 0x31F0..=0x31FF        // Katakana extensions
        | 0x3400..=0x4DBF        // Han extension A
        | 0x4E00..=0x9FFF        // Han
        | 0xA960..=0xA97F | 0xAC00..=0xD7FF // Hangul
        | 0xF900..=0xFAFF        // Han compatibility
        | 0xFF66..=0xFF9F        // half-width Katakana
        | 0x20000..=0x3FFFF      // Han extensions B and later
    )
}

fn script_of(character: char) -> Script {
    if is_unspaced(character) { Script::Unspaced } else { Script::Spaced }
}

/// The parts of a `camelCase` name as byte ranges; one part for anything else.
fn camel_parts(word: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut previous: Option<char> = None;
    let mut characters = word.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next_is_lower = characters.peek().is_some_and(|(_, next)| next.is_lowercase());
        let boundary = previous.is_some_and(|previous| {
            character.is_uppercase() && (previous.is_lowercase() || (previous.is_uppercase() && next_is_lower))
        });
        if boundary {
            parts.push(start..at);
            start = at;
        }
        previous = Some(character);
    }
    parts.push(start..word.len());
    parts
}

/// Tokens between white space, brackets, quotes and separators, with sentence punctuation trimmed off.
fn tokens_between_spaces(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let separates = |character: char| {
        character.is_whitespace()
            || is_unspaced(character)
            || matches!(
                character,
                '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '"' | '\'' | '`' | ',' | ';' | '|' | '='
            )
            || matches!(character, '\u{2018}'..='\u{201F}' | '\u{3000}'..='\u{303F}' | '\u{FF08}' | '\u{FF09}' | '\u{FF0C}' | '\u{FF1A}' | '\u{FF1B}')
    };
    text.split(separates).filter_map(move |token| {
        let start = token.as_ptr() as usize - text.as_ptr() as usize;
        let trimmed_start = token.trim_start_matches(['.', ':', '!', '?', '*', '-', '/']);
        let trimmed = trimmed_start.trim_end_matches(['.', ':', '!', '?', '*', '-', '/']);
        let start = start + (token.len() - trimmed_start.len());
        (!trimmed.is_empty()).then(|| start..start + trimmed.len())
    })
}

/// Whether a token is a name or number that stemming would spoil: it mixes letters with digits, or joins parts.
fn is_code(token: &str) -> bool {
    let has_letter = token.chars().any(char::is_alphabetic);
    let has_digit = token.chars().any(|character| character.is_ascii_digit());
    let has_joint = token.contains(['_', '.', ':', '/', '#', '@', '+', '-', '\\', '&', '$', '%']);
    (has_letter && has_digit) || (has_joint && (has_letter || has_digit))
}

/// NFKC, without work for the usual case.
fn fold_compatibility(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || unicode_normalization::is_nfkc(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().collect())
}

/// Letters without their marks: `é` becomes `e`.
fn fold_diacritics(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfd().filter(|character| !is_combining_mark(*character)).nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(terms: Vec<Term>) -> Vec<String> {
        terms.into_iter().map(|term| term.text).collect()
    }

    #[test]
    fn words_are_stemmed_and_folded() {
        let english = Analyzer::for_language(Some("en"));
        assert_eq!(
            texts(english.words("Reimbursements for travelling, naïvely")),
            ["reimburs", "for", "travel", "naiv"]
        );
        assert_eq!(texts(Analyzer::for_language(None).words("Ｆｕｌｌ-width Café")), ["full", "width", "cafe"]);
    }

    #[test]
    fn names_give_their_parts() {
        let plain = Analyzer::for_language(None);
        assert_eq!(
            texts(plain.words("getHTTPResponse foo_bar")),
            ["gethttpresponse", "get", "http", "response", "foo", "bar"]
        );
    }

    #[test]
    fn unspaced_scripts_give_characters_and_pairs() {
        assert_eq!(texts(Analyzer::grams("报销 abc 款")), ["报", "报销", "销", "款"]);
        assert!(texts(Analyzer::for_language(None).words("报销")).is_empty());
    }

    #[test]
    fn codes_stay_exact() {
        let codes =
            texts(Analyzer::codes("See ERR_4711 (v1.2.3), foo_bar, and plain words. C++ or std::vec; 2024-05-01."));
        assert_eq!(codes, ["err_4711", "v1.2.3", "foo_bar", "c++", "std::vec", "2024-05-01"]);
    }

    #[test]
    fn phrases_of_pairs_are_phrases_of_characters() {
        let pairs: Vec<_> =
            Analyzer::grams("差旅费").into_iter().filter(|term| term.text.chars().count() == 2).collect();
        assert_eq!(pairs.iter().map(|term| term.position).collect::<Vec<_>>(), [0, 1]);
    }

    proptest! {
        #[test]
        fn spans_point_into_the_text(text in "\\PC{0,200}") {
            let analyzer = Analyzer::for_language(Some("en"));
            for term in analyzer.words(&text).into_iter().chain(Analyzer::grams(&text)).chain(Analyzer::codes(&text)) {
                prop_assert!(text.get(term.span.clone()).is_some_and(|part| !part.is_empty()));
                prop_assert!(!term.text.is_empty());
            }
        }
    }
}
