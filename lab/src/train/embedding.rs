//! Teaching an embedding model: queries near their documents, far from others (InfoNCE), lists as a teacher ranks them,
//! vectors as a teacher's.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Tensor, Var};
use qwen3::{EmbedEncoder, EmbedPrompt, ModelFiles};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    encoded::{Division, Encoded},
    example::Example,
    gradients::Gradients,
    loss::{Contrast, InfoNce, cosine_loss, unit_rows},
    network::Network,
    objective::{ListLoss, Objective, SCORE, StepOutcome, finite, identity},
};
use crate::error::{Error, Result};

/// Passages looked at when a figure "at 10" is computed.
const CUTOFF: usize = 10;

/// How an embedding model is taught.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingOptions {
    /// Similarities are divided by this.
    pub temperature: f64,
    /// See [`InfoNce::margin`].
    pub margin: f64,
    /// Most hard negatives that are taken of an example.
    pub negatives: usize,
    /// Queries and documents are cut to this many tokens, EOS included.
    pub max_tokens: usize,
    /// Also learn for vectors cut to these widths (Matryoshka, Kusupati et al. 2022); the full width is always learned.
    pub widths: Vec<usize>,
    /// How much the contrastive loss counts.
    pub contrast: f64,
    /// Learn lists from the scores that examples carry, and how much that counts.
    pub lists: Option<(ListLoss, f64)>,
    /// How much the cosine to a teacher's vectors counts, where there is a teacher.
    pub teacher: f64,
    /// Most tokens computed at a time.
    pub part_tokens: usize,
    /// Larger batches than this many tokens are computed twice instead of kept (GradCache).
    pub kept_tokens: usize,
}

impl Default for EmbeddingOptions {
    fn default() -> Self {
        let InfoNce { temperature, margin } = InfoNce::default();
        Self {
            temperature,
            margin,
            negatives: 7,
            max_tokens: 512,
            widths: Vec::new(),
            contrast: 1.0,
            lists: None,
            teacher: 1.0,
            part_tokens: 8192,
            kept_tokens: 65_536,
        }
    }
}

/// Vectors of texts by a teacher, as queries or as documents.
pub type Teacher<'t> = &'t dyn Fn(&[&str], TextKind) -> qwen3::Result<Vec<Vec<f32>>>;

/// What a text is to an embedding model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Something to look for.
    Query,
    /// Something to find.
    Document,
}

/// The task.
pub struct EmbeddingTask<'n> {
    network: &'n Network<'n>,
    options: EmbeddingOptions,
    training: Vec<Tokens>,
    held_out: Vec<Tokens>,
}

/// An example as ids.
struct Tokens {
    query: Vec<u32>,
    positive: Vec<u32>,
    negatives: Vec<Vec<u32>>,
    identity: u64,
    scores: Vec<f64>,
    /// A teacher's vectors of query and positive.
    taught: Option<[Vec<f32>; 2]>,
}

impl<'n> EmbeddingTask<'n> {
    /// Reads texts into ids, and has the teacher look at them.
    ///
    /// # Errors
    /// [`Error::Training`] without examples, or for a teacher whose vectors have another width than the model's; what is
    /// wrong with the tokenizer.
    pub fn new(
        files: &ModelFiles,
        network: &'n Network<'n>,
        training: &[Example],
        held_out: &[Example],
        teacher: Option<Teacher<'_>>,
        options: EmbeddingOptions,
    ) -> Result<Self> {
        if training.is_empty() {
            return Err(Error::Training("there are no examples to learn from".to_owned()));
        }
        let width = network.parameters().config().qwen.hidden_size;
        if let Some(wrong) = options.widths.iter().find(|wanted| **wanted == 0 || **wanted > width) {
            return Err(qwen3::Error::Dimension { requested: *wrong, least: 1, most: width }.into());
        }
        let encoder = EmbedEncoder::open(files, EmbedPrompt::default(), options.max_tokens)?;
        let reader = ExampleEncoder { encoder, options: &options };
        let mut task = Self {
            network,
            training: reader.read(training)?,
            held_out: reader.read(held_out)?,
            options: options.clone(),
        };
        if let Some(teacher) = teacher {
            let queries: Vec<&str> = training.iter().map(|example| example.query.as_str()).collect();
            let documents: Vec<&str> = training.iter().map(|example| example.response.as_str()).collect();
            let vectors = teacher(&queries, TextKind::Query)?.into_iter();
            for (tokens, (query, document)) in
                task.training.iter_mut().zip(vectors.zip(teacher(&documents, TextKind::Document)?))
            {
                if query.len() != width || document.len() != width {
                    return Err(Error::Training(format!(
                        "the teacher's vectors have {} values and the model's {width}: expected a teacher of the same \
                         width (`quarry train distill` makes a model for any teacher)",
                        query.len()
                    )));
                }
                tokens.taught = Some([query, document]);
            }
        }
        Ok(task)
    }

    /// The gradient of the loss by the hidden states, `[queries + positives + negatives, width]`, and its value.
    fn loss(&self, hidden: &Tensor, batch: &[&Tokens]) -> Result<(Tensor, f64)> {
        let leaf = Var::from_tensor(hidden)?;
        let full = hidden.dim(1)?;
        let widths: Vec<usize> =
            self.options.widths.iter().copied().filter(|width| *width < full).chain([full]).collect();
        let mut total = Tensor::zeros((), hidden.dtype(), hidden.device())?;
        for width in &widths {
            let rows = leaf.narrow(1, 0, *width)?;
            total = (total + self.loss_at(&rows, batch, *width == full)?)?;
        }
        let total = (total / widths.len() as f64)?;
        let value = finite(&total)?;
        let gradient = total.backward()?.get(&leaf).cloned();
        Ok((gradient.map_or_else(|| leaf.zeros_like(), Ok)?.detach(), value))
    }

    fn loss_at(&self, rows: &Tensor, batch: &[&Tokens], is_full: bool) -> Result<Tensor> {
        let count = batch.len();
        let (queries, positives) = (rows.narrow(0, 0, count)?, rows.narrow(0, count, count)?);
        let owned = |(owner, tokens): (usize, &&Tokens)| vec![owner; tokens.negatives.len()];
        let owners: Vec<usize> = batch.iter().enumerate().flat_map(owned).collect();
        let negatives = (!owners.is_empty()).then(|| rows.narrow(0, 2 * count, owners.len())).transpose()?;
        let identities: Vec<u64> = batch.iter().map(|tokens| tokens.identity).collect();
        let EmbeddingOptions { temperature, margin, contrast, lists, teacher, .. } = &self.options;
        let contrastive = InfoNce { temperature: *temperature, margin: *margin }.loss(&Contrast {
            queries: &queries,
            positives: &positives,
            negatives: negatives.as_ref(),
            owners: &owners,
            identities: &identities,
        })?;
        let mut loss = (contrastive * *contrast)?;
        if let Some((list, weight)) = lists {
            loss = (loss + (list_loss(*list, &queries, &positives, negatives.as_ref(), batch)? * *weight)?)?;
        }
        if is_full && batch.iter().all(|tokens| tokens.taught.is_some()) {
            let side = |side: usize| batch.iter().filter_map(move |tokens| Some(&tokens.taught.as_ref()?[side]));
            let vectors: Vec<f32> = side(0).chain(side(1)).flatten().copied().collect();
            let taught = Tensor::from_vec(vectors, (2 * count, rows.dim(1)?), rows.device())?.to_dtype(rows.dtype())?;
            loss = (loss + (cosine_loss(&rows.narrow(0, 0, 2 * count)?, &taught)? * *teacher)?)?;
        }
        Ok(loss)
    }
}

/// The loss over the lists of those examples that carry a teacher's scores; 0 where none does.
fn list_loss(
    list: ListLoss,
    queries: &Tensor,
    positives: &Tensor,
    negatives: Option<&Tensor>,
    batch: &[&Tokens],
) -> Result<Tensor> {
    let longest = batch.iter().map(|tokens| tokens.scores.len()).max().unwrap_or(0);
    if longest < 2 {
        return Ok(Tensor::zeros((), queries.dtype(), queries.device())?);
    }
    let documents = match negatives {
        Some(negatives) => Tensor::cat(&[positives, negatives], 0)?,
        None => positives.clone(),
    };
    // Row of each candidate in `documents`; a place that a list does not have points anywhere and is masked.
    let (mut places, mut taught, mut next, mut lists) = (Vec::new(), Vec::new(), batch.len() as u32, Vec::new());
    for (index, tokens) in batch.iter().enumerate() {
        let candidates = std::iter::once(index as u32).chain(next..).take(tokens.scores.len());
        next += tokens.negatives.len() as u32;
        if tokens.scores.len() < 2 {
            continue;
        }
        lists.push(index as u32);
        places.extend(candidates);
        taught.extend_from_slice(&tokens.scores);
        places.resize(lists.len() * longest, 0);
        taught.resize(lists.len() * longest, f64::NEG_INFINITY);
    }
    let device = queries.device();
    let count = lists.len();
    let documents = unit_rows(&documents)?.index_select(&Tensor::new(places, device)?, 0)?;
    let documents = documents.reshape((count, longest, ()))?;
    let queries = unit_rows(queries)?.index_select(&Tensor::new(lists, device)?, 0)?.unsqueeze(1)?;
    let scores = documents.broadcast_mul(&queries)?.sum(2)?;
    let taught = Tensor::from_vec(taught, (count, longest), device)?.to_dtype(scores.dtype())?;
    list.loss(&scores, &taught)
}

impl Objective for EmbeddingTask<'_> {
    fn variables(&self) -> BTreeMap<String, Var> {
        self.network.parameters().variables()
    }

    fn examples(&self) -> usize {
        self.training.len()
    }

    fn step(&self, members: &[usize], gradients: &mut Gradients) -> Result<StepOutcome> {
        let batch: Vec<&Tokens> = members.iter().filter_map(|at| self.training.get(*at)).collect();
        let sequences = sequences(&batch);
        let encoded = Encoded::new(self.network, &sequences, self.options.division())?;
        let (upstream, loss) = self.loss(&encoded.hidden, &batch)?;
        encoded.backward(self.network, &upstream, gradients)?;
        Ok(StepOutcome { loss, tokens: sequences.iter().map(|sequence| sequence.len()).sum() })
    }

    /// Each held-out query against all held-out documents and negatives, by cosine.
    fn evaluate(&self) -> Result<BTreeMap<String, f64>> {
        if self.held_out.is_empty() {
            return Ok(BTreeMap::new());
        }
        let batch: Vec<&Tokens> = self.held_out.iter().collect();
        let sequences = sequences(&batch);
        let division = Division { kept: 0, ..self.options.division() };
        let hidden = unit_rows(&Encoded::new(self.network, &sequences, division)?.hidden)?;
        let count = batch.len();
        let documents = hidden.narrow(0, count, sequences.len() - count)?;
        let scores = hidden.narrow(0, 0, count)?.matmul(&documents.t()?)?;
        let scores: Vec<Vec<f32>> = scores.to_dtype(candle_core::DType::F32)?.to_vec2()?;
        // The same document may stand several times among the candidates, and counts once.
        let mut first: HashMap<&[u32], usize> = HashMap::new();
        let candidates: Vec<&[u32]> = sequences.iter().skip(count).copied().collect();
        for (at, ids) in candidates.iter().enumerate() {
            first.entry(ids).or_insert(at);
        }
        let ranks: Vec<usize> = (0..count)
            .map(|query| {
                let own = scores[query][query];
                let beats = |(at, score): &(usize, &f32)| {
                    first[candidates[*at]] == *at && candidates[*at] != candidates[query] && **score >= own
                };
                scores[query].iter().enumerate().filter(beats).count()
            })
            .collect();
        let share = |value: &dyn Fn(usize) -> f64| ranks.iter().map(|rank| value(*rank)).sum::<f64>() / count as f64;
        let gain = |rank: usize| if rank < CUTOFF { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 };
        Ok(BTreeMap::from([
            (SCORE.to_owned(), share(&gain)),
            ("recall@1".to_owned(), share(&|rank| f64::from(u8::from(rank == 0)))),
            ("recall@10".to_owned(), share(&|rank| f64::from(u8::from(rank < CUTOFF)))),
        ]))
    }
}

/// Queries, then positives, then all negatives.
fn sequences<'b>(batch: &[&'b Tokens]) -> Vec<&'b [u32]> {
    let queries = batch.iter().map(|tokens| tokens.query.as_slice());
    let positives = batch.iter().map(|tokens| tokens.positive.as_slice());
    let negatives = batch.iter().flat_map(|tokens| tokens.negatives.iter().map(Vec::as_slice));
    queries.chain(positives).chain(negatives).collect()
}

impl EmbeddingOptions {
    fn division(&self) -> Division {
        Division { part: self.part_tokens, kept: self.kept_tokens }
    }
}

/// Texts to ids, as the model will see them in use.
struct ExampleEncoder<'o> {
    encoder: EmbedEncoder,
    options: &'o EmbeddingOptions,
}

impl ExampleEncoder<'_> {
    fn read(&self, examples: &[Example]) -> Result<Vec<Tokens>> {
        let query = |example: &Example| self.encoder.query(&example.query, None);
        let queries: Vec<_> = examples.par_iter().map(query).collect::<qwen3::Result<_>>()?;
        let positives: Vec<&str> = examples.iter().map(|example| example.response.as_str()).collect();
        let positives = self.encoder.documents(&positives)?;
        let taken = |example: &Example| example.rejected_response.len().min(self.options.negatives);
        let negatives: Vec<&str> = examples
            .iter()
            .flat_map(|example| example.rejected_response.iter().take(taken(example)).map(String::as_str))
            .collect();
        let mut negatives = self.encoder.documents(&negatives)?.into_iter();
        let tokens = examples.iter().zip(queries).zip(positives).map(|((example, query), positive)| Tokens {
            query,
            positive,
            negatives: negatives.by_ref().take(taken(example)).collect(),
            identity: identity(&example.response),
            scores: example.scores.iter().take(1 + taken(example)).copied().collect(),
            taught: None,
        });
        Ok(tokens.collect())
    }
}
