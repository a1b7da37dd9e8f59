//! Rules of the ranking, as an administrator wrote them down in a file: what comes first for a query, and what counts more or
//! less.
//!
//! ```toml
//! # Who asks this finds these first, in this order.
//! [[pin]]
//! queries = ["vpn", "work from home"]
//! documents = ["handbook/it/vpn.md"]
//!
//! # These documents count more (up to 10) or less (down to 0.1); all conditions must hold.
//! [[boost]]
//! sources = ["handbook"]
//! factor = 1.3
//! because = "approved by the editors"
//!
//! [[boost]]
//! paths = ["archive/"]
//! older_than_days = 730
//! factor = 0.5
//!
//! # Documents lose weight as they age: half of `weight` after `half_life_days`.
//! [age]
//! half_life_days = 365
//! weight = 0.2
//! ```
//!
//! Promises: rules change the order and find nothing but what is pinned; a pinned document is shown only where the filters of a
//! search let it through; what a rule did to a result is said with it; a rule that cannot be used is refused when the file is
//! read, with its line.

use std::path::Path;

use serde::Deserialize;
use storage::{Analyzer, DocumentId, Filter, PageType, folded, is_unspaced, runs};
use toml::Spanned;

use crate::written::{WrittenError, WrittenFile};

/// What such a file holds.
const WHAT: &str = "rules";
/// Rules of one kind in a file.
const MAX_RULES: usize = 200;
/// Queries, documents or conditions of one rule.
const MAX_VALUES: usize = 100;
/// Documents that a rule puts first.
const MAX_PINNED: usize = 10;
/// What a boost may do.
const FACTORS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// The file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RuleFile {
    pin: Vec<Spanned<PinEntry>>,
    boost: Vec<Spanned<BoostEntry>>,
    age: Option<Spanned<Age>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinEntry {
    #[serde(default)]
    queries: Vec<String>,
    #[serde(default)]
    words: Vec<String>,
    documents: Vec<String>,
    because: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BoostEntry {
    factor: f64,
    because: Option<String>,
    #[serde(default)]
    queries: Vec<String>,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    languages: Vec<String>,
    #[serde(default)]
    pages: Vec<PageType>,
    older_than_days: Option<u32>,
    newer_than_days: Option<u32>,
}

/// How age counts.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Age {
    /// Days after which half of `weight` is lost.
    pub(crate) half_life_days: f64,
    /// The most that age can take away, as a share of the score.
    pub(crate) weight: f64,
}

impl Age {
    /// What the score of a document of this age is multiplied by.
    pub(crate) fn factor(self, seconds: i64) -> f64 {
        let days = seconds.max(0) as f64 / SECONDS_OF_DAY as f64;
        1.0 - self.weight + self.weight * (-days / self.half_life_days).exp2()
    }
}

const SECONDS_OF_DAY: i64 = 86_400;

/// Rules, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(crate) pins: Vec<Pin>,
    pub(crate) boosts: Vec<Boost>,
    pub(crate) age: Option<Age>,
}

/// What comes first for some queries.
#[derive(Debug, Clone)]
pub(crate) struct Pin {
    asked: Asked,
    pub(crate) documents: Vec<DocumentId>,
    pub(crate) because: Option<String>,
}

/// What counts more or less.
#[derive(Debug, Clone)]
pub(crate) struct Boost {
    asked: Asked,
    filter: Filter,
    older_than_days: Option<u32>,
    newer_than_days: Option<u32>,
    pub(crate) factor: f64,
    pub(crate) because: Option<String>,
}

/// The queries that a rule is for; all, if it names none.
#[derive(Debug, Clone, Default)]
struct Asked {
    /// Whole queries, as [`key`] writes them.
    whole: Vec<String>,
    /// Words, one behind the other, that stand anywhere in a query.
    within: Vec<String>,
}

impl Rules {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or a rule cannot be used; the message has its line.
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
        let file: RuleFile = written.parse()?;
        let refused = |at: usize, problem: String| written.refused(at, problem);
        if file.pin.len().max(file.boost.len()) > MAX_RULES {
            let (pins, boosts) = (file.pin.len(), file.boost.len());
            let problem = format!("expected at most {MAX_RULES} rules of a kind, got {pins} pins and {boosts} boosts");
            return Err(refused(0, problem));
        }
        let mut rules = Self::default();
        for entry in file.pin {
            let at = entry.span().start;
            rules.pins.push(entry.into_inner().checked().map_err(|problem| refused(at, problem))?);
        }
        for entry in file.boost {
            let at = entry.span().start;
            rules.boosts.push(entry.into_inner().checked().map_err(|problem| refused(at, problem))?);
        }
        if let Some(entry) = file.age {
            let at = entry.span().start;
            rules.age = Some(entry.into_inner().checked().map_err(|problem| refused(at, problem))?);
        }
        Ok(rules)
    }
}

impl Pin {
    /// Whether it is for this query, as [`key`] writes it.
    pub(crate) fn is_for(&self, query: &str) -> bool {
        self.asked.is(query)
    }
}

impl Boost {
    /// Whether it is for this query, as [`key`] writes it.
    pub(crate) fn is_for(&self, query: &str) -> bool {
        self.asked.is(query)
    }

    /// The documents that it is about, at this second; ages go by whole days, so that what a filter lets through can be
    /// remembered.
    pub(crate) fn filter(&self, now: i64) -> Filter {
        let today = now.div_euclid(SECONDS_OF_DAY);
        let before = |days: u32| (today - i64::from(days)) * SECONDS_OF_DAY;
        Filter {
            before: self.older_than_days.map(before),
            after: self.newer_than_days.map(before),
            ..self.filter.clone()
        }
    }
}

impl PinEntry {
    fn checked(self) -> Result<Pin, String> {
        let asked = Asked::of(&self.queries, &self.words)?;
        if asked.is_empty() {
            return Err("expected `queries` or `words` that this is pinned for".to_owned());
        }
        if self.documents.is_empty() || self.documents.len() > MAX_PINNED {
            return Err(format!("expected 1 to {MAX_PINNED} documents, got {}", self.documents.len()));
        }
        let id = |shown: &String| match shown.split_once('/') {
            Some((source, path)) if !source.is_empty() && !path.is_empty() => Ok(DocumentId::of(source, path)),
            _ => Err(format!("expected a document as it is shown, SOURCE/PATH, got {shown:?}")),
        };
        let documents = self.documents.iter().map(id).collect::<Result<_, _>>()?;
        Ok(Pin { asked, documents, because: self.because })
    }
}

impl BoostEntry {
    fn checked(self) -> Result<Boost, String> {
        let asked = Asked::of(&self.queries, &self.words)?;
        if !FACTORS.contains(&self.factor) {
            let (least, most) = (FACTORS.start(), FACTORS.end());
            return Err(format!("factor: expected {least} to {most}, got {}", self.factor));
        }
        let lists = [&self.sources, &self.paths, &self.types, &self.languages];
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or_default();
        if longest > MAX_VALUES {
            return Err(format!("expected at most {MAX_VALUES} values of a kind, got {longest}"));
        }
        if let Some(blank) = lists.into_iter().flatten().find(|value| value.trim().is_empty()) {
            return Err(format!("expected a name, got {blank:?}"));
        }
        let kinds = self.types.iter().map(|word| match formats::Format::meant_by(word) {
            Some(format) => Ok(format.name.to_owned()),
            None => Err(format!("types: no format is called {word:?}")),
        });
        let filter = Filter {
            kinds: kinds.collect::<Result<_, _>>()?,
            sources: self.sources,
            paths: self.paths,
            languages: self.languages,
            page_types: self.pages,
            ..Filter::default()
        };
        let boost = Boost {
            asked,
            filter,
            older_than_days: self.older_than_days,
            newer_than_days: self.newer_than_days,
            factor: self.factor,
            because: self.because,
        };
        if boost.filter(0).is_empty() {
            let conditions = "sources, paths, types, languages, pages, older_than_days or newer_than_days";
            return Err(format!(
                "expected at least one of {conditions}: what counts for all documents changes nothing"
            ));
        }
        Ok(boost)
    }
}

impl Age {
    fn checked(self) -> Result<Self, String> {
        if !(self.half_life_days.is_finite() && self.half_life_days >= 1.0) {
            return Err(format!("half_life_days: expected a number from 1, got {}", self.half_life_days));
        }
        if !(0.0..=0.9).contains(&self.weight) {
            return Err(format!("weight: expected a share from 0 to 0.9, got {}", self.weight));
        }
        Ok(self)
    }
}

impl Asked {
    fn of(queries: &[String], words: &[String]) -> Result<Self, String> {
        if queries.len().max(words.len()) > MAX_VALUES {
            return Err(format!("expected at most {MAX_VALUES} queries, got {}", queries.len().max(words.len())));
        }
        let keys = |texts: &[String]| {
            let key = |text: &String| match key(text) {
                key if key.is_empty() => Err(format!("expected a word, got {text:?}")),
                key => Ok(key),
            };
            texts.iter().map(key).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self { whole: keys(queries)?, within: keys(words)? })
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.within.is_empty()
    }

    fn is(&self, query: &str) -> bool {
        let stands = |words: &String| is_within(words, query);
        self.is_empty() || self.whole.iter().any(|whole| whole == query) || self.within.iter().any(stands)
    }
}

/// Whether words stand in a query, one behind the other; both as [`key`] writes them.
pub(crate) fn is_within(words: &str, query: &str) -> bool {
    match words.contains(is_unspaced) {
        true => query.contains(words),
        false => format!(" {query} ").contains(&format!(" {words} ")),
    }
}

/// A query as rules compare it: its words as the index writes them, whatever stands between them.
pub(crate) fn key(query: &str) -> String {
    let analyzer = Analyzer::for_documents(None);
    let query = folded(query);
    let words = runs(&query).map(|(run, _)| analyzer.normalize(&query[run]));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rules, String> {
        let written = WrittenFile { what: WHAT, path: Path::new("rules.toml"), text: text.to_owned() };
        Rules::of(&written).map_err(|error| error.to_string())
    }

    const FILE: &str = "[[pin]]\nqueries = [\"VPN\", \"work from home\"]\nwords = [\"远程办公\"]\n\
        documents = [\"handbook/it/vpn.md\"]\n\n[[boost]]\nsources = [\"handbook\"]\nfactor = 1.3\n\n\
        [[boost]]\nwords = [\"price list\"]\npages = [\"changelog\"]\ntypes = [\".md\"]\nolder_than_days = 10\nfactor = 0.5\n\n\
        [age]\nhalf_life_days = 365\nweight = 0.2\n";

    #[test]
    fn a_rule_is_for_the_queries_that_it_names() {
        let rules = read(FILE).unwrap();
        let is_pinned = |query: &str| rules.pins[0].is_for(&key(query));
        for query in ["vpn", "VPN?", "Work from  home", "如何远程办公"] {
            assert!(is_pinned(query), "{query}");
        }
        for query in ["vpn setup", "work home from", "办公", ""] {
            assert!(!is_pinned(query), "{query}");
        }
        let boosts = |query: &str| rules.boosts.iter().filter(|boost| boost.is_for(&key(query))).count();
        assert_eq!((boosts("the price list of 2024"), boosts("lists of prices"), boosts("")), (2, 1, 1));
    }

    #[test]
    fn conditions_are_a_filter_whose_ages_go_by_days() {
        let rules = read(FILE).unwrap();
        let filter = rules.boosts[1].filter(20 * SECONDS_OF_DAY + 77);
        assert_eq!((filter.before, filter.after), (Some(10 * SECONDS_OF_DAY), None));
        assert_eq!((filter.kinds, filter.page_types), (vec!["markdown".to_owned()], vec![PageType::Changelog]));
    }

    #[test]
    fn age_takes_half_of_its_weight_in_its_half_life() {
        let age = Age { half_life_days: 100.0, weight: 0.4 };
        assert_eq!((age.factor(-5), age.factor(0)), (1.0, 1.0));
        assert!((age.factor(100 * SECONDS_OF_DAY) - 0.8).abs() < 1e-9);
        assert!((age.factor(100_000 * SECONDS_OF_DAY) - 0.6).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_line() {
        for (text, expected) in [
            ("[[pin]]\nqueries = [\"a\"]\ndocuments = []", "rules.toml, line 1: expected 1 to 10 documents, got 0"),
            ("\n\n[[pin]]\ndocuments = [\"a/b\"]", "line 3: expected `queries` or `words`"),
            ("[[pin]]\nqueries = [\"a\"]\ndocuments = [\"a.md\"]", "expected a document as it is shown, SOURCE/PATH"),
            ("[[pin]]\nqueries = [\"--\"]\ndocuments = [\"a/b\"]", "expected a word, got \"--\""),
            ("[[boost]]\nfactor = 2.0", "expected at least one of sources, paths"),
            ("[[boost]]\nsources = [\"a\"]\nfactor = 20.0", "factor: expected 0.1 to 10, got 20"),
            ("[[boost]]\ntypes = [\"qqq\"]\nfactor = 2.0", "no format is called \"qqq\""),
            ("[[boost]]\nsources = [\" \"]\nfactor = 2.0", "expected a name, got \" \""),
            ("[age]\nhalf_life_days = 0\nweight = 0.2", "line 1: half_life_days: expected a number from 1"),
            ("[age]\nhalf_life_days = 9\nweight = 1.2", "weight: expected a share from 0 to 0.9"),
            ("[[boost]]\npages = [\"prose\"]\nfactor = 2.0", "rules.toml is no file of rules"),
            ("[[pins]]\nqueries = []", "rules.toml is no file of rules"),
        ] {
            let error = read(text).err().unwrap();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
