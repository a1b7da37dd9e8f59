//! Everything that a query matches, where the best are not enough: for counting, and for pages behind the ranked ones.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::EnableScoring;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::query::{AnalysedQuery, LexicalWeights};
use super::reader::{LexicalReader, PassageRef};
use super::statistics::Statistics;
use crate::error::Result;
use crate::filter::Filter;

impl LexicalReader {
    /// Every passage that [`search`](Self::search) would return without a limit, in index order.
    pub(crate) fn matching(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
    ) -> Result<Vec<PassageRef>> {
        let Some(query) = self.asked(query, filters, weights)? else { return Ok(Vec::new()) };
        self.everything(&query)
    }

    /// The same passages with their scores.
    pub(crate) fn scored(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
    ) -> Result<Vec<(PassageRef, f32)>> {
        if let Some(sight) = &self.sight {
            return self.scored_within(sight, query, filters, weights);
        }
        let Some(asked) = self.asked(query, filters, weights)? else { return Ok(Vec::new()) };
        let statistics = Statistics::of(self, query)?;
        Ok(self.searcher.search_with_statistics_provider(&asked, &Scored, &statistics)?)
    }
}

impl LexicalReader {
    /// The scores of these passages, of those that match.
    pub(crate) fn scores_of(
        &self,
        query: &AnalysedQuery,
        weights: LexicalWeights,
        mut passages: Vec<PassageRef>,
    ) -> Result<Vec<(PassageRef, f32)>> {
        if let Some(sight) = &self.sight {
            return self.scores_within(sight, query, passages, weights);
        }
        let Some(asked) = self.asked(query, &[], weights)? else { return Ok(Vec::new()) };
        let statistics = Statistics::of(self, query)?;
        let scoring = EnableScoring::enabled_from_statistics_provider(&statistics, &self.searcher);
        let weight = asked.weight(scoring)?;
        passages.sort_unstable();
        let mut scores = Vec::with_capacity(passages.len());
        for within in passages.chunk_by(|one, next| one.segment == next.segment) {
            let mut scorer = weight.scorer(self.searcher.segment_reader(within[0].segment), 1.0)?;
            for passage in within {
                if scorer.doc() < passage.doc {
                    scorer.seek(passage.doc);
                }
                if scorer.doc() == passage.doc {
                    scores.push((*passage, scorer.score()));
                }
            }
        }
        Ok(scores)
    }
}

/// Collects every matching passage with its score.
struct Scored;

struct ScoredInSegment {
    segment: u32,
    found: Vec<(PassageRef, f32)>,
}

impl Collector for Scored {
    type Fruit = Vec<(PassageRef, f32)>;
    type Child = ScoredInSegment;

    fn for_segment(&self, segment: SegmentOrdinal, _: &SegmentReader) -> tantivy::Result<Self::Child> {
        Ok(ScoredInSegment { segment, found: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, fruits: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        Ok(fruits.into_iter().flatten().collect())
    }
}

impl SegmentCollector for ScoredInSegment {
    type Fruit = Vec<(PassageRef, f32)>;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.found.push((PassageRef { segment: self.segment, doc }, score));
    }

    fn harvest(self) -> Self::Fruit {
        self.found
    }
}
