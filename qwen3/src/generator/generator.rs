//! A model that writes: everything that is read of it once, and checked before the first text is asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{chat::ChatForm, chat_files::Defaults, predictor::Predictor, prefixes::MOST_TOKENS, spelling::Spellings};
use crate::{
    config::{Family, ModelConfig},
    device::DeviceChoice,
    error::{Error, Result},
    files::{ModelFiles, WeightFiles},
    model::Precision,
    tokenizer::Tokenizer,
};

/// Longest text, prompt included, unless said otherwise: keys and values take memory (0.2 MB a token for the 0.6B model).
const CONTEXT_TOKENS: usize = 8192;
/// What all texts that are written at once may take together, in contexts.
const CONTEXTS: usize = 2;
/// The embedding side of the family, by its config.json.
const BARE: &str = "Qwen3Model";
/// `enum llama_pooling_type`: 0 is none.
const POOLING: &str = "qwen3.pooling_type";

/// How to open a writer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratorOptions {
    /// How weights are kept in memory.
    pub precision: Precision,
    /// Which processor computes.
    pub device: DeviceChoice,
    /// Longest text in tokens, prompt and answer together; 8192 or the model's limit by default.
    pub context_tokens: Option<usize>,
    /// Tokens of all texts that are written at once; twice the context by default. What does not fit waits.
    pub memory_tokens: Option<usize>,
}

/// A causal Qwen3 model that writes. [`GenerateHandle`](super::GenerateHandle) puts a thread before it.
pub struct Generator {
    pub(super) predictor: Predictor,
    pub(super) form: Arc<ChatForm>,
    pub(super) tokenizer: Tokenizer,
    pub(super) spellings: Arc<Spellings>,
    pub(super) defaults: Defaults,
    pub(super) context_tokens: usize,
    pub(super) memory_tokens: usize,
}

impl Generator {
    /// Opens a model.
    ///
    /// # Errors
    /// Whatever is wrong with the files, by name; [`Error::NoWriter`] for a model that embeds or reranks, as far as its
    /// files tell, and for one that was not trained to chat in Qwen3's form.
    pub fn open(files: &ModelFiles, options: GeneratorOptions) -> Result<Self> {
        let GeneratorOptions { precision, device, context_tokens, memory_tokens } = options;
        let tokenizer = Tokenizer::parse(files)?;
        check_purpose(files, &tokenizer)?;
        let form = ChatForm::open(tokenizer.clone(), files.chat())?;
        let (predictor, spellings) =
            rayon::join(|| Predictor::open(files, precision, device), || Spellings::of(&tokenizer));
        let (predictor, spellings) = (predictor?, Arc::new(spellings?));
        let vocab_size = predictor.model().config().qwen.vocab_size;
        tokenizer.check_vocabulary(vocab_size)?;
        let mut defaults = files.chat().defaults(files.config())?;
        if !defaults.ends.contains(&form.end()) {
            defaults.ends.push(form.end());
        }
        let context_tokens = context_tokens.unwrap_or(CONTEXT_TOKENS).min(predictor.model().max_tokens()).max(1);
        let memory_tokens = memory_tokens.unwrap_or(CONTEXTS * context_tokens).max(context_tokens);
        Ok(Self { predictor, form: Arc::new(form), tokenizer, spellings, defaults, context_tokens, memory_tokens })
    }

    /// Bytes that keys and values take at the most: of texts that are all as long as they may be, and of the beginnings
    /// that are kept.
    pub fn memory_bytes(&self) -> usize {
        (self.memory_tokens + MOST_TOKENS) * self.predictor.memory_per_token()
    }
}

/// Refuses models that were made for something else, as far as their files tell. A reranker's do not, unless it is a
/// GGUF for ranking: its weights are those of a writer.
fn check_purpose(files: &ModelFiles, tokenizer: &Tokenizer) -> Result<()> {
    let no_writer =
        |reason: &str| Err(Error::NoWriter { origin: files.origin().to_owned(), reason: reason.to_owned() });
    if files.family()? == Family::Bert {
        return no_writer("it is a BERT, which embeds; expected a Qwen3 model that was trained to chat");
    }
    let config = ModelConfig::of(files)?;
    if config.architecture.as_deref() == Some(BARE) || pools(files)? || tokenizer.puts_around()? {
        return no_writer("it is an embedding or reranking model by its files; expected one that was trained to chat");
    }
    Ok(())
}

/// Whether a GGUF says that its hidden states are pooled: a vector or a rank comes out, not a text.
fn pools(files: &ModelFiles) -> Result<bool> {
    let WeightFiles::Gguf(gguf) = files.weights() else { return Ok(false) };
    let pooling = gguf.metadata.unsigned(POOLING).map_err(|reason| gguf.bad(reason))?;
    Ok(pooling.is_some_and(|kind| kind > 0))
}
