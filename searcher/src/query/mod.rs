//! The query language: from what somebody typed to what the stages of a search need.
//!
//! ```text
//! words          travel costs            looked for by meaning and by word
//! "a phrase"     "travel costs"          these words in this order; “ ”, 「 」, 『 』, « » quote too
//! -without       -draft  -"old policy"   documents with it are left out
//! source:NAME    source:"HR docs"        only this source; values of one field are alternatives
//! path:PART      path:handbook/leave     only paths that contain this
//! type:KIND      type:md,html            only this kind of document; file endings work
//! lang:CODE      lang:zh                 only documents in this language
//! after:DATE     after:2024-06           changed on or after the first day of DATE (YYYY, YYYY-MM, YYYY-MM-DD; UTC)
//! before:DATE    before:2025             changed before the first day of DATE
//! ```
//!
//! A minus before a digit is a sign: `-40` is a word, `-"40"` an exclusion. Operators stand at the start of a word, field names in any case, and a full-width colon, quote or minus works like
//! the plain one. What is not an operator is plain text: `std::vector`, `10:30`, `https://..`, `--flag`.
//!
//! Promises: parsing never fails and never panics, takes time linear in the query, and loses no word silently: what
//! cannot be read as an operator is searched as plain words, and a note says so. Sizes are bounded: see the constants.

mod field;
mod limit;
mod note;
mod scan;

use std::ops::Range;

use serde::Serialize;
use storage::{Filter, LexicalQuery, is_unspaced};

use self::field::Field;
pub use self::field::first_second as parse_date;
pub(crate) use self::field::kind as parse_kind;
use self::limit::TermBudget;
pub use self::note::Note;
use self::scan::{Kind, Scanner};

/// Bytes of a query that are read; the rest is cut off with a note.
pub const MAX_QUERY_BYTES: usize = 8 * 1024;
/// Words that are matched as words. Four characters of Chinese, Japanese, Korean or Thai count as one.
pub const MAX_WORDS: usize = 64;
/// The most phrases, the most exclusions and the most values of filters in one query.
pub const MAX_OPERATORS: usize = 16;
/// More notes than this help nobody.
const MAX_NOTES: usize = 8;

/// A query, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ParsedQuery {
    /// What the embedding model and the reranker read: words and phrases in order, without operators and quotes.
    pub text: String,
    /// What the lexical retriever looks for beside the phrases: the plain words as they were typed, each with at least one
    /// letter or digit. Where the script has no spaces, a whole clause is one entry. At most [`MAX_WORDS`].
    pub words: Vec<String>,
    /// Words that were quoted, in their order, single spaces between them. At most [`MAX_OPERATORS`].
    pub phrases: Vec<String>,
    /// What a document must not contain. At most [`MAX_OPERATORS`].
    pub without: Vec<Exclusion>,
    /// Which documents are looked at.
    pub filter: Filter,
    /// What was understood otherwise than it may have been meant, for the user.
    pub notes: Vec<Note>,
}

/// Something that a document must not contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// A word as it was typed.
    Word(String),
    /// Words in their order.
    Phrase(String),
}

impl Exclusion {
    /// The word, or the words of the phrase.
    pub fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Phrase(text) => text,
        }
    }
}

impl ParsedQuery {
    /// Takes a text as words alone, without operators: for questions that were not written in the query language.
    pub fn plain(text: &str) -> Self {
        let mut builder = QueryBuilder::default();
        for word in builder.within_bounds(text).split(scan::is_blank).filter(|word| !word.is_empty()) {
            builder.plain(word, true);
        }
        builder.finish()
    }

    /// Reads a query.
    pub fn parse(query: &str) -> Self {
        let mut builder = QueryBuilder::default();
        let mut scanner = Scanner::new(builder.within_bounds(query));
        for piece in &mut scanner {
            builder.read(piece.kind, piece.raw, piece.spaced);
        }
        if scanner.saw_unclosed_quote() {
            builder.note(Note::OpenQuote);
        }
        builder.finish()
    }

    /// The words and the words of the phrases in one text, for an index that analyses it itself. Unlike
    /// [`text`](Self::text), it is bounded by [`MAX_WORDS`].
    pub fn lexical_text(&self) -> String {
        self.words.iter().chain(&self.phrases).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Whether there is nothing to look for: no words and no phrases (filters and exclusions may be there).
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl From<&ParsedQuery> for LexicalQuery {
    fn from(query: &ParsedQuery) -> Self {
        let (words, phrases): (Vec<&Exclusion>, Vec<&Exclusion>) =
            query.without.iter().partition(|exclusion| matches!(exclusion, Exclusion::Word(_)));
        let texts = |exclusions: Vec<&Exclusion>| exclusions.into_iter().map(|one| one.text().to_owned()).collect();
        Self {
            text: query.lexical_text(),
            phrases: query.phrases.clone(),
            without: texts(words),
            without_phrases: texts(phrases),
            alternatives: Vec::new(),
        }
    }
}

/// Where in a query the words stand that are neither quoted nor excluded nor filters; at most [`MAX_WORDS`].
pub(crate) fn places_of_words(query: &str) -> Vec<Range<usize>> {
    let query = limit::prefix(query, MAX_QUERY_BYTES);
    let words = Scanner::new(query).filter(|piece| piece.kind == Kind::Word);
    words.map(|piece| place_in(query, piece.raw)).take(MAX_WORDS).collect()
}

/// Where in a text without operators the words stand; at most [`MAX_WORDS`].
pub(crate) fn places_of_plain_words(text: &str) -> Vec<Range<usize>> {
    let text = limit::prefix(text, MAX_QUERY_BYTES);
    let words = text.split(scan::is_blank).filter(|word| !word.is_empty());
    words.map(|word| place_in(text, word)).take(MAX_WORDS).collect()
}

/// The bytes of a text that a part of it is.
fn place_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

/// Puts the pieces of a query together.
#[derive(Default)]
struct QueryBuilder {
    query: ParsedQuery,
    words: TermBudget,
    filter_values: usize,
    /// An operator was taken out since the last text, so the next text does not touch it.
    gap: bool,
}

impl QueryBuilder {
    fn within_bounds<'a>(&mut self, query: &'a str) -> &'a str {
        let kept = limit::prefix(query, MAX_QUERY_BYTES);
        if kept.len() < query.len() {
            self.note(Note::LongQuery);
        }
        kept
    }

    fn read(&mut self, kind: Kind<'_>, raw: &str, spaced: bool) {
        match kind {
            Kind::Word => {
                if let Some(field) = Field::near_miss(raw) {
                    self.note(Note::NearMiss { excerpt: limit::excerpt(raw), field: field.name() });
                }
                self.plain(raw, spaced);
            }
            Kind::Phrase(phrase) => self.phrase(phrase, raw, spaced),
            Kind::WithoutWord(word) => self.without(word, Exclusion::Word),
            Kind::WithoutPhrase(phrase) => self.without(&single_spaced(phrase), Exclusion::Phrase),
            Kind::Field { field, value } => self.field(field, value, raw, spaced),
            Kind::NegatedField => {
                self.note(Note::NegatedFilter { excerpt: limit::excerpt(raw) });
                self.plain(raw, spaced);
            }
        }
    }

    /// Text that is no operator: for the model as it is, for the lexical retriever as far as it has words.
    fn plain(&mut self, text: &str, spaced: bool) {
        self.append(text, spaced);
        for word in text.split_whitespace() {
            let kept = self.words.spend(word);
            if kept.len() < word.len() {
                self.note(Note::ManyWords);
            }
            if kept.contains(char::is_alphanumeric) {
                self.query.words.push(kept.to_owned());
            }
        }
    }

    fn phrase(&mut self, phrase: &str, raw: &str, spaced: bool) {
        let phrase = single_spaced(phrase);
        if !phrase.contains(char::is_alphanumeric) {
            return self.plain(phrase.trim(), spaced);
        }
        if self.query.phrases.len() == MAX_OPERATORS {
            self.note(Note::ManyPhrases);
            return self.plain(&phrase, spaced);
        }
        self.append(&phrase, spaced);
        let kept = TermBudget::default().spend(&phrase).trim_end().to_owned();
        if kept.len() < phrase.len() {
            self.note(Note::LongPhrase { excerpt: limit::excerpt(raw) });
        }
        self.query.phrases.push(kept);
    }

    fn without(&mut self, value: &str, exclusion: fn(String) -> Exclusion) {
        self.gap = true;
        if self.query.without.len() == MAX_OPERATORS {
            return self.note(Note::ManyExclusions);
        }
        let kept = TermBudget::default().spend(value).trim_end();
        if kept.len() < value.len() {
            self.note(Note::LongExclusion { excerpt: limit::excerpt(value) });
        }
        if kept.contains(char::is_alphanumeric) {
            self.query.without.push(exclusion(kept.to_owned()));
        }
    }

    fn field(&mut self, field: Field, value: &str, raw: &str, spaced: bool) {
        let values = match field.read(value) {
            Ok(values) => values,
            Err(reason) => {
                self.note(Note::BadFilter { excerpt: limit::excerpt(raw), reason });
                return self.plain(&single_spaced(raw), spaced);
            }
        };
        self.gap = true;
        for value in values {
            if self.filter_values == MAX_OPERATORS {
                return self.note(Note::ManyValues);
            }
            self.filter_values += 1;
            value.restrict(&mut self.query.filter);
        }
    }

    fn append(&mut self, text: &str, spaced: bool) {
        if text.is_empty() {
            return;
        }
        let before = self.query.text.chars().next_back();
        if before.is_some() && (spaced || self.gap || would_join(before, text.chars().next())) {
            self.query.text.push(' ');
        }
        self.query.text.push_str(text);
        self.gap = false;
    }

    fn note(&mut self, note: Note) {
        if self.query.notes.len() < MAX_NOTES && !self.query.notes.contains(&note) {
            self.query.notes.push(note);
        }
    }

    fn finish(mut self) -> ParsedQuery {
        if let (Some(after), Some(before)) = (self.query.filter.after, self.query.filter.before)
            && after >= before
        {
            self.note(Note::NoDate);
        }
        if self.query.is_empty() && !self.query.without.is_empty() {
            self.note(Note::OnlyExclusions);
        }
        self.query
    }
}

/// Whether two words without anything between them would be read as one.
fn would_join(before: Option<char>, after: Option<char>) -> bool {
    [before, after].into_iter().all(|side| side.is_some_and(|side| side.is_alphanumeric() && !is_unspaced(side)))
}

fn single_spaced(text: &str) -> String {
    text.split(scan::is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
