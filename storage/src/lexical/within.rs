//! BM25 within a sight: every passage that matches, scored term by term.
//!
//! tantivy's own search prunes by bounds that hold for the whole segment, and adds up the scores of a passage in an order that
//! depends on its neighbours. Here each term goes over its postings once, in the order of the query, and adds to the
//! passages in sight: the same sums of the same numbers, whatever else the segments hold.

use std::collections::HashSet;

use tantivy::postings::Postings as _;
use tantivy::query::{Bm25StatisticsProvider as _, Bm25Weight, EnableScoring, Query};
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{DocSet as _, SegmentReader, TERMINATED};

use super::builder::Leaf;
use super::query::{AnalysedQuery, LexicalWeights};
use super::reader::{LexicalReader, PassageRef};
use super::sight::Sight;
use super::statistics::Statistics;
use crate::error::Result;
use crate::filter::Filter;
use crate::vectors::OrdinalSet;

/// Postings that are passed over for each passage from which on it pays to look for the next one that is allowed.
const SKIPS: u64 = 8;

/// The scores of a segment's passages.
struct Scores {
    of: Vec<f32>,
    /// Those that hold anything that is asked for.
    hit: OrdinalSet,
}

impl LexicalReader {
    /// Every passage in sight that matches, with its score, in index order.
    pub(super) fn scored_within(
        &self,
        sight: &Sight,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
    ) -> Result<Vec<(PassageRef, f32)>> {
        match self.allowed(filters, query)? {
            None => self.scores(sight, query, weights),
            Some(allowed) => self.scores(&Sight::of(self.segment_lengths(), allowed.into_iter()), query, weights),
        }
    }

    /// The scores of those of some passages in sight that match.
    pub(super) fn scores_within(
        &self,
        sight: &Sight,
        query: &AnalysedQuery,
        passages: Vec<PassageRef>,
        weights: LexicalWeights,
    ) -> Result<Vec<(PassageRef, f32)>> {
        let mut wanted: HashSet<PassageRef> = passages.into_iter().filter(|passage| sight.contains(*passage)).collect();
        if let Some(allowed) = self.allowed(&[], query)? {
            wanted = allowed.into_iter().filter(|passage| wanted.contains(passage)).collect();
        }
        self.scores(&Sight::of(self.segment_lengths(), wanted.into_iter()), query, weights)
    }

    /// The scores of the passages that are allowed and match.
    fn scores(
        &self,
        allowed: &Sight,
        query: &AnalysedQuery,
        weights: LexicalWeights,
    ) -> Result<Vec<(PassageRef, f32)>> {
        let builder = self.builder(weights);
        let leaves = builder.leaves(query);
        // With phrases that are required, words are a wish.
        let requires = query.phrases.iter().any(|phrase| builder.sequence(phrase).is_some());
        if allowed.passages() == 0 || (leaves.is_empty() && !requires) {
            return Ok(Vec::new());
        }
        let statistics = Statistics::of(self, query)?;
        let mut found = Vec::new();
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let Some(allowed) = allowed.segment(segment).filter(|allowed| !allowed.is_empty()) else { continue };
            let mut scores =
                Scores { of: vec![0.0; reader.max_doc() as usize], hit: OrdinalSet::new(u64::from(reader.max_doc())) };
            for leaf in &leaves {
                self.add(leaf, reader, allowed, &statistics, &mut scores)?;
            }
            let matching = if requires { allowed } else { &scores.hit };
            found.extend(matching.iter().map(|doc| (PassageRef { segment, doc: doc as u32 }, scores.of[doc as usize])));
        }
        Ok(found)
    }

    fn add(
        &self,
        leaf: &Leaf,
        reader: &SegmentReader,
        allowed: &OrdinalSet,
        statistics: &Statistics<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        let in_language;
        let allowed = match &leaf.language {
            None => allowed,
            Some(language) => {
                in_language = self.of_language(reader, language, allowed)?;
                &in_language
            }
        };
        match &leaf.what {
            What::Term(term) => self.add_term(term, leaf.weight, reader, allowed, statistics, scores),
            What::Sequence(query) => {
                self.add_sequence(query.as_ref(), leaf.weight, reader, allowed, statistics, scores)
            }
        }
    }

    fn add_term(
        &self,
        term: &Term,
        weight: f32,
        reader: &SegmentReader,
        allowed: &OrdinalSet,
        statistics: &Statistics<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        let frequency = statistics.doc_freq(term)?;
        let index = reader.inverted_index(term.field())?;
        let postings = index.read_postings(term, IndexRecordOption::WithFreqs).map_err(tantivy::TantivyError::from)?;
        let Some(mut postings) = postings.filter(|_| frequency > 0) else { return Ok(()) };
        let passages = statistics.total_num_docs()?;
        let average = statistics.total_num_tokens(term.field())? as f32 / passages as f32;
        let bm25 = Bm25Weight::for_one_term_without_explain(frequency, passages, average).boost_by(weight);
        let lengths = reader.get_fieldnorms_reader(term.field())?;
        let mut score = |doc: u32, frequency: u32| {
            scores.of[doc as usize] += bm25.score(lengths.fieldnorm_id(doc), frequency);
            scores.hit.insert(u64::from(doc));
        };
        if allowed.count() * SKIPS < u64::from(postings.doc_freq()) {
            for doc in allowed.iter().map(|doc| doc as u32) {
                let at = if postings.doc() < doc { postings.seek(doc) } else { postings.doc() };
                if at == TERMINATED {
                    break;
                }
                if at == doc {
                    score(doc, postings.term_freq());
                }
            }
            return Ok(());
        }
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if allowed.contains(u64::from(doc)) {
                score(doc, postings.term_freq());
            }
            doc = postings.advance();
        }
        Ok(())
    }

    fn add_sequence(
        &self,
        query: &dyn Query,
        weight: f32,
        reader: &SegmentReader,
        allowed: &OrdinalSet,
        statistics: &Statistics<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        let scoring = EnableScoring::enabled_from_statistics_provider(statistics, &self.searcher);
        let mut scorer = query.weight(scoring)?.scorer(reader, weight)?;
        let mut doc = scorer.doc();
        while doc != TERMINATED {
            if allowed.contains(u64::from(doc)) {
                scores.of[doc as usize] += scorer.score();
                scores.hit.insert(u64::from(doc));
            }
            doc = scorer.advance();
        }
        Ok(())
    }

    /// Those of a segment's passages that are in a language.
    fn of_language(&self, reader: &SegmentReader, language: &str, allowed: &OrdinalSet) -> Result<OrdinalSet> {
        let term = Term::from_field_text(self.fields.language, language);
        let index = reader.inverted_index(self.fields.language)?;
        let mut within = OrdinalSet::new(allowed.len());
        let postings = index.read_postings(&term, IndexRecordOption::Basic).map_err(tantivy::TantivyError::from)?;
        let Some(mut postings) = postings else { return Ok(within) };
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if allowed.contains(u64::from(doc)) {
                within.insert(u64::from(doc));
            }
            doc = postings.advance();
        }
        Ok(within)
    }
}

/// What one part of a query's free text looks for.
pub(super) enum What {
    Term(Term),
    /// Words in their order.
    Sequence(Box<dyn Query>),
}
