//! The snapshot that one search sees: a view of both indexes that later commits do not change.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::copies::Copies;
use crate::documents::Settings;
use crate::error::{Error, Result};
use crate::facets::Facets;
use crate::filter::Filter;
use crate::lexical::{
    AnalysedQuery, HeldTerm, KnownWord, LexicalQuery, LexicalReader, LexicalWeights, PassageRef, StoredPassage,
};
use crate::placement::Placement;
use crate::record::{Chunk, Document, DocumentId, IndexModel, Source};
use crate::roster::{DocumentSet, Roster};
use crate::totals::{self, IndexTotals};
use crate::vectors::{DEFAULT_EF, OrdinalSet, VectorIndex};
use crate::{edition, layout, settings};

/// An immutable view of the index. Cheap to share, safe to keep while the index changes.
pub struct Snapshot {
    totals: IndexTotals,
    view: Arc<View>,
}

/// What a search reads. Commits that touch no document leave it as it is.
struct View {
    settings: Settings,
    lexical: LexicalReader,
    vectors: VectorIndex,
    placement: Placement,
    facets: OnceLock<Facets>,
    background: OnceLock<Vec<Vec<f32>>>,
    roster: OnceLock<Roster>,
    /// Classes of near-duplicates, with the bits in which they may differ.
    copies: Mutex<Option<(u32, Arc<Copies>)>>,
    /// What filters let through that are asked for again and again.
    classes: Mutex<HashMap<Filter, Arc<DocumentSet>>>,
}

/// Filters whose documents are remembered.
const MAX_CLASSES: usize = 256;

/// Vectors of the sample that stands for the whole index.
const BACKGROUND: u64 = 512;

/// The newest snapshot of a store, for threads that search while it writes.
#[derive(Clone)]
pub struct SnapshotHandle(Arc<RwLock<Arc<Snapshot>>>);

impl SnapshotHandle {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(snapshot))))
    }

    /// The snapshot of the last commit.
    pub fn get(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, snapshot: Snapshot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }
}

/// A passage with its document.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The document's identity.
    pub document_id: DocumentId,
    /// The document.
    pub document: Document,
    /// Place of the passage in the document, from 0.
    pub number: u32,
    /// The passage.
    pub chunk: Chunk,
}

/// A page of documents.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The documents.
    pub documents: Vec<Document>,
    /// How many there are on all pages.
    pub total: usize,
    /// What to go on behind; `None` on the last page.
    pub next: Option<DocumentId>,
}

/// The passages a search may return.
pub struct Scope {
    restricted: Option<Restriction>,
}

struct Restriction {
    ordinals: OrdinalSet,
    passages: PassageSet,
}

/// Passages, one bit for each of a segment's.
struct PassageSet(Vec<OrdinalSet>);

impl PassageSet {
    fn of_segments(lengths: impl Iterator<Item = u32>) -> Self {
        Self(lengths.map(|length| OrdinalSet::new(u64::from(length))).collect())
    }

    fn insert(&mut self, passage: PassageRef) {
        if let Some(segment) = self.0.get_mut(passage.segment as usize) {
            segment.insert(u64::from(passage.doc));
        }
    }

    fn contains(&self, passage: PassageRef) -> bool {
        self.0.get(passage.segment as usize).is_some_and(|segment| segment.contains(u64::from(passage.doc)))
    }
}

impl Snapshot {
    /// Opens the index in the data folder for searching only: no lock is taken and nothing is written. Any number of
    /// processes may do so at once, beside one writer.
    ///
    /// # Errors
    /// [`Error::NoIndex`] if there is none, [`Error::NoTotals`] if no writer has counted it yet; [`Error::Damaged`] if a
    /// checksum is wrong.
    pub fn open(data: &Path) -> Result<Self> {
        edition::reading(data, Self::open_edition)
    }

    fn open_edition(folder: &Path) -> Result<Self> {
        let settings = settings::read(folder)?.ok_or_else(|| Error::NoIndex { path: folder.to_path_buf() })?;
        let totals = totals::known(folder)?;
        let lexical = LexicalReader::open(&layout::lexical(folder))?;
        let vectors = layout::open_vectors_for_reading(folder, &settings.model)?;
        let placement = Placement::of(&lexical)?;
        let vectors = vectors.extend(placement.live())?;
        Ok(Self::of(settings, totals, lexical, vectors, placement))
    }

    /// A view made of parts that belong together: `vectors` holds every live vector of `placement`, which was made from
    /// `lexical`.
    pub(crate) fn of(
        settings: Settings,
        totals: IndexTotals,
        lexical: LexicalReader,
        vectors: VectorIndex,
        placement: Placement,
    ) -> Self {
        let (facets, background, roster, copies, classes) = Default::default();
        Self {
            totals,
            view: Arc::new(View { settings, lexical, vectors, placement, facets, background, roster, copies, classes }),
        }
    }

    /// The same passages after a commit that changed none.
    pub(crate) fn counted_anew(&self, totals: IndexTotals) -> Self {
        Self { totals, view: Arc::clone(&self.view) }
    }

    /// Counts over the index, and over the files of each source. Beside a writer in another process, they may be those of
    /// the commit before or after the one that is visible.
    pub fn totals(&self) -> &IndexTotals {
        &self.totals
    }

    /// Number of the last commit that is visible.
    pub fn sequence(&self) -> u64 {
        self.view.lexical.payload().sequence
    }

    /// Number of live passages.
    pub fn passages(&self) -> u64 {
        self.view.lexical.payload().chunks
    }

    /// The model the index was built with.
    pub fn model(&self) -> &IndexModel {
        &self.view.settings.model
    }

    /// The folders that are indexed.
    pub fn sources(&self) -> &[Source] {
        &self.view.settings.sources
    }

    /// Languages of the documents, as ISO 639-1 codes.
    pub fn languages(&self) -> &[String] {
        self.view.lexical.languages()
    }

    /// A query analysed as this index compares it: once for all that a search asks.
    pub fn analyse(&self, query: &LexicalQuery) -> AnalysedQuery {
        self.view.lexical.analyse(query)
    }

    /// What the filters and the hard requirements of a query (phrases, exclusions) let through.
    pub fn scope(&self, filters: &[Filter], query: &AnalysedQuery) -> Result<Scope> {
        let Some(passages) = self.view.lexical.allowed(filters, query)? else { return Ok(Scope { restricted: None }) };
        let mut allowed = PassageSet::of_segments(self.view.lexical.segment_lengths());
        passages.into_iter().for_each(|passage| allowed.insert(passage));
        let mut ordinals = OrdinalSet::new(self.view.placement.live().len());
        self.view.lexical.for_each_ordinal(|passage, ordinal| {
            if allowed.contains(passage) {
                ordinals.insert(ordinal);
            }
        })?;
        Ok(Scope { restricted: Some(Restriction { ordinals, passages: allowed }) })
    }

    /// The best `limit` passages by BM25, best first; equal ones in the order of their documents' numbers.
    pub fn lexical(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
        limit: usize,
    ) -> Result<Vec<(PassageRef, f32)>> {
        self.in_order(self.view.lexical.search(query, filters, weights, limit)?)
    }

    /// Every passage that [`Snapshot::lexical`] would find without a limit, in the same order. Takes time for each of them.
    pub fn lexical_all(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
    ) -> Result<Vec<(PassageRef, f32)>> {
        self.in_order(self.view.lexical.scored(query, filters, weights)?)
    }

    /// What [`Snapshot::lexical`] would give these passages, as far as they hold anything that the query asks for.
    pub fn lexical_of(
        &self,
        query: &AnalysedQuery,
        weights: LexicalWeights,
        passages: Vec<PassageRef>,
    ) -> Result<Vec<(PassageRef, f32)>> {
        self.view.lexical.scores_of(query, weights, passages)
    }

    /// What [`Snapshot::nearest`] would give these passages: their cosines.
    pub fn cosines(&self, vector: &[f32], passages: Vec<PassageRef>) -> Result<Vec<(PassageRef, f32)>> {
        let known = self.view.lexical.ordinals_of(passages)?;
        let cosines = self.view.vectors.cosines(vector, known.iter().map(|(_, ordinal)| *ordinal))?;
        Ok(known.into_iter().map(|(passage, _)| passage).zip(cosines).collect())
    }

    fn in_order(&self, mut hits: Vec<(PassageRef, f32)>) -> Result<Vec<(PassageRef, f32)>> {
        let roster = self.roster()?;
        let numbers: Vec<u32> = hits.iter().map(|(passage, _)| roster.number(*passage)).collect::<Result<_>>()?;
        let mut keyed: Vec<(u32, (PassageRef, f32))> = numbers.into_iter().zip(hits.drain(..)).collect();
        keyed.sort_unstable_by(|(a, (p, x)), (b, (q, y))| y.total_cmp(x).then_with(|| (a, p).cmp(&(b, q))));
        Ok(keyed.into_iter().map(|(_, hit)| hit).collect())
    }

    /// The documents in which [`Snapshot::lexical`] would find passages without a limit. Much cheaper than finding them.
    pub fn matching(&self, query: &AnalysedQuery, filters: &[Filter], weights: LexicalWeights) -> Result<DocumentSet> {
        self.roster()?.documents(self.view.lexical.matching(query, filters, weights)?)
    }

    /// The documents with a passage that the filters and the hard requirements of a query let through.
    pub fn passing(&self, filters: &[Filter], query: &AnalysedQuery) -> Result<DocumentSet> {
        let roster = self.roster()?;
        match self.view.lexical.allowed(filters, query)? {
            Some(passages) => roster.documents(passages),
            None => Ok(roster.everybody()),
        }
    }

    /// The documents that a filter lets through, remembered: for filters of the settings, of which there are few.
    pub fn class(&self, filter: &Filter) -> Result<Arc<DocumentSet>> {
        let known = || self.view.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(class) = known().get(filter) {
            return Ok(Arc::clone(class));
        }
        let class = Arc::new(self.passing(std::slice::from_ref(filter), &AnalysedQuery::default())?);
        let mut classes = known();
        if classes.len() >= MAX_CLASSES {
            classes.clear();
        }
        classes.insert(filter.clone(), Arc::clone(&class));
        Ok(class)
    }

    /// The number of the document at this path of a source; `None` if it is not in this snapshot.
    pub fn number_of(&self, id: DocumentId) -> Result<Option<u32>> {
        self.places(id)?.first().map(|passage| self.number(*passage)).transpose()
    }

    /// The number of a passage's document in this snapshot: dense, from 0, in an order that other snapshots share.
    pub fn number(&self, passage: PassageRef) -> Result<u32> {
        self.roster()?.number(passage)
    }

    /// 64 bits that stand for the document with this number in every snapshot.
    pub fn group_of(&self, number: u32) -> Result<Option<u64>> {
        Ok(self.roster()?.groups().get(number as usize).copied())
    }

    /// A passage of the document with this number, as a rule its first.
    pub fn passage_of(&self, number: u32) -> Result<Option<PassageRef>> {
        Ok(self.roster()?.first().get(number as usize).copied())
    }

    /// The documents in classes of almost the same text: fingerprints differ from that of the first one in at most `bits`.
    /// Made when it is first asked for.
    pub fn copies(&self, bits: u32) -> Result<Arc<Copies>> {
        let roster = self.roster()?;
        let mut known = self.view.copies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, copies)) = known.as_ref().filter(|(known, _)| *known == bits) {
            return Ok(Arc::clone(copies));
        }
        let fingerprints: Vec<_> =
            roster.first().iter().map(|passage| self.view.lexical.fingerprint(*passage)).collect();
        let copies = Arc::new(Copies::of(&fingerprints, bits));
        *known = Some((bits, Arc::clone(&copies)));
        Ok(copies)
    }

    /// What a passage of average length scores by BM25 that holds every word of the query once: how good a score is, is
    /// seen beside it. Words that no passage holds count most.
    pub fn full_coverage(&self, query: &AnalysedQuery, weights: LexicalWeights) -> Result<f32> {
        self.view.lexical.full_coverage(query, weights)
    }

    /// The words of the index within so many slips (2 at the most) of a word that is given as the index folds it
    /// ([`Analyzer::normalize`](crate::Analyzer::normalize) of no language), the most frequent first.
    pub fn words_near(&self, word: &str, slips: u8) -> Result<Vec<KnownWord>> {
        self.view.lexical.words_near(word, slips)
    }

    /// Passages that hold a word in any of its forms, as far as one form can tell: those of the most frequent one.
    pub fn holders(&self, word: &str) -> Result<u64> {
        self.view.lexical.holders(word)
    }

    /// How many passages have what a query requires: its phrases, and nothing that it excludes.
    pub fn count(&self, query: &AnalysedQuery) -> Result<u64> {
        self.view.lexical.count(query)
    }

    /// For each term of a query's free text, how rare it is and which of the passages hold it.
    pub fn holdings(&self, query: &AnalysedQuery, passages: &[PassageRef]) -> Result<Vec<HeldTerm>> {
        self.view.lexical.holdings(query, passages)
    }

    /// A sample of the live vectors, at most 512, always the same of one index: what a vector is like that has nothing to do with
    /// a query.
    ///
    /// # Errors
    /// A stored vector is damaged.
    pub fn background(&self) -> Result<&[Vec<f32>]> {
        if let Some(background) = self.view.background.get() {
            return Ok(background);
        }
        let live = self.view.placement.live();
        let step = live.count_common(live).div_ceil(BACKGROUND).max(1);
        let sample = live.iter().step_by(usize::try_from(step).unwrap_or(usize::MAX));
        let sample = sample.map(|ordinal| Ok(self.view.vectors.vector(ordinal)?)).collect::<Result<_>>()?;
        Ok(self.view.background.get_or_init(|| sample))
    }

    /// The passages nearest to a normalised vector by cosine, best first, equal ones in the order of their documents' numbers:
    /// `limit` distinct vectors, every live passage of each.
    ///
    /// # Errors
    /// The vector has another dimension than the index or is not finite, or a stored vector is damaged.
    pub fn nearest(&self, vector: &[f32], scope: &Scope, limit: usize) -> Result<Vec<(PassageRef, f32)>> {
        let allowed = scope.restricted.as_ref().map_or(self.view.placement.live(), |restriction| &restriction.ordinals);
        let hits = self.view.vectors.search(vector, limit, DEFAULT_EF.max(limit), allowed)?;
        let mut passages = Vec::with_capacity(hits.len());
        for (ordinal, cosine) in hits {
            let all = self.view.placement.passages(ordinal).iter();
            passages.extend(all.filter(|passage| scope.admits(**passage)).map(|passage| (*passage, cosine)));
        }
        self.in_order(passages)
    }

    /// 64 bits that are equal for passages of the same document.
    pub fn group(&self, passage: PassageRef) -> Result<u64> {
        self.view.lexical.group(passage)
    }

    /// Reads a passage and its document.
    pub fn passage(&self, passage: PassageRef) -> Result<Passage> {
        Ok(Passage::of(self.view.lexical.passage(passage)?))
    }

    /// The passages of a document in their order; none if it is not in this snapshot.
    pub fn document(&self, id: DocumentId) -> Result<Vec<Passage>> {
        Ok(self.view.lexical.passages_of(id)?.into_iter().map(Passage::of).collect())
    }

    /// Where the passages of a document are, in no order.
    pub fn places(&self, id: DocumentId) -> Result<Vec<PassageRef>> {
        self.view.lexical.places_of(id)
    }

    /// At most `limit` documents that pass the filter, behind `after`, in an order that other snapshots share: going
    /// from page to page while the index changes neither repeats nor leaves out a document that stays.
    pub fn documents(&self, filter: &Filter, after: Option<DocumentId>, limit: usize) -> Result<Listing> {
        let roster = self.roster()?;
        let from = after.map_or(0, |id| roster.behind(id.group()));
        let passing = if filter.is_empty() {
            roster.everybody()
        } else {
            self.passing(std::slice::from_ref(filter), &AnalysedQuery::default())?
        };
        let mut numbers = passing.iter().skip_while(|number| (*number as usize) < from);
        let page = numbers.by_ref().take(limit).filter_map(|number| roster.first().get(number as usize));
        let documents = page.map(|passage| Ok(self.view.lexical.passage(*passage)?.document));
        let documents = documents.collect::<Result<Vec<_>>>()?;
        let next = documents.last().filter(|_| numbers.next().is_some()).map(Document::id);
        Ok(Listing { documents, total: passing.len(), next })
    }

    fn roster(&self) -> Result<&Roster> {
        if let Some(roster) = self.view.roster.get() {
            return Ok(roster);
        }
        let roster = Roster::of(&self.view.lexical)?;
        Ok(self.view.roster.get_or_init(|| roster))
    }

    /// What every passage is filed under, for counting.
    pub fn facets(&self) -> Result<&Facets> {
        if let Some(facets) = self.view.facets.get() {
            return Ok(facets);
        }
        let facets = self.view.lexical.facets()?;
        Ok(self.view.facets.get_or_init(|| facets))
    }

    /// Calls `visit` with every passage; reads the whole index.
    pub fn for_each_passage(&self, mut visit: impl FnMut(Passage)) -> Result<()> {
        self.view.lexical.for_each_passage(|stored| visit(Passage::of(stored)))
    }

    /// The stored vector of a passage, normalised.
    pub fn vector(&self, passage: PassageRef) -> Result<Vec<f32>> {
        let ordinal = self.view.lexical.passage(passage)?.chunk.ordinal;
        Ok(self.view.vectors.vector(ordinal)?)
    }
}

impl Passage {
    fn of(stored: StoredPassage) -> Self {
        let StoredPassage { document, number, chunk } = stored;
        Self { document_id: document.id(), document, number, chunk }
    }
}

impl Scope {
    /// Whether nothing at all can be returned.
    pub fn is_empty(&self) -> bool {
        self.restricted.as_ref().is_some_and(|restriction| restriction.ordinals.iter().next().is_none())
    }

    /// Whether the passage can be returned.
    pub fn admits(&self, passage: PassageRef) -> bool {
        self.restricted.as_ref().is_none_or(|restriction| restriction.passages.contains(passage))
    }
}
