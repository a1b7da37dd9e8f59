//! Holdings: which terms of a query a few passages hold, and how rare each term is. What BM25 adds up into one number is
//! taken apart here, so that a passage with every rare word can be told from one that repeats a common one.

use std::collections::BTreeMap;

use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocSet, TERMINATED};

use super::apart::Spelling;
use super::names::Name;
use super::query::{AnalysedQuery, LexicalWeights, QueryWord};
use super::reader::{LexicalReader, PassageRef};
use super::statistics;
use crate::error::Result;

/// A term of a query, and which of some passages hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldTerm {
    /// The term; of a word, as it was typed.
    pub text: String,
    /// What kind of term it is.
    pub kind: TermKind,
    /// Whether it is another spelling of terms that stand beside it.
    pub is_spelling: bool,
    /// BM25's inverse document frequency; of a word, in all its forms together.
    pub idf: f32,
    /// Whether any passage of the index holds it.
    pub is_known: bool,
    /// For each passage that was asked about, whether it holds the term.
    pub held: Vec<bool>,
}

/// A kind of terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermKind {
    /// A word of a spaced script, in any of its forms.
    Word,
    /// A pair of characters of an unspaced script, or a character that stands alone.
    Gram,
    /// An exact name or number.
    Code,
}

impl LexicalReader {
    /// For each term of the query's free text, which of the passages hold it, or what stands for it. Words that are only
    /// parts of a name are left out, and so are characters that belong to a pair.
    pub(crate) fn holdings(&self, query: &AnalysedQuery, passages: &[PassageRef]) -> Result<Vec<HeldTerm>> {
        let fields = &self.fields;
        let words = query.words.iter().filter(|word| !word.is_part).map(|word| self.word(query, word, passages));
        let is_pair = |gram: &&String| gram.chars().nth(1).is_some();
        let is_paired = |gram: &String| query.grams.iter().filter(is_pair).any(|pair| pair.contains(gram.as_str()));
        let grams = query.grams.iter().filter(|gram| is_pair(gram) || !is_paired(gram));
        let grams = grams.map(|gram| (TermKind::Gram, gram, vec![Term::from_field_text(fields.grams, gram)]));
        let codes = query.codes.iter();
        let codes = codes.map(|code| (TermKind::Code, code, vec![Term::from_field_text(fields.codes, code)]));
        let terms = grams.chain(codes).map(|(kind, text, forms)| self.held(kind, text, &forms, passages));
        let apart = query.spellings.iter().map(|apart| self.written_apart(apart, passages));
        words.chain(terms).chain(apart).chain(query.names.iter().map(|name| self.name(name, passages))).collect()
    }

    /// A name in the spelling of documents.
    fn name(&self, name: &Name, passages: &[PassageRef]) -> Result<HeldTerm> {
        let forms = [Term::from_field_text(self.fields.codes, &name.code)];
        Ok(HeldTerm { is_spelling: true, ..self.held(TermKind::Code, &name.of, &forms, passages)? })
    }

    /// A name that is written in several words.
    fn written_apart(&self, spelling: &Spelling, passages: &[PassageRef]) -> Result<HeldTerm> {
        let required = self.builder(LexicalWeights::default()).sequence(&spelling.written);
        let found = required.map(|required| self.everything(&required)).transpose()?;
        let mut found: Vec<PassageRef> = found.unwrap_or_default();
        found.sort_unstable();
        Ok(HeldTerm {
            text: spelling.of.clone(),
            kind: TermKind::Word,
            is_spelling: true,
            idf: statistics::idf(self.live(), found.len() as u64),
            is_known: !found.is_empty(),
            held: passages.iter().map(|passage| found.binary_search(passage).is_ok()).collect(),
        })
    }

    /// A word, or all words of what may stand in its place.
    fn word(&self, query: &AnalysedQuery, word: &QueryWord, passages: &[PassageRef]) -> Result<HeldTerm> {
        let held = |word: &QueryWord| {
            let stems = word.stems.iter().map(|(stem, _)| Term::from_field_text(self.fields.stems, stem));
            let exact = (word.exact_weight > 0.0).then(|| Term::from_field_text(self.fields.body, &word.exact));
            self.held(TermKind::Word, &word.exact, &stems.chain(exact).collect::<Vec<_>>(), passages)
        };
        let mut own = HeldTerm { is_spelling: word.is_spelling, ..held(word)? };
        for alternative in query.alternatives.iter().filter(|it| it.stands_for(word) && !it.words.is_empty()) {
            let words = alternative.words.iter().map(held).collect::<Result<Vec<_>>>()?;
            own.is_known |= words.iter().all(|word| word.is_known);
            own.idf = own.idf.min(words.iter().map(|word| word.idf).fold(0.0, f32::max));
            for (at, is_held) in own.held.iter_mut().enumerate() {
                *is_held |= words.iter().all(|word| word.held[at]);
            }
        }
        Ok(own)
    }

    fn held(&self, kind: TermKind, text: &str, forms: &[Term], passages: &[PassageRef]) -> Result<HeldTerm> {
        let mut held = vec![false; passages.len()];
        // Stems of several languages stand in different passages, the exact word in some of the same.
        let mut holders: BTreeMap<Field, u64> = BTreeMap::new();
        for form in forms {
            *holders.entry(form.field()).or_default() += self.frequency(form)?;
            self.note_holders(form, passages, &mut held)?;
        }
        let holders = holders.into_values().max().unwrap_or(0);
        let idf = statistics::idf(self.live(), holders);
        Ok(HeldTerm { text: text.to_owned(), kind, is_spelling: false, idf, is_known: holders > 0, held })
    }

    /// Notes which of the passages hold a term.
    fn note_holders(&self, term: &Term, passages: &[PassageRef], held: &mut [bool]) -> Result<()> {
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let index = reader.inverted_index(term.field())?;
            let postings = index.read_postings(term, IndexRecordOption::Basic).map_err(tantivy::TantivyError::from)?;
            let Some(mut postings) = postings else { continue };
            let mut places: Vec<(u32, usize)> = passages
                .iter()
                .enumerate()
                .filter(|(_, passage)| passage.segment == segment)
                .map(|(place, passage)| (passage.doc, place))
                .collect();
            places.sort_unstable();
            for (doc, place) in places {
                let at = if postings.doc() < doc { postings.seek(doc) } else { postings.doc() };
                if at == TERMINATED {
                    break;
                }
                held[place] |= at == doc;
            }
        }
        Ok(())
    }
}
