//! The scratch memory of a search, kept for the next one.

use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

use super::ranked::{Best, Ranked};

/// The working memory of one search.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) visited: Visited,
    /// Rows whose neighbours were not looked at yet, most similar first.
    pub(crate) frontier: BinaryHeap<Ranked>,
    pub(crate) best: Best,
    /// Rows about to be scored, and room for their products.
    pub(crate) fresh: Vec<u32>,
    pub(crate) products: Vec<i32>,
}

/// Which rows a search has seen. Starting over costs nothing most of the time: a row is seen when its stamp is the
/// number of the current search.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    stamps: Vec<u8>,
    search: u8,
}

impl Visited {
    /// Forgets all rows and makes room for `rows`.
    pub(crate) fn reset(&mut self, rows: usize) {
        if self.search == u8::MAX {
            self.stamps.fill(0);
            self.search = 0;
        }
        self.search += 1;
        if self.stamps.len() < rows {
            self.stamps.resize(rows, 0);
        }
    }

    /// Marks a row as seen; true the first time.
    #[inline]
    pub(crate) fn insert(&mut self, row: u32) -> bool {
        std::mem::replace(&mut self.stamps[row as usize], self.search) != self.search
    }
}

/// Working memories that wait for the next search, from any thread.
#[derive(Debug, Default)]
pub(crate) struct ScratchPool {
    idle: Mutex<Vec<Scratch>>,
}

impl ScratchPool {
    /// Runs a search with a working memory of its own.
    pub(crate) fn with<T>(&self, search: impl FnOnce(&mut Scratch) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = idle().pop().unwrap_or_default();
        let result = search(&mut scratch);
        idle().push(scratch);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_new_once_in_each_of_many_searches() {
        let mut visited = Visited::default();
        for search in 0..1000 {
            visited.reset(3 + search % 2);
            assert!(visited.insert(2));
            assert!(!visited.insert(2));
            assert!(visited.insert(0));
        }
    }
}
