//! The exact way through code rows: every allowed one is scored.

use super::codes::{Codes, Query};
use super::kernels::prefetch;
use super::ranked::Ranked;
use super::scratch::Scratch;

/// Rows scored at once: their products stay in the first cache.
const BATCH: usize = 256;

/// Collects the best `capacity` rows of all in [`Scratch::best`].
pub(crate) fn scan_all(codes: Codes<'_>, query: &Query, capacity: usize, scratch: &mut Scratch) {
    let Scratch { best, products, .. } = scratch;
    best.reset(capacity);
    products.resize(products.len().max(BATCH), 0);
    for first in (0..codes.len()).step_by(BATCH) {
        let count = BATCH.min(codes.len() - first);
        for (row, similarity) in codes.score_range(query, first, count, products) {
            best.push(Ranked::new(similarity, row));
        }
    }
}

/// Collects the best `capacity` of the given rows in [`Scratch::best`].
pub(crate) fn scan_rows(
    codes: Codes<'_>,
    query: &Query,
    rows: impl Iterator<Item = u32>,
    capacity: usize,
    scratch: &mut Scratch,
) {
    let Scratch { best, fresh, products, .. } = scratch;
    best.reset(capacity);
    products.resize(products.len().max(BATCH), 0);
    let row_len = codes.rows.len() / codes.len().max(1);
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        fresh.clear();
        for row in rows.by_ref().take(BATCH) {
            prefetch(codes.rows, row as usize * row_len);
            fresh.push(row);
        }
        for (row, similarity) in codes.score_rows(query, fresh, products) {
            best.push(Ranked::new(similarity, row));
        }
    }
}
