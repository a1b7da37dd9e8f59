//! The reranker: how well a document answers a query, as the model's probability of "yes" against "no". Only two rows
//! of the output matrix are needed, and only their difference. All candidates of a query begin alike (system text,
//! instruction, query): that beginning runs through the model once.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    config::ModelConfig,
    device::DeviceChoice,
    error::{Error, Result},
    files::ModelFiles,
    model::{Model, Precision, Prefix},
    prompt::RerankPrompt,
    tokenizer::{Overlong, Tokenizer},
};

/// Longest prompt the models were trained for.
const MAX_TOKENS: usize = 8192;
/// Room for a document that must remain at the least, in tokens.
const LEAST_ROOM: usize = 16;
/// Prefixes that are kept, for queries whose candidates come in steps.
const PREFIXES: usize = 4;
/// Longer prefixes are not kept: their keys and values take too much memory (0.2 MB a token for the 0.6B model).
const PREFIX_TOKENS: usize = 512;
/// A kept prefix serves although the sequences have this many more tokens in common, as their first words may.
const PREFIX_SLACK: usize = 16;

/// How to open a reranker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RerankerOptions {
    /// How weights are kept in memory.
    pub precision: Precision,
    /// Which processor computes.
    pub device: DeviceChoice,
    /// Cut prompts to this many tokens; 8192 or the model's limit by default.
    pub max_tokens: Option<usize>,
    /// Templates and the default instruction.
    pub prompt: RerankPrompt,
}

/// A reranking model. Synchronous and `&self`; [`RerankHandle`](crate::RerankHandle) puts a thread before it.
pub struct Reranker {
    model: Model,
    answer: Answer,
    encoder: RerankEncoder,
    prefixes: Prefixes,
}

/// The text side of a reranker: query and documents to the ids the model reads. Cheap to clone.
#[derive(Clone)]
pub struct RerankEncoder {
    tokenizer: Tokenizer,
    prompt: RerankPrompt,
    head: Arc<[u32]>,
    tail: Arc<[u32]>,
    max_tokens: usize,
}

/// What turns a hidden state into a score: the "yes" row of the output matrix minus the "no" row, in f32.
pub struct Answer {
    direction: Vec<f32>,
}

/// The latest prefixes and their ids, newest last.
#[derive(Default)]
struct Prefixes {
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    ids: Box<[u32]>,
    prefix: Arc<Prefix>,
}

impl Prefixes {
    /// A kept prefix that all sequences begin with, unless it falls much short of what they have in common.
    fn find(&self, sequences: &[&[u32]], common: usize) -> Option<Arc<Prefix>> {
        let is_shared = |ids: &[u32]| {
            ids.len() + PREFIX_SLACK >= common && sequences.iter().all(|s| s.len() > ids.len() && s.starts_with(ids))
        };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().find(|kept| is_shared(&kept.ids)).map(|kept| Arc::clone(&kept.prefix))
    }

    fn keep(&self, ids: &[u32], prefix: &Arc<Prefix>) {
        if ids.is_empty() || ids.len() > PREFIX_TOKENS {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == PREFIXES {
            kept.pop_front();
        }
        kept.push_back(Kept { ids: ids.into(), prefix: Arc::clone(prefix) });
    }
}

impl Answer {
    /// Reads the two rows of a model.
    ///
    /// # Errors
    /// [`Error::TokenId`]; [`Error::MissingTensor`] when an untied model has no output matrix.
    pub fn of(model: &Model, yes: u32, no: u32) -> Result<Self> {
        let (yes, no) = (model.output_row(yes)?, model.output_row(no)?);
        Ok(Self { direction: yes.iter().zip(&no).map(|(yes, no)| yes - no).collect() })
    }

    /// Logit of yes minus logit of no, for a hidden state after the final norm.
    fn margin(&self, hidden: &[f32]) -> f32 {
        self.direction.iter().zip(hidden).map(|(w, x)| w * x).sum()
    }
}

impl Reranker {
    /// Opens a model.
    ///
    /// # Errors
    /// Whatever is wrong with the files, by name; [`Error::MissingToken`] without "yes" and "no";
    /// [`Error::Prompt`] when the prompt leaves no room for a document.
    pub fn open(files: &ModelFiles, options: RerankerOptions) -> Result<Self> {
        let RerankerOptions { precision, device, max_tokens, prompt } = options;
        prompt.check()?;
        let (model, tokenizer) = rayon::join(|| Model::open_on(files, precision, device), || Tokenizer::parse(files));
        let (model, tokenizer) = (model?, tokenizer?);
        tokenizer.check_vocabulary(model.config().qwen.vocab_size)?;
        let answer = Answer::of(&model, tokenizer.token_id("yes")?, tokenizer.token_id("no")?)?;
        let max_tokens = max_tokens.unwrap_or(MAX_TOKENS).min(model.max_tokens());
        let encoder = RerankEncoder::new(tokenizer, prompt, max_tokens)?;
        Ok(Self { model, answer, encoder, prefixes: Prefixes::default() })
    }

    /// Longest prompt in tokens; documents are cut to fit.
    pub fn max_tokens(&self) -> usize {
        self.encoder.max_tokens
    }

    /// How the weights are kept: never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.model.precision()
    }

    /// The processor that computes: never [`DeviceChoice::Auto`].
    pub fn device(&self) -> DeviceChoice {
        self.model.device()
    }

    /// Text to ids.
    pub fn encoder(&self) -> &RerankEncoder {
        &self.encoder
    }

    /// The part that all sequences begin with, computed once and kept for the next call with the same query: further
    /// candidates, taken in steps, find it ready.
    ///
    /// # Errors
    /// As [`Model::prefix`].
    pub fn shared_prefix(&self, sequences: &[&[u32]]) -> Result<Arc<Prefix>> {
        let common = common_beginning(sequences);
        if let Some(known) = self.prefixes.find(sequences, common.len()) {
            return Ok(known);
        }
        let prefix = Arc::new(self.model.prefix(common)?);
        self.prefixes.keep(common, &prefix);
        Ok(prefix)
    }

    /// Scores between 0 and 1 of whole prompts in one packed batch, each beginning with the tokens of `prefix`.
    ///
    /// # Errors
    /// [`Error::TokenId`], [`Error::Length`], [`Error::NonFinite`].
    pub fn score_ids(&self, sequences: &[&[u32]], prefix: &Prefix) -> Result<Vec<f32>> {
        score_ids(&self.model, &self.answer, sequences, prefix)
    }
}

impl RerankEncoder {
    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The text side of a model by itself: nothing is read of the weights.
    ///
    /// # Errors
    /// What is wrong with the tokenizer; [`Error::Prompt`] where `max_tokens` leave no room for a document.
    pub fn open(files: &ModelFiles, prompt: RerankPrompt, max_tokens: usize) -> Result<Self> {
        Self::new(Tokenizer::open(files, &ModelConfig::of(files)?)?, prompt, max_tokens)
    }

    pub(crate) fn new(tokenizer: Tokenizer, prompt: RerankPrompt, max_tokens: usize) -> Result<Self> {
        let head: Arc<[u32]> = tokenizer.encode_template(&prompt.head)?.into();
        let tail: Arc<[u32]> = tokenizer.encode_template(&prompt.tail)?.into();
        let frame = tokenizer.count(&prompt.body("", None, ""))?;
        // Query and instruction may each take a quarter of the room: half of it stays for the document.
        let needed = head.len() + tail.len() + 2 * (frame + LEAST_ROOM);
        if needed > max_tokens {
            let reason =
                format!("a limit of {max_tokens} tokens leaves no room for a document; expected {needed} at least");
            return Err(Error::Prompt(reason));
        }
        Ok(Self { tokenizer, prompt, head, tail, max_tokens })
    }

    /// Ids of the whole prompt of each document, on all cores. Only documents are cut, at their end; and queries or
    /// instructions that would fill more than a quarter of the room.
    ///
    /// # Errors
    /// [`Error::Tokenize`].
    pub fn prompts<T>(&self, query: &str, instruction: Option<&str>, documents: &[T]) -> Result<Vec<Vec<u32>>>
    where
        T: AsRef<str> + Sync,
    {
        self.prompts_as(query, instruction, documents, Overlong::CutEnd)
    }

    /// [`RerankEncoder::prompts`] with a choice of what becomes of a document, query or instruction that is too long.
    ///
    /// # Errors
    /// [`Error::Tokenize`], [`Error::TooLong`].
    pub fn prompts_as<T>(
        &self,
        query: &str,
        instruction: Option<&str>,
        documents: &[T],
        overlong: Overlong,
    ) -> Result<Vec<Vec<u32>>>
    where
        T: AsRef<str> + Sync,
    {
        let room = self.max_tokens - self.head.len() - self.tail.len();
        let query = self.cut(query, room / 4, overlong)?;
        let instruction = instruction.map(|instruction| self.cut(instruction, room / 4, overlong)).transpose()?;
        let encode = |document: &str| self.tokenizer.encode(&self.prompt.body(query, instruction, document));
        let prompt = |(index, document): (usize, &T)| {
            let document = document.as_ref();
            let mut body = encode(document)?;
            let surplus = body.len().saturating_sub(room);
            match overlong {
                Overlong::Refuse if surplus > 0 => {
                    let tokens = self.max_tokens + surplus;
                    return Err(Error::TooLong { text: Some(index), tokens, limit: self.max_tokens });
                }
                Overlong::CutStart if surplus > 0 => {
                    let kept = self.tokenizer.count(document)?.saturating_sub(surplus);
                    body = encode(self.tokenizer.cut_start(document, kept)?)?;
                }
                _ => {}
            }
            body.truncate(room);
            Ok([&self.head, body.as_slice(), &self.tail].concat())
        };
        documents.par_iter().enumerate().map(prompt).collect()
    }

    fn cut<'t>(&self, text: &'t str, limit: usize, overlong: Overlong) -> Result<&'t str> {
        // A token is at least a byte: most texts need no counting.
        if text.len() <= limit {
            return Ok(text);
        }
        match overlong {
            Overlong::CutEnd => self.tokenizer.cut(text, limit),
            Overlong::CutStart => self.tokenizer.cut_start(text, limit),
            Overlong::Refuse => match self.tokenizer.count(text)? {
                tokens if tokens > limit => Err(Error::TooLong { text: None, tokens, limit }),
                _ => Ok(text),
            },
        }
    }
}

/// The part that all sequences begin with, computed once; [`Prefix::EMPTY`] where nothing is gained. For callers that
/// have ids and no tokenizer.
///
/// # Errors
/// As [`Model::prefix`].
pub fn shared_prefix(model: &Model, sequences: &[&[u32]]) -> Result<Prefix> {
    model.prefix(common_beginning(sequences))
}

/// Scores of whole sequences straight from a [`Model`], for callers that have ids and no tokenizer.
///
/// # Errors
/// As [`Reranker::score_ids`].
pub fn score_ids(model: &Model, answer: &Answer, sequences: &[&[u32]], prefix: &Prefix) -> Result<Vec<f32>> {
    let rest: Vec<&[u32]> = sequences.iter().map(|ids| ids.get(prefix.tokens()..).unwrap_or_default()).collect();
    let score = |(hidden, sequence): (Vec<f32>, &&[u32])| {
        let score = 1.0 / (1.0 + (-answer.margin(&hidden)).exp());
        if score.is_nan() {
            return Err(Error::NonFinite { what: "score", tokens: sequence.len() });
        }
        Ok(score)
    };
    model.last_hidden(&rest, prefix)?.into_iter().zip(sequences).map(score).collect()
}

/// Shared first ids of two or more sequences, at least one id short of each: a sequence keeps a token of its own.
fn common_beginning<'s>(sequences: &[&'s [u32]]) -> &'s [u32] {
    let [first, others @ ..] = sequences else { return &[] };
    let mut length = if others.is_empty() { 0 } else { first.len().saturating_sub(1) };
    for other in others {
        let same = first.iter().zip(&other[..other.len().saturating_sub(1)]).take_while(|(a, b)| a == b).count();
        length = length.min(same);
    }
    &first[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_leave_a_token_to_each() {
        assert_eq!(common_beginning(&[&[1, 2, 3, 4], &[1, 2, 5]]), &[1, 2]);
        assert_eq!(common_beginning(&[&[1, 2], &[1, 2], &[1, 2, 3]]), &[1]);
        assert_eq!(common_beginning(&[&[1, 2, 3], &[1]]), &[] as &[u32]);
        assert_eq!(common_beginning(&[&[1, 2, 3]]), &[] as &[u32]);
        assert_eq!(common_beginning(&[]), &[] as &[u32]);
    }
}
