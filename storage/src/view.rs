//! The view that somebody has of a snapshot: the only way to read it.
//!
//! A view of everything reads the indexes as they are. Any other is made anew over the passages that are open to its viewer:
//! statistics, numbers, facets and classes of copies are those of an index that holds nothing else. So nothing that is
//! read through it depends on what is hidden; docs/ACCESS.md has what that means, and where it ends.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use crate::contents::{Contents, counted};
use crate::copies::Copies;
use crate::error::Result;
use crate::facets::Facets;
use crate::filter::Filter;
use crate::lexical::{AnalysedQuery, HeldTerm, KnownWord, LexicalQuery, LexicalWeights, PassageRef, StoredPassage};
use crate::record::{AWAITED, Chunk, Document, DocumentId, IndexModel, Source};
use crate::roster::{DocumentSet, Roster};
use crate::scope::{PassageSet, Restriction, Scope};
use crate::totals::IndexTotals;
use crate::vectors::{DEFAULT_EF, OrdinalSet};

/// What somebody sees of a snapshot. Cheap to clone, safe to keep while the index changes.
#[derive(Clone)]
pub struct View {
    totals: Arc<IndexTotals>,
    contents: Arc<Contents>,
    key: ViewKey,
}

/// What tells views apart that show different documents: equal of all viewers to whom the same accesses are open, whatever
/// the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewKey(pub(crate) Option<[u8; 16]>);

/// Filters whose documents are remembered.
const MAX_CLASSES: usize = 256;

/// Vectors of the sample that stands for the whole index.
const BACKGROUND: usize = 512;

/// Bytes of vectors that are gone over for one search of a view that does not show everything; more are looked for in the
/// graph.
const SCANNED_BYTES: u64 = 128 << 20;

/// How the vectors of a view are searched that does not show everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VectorScan {
    /// One by one where that is fast, in the graph where there are many. The graph holds hidden vectors, too: which of the
    /// visible ones it misses may depend on them.
    #[default]
    WhereFast,
    /// One by one, however many there are.
    Always,
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

impl View {
    pub(crate) fn of_everything(totals: Arc<IndexTotals>, contents: Arc<Contents>) -> Self {
        Self { totals, contents, key: ViewKey(None) }
    }

    /// The view of these contents, which are not all; its totals are counted.
    pub(crate) fn of_some(contents: Contents, key: ViewKey) -> Result<Self> {
        let totals = Arc::new(counted(&contents)?);
        Ok(Self { totals, contents: Arc::new(contents), key })
    }

    /// What tells it from views that show other documents.
    pub fn key(&self) -> ViewKey {
        self.key
    }

    /// Whether it shows everything.
    pub fn is_whole(&self) -> bool {
        self.contents.is_whole
    }

    /// Counts over what is seen, and over the files of each source. Of a view of everything beside a writer in another
    /// process, they may be those of the commit before or after the one that is visible; any other view counts documents
    /// only, and no source of which nothing is seen.
    pub fn totals(&self) -> &IndexTotals {
        &self.totals
    }

    /// A number that changes with what is seen: of a view of everything that of the last commit, of any other a hash of
    /// the documents in it.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn generation(&self) -> Result<u64> {
        if self.is_whole() {
            return Ok(self.contents.lexical.payload().sequence);
        }
        if let Some(generation) = self.contents.derived.generation.get() {
            return Ok(*generation);
        }
        let generation = self.hash()?;
        Ok(*self.contents.derived.generation.get_or_init(|| generation))
    }

    fn hash(&self) -> Result<u64> {
        let mut hasher = blake3::Hasher::new();
        let facets = self.facets()?;
        for (passage, ordinal) in self.by_document()? {
            let modified = facets.of(passage).map_or(0, |filed| filed.modified);
            hasher.update(&self.contents.lexical.group(passage)?.to_le_bytes()).update(&modified.to_le_bytes());
            match ordinal {
                AWAITED => hasher.update(&self.contents.lexical.passage(passage)?.chunk.key().0),
                ordinal => hasher.update(&self.contents.vectors.key(ordinal)?),
            };
            hasher.update(&[u8::from(ordinal == AWAITED)]);
        }
        let mut head = [0; 8];
        head.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        // As many bits as a number in JSON keeps.
        Ok(u64::from_le_bytes(head) >> 12)
    }

    /// Number of passages.
    pub fn passages(&self) -> u64 {
        if self.is_whole() { self.contents.lexical.payload().chunks } else { self.totals.chunks }
    }

    /// The model the index was built with.
    pub fn model(&self) -> &IndexModel {
        &self.contents.settings.model
    }

    /// The folders that are indexed, as far as anything of them is seen.
    pub fn sources(&self) -> Vec<&Source> {
        let sources = self.contents.settings.sources.iter();
        sources.filter(|source| self.is_whole() || self.totals.sources.contains_key(&source.name)).collect()
    }

    /// The source of this name, if anything of it is seen.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources().into_iter().find(|source| source.name == name)
    }

    /// Languages of the documents, as ISO 639-1 codes.
    pub fn languages(&self) -> &[String] {
        self.contents.lexical.languages()
    }

    /// The passages in the order of their documents' numbers, with their ordinals.
    fn by_document(&self) -> Result<Vec<(PassageRef, u64)>> {
        let mut places: Vec<(u64, PassageRef)> = Vec::with_capacity(self.passages() as usize);
        self.contents.lexical.for_each_group(|passage, group| places.push((group, passage)))?;
        let mut ordinals = Vec::with_capacity(places.len());
        self.contents.lexical.for_each_ordinal(|_, ordinal| ordinals.push(ordinal))?;
        let mut all: Vec<_> = places.into_iter().zip(ordinals).collect();
        all.sort_unstable();
        Ok(all.into_iter().map(|((_, passage), ordinal)| (passage, ordinal)).collect())
    }

    /// A query analysed as this index compares it: once for all that a search asks.
    pub fn analyse(&self, query: &LexicalQuery) -> AnalysedQuery {
        self.contents.lexical.analyse(query)
    }

    /// What the filters and the hard requirements of a query (phrases, exclusions) let through.
    pub fn scope(&self, filters: &[Filter], query: &AnalysedQuery) -> Result<Scope> {
        let Some(passages) = self.contents.lexical.allowed(filters, query)? else {
            return Ok(Scope { restricted: None });
        };
        let mut allowed = PassageSet::of_segments(self.contents.lexical.segment_lengths());
        passages.into_iter().for_each(|passage| allowed.insert(passage));
        let mut ordinals = OrdinalSet::new(self.contents.placement.live().len());
        self.contents.lexical.for_each_ordinal(|passage, ordinal| {
            if ordinal != AWAITED && allowed.contains(passage) {
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
        let mut found = self.in_order(self.contents.lexical.search(query, filters, weights, limit)?)?;
        found.truncate(limit);
        Ok(found)
    }

    /// Every passage that [`View::lexical`] would find without a limit, in the same order. Takes time for each of them.
    pub fn lexical_all(
        &self,
        query: &AnalysedQuery,
        filters: &[Filter],
        weights: LexicalWeights,
    ) -> Result<Vec<(PassageRef, f32)>> {
        self.in_order(self.contents.lexical.scored(query, filters, weights)?)
    }

    /// What [`View::lexical`] would give these passages, as far as they hold anything that the query asks for.
    pub fn lexical_of(
        &self,
        query: &AnalysedQuery,
        weights: LexicalWeights,
        passages: Vec<PassageRef>,
    ) -> Result<Vec<(PassageRef, f32)>> {
        self.contents.lexical.scores_of(query, weights, passages)
    }

    /// What [`View::nearest`] would give these passages: their cosines, as far as their vectors are there.
    pub fn cosines(&self, vector: &[f32], passages: Vec<PassageRef>) -> Result<Vec<(PassageRef, f32)>> {
        let mut known = self.contents.lexical.ordinals_of(passages)?;
        known.retain(|(_, ordinal)| *ordinal != AWAITED);
        let cosines = self.contents.vectors.cosines(vector, known.iter().map(|(_, ordinal)| *ordinal))?;
        Ok(known.into_iter().map(|(passage, _)| passage).zip(cosines).collect())
    }

    fn in_order(&self, mut hits: Vec<(PassageRef, f32)>) -> Result<Vec<(PassageRef, f32)>> {
        let roster = self.roster()?;
        let numbers: Vec<u32> = hits.iter().map(|(passage, _)| roster.number(*passage)).collect::<Result<_>>()?;
        let mut keyed: Vec<(u32, (PassageRef, f32))> = numbers.into_iter().zip(hits.drain(..)).collect();
        keyed.sort_unstable_by(|(a, (p, x)), (b, (q, y))| y.total_cmp(x).then_with(|| (a, p).cmp(&(b, q))));
        Ok(keyed.into_iter().map(|(_, hit)| hit).collect())
    }

    /// The documents in which [`View::lexical`] would find passages without a limit. Much cheaper than finding them.
    pub fn matching(&self, query: &AnalysedQuery, filters: &[Filter], weights: LexicalWeights) -> Result<DocumentSet> {
        self.roster()?.documents(self.contents.lexical.matching(query, filters, weights)?)
    }

    /// The documents with a passage that the filters and the hard requirements of a query let through.
    pub fn passing(&self, filters: &[Filter], query: &AnalysedQuery) -> Result<DocumentSet> {
        let roster = self.roster()?;
        match self.contents.lexical.allowed(filters, query)? {
            Some(passages) => roster.documents(passages),
            None => Ok(roster.everybody()),
        }
    }

    /// The documents that a filter lets through, remembered: for filters of the settings, of which there are few.
    pub fn class(&self, filter: &Filter) -> Result<Arc<DocumentSet>> {
        let known = || self.contents.derived.classes.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut known = self.contents.derived.copies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, copies)) = known.as_ref().filter(|(known, _)| *known == bits) {
            return Ok(Arc::clone(copies));
        }
        let fingerprints: Vec<_> =
            roster.first().iter().map(|passage| self.contents.lexical.fingerprint(*passage)).collect();
        let copies = Arc::new(Copies::of(&fingerprints, bits));
        *known = Some((bits, Arc::clone(&copies)));
        Ok(copies)
    }

    /// What a passage of average length scores by BM25 that holds every word of the query once: how good a score is, is
    /// seen beside it. Words that no passage holds count most.
    pub fn full_coverage(&self, query: &AnalysedQuery, weights: LexicalWeights) -> Result<f32> {
        self.contents.lexical.full_coverage(query, weights)
    }

    /// The words of the index within so many slips (2 at the most) of a word that is given as the index folds it
    /// ([`Analyzer::normalize`](crate::Analyzer::normalize) of no language), the most frequent first.
    pub fn words_near(&self, word: &str, slips: u8) -> Result<Vec<KnownWord>> {
        self.contents.lexical.words_near(word, slips)
    }

    /// The pairs of characters of the index that begin with one of these characters and end with one of those, in the form
    /// that the index folds them to, the most frequent first.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn pairs(&self, firsts: &[char], seconds: &[char]) -> Result<Vec<KnownWord>> {
        self.contents.lexical.pairs(firsts, seconds)
    }

    /// Passages that hold a character or a pair of characters of a script without spaces, in the same form.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn gram_holders(&self, gram: &str) -> Result<u64> {
        self.contents.lexical.gram_holders(gram)
    }

    /// How many characters and pairs of characters of scripts without spaces the passages have together.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn grams(&self) -> Result<u64> {
        self.contents.lexical.grams()
    }

    /// Passages that hold a word in any of its forms, as far as one form can tell: those of the most frequent one.
    pub fn holders(&self, word: &str) -> Result<u64> {
        self.contents.lexical.holders(word)
    }

    /// How many passages have what a query requires: its phrases, and nothing that it excludes.
    pub fn count(&self, query: &AnalysedQuery) -> Result<u64> {
        self.contents.lexical.count(query)
    }

    /// For each term of a query's free text, how rare it is and which of the passages hold it.
    pub fn holdings(&self, query: &AnalysedQuery, passages: &[PassageRef]) -> Result<Vec<HeldTerm>> {
        self.contents.lexical.holdings(query, passages)
    }

    /// A sample of the vectors, at most 512, always the same of one view: what a vector is like that has nothing to do with
    /// a query.
    ///
    /// # Errors
    /// A stored vector is damaged.
    pub fn background(&self) -> Result<&[Vec<f32>]> {
        if let Some(background) = self.contents.derived.background.get() {
            return Ok(background);
        }
        let mut seen = HashSet::new();
        let there = self.by_document()?.into_iter().filter(|(_, ordinal)| *ordinal != AWAITED);
        let distinct = there.filter_map(|(_, ordinal)| seen.insert(ordinal).then_some(ordinal));
        let distinct: Vec<u64> = distinct.collect();
        let step = distinct.len().div_ceil(BACKGROUND).max(1);
        let sample = distinct.into_iter().step_by(step).map(|ordinal| Ok(self.contents.vectors.vector(ordinal)?));
        let sample = sample.collect::<Result<_>>()?;
        Ok(self.contents.derived.background.get_or_init(|| sample))
    }

    /// The passages nearest to a normalised vector by cosine, best first, equal ones in the order of their documents' numbers:
    /// `limit` distinct vectors, every passage of each.
    ///
    /// # Errors
    /// The vector has another dimension than the index or is not finite, or a stored vector is damaged.
    pub fn nearest(
        &self,
        vector: &[f32],
        scope: &Scope,
        limit: usize,
        scan: VectorScan,
    ) -> Result<Vec<(PassageRef, f32)>> {
        let Contents { vectors, placement, is_whole, .. } = &*self.contents;
        let allowed = scope.restricted.as_ref().map_or(placement.live(), |restriction| &restriction.ordinals);
        let is_scanned =
            !is_whole && (scan == VectorScan::Always || vectors.scanned_bytes(allowed.count()) <= SCANNED_BYTES);
        let hits = match is_scanned {
            true => vectors.scan(vector, limit, allowed)?,
            false => vectors.search(vector, limit, DEFAULT_EF.max(limit), allowed)?,
        };
        let mut passages = Vec::with_capacity(hits.len());
        for (ordinal, cosine) in hits {
            let all = placement.passages(ordinal).iter();
            passages.extend(all.filter(|passage| scope.admits(**passage)).map(|passage| (*passage, cosine)));
        }
        self.in_order(passages)
    }

    /// 64 bits that are equal for passages of the same document.
    pub fn group(&self, passage: PassageRef) -> Result<u64> {
        self.contents.lexical.group(passage)
    }

    /// Reads a passage and its document.
    pub fn passage(&self, passage: PassageRef) -> Result<Passage> {
        Ok(Passage::of(self.contents.lexical.passage(passage)?))
    }

    /// The passages of a document in their order; none if it is not in this snapshot.
    pub fn document(&self, id: DocumentId) -> Result<Vec<Passage>> {
        Ok(self.contents.lexical.passages_of(id)?.into_iter().map(Passage::of).collect())
    }

    /// Where the passages of a document are, in no order.
    pub fn places(&self, id: DocumentId) -> Result<Vec<PassageRef>> {
        self.contents.lexical.places_of(id)
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
        let documents = page.map(|passage| Ok(self.contents.lexical.passage(*passage)?.document));
        let documents = documents.collect::<Result<Vec<_>>>()?;
        let next = documents.last().filter(|_| numbers.next().is_some()).map(Document::id);
        Ok(Listing { documents, total: passing.len(), next })
    }

    fn roster(&self) -> Result<&Roster> {
        self.contents.roster()
    }

    /// What every passage is filed under, for counting.
    pub fn facets(&self) -> Result<&Facets> {
        self.contents.facets()
    }

    /// Calls `visit` with every passage, those of a document one after another; reads the whole index. In which order
    /// documents come depends on what is seen alone, where that is not everything.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn for_each_passage(&self, mut visit: impl FnMut(Passage)) -> Result<()> {
        if self.is_whole() {
            return self.contents.lexical.for_each_passage(|stored| visit(Passage::of(stored)));
        }
        self.by_document()?.into_iter().try_for_each(|(passage, _)| {
            visit(self.passage(passage)?);
            Ok(())
        })
    }

    /// The stored vector of a passage, normalised; `None` where it is still to come.
    pub fn vector(&self, passage: PassageRef) -> Result<Option<Vec<f32>>> {
        match self.contents.lexical.passage(passage)?.chunk.ordinal {
            AWAITED => Ok(None),
            ordinal => Ok(Some(self.contents.vectors.vector(ordinal)?)),
        }
    }
}

impl Passage {
    fn of(stored: StoredPassage) -> Self {
        let StoredPassage { document, number, chunk } = stored;
        Self { document_id: document.id(), document, number, chunk }
    }
}

#[cfg(test)]
mod tests;
