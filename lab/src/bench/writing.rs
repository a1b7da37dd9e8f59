//! The speed of a model that writes: reading prompts, and tokens for one text and for several at once.

use qwen3::{KvMemory, ModelFiles, Onward, Predictor};

use super::clock::{peak_memory, reset_peak_memory, time};
use super::models::{Load, ModelRow, Run};
use crate::error::Result;

/// Prompts that are read whole, keys and values kept, logits behind the last token.
const READING: [Load; 2] = [
    Load { name: "prefill-1x512", sequences: 1, tokens: 512 },
    Load { name: "prefill-8x64", sequences: 8, tokens: 64 },
];
/// Texts that are gone on with, and how many tokens each gets.
const WRITING: [Load; 3] = [
    Load { name: "decode-1x32", sequences: 1, tokens: 32 },
    Load { name: "decode-4x32", sequences: 4, tokens: 32 },
    Load { name: "decode-8x32", sequences: 8, tokens: 32 },
];
/// Tokens that each text has before.
const BEFORE: usize = 256;

/// Names of the rows.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    READING.iter().chain(&WRITING).map(|load| load.name)
}

impl Run<'_> {
    /// Reads and writes with made-up weights.
    pub(super) fn writing(&self, config: &str, rows: &mut Vec<ModelRow>) -> Result<()> {
        if !names().any(|name| self.wants(name)) {
            return Ok(());
        }
        reset_peak_memory();
        let files = ModelFiles::random(config.as_bytes())?;
        let predictor = Predictor::open(&files, self.precision, self.bench.device)?;
        for load in READING.iter().filter(|load| self.wants(load.name)) {
            let timing = time(self.bench.runs, || read(&predictor, load, load.tokens).map(drop))?;
            rows.push(self.row(load.name, load, &timing, self.precision_name()));
        }
        for load in WRITING.iter().filter(|load| self.wants(load.name)) {
            let before = Load { tokens: BEFORE, ..*load };
            // Every run goes on where the last one ended: only writing is timed.
            let mut memories = read(&predictor, &before, BEFORE + load.tokens * (self.bench.runs + 1))?;
            let timing = time(self.bench.runs, || (0..load.tokens).try_for_each(|_| step(&predictor, &mut memories)))?;
            let mut row = self.row(load.name, load, &timing, self.precision_name());
            // Reading weights is what takes the time, not multiplying.
            (row.gflops, row.of_peak, row.peak_rss_mb) = (None, None, peak_memory());
            rows.push(row);
        }
        Ok(())
    }
}

/// What is known of the prompts after reading them.
fn read(predictor: &Predictor, load: &Load, room: usize) -> Result<Vec<KvMemory>> {
    let ids = load.ids(0);
    let mut memories = ids.iter().map(|_| predictor.memory(room)).collect::<qwen3::Result<Vec<_>>>()?;
    let onward = memories.iter_mut().zip(&ids).map(|(memory, ids)| Onward { memory, ids, wants_logits: true });
    predictor.advance(&mut onward.collect::<Vec<_>>())?;
    Ok(memories)
}

/// A token more for each text.
fn step(predictor: &Predictor, memories: &mut [KvMemory]) -> Result<()> {
    let onward = memories.iter_mut().map(|memory| Onward { memory, ids: &[7], wants_logits: true });
    predictor.advance(&mut onward.collect::<Vec<_>>())?;
    Ok(())
}
