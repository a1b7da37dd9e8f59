//! The callers' side of the writer's thread.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    thread,
};

use crossbeam_channel::{Sender, TrySendError, bounded, unbounded};
use serde::{Deserialize, Serialize};

use super::{
    chat::ChatForm,
    chat_files::Defaults,
    generator::Generator,
    repetition::Repetition,
    request::{GenerateRequest, Reply, Writing},
    sampling::Sampling,
    sequence::Sequence,
    spelling::Spellings,
    text::TextStream,
    thread::Worker,
};
use crate::{
    device::DeviceChoice,
    error::{Error, Result},
    model::Precision,
    tokenizer::Tokenizer,
    worker::{Meter, WorkerStats},
};

/// How a writer's thread takes its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriterOptions {
    /// Texts that may wait; more are refused at once.
    pub queue: usize,
    /// Texts that are written at the same time.
    pub at_once: usize,
    /// Most tokens of one pass of the model: how much of a prompt is read between two tokens of other texts.
    pub step_tokens: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { queue: 32, at_once: 8, step_tokens: 256 }
    }
}

/// A handle to a writer's thread: cheap to clone. The thread ends with the last handle, once what was asked for is
/// written.
#[derive(Clone)]
pub struct GenerateHandle {
    inbox: Sender<Sequence>,
    facts: Arc<Facts>,
    meter: Arc<Meter>,
}

struct Facts {
    form: Arc<ChatForm>,
    tokenizer: Tokenizer,
    spellings: Arc<Spellings>,
    defaults: Defaults,
    context_tokens: usize,
    memory_bytes: usize,
    precision: Precision,
    device: DeviceChoice,
}

impl GenerateHandle {
    /// Gives the model a thread of its own.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(generator: Generator, options: &WriterOptions) -> Result<Self> {
        let facts = Facts {
            form: Arc::clone(&generator.form),
            tokenizer: generator.tokenizer.clone(),
            spellings: Arc::clone(&generator.spellings),
            defaults: generator.defaults.clone(),
            context_tokens: generator.context_tokens,
            memory_bytes: generator.memory_bytes(),
            precision: generator.predictor.model().precision(),
            device: generator.predictor.model().device(),
        };
        tracing::info!(bytes = facts.memory_bytes, "texts may take this much memory while they are written");
        let (inbox, requests) = bounded(options.queue.max(1));
        let meter = Arc::new(Meter::new());
        let worker = Worker::new(generator, requests, options.clone(), Arc::clone(&meter));
        thread::Builder::new().name("qwen3-write".to_owned()).spawn(move || worker.run()).map_err(Error::Thread)?;
        Ok(Self { inbox, facts: Arc::new(facts), meter })
    }

    /// Begins to write. Never waits for the model.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full; [`Error::TooLong`] for a chat that leaves no room for an answer;
    /// [`Error::Prompt`] for one without messages, and for impossible wishes; [`Error::Tokenize`], [`Error::Closed`].
    pub fn begin(&self, request: GenerateRequest) -> Result<Writing> {
        let facts = &self.facts;
        let sampling = request.sampling.over(facts.defaults.sampling);
        if let Some(problem) = sampling.problem() {
            return Err(Error::Prompt(problem));
        }
        if request.max_tokens == Some(0) {
            return Err(Error::Prompt("expected at least 1 token to write, got 0".to_owned()));
        }
        let prompt = facts.form.prompt(&request.messages, request.thinking)?;
        let (prompt_tokens, limit) = (prompt.ids.len(), facts.context_tokens);
        if prompt_tokens >= limit {
            return Err(Error::TooLong { text: Some(0), tokens: prompt_tokens, limit: limit - 1 });
        }
        let caller = Arc::new(());
        // Bounded by the tokens of the text.
        let (reply, pieces) = unbounded();
        let sequence = Sequence {
            ids: prompt.ids,
            prompt_tokens,
            shared: prompt.shared,
            known_tokens: 0,
            most_tokens: request.max_tokens.unwrap_or(limit).min(limit - prompt_tokens),
            ends: facts.defaults.ends.clone(),
            sampling,
            seed: request.seed.unwrap_or_else(random_seed),
            mask: request.mask,
            text: TextStream::new(Arc::clone(&facts.spellings), prompt.thought, request.stop),
            repetition: Repetition::new(),
            reply: Reply { pieces: reply, told: request.told },
            caller: Arc::downgrade(&caller),
        };
        self.inbox.try_send(sequence).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy { waiting: self.inbox.len() },
            TrySendError::Disconnected(_) => Error::Closed,
        })?;
        Ok(Writing { pieces, prompt_tokens, is_over: false, _caller: caller })
    }

    /// Tokens of a chat as the model would read it.
    ///
    /// # Errors
    /// As [`GenerateHandle::begin`].
    pub fn count(&self, request: &GenerateRequest) -> Result<usize> {
        Ok(self.facts.form.prompt(&request.messages, request.thinking)?.ids.len())
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.facts.tokenizer
    }

    /// What each token stands for.
    pub fn spellings(&self) -> &Spellings {
        &self.facts.spellings
    }

    /// Tokens that end a text, for a [`TokenMask`](super::TokenMask).
    pub fn ends(&self) -> &[u32] {
        &self.facts.defaults.ends
    }

    /// How tokens are chosen unless a request says otherwise.
    pub fn sampling(&self) -> Sampling {
        self.facts.defaults.sampling
    }

    /// Longest text in tokens, prompt and answer together.
    pub fn context_tokens(&self) -> usize {
        self.facts.context_tokens
    }

    /// Bytes that texts may take while they are written, all together.
    pub fn memory_bytes(&self) -> usize {
        self.facts.memory_bytes
    }

    /// How the weights are kept: never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.facts.precision
    }

    /// The processor that computes: never [`DeviceChoice::Auto`].
    pub fn device(&self) -> DeviceChoice {
        self.facts.device
    }

    /// What the thread has done, and what waits for it.
    pub fn stats(&self) -> WorkerStats {
        WorkerStats { waiting_bulk: self.inbox.len(), ..self.meter.read() }
    }
}

fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
