//! What a model remembers of a sequence that it goes on with: keys and values of every token, for every block. One
//! piece for each block, with room for a fixed number of tokens; pages that nothing was written to take no memory.

use candle_core::Tensor;

use crate::{
    attention::KeysValues,
    config::ModelConfig,
    error::{Error, Result},
    kernels::Span,
    ops::Place,
};

/// Keys and values of one sequence.
pub struct KvMemory {
    tokens: usize,
    room: usize,
    /// `[room, keys | values]` for each block, keys turned by position.
    blocks: Vec<Tensor>,
}

impl KvMemory {
    pub(crate) fn new(config: &ModelConfig, place: &Place, room: usize) -> Result<Self> {
        let block = || Tensor::zeros((room.max(1), 2 * config.key_width()), place.dtype, &place.device);
        let blocks = std::iter::repeat_with(block).take(config.qwen.num_hidden_layers);
        Ok(Self { tokens: 0, room, blocks: blocks.collect::<candle_core::Result<_>>()? })
    }

    /// Tokens that are known.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// # Errors
    /// [`Error::Length`] where so many tokens more do not fit.
    pub(crate) fn check_room(&self, more: usize) -> Result<()> {
        let length = self.tokens + more;
        if length <= self.room { Ok(()) } else { Err(Error::Length { length, limit: self.room }) }
    }

    /// What is known of a block; none before the first token.
    pub(crate) fn known(&self, block: usize) -> Result<Option<KeysValues>> {
        if self.tokens == 0 {
            return Ok(None);
        }
        Ok(Some(KeysValues(self.blocks[block].narrow(0, 0, self.tokens)?)))
    }

    /// Writes a block's keys and values of the tokens of `span` behind those that are known. They are known themselves
    /// once all blocks are written: see [`KvMemory::keep`].
    pub(crate) fn write(&self, block: usize, rows: &KeysValues, span: &Span) -> Result<()> {
        let rows = rows.0.narrow(0, span.key_start, span.keys)?.contiguous()?;
        Ok(self.blocks[block].slice_set(&rows, 0, self.tokens)?)
    }

    /// Counts tokens that were written.
    pub(crate) fn keep(&mut self, tokens: usize) {
        self.tokens += tokens;
    }

    /// A copy of the first `tokens` tokens, with room for no more.
    pub(crate) fn beginning(&self, tokens: usize) -> Result<Self> {
        let copy = |block: &Tensor| block.narrow(0, 0, tokens)?.force_contiguous();
        let blocks = self.blocks.iter().map(copy).collect::<candle_core::Result<_>>()?;
        Ok(Self { tokens, room: tokens, blocks })
    }

    /// Takes over what another sequence of the same model knows. Only at the beginning.
    pub(crate) fn begin_with(&mut self, other: &Self) -> Result<()> {
        self.tokens = 0;
        self.check_room(other.tokens)?;
        for (own, other) in self.blocks.iter().zip(&other.blocks) {
            own.slice_set(other, 0, 0)?;
        }
        self.tokens = other.tokens;
        Ok(())
    }
}
