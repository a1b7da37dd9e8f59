//! Synonyms: words that stand for each other, as an administrator wrote them down in a file.
//!
//! ```toml
//! # Each finds the others.
//! [both]
//! PTO = ["paid time off", "vacation"]
//!
//! # Who asks for the first finds the others too, but not the other way round.
//! [one_way]
//! laptop = ["notebook"]
//!
//! # For documents in one language.
//! [language.de.both]
//! Urlaub = ["Ferien"]
//! ```
//!
//! Promises: what is typed is searched for as ever, and what stands for it counts less; a quoted or excluded word is taken as
//! it is; an entry that cannot be used is refused when the file is read, with its line.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use storage::{Alternative, Analyzer, LexicalQuery, View, is_stopword, is_unspaced, runs};
use toml::Spanned;

use crate::error::SearchError;
use crate::written::{WrittenError, WrittenFile};

/// What such a file holds.
const WHAT: &str = "synonyms";
/// How much a synonym counts in the lexical retriever, where a word as typed counts 1.
const WEIGHT: f32 = 0.5;
/// Words of an entry.
const MAX_WORDS: usize = 8;
/// Entries that stand for one.
const MAX_OTHERS: usize = 16;
/// Synonyms that are looked for in one query.
const MAX_LOOKED_FOR: usize = 32;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct SynonymFile {
    both: Groups,
    one_way: Groups,
    language: BTreeMap<Spanned<String>, LanguageGroups>,
}

/// The part of the file for one language.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LanguageGroups {
    both: Groups,
    one_way: Groups,
}

type Groups = BTreeMap<Spanned<String>, Vec<Spanned<String>>>;

/// Synonyms, ready to be found in queries.
#[derive(Debug, Clone, Default)]
pub struct Synonyms {
    /// By language; those for all languages are under that of documents whose language is not known.
    tables: BTreeMap<Option<String>, Table>,
}

#[derive(Debug, Clone, Default)]
struct Table {
    entries: Vec<Entry>,
    /// Entries by their first word.
    by_word: HashMap<String, Vec<usize>>,
    /// Entries in scripts without spaces, which are looked for inside of words.
    unspaced: Vec<usize>,
}

/// What may be asked, and what it stands for.
#[derive(Debug, Clone)]
struct Entry {
    asked: String,
    /// Its words as a query's are compared with them.
    words: Vec<String>,
    others: Vec<String>,
}

/// What was looked for beside words of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Expansion {
    /// The words as they were typed.
    pub typed: String,
    /// What was looked for too.
    pub also: Vec<String>,
    #[serde(skip)]
    pub(crate) range: Range<usize>,
    #[serde(skip)]
    language: Option<String>,
}

impl Synonyms {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or an entry cannot be used; the message has its line.
    pub fn read(path: &Path) -> Result<Self, WrittenError> {
        Self::of(&WrittenFile::read(WHAT, path)?)
    }

    /// Reads what may become the text of a file.
    ///
    /// # Errors
    /// An entry cannot be used; the message has its line.
    pub fn parse(path: &Path, text: String) -> Result<Self, WrittenError> {
        Self::of(&WrittenFile { what: WHAT, path, text })
    }

    fn of(written: &WrittenFile<'_>) -> Result<Self, WrittenError> {
        let file: SynonymFile = written.parse()?;
        let mut synonyms = Self::default();
        let mut add = |language: Option<&str>, groups: &Groups, both: bool| {
            for (first, others) in groups {
                let group = Group::of(first, others).map_err(|(at, problem)| written.refused(at, problem))?;
                synonyms.add(language, &group, both);
            }
            Ok(())
        };
        add(None, &file.both, true)?;
        add(None, &file.one_way, false)?;
        for (language, groups) in &file.language {
            let code = language.get_ref();
            if code.len() != 2 || !code.bytes().all(|letter| letter.is_ascii_lowercase()) {
                let problem = format!("expected a language by its two letters, such as \"de\", got {code:?}");
                return Err(written.refused(language.span().start, problem));
            }
            add(Some(code), &groups.both, true)?;
            add(Some(code), &groups.one_way, false)?;
        }
        Ok(synonyms)
    }

    fn add(&mut self, language: Option<&str>, group: &Group<'_>, both: bool) {
        let table = self.tables.entry(language.map(str::to_owned)).or_default();
        let analyzer = Analyzer::for_documents(language);
        let asked = if both { group.0.len() } else { 1 };
        for (at, text) in group.0.iter().enumerate().take(asked) {
            let others = group.0.iter().enumerate().filter(|(other, _)| *other != at);
            let others = others.map(|(_, text)| (*text).to_owned()).collect();
            table.push(text, others, &analyzer);
        }
    }

    /// Adds an abbreviation: it stands for each of these, and each of these for it.
    pub(crate) fn explain(&mut self, short: &str, longs: &[String]) {
        let table = self.tables.entry(None).or_default();
        let analyzer = Analyzer::for_documents(None);
        table.push(short, longs.to_vec(), &analyzer);
        for long in longs {
            table.push(long, vec![short.to_owned()], &analyzer);
        }
    }

    /// What is looked for beside the words at these places of a query.
    fn found_in(&self, query: &str, places: &[Range<usize>]) -> Vec<Expansion> {
        let mut found: Vec<Expansion> = Vec::new();
        for (language, table) in &self.tables {
            let analyzer = Analyzer::for_documents(language.as_deref());
            for (range, entry) in table.found_in(query, places, &analyzer) {
                let also = entry.others.clone();
                let typed = query[range.clone()].to_owned();
                found.push(Expansion { typed, also, range, language: language.clone() });
            }
        }
        found
    }
}

/// What is looked for beside the words at these places of a query, each once: of what several know, what the first says.
pub(crate) fn expansions(knowing: &[&Synonyms], query: &str, places: &[Range<usize>]) -> Vec<Expansion> {
    let mut found: Vec<Expansion> = Vec::new();
    for expansion in knowing.iter().flat_map(|synonyms| synonyms.found_in(query, places)) {
        match found.iter_mut().find(|known| known.range == expansion.range && known.language == expansion.language) {
            Some(known) => {
                let is_new = |text: &String| !known.also.iter().any(|other| other.eq_ignore_ascii_case(text));
                let new: Vec<String> = expansion.also.into_iter().filter(is_new).collect();
                known.also.extend(new);
            }
            None => found.push(expansion),
        }
    }
    found.sort_by_key(|expansion| (expansion.range.start, std::cmp::Reverse(expansion.range.end)));
    found.truncate(MAX_LOOKED_FOR);
    found
}

impl Expansion {
    /// What the lexical retriever looks for.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = Alternative> + '_ {
        self.also.iter().map(|text| Alternative {
            typed: self.typed.clone(),
            text: text.clone(),
            weight: WEIGHT,
            language: self.language.clone(),
        })
    }

    /// What the models read instead of words that the index does not hold: the first that it holds.
    pub(crate) fn instead(&self, view: &View) -> Result<Option<&str>, SearchError> {
        let holds = |text: &str| -> Result<bool, SearchError> {
            let query = LexicalQuery { phrases: vec![text.to_owned()], ..LexicalQuery::default() };
            Ok(view.count(&view.analyse(&query))? > 0)
        };
        if holds(&self.typed)? {
            return Ok(None);
        }
        for text in &self.also {
            if holds(text)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// Words that stand for each other; the first stands in the file before the others.
struct Group<'f>(Vec<&'f str>);

impl<'f> Group<'f> {
    fn of(first: &'f Spanned<String>, others: &'f [Spanned<String>]) -> Result<Self, (usize, String)> {
        if others.is_empty() || others.len() > MAX_OTHERS {
            let problem = format!("expected 1 to {MAX_OTHERS} synonyms of {:?}, got {}", first.get_ref(), others.len());
            return Err((first.span().start, problem));
        }
        let mut texts: Vec<&str> = Vec::new();
        for text in std::iter::once(first).chain(others) {
            let words = runs(text.get_ref()).count();
            let problem = match words {
                0 => format!("expected a word, got {:?}", text.get_ref()),
                1..=MAX_WORDS if texts.contains(&text.get_ref().as_str()) => {
                    format!("{:?} stands here twice: take one away", text.get_ref())
                }
                1..=MAX_WORDS => {
                    texts.push(text.get_ref());
                    continue;
                }
                _ => format!("expected {MAX_WORDS} words at the most, got {words} in {:?}", text.get_ref()),
            };
            return Err((text.span().start, problem));
        }
        Ok(Self(texts))
    }
}

impl Table {
    fn push(&mut self, asked: &str, others: Vec<String>, analyzer: &Analyzer) {
        let number = self.entries.len();
        let words: Vec<String> = runs(asked).map(|(run, _)| analyzer.normalize(&asked[run])).collect();
        match words.first() {
            _ if asked.contains(is_unspaced) => self.unspaced.push(number),
            Some(first) => self.by_word.entry(first.clone()).or_default().push(number),
            None => return,
        }
        self.entries.push(Entry { asked: asked.to_owned(), words, others });
    }

    /// The entries in a query, with the bytes where they stand.
    fn found_in(&self, query: &str, places: &[Range<usize>], analyzer: &Analyzer) -> Vec<(Range<usize>, &Entry)> {
        let mut found = Vec::new();
        let mut words: Vec<(Range<usize>, String)> = Vec::new();
        for place in places {
            let token = &query[place.clone()];
            for (run, _) in runs(token) {
                let range = place.start + run.start..place.start + run.end;
                words.push((range, analyzer.normalize(&token[run])));
            }
            for entry in self.unspaced.iter().filter_map(|number| self.entries.get(*number)) {
                if let Some(at) = token.find(&entry.asked) {
                    let start = place.start + at;
                    found.push((start..start + entry.asked.len(), entry));
                }
            }
        }
        for (at, (first, word)) in words.iter().enumerate() {
            for entry in self.by_word.get(word).into_iter().flatten().filter_map(|number| self.entries.get(*number)) {
                let Some(there) = words.get(at..at + entry.words.len()) else { continue };
                let range = first.start..there.last().map_or(first.end, |(last, _)| last.end);
                let is_there = there.iter().map(|(_, word)| word).eq(&entry.words);
                if is_there && entry.may_be(&query[range.clone()]) {
                    found.push((range, entry));
                }
            }
        }
        found
    }
}

impl Entry {
    /// Whether what was typed may be meant: `it` is not `IT`.
    fn may_be(&self, typed: &str) -> bool {
        !is_stopword(&self.asked.to_lowercase()) || self.asked == typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Syntax;

    fn read(text: &str) -> Result<Synonyms, String> {
        let written = WrittenFile { what: WHAT, path: Path::new("synonyms.toml"), text: text.to_owned() };
        Synonyms::of(&written).map_err(|error| error.to_string())
    }

    fn also(synonyms: &Synonyms, query: &str) -> Vec<(String, Vec<String>)> {
        let places = Syntax::Operators.places_of_words(query);
        let found = expansions(&[synonyms], query, &places);
        found.into_iter().map(|expansion| (expansion.typed, expansion.also)).collect()
    }

    const FILE: &str = "[both]\nPTO = [\"paid time off\", \"vacation\"]\nIT = [\"information technology\"]\n\
        \"年假\" = [\"带薪休假\"]\n[one_way]\nlaptop = [\"notebook\"]\n[language.de.both]\nUrlaub = [\"Ferien\"]\n";

    #[test]
    fn words_find_what_stands_for_them_in_the_ways_of_the_file() {
        let synonyms = read(FILE).unwrap();
        let of = |query: &str| also(&synonyms, query);
        let one = |typed: &str, others: &[&str]| {
            vec![(typed.to_string(), others.iter().map(|other| (*other).to_string()).collect::<Vec<_>>())]
        };
        assert_eq!(of("the pto policy"), one("pto", &["paid time off", "vacation"]));
        assert_eq!(of("Vacations"), one("Vacations", &["PTO", "paid time off"]));
        assert_eq!(of("how much paid time off?"), one("paid time off", &["PTO", "vacation"]));
        assert_eq!(of("laptops"), one("laptops", &["notebook"]));
        assert_eq!(of("公司年假规定"), one("年假", &["带薪休假"]));
        assert_eq!(of("urlaub"), one("urlaub", &["Ferien"]));
        for nothing in ["notebook", "\"pto\"", "-pto", "paid time", "path:pto", "is it there", ""] {
            assert!(of(nothing).is_empty(), "{nothing}");
        }
        assert_eq!(of("IT support"), one("IT", &["information technology"]));
    }

    #[test]
    fn an_abbreviation_stands_for_its_long_form_and_joins_what_is_written_down() {
        let mut learnt = Synonyms::default();
        learnt.explain("PTO", &["paid time off".to_owned(), "power take-off".to_owned()]);
        assert_eq!(also(&learnt, "power take-off"), [("power take-off".to_owned(), vec!["PTO".to_owned()])]);
        let written = read(FILE).unwrap();
        let places = Syntax::Operators.places_of_words("pto");
        let both = expansions(&[&written, &learnt], "pto", &places);
        assert_eq!(both.len(), 1);
        assert_eq!(both[0].also, ["paid time off", "vacation", "power take-off"]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_line() {
        for (text, expected) in [
            ("[both]\na = [\"b\"]\nPTO = []", "synonyms.toml, line 3: expected 1 to 16 synonyms of \"PTO\", got 0"),
            ("[both]\nPTO = [\"paid\",\n  \"--\"]", "line 3: expected a word, got \"--\""),
            ("[both]\nPTO = [\"PTO\"]", "line 2: \"PTO\" stands here twice"),
            ("[one_way]\nx = [\"a b c d e f g h i\"]", "line 2: expected 8 words at the most, got 9"),
            ("[language.german.both]\na = [\"b\"]", "line 1: expected a language by its two letters"),
            ("[bothe]\na = [\"b\"]", "synonyms.toml is no file of synonyms"),
            ("[both]\na = \"b\"", "synonyms.toml is no file of synonyms"),
        ] {
            let error = read(text).err().unwrap();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
