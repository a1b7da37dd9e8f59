//! The one error type of this crate. A message says which file, tensor or text is wrong, what was expected, and what
//! to do; a caller that shows it verbatim has told the user enough.

use std::{io, path::PathBuf, time::Duration};

/// Everything that can go wrong between a model folder and a vector or a score.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that a model needs is not there.
    #[error("{file} is missing in the model folder {folder}: {hint}")]
    MissingFile {
        /// The model folder.
        folder: PathBuf,
        /// The file's name.
        file: String,
        /// What to put there.
        hint: String,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file was read and does not make sense.
    #[error("{file} is not usable: {reason}")]
    BadFile {
        /// The file's path or name.
        file: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The config asks for something this crate does not compute.
    #[error(
        "{file}: {field} must be {expected}, got {got}: supported are Qwen3 embedding, reranking and writing models, and BERT embedding models"
    )]
    Unsupported {
        /// The config file, or the GGUF whose metadata hold the config.
        file: String,
        /// The field in question.
        field: String,
        /// What would work.
        expected: String,
        /// What was found.
        got: String,
    },
    /// The weights lack a tensor that the config implies.
    #[error(
        "tensor {tensor} is missing in the weights of {origin}: the config and the weights belong to different models, or the weights are incomplete"
    )]
    MissingTensor {
        /// The model's folder or name.
        origin: String,
        /// The tensor's full name.
        tensor: String,
    },
    /// The weights hold a tensor that the config does not account for.
    #[error(
        "unexpected tensor {tensor} in the weights of {origin}: the config describes a smaller or a different model"
    )]
    UnexpectedTensor {
        /// The model's folder or name.
        origin: String,
        /// The tensor's full name.
        tensor: String,
    },
    /// A tensor has another shape than the config implies.
    #[error("tensor {tensor} of {origin}: expected shape {expected:?} from the config, got {got:?}")]
    Shape {
        /// The model's folder or name.
        origin: String,
        /// The tensor's full name.
        tensor: String,
        /// Shape implied by the config.
        expected: Vec<usize>,
        /// Shape in the file.
        got: Vec<usize>,
    },
    /// A tensor is stored in a format this crate does not read.
    #[error("tensor {tensor} of {origin} is stored as {got}: expected {expected}")]
    Dtype {
        /// The model's folder or name.
        origin: String,
        /// The tensor's full name.
        tensor: String,
        /// The type in the file.
        got: String,
        /// The types that are read here.
        expected: &'static str,
    },
    /// The tokenizer knows ids that the model has no row for.
    #[error(
        "the tokenizer of {origin} has token id {id}, but the model's vocab_size is {vocab_size}: the tokenizer and the weights belong to different models"
    )]
    Vocabulary {
        /// The model's folder or name.
        origin: String,
        /// The largest id of the tokenizer.
        id: u32,
        /// Rows of the model's embedding matrix.
        vocab_size: usize,
    },
    /// A token that the model's prompts need is not in the tokenizer.
    #[error("the tokenizer of {origin} has no token {token:?}: is tokenizer.json the one of this model?")]
    MissingToken {
        /// The model's folder or name.
        origin: String,
        /// The token's text.
        token: String,
    },
    /// A token id handed to the model is outside its vocabulary.
    #[error("token id {id} is out of range: the model's vocab_size is {vocab_size}")]
    TokenId {
        /// The offending id.
        id: u32,
        /// Rows of the model's embedding matrix.
        vocab_size: usize,
    },
    /// A sequence is empty or longer than the model's positions.
    #[error("a sequence has {length} tokens: expected 1 to {limit}")]
    Length {
        /// Tokens in the sequence.
        length: usize,
        /// The model's limit.
        limit: usize,
    },
    /// A text has more tokens than there is room for, and was not to be cut.
    #[error(
        "{} has {tokens} tokens, more than the {limit} that there is room for: shorten it, or let it be cut",
        text.map_or_else(|| "the query or its instruction".to_owned(), |index| format!("text {index}"))
    )]
    TooLong {
        /// Its place among the texts of the call; `None`: a reranker's query or instruction.
        text: Option<usize>,
        /// Its tokens, special ones included.
        tokens: usize,
        /// What there is room for.
        limit: usize,
    },
    /// The requested vector dimension does not fit the model.
    #[error("embedding dimension {requested} is not possible: expected {least} to {most}")]
    Dimension {
        /// What was asked for.
        requested: usize,
        /// The smallest dimension allowed.
        least: usize,
        /// The model's full dimension.
        most: usize,
    },
    /// The model computed NaN or infinity.
    #[error(
        "the model gave a non-finite {what} for a sequence of {tokens} tokens: the weights are damaged or the precision overflows (use f32 or bf16)"
    )]
    NonFinite {
        /// What was being computed.
        what: &'static str,
        /// Length of the sequence.
        tokens: usize,
    },
    /// The model has nothing to say about a text: its vector is zero, which has no direction.
    #[error(
        "the text of {tokens} tokens (the special ones included) has no meaning to the model: its vector is zero; leave empty texts out"
    )]
    NoDirection {
        /// Its place among the texts of the call.
        text: usize,
        /// Length of the sequence.
        tokens: usize,
    },
    /// A model cannot write texts.
    #[error("{origin} cannot be used as a writer: {reason}")]
    NoWriter {
        /// The model's folder or name.
        origin: String,
        /// Why not, and what would work.
        reason: String,
    },
    /// The writer has no room for another text.
    #[error("the writer is busy: {waiting} texts wait to be written; try again later")]
    Busy {
        /// Texts that wait.
        waiting: usize,
    },
    /// A prompt template lacks a placeholder or the prompt leaves no room for a document.
    #[error("prompt: {0}")]
    Prompt(String),
    /// The tokenizer failed on a text.
    #[error("cannot tokenize the text: {0}")]
    Tokenize(String),
    /// A tensor operation failed; a bug or a lack of memory.
    #[error("model computation failed")]
    Compute(#[from] candle_core::Error),
    /// A batch panicked; the model thread goes on.
    #[error("model computation panicked (a bug, please report): {0}")]
    Panicked(String),
    /// A processor that was asked for cannot be used.
    #[error("cannot compute on {device}: {reason}")]
    Device {
        /// As it was asked for.
        device: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A model elsewhere gives no answer now, and may later.
    #[error("the model at {host} does not answer: {reason}")]
    Away {
        /// Host and port of its endpoint.
        host: String,
        /// What went wrong.
        reason: String,
        /// When to ask again.
        after: Duration,
    },
    /// A model elsewhere cannot be used as it is.
    #[error("the model at {host} cannot be used: {reason}")]
    Unusable {
        /// Host and port of its endpoint.
        host: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A model elsewhere does not take a text.
    #[error("the model at {host} does not take the text: {reason}")]
    NotTaken {
        /// Host and port of its endpoint.
        host: String,
        /// What it says.
        reason: String,
    },
    /// Token ids were handed to a model elsewhere.
    #[error("token arrays need the model's own tokenizer, and this model computes elsewhere: send texts")]
    NoTokens,
    /// The model thread is gone.
    #[error("the model thread has ended")]
    Closed,
    /// The model thread could not be started.
    #[error("cannot start the model thread")]
    Thread(#[source] io::Error),
}

impl Error {
    /// Whether a model elsewhere gives no answer now: asked again later, it may.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    /// Whether it is a model elsewhere that gives no answer, for whatever reason: what can go on without it, does.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Unusable { .. } | Self::NotTaken { .. })
    }

    /// The same of another text, where it is about one of several.
    pub(crate) fn of_text(self, index: usize) -> Self {
        match self {
            Self::TooLong { text: Some(_), tokens, limit } => Self::TooLong { text: Some(index), tokens, limit },
            Self::NoDirection { tokens, .. } => Self::NoDirection { text: index, tokens },
            other => other,
        }
    }

    /// The same as seen by one who handed in more texts, of which those at `places` were computed together.
    pub(crate) fn among(self, places: &[usize]) -> Self {
        match self {
            Self::NoDirection { text, tokens } => {
                Self::NoDirection { text: *places.get(text).unwrap_or(&text), tokens }
            }
            other => other,
        }
    }
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
