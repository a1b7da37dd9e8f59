//! Holdings: which terms of a query a few passages hold, and how rare each term is. What BM25 adds up into one number is
//! taken apart here, so that a passage with every rare word can be told from one that repeats a common one.

use tantivy::DocSet;
use tantivy::TERMINATED;
use tantivy::schema::{Field, IndexRecordOption, Term};

use super::query::AnalysedQuery;
use super::reader::{LexicalReader, PassageRef};
use crate::error::Result;

/// A term of a query, and which of some passages hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldTerm {
    /// The term; of a word, its first form.
    pub text: String,
    /// What kind of term it is.
    pub kind: TermKind,
    /// BM25's inverse document frequency; of a word, that of its most frequent form.
    pub idf: f32,
    /// Whether any passage of the index holds it.
    pub is_known: bool,
    /// For each passage that was asked about, whether it holds the term.
    pub held: Vec<bool>,
}

/// A kind of terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermKind {
    /// A word of a spaced script.
    Word,
    /// A pair of characters of an unspaced script, or a character that stands alone.
    Gram,
    /// An exact name or number.
    Code,
}

impl LexicalReader {
    /// For each term of the query's free text, which of the passages hold it. Words that are only parts of a name are left
    /// out, and so are characters that belong to a pair.
    pub(crate) fn holdings(&self, query: &AnalysedQuery, passages: &[PassageRef]) -> Result<Vec<HeldTerm>> {
        let is_pair = |gram: &&String| gram.chars().nth(1).is_some();
        let is_paired = |gram: &String| query.grams.iter().filter(is_pair).any(|pair| pair.contains(gram.as_str()));
        let words = query.words.iter().filter(|word| !word.is_part);
        let words = words.map(|word| (TermKind::Word, self.fields.body, word.forms.iter().collect::<Vec<_>>()));
        let grams = query.grams.iter().filter(|gram| is_pair(gram) || !is_paired(gram));
        let grams = grams.map(|gram| (TermKind::Gram, self.fields.grams, vec![gram]));
        let codes = query.codes.iter().map(|code| (TermKind::Code, self.fields.codes, vec![code]));
        words.chain(grams).chain(codes).map(|(kind, field, forms)| self.held(kind, field, &forms, passages)).collect()
    }

    fn held(&self, kind: TermKind, field: Field, forms: &[&String], passages: &[PassageRef]) -> Result<HeldTerm> {
        let text = forms.first().map_or_else(String::new, ToString::to_string);
        let mut term = HeldTerm { text, kind, idf: f32::INFINITY, is_known: false, held: vec![false; passages.len()] };
        for form in forms {
            let form = Term::from_field_text(field, form);
            term.idf = term.idf.min(self.idf(&form)?);
            term.is_known |= self.note_holders(&form, passages, &mut term.held)?;
        }
        Ok(term)
    }

    /// Notes which of the passages hold a term; whether any passage of the index does.
    fn note_holders(&self, term: &Term, passages: &[PassageRef], held: &mut [bool]) -> Result<bool> {
        let mut is_known = false;
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let index = reader.inverted_index(term.field())?;
            let postings = index.read_postings(term, IndexRecordOption::Basic).map_err(tantivy::TantivyError::from)?;
            let Some(mut postings) = postings else { continue };
            is_known = true;
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
        Ok(is_known)
    }
}
