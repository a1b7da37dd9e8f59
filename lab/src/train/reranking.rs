//! Teaching a reranker: "yes" for the document that answers, "no" for the others (SFT, as the report does), or lists as
//! a teacher scores them.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use qwen3::{ModelFiles, RerankEncoder, RerankPrompt};
use serde::{Deserialize, Serialize};

use super::{
    encoded::{Division, Encoded},
    example::Example,
    gradients::Gradients,
    loss::answer_loss,
    network::Network,
    objective::{ListLoss, Objective, SCORE, StepOutcome, finite, identity},
    parameters::{HEAD, TABLE},
};
use crate::error::{Error, Result};

/// How a reranker is taught.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RerankingOptions {
    /// Most negatives of an example; an example without any gets one from its neighbour in the file.
    pub negatives: usize,
    /// Prompts are cut to this many tokens.
    pub max_tokens: usize,
    /// How much the answers count.
    pub answers: f64,
    /// Learn lists from the scores that examples carry, and how much that counts.
    pub lists: Option<(ListLoss, f64)>,
    /// Most tokens computed at a time.
    pub part_tokens: usize,
    /// Larger batches than this many tokens are computed twice instead of kept.
    pub kept_tokens: usize,
}

impl Default for RerankingOptions {
    fn default() -> Self {
        Self { negatives: 7, max_tokens: 1024, answers: 1.0, lists: None, part_tokens: 8192, kept_tokens: 65_536 }
    }
}

/// The task.
pub struct RerankingTask<'n> {
    network: &'n Network<'n>,
    options: RerankingOptions,
    training: Vec<List>,
    held_out: Vec<List>,
    /// The matrix that answers are read from, and its rows of "yes" and "no".
    matrix: &'static str,
    answers: [u32; 2],
}

/// Prompts of a query with its candidates, the right one first.
struct List {
    prompts: Vec<Vec<u32>>,
    scores: Vec<f64>,
}

impl<'n> RerankingTask<'n> {
    /// Reads texts into prompts.
    ///
    /// # Errors
    /// [`Error::Training`] without examples or negatives; [`qwen3::Error::MissingToken`] for a tokenizer without "yes" and "no".
    pub fn new(
        files: &ModelFiles,
        network: &'n Network<'n>,
        training: &[Example],
        held_out: &[Example],
        options: RerankingOptions,
    ) -> Result<Self> {
        if training.is_empty() {
            return Err(Error::Training("there are no examples to learn from".to_owned()));
        }
        let parameters = network.parameters();
        let limit = options.max_tokens.min(parameters.config().qwen.max_position_embeddings);
        let encoder = RerankEncoder::open(files, RerankPrompt::default(), limit)?;
        let answers = [encoder.tokenizer().token_id("yes")?, encoder.tokenizer().token_id("no")?];
        let matrix = if parameters.config().qwen.tie_word_embeddings { TABLE } else { HEAD };
        let (training, held_out) = (lists(&encoder, training, &options)?, lists(&encoder, held_out, &options)?);
        Ok(Self { network, options, training, held_out, matrix, answers })
    }

    /// Logit of yes minus logit of no, `[prompts]`.
    fn margins(&self, hidden: &Tensor, rows: &Tensor) -> Result<Tensor> {
        let direction = (rows.narrow(0, 0, 1)? - rows.narrow(0, 1, 1)?)?;
        Ok(hidden.matmul(&direction.t()?)?.squeeze(1)?)
    }

    fn loss(&self, margins: &Tensor, batch: &[&List]) -> Result<Tensor> {
        let labels: Vec<bool> = batch.iter().flat_map(|list| (0..list.prompts.len()).map(|at| at == 0)).collect();
        let loss = (answer_loss(margins, &labels)? * self.options.answers)?;
        let Some((list_loss, weight)) = self.options.lists else { return Ok(loss) };
        Ok((loss + (lists_loss(list_loss, margins, batch)? * weight)?)?)
    }
}

/// The loss over the lists that carry a teacher's scores; 0 where none does.
fn lists_loss(list_loss: ListLoss, margins: &Tensor, batch: &[&List]) -> Result<Tensor> {
    let longest = batch.iter().map(|list| list.scores.len()).max().unwrap_or(0);
    if longest < 2 {
        return Ok(Tensor::zeros((), margins.dtype(), margins.device())?);
    }
    let (mut places, mut taught, mut lists, mut next) = (Vec::new(), Vec::new(), 0, 0u32);
    for list in batch {
        let candidates = (next..).take(list.scores.len());
        next += list.prompts.len() as u32;
        if list.scores.len() < 2 {
            continue;
        }
        lists += 1;
        places.extend(candidates);
        taught.extend_from_slice(&list.scores);
        places.resize(lists * longest, 0);
        taught.resize(lists * longest, f64::NEG_INFINITY);
    }
    let device = margins.device();
    let scores = margins.index_select(&Tensor::new(places, device)?, 0)?.reshape((lists, longest))?;
    let taught = Tensor::from_vec(taught, (lists, longest), device)?.to_dtype(scores.dtype())?;
    list_loss.loss(&scores, &taught)
}

impl Objective for RerankingTask<'_> {
    fn variables(&self) -> BTreeMap<String, Var> {
        self.network.parameters().variables()
    }

    fn examples(&self) -> usize {
        self.training.len()
    }

    fn step(&self, members: &[usize], gradients: &mut Gradients) -> Result<StepOutcome> {
        let batch: Vec<&List> = members.iter().filter_map(|at| self.training.get(*at)).collect();
        let sequences = sequences(&batch);
        let encoded = Encoded::new(self.network, &sequences, self.options.division())?;
        let leaf = Var::from_tensor(&encoded.hidden)?;
        let (rows, is_trained) = self.network.parameters().rows(self.matrix, &self.answers)?;
        let loss = self.loss(&self.margins(&leaf, &rows)?, &batch)?;
        let value = finite(&loss)?;
        let store = loss.backward()?;
        if let Some(gradient) = store.get(&rows).filter(|_| is_trained) {
            gradients.add_rows(self.matrix, &self.answers, gradient)?;
        }
        let upstream = store.get(&leaf).cloned().map_or_else(|| leaf.zeros_like(), Ok)?;
        encoded.backward(self.network, &upstream, gradients)?;
        Ok(StepOutcome { loss: value, tokens: sequences.iter().map(|sequence| sequence.len()).sum() })
    }

    fn evaluate(&self) -> Result<BTreeMap<String, f64>> {
        if self.held_out.is_empty() {
            return Ok(BTreeMap::new());
        }
        let batch: Vec<&List> = self.held_out.iter().collect();
        let division = Division { kept: 0, ..self.options.division() };
        let hidden = Encoded::new(self.network, &sequences(&batch), division)?.hidden;
        let (rows, _) = self.network.parameters().rows(self.matrix, &self.answers)?;
        let margins = self.margins(&hidden, rows.as_tensor())?.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
        let (mut right, mut first, mut at) = (0usize, 0usize, 0);
        for list in &batch {
            let (own, others) = (margins[at], &margins[at + 1..at + list.prompts.len()]);
            right += usize::from(own > 0.0) + others.iter().filter(|other| **other <= 0.0).count();
            first += usize::from(others.iter().all(|other| *other < own));
            at += list.prompts.len();
        }
        Ok(BTreeMap::from([
            (SCORE.to_owned(), first as f64 / batch.len() as f64),
            ("answers".to_owned(), right as f64 / margins.len() as f64),
        ]))
    }
}

fn sequences<'b>(batch: &[&'b List]) -> Vec<&'b [u32]> {
    batch.iter().flat_map(|list| list.prompts.iter().map(Vec::as_slice)).collect()
}

fn lists(encoder: &RerankEncoder, examples: &[Example], options: &RerankingOptions) -> Result<Vec<List>> {
    let mut lists = Vec::with_capacity(examples.len());
    for (index, example) in examples.iter().enumerate() {
        let taken = example.rejected_response.len().min(options.negatives);
        let mut texts = vec![example.response.as_str()];
        texts.extend(example.rejected_response.iter().take(taken).map(String::as_str));
        if texts.len() == 1 {
            texts.extend(neighbour(examples, index));
        }
        let prompts = encoder.prompts(&example.query, None, &texts)?;
        lists.push(List { prompts, scores: example.scores.iter().take(1 + taken).copied().collect() });
    }
    if lists.iter().all(|list| list.prompts.len() == 1) && !lists.is_empty() {
        let reason = "no example has a rejected response, and there is no other response to take: expected negatives, as \
                      `quarry train mine` adds them";
        return Err(Error::Training(reason.to_owned()));
    }
    Ok(lists)
}

/// The response of the next example that is another text.
fn neighbour(examples: &[Example], index: usize) -> Option<&str> {
    let own = identity(&examples[index].response);
    let after = (1..examples.len()).map(|by| examples[(index + by) % examples.len()].response.as_str());
    after.take(100).find(|response| identity(response) != own)
}

impl RerankingOptions {
    fn division(&self) -> Division {
        Division { part: self.part_tokens, kept: self.kept_tokens }
    }
}
