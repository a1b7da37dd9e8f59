//! The analysis of text into terms, the one that indexing, querying and highlighting share.
//!
//! Four streams of terms come out of a text in normal form (see `normal` and `tokens`), one for each lexical field:
//! * *exact words*: in lower case, without diacritics: for phrases, and for what is typed without its accents;
//! * *stems*: words stemmed in the document's language and tagged with it (`en:travel`), so that a stem of one language is
//!   never taken for a word of another;
//! * *grams*: characters and overlapping pairs of characters of scripts that are written without spaces (Chinese,
//!   Japanese, Korean, Thai, Lao, Khmer, Burmese), traditional ones as simplified ones;
//! * *codes*: exact names and numbers such as `ERR_4711`, `foo_bar` or `v1.2.3`, only lower-cased; and what would be a
//!   function word without its capitals (`US`, `IT`, the month of May), as it is written.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use frostem::Stemmer;

use super::normal::{self, NormalText};
use super::schema::DEFAULT_LANGUAGE;
use super::stopwords::is_stopword;
use super::tokens::{Script, Token, TokenKind, for_each_token, is_unspaced, runs};

/// Numbers of a version, or of an address.
const VERSION_PARTS: std::ops::RangeInclusive<usize> = 2..=4;

/// Longest term in bytes; anything longer is no word anybody types (base64, minified code).
pub(super) const MAX_TERM_BYTES: usize = 100;

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
    /// Its words as they are written, in order of their positions.
    pub exact: Vec<Term>,
    /// Its stems, likewise.
    pub stems: Vec<Term>,
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
pub struct NormalForms(HashMap<String, WordForms>);

/// A word as the index compares it.
#[derive(Debug, Clone)]
struct WordForms {
    exact: String,
    /// With the tag of its language.
    stem: String,
}

impl NormalForms {
    /// Shows the forms of a word to `visit`.
    fn with(&mut self, analyzer: &Analyzer, word: &str, visit: impl FnOnce(&WordForms)) {
        if let Some(forms) = self.0.get(word) {
            return visit(forms);
        }
        if self.0.len() >= KEPT_FORMS {
            self.0.clear();
        }
        let forms = analyzer.forms(word);
        visit(&forms);
        self.0.insert(word.to_owned(), forms);
    }
}

/// Turns text into terms, in one language.
#[derive(Clone)]
pub struct Analyzer {
    stemmer: Option<Stemmer>,
    /// Language of the stemmer; empty without one.
    tag: String,
    is_main: bool,
}

impl Analyzer {
    /// The analysis for an ISO 639-1 language; words of languages without a stemmer stay as they are.
    pub fn for_language(language: Option<&str>) -> Self {
        let stemmer = language.and_then(|code| Some((code, Stemmer::try_from_name(code).ok()?)));
        match stemmer {
            Some((code, stemmer)) => Self { stemmer: Some(stemmer), tag: code.to_owned(), is_main: false },
            None => Self { stemmer: None, tag: String::new(), is_main: false },
        }
    }

    /// The analysis of documents in this language; of those in none that is known, that of the default language.
    pub fn for_documents(language: Option<&str>) -> Self {
        Self::for_language(Some(language.unwrap_or(DEFAULT_LANGUAGE)))
    }

    /// The language whose stems it makes; empty if it makes none.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The same for the language that most documents of an index are in: a query that does not show its language is taken
    /// to be in it.
    pub(super) fn into_main(self) -> Self {
        Self { is_main: true, ..self }
    }

    pub(super) fn is_main(&self) -> bool {
        self.is_main
    }

    /// All four streams of a text.
    pub fn analyse(&self, text: &str, known: &mut NormalForms) -> AnalysedText {
        let normal = NormalText::of(text);
        let (exact, stems) = self.words_of(&normal, known, |_| true, |_| true);
        AnalysedText { exact, stems, grams: grams_of(&normal), codes: codes_of(&normal) }
    }

    /// The words of a text, exact and stemmed, with the forms of words that were met before.
    pub fn words(&self, text: &str, known: &mut NormalForms) -> (Vec<Term>, Vec<Term>) {
        self.words_of(&NormalText::of(text), known, |_| true, |_| true)
    }

    /// Of the words of a text those that are looked for, at their positions: most words of a passage are not those of a query,
    /// and need not be kept.
    pub fn words_among(
        &self,
        text: &str,
        known: &mut NormalForms,
        wants_exact: impl Fn(&str) -> bool,
        wants_stem: impl Fn(&str) -> bool,
    ) -> (Vec<Term>, Vec<Term>) {
        self.words_of(&NormalText::of(text), known, wants_exact, wants_stem)
    }

    fn words_of(
        &self,
        text: &NormalText<'_>,
        known: &mut NormalForms,
        wants_exact: impl Fn(&str) -> bool,
        wants_stem: impl Fn(&str) -> bool,
    ) -> (Vec<Term>, Vec<Term>) {
        let (mut exact, mut stems) = (Vec::new(), Vec::new());
        let mut keep = |forms: &WordForms, span: Range<usize>, position: usize| {
            if forms.exact.is_empty() {
                return;
            }
            let term = |form: &str| Term { text: form.to_owned(), span: text.origin(span.clone()), position };
            if wants_exact(&forms.exact) {
                exact.push(term(&forms.exact));
            }
            if wants_stem(&forms.stem) {
                stems.push(term(&forms.stem));
            }
        };
        for_each_token(text.as_str(), |Token { text: word, span, position, kind }| match kind {
            _ if word.len() > MAX_TERM_BYTES => {}
            TokenKind::Number => {
                keep(&WordForms { exact: word.to_owned(), stem: self.tagged(word) }, span, position);
            }
            _ => known.with(self, word, |forms| keep(forms, span, position)),
        });
        (exact, stems)
    }

    fn forms(&self, word: &str) -> WordForms {
        let lower = normal::lower(word);
        let stem = self.tagged(&normal::fold(&self.stemmed(&lower)));
        WordForms { exact: normal::fold(&lower).into_owned(), stem }
    }

    fn stemmed<'w>(&self, lower: &'w str) -> Cow<'w, str> {
        match &self.stemmer {
            Some(stemmer) => stemmer.stem(lower),
            None => Cow::Borrowed(lower),
        }
    }

    fn tagged(&self, stem: &str) -> String {
        format!("{}:{stem}", self.tag)
    }

    /// A word in lower case, stemmed, without diacritics.
    pub fn normalize(&self, word: &str) -> String {
        normal::fold(&self.stemmed(&normal::lower(word))).into_owned()
    }

    /// One word as it is stored among the stems.
    pub(super) fn stem(&self, word: &str) -> String {
        self.tagged(&self.normalize(word))
    }

    /// Characters and pairs of characters of the unspaced scripts in `text`. Both start at the position of their first
    /// character, so that a phrase of pairs is a phrase of characters.
    pub fn grams(text: &str) -> Vec<Term> {
        grams_of(&NormalText::of(text))
    }

    /// Exact names and numbers in `text`: tokens between spaces and brackets that are more than a plain word.
    pub fn codes(text: &str) -> Vec<Term> {
        codes_of(&NormalText::of(text))
    }
}

fn grams_of(normal: &NormalText<'_>) -> Vec<Term> {
    let text = normal.as_str();
    let mut terms = Vec::new();
    let mut push = |span: Range<usize>, position| {
        let text = normal::fold_characters(&text[span.clone()]);
        terms.push(Term { text, span: normal.origin(span), position });
    };
    let mut position = 0;
    for (span, script) in runs(text) {
        if script == Script::Spaced {
            position += 1;
            continue;
        }
        let mut characters = text[span.clone()].char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let start = span.start + at;
            let end = start + character.len_utf8();
            push(start..end, position);
            if let Some((_, next)) = characters.peek() {
                push(start..end + next.len_utf8(), position);
            }
            position += 1;
        }
        position += 1;
    }
    terms
}

fn codes_of(normal: &NormalText<'_>) -> Vec<Term> {
    let text = normal.as_str();
    let mut terms = Vec::new();
    let mut sign: Option<Range<usize>> = None;
    for (position, span) in tokens_between_spaces(text).enumerate() {
        let token = &text[span.clone()];
        let sign = std::mem::replace(&mut sign, is_sign_of_section(token).then(|| span.clone()));
        if token.len() > MAX_TERM_BYTES {
            continue;
        }
        let mut push = |text: String, span| terms.push(Term { text, span: normal.origin(span), position });
        if let Some(sign) = sign.filter(|_| token.starts_with(|first: char| first.is_ascii_digit())) {
            push(format!("{SECTION}{}", token.to_lowercase()), sign.start..span.end);
        }
        for other in written_otherwise(token) {
            push(other, span.clone());
        }
        if let Some(end) = version_start(token) {
            push(token[..end].to_lowercase(), span.start..span.start + end);
        }
        if is_code(token) {
            push(token.to_lowercase(), span);
        } else if let Some(name) = capitals(text, &span) {
            push(name, span);
        }
    }
    terms
}

/// The sign of a section of a law or a contract.
const SECTION: char = '§';

/// Whether a token is that sign alone, and its number follows.
fn is_sign_of_section(token: &str) -> bool {
    matches!(token, "§" | "§§")
}

/// What a code is typed as, too: a version without its `v` and without its last numbers (`2.10` of `v2.10.3`), and a number of
/// capitals and digits without the signs in it (`RE20240815` of `RE-2024/0815`).
fn written_otherwise(token: &str) -> Vec<String> {
    let version = token.strip_prefix(['v', 'V']).unwrap_or(token);
    let parts: Vec<&str> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if VERSION_PARTS.contains(&parts.len()) && parts.iter().all(is_number) {
        // The whole of it stands there already, where it has no letter.
        let longest = if version.len() < token.len() { parts.len() } else { parts.len() - 1 };
        return (2..=longest).map(|count| parts[..count].join(".")).collect();
    }
    let is_sign = |character: char| matches!(character, '-' | '/' | '.' | '_');
    let signs = token.chars().filter(|character| is_sign(*character)).count();
    let is_plain = |character: char| character.is_ascii_uppercase() || character.is_ascii_digit() || is_sign(character);
    let has_both = token.contains(|c: char| c.is_ascii_uppercase()) && token.contains(|c: char| c.is_ascii_digit());
    if signs >= 2 && has_both && token.chars().all(is_plain) {
        return vec![token.chars().filter(|character| !is_sign(*character)).collect::<String>().to_lowercase()];
    }
    Vec::new()
}

/// Where in the name of a language with signs its version begins: the `17` of `C++17`.
fn version_start(token: &str) -> Option<usize> {
    let name = token.trim_end_matches(|character: char| character.is_ascii_digit());
    let has_sign = name.ends_with("++") || name.ends_with('#');
    (has_sign && name.len() < token.len() && name.starts_with(char::is_alphabetic)).then_some(name.len())
}

/// A function word whose capitals make it a name, as it is written: `US` among words in lower case, `May` within a
/// sentence.
fn capitals(text: &str, span: &Range<usize>) -> Option<String> {
    let word = &text[span.clone()];
    if word.len() < 2
        || !word.bytes().all(|byte| byte.is_ascii_alphabetic())
        || !is_stopword(&word.to_ascii_lowercase())
    {
        return None;
    }
    let is_acronym = is_upper(word) && !is_shouted(text, span);
    let is_name = word.starts_with(|first: char| first.is_ascii_uppercase())
        && word[1..].bytes().all(|byte| byte.is_ascii_lowercase())
        && is_within_sentence(&text[..span.start]);
    (is_acronym || is_name).then(|| word.to_owned())
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether a neighbour is in capitals as well, and no short name: then they say nothing about the word.
fn is_shouted(text: &str, span: &Range<usize>) -> bool {
    let shouts = |word: Option<&str>| {
        let word = word.unwrap_or_default().trim_matches(|character: char| !character.is_alphanumeric());
        let is_upper = !word.chars().any(char::is_lowercase) && word.chars().any(char::is_uppercase);
        is_upper && (word.chars().count() > 2 || (word.len() == 2 && is_stopword(&word.to_lowercase())))
    };
    shouts(text[..span.start].split_whitespace().next_back()) || shouts(text[span.end..].split_whitespace().next())
}

/// Whether the word behind this text goes on with a sentence: it does not follow its end, a line or a bullet.
fn is_within_sentence(before: &str) -> bool {
    let line = before.trim_end_matches([' ', '\t']);
    line.chars().next_back().is_some_and(|last| last.is_alphanumeric() || matches!(last, ',' | ';' | ')' | '(' | '-'))
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
        // The point of `.NET` and `.gitignore` belongs to the name, the one of `.5` and that behind others does not.
        let is_named =
            trimmed_start.starts_with(char::is_alphabetic) && token[..token.len() - trimmed_start.len()] == *".";
        let trimmed_start = if is_named { token } else { trimmed_start };
        let trimmed = trimmed_start.trim_end_matches(['.', ':', '!', '?', '*', '-', '/']);
        let start = start + (token.len() - trimmed_start.len());
        (!trimmed.is_empty()).then(|| start..start + trimmed.len())
    })
}

/// Units of area and volume: no names, though they mix letters with digits.
const POWERS: &[&str] =
    &["cm2", "cm3", "dm2", "dm3", "ft2", "ft3", "in2", "in3", "km2", "km3", "m2", "m3", "mm2", "mm3", "yd2", "yd3"];

/// Whether a token is a name or number that stemming would spoil: it mixes letters with digits, or joins parts.
fn is_code(token: &str) -> bool {
    if POWERS.contains(&token) {
        return false;
    }
    let has_letter = token.chars().any(char::is_alphabetic);
    let has_digit = token.chars().any(|character| character.is_ascii_digit());
    let has_joint = token.contains(['_', '.', ':', '/', '#', '@', '+', '-', '\\', '&', '$', '%', SECTION]);
    (has_letter && has_digit) || (has_joint && (has_letter || has_digit))
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
        let words = |language, text| Analyzer::for_language(language).words(text, &mut NormalForms::default());
        let (exact, stems) = words(Some("en"), "Reimbursements for travelling, naïvely");
        assert_eq!(texts(stems), ["en:reimburs", "en:for", "en:travel", "en:naiv"]);
        assert_eq!(texts(exact), ["reimbursements", "for", "travelling", "naively"]);
        assert_eq!(texts(words(None, "Ｆｕｌｌ Café").1), [":full", ":cafe"]);
        assert_eq!(texts(words(Some("de"), "155,34 €").1), ["de:155", "de:155.34", "de:34"]);
    }

    #[test]
    fn unspaced_scripts_give_characters_and_pairs() {
        assert_eq!(texts(Analyzer::grams("报销 abc 款")), ["报", "报销", "销", "款"]);
        assert_eq!(texts(Analyzer::grams("報銷")), ["报", "报销", "销"]);
        assert_eq!(texts(Analyzer::grams("\u{1112}\u{1161}\u{11A8}\u{110C}\u{1165}\u{11B7}")), ["학", "학점", "점"]);
        assert!(Analyzer::for_language(None).words("报销", &mut NormalForms::default()).0.is_empty());
    }

    #[test]
    fn codes_stay_exact() {
        assert_eq!(
            texts(Analyzer::codes("C++17, F#; .NET and .env. ..no :no .5")),
            ["c++", "c++17", "f#", ".net", ".env"]
        );
        let codes =
            texts(Analyzer::codes("See ERR_4711 (v1.2.3), foo_bar, and plain words. C++ or std::vec; 2024-05-01."));
        assert_eq!(codes, ["err_4711", "1.2", "1.2.3", "v1.2.3", "foo_bar", "c++", "std::vec", "2024-05-01"]);
    }

    #[test]
    fn codes_are_there_as_they_are_typed_too() {
        for (text, codes) in [
            ("v2.10.3", vec!["2.10", "2.10.3", "v2.10.3"]),
            ("10.0.0.7", vec!["10.0", "10.0.0", "10.0.0.7"]),
            ("v2.1", vec!["2.1", "v2.1"]),
            ("RE-2024/0815", vec!["re20240815", "re-2024/0815"]),
            ("as §5 and § 12a say, §§ 7", vec!["§5", "§12a", "§7"]),
            ("src/v2/Foo-1.rs", vec!["src/v2/foo-1.rs"]),
        ] {
            let mut found = texts(Analyzer::codes(text));
            found.retain(|code| code != "12a");
            assert_eq!(found, codes, "{text}");
        }
    }

    #[test]
    fn capitals_make_names_of_function_words() {
        for (text, names) in [
            ("Offices in the US close; IT is a cost centre.", vec!["US", "IT"]),
            ("Revenue rose in May. May I ask us?", vec!["May"]),
            ("# Sales report May\n\nWho is it", vec!["May"]),
            ("HOW TO USE IT", vec![]),
            ("Tell us. It is ours", vec![]),
            ("the WHO said", vec!["WHO"]),
        ] {
            assert_eq!(texts(Analyzer::codes(text)), names, "{text}");
        }
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
            let AnalysedText { exact, stems, grams, codes } = analyzer.analyse(&text, &mut NormalForms::default());
            for term in exact.into_iter().chain(stems).chain(grams).chain(codes) {
                prop_assert!(text.get(term.span.clone()).is_some_and(|part| !part.is_empty()));
                prop_assert!(!term.text.is_empty());
            }
        }
    }
}
