//! The vectors that no segment holds yet: code rows in memory, always scanned.
//!
//! A tail never changes; a longer one shares the full blocks of the shorter one, so that a search can go on with its
//! own while new vectors arrive.

use std::sync::Arc;

use super::codes::{Codes, Query, encode, normalise};
use super::error::VectorResult;
use super::ordinals::OrdinalSet;
use super::scan::{scan_all, scan_rows};
use super::scratch::{Scratch, ScratchPool};
use crate::vectorfile::VectorView;

const BLOCK_ROWS: usize = 1024;

/// Vectors in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    blocks: Vec<Arc<Block>>,
}

#[derive(Debug, Clone, Default)]
struct Block {
    codes: Vec<u8>,
    scales: Vec<f32>,
    ordinals: Vec<u64>,
}

impl Tail {
    /// This tail with the vectors at the given ordinals behind it.
    pub(crate) fn extended(&self, view: &VectorView, ordinals: impl Iterator<Item = u64>) -> VectorResult<Self> {
        let mut blocks = self.blocks.clone();
        for ordinal in ordinals {
            let mut vector = view.get(ordinal)?.to_vec();
            normalise(&mut vector);
            if blocks.last().is_none_or(|block| block.ordinals.len() == BLOCK_ROWS) {
                blocks.push(Arc::default());
            }
            if let Some(block) = blocks.last_mut() {
                // Copies a block that another tail shares, at most once a call.
                let block = Arc::make_mut(block);
                block.scales.push(encode(&vector, &mut block.codes));
                block.ordinals.push(ordinal);
            }
        }
        Ok(Self { blocks })
    }

    /// How many vectors there are.
    pub(crate) fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.ordinals.len()).sum()
    }

    /// The ordinals, in the order of their arrival.
    pub(crate) fn ordinals(&self) -> impl Iterator<Item = u64> + '_ {
        self.blocks.iter().flat_map(|block| block.ordinals.iter().copied())
    }

    /// The `count` best allowed vectors of each block by approximate cosine, as (ordinal, cosine).
    pub(crate) fn search(
        &self,
        query: &Query,
        count: usize,
        allowed: &OrdinalSet,
        scratch: &mut Scratch,
        found: &mut Vec<(u64, f32)>,
    ) {
        self.blocks.iter().for_each(|block| found.extend(block.search(query, count, allowed, scratch)));
    }

    /// The same, block by block.
    pub(crate) fn each<'a>(
        &'a self,
        query: &'a Query,
        count: usize,
        allowed: &'a OrdinalSet,
        pool: &'a ScratchPool,
    ) -> impl Iterator<Item = Vec<(u64, f32)>> + 'a {
        self.blocks.iter().map(move |block| pool.with(|scratch| block.search(query, count, allowed, scratch)))
    }
}

impl Block {
    fn search(&self, query: &Query, count: usize, allowed: &OrdinalSet, scratch: &mut Scratch) -> Vec<(u64, f32)> {
        let codes = Codes { rows: &self.codes, scales: &self.scales };
        if self.ordinals.iter().all(|&ordinal| allowed.contains(ordinal)) {
            scan_all(codes, query, count, scratch);
        } else {
            let rows = (0..).zip(&self.ordinals).filter(|&(_, &ordinal)| allowed.contains(ordinal));
            scan_rows(codes, query, rows.map(|(row, _)| row), count, scratch);
        }
        let best = scratch.best.take(count);
        best.iter().map(|ranked| (self.ordinals[ranked.row() as usize], ranked.similarity())).collect()
    }
}
