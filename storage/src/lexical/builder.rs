//! The tantivy query that an analysed query becomes.

use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, PhraseQuery, Query, TermQuery, TermSetQuery};
use tantivy::schema::{Field, IndexRecordOption, Term};

use super::alternative::AnalysedAlternative;
use super::query::{AnalysedQuery, LexicalWeights, PIECE, QueryWord, Sequence};
use super::schema::Fields;
use crate::error::Result;

/// Builds tantivy queries for the fields of one index.
pub(super) struct QueryBuilder<'a> {
    pub(super) fields: &'a Fields,
    pub(super) weights: LexicalWeights,
}

impl QueryBuilder<'_> {
    /// The query, or `None` if nothing is asked that the lexical index could answer.
    pub(super) fn build(&self, query: &AnalysedQuery) -> Option<BooleanQuery> {
        let mut clauses = self.free_text(query);
        clauses.extend(query.phrases.iter().filter_map(|phrase| Some((Occur::Must, self.sequence(phrase)?))));
        if clauses.is_empty() {
            return None;
        }
        clauses.extend(self.exclusions(query));
        Some(BooleanQuery::new(clauses))
    }

    /// What a passage of average length scores that holds every word, pair of characters and code of the query once: the
    /// sum of their weights, each times `idf` of the term. A word counts in one spelling and in the language that it counts
    /// most in, or as what may stand in its place, where that is more frequent.
    pub(super) fn coverage(&self, query: &AnalysedQuery, mut idf: impl FnMut(&Term) -> Result<f32>) -> Result<f32> {
        let LexicalWeights { body, codes, .. } = self.weights;
        let mut of = |field: Field, text: &str| idf(&Term::from_field_text(field, text));
        let mut sum = 0.0;
        let mut worth = |word: &QueryWord| -> Result<f32> {
            let mut best: f32 = 0.0;
            for (stem, weight) in &word.stems {
                best = best.max(weight * of(self.fields.stems, stem)?);
            }
            if word.exact_weight >= 1.0 {
                // Its own stem is held nowhere: it is the exact word that stands for it.
                best = of(self.fields.body, &word.exact)?;
            } else if word.exact_weight > 0.0 {
                best += word.exact_weight * of(self.fields.body, &word.exact)?;
            }
            Ok(word.weight * best)
        };
        for word in query.words.iter().filter(|word| !word.is_spelling) {
            let mut least = worth(word)?;
            for alternative in query.alternatives.iter().filter(|it| it.stands_for(word) && !it.words.is_empty()) {
                let words: Vec<f32> = alternative.words.iter().map(&mut worth).collect::<Result<_>>()?;
                least = least.min(words.into_iter().fold(0.0, f32::max));
            }
            sum += body * least;
        }
        for gram in &query.grams {
            sum += self.gram_weight(gram) * of(self.fields.grams, gram)?;
        }
        for code in &query.codes {
            sum += codes * of(self.fields.codes, code)?;
        }
        Ok(sum)
    }

    /// What must occur, without regard to score: for retrievers that rank by something else.
    pub(super) fn requirements(&self, query: &AnalysedQuery) -> Option<BooleanQuery> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> =
            query.phrases.iter().filter_map(|phrase| Some((Occur::Must, self.sequence(phrase)?))).collect();
        let excluded: Vec<_> = self.exclusions(query).collect();
        if clauses.is_empty() && excluded.is_empty() {
            return None;
        }
        if clauses.is_empty() {
            clauses.push((Occur::Must, Box::new(tantivy::query::AllQuery)));
        }
        clauses.extend(excluded);
        Some(BooleanQuery::new(clauses))
    }

    /// Matches what must not occur.
    fn exclusions<'q>(&'q self, query: &'q AnalysedQuery) -> impl Iterator<Item = (Occur, Box<dyn Query>)> + 'q {
        let words = query.without.iter().map(|word| self.any_form(word));
        let sequences = query.without_phrases.iter().filter_map(|sequence| self.sequence(sequence));
        words.chain(sequences).map(|excluded| (Occur::MustNot, excluded))
    }

    /// Matches a word in any of its forms.
    fn any_form(&self, word: &QueryWord) -> Box<dyn Query> {
        let stems = word.stems.iter().map(|(stem, _)| Term::from_field_text(self.fields.stems, stem));
        let exact = Term::from_field_text(self.fields.body, &word.exact);
        Box::new(TermSetQuery::new(stems.chain([exact])))
    }

    fn free_text(&self, query: &AnalysedQuery) -> Vec<(Occur, Box<dyn Query>)> {
        let codes = self.weights.codes;
        let mut clauses = Vec::new();
        for word in &query.words {
            self.push_word(&mut clauses, word, 1.0);
        }
        for alternative in &query.alternatives {
            self.push_alternative(&mut clauses, alternative);
        }
        for apart in query.spellings.iter().filter_map(|sequence| in_order(self.fields.body, &sequence.words)) {
            clauses.push((Occur::Should, Box::new(BoostQuery::new(apart, PIECE * self.weights.body))));
        }
        for gram in &query.grams {
            self.push_term(&mut clauses, self.fields.grams, gram, self.gram_weight(gram));
        }
        for code in &query.codes {
            self.push_term(&mut clauses, self.fields.codes, code, codes);
        }
        clauses
    }

    fn push_word(&self, clauses: &mut Vec<(Occur, Box<dyn Query>)>, word: &QueryWord, factor: f32) {
        let LexicalWeights { body, title, headings, .. } = self.weights;
        let whole = word.weight * factor;
        for (stem, language) in &word.stems {
            let weight = whole * language;
            self.push_term(clauses, self.fields.stems, stem, weight * body);
            self.push_term(clauses, self.fields.title, stem, weight * title);
            self.push_term(clauses, self.fields.headings, stem, weight * headings);
        }
        self.push_term(clauses, self.fields.body, &word.exact, whole * word.exact_weight * body);
    }

    fn push_alternative(&self, clauses: &mut Vec<(Occur, Box<dyn Query>)>, alternative: &AnalysedAlternative) {
        let mut own: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        match &alternative.sequence {
            None => alternative.words.iter().for_each(|word| self.push_word(&mut own, word, alternative.weight)),
            Some(sequence) => own.extend(self.ordered(sequence).map(|phrase| {
                let weighted: Box<dyn Query> =
                    Box::new(BoostQuery::new(phrase, alternative.weight * self.weights.body));
                (Occur::Should, weighted)
            })),
        }
        let Some(language) = alternative.language.as_ref().filter(|_| !own.is_empty()) else {
            return clauses.extend(own);
        };
        let term = Term::from_field_text(self.fields.language, language);
        let in_language = constant(Box::new(TermQuery::new(term, IndexRecordOption::Basic)));
        let own: Box<dyn Query> = Box::new(BooleanQuery::new(own));
        clauses
            .push((Occur::Should, Box::new(BooleanQuery::new(vec![(Occur::Must, own), (Occur::Must, in_language)]))));
    }

    fn gram_weight(&self, gram: &str) -> f32 {
        if gram.chars().nth(1).is_none() { self.weights.characters } else { self.weights.pairs }
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

    /// A sequence that is required: it adds nothing to a score.
    pub(super) fn sequence(&self, sequence: &Sequence) -> Option<Box<dyn Query>> {
        self.ordered(sequence).map(constant)
    }

    /// A sequence of words and of characters.
    fn ordered(&self, sequence: &Sequence) -> Option<Box<dyn Query>> {
        let words = in_order(self.fields.body, &sequence.words);
        let characters = in_order(self.fields.grams, &sequence.characters);
        match (words, characters) {
            (Some(words), Some(characters)) => {
                Some(Box::new(BooleanQuery::new(vec![(Occur::Must, words), (Occur::Must, characters)])))
            }
            (only, None) | (None, only) => only,
        }
    }
}

/// Terms that stand at these distances from each other.
fn in_order(field: Field, terms: &[(usize, String)]) -> Option<Box<dyn Query>> {
    let term = |text: &String| Term::from_field_text(field, text);
    match terms {
        [] => None,
        [(_, text)] => Some(Box::new(TermQuery::new(term(text), IndexRecordOption::Basic))),
        _ => {
            let terms = terms.iter().map(|(position, text)| (*position, term(text))).collect();
            Some(Box::new(PhraseQuery::new_with_offset(terms)))
        }
    }
}

/// A requirement filters; it adds the same to every score.
fn constant(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}
