//! The task: vectors of tokens whose means are as the teacher's vectors, and rank as the teacher ranks.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::bag::Bags;
use crate::{
    error::{Error, Result},
    train::{
        gradients::Gradients,
        loss::{Contrast, InfoNce, cosine_loss, kl_loss, unit_rows},
        objective::{Objective, SCORE, StepOutcome, finite},
    },
};

/// The name of the only variable.
const TABLE: &str = "table";
/// Held-out pairs that are looked at when a figure is computed.
const MOST_HELD_OUT: usize = 2000;

/// How a table is distilled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DistillOptions {
    /// How much the cosine to the teacher's vectors counts.
    pub cosine: f64,
    /// How much the teacher's distribution over the documents of the batch counts.
    pub lists: f64,
    /// How much the contrastive loss counts.
    pub contrast: f64,
    /// Temperature of the last two.
    pub temperature: f64,
    /// Texts are cut to this many tokens.
    pub max_tokens: usize,
}

impl Default for DistillOptions {
    fn default() -> Self {
        Self { cosine: 1.0, lists: 0.5, contrast: 0.2, temperature: 0.05, max_tokens: 256 }
    }
}

/// A query and its document as token ids (without EOS), and the teacher's vectors of both.
#[derive(Debug, Clone)]
pub struct TaughtPair {
    /// Ids of query and document.
    pub ids: [Vec<u32>; 2],
    /// The teacher's vectors, of the table's width.
    pub vectors: [Vec<f32>; 2],
    /// Equal numbers for equal documents.
    pub identity: u64,
}

/// Smooth inverse frequency (Arora, Liang and Ma 2017): a token counts `a / (a + p)`, `p` being its share of the texts.
const FREQUENCY: f64 = 1e-4;

/// Where learning begins: the teacher's vector of every token by itself, weighed by how rare the token is in the texts.
pub fn first_table(mut tokens: Vec<Vec<f32>>, pairs: &[TaughtPair]) -> Vec<Vec<f32>> {
    let mut counts = vec![0u64; tokens.len()];
    for id in pairs.iter().flat_map(|pair| pair.ids.iter().flatten()) {
        if let Some(count) = counts.get_mut(*id as usize) {
            *count += 1;
        }
    }
    let total = counts.iter().sum::<u64>().max(1) as f64;
    for (row, count) in tokens.iter_mut().zip(counts) {
        let factor = (FREQUENCY / (FREQUENCY + count as f64 / total)) as f32;
        row.iter_mut().for_each(|x| *x *= factor);
    }
    tokens
}

/// The task.
pub struct DistillTask {
    options: DistillOptions,
    table: Var,
    training: Vec<TaughtPair>,
    held_out: Vec<TaughtPair>,
}

/// One side of a batch.
struct Side {
    pooled: Tensor,
    taught: Tensor,
}

impl DistillTask {
    /// `table` `[tokens, width]` is where learning begins.
    ///
    /// # Errors
    /// [`Error::Training`] without pairs, [`Error::Dimension`] for a teacher's vector of another width,
    /// [`Error::TokenId`].
    pub fn new(
        table: &[Vec<f32>],
        training: Vec<TaughtPair>,
        mut held_out: Vec<TaughtPair>,
        options: DistillOptions,
    ) -> Result<Self> {
        let (tokens, width) = (table.len(), table.first().map_or(0, Vec::len));
        if training.is_empty() || tokens == 0 {
            return Err(Error::Training("there are no texts to learn from".to_owned()));
        }
        held_out.truncate(MOST_HELD_OUT);
        for pair in training.iter().chain(&held_out) {
            if let Some(wrong) = pair.vectors.iter().find(|vector| vector.len() != width) {
                return Err(Error::Dimension { requested: wrong.len(), least: width, most: width });
            }
            if let Some(id) = pair.ids.iter().flatten().find(|id| **id as usize >= tokens) {
                return Err(Error::TokenId { id: *id, vocab_size: tokens });
            }
        }
        let table = Var::from_tensor(&Tensor::from_vec(table.concat(), (tokens, width), &Device::Cpu)?)?;
        Ok(Self { options, table, training, held_out })
    }

    /// The table as it is now.
    ///
    /// # Errors
    /// [`Error::Compute`].
    pub fn table(&self) -> Result<Vec<Vec<f32>>> {
        Ok(self.table.to_vec2()?)
    }

    /// Queries and documents of some pairs over the rows that they use, and which rows these are.
    fn sides(&self, batch: &[&TaughtPair]) -> Result<(Var, Vec<u32>, [Side; 2])> {
        let mut places: BTreeMap<u32, u32> =
            batch.iter().flat_map(|pair| pair.ids.iter().flat_map(|ids| self.cut(ids))).map(|id| (*id, 0)).collect();
        places.values_mut().zip(0..).for_each(|(place, next)| *place = next);
        let ids: Vec<u32> = places.keys().copied().collect();
        let rows = self.table.as_detached_tensor().index_select(&Tensor::new(ids.as_slice(), &Device::Cpu)?, 0)?;
        let rows = Var::from_tensor(&rows)?;
        let side = |side: usize| -> Result<Side> {
            let lists = batch.iter().map(|pair| self.cut(&pair.ids[side]).iter().map(|id| places[id]).collect());
            let lists: Vec<Vec<u32>> = lists.collect();
            let taught: Vec<f32> = batch.iter().flat_map(|pair| pair.vectors[side].iter().copied()).collect();
            let pooled = Bags::new(ids.len(), &lists).mean(&rows)?;
            let taught = Tensor::from_vec(taught, pooled.shape(), &Device::Cpu)?;
            Ok(Side { pooled, taught })
        };
        let sides = [side(0)?, side(1)?];
        Ok((rows, ids, sides))
    }

    fn cut<'i>(&self, ids: &'i [u32]) -> &'i [u32] {
        &ids[..ids.len().min(self.options.max_tokens)]
    }

    fn loss(&self, [queries, documents]: &[Side; 2], identities: &[u64]) -> Result<Tensor> {
        let DistillOptions { cosine, lists, contrast, temperature, .. } = self.options;
        let both =
            (cosine_loss(&queries.pooled, &queries.taught)? + cosine_loss(&documents.pooled, &documents.taught)?)?;
        let mut loss = (both * (0.5 * cosine))?;
        if lists > 0.0 {
            let scores = |queries: &Tensor, documents: &Tensor| -> Result<Tensor> {
                Ok(unit_rows(queries)?.matmul(&unit_rows(documents)?.t()?)?)
            };
            let ours = scores(&queries.pooled, &documents.pooled)?;
            loss = (loss + (kl_loss(&ours, &scores(&queries.taught, &documents.taught)?, temperature)? * lists)?)?;
        }
        if contrast > 0.0 {
            let batch = Contrast {
                queries: &queries.pooled,
                positives: &documents.pooled,
                negatives: None,
                owners: &[],
                identities,
            };
            let contrastive = InfoNce { temperature, ..InfoNce::default() }.loss(&batch)?;
            loss = (loss + (contrastive * contrast)?)?;
        }
        Ok(loss)
    }
}

impl Objective for DistillTask {
    fn variables(&self) -> BTreeMap<String, Var> {
        BTreeMap::from([(TABLE.to_owned(), self.table.clone())])
    }

    fn examples(&self) -> usize {
        self.training.len()
    }

    fn step(&self, members: &[usize], gradients: &mut Gradients) -> Result<StepOutcome> {
        let batch: Vec<&TaughtPair> = members.iter().filter_map(|at| self.training.get(*at)).collect();
        let identities: Vec<u64> = batch.iter().map(|pair| pair.identity).collect();
        let (rows, ids, sides) = self.sides(&batch)?;
        let loss = self.loss(&sides, &identities)?;
        let value = finite(&loss)?;
        if let Some(gradient) = loss.backward()?.get(&rows) {
            gradients.add_rows(TABLE, &ids, gradient)?;
        }
        let tokens = batch.iter().flat_map(|pair| pair.ids.iter().map(|ids| self.cut(ids).len())).sum();
        Ok(StepOutcome { loss: value, tokens })
    }

    /// Held-out queries against held-out documents, and the cosine to the teacher.
    fn evaluate(&self) -> Result<BTreeMap<String, f64>> {
        if self.held_out.is_empty() {
            return Ok(BTreeMap::new());
        }
        let batch: Vec<&TaughtPair> = self.held_out.iter().collect();
        let (_, _, [queries, documents]) = self.sides(&batch)?;
        let cosine = |side: &Side| -> Result<f64> {
            Ok(1.0 - f64::from(cosine_loss(&side.pooled, &side.taught)?.to_scalar::<f32>()?))
        };
        let scores = unit_rows(&queries.pooled)?.matmul(&unit_rows(&documents.pooled)?.t()?)?.to_vec2::<f32>()?;
        let gain = |(query, scores): (usize, &Vec<f32>)| {
            let own = scores[query];
            let beats = |(at, score): &(usize, &f32)| batch[*at].identity != batch[query].identity && **score >= own;
            let rank = scores.iter().enumerate().filter(beats).count();
            if rank < 10 { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 }
        };
        let gains: f64 = scores.iter().enumerate().map(gain).sum();
        Ok(BTreeMap::from([
            (SCORE.to_owned(), gains / batch.len() as f64),
            ("cosine of queries".to_owned(), cosine(&queries)?),
            ("cosine of documents".to_owned(), cosine(&documents)?),
        ]))
    }
}
