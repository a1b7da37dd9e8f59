//! A sealed segment: an immutable file of code rows, with a graph when it is large enough, searched where it lies.
//!
//! Everything is verified when a segment is opened: every byte by checksum, every number that a search follows by its
//! range. A damaged file is an error then and never later.
#![expect(unsafe_code, reason = "memory-mapping a segment")]

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::build::{build_links, check_params};
use super::codes::{Codes, Query, encode, normalise, row_len};
use super::error::{VectorError, VectorResult};
use super::graph::{Graph, LevelSpan, Walk, check_base, encode_levels, parse_levels};
use super::ordinals::OrdinalSet;
use super::refine::Refiner;
use super::scan::{scan_all, scan_rows};
use super::scratch::{Scratch, ScratchPool};
use super::segment_file::{Contents, Header, Section};
use crate::crash::{self, Step};
use crate::durable::{Readers, replace_durably};
use crate::vectorfile::VectorView;

/// Below this share of allowed vectors a segment is scanned: a walk would mostly step on what it may not keep.
const SCAN_SHARE: f64 = 0.1;

/// How segments are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealParams {
    /// Neighbours of a vector on the upper levels, half of those on level 0: 2 to 128.
    pub m: usize,
    /// How many candidates hnsw_rs looks at for the rough graph.
    pub ef_construction: usize,
    /// How many candidates each vector looks at when the rough graph is refined.
    pub ef_refine: usize,
    /// Segments with fewer vectors have no graph and are scanned.
    pub graph_from: usize,
    /// The most vectors in one segment: bounds the memory of building one, about `8 * dimension + 4000` bytes a vector.
    pub max_vectors: usize,
}

impl Default for SealParams {
    fn default() -> Self {
        Self { m: 16, ef_construction: 40, ef_refine: 100, graph_from: 10_000, max_vectors: 500_000 }
    }
}

/// An open segment.
#[derive(Debug)]
pub(crate) struct Segment {
    path: PathBuf,
    header: Header,
    map: Mmap,
    levels: Vec<LevelSpan>,
    members: OrdinalSet,
    pool: ScratchPool,
}

impl Segment {
    /// Builds the segment of the given ascending ordinals and writes it to `path`, durably, then opens it.
    pub(crate) fn seal(path: &Path, view: &VectorView, ordinals: Vec<u64>, params: &SealParams) -> VectorResult<Self> {
        check_params(params)?;
        let dim = view.dim();
        let mut normalised = Vec::with_capacity(ordinals.len() * dim);
        let mut contents = Contents { ordinals, ..Contents::default() };
        for &ordinal in &contents.ordinals {
            let start = normalised.len();
            normalised.extend_from_slice(view.get(ordinal)?);
            normalise(&mut normalised[start..]);
            contents.scales.push(encode(&normalised[start..], &mut contents.codes));
        }
        let has_graph = contents.ordinals.len() >= params.graph_from.max(1);
        let width = if has_graph { 2 * params.m } else { 0 };
        if has_graph {
            let links = build_links(&normalised, dim, params);
            contents.upper = encode_levels(&links.levels);
            let codes = Codes { rows: &contents.codes, scales: &contents.scales };
            let refiner = Refiner { normalised: &normalised, codes, dim, width, ef: params.ef_refine };
            contents.base = refiner.refine(links, &contents.upper)?;
        }
        drop(normalised);
        let header = contents.header(dim, *view.fingerprint(), width, params.m, params.ef_construction);
        let written = replace_durably(path, Readers::Umask, |file| {
            contents.write(&header, file)?;
            crash::point(Step::SegmentWritten);
            Ok(())
        });
        written.map_err(VectorError::io("write", path))?;
        drop(contents);
        Self::open(path)
    }

    /// Opens and verifies a segment.
    pub(crate) fn open(path: &Path) -> VectorResult<Self> {
        let file = File::open(path).map_err(VectorError::io("open", path))?;
        // SAFETY: the mapping is read-only and segment files are written once, under another name; nobody changes one.
        let map = unsafe { Mmap::map(&file) }.map_err(VectorError::io("map", path))?;
        let header = Header::verify(path, &map)?;
        let corrupt = |what: &'static str| VectorError::corrupt(path, what);
        let rows = header.count as usize;
        let mut levels = Vec::new();
        if header.width > 0 {
            check_base(bytemuck::cast_slice(&map[header.range(Section::Base)]), rows).map_err(corrupt)?;
            levels = parse_levels(bytemuck::cast_slice(&map[header.range(Section::Upper)]), rows).map_err(corrupt)?;
        }
        let scales: &[f32] = bytemuck::cast_slice(&map[header.range(Section::Scales)]);
        if !scales.iter().all(|scale| scale.is_finite()) {
            return Err(corrupt("it has a scale that is not a number"));
        }
        let members = members(&header, bytemuck::cast_slice(&map[header.range(Section::Ordinals)])).map_err(corrupt)?;
        Ok(Self { path: path.to_owned(), header, map, levels, members, pool: ScratchPool::default() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The ordinals whose vectors are in the segment.
    pub(crate) fn members(&self) -> &OrdinalSet {
        &self.members
    }

    pub(crate) fn len(&self) -> usize {
        self.header.count as usize
    }

    pub(crate) fn has_graph(&self) -> bool {
        self.header.width > 0
    }

    /// The `count` best allowed vectors by approximate cosine, best first, as (ordinal, cosine).
    pub(crate) fn search(
        &self,
        query: &Query,
        count: usize,
        ef: usize,
        graph_from: usize,
        allowed: &OrdinalSet,
    ) -> Vec<(u64, f32)> {
        let admitted = self.members.count_common(allowed) as usize;
        if admitted == 0 || count == 0 {
            return Vec::new();
        }
        self.pool.with(|scratch| {
            if !self.walk(query, count.max(ef), graph_from, admitted, allowed, scratch) {
                self.scan(query, count, admitted, allowed, scratch);
            }
            let found = scratch.best.take(count);
            found.into_iter().map(|ranked| (self.ordinal(ranked.row()), ranked.similarity())).collect()
        })
    }

    /// Searches the graph where that pays; false when a scan has to do it.
    fn walk(
        &self,
        query: &Query,
        ef: usize,
        graph_from: usize,
        admitted: usize,
        allowed: &OrdinalSet,
        scratch: &mut Scratch,
    ) -> bool {
        let share = admitted as f64 / self.len() as f64;
        if !self.has_graph() || admitted < graph_from || share < SCAN_SHARE || admitted <= ef {
            return false;
        }
        // A walk that has scored as many rows as a scan would score costs more than the scan.
        let budget = admitted;
        let graph = self.graph();
        let walk = if admitted == self.len() {
            graph.search(query, ef, budget, |_| true, scratch)
        } else {
            graph.search(query, ef, budget, |row| allowed.contains(self.ordinal(row)), scratch)
        };
        walk == Walk::Done
    }

    fn scan(&self, query: &Query, count: usize, admitted: usize, allowed: &OrdinalSet, scratch: &mut Scratch) {
        let codes = self.codes();
        if admitted == self.len() {
            scan_all(codes, query, count, scratch);
        } else if self.header.is_contiguous() {
            let first = self.header.first;
            let rows = allowed.iter_in(first..self.header.end).map(|ordinal| (ordinal - first) as u32);
            scan_rows(codes, query, rows, count, scratch);
        } else {
            let rows = (0..).zip(self.ordinals()).filter(|&(_, &ordinal)| allowed.contains(ordinal));
            scan_rows(codes, query, rows.map(|(row, _)| row), count, scratch);
        }
    }

    fn ordinal(&self, row: u32) -> u64 {
        if self.header.is_contiguous() {
            return self.header.first + u64::from(row);
        }
        self.ordinals()[row as usize]
    }

    fn ordinals(&self) -> &[u64] {
        bytemuck::cast_slice(&self.map[self.header.range(Section::Ordinals)])
    }

    fn codes(&self) -> Codes<'_> {
        Codes {
            rows: &self.map[self.header.range(Section::Codes)],
            scales: bytemuck::cast_slice(&self.map[self.header.range(Section::Scales)]),
        }
    }

    fn graph(&self) -> Graph<'_> {
        Graph {
            codes: self.codes(),
            row_len: row_len(self.header.dim as usize),
            base: bytemuck::cast_slice(&self.map[self.header.range(Section::Base)]),
            width: self.header.width as usize,
            upper: bytemuck::cast_slice(&self.map[self.header.range(Section::Upper)]),
            levels: &self.levels,
        }
    }
}

/// The set of a segment's ordinals; says what is wrong with them otherwise.
fn members(header: &Header, listed: &[u64]) -> Result<OrdinalSet, &'static str> {
    if header.is_contiguous() {
        return Ok(OrdinalSet::range(header.first..header.end));
    }
    let ascending = listed.is_sorted_by(|a, b| a < b);
    if !ascending || listed.first() != Some(&header.first) || listed.last().is_none_or(|last| last + 1 != header.end) {
        return Err("its ordinals do not ascend from the first to the last");
    }
    Ok(listed.iter().copied().collect())
}
