//! The tantivy query that an analysed query becomes.

use std::collections::HashMap;

use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, PhraseQuery, Query, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Term};

use super::query::{AnalysedQuery, LexicalWeights, PIECE, QueryWord, Sequence};
use super::schema::Fields;
use super::within::What;
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
    /// sum of their weights, each times what `idf` says of the term, and whether the index holds it. A word counts in one
    /// spelling and in the language that it counts most in, or as what may stand in its place, where that is more frequent. A
    /// code that is not held says no more than the number or the word that it is in another spelling, and words around a hyphen
    /// no more than the one that they make.
    pub(super) fn coverage(
        &self,
        query: &AnalysedQuery,
        mut idf: impl FnMut(&Term) -> Result<(f32, bool)>,
    ) -> Result<f32> {
        let LexicalWeights { body, codes, .. } = self.weights;
        let mut look_up = |field: Field, text: &str| idf(&Term::from_field_text(field, text));
        let mut of_codes = 0.0;
        for code in &query.codes {
            let (rarity, is_held) = look_up(self.fields.codes, code)?;
            let joined: String = code.chars().filter(|character| character.is_alphanumeric()).collect();
            let is_number = !joined.contains(char::is_alphabetic);
            if is_held || !(is_number || look_up(self.fields.body, &joined)?.1) {
                of_codes += codes * rarity;
            }
        }
        let mut joined_and_held: Vec<&QueryWord> = Vec::new();
        for word in query.words.iter().filter(|word| !word.joins.is_empty()) {
            if look_up(self.fields.body, &word.exact)?.1 {
                joined_and_held.push(word);
            }
        }
        let mut of = |field: Field, text: &str| look_up(field, text).map(|(rarity, _)| rarity);
        let mut sum = of_codes;
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
        let mut worths: HashMap<&String, f32> = HashMap::new();
        for word in query.words.iter().filter(|word| !word.is_spelling) {
            let mut least = worth(word)?;
            for alternative in query.alternatives.iter().filter(|it| it.stands_for(word) && !it.words.is_empty()) {
                let words: Vec<f32> = alternative.words.iter().map(&mut worth).collect::<Result<_>>()?;
                least = least.min(words.into_iter().fold(0.0, f32::max));
            }
            sum += body * least;
            worths.insert(&word.exact, least);
        }
        for joined in joined_and_held {
            let apart: f32 = joined.joins.iter().filter_map(|part| worths.get(part)).sum();
            sum -= body * (apart - worth(joined)?).max(0.0);
        }
        for gram in &query.grams {
            sum += self.gram_weight(gram) * of(self.fields.grams, gram)?;
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
        let leaves = self.leaves(query);
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::with_capacity(leaves.len());
        let mut leaves = leaves.into_iter().peekable();
        while let Some(leaf) = leaves.next() {
            let Some(language) = leaf.language.clone() else {
                clauses.push((Occur::Should, leaf.query()));
                continue;
            };
            // What holds in a language only is looked for in its passages, all of it together.
            let mut own = vec![(Occur::Should, leaf.query())];
            while let Some(next) = leaves.next_if(|next| next.language.as_ref() == Some(&language)) {
                own.push((Occur::Should, next.query()));
            }
            let term = Term::from_field_text(self.fields.language, &language);
            let in_language = constant(Box::new(TermQuery::new(term, IndexRecordOption::Basic)));
            let both =
                vec![(Occur::Must, Box::new(BooleanQuery::new(own)) as Box<dyn Query>), (Occur::Must, in_language)];
            clauses.push((Occur::Should, Box::new(BooleanQuery::new(both))));
        }
        clauses
    }

    /// The parts of a query's free text, each of which adds to the score of the passages that hold it.
    pub(super) fn leaves(&self, query: &AnalysedQuery) -> Vec<Leaf> {
        let LexicalWeights { body, neighbours, codes, .. } = self.weights;
        let mut leaves = Vec::new();
        for word in &query.words {
            self.leaves_of_word(&mut leaves, word, 1.0, None);
        }
        for alternative in &query.alternatives {
            let language = alternative.language.as_ref();
            match &alternative.sequence {
                None => {
                    let words = alternative.words.iter();
                    words.for_each(|word| self.leaves_of_word(&mut leaves, word, alternative.weight, language));
                }
                Some(sequence) => {
                    let language = language.cloned();
                    leaves.extend(self.ordered(sequence).map(|phrase| Leaf {
                        what: What::Sequence(phrase),
                        weight: alternative.weight * body,
                        language,
                    }));
                }
            }
        }
        for apart in query.spellings.iter().filter_map(|spelling| self.words_in_order(&spelling.written)) {
            leaves.push(Leaf { what: What::Sequence(apart), weight: PIECE * body, language: None });
        }
        let pairs = query.neighbours.iter().filter(|_| neighbours > 0.0);
        for pair in pairs.filter_map(|pair| in_order(self.fields.body, &pair.words)) {
            leaves.push(Leaf { what: What::Sequence(pair), weight: neighbours * body, language: None });
        }
        for gram in &query.grams {
            Leaf::push(&mut leaves, self.fields.grams, gram, self.gram_weight(gram), None);
        }
        for code in &query.codes {
            Leaf::push(&mut leaves, self.fields.codes, code, codes, None);
        }
        for name in &query.names {
            Leaf::push(&mut leaves, self.fields.codes, &name.code, codes, None);
        }
        leaves
    }

    fn leaves_of_word(&self, leaves: &mut Vec<Leaf>, word: &QueryWord, factor: f32, language: Option<&String>) {
        let LexicalWeights { body, title, headings, .. } = self.weights;
        let whole = word.weight * factor;
        for (stem, share) in &word.stems {
            let weight = whole * share;
            Leaf::push(leaves, self.fields.stems, stem, weight * body, language);
            Leaf::push(leaves, self.fields.title, stem, weight * title, language);
            Leaf::push(leaves, self.fields.headings, stem, weight * headings, language);
        }
        Leaf::push(leaves, self.fields.body, &word.exact, whole * word.exact_weight * body, language);
    }

    fn gram_weight(&self, gram: &str) -> f32 {
        if gram.chars().nth(1).is_none() { self.weights.characters } else { self.weights.pairs }
    }

    /// A sequence that is required: it adds nothing to a score.
    pub(super) fn sequence(&self, sequence: &Sequence) -> Option<Box<dyn Query>> {
        self.ordered(sequence).map(constant)
    }

    /// The words of a sequence, in any spelling.
    fn words_in_order(&self, sequence: &Sequence) -> Option<Box<dyn Query>> {
        any_of(sequence.all_spellings().filter_map(|words| in_order(self.fields.body, words)).collect())
    }

    /// A sequence of words and of characters.
    fn ordered(&self, sequence: &Sequence) -> Option<Box<dyn Query>> {
        let words = self.words_in_order(sequence);
        let characters = in_order(self.fields.grams, &sequence.characters);
        match (words, characters) {
            (Some(words), Some(characters)) => {
                Some(Box::new(BooleanQuery::new(vec![(Occur::Must, words), (Occur::Must, characters)])))
            }
            (only, None) | (None, only) => only,
        }
    }
}

/// One part of a query's free text.
pub(super) struct Leaf {
    pub(super) what: What,
    pub(super) weight: f32,
    /// The only language that it is looked for in.
    pub(super) language: Option<String>,
}

impl Leaf {
    fn push(leaves: &mut Vec<Self>, field: Field, text: &str, weight: f32, language: Option<&String>) {
        if weight != 0.0 {
            let what = What::Term(Term::from_field_text(field, text));
            leaves.push(Self { what, weight, language: language.cloned() });
        }
    }

    fn query(self) -> Box<dyn Query> {
        let plain: Box<dyn Query> = match self.what {
            What::Term(term) => Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)),
            What::Sequence(query) => query,
        };
        if self.weight == 1.0 { plain } else { Box::new(BoostQuery::new(plain, self.weight)) }
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

/// Matches what any of them matches, as well as the best of them.
fn any_of(mut queries: Vec<Box<dyn Query>>) -> Option<Box<dyn Query>> {
    if queries.len() > 1 { Some(Box::new(DisjunctionMaxQuery::new(queries))) } else { queries.pop() }
}

/// A requirement filters; it adds the same to every score.
fn constant(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}
