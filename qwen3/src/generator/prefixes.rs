//! Beginnings that texts share, an instruction mostly: read once, then copied. A copy is what reading it again would
//! give, so the text behind it is the same.

use std::collections::VecDeque;

use super::kv_memory::KvMemory;
use crate::error::Result;

/// Beginnings that are kept.
const KEPT: usize = 4;
/// Longer ones are not kept, for the memory they take.
const LONGEST: usize = 2048;

/// The latest beginnings, the one that was used last at the end.
#[derive(Default)]
pub(super) struct Prefixes {
    kept: VecDeque<(Vec<u32>, KvMemory)>,
}

impl Prefixes {
    /// What is known of a beginning.
    pub(super) fn find(&mut self, ids: &[u32]) -> Option<&KvMemory> {
        let at = self.kept.iter().position(|(known, _)| known == ids)?;
        let found = self.kept.remove(at)?;
        self.kept.push_back(found);
        self.kept.back().map(|(_, memory)| memory)
    }

    /// Keeps what is known of the first tokens of a text.
    pub(super) fn keep(&mut self, ids: &[u32], memory: &KvMemory) -> Result<()> {
        if ids.is_empty() || ids.len() > LONGEST || self.find(ids).is_some() {
            return Ok(());
        }
        let beginning = memory.beginning(ids.len())?;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((ids.to_vec(), beginning));
        Ok(())
    }
}
