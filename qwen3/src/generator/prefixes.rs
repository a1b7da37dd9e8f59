//! Beginnings that texts share, an instruction mostly: read once, then copied. A copy is what reading it again would
//! give, so the text behind it is the same.

use std::collections::VecDeque;

use super::kv_memory::KvMemory;
use crate::error::Result;

/// Tokens that are kept, of all beginnings together: they take memory. Longer ones are not kept.
pub(super) const MOST_TOKENS: usize = 2048;

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
        if ids.is_empty() || ids.len() > MOST_TOKENS || self.find(ids).is_some() {
            return Ok(());
        }
        while self.tokens() + ids.len() > MOST_TOKENS {
            self.kept.pop_front();
        }
        self.kept.push_back((ids.to_vec(), memory.beginning(ids.len())?));
        Ok(())
    }

    fn tokens(&self) -> usize {
        self.kept.iter().map(|(ids, _)| ids.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::{
        config::ModelConfig,
        kernels::Format,
        ops::{Kernels, Place},
    };

    fn memory(tokens: usize) -> KvMemory {
        let config = include_bytes!("../../../fixtures/models/tiny-reranker/config.json");
        let config = ModelConfig::parse(config, "config.json").unwrap();
        let place = Place { device: Device::Cpu, dtype: DType::F32, format: Format::F32, kernels: Kernels::Fastest };
        let mut memory = KvMemory::new(&config, &place, tokens).unwrap();
        memory.keep(tokens);
        memory
    }

    #[test]
    fn the_oldest_goes_first_and_no_more_is_kept_than_there_is_room_for() {
        let mut prefixes = Prefixes::default();
        let ids = |id: u32, count: usize| vec![id; count];
        for id in 0..4 {
            prefixes.keep(&ids(id, 500), &memory(600)).unwrap();
        }
        assert_eq!(prefixes.find(&ids(0, 500)).unwrap().tokens(), 500);
        prefixes.keep(&ids(9, 400), &memory(400)).unwrap();
        assert!(prefixes.find(&ids(1, 500)).is_none(), "the one that was used longest ago");
        assert!(prefixes.find(&ids(0, 500)).is_some() && prefixes.find(&ids(9, 400)).is_some());
        prefixes.keep(&ids(7, MOST_TOKENS + 1), &memory(MOST_TOKENS + 1)).unwrap();
        prefixes.keep(&[], &memory(5)).unwrap();
        assert!(prefixes.find(&ids(7, MOST_TOKENS + 1)).is_none() && prefixes.find(&[]).is_none());
        assert_eq!(prefixes.tokens(), 500 + 500 + 500 + 400);
    }
}
