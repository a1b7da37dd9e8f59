//! The vector index: sealed segments and a tail over one vector file.
//!
//! It is derived: a function of the vector file and of which ordinals were live, nothing more. So a lost or damaged
//! segment costs time, never data: its vectors go to the tail until they are sealed again.
//!
//! An index never changes; [`VectorIndex::extend`], [`VectorIndex::seal_tail`] and [`VectorIndex::merge`] give another
//! one. Searches go on with the one they have. The folder is changed by one writer at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codes::{Query, row_len};
use super::error::{VectorError, VectorResult};
use super::manifest::{Entry, Manifest};
use super::open::{self, OpenReport};
use super::ordinals::OrdinalSet;
use super::scratch::ScratchPool;
use super::segment::{SealParams, Segment};
use super::tail::Tail;
use crate::crash::{self, Step};
use crate::durable::sync_folder;
use crate::vectorfile::VectorReader;

/// More candidates than asked for are scored exactly, because the order by codes is a little off.
const RESCORE_MARGIN: usize = 24;
/// Above this share of vectors that are not live a segment is worth building again.
const DEAD_SHARE: f64 = 0.2;
/// With more segments than this the smallest are merged.
const MAX_SEGMENTS: usize = 8;

/// The default of how many candidates a search keeps: measured, see docs/BENCHMARKS.md.
pub(crate) const DEFAULT_EF: usize = 128;

/// Who opens an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The one process that may change the folder: clears it up when opening.
    Writer,
    /// A process that only searches and changes nothing.
    Reader,
}

/// An immutable state of the vector index.
#[derive(Debug, Clone)]
pub(crate) struct VectorIndex {
    dir: PathBuf,
    reader: VectorReader,
    params: SealParams,
    segments: Vec<Arc<Segment>>,
    tail: Tail,
    /// The ordinals in the segments and the tail.
    covered: OrdinalSet,
    /// The number of the next segment file.
    next: u64,
    pool: Arc<ScratchPool>,
}

impl VectorIndex {
    /// Opens the index in `dir` (made when missing, by a writer) over a vector file. Its tail is empty: call
    /// [`VectorIndex::extend`] with the live ordinals next.
    ///
    /// A damaged manifest or segment is no error: it is left out, put aside by a writer, and reported.
    ///
    /// # Errors
    /// [`VectorError::Io`].
    pub(crate) fn open(
        dir: &Path,
        reader: &VectorReader,
        access: Access,
        params: SealParams,
    ) -> VectorResult<(Self, OpenReport)> {
        let opened = open::open(dir, reader, access)?;
        let index = Self {
            dir: dir.to_owned(),
            reader: reader.clone(),
            params,
            segments: Vec::new(),
            tail: Tail::default(),
            covered: OrdinalSet::new(0),
            next: opened.next,
            pool: Arc::default(),
        };
        let index = index.with(opened.segments, Tail::default());
        if access == Access::Writer && !opened.report.broken.is_empty() {
            index.write_manifest()?;
        }
        Ok((index, opened.report))
    }

    fn with(&self, segments: Vec<Arc<Segment>>, tail: Tail) -> Self {
        let mut covered: OrdinalSet = tail.ordinals().collect();
        segments.iter().for_each(|segment| covered.union(segment.members()));
        Self { segments, tail, covered, ..self.clone() }
    }

    /// This index with all live vectors in it: those that no segment holds are added to the tail, from new text or
    /// from text that is back.
    ///
    /// # Errors
    /// [`VectorError::CorruptVector`] when a vector to be added is damaged, [`VectorError::OutOfRange`] when the
    /// vector file does not have it.
    pub(crate) fn extend(&self, live: &OrdinalSet) -> VectorResult<Self> {
        let mut missing = live.clone();
        missing.subtract(&self.covered);
        let Some(last) = missing.iter().last() else { return Ok(self.clone()) };
        let view = self.reader.view_of(last + 1)?;
        let tail = self.tail.extended(&view, missing.iter())?;
        let mut covered = self.covered.clone();
        covered.union(&missing);
        Ok(Self { tail, covered, ..self.clone() })
    }

    /// The `k` allowed vectors nearest to the query: (ordinal, exact cosine), best first, the lower ordinal first of
    /// equal ones. Fewer when fewer are allowed. A larger `ef` finds more surely and takes longer
    /// ([`DEFAULT_EF`]); it counts as at least the `k + 24` candidates that are scored exactly.
    ///
    /// # Errors
    /// [`VectorError::Dimension`] and [`VectorError::NotFinite`] for a query that cannot be used;
    /// [`VectorError::CorruptVector`] when a candidate's vector is damaged.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        allowed: &OrdinalSet,
    ) -> VectorResult<Vec<(u64, f32)>> {
        let query = Query::new(query, self.reader.dim())?;
        if k == 0 {
            return Ok(Vec::new());
        }
        let count = k.saturating_add(k.max(RESCORE_MARGIN));
        let mut found = Vec::new();
        for segment in &self.segments {
            found.extend(segment.search(&query, count, ef, self.params.graph_from, allowed));
        }
        self.pool.with(|scratch| self.tail.search(&query, count, allowed, scratch, &mut found));
        best_first(&mut found, count);
        self.score_exactly(&query, &mut found)?;
        best_first(&mut found, k);
        Ok(found)
    }

    /// As [`VectorIndex::search`], but by going over all that are allowed, and the one with the lower content key first of
    /// equal ones: what else the index holds, and in which order it came, makes no difference.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn scan(&self, query: &[f32], k: usize, allowed: &OrdinalSet) -> VectorResult<Vec<(u64, f32)>> {
        let query = Query::new(query, self.reader.dim())?;
        if k == 0 {
            return Ok(Vec::new());
        }
        let count = k.saturating_add(k.max(RESCORE_MARGIN));
        let mut found = self.scanned(&query, count, allowed);
        self.score_exactly(&query, &mut found)?;
        let mut keyed = Vec::with_capacity(found.len());
        if let Some(last) = found.iter().map(|(ordinal, _)| *ordinal).max() {
            let view = self.reader.view_of(last + 1)?;
            for (ordinal, cosine) in found {
                keyed.push((view.key(ordinal)?, ordinal, cosine));
            }
        }
        keyed.sort_unstable_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
        keyed.truncate(k);
        Ok(keyed.into_iter().map(|(_, ordinal, cosine)| (ordinal, cosine)).collect())
    }

    /// The `count` best allowed vectors by their codes, and all others as good as the last of them.
    fn scanned(&self, query: &Query, count: usize, allowed: &OrdinalSet) -> Vec<(u64, f32)> {
        let mut depth = count;
        loop {
            let mut found = Vec::new();
            // The best that may have been cut off.
            let mut cut = f32::NEG_INFINITY;
            let segments = self.segments.iter().map(|segment| segment.search(query, depth, 0, usize::MAX, allowed));
            let tail = self.tail.each(query, depth, allowed, &self.pool);
            for part in segments.chain(tail) {
                if part.len() == depth {
                    cut = part.last().map_or(cut, |(_, cosine)| cut.max(*cosine));
                }
                found.extend(part);
            }
            if found.len() <= count {
                return found;
            }
            let (_, (_, least), _) = found.select_nth_unstable_by(count - 1, |a, b| b.1.total_cmp(&a.1));
            let least = *least;
            if cut < least {
                found.retain(|(_, cosine)| *cosine >= least);
                return found;
            }
            depth = depth.saturating_mul(2);
        }
    }

    /// Bytes of the codes of so many vectors: what a scan of them reads.
    pub(crate) fn scanned_bytes(&self, vectors: u64) -> u64 {
        vectors.saturating_mul(row_len(self.reader.dim()) as u64)
    }

    /// The exact cosines of these vectors.
    ///
    /// # Errors
    /// As [`VectorIndex::search`].
    pub(crate) fn cosines(&self, query: &[f32], ordinals: impl Iterator<Item = u64>) -> VectorResult<Vec<f32>> {
        let query = Query::new(query, self.reader.dim())?;
        let mut found: Vec<(u64, f32)> = ordinals.map(|ordinal| (ordinal, 0.0)).collect();
        self.score_exactly(&query, &mut found)?;
        Ok(found.into_iter().map(|(_, cosine)| cosine).collect())
    }

    fn score_exactly(&self, query: &Query, found: &mut [(u64, f32)]) -> VectorResult<()> {
        let Some(last) = found.iter().map(|&(ordinal, _)| ordinal).max() else { return Ok(()) };
        let view = self.reader.view_of(last + 1)?;
        found.iter().for_each(|&(ordinal, _)| view.prefetch(ordinal));
        for (ordinal, score) in found {
            *score = query.cosine(view.get(*ordinal)?);
        }
        Ok(())
    }

    /// The vector of an ordinal.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`] when the vector file does not have it, [`VectorError::CorruptVector`].
    pub(crate) fn vector(&self, ordinal: u64) -> VectorResult<Vec<f32>> {
        Ok(self.reader.view_of(ordinal + 1)?.get(ordinal)?.to_vec())
    }

    /// The content key of the vector of an ordinal.
    ///
    /// # Errors
    /// As [`VectorIndex::vector`].
    pub(crate) fn key(&self, ordinal: u64) -> VectorResult<[u8; 16]> {
        self.reader.view_of(ordinal + 1)?.key(ordinal)
    }

    /// How many vectors are in the tail, where every search scans them.
    pub(crate) fn tail_len(&self) -> usize {
        self.tail.len()
    }

    /// Moves the tail to sealed segments, durably. For the writer; takes minutes for some 100,000 vectors, and other
    /// threads may search meanwhile.
    ///
    /// # Errors
    /// As [`VectorIndex::extend`], and [`VectorError::Io`]; nothing is changed then.
    pub(crate) fn seal_tail(&self) -> VectorResult<Self> {
        let mut ordinals: Vec<u64> = self.tail.ordinals().collect();
        ordinals.sort_unstable();
        self.replace(&[], ordinals)
    }

    /// Whether [`VectorIndex::merge`] has something to do: a segment with more than 20 % that is not live, or more
    /// than 8 segments.
    pub(crate) fn needs_merge(&self, live: &OrdinalSet) -> bool {
        !self.worn_out(live).is_empty()
    }

    /// Builds segments again without what is not live, and joins small ones, durably. The tail stays.
    ///
    /// # Errors
    /// As [`VectorIndex::seal_tail`].
    pub(crate) fn merge(&self, live: &OrdinalSet) -> VectorResult<Self> {
        let worn_out = self.worn_out(live);
        let mut kept = OrdinalSet::new(0);
        worn_out.iter().for_each(|&segment| kept.union(self.segments[segment].members()));
        kept.intersect(live);
        let merged = self.replace(&worn_out, kept.iter().collect())?;
        Ok(merged.with(merged.segments.clone(), self.tail.clone()))
    }

    /// The segments to build again: those with too much that is dead, and the smallest when there are too many.
    fn worn_out(&self, live: &OrdinalSet) -> Vec<usize> {
        let alive = |segment: usize| self.segments[segment].members().count_common(live);
        let is_worn = |&segment: &usize| {
            let len = self.segments[segment].len() as f64;
            len - alive(segment) as f64 > len * DEAD_SHARE
        };
        let mut worn_out: Vec<usize> = (0..self.segments.len()).filter(is_worn).collect();
        if self.segments.len() - worn_out.len() + 1 > MAX_SEGMENTS {
            let mut sound: Vec<usize> = (0..self.segments.len()).filter(|s| !worn_out.contains(s)).collect();
            sound.sort_by_key(|&segment| self.segments[segment].len());
            worn_out.extend(&sound[..=sound.len() - MAX_SEGMENTS / 2]);
        }
        worn_out
    }

    /// Seals `ordinals`, then makes the new segments count instead of the `old` ones. The result has no tail.
    fn replace(&self, old: &[usize], ordinals: Vec<u64>) -> VectorResult<Self> {
        if old.is_empty() && ordinals.is_empty() {
            return Ok(self.clone());
        }
        let view = self.reader.view_of(ordinals.last().map_or(0, |last| last + 1))?;
        let (replaced, mut segments): (Vec<_>, Vec<_>) =
            self.segments.iter().cloned().enumerate().partition(|(number, _)| old.contains(number));
        let mut next = self.next;
        for part in ordinals.chunks(self.params.max_vectors.max(1)) {
            let path = self.dir.join(open::segment_name(next));
            segments.push((segments.len(), Arc::new(Segment::seal(&path, &view, part.to_vec(), &self.params)?)));
            next += 1;
        }
        let segments: Vec<Arc<Segment>> = segments.into_iter().map(|(_, segment)| segment).collect();
        let replacement = Self { next, ..self.with(segments, Tail::default()) };
        crash::point(Step::SegmentRenamed);
        replacement.write_manifest()?;
        crash::point(Step::ManifestWritten);
        for (_, segment) in replaced {
            // Left over after a crash here, the file is removed at the next open.
            fs::remove_file(segment.path()).map_err(VectorError::io("remove", segment.path()))?;
        }
        sync_folder(&self.dir).map_err(VectorError::io("sync", &self.dir))?;
        Ok(replacement)
    }

    /// Makes exactly this index's segments count, durably.
    fn write_manifest(&self) -> VectorResult<()> {
        let entries = self.segments.iter().map(|segment| entry(segment)).collect();
        Manifest::new(self.next, entries).store(&self.dir)
    }
}

#[cfg(test)]
impl VectorIndex {
    /// How many vectors are in segments.
    pub(crate) fn sealed_len(&self) -> usize {
        self.segments.iter().map(|segment| segment.len()).sum()
    }

    /// How many segments there are.
    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The ordinals that a search can find.
    pub(crate) fn covered(&self) -> &OrdinalSet {
        &self.covered
    }
}

fn entry(segment: &Segment) -> Entry {
    let header = segment.header();
    let file = segment.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    Entry { file, identity: header.identity(), count: header.count, first: header.first, end: header.end }
}

fn best_first(found: &mut Vec<(u64, f32)>, count: usize) {
    found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found.truncate(count);
}
