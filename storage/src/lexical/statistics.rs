//! Statistics of BM25 in which a word of a query is one word: a passage holds its stem in the language of its document, and
//! how rare the word is goes by the passages of all languages. A German page does not win for being the only one.

use std::collections::HashMap;

use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, Term};

use super::query::AnalysedQuery;
use super::reader::LexicalReader;

/// The statistics of one query.
pub(super) struct Statistics<'a> {
    reader: &'a LexicalReader,
    /// For stems of words that have several: the passages that hold any of them.
    together: HashMap<Term, u64>,
}

impl<'a> Statistics<'a> {
    pub(super) fn of(reader: &'a LexicalReader, query: &AnalysedQuery) -> tantivy::Result<Self> {
        let fields = &reader.fields;
        let passages = reader.counted_passages()?;
        let mut together = HashMap::new();
        let words = query.words.iter().chain(query.alternatives.iter().flat_map(|alternative| &alternative.words));
        for word in words.filter(|word| word.stems.len() > 1) {
            for field in [fields.stems, fields.title, fields.headings] {
                let terms = || word.stems.iter().map(move |(stem, _)| Term::from_field_text(field, stem));
                let holders = terms().map(|term| reader.frequency(&term)).sum::<tantivy::Result<u64>>()?;
                together.extend(terms().map(|term| (term, holders.min(passages))));
            }
        }
        Ok(Self { reader, together })
    }
}

/// BM25's inverse document frequency of a term; a deleted passage may still be counted as a holder.
pub(super) fn idf(passages: u64, holders: u64) -> f32 {
    (1.0 + (passages.saturating_sub(holders) as f32 + 0.5) / (holders as f32 + 0.5)).ln()
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.reader.tokens(field)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.reader.counted_passages()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        match self.together.get(term) {
            Some(holders) => Ok(*holders),
            None => self.reader.frequency(term),
        }
    }
}
