//! A batch of token sequences side by side, filled up to the length of the longest. Causal attention never looks ahead,
//! so what stands behind a sequence's end changes nothing before it.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use qwen3::{Error, ModelConfig};

use crate::error::Result;

/// Sequences of ids, checked against the model.
pub(super) struct Padded {
    ids: Vec<u32>,
    lengths: Vec<usize>,
    tokens: usize,
}

impl Padded {
    pub(super) fn new(sequences: &[&[u32]], config: &ModelConfig) -> Result<Self> {
        let (limit, vocab_size) = (config.qwen.max_position_embeddings, config.qwen.vocab_size);
        for sequence in sequences {
            let length = sequence.len();
            if length == 0 || length > limit {
                return Err(Error::Length { length, limit }.into());
            }
            if let Some(id) = sequence.iter().find(|id| **id as usize >= vocab_size) {
                return Err(Error::TokenId { id: *id, vocab_size }.into());
            }
        }
        let tokens = sequences.iter().map(|sequence| sequence.len()).max().unwrap_or_default();
        let mut ids = Vec::with_capacity(sequences.len() * tokens);
        for sequence in sequences {
            ids.extend_from_slice(sequence);
            // Any id will do: nobody looks at it.
            ids.resize(ids.len() + tokens - sequence.len(), sequence[0]);
        }
        Ok(Self { ids, lengths: sequences.iter().map(|sequence| sequence.len()).collect(), tokens })
    }

    pub(super) fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Length of each sequence with its filling.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// The ids that occur, in order, and for each token which of them it is.
    pub(super) fn distinct(&self) -> Result<(Vec<u32>, Tensor)> {
        let mut places: BTreeMap<u32, u32> = self.ids.iter().map(|id| (*id, 0)).collect();
        places.values_mut().zip(0..).for_each(|(place, next)| *place = next);
        let each: Vec<u32> = self.ids.iter().map(|id| places[id]).collect();
        let ids = places.into_keys().collect();
        Ok((ids, Tensor::new(each, &Device::Cpu)?))
    }

    pub(super) fn positions(&self) -> Vec<u32> {
        (0..self.sequences()).flat_map(|_| 0..self.tokens as u32).collect()
    }

    pub(super) fn last_positions(&self) -> Vec<u32> {
        self.lengths.iter().map(|length| *length as u32 - 1).collect()
    }

    /// Which rows of `[sequences * tokens, ..]` are the last tokens.
    pub(super) fn last(&self, device: &Device) -> Result<Tensor> {
        let row = |(sequence, length): (usize, &usize)| (sequence * self.tokens + length - 1) as u32;
        let rows: Vec<u32> = self.lengths.iter().enumerate().map(row).collect();
        Ok(Tensor::new(rows, device)?)
    }

    /// Added to the scores of all tokens: `[1, 1, 1, tokens, tokens]`.
    pub(super) fn causal_mask(&self, like: &Tensor) -> Result<Tensor> {
        let hidden = |index: usize| if index % self.tokens > index / self.tokens { f32::NEG_INFINITY } else { 0.0 };
        let mask: Vec<f32> = (0..self.tokens * self.tokens).map(hidden).collect();
        let mask = Tensor::from_vec(mask, (1, 1, 1, self.tokens, self.tokens), like.device())?;
        Ok(mask.to_dtype(like.dtype())?)
    }

    /// Added to the scores of the last tokens: `[sequences, 1, 1, 1, tokens]`.
    pub(super) fn last_mask(&self, like: &Tensor) -> Result<Tensor> {
        let row = |length: &usize| {
            let length = *length;
            (0..self.tokens).map(move |at| if at < length { 0.0 } else { f32::NEG_INFINITY })
        };
        let mask: Vec<f32> = self.lengths.iter().flat_map(row).collect();
        Ok(Tensor::from_vec(mask, (self.sequences(), 1, 1, 1, self.tokens), like.device())?.to_dtype(like.dtype())?)
    }
}
