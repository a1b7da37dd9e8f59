//! The task: vectors of tokens whose means are as the teacher's vectors, and rank as the teacher ranks.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::bag::Bags;
use crate::{
    error::{Error, Result},
    train::{
        draw::Draw,
        gradients::Gradients,
        loss::{Contrast, InfoNce, cosine_loss, kl_loss, unit_rows},
        objective::{Objective, SCORE, StepOutcome, finite},
    },
};

/// The name of the only variable.
const TABLE: &str = "table";
/// Held-out pairs that are looked at when a figure is computed.
pub(super) const MOST_HELD_OUT: usize = 2000;

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
    /// Whether the document is in a language that the teacher did not read: its vector is that of the original.
    pub translated: bool,
}

/// Smooth inverse frequency (Arora, Liang and Ma 2017): a token counts `a / (a + p)`, `p` being its share of the texts.
pub(super) const FREQUENCY: f64 = 1e-4;

/// Where learning begins: the teacher's vector of every token by itself, weighed by how rare the token is in the texts. Of
/// a token that only translations hold the teacher knows nothing: it begins as the originals of the texts that hold it.
pub fn first_table(mut tokens: Vec<Vec<f32>>, pairs: &[TaughtPair]) -> Vec<Vec<f32>> {
    let mut counts = vec![0u64; tokens.len()];
    let mut count = |id: u32| {
        if let Some(count) = counts.get_mut(id as usize) {
            *count += 1;
        }
    };
    let (foreign, own): (Vec<&TaughtPair>, Vec<&TaughtPair>) = pairs.iter().partition(|pair| pair.translated);
    own.iter().flat_map(|pair| pair.ids.iter().flatten()).for_each(|id| count(*id));
    foreign.iter().flat_map(|pair| &pair.ids[0]).for_each(|id| count(*id));
    for (id, row, count) in Foreign::of(&foreign).rows(&tokens) {
        if counts.get(id as usize) == Some(&0) {
            tokens[id as usize] = row;
            counts[id as usize] = count;
        }
    }
    let total = counts.iter().sum::<u64>().max(1) as f64;
    for (row, count) in tokens.iter_mut().zip(counts) {
        let factor = (FREQUENCY / (FREQUENCY + count as f64 / total)) as f32;
        row.iter_mut().for_each(|x| *x *= factor);
    }
    tokens
}

/// Tokens of translations: the mean of the teacher's vectors of the originals of the texts that hold the token, short
/// texts counting more, less the mean over all texts ("a la carte", Khodak et al. 2018).
#[derive(Default)]
struct Foreign {
    sums: BTreeMap<u32, (Vec<f32>, u64)>,
    mean: Vec<f32>,
}

impl Foreign {
    fn of(pairs: &[&TaughtPair]) -> Self {
        let mut found =
            Self { mean: vec![0.0; pairs.first().map_or(0, |pair| pair.vectors[1].len())], ..Self::default() };
        for pair in pairs {
            let share = 1.0 / pairs.len() as f32;
            found.mean.iter_mut().zip(&pair.vectors[1]).for_each(|(sum, x)| *sum += share * x);
        }
        for pair in pairs {
            let share = 1.0 / pair.ids[1].len().max(1) as f32;
            for id in &pair.ids[1] {
                let (sum, count) = found.sums.entry(*id).or_insert_with(|| (vec![0.0; found.mean.len()], 0));
                sum.iter_mut().zip(&pair.vectors[1]).zip(&found.mean).for_each(|((sum, x), m)| *sum += share * (x - m));
                *count += 1;
            }
        }
        found
    }

    /// Every token's vector, as long as the first ones of the table, and how often it was met.
    fn rows(self, tokens: &[Vec<f32>]) -> Vec<(u32, Vec<f32>, u64)> {
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        let wanted = tokens.iter().map(|row| length(row)).fold(0.0, f32::max);
        let row = |(id, (mut sum, count)): (u32, (Vec<f32>, u64))| {
            let own = length(&sum).max(1e-9);
            sum.iter_mut().for_each(|x| *x *= wanted / own);
            (id, sum, count)
        };
        self.sums.into_iter().map(row).collect()
    }
}

/// How many documents hold each token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frequencies {
    documents: usize,
    holders: Vec<u64>,
}

impl Frequencies {
    /// Of the documents of pairs, for so many tokens.
    pub fn of(pairs: &[TaughtPair], tokens: usize) -> Self {
        let mut holders = vec![0u64; tokens];
        for pair in pairs {
            let distinct: BTreeSet<u32> = pair.ids[1].iter().copied().collect();
            for id in distinct {
                if let Some(count) = holders.get_mut(id as usize) {
                    *count += 1;
                }
            }
        }
        Self { documents: pairs.len(), holders }
    }
}

/// Tokens in fewer documents than this say nothing of how long a vector should be.
const COMMON: u64 = 100;

/// Shortens vectors that are longer than a share of those of common tokens: a rare token has hardly been learned, and
/// would decide a text alone.
pub fn capped(mut table: Vec<Vec<f32>>, known: &Frequencies, share: f64) -> Vec<Vec<f32>> {
    let length = |row: &Vec<f32>| row.iter().map(|x| x * x).sum::<f32>().sqrt();
    let common = table.iter().zip(&known.holders).filter(|(_, count)| **count > COMMON);
    let mut lengths: Vec<f32> = common.map(|(row, _)| length(row)).collect();
    lengths.sort_by(f32::total_cmp);
    let place = (lengths.len() as f64 * share) as usize;
    let Some(most) = lengths.get(place).copied() else { return table };
    for row in &mut table {
        let own = length(row);
        if own > most {
            row.iter_mut().for_each(|x| *x *= most / own);
        }
    }
    table
}

/// Widens every token's vector by `more` dimensions that say which token it is: a direction of its own, by chance, times
/// `weight` times its inverse document frequency, on the scale of the vectors there are. The cosine of two texts then
/// holds, beside what they mean, the words they share (a random projection of TF-IDF: Johnson and Lindenstrauss 1984).
pub fn with_words(table: Vec<Vec<f32>>, known: &Frequencies, more: usize, weight: f64, seed: u64) -> Vec<Vec<f32>> {
    if more == 0 {
        return table;
    }
    let Frequencies { documents, holders } = known;
    let rarity = |count: u64| ((*documents as f64 + 1.0) / (count as f64 + 0.5)).ln().max(0.0);
    let length = |row: &Vec<f32>| row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let seen = || holders.iter().zip(&table).filter(|(count, row)| **count > 0 && length(row) > 0.0);
    let scale = seen().map(|(_, row)| length(row)).sum::<f64>()
        / seen().map(|(count, _)| rarity(*count)).sum::<f64>().max(1e-9);
    let widen = |(id, (mut row, count)): (usize, (Vec<f32>, u64))| {
        // A token that stands for nothing, as the EOS does, stays so.
        let factor = if length(&row) > 0.0 { weight * scale * rarity(count) } else { 0.0 };
        let direction = Draw::named(seed, &format!("token {id}")).normal(more);
        let own = direction.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-9);
        row.extend(direction.iter().map(|x| (factor * x / own) as f32));
        row
    };
    table.into_iter().zip(holders.iter().copied()).enumerate().map(widen).collect()
}

/// The task.
pub struct DistillTask {
    options: DistillOptions,
    table: Var,
    training: Vec<TaughtPair>,
    held_out: Vec<TaughtPair>,
}

/// One side of a batch: the means of its rows, and what they should be.
pub(super) struct Side {
    pub(super) pooled: Tensor,
    pub(super) taught: Tensor,
}

impl DistillTask {
    /// `table` `[tokens, width]` is where learning begins.
    ///
    /// # Errors
    /// [`Error::Training`] without pairs, [`qwen3::Error::Dimension`] for a teacher's vector of another width,
    /// [`qwen3::Error::TokenId`].
    pub fn new(
        table: &[Vec<f32>],
        training: Vec<TaughtPair>,
        held_out: Vec<TaughtPair>,
        options: DistillOptions,
    ) -> Result<Self> {
        let (tokens, width) = (table.len(), table.first().map_or(0, Vec::len));
        if training.is_empty() || tokens == 0 {
            return Err(Error::Training("there are no texts to learn from".to_owned()));
        }
        for pair in training.iter().chain(&held_out) {
            if let Some(wrong) = pair.vectors.iter().find(|vector| vector.len() != width) {
                return Err(qwen3::Error::Dimension { requested: wrong.len(), least: width, most: width }.into());
            }
            if let Some(id) = pair.ids.iter().flatten().find(|id| **id as usize >= tokens) {
                return Err(qwen3::Error::TokenId { id: *id, vocab_size: tokens }.into());
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
}

/// The value of a loss, whose gradient of these rows of a variable is added to the others.
pub(super) fn learned(loss: &Tensor, name: &str, rows: &Var, ids: &[u32], gradients: &mut Gradients) -> Result<f64> {
    let value = finite(loss)?;
    if let Some(gradient) = loss.backward()?.get(rows) {
        gradients.add_rows(name, ids, gradient)?;
    }
    Ok(value)
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
        let loss = learned(&loss(&self.options, &sides, &identities)?, TABLE, &rows, &ids, gradients)?;
        let tokens = batch.iter().flat_map(|pair| pair.ids.iter().map(|ids| self.cut(ids).len())).sum();
        Ok(StepOutcome { loss, tokens })
    }

    /// Held-out queries against held-out documents, and the cosine to the teacher; of translations the cosine.
    fn evaluate(&self) -> Result<BTreeMap<String, f64>> {
        let kind = |translated: bool| -> Vec<&TaughtPair> {
            self.held_out.iter().filter(|pair| pair.translated == translated).take(MOST_HELD_OUT).collect()
        };
        let (own, translated) = (kind(false), kind(true));
        let mut figures = BTreeMap::new();
        if !own.is_empty() {
            let (_, _, [queries, documents]) = self.sides(&own)?;
            let identities: Vec<u64> = own.iter().map(|pair| pair.identity).collect();
            let gain = ranking(&queries, &documents, &identities)?;
            let (queries, documents) = (fidelity(&queries)?, fidelity(&documents)?);
            // Ranking among a few hundred texts is best long before the vectors are: it does not choose the weights.
            figures.insert(SCORE.to_owned(), 0.5 * (queries + documents));
            figures.insert("cosine of queries".to_owned(), queries);
            figures.insert("cosine of documents".to_owned(), documents);
            figures.insert("ndcg@10".to_owned(), gain);
        }
        if !translated.is_empty() {
            let (_, _, [_, texts]) = self.sides(&translated)?;
            let cosine = fidelity(&texts)?;
            figures.entry(SCORE.to_owned()).and_modify(|score| *score = 0.5 * (*score + cosine)).or_insert(cosine);
            figures.insert("cosine of translations".to_owned(), cosine);
        }
        Ok(figures)
    }
}

/// How far the sides of a batch are from what they should be; `identities` are those of the documents.
pub(super) fn loss(options: &DistillOptions, [queries, documents]: &[Side; 2], identities: &[u64]) -> Result<Tensor> {
    let DistillOptions { cosine, lists, contrast, temperature, .. } = *options;
    let both = (cosine_loss(&queries.pooled, &queries.taught)? + cosine_loss(&documents.pooled, &documents.taught)?)?;
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

/// The mean cosine of texts to what the teacher says of them.
pub(super) fn fidelity(side: &Side) -> Result<f64> {
    Ok(1.0 - f64::from(cosine_loss(&side.pooled, &side.taught)?.to_scalar::<f32>()?))
}

/// nDCG@10 of the queries' own documents among all of them.
pub(super) fn ranking(queries: &Side, documents: &Side, identities: &[u64]) -> Result<f64> {
    let scores = unit_rows(&queries.pooled)?.matmul(&unit_rows(&documents.pooled)?.t()?)?.to_vec2::<f32>()?;
    let gain = |(query, scores): (usize, &Vec<f32>)| {
        let own = scores[query];
        let beats = |(at, score): &(usize, &f32)| identities[*at] != identities[query] && **score >= own;
        let rank = scores.iter().enumerate().filter(beats).count();
        if rank < 10 { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 }
    };
    Ok(scores.iter().enumerate().map(gain).sum::<f64>() / identities.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(query: &[u32], document: &[u32]) -> TaughtPair {
        let vector = |ids: &[u32]| ids.iter().fold(vec![0.0; 2], |sum: Vec<f32>, id| vec![sum[0] + *id as f32, 1.0]);
        TaughtPair {
            ids: [query.to_vec(), document.to_vec()],
            vectors: [vector(query), vector(document)],
            identity: u64::from(document[0]),
            translated: false,
        }
    }

    #[test]
    fn rare_tokens_count_more_from_the_beginning() {
        let pairs = [pair(&[1, 2], &[1, 1, 1, 3]), pair(&[1], &[1, 4])];
        let table = first_table(vec![vec![1.0, 0.0]; 6], &pairs);
        assert!(table[1][0] < table[3][0] && table[3][0] < table[5][0]);
        assert_eq!(table[5][0], 1.0);
    }

    #[test]
    fn tokens_of_translations_begin_as_their_originals() {
        let translated = |document: &[u32], vector: [f32; 2]| TaughtPair {
            vectors: [vector.to_vec(), vector.to_vec()],
            translated: true,
            ..pair(&[1], document)
        };
        // 2 is in the teacher's texts too, 3 means the first direction and 4 the second, 5 is everywhere.
        let pairs = [
            pair(&[1], &[2]),
            translated(&[2, 3, 5], [1.0, 0.0]),
            translated(&[3], [1.0, 0.0]),
            translated(&[4, 5], [0.0, 1.0]),
            translated(&[4], [0.0, 1.0]),
        ];
        let table = first_table(vec![vec![0.6, 0.8]; 6], &pairs);
        let direction = |id: usize| table[id][0] / table[id][1];
        assert!((direction(2) - 0.75).abs() < 1e-6 && (direction(0) - 0.75).abs() < 1e-6);
        assert!(table[3][0] > 0.0 && table[3][1] < 0.0 && table[4][0] < 0.0 && table[4][1] > 0.0);
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!(0.0 < length(&table[3]) && length(&table[3]) <= 1.0 + 1e-6);
    }

    #[test]
    fn words_widen_vectors_by_how_rare_they_are() {
        let pairs = [pair(&[1], &[1, 2]), pair(&[1], &[1, 3])];
        let mut table = vec![vec![1.0, 0.0]; 5];
        table[4] = vec![0.0, 0.0];
        let known = Frequencies::of(&pairs, 5);
        let wide = with_words(table.clone(), &known, 64, 0.7, 1);
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!(wide.iter().all(|row| row.len() == 66));
        assert!(length(&wide[1][2..]) < length(&wide[2][2..]));
        assert_eq!(length(&wide[4]), 0.0);
        // The seen ones are as long, on average, as the weight times what there was.
        let mean = [1, 2, 3].map(|id: usize| length(&wide[id][2..])).iter().sum::<f32>() / 3.0;
        assert!((mean - 0.7).abs() < 1e-4, "{mean}");
        let dot: f32 = wide[2][2..].iter().zip(&wide[3][2..]).map(|(a, b)| a * b).sum();
        assert!(dot.abs() < 0.5 * length(&wide[2][2..]) * length(&wide[3][2..]));
        assert_eq!(with_words(table.clone(), &known, 0, 0.7, 1), table);
    }

    #[test]
    fn long_vectors_are_capped_at_those_of_common_tokens() {
        let table: Vec<Vec<f32>> = (1..=10).map(|x| vec![x as f32, 0.0]).collect();
        let holders = vec![500, 500, 500, 500, 500, 1, 1, 1, 1, 1];
        let known = Frequencies { documents: 1000, holders };
        let lengths: Vec<f32> = capped(table.clone(), &known, 0.6).iter().map(|row| row[0]).collect();
        assert_eq!(lengths, [1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]);
        assert_eq!(capped(table.clone(), &known, 1.0), table);
    }

    #[test]
    fn a_table_learns_its_teacher() {
        let documents: Vec<TaughtPair> =
            (0..24u32).map(|at| pair(&[at % 12], &[at % 12, at % 7, 12 + at % 5])).collect();
        let table: Vec<Vec<f32>> = (0..20).map(|id| vec![0.1, 0.1 * ((id * 7 % 5) as f32 - 2.0)]).collect();
        let options = DistillOptions { lists: 0.0, contrast: 0.0, ..DistillOptions::default() };
        let task = DistillTask::new(&table, documents.clone(), documents, options).unwrap();
        let before = task.evaluate().unwrap()["cosine of documents"];
        let run = crate::train::RunOptions {
            epochs: 60.0,
            batch: 8,
            schedule: crate::train::Schedule { peak: 0.05, warmup: 0.0, floor: 0.0 },
            checkpoint_every: 0,
            ..crate::train::RunOptions::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = crate::train::Checkpoints::open(folder.path(), serde_json::Value::Null).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        crate::train::run(&task, &run, &mut checkpoints, &stop, &mut |_| {}).unwrap();
        let after = task.evaluate().unwrap()["cosine of documents"];
        assert!(after > 0.999 && before < 0.99, "{before} -> {after}");
        let wrong = vec![TaughtPair { vectors: [vec![1.0], vec![1.0]], ..pair(&[1], &[1]) }];
        assert!(DistillTask::new(&table, wrong, Vec::new(), DistillOptions::default()).is_err());
    }
}
