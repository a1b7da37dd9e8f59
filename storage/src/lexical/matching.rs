//! Everything that a query matches, where the best are not enough: for counting, and for pages behind the ranked ones.

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::query::{AnalysedQuery, LexicalWeights};
use super::reader::{Everything, LexicalReader, PassageRef};
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
        Ok(self.searcher.search(&query, &Everything)?)
    }

    /// The same passages with their scores.
    pub(crate) fn scored(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
    ) -> Result<Vec<(PassageRef, f32)>> {
        let Some(asked) = self.asked(query, filters, weights)? else { return Ok(Vec::new()) };
        let statistics = Statistics::of(&self.searcher, &self.fields, query)?;
        Ok(self.searcher.search_with_statistics_provider(&asked, &Scored, &statistics)?)
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
