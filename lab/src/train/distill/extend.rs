//! The task: rows for the tokens of other languages behind those of a table, so that the mean of a translation's rows points
//! where the table itself puts the original (Reimers and Gurevych 2020). The rows that are there do not change, and with
//! them whatever the model knew: it is its own teacher.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;

use super::{
    bag::Bags,
    table::{DistillOptions, FREQUENCY, MOST_HELD_OUT, Side, fidelity, learned, loss, ranking},
};
use crate::{
    error::{Error, Result},
    train::{
        gradients::Gradients,
        objective::{Objective, SCORE, StepOutcome},
    },
};

/// The name of the only variable.
const ROWS: &str = "rows";
/// Originals whose vectors are computed at a time before learning begins.
const STRIDE: usize = 8192;

/// A text as the table reads it, and as the larger one reads its translation.
#[derive(Debug, Clone)]
pub struct Bilingual {
    /// Tokens of the original, all of them of the table.
    pub original: Vec<u32>,
    /// Tokens of the translation, old and new.
    pub translation: Vec<u32>,
    /// Equal numbers for equal originals.
    pub identity: u64,
}

/// The task.
pub struct ExtendTask {
    options: DistillOptions,
    known: Tensor,
    rows: Var,
    training: Vec<Bilingual>,
    held_out: Vec<Bilingual>,
}

impl ExtendTask {
    /// `known` `[tokens, width]` is the table, `more` the number of tokens behind it. Texts without new tokens teach
    /// nothing and are passed over.
    ///
    /// # Errors
    /// [`Error::Training`] without anything to learn from, [`qwen3::Error::TokenId`].
    pub fn new(
        known: Tensor,
        more: usize,
        mut training: Vec<Bilingual>,
        mut held_out: Vec<Bilingual>,
        options: DistillOptions,
    ) -> Result<Self> {
        let (tokens, width) = known.dims2()?;
        for pair in training.iter().chain(&held_out) {
            check(&pair.original, tokens)?;
            check(&pair.translation, tokens + more)?;
        }
        let cut = |ids: &mut Vec<u32>| ids.truncate(options.max_tokens);
        for pairs in [&mut training, &mut held_out] {
            pairs.iter_mut().for_each(|pair| {
                cut(&mut pair.original);
                cut(&mut pair.translation);
            });
            pairs.retain(|pair| !pair.original.is_empty() && pair.translation.iter().any(|id| *id as usize >= tokens));
        }
        if training.is_empty() {
            return Err(Error::Training(
                "no translation holds a new token: expected a tokenizer that was extended by texts like these"
                    .to_owned(),
            ));
        }
        let rows = first_rows(&known, more, &training)?;
        let rows = Var::from_tensor(&Tensor::from_vec(rows.concat(), (more, width), &Device::Cpu)?)?;
        Ok(Self { options, known, rows, training, held_out })
    }

    /// The new rows as they are now.
    ///
    /// # Errors
    /// [`Error::Compute`].
    pub fn rows(&self) -> Result<Vec<Vec<f32>>> {
        Ok(self.rows.to_vec2()?)
    }

    /// Originals and translations of some pairs over the rows that they use: the new ones among these, and their numbers.
    fn sides(&self, batch: &[&Bilingual]) -> Result<(Var, Vec<u32>, [Side; 2])> {
        let tokens = self.known.dims2()?.0 as u32;
        let mut places: BTreeMap<u32, u32> =
            batch.iter().flat_map(|pair| pair.original.iter().chain(&pair.translation)).map(|id| (*id, 0)).collect();
        places.values_mut().zip(0..).for_each(|(place, next)| *place = next);
        let (old, new): (Vec<u32>, Vec<u32>) = places.keys().partition(|id| **id < tokens);
        let new: Vec<u32> = new.into_iter().map(|id| id - tokens).collect();
        let of = |table: &Tensor, ids: &[u32]| table.index_select(&Tensor::new(ids, &Device::Cpu)?, 0);
        let known = of(&self.known, &old)?;
        let learned = Var::from_tensor(&of(&self.rows.as_detached_tensor(), &new)?)?;
        let lists = |ids: fn(&Bilingual) -> &Vec<u32>| -> Vec<Vec<u32>> {
            batch.iter().map(|pair| ids(pair).iter().map(|id| places[id]).collect()).collect()
        };
        let taught = Bags::new(old.len(), &lists(|pair| &pair.original)).mean(&known)?;
        let rows = Tensor::cat(&[&known, learned.as_tensor()], 0)?;
        let pooled = Bags::new(places.len(), &lists(|pair| &pair.translation)).mean(&rows)?;
        let originals = Side { pooled: taught.clone(), taught: taught.clone() };
        Ok((learned, new, [originals, Side { pooled, taught }]))
    }
}

fn check(ids: &[u32], tokens: usize) -> Result<()> {
    match ids.iter().find(|id| **id as usize >= tokens) {
        Some(id) => Err(qwen3::Error::TokenId { id: *id, vocab_size: tokens }.into()),
        None => Ok(()),
    }
}

/// Where learning begins: a token's row is the mean of the vectors of the originals of the texts that hold it, short texts
/// counting more, less the mean over all texts ("a la carte", Khodak et al. 2018), and the shorter the more often it is
/// met.
fn first_rows(known: &Tensor, more: usize, pairs: &[Bilingual]) -> Result<Vec<Vec<f32>>> {
    let (tokens, width) = known.dims2()?;
    let mut sums = vec![vec![0f32; width]; more];
    let (mut weights, mut counts) = (vec![0f32; more], vec![0u64; more]);
    let mut mean = vec![0f32; width];
    for batch in pairs.chunks(STRIDE) {
        let originals: Vec<Vec<u32>> = batch.iter().map(|pair| pair.original.clone()).collect();
        let vectors = unit(Bags::new(tokens, &originals).mean(known)?.to_vec2()?);
        for (pair, vector) in batch.iter().zip(vectors) {
            mean.iter_mut().zip(&vector).for_each(|(sum, x)| *sum += x / pairs.len() as f32);
            let share = 1.0 / pair.translation.len() as f32;
            for id in pair.translation.iter().filter_map(|id| (*id as usize).checked_sub(tokens)) {
                sums[id].iter_mut().zip(&vector).for_each(|(sum, x)| *sum += share * x);
                weights[id] += share;
                counts[id] += 1;
            }
        }
    }
    let total = pairs.iter().map(|pair| pair.translation.len()).sum::<usize>().max(1) as f64;
    let rows = sums
        .into_iter()
        .zip(weights)
        .map(|(sum, weight)| sum.iter().zip(&mean).map(|(x, mean)| x - weight * mean).collect::<Vec<f32>>());
    let rows = unit(rows.collect()).into_iter().zip(counts);
    let rarity = |count: u64| (FREQUENCY / (FREQUENCY + count as f64 / total)) as f32;
    Ok(rows.map(|(row, count)| row.into_iter().map(|x| x * rarity(count)).collect()).collect())
}

/// Rows of length one; those of zeros stay so.
fn unit(mut rows: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    rows.par_iter_mut().for_each(|row| {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        row.iter_mut().for_each(|x| *x /= length);
    });
    rows
}

impl Objective for ExtendTask {
    fn variables(&self) -> BTreeMap<String, Var> {
        BTreeMap::from([(ROWS.to_owned(), self.rows.clone())])
    }

    fn examples(&self) -> usize {
        self.training.len()
    }

    fn step(&self, members: &[usize], gradients: &mut Gradients) -> Result<StepOutcome> {
        let batch: Vec<&Bilingual> = members.iter().filter_map(|at| self.training.get(*at)).collect();
        let identities: Vec<u64> = batch.iter().map(|pair| pair.identity).collect();
        let (rows, ids, sides) = self.sides(&batch)?;
        let loss = learned(&loss(&self.options, &sides, &identities)?, ROWS, &rows, &ids, gradients)?;
        Ok(StepOutcome { loss, tokens: batch.iter().map(|pair| pair.translation.len()).sum() })
    }

    /// Held-out originals against held-out translations, and the cosine of these.
    fn evaluate(&self) -> Result<BTreeMap<String, f64>> {
        let pairs: Vec<&Bilingual> = self.held_out.iter().take(MOST_HELD_OUT).collect();
        if pairs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let identities: Vec<u64> = pairs.iter().map(|pair| pair.identity).collect();
        let (_, _, [originals, translations]) = self.sides(&pairs)?;
        let cosine = fidelity(&translations)?;
        let gain = ranking(&originals, &translations, &identities)?;
        let figures = [(SCORE, cosine), ("cosine of translations", cosine), ("ndcg@10", gain)];
        Ok(figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of five words that mean different things, and a language of five words for them.
    fn known() -> Tensor {
        let row = |id: u32| (0..8u32).map(|x| f32::from(u8::from(x == id)) + 0.1).collect::<Vec<f32>>();
        Tensor::from_vec((0..5).flat_map(row).collect::<Vec<f32>>(), (5, 8), &Device::Cpu).unwrap()
    }

    /// Two words of the five, and their translation the other way round, with an ending that says nothing.
    fn pairs() -> Vec<Bilingual> {
        let pair = |a: u32, b: u32| Bilingual {
            original: vec![a, b],
            translation: vec![5 + b, 10, 5 + a],
            identity: u64::from(5 * a + b),
        };
        (0..25u32).filter(|at| at / 5 != at % 5).map(|at| pair(at / 5, at % 5)).collect()
    }

    fn trained(training: Vec<Bilingual>, held_out: Vec<Bilingual>) -> ExtendTask {
        let task = ExtendTask::new(known(), 6, training, held_out, DistillOptions::default()).unwrap();
        let run = crate::train::RunOptions {
            epochs: 80.0,
            batch: 8,
            schedule: crate::train::Schedule { peak: 0.03, warmup: 0.0, floor: 0.0 },
            checkpoint_every: 0,
            ..crate::train::RunOptions::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = crate::train::Checkpoints::open(folder.path(), serde_json::Value::Null).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        crate::train::run(&task, &run, &mut checkpoints, &stop, &mut |_| {}).unwrap();
        task
    }

    #[test]
    fn words_of_another_language_come_to_mean_what_their_translations_do() {
        let (held_out, training) = pairs().into_iter().partition(|pair| pair.identity % 7 == 0);
        let task = trained(training, held_out);
        let figures = task.evaluate().unwrap();
        assert!(figures[SCORE] > 0.98 && figures["ndcg@10"] == 1.0, "{figures:?}");
        let (rows, table) = (task.rows().unwrap(), known().to_vec2::<f32>().unwrap());
        let cosine = |a: &[f32], b: &[f32]| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        for (word, meaning) in rows.iter().take(5).zip(&table) {
            let nearest = table.iter().map(|other| cosine(word, other)).fold(f32::MIN, f32::max);
            assert_eq!(cosine(word, meaning), nearest);
        }
    }

    #[test]
    fn often_met_tokens_begin_shorter() {
        let rows = first_rows(&known(), 6, &pairs()).unwrap();
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!(length(&rows[5]) < length(&rows[0]));
    }

    #[test]
    fn what_teaches_nothing_is_said() {
        let old = Bilingual { original: vec![1], translation: vec![2], identity: 0 };
        let refused = |pairs: Vec<Bilingual>| {
            ExtendTask::new(known(), 6, pairs, Vec::new(), DistillOptions::default()).err().unwrap().to_string()
        };
        assert!(refused(vec![old.clone()]).contains("no translation holds a new token"));
        assert!(refused(vec![Bilingual { translation: vec![11], ..old }]).contains("11"));
    }
}
