//! The reading side of the lexical index: one immutable view of it.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector, TopDocs};
use tantivy::columnar::Column;
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, Occur, Query, RangeQuery, TermSetQuery};
use tantivy::schema::{Field, Term, Value};
use tantivy::{
    DocAddress, DocId, Index, IndexReader, ReloadPolicy, Score, Searcher, SegmentOrdinal, SegmentReader,
    TantivyDocument,
};

use super::analysis::Analyzer;
use super::builder::QueryBuilder;
use super::index::{Payload, checked, unusable};
use super::pinned::PinnedFolder;
use super::query::{AnalysedQuery, LexicalQuery, LexicalWeights, QueryWord, query_word};
use super::schema::{self, DEFAULT_LANGUAGE, Fields, StoredPassage};
use super::sight::Sight;
use super::statistics::{Statistics, idf};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::simhash::SimHash;

/// Blocks of stored passages kept unpacked; a block holds some twenty passages.
const STORE_CACHE_BLOCKS: usize = 256;

/// Share of the passages from which on a language is the one of the index.
const MAIN_LANGUAGE: f64 = 0.8;

/// A passage within one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PassageRef {
    pub(crate) segment: u32,
    pub(crate) doc: u32,
}

impl PassageRef {
    fn address(self) -> DocAddress {
        DocAddress::new(self.segment, self.doc)
    }
}

impl From<DocAddress> for PassageRef {
    fn from(address: DocAddress) -> Self {
        Self { segment: address.segment_ord, doc: address.doc_id }
    }
}

/// A view of the lexical index that later commits do not change: of all of it, or within a sight.
#[derive(Clone)]
pub(crate) struct LexicalReader {
    pub(super) searcher: Searcher,
    pub(super) fields: Fields,
    payload: Payload,
    languages: Vec<String>,
    analyzers: Vec<Analyzer>,
    /// The groups of each segment: opening a column for every passage that is grouped costs more than the grouping.
    groups: Vec<Column<u64>>,
    /// Likewise both halves of the fingerprints.
    fingerprints: Vec<(Column<u64>, Column<u64>)>,
    /// The passages that are seen; `None`: all of them.
    pub(super) sight: Option<Arc<Sight>>,
}

impl LexicalReader {
    /// Opens the index in `folder` for reading only, checking it whole; once more if a writer replaced meanwhile what
    /// was about to be read.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        loop {
            let pinned = PinnedFolder::open(folder)?;
            match Self::open_pinned(pinned.clone()) {
                Err(_) if pinned.is_superseded() => {}
                done => return done,
            }
        }
    }

    fn open_pinned(folder: PinnedFolder) -> Result<Self> {
        let index = Index::open(folder).map_err(unusable)?;
        let payload = checked(&index)?;
        Self::of(reader_of(&index)?.searcher(), payload)
    }

    /// The view that `searcher` has; `payload` is that of the commit it sees.
    pub(crate) fn of(searcher: Searcher, payload: Option<Payload>) -> Result<Self> {
        let payload = payload.unwrap_or(Payload { sequence: 0, chunks: 0, access: 0 });
        let fields = schema::schema().1;
        let groups = searcher.segment_readers().iter().map(|reader| reader.fast_fields().u64("group"));
        let groups = groups.collect::<tantivy::Result<_>>()?;
        let fingerprints = searcher.segment_readers().iter().map(|reader| {
            let columns = reader.fast_fields();
            Ok((columns.u64("fingerprint_upper")?, columns.u64("fingerprint_lower")?))
        });
        let fingerprints = fingerprints.collect::<tantivy::Result<_>>()?;
        let (languages, analyzers) = (Vec::new(), Vec::new());
        Self { searcher, fields, payload, languages, analyzers, groups, fingerprints, sight: None }.with_languages()
    }

    /// The same commit, of which nothing is seen but these passages.
    pub(crate) fn within(&self, passages: impl Iterator<Item = PassageRef>) -> Result<Self> {
        let sight = Sight::of(self.segment_lengths(), passages.filter(|passage| self.sees(*passage)));
        Self { sight: Some(Arc::new(sight)), ..self.clone() }.with_languages()
    }

    /// Finds out which languages it holds, and how their words are compared.
    fn with_languages(mut self) -> Result<Self> {
        let mut languages = Vec::new();
        for language in terms_of(&self.searcher, self.fields.language)? {
            let is_held =
                self.sight.is_none() || self.frequency(&Term::from_field_text(self.fields.language, &language))? > 0;
            languages.extend(is_held.then_some(language));
        }
        self.languages = languages;
        self.analyzers = analyzers_for(&self)?;
        Ok(self)
    }

    /// Whether a passage is seen.
    fn sees(&self, passage: PassageRef) -> bool {
        self.sight.as_ref().is_none_or(|sight| sight.contains(passage))
    }

    /// The live passages of a segment that are seen.
    pub(super) fn alive<'a>(&'a self, segment: u32, reader: &'a SegmentReader) -> Box<dyn Iterator<Item = DocId> + 'a> {
        match self.sight.as_ref().map(|sight| sight.segment(segment)) {
            None => reader.doc_ids_alive(),
            Some(seen) => Box::new(seen.into_iter().flat_map(|seen| seen.iter().map(|doc| doc as DocId))),
        }
    }

    /// How many live passages there are.
    pub(super) fn live(&self) -> u64 {
        self.sight.as_ref().map_or_else(|| self.searcher.num_docs(), |sight| sight.passages())
    }

    /// How many passages rarity is told by: deleted ones count until their segment is rewritten, but not within a sight.
    pub(super) fn counted_passages(&self) -> tantivy::Result<u64> {
        self.sight.as_ref().map_or_else(|| self.searcher.total_num_docs(), |sight| Ok(sight.passages()))
    }

    /// How many of those hold a term.
    pub(super) fn frequency(&self, term: &Term) -> tantivy::Result<u64> {
        let sight = self.sight.as_ref();
        sight.map_or_else(|| self.searcher.doc_freq(term), |sight| sight.frequency(&self.searcher, term))
    }

    /// How long a field is in all of those together.
    pub(super) fn tokens(&self, field: Field) -> tantivy::Result<u64> {
        let sight = self.sight.as_ref();
        sight.map_or_else(|| self.searcher.total_num_tokens(field), |sight| sight.tokens(&self.searcher, field))
    }

    /// Every passage that matches and is seen, in index order.
    pub(super) fn everything(&self, query: &dyn Query) -> Result<Vec<PassageRef>> {
        let mut found = self.searcher.search(query, &Everything)?;
        found.retain(|passage| self.sees(*passage));
        Ok(found)
    }

    pub(crate) fn payload(&self) -> Payload {
        self.payload
    }

    pub(crate) fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Calls `visit` with every live passage and its ordinal.
    pub(crate) fn for_each_ordinal(&self, mut visit: impl FnMut(PassageRef, u64)) -> Result<()> {
        for (segment, reader) in (0u32..).zip(self.searcher.segment_readers()) {
            let ordinals = reader.fast_fields().u64("ordinal")?;
            for doc in self.alive(segment, reader) {
                let ordinal = ordinals.first(doc).ok_or_else(|| damaged("a chunk has no ordinal"))?;
                visit(PassageRef { segment, doc }, ordinal);
            }
        }
        Ok(())
    }

    /// The best `limit` passages by BM25, best first, equal scores in index order; within a sight, in no order and with all
    /// that score as much as the last one.
    pub(crate) fn search(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
        limit: usize,
    ) -> Result<Vec<(PassageRef, f32)>> {
        if let Some(sight) = &self.sight {
            return Ok(best(self.scored_within(sight, query, filters, weights)?, limit));
        }
        let Some(asked) = self.asked(query, filters, weights)? else { return Ok(Vec::new()) };
        let statistics = Statistics::of(self, query)?;
        let top = TopDocs::with_limit(limit.max(1)).order_by_score();
        let hits = self.searcher.search_with_statistics_provider(&asked, &top, &statistics)?;
        Ok(hits.into_iter().take(limit).map(|(score, address): (Score, DocAddress)| (address.into(), score)).collect())
    }

    /// What matches a query within the filters; `None` if it asks for nothing that is looked up here.
    pub(super) fn asked(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
    ) -> Result<Option<Box<dyn Query>>> {
        let Some(built) = self.builder(weights).build(query) else { return Ok(None) };
        Ok(Some(match self.filter_query(filters)? {
            Some(filter) => Box::new(BooleanQuery::new(vec![
                (Occur::Must, Box::new(built)),
                (Occur::Must, Box::new(tantivy::query::ConstScoreQuery::new(filter, 0.0))),
            ])),
            None => Box::new(built),
        }))
    }

    /// A query analysed in every language of the index.
    pub(crate) fn analyse(&self, query: &LexicalQuery) -> AnalysedQuery {
        let mut analysed = AnalysedQuery::of(query, &self.analyzers);
        // A dictionary that cannot be read is an error of the search that follows.
        let holders = |stem: &str| self.frequency(&Term::from_field_text(self.fields.stems, stem)).unwrap_or(1);
        analysed.look_for_unheld(|stem| holders(stem) > 0);
        let AnalysedQuery { phrases, without_phrases, spellings, .. } = &mut analysed;
        let spellings = spellings.iter_mut().map(|spelling| &mut spelling.written);
        for sequence in phrases.iter_mut().chain(without_phrases).chain(spellings) {
            if let Err(error) = sequence.with_names(|word| self.parts_of_name(word)) {
                tracing::warn!("the spellings of a phrase could not be looked up: {error}");
            }
        }
        analysed
    }

    /// One word, analysed likewise.
    pub(super) fn analysed_word(&self, word: &str) -> QueryWord {
        query_word(word, &self.analyzers)
    }

    /// What a passage of average length scores that holds all of the query's text once.
    pub(crate) fn full_coverage(&self, query: &AnalysedQuery, weights: LexicalWeights) -> Result<f32> {
        let statistics = Statistics::of(self, query)?;
        self.builder(weights).coverage(query, |term| {
            let holders = statistics.doc_freq(term)?;
            Ok((idf(self.live(), holders), holders > 0))
        })
    }

    /// The passages that a filter and the hard requirements of a query let through; `None` if that is all of them.
    pub(crate) fn allowed(&self, filters: &[Filter], query: &AnalysedQuery) -> Result<Option<Vec<PassageRef>>> {
        let requirements = self.builder(LexicalWeights::default()).requirements(query);
        let filter = self.filter_query(filters)?;
        let combined: Box<dyn Query> = match (requirements, filter) {
            (None, None) => return Ok(None),
            (Some(only), None) => Box::new(only),
            (None, Some(only)) => only,
            (Some(first), Some(second)) => {
                Box::new(BooleanQuery::new(vec![(Occur::Must, Box::new(first)), (Occur::Must, second)]))
            }
        };
        self.everything(combined.as_ref()).map(Some)
    }

    pub(super) fn builder(&self, weights: LexicalWeights) -> QueryBuilder<'_> {
        QueryBuilder { fields: &self.fields, weights }
    }

    fn filter_query(&self, filters: &[Filter]) -> Result<Option<Box<dyn Query>>> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for filter in filters {
            self.push_sources(filter, &mut clauses)?;
            self.push_lists(filter, &mut clauses);
            self.push_paths(filter, &mut clauses)?;
            self.push_dates(filter, &mut clauses);
        }
        if clauses.is_empty() {
            return Ok(None);
        }
        Ok(Some(Box::new(BooleanQuery::new(clauses))))
    }

    fn push_lists(&self, filter: &Filter, clauses: &mut Vec<(Occur, Box<dyn Query>)>) {
        let page_types: Vec<String> = filter.page_types.iter().map(|page| page.name().to_owned()).collect();
        let lists = [
            (self.fields.kind, &filter.kinds),
            (self.fields.language, &filter.languages),
            (self.fields.page_type, &page_types),
        ];
        for (field, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
            let terms = values.iter().map(|value| Term::from_field_text(field, value));
            clauses.push((Occur::Must, Box::new(TermSetQuery::new(terms))));
        }
    }

    fn push_dates(&self, filter: &Filter, clauses: &mut Vec<(Occur, Box<dyn Query>)>) {
        if filter.after.is_none() && filter.before.is_none() {
            return;
        }
        let bound = |second: i64| Term::from_field_i64(self.fields.modified, second);
        let lower = filter.after.map_or(Bound::Unbounded, |second| Bound::Included(bound(second)));
        let upper = filter.before.map_or(Bound::Unbounded, |second| Bound::Excluded(bound(second)));
        clauses.push((Occur::Must, Box::new(RangeQuery::new(lower, upper))));
    }

    /// 64 bits that tell the passage's document from others.
    pub(crate) fn group(&self, passage: PassageRef) -> Result<u64> {
        let groups = self.groups.get(passage.segment as usize);
        groups.and_then(|groups| groups.first(passage.doc)).ok_or_else(|| damaged("a chunk has no document"))
    }

    /// The fingerprint of the passage's document, where it has one.
    pub(crate) fn fingerprint(&self, passage: PassageRef) -> Option<SimHash> {
        let (upper, lower) = self.fingerprints.get(passage.segment as usize)?;
        Some(SimHash::from_halves(upper.first(passage.doc)?, lower.first(passage.doc)?))
    }

    /// Reads a passage with its document.
    pub(crate) fn passage(&self, passage: PassageRef) -> Result<StoredPassage> {
        let stored: TantivyDocument = self.searcher.doc(passage.address())?;
        let record = stored.get_first(self.fields.record);
        let bytes =
            record.as_ref().and_then(|value| value.as_bytes()).ok_or_else(|| damaged("a chunk has no record"))?;
        postcard::from_bytes(bytes).map_err(|error| damaged(format!("a chunk's record cannot be decoded: {error}")))
    }
}

/// A reader that sees new commits when it is told to.
pub(super) fn reader_of(index: &Index) -> Result<IndexReader> {
    let builder = index.reader_builder().reload_policy(ReloadPolicy::Manual);
    Ok(builder.doc_store_cache_num_blocks(STORE_CACHE_BLOCKS).try_into()?)
}

/// The best of these, and all others as good as the last of them.
fn best(mut scored: Vec<(PassageRef, f32)>, limit: usize) -> Vec<(PassageRef, f32)> {
    if limit == 0 {
        return Vec::new();
    }
    if scored.len() > limit {
        let (_, (_, least), _) = scored.select_nth_unstable_by(limit - 1, |a, b| b.1.total_cmp(&a.1));
        let least = *least;
        scored.retain(|(_, score)| *score >= least);
    }
    scored
}

/// One analysis for each way in which words are stemmed.
fn analyzers_for(reader: &LexicalReader) -> Result<Vec<Analyzer>> {
    let passages = reader.live();
    let mut counted: Vec<(Analyzer, u64)> = Vec::new();
    // Documents of no known language are stemmed in the default one.
    let mut of_default = passages;
    let default = std::iter::once(DEFAULT_LANGUAGE);
    for code in default.chain(reader.languages.iter().map(String::as_str).filter(|code| *code != DEFAULT_LANGUAGE)) {
        let analyzer = Analyzer::for_language(Some(code));
        let holders = match code {
            DEFAULT_LANGUAGE => 0,
            code => reader.frequency(&Term::from_field_text(reader.fields.language, code))?,
        };
        of_default = of_default.saturating_sub(holders);
        match counted.iter_mut().find(|(known, _)| known.tag() == analyzer.tag()) {
            Some((_, count)) => *count += holders,
            None => counted.push((analyzer, holders)),
        }
    }
    if let Some((_, count)) = counted.first_mut() {
        *count = of_default;
    }
    let is_main = |count: u64| count as f64 >= MAIN_LANGUAGE * passages as f64;
    let marked =
        counted.into_iter().map(|(analyzer, count)| if is_main(count) { analyzer.into_main() } else { analyzer });
    Ok(marked.collect())
}

/// All distinct terms of a raw field that occur in a live or dead passage.
pub(super) fn terms_of(searcher: &Searcher, field: Field) -> Result<BTreeSet<String>> {
    let mut terms = BTreeSet::new();
    for reader in searcher.segment_readers() {
        let index = reader.inverted_index(field)?;
        let mut stream = index.terms().stream().map_err(|error| damaged(error.to_string()))?;
        while stream.advance() {
            terms.insert(String::from_utf8_lossy(stream.key()).into_owned());
        }
    }
    Ok(terms)
}

pub(super) fn damaged(detail: impl Into<String>) -> Error {
    Error::damaged("the lexical index", detail)
}

/// Collects every matching passage.
pub(super) struct Everything;

pub(super) struct EverythingInSegment {
    segment: u32,
    found: Vec<PassageRef>,
}

impl Collector for Everything {
    type Fruit = Vec<PassageRef>;
    type Child = EverythingInSegment;

    fn for_segment(&self, segment: SegmentOrdinal, _: &SegmentReader) -> tantivy::Result<Self::Child> {
        Ok(EverythingInSegment { segment, found: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, fruits: Vec<Vec<PassageRef>>) -> tantivy::Result<Self::Fruit> {
        Ok(fruits.into_iter().flatten().collect())
    }
}

impl SegmentCollector for EverythingInSegment {
    type Fruit = Vec<PassageRef>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.found.push(PassageRef { segment: self.segment, doc });
    }

    fn harvest(self) -> Self::Fruit {
        self.found
    }
}
