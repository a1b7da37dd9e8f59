//! The query of lexical retrieval, and how it becomes a tantivy query.
//!
//! Free text is a disjunction: every word, pair of characters and code adds its BM25 score where it occurs. Phrases must
//! occur, excluded words must not. A word is looked up as it is stemmed in each language that the index holds, because
//! the language of three words cannot be told.

use std::collections::BTreeSet;

use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Term};

use super::analysis::{self, Analyzer};
use super::schema::Fields;
use super::stopwords::is_stopword;
use crate::error::Result;

/// Most words, grams or codes of a query that are looked up; the rest adds nothing but time.
const MAX_TERMS: usize = 64;

/// A lexical query; all texts are as the user wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LexicalQuery {
    /// Words of which any may occur.
    pub text: String,
    /// Word sequences that must occur.
    pub phrases: Vec<String>,
    /// Words or word sequences that must not occur.
    pub without: Vec<String>,
}

/// How much a match in each field counts. The defaults were measured on the evaluation sets named in docs/BENCHMARKS.md.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LexicalWeights {
    /// A word anywhere in the passage, its headings or its title.
    pub body: f32,
    /// Added for a word in the title.
    pub title: f32,
    /// Added for a word in the heading path or file name.
    pub headings: f32,
    /// A pair of characters of an unspaced script.
    pub pairs: f32,
    /// A single character of an unspaced script.
    pub characters: f32,
    /// Added for an exact code.
    pub codes: f32,
}

impl Default for LexicalWeights {
    fn default() -> Self {
        Self { body: 1.0, title: 0.2, headings: 0.1, pairs: 1.0, characters: 0.2, codes: 1.0 }
    }
}

/// Builds tantivy queries for the fields and languages of one index.
pub(super) struct QueryBuilder<'a> {
    pub(super) fields: &'a Fields,
    pub(super) analyzers: &'a [Analyzer],
    pub(super) weights: LexicalWeights,
}

impl QueryBuilder<'_> {
    /// The query, or `None` if nothing is asked that the lexical index could answer.
    pub(super) fn build(&self, query: &LexicalQuery) -> Option<BooleanQuery> {
        let mut clauses = self.free_text(&query.text);
        let mut musts = 0;
        for phrase in &query.phrases {
            if let Some(phrase) = self.phrase(phrase) {
                clauses.push((Occur::Must, phrase));
                musts += 1;
            }
        }
        if clauses.is_empty() && musts == 0 {
            return None;
        }
        clauses.extend(self.exclusions(&query.without).into_iter().map(|query| (Occur::MustNot, query)));
        Some(BooleanQuery::new(clauses))
    }

    /// What a passage of average length scores that holds every word, pair of characters and code of a text once: the sum
    /// of their weights, each times `idf` of the term. A word counts as its most frequent form.
    pub(super) fn whole(&self, text: &str, mut idf: impl FnMut(&Term) -> Result<f32>) -> Result<f32> {
        let LexicalWeights { body, pairs, characters, codes, .. } = self.weights;
        let mut of = |field: Field, text: &str| idf(&Term::from_field_text(field, text));
        let mut sum = 0.0;
        for forms in self.word_forms(text) {
            let rarities: Vec<f32> = forms.iter().map(|form| of(self.fields.body, form)).collect::<Result<_>>()?;
            sum += body * rarities.into_iter().reduce(f32::min).unwrap_or(0.0);
        }
        for gram in distinct(Analyzer::grams(text)) {
            let weight = if gram.chars().nth(1).is_none() { characters } else { pairs };
            sum += weight * of(self.fields.grams, &gram)?;
        }
        for code in distinct(Analyzer::codes(text)) {
            sum += codes * of(self.fields.codes, &code)?;
        }
        Ok(sum)
    }

    /// Matches what must not occur.
    pub(super) fn exclusions(&self, without: &[String]) -> Vec<Box<dyn Query>> {
        without.iter().filter_map(|text| self.phrase(text)).collect()
    }

    /// What must occur, without regard to score: for legs that rank by something else.
    pub(super) fn requirements(&self, query: &LexicalQuery) -> Option<BooleanQuery> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> =
            query.phrases.iter().filter_map(|text| Some((Occur::Must, self.phrase(text)?))).collect();
        let excluded = self.exclusions(&query.without);
        if clauses.is_empty() && excluded.is_empty() {
            return None;
        }
        if clauses.is_empty() {
            clauses.push((Occur::Must, Box::new(tantivy::query::AllQuery)));
        }
        clauses.extend(excluded.into_iter().map(|query| (Occur::MustNot, query)));
        Some(BooleanQuery::new(clauses))
    }

    fn free_text(&self, text: &str) -> Vec<(Occur, Box<dyn Query>)> {
        let mut clauses = Vec::new();
        for forms in self.word_forms(text) {
            for form in &forms {
                self.push_term(&mut clauses, self.fields.body, form, self.weights.body);
                self.push_term(&mut clauses, self.fields.title, form, self.weights.title);
                self.push_term(&mut clauses, self.fields.headings, form, self.weights.headings);
            }
        }
        for gram in distinct(Analyzer::grams(text)) {
            let single = gram.chars().nth(1).is_none();
            let weight = if single { self.weights.characters } else { self.weights.pairs };
            self.push_term(&mut clauses, self.fields.grams, &gram, weight);
        }
        for code in distinct(Analyzer::codes(text)) {
            self.push_term(&mut clauses, self.fields.codes, &code, self.weights.codes);
        }
        clauses
    }

    /// The distinct words of a text, each in its form in every language; function words only if there is nothing else.
    fn word_forms(&self, text: &str) -> Vec<BTreeSet<String>> {
        let plain = Analyzer::for_language(None);
        let words = distinct(plain.words(text));
        let has_topic = words.iter().any(|word| !is_stopword(word)) || text.chars().any(analysis::is_unspaced);
        let forms = words.into_iter().filter(|word| !(has_topic && is_stopword(word)));
        let mut seen = BTreeSet::new();
        let forms = forms.map(|word| self.analyzers.iter().map(|analyzer| analyzer.normalize(&word)).collect());
        forms.filter(|forms: &BTreeSet<String>| seen.insert(forms.clone())).collect()
    }

    fn push_term(&self, clauses: &mut Vec<(Occur, Box<dyn Query>)>, field: Field, text: &str, weight: f32) {
        if weight == 0.0 {
            return;
        }
        let term = TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs);
        let boosted: Box<dyn Query> =
            if weight == 1.0 { Box::new(term) } else { Box::new(BoostQuery::new(Box::new(term), weight)) };
        clauses.push((Occur::Should, boosted));
    }

    /// A sequence of words in any of the languages, or of characters.
    fn phrase(&self, text: &str) -> Option<Box<dyn Query>> {
        let mut alternatives: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let mut seen = BTreeSet::new();
        for analyzer in self.analyzers {
            let words: Vec<(usize, String)> =
                first_at_each_position(analyzer.words(text)).map(|term| (term.position, term.text)).collect();
            if seen.insert(words.clone()) {
                alternatives.extend(self.sequence(self.fields.body, words).map(|query| (Occur::Should, query)));
            }
        }
        let grams = Analyzer::grams(text);
        let longest = grams.iter().map(|gram| gram.text.chars().count()).max().unwrap_or(0);
        let pairs = grams.into_iter().filter(|gram| gram.text.chars().count() == longest);
        let pairs = pairs.map(|gram| (gram.position, gram.text)).collect();
        let pairs = self.sequence(self.fields.grams, pairs);
        if alternatives.is_empty() {
            return pairs.map(constant);
        }
        let words: Box<dyn Query> = Box::new(BooleanQuery::new(alternatives));
        Some(constant(match pairs {
            Some(pairs) => Box::new(BooleanQuery::new(vec![(Occur::Must, words), (Occur::Must, pairs)])),
            None => words,
        }))
    }

    fn sequence(&self, field: Field, words: Vec<(usize, String)>) -> Option<Box<dyn Query>> {
        let mut terms: Vec<(usize, Term)> = words
            .into_iter()
            .take(MAX_TERMS)
            .map(|(position, text)| (position, Term::from_field_text(field, &text)))
            .collect();
        match terms.len() {
            0 => None,
            1 => terms
                .pop()
                .map(|(_, term)| -> Box<dyn Query> { Box::new(TermQuery::new(term, IndexRecordOption::Basic)) }),
            _ => Some(Box::new(PhraseQuery::new_with_offset(terms))),
        }
    }
}

/// A requirement filters; it adds the same to every score.
fn constant(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
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
    use crate::{Batch, ChunkDraft, Document, IndexModel, Source, Store};

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
            page: None,
            vector: Some(vec![1.0, 0.0]),
        };
        batch.put(document, vec![draft]);
    }

    #[test]
    fn the_whole_is_what_a_passage_with_every_word_scores() {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        store.add_source(Source { name: "a".into(), root: folder.path().to_path_buf() }).unwrap();
        let mut batch = Batch::default();
        for (path, text) in [("1", "pump valve"), ("2", "rotor pump"), ("3", "报销 valve")] {
            put(&mut batch, path, text);
        }
        store.commit(batch).unwrap();
        let snapshot = store.snapshot();
        let weights = LexicalWeights { title: 0.0, headings: 0.0, ..LexicalWeights::default() };
        let ask = |text: &str| LexicalQuery { text: text.into(), ..LexicalQuery::default() };
        let whole = |text: &str| snapshot.lexical_whole(&ask(text), weights).unwrap();
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
