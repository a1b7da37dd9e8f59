//! A query of the lexical index and its analysis.
//!
//! Free text is a disjunction: every word, pair of characters and code adds its BM25 score where it occurs. Phrases must
//! occur as they are written, excluded words must not occur. A word is looked up as it is stemmed in each language that
//! the index holds, among the stems of that language alone, because the language of three words cannot be told. The one that
//! its function words show, or that most documents are in, counts most; where there is none such, and where a word's own
//! language does not hold it, the word as it is written counts too, in any language.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::alternative::{Alternative, AnalysedAlternative};
use super::analysis::{self, Analyzer, MAX_TERM_BYTES, NormalForms};
use super::apart::{self, Spelling};
use super::names::{self, Name};
use super::normal::{self, NormalText};
use super::stopwords::{is_stopword_in, language_of};
use super::tokens::{Script, TokenKind, for_each_token, is_unspaced, runs};
use super::umlauts;

/// Most words, grams or codes of a query that are looked up; the rest adds nothing but time.
pub(super) const MAX_TERMS: usize = 64;
/// Words of a phrase that may be names of several parts, and spellings of it.
const MAX_NAMED: usize = 12;
const MAX_SPELLINGS: usize = 12;

/// Weight of a part of a name, where the name has 1.
pub(super) const PIECE: f32 = 0.5;

/// Weight of digits of a number: `1288` is not `1288.5`.
const DIGITS: f32 = 0.2;

/// Weight of words around a hyphen in one, where each of them has 1.
const JOINED: f32 = 0.4;

/// Weight of a word that is written with other letters.
const VARIANT: f32 = 0.9;

/// Weight of a telephone number: of its groups, other numbers have some too.
const DIALLED: f32 = 2.0;

/// Weight of a function word within a name: the `on` of `on-boarding`.
const FUNCTION: f32 = 0.2;

/// Weight of a stem in a language that the query is not in.
const FOREIGN: f32 = 0.8;

/// Weight of a stem where the language of the query is not known, and there are several.
const ANY_LANGUAGE: f32 = 0.7;

/// Weight of a word as it is written, beside its stems, where the language of the query is not known.
const EXACT: f32 = 0.5;

/// A lexical query; all texts are as the user wrote them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LexicalQuery {
    /// Words of which any may occur.
    pub text: String,
    /// Word sequences that must occur, as they are written.
    pub phrases: Vec<String>,
    /// Words that must not occur, in any of their forms.
    pub without: Vec<String>,
    /// Word sequences that must not occur, as they are written.
    pub without_phrases: Vec<String>,
    /// What is looked for beside words of the text.
    pub alternatives: Vec<Alternative>,
}

/// How much a match in each field counts. The defaults were measured on the evaluation sets named in `docs/BENCHMARKS.md`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LexicalWeights {
    /// A word anywhere in the passage, its headings or its title.
    pub body: f32,
    /// Added for a word in the title.
    pub title: f32,
    /// Added for a word in the heading path or file name.
    pub headings: f32,
    /// Added for two words with capitals that stand beside each other as they do in the query: names of several words.
    pub neighbours: f32,
    /// A pair of characters of an unspaced script.
    pub pairs: f32,
    /// A single character of an unspaced script.
    pub characters: f32,
    /// Added for an exact code.
    pub codes: f32,
}

impl Default for LexicalWeights {
    fn default() -> Self {
        Self { body: 1.0, title: 0.2, headings: 0.1, neighbours: 0.5, pairs: 1.0, characters: 0.2, codes: 1.0 }
    }
}

/// A lexical query as the index compares it: analysed once, in every language that the index holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnalysedQuery {
    /// The distinct words.
    pub words: Vec<QueryWord>,
    /// Characters and pairs of characters of unspaced scripts.
    pub grams: Vec<String>,
    /// Exact names and numbers.
    pub codes: Vec<String>,
    /// What is written apart: names of letters and digits (`ISO 9001` for `ISO9001`), and numbers with their units, which are one
    /// thing. Where they do occur, they count.
    pub spellings: Vec<Spelling>,
    /// Names that may be meant, as documents have them: function words in a query of key words with their capitals (`IT` for
    /// `it support`), measures and sizes without blanks, signs that were spelt out (`.NET` for `dotnet`).
    pub names: Vec<Name>,
    /// Names of several words, two by two.
    pub neighbours: Vec<Sequence>,
    /// Tokens of several words (`e-mail`, `ERR_4711`): they need not occur, but where they do, they are what was meant.
    pub compounds: Vec<Sequence>,
    /// What must occur.
    pub phrases: Vec<Sequence>,
    /// Words that must not.
    pub without: Vec<QueryWord>,
    /// Sequences that must not.
    pub without_phrases: Vec<Sequence>,
    /// What may occur in the place of some words.
    pub alternatives: Vec<AnalysedAlternative>,
}

/// A word of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryWord {
    /// As it was typed, in lower case without diacritics.
    pub exact: String,
    /// How much the exact word counts beside the stems; 0 where these say it all.
    pub exact_weight: f32,
    /// Its stem in every language, each with the tag of its language, and how much that one counts.
    pub stems: Vec<(String, f32)>,
    /// Its stems where letters that a keyboard may lack are written otherwise (`Mueller` for Müller), likewise; they are looked
    /// for where they are held, and those of two letters in one where the word itself is not.
    pub variants: Vec<(String, f32)>,
    /// How much the word counts.
    pub weight: f32,
    /// Whether it is another spelling of words that stand beside it: the parts of a name, words around a hyphen in one.
    pub is_spelling: bool,
    /// Of words around a hyphen in one, these words as `exact` has them.
    pub joins: Vec<String>,
    /// Whether it was typed only inside of a name (`ERR_4711`) or as a lone letter of a compound (`e-mail`): it counts, but
    /// says nothing where it stands alone.
    pub is_part: bool,
}

/// Words or characters in their order, with their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The words as they are written.
    pub words: Vec<(usize, String)>,
    /// The same words in other spellings, which are as good: a name whose parts capitals tell apart takes a place for each of
    /// them, so that `JavaScript framework` is longer than `javascript framework`.
    pub spellings: Vec<Vec<(usize, String)>>,
    /// Characters or pairs of them.
    pub characters: Vec<(usize, String)>,
}

impl AnalysedQuery {
    /// Analyses a query as an index of these languages does.
    pub fn of(query: &LexicalQuery, analyzers: &[Analyzer]) -> Self {
        let sequences = |texts: &[String]| {
            texts.iter().map(|text| Sequence::of(text)).filter(Sequence::asks).collect::<Vec<Sequence>>()
        };
        // A word of several runs or of a script without spaces has an order.
        let (without, without_parts): (Vec<String>, Vec<String>) =
            query.without.iter().cloned().partition(|word| runs(word).count() == 1 && !word.contains(is_unspaced));
        let mut without_phrases = sequences(&query.without_phrases);
        without_phrases.extend(sequences(&without_parts));
        Self {
            words: query_words(&query.text, analyzers),
            grams: distinct(Analyzer::grams(&query.text)),
            codes: distinct(Analyzer::codes(&query.text)),
            spellings: apart::spellings(&query.text),
            names: [names::of(&query.text), apart::joined_names(&query.text)].concat(),
            neighbours: apart::neighbours(&query.text),
            compounds: compounds(&query.text),
            phrases: sequences(&query.phrases),
            without: without.iter().map(|word| query_word(word, analyzers)).collect(),
            without_phrases,
            alternatives: query.alternatives.iter().map(|it| AnalysedAlternative::of(it, analyzers)).collect(),
        }
    }

    /// Has words that are held in no passage of the query's language looked for as they are written: they may be of another
    /// language, or typed without their accents. `holds` tells whether a stem is held.
    pub(super) fn look_for_unheld(&mut self, mut holds: impl FnMut(&str) -> bool) {
        for word in &mut self.words {
            word.look_for_variants(&mut holds);
        }
        for word in self.words.iter_mut().filter(|word| word.exact_weight == 0.0) {
            let own = word.stems.iter().find(|(_, weight)| *weight == 1.0);
            if let Some((stem, _)) = own
                && !holds(stem)
            {
                word.exact_weight = 1.0;
            }
        }
    }
}

impl QueryWord {
    /// Has what is held of its variants looked for as well.
    fn look_for_variants(&mut self, mut holds: impl FnMut(&str) -> bool) {
        let is_in_two = umlauts::in_one(&self.exact).is_some();
        if self.variants.is_empty() || (is_in_two && self.stems.iter().any(|(stem, _)| holds(stem))) {
            return;
        }
        let held: Vec<_> = self.variants.iter().filter(|(stem, _)| holds(stem)).cloned().collect();
        self.stems.extend(held);
    }
}

/// The languages that words are stemmed in.
struct Languages<'a> {
    analyzers: &'a [Analyzer],
    /// That of the query, where it is known and the index holds it.
    own: Option<&'a str>,
    /// Whether several of them stem.
    are_several: bool,
}

impl<'a> Languages<'a> {
    fn of(analyzers: &'a [Analyzer], language: Option<&str>) -> Self {
        let tags = || analyzers.iter().map(Analyzer::tag).filter(|tag| !tag.is_empty());
        let main = || analyzers.iter().find(|analyzer| analyzer.is_main()).map(Analyzer::tag);
        let own = tags().find(|tag| Some(*tag) == language).or_else(main);
        Self { analyzers, own, are_several: tags().nth(1).is_some() }
    }

    fn weight(&self, tag: &str) -> f32 {
        match self.own {
            _ if tag.is_empty() || !self.are_several => 1.0,
            Some(own) if own == tag => 1.0,
            Some(_) => FOREIGN,
            None => ANY_LANGUAGE,
        }
    }

    /// A word as it was typed and in normal form.
    fn word(&self, typed: &str, exact: &str) -> QueryWord {
        let mut stems: Vec<(String, f32)> = Vec::new();
        for analyzer in self.analyzers {
            // From what was typed: a stemmer sees the marks that folding takes off.
            let stem = analyzer.stem(typed);
            if !stems.iter().any(|(known, _)| *known == stem) {
                stems.push((stem, self.weight(analyzer.tag())));
            }
        }
        let lower = normal::lower(typed);
        let mut variants: Vec<(String, f32)> = Vec::new();
        for variant in [umlauts::in_two(&lower), umlauts::in_one(&lower)].into_iter().flatten() {
            for analyzer in self.analyzers {
                let stem = analyzer.stem(&variant);
                if !stems.iter().chain(&variants).any(|(known, _)| *known == stem) {
                    variants.push((stem, self.weight(analyzer.tag()) * VARIANT));
                }
            }
        }
        let exact_weight = if self.are_several && self.own.is_none() { EXACT } else { 0.0 };
        QueryWord {
            exact: exact.to_owned(),
            exact_weight,
            stems,
            variants,
            weight: 1.0,
            is_spelling: false,
            joins: Vec::new(),
            is_part: false,
        }
    }
}

/// One word in its form in every language.
pub(super) fn query_word(word: &str, analyzers: &[Analyzer]) -> QueryWord {
    Languages::of(analyzers, None).word(word, &normal::fold(&normal::lower(word)))
}

/// A word as it stands in a query.
struct Typed {
    text: String,
    /// In normal form.
    exact: String,
    span: Range<usize>,
    kind: TokenKind,
}

/// The distinct words of a text, each in its form in every language; function words only if there is nothing else.
pub(super) fn query_words(text: &str, analyzers: &[Analyzer]) -> Vec<QueryWord> {
    let text = NormalText::of(text);
    let text = text.as_str();
    let all = typed_words(text);
    let typed = &all;
    let lower: Vec<String> = typed.iter().map(|word| normal::lower(&word.text)).collect();
    let language = language_of(lower.iter().map(String::as_str));
    let codes = Analyzer::codes(text);
    let names: BTreeSet<usize> = codes.iter().map(|code| code.span.start).collect();
    let is_named_alone = |word: &Typed| codes.iter().any(|code| code.span == word.span);
    let carries_topic =
        |(word, lower): &(&Typed, &String)| !is_stopword_in(language, lower) || names.contains(&word.span.start);
    let topics: Vec<&Typed> = typed.iter().zip(&lower).filter(carries_topic).map(|(word, _)| word).collect();
    let has_topic = !topics.is_empty() || text.contains(is_unspaced);
    let words = if has_topic { topics } else { typed.iter().collect() };
    let alone: BTreeSet<&str> =
        typed.iter().filter(|word| !is_part(text, &word.span)).map(|word| word.exact.as_str()).collect();
    // Function words that only begin a name of several words; written with its capitals, a word is one by itself.
    let only_begins = |(word, lower): &(&Typed, &String)| {
        let is_small = !word.text.starts_with(char::is_uppercase);
        is_small && word.kind == TokenKind::Word && is_stopword_in(language, lower) && !is_named_alone(word)
    };
    let within_names: BTreeSet<&str> =
        typed.iter().zip(&lower).filter(only_begins).map(|(word, _)| word.exact.as_str()).collect();
    let languages = Languages::of(analyzers, language);
    let joined = |whole: &Typed| {
        let is_joined = matches!(whole.kind, TokenKind::Joined | TokenKind::Dialled);
        let span = whole.span.clone();
        let is_part = move |part: &&Typed| is_joined && part.kind == TokenKind::Word && is_within(&part.span, &span);
        all.iter().filter(is_part)
    };
    let mut seen = BTreeSet::new();
    let mut found: Vec<QueryWord> = Vec::new();
    for typed in words.into_iter().filter(|word| seen.insert(word.exact.as_str())).take(MAX_TERMS) {
        let mut word = languages.word(&typed.text, &typed.exact);
        word.is_part = !alone.contains(typed.exact.as_str());
        word.weight = match typed.kind {
            TokenKind::Piece if typed.text.bytes().all(|byte| byte.is_ascii_digit()) => DIGITS,
            TokenKind::Piece => PIECE,
            TokenKind::Joined => JOINED,
            TokenKind::Dialled => DIALLED,
            TokenKind::Word if has_topic && within_names.contains(typed.exact.as_str()) => FUNCTION,
            TokenKind::Word | TokenKind::Fragment | TokenKind::Number => 1.0,
        };
        word.is_spelling = matches!(typed.kind, TokenKind::Piece | TokenKind::Joined | TokenKind::Dialled);
        word.joins = joined(typed).map(|part| part.exact.clone()).collect();
        match found.iter_mut().find(|known| known.stems == word.stems) {
            Some(known) => {
                known.is_part &= word.is_part;
                known.is_spelling &= word.is_spelling;
                known.weight = known.weight.max(word.weight);
            }
            None => found.push(word),
        }
    }
    found
}

fn typed_words(text: &str) -> Vec<Typed> {
    let mut typed = Vec::new();
    for_each_token(text, |token| {
        // What is looked for as a sequence is none of the words.
        if token.text.len() <= MAX_TERM_BYTES && token.kind != TokenKind::Fragment {
            let exact = match token.kind {
                TokenKind::Number => token.text.to_owned(),
                _ => normal::fold(&normal::lower(token.text)).into_owned(),
            };
            typed.push(Typed { text: token.text.to_owned(), exact, span: token.span, kind: token.kind });
        }
    });
    typed
}

/// Whether a part of a text lies within another.
fn is_within(part: &Range<usize>, whole: &Range<usize>) -> bool {
    whole.start <= part.start && part.end <= whole.end
}

/// Whether a word of a text stands inside of a name with underscores, or as a lone letter or digit of a compound.
fn is_part(text: &str, word: &Range<usize>) -> bool {
    let ends_token = |c: char| c.is_whitespace() || is_unspaced(c);
    let start =
        text[..word.start].char_indices().rev().find(|(_, c)| ends_token(*c)).map_or(0, |(at, c)| at + c.len_utf8());
    let end = text[word.end..].find(ends_token).map_or(text.len(), |at| word.end + at);
    let others = [&text[start..word.start], &text[word.end..end]];
    let in_name = text[..word.start].ends_with('_') || text[word.end..].starts_with('_');
    let is_single = text[word.clone()].chars().nth(1).is_none();
    others.iter().any(|other| other.contains(char::is_alphanumeric)) && (in_name || is_single)
}

/// Tokens of several words of a spaced script.
fn compounds(text: &str) -> Vec<Sequence> {
    let words_in = |token: &str| runs(token).filter(|(_, script)| *script == Script::Spaced).count();
    let tokens = text.split(|c: char| c.is_whitespace() || is_unspaced(c));
    tokens.filter(|token| words_in(token) > 1).take(MAX_TERMS).map(Sequence::of).collect()
}

impl Sequence {
    pub(super) fn of(text: &str) -> Self {
        let words_of = |text: &str| -> Vec<(usize, String)> {
            let words = Analyzer::for_language(None).words(text, &mut NormalForms::default()).0;
            first_at_each_position(words).map(|term| (term.position, term.text)).take(MAX_TERMS).collect()
        };
        let words = words_of(text);
        let without_capitals = words_of(&normal::lower(text));
        let spellings = if without_capitals == words { Vec::new() } else { vec![without_capitals] };
        let grams = Analyzer::grams(text);
        let longest = grams.iter().map(|gram| gram.text.chars().count()).max().unwrap_or(0);
        let pairs = grams.into_iter().filter(|gram| gram.text.chars().count() == longest);
        Self { words, spellings, characters: pairs.map(|gram| (gram.position, gram.text)).take(MAX_TERMS).collect() }
    }

    /// All spellings of its words.
    pub fn all_spellings(&self) -> impl Iterator<Item = &Vec<(usize, String)>> {
        std::iter::once(&self.words).chain(&self.spellings)
    }

    /// Adds spellings in which words are names of several parts, as `parts` knows them.
    pub(super) fn with_names<E>(
        &mut self,
        mut parts: impl FnMut(&str) -> Result<Vec<Vec<String>>, E>,
    ) -> Result<(), E> {
        let plain = self.spellings.last().unwrap_or(&self.words).clone();
        if plain.len() > MAX_NAMED {
            return Ok(());
        }
        let mut spellings = vec![plain.clone()];
        for (_, word) in &plain {
            let ways = parts(word)?;
            let named: Vec<_> =
                spellings.iter().flat_map(|spelling| ways.iter().map(|way| with_parts(spelling, word, way))).collect();
            spellings.extend(named);
            spellings.truncate(MAX_SPELLINGS);
        }
        self.spellings.extend(spellings.into_iter().filter(|spelling| *spelling != self.words));
        self.spellings.dedup();
        Ok(())
    }

    /// Whether there is anything that could occur.
    fn asks(&self) -> bool {
        !self.words.is_empty() || !self.characters.is_empty()
    }
}

/// A spelling in which the first place of a word is that of a name with these parts: the name stands at the place of its first
/// part, and what follows stands behind the last one.
fn with_parts(spelling: &[(usize, String)], word: &str, parts: &[String]) -> Vec<(usize, String)> {
    let mut longer = Vec::with_capacity(spelling.len() + parts.len());
    let mut shift = 0;
    for (position, text) in spelling {
        longer.push((position + shift, text.clone()));
        if text == word && shift == 0 {
            longer.extend(parts.iter().enumerate().map(|(place, part)| (position + place, part.clone())));
            shift = parts.len() - 1;
        }
    }
    longer
}

fn first_at_each_position(terms: Vec<analysis::Term>) -> impl Iterator<Item = analysis::Term> {
    let mut last = None;
    terms.into_iter().filter(move |term| last.replace(term.position) != Some(term.position))
}

fn distinct(terms: Vec<analysis::Term>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    terms.into_iter().map(|term| term.text).filter(|text| seen.insert(text.clone())).take(MAX_TERMS).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Batch, ChunkDraft, ContentKey, Document, IndexModel, Source, Store};

    fn put(batch: &mut Batch, path: &str, text: &str) {
        let document = Document {
            source: "a".into(),
            path: path.into(),
            title: "t".into(),
            kind: "text".into(),
            language: None,
            modified: 1,
            bytes: 1,
            metadata: BTreeMap::new(),
            fingerprint: None,
        };
        let draft = ChunkDraft {
            headings: Vec::new(),
            text: text.into(),
            span: 0..1,
            lines: 1..2,
            place: None,
            blocks: Vec::new(),
            key: ContentKey::of(&[], text),
            vector: Some(vec![1.0, 0.0]),
        };
        batch.put(document, vec![draft]);
    }

    #[test]
    fn phrases_are_found_whatever_their_capitals() {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        store.add_source(Source { name: "a".into(), root: folder.path().to_path_buf() }).unwrap();
        let mut batch = Batch::default();
        put(
            &mut batch,
            "camel",
            "A JavaScript framework for the iPhone 15 and PostgreSQL databases on OpenSSL 3 of LaTeX",
        );
        put(&mut batch, "lower", "a javascript framework for the iphone 15");
        put(&mut batch, "apart", "a java script framework, javascript script engine");
        put(&mut batch, "other", "javascript without a framework, the work of a frame");
        store.commit(batch).unwrap();
        let view = store.snapshot().whole().unwrap();
        let found = |phrase: &str| {
            let query = view.analyse(&LexicalQuery { phrases: vec![phrase.into()], ..LexicalQuery::default() });
            let found = view.lexical(&query, &[], LexicalWeights::default(), 9).unwrap();
            let mut found: Vec<String> =
                found.into_iter().map(|(passage, _)| view.passage(passage).unwrap().document.path).collect();
            found.sort();
            found
        };
        for (phrase, paths) in [
            ("javascript framework", vec!["camel", "lower"]),
            ("JavaScript framework", vec!["camel", "lower"]),
            ("a JAVASCRIPT framework for the iphone 15", vec!["camel", "lower"]),
            ("iPhone 15", vec!["camel", "lower"]),
            ("postgresql databases", vec!["camel"]),
            ("openssl 3 of latex", vec!["camel"]),
            ("java script framework", vec!["apart", "camel"]),
            ("javascript engine", vec![]),
            ("script engine", vec!["apart"]),
        ] {
            assert_eq!(found(phrase), paths, "{phrase}");
        }
        let without = LexicalQuery {
            text: "framework".into(),
            without_phrases: vec!["javascript framework".into()],
            ..LexicalQuery::default()
        };
        let left = view.lexical(&view.analyse(&without), &[], LexicalWeights::default(), 9).unwrap();
        assert_eq!(left.len(), 2, "what is left out is left out in either spelling");
    }

    #[test]
    fn full_coverage_is_what_a_passage_with_every_word_scores() {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        store.add_source(Source { name: "a".into(), root: folder.path().to_path_buf() }).unwrap();
        let mut batch = Batch::default();
        for (path, text) in [("1", "pump valve"), ("2", "rotor pump"), ("3", "报销 valve")] {
            put(&mut batch, path, text);
        }
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().whole().unwrap();
        let weights = LexicalWeights { title: 0.0, headings: 0.0, ..LexicalWeights::default() };
        let ask = |text: &str| snapshot.analyse(&LexicalQuery { text: text.into(), ..LexicalQuery::default() });
        let whole = |text: &str| snapshot.full_coverage(&ask(text), weights).unwrap();
        // Of three passages two hold "pump", one "rotor", none "zebra": ln(1 + (3 - n + .5) / (n + .5)).
        assert!((whole("pump") - 0.470_004).abs() < 1e-5 && (whole("rotor") - 0.980_829).abs() < 1e-5);
        assert!((whole("rotor zebra rotor") - 0.980_829 - 2.079_442).abs() < 1e-5);
        // One pair of characters, and the two themselves at a fifth.
        assert!((whole("报销") - 1.4 * 0.980_829).abs() < 1e-5, "{}", whole("报销"));
        assert_eq!(whole(""), 0.0);
        let best = snapshot.lexical(&ask("rotor pump"), &[], weights, 3).unwrap()[0].1;
        assert!((best / whole("rotor pump") - 1.0).abs() < 0.2, "{best} of {}", whole("rotor pump"));
    }
}
