//! Qwen3 as the writer: a chat in, a text out, token by token.
//!
//! [`Predictor`] is the arithmetic (ids in, logits out; what is known of a sequence stays in its [`KvMemory`]),
//! [`Generator`] adds what a model's files say (chat template, sampling, what ends a text), [`GenerateHandle`] the thread
//! in which all texts are written together: each pass of the model takes the next token of every text and a part of the
//! prompts that are to come. Texts join and leave between two passes.
//!
//! Promises: what is written beside a text changes nothing of it but float noise; special tokens spelled in somebody's
//! message are text; what was sent is whole characters.

mod chat;
mod chat_files;
#[expect(clippy::module_inception, reason = "the noun of the folder")]
mod generator;
mod handle;
mod kv_memory;
mod mask;
mod predictor;
mod prefixes;
mod repetition;
mod request;
mod sampling;
mod sequence;
mod spelling;
mod template;
mod text;
mod thread;

pub use chat::{Message, Role};
pub(crate) use chat_files::ChatFiles;
pub use generator::{Generator, GeneratorOptions};
pub use handle::{GenerateHandle, WriterOptions};
pub use kv_memory::KvMemory;
pub use mask::{TokenMask, TokenSet};
pub use predictor::{Onward, Predictor};
pub use request::{End, Finish, GenerateRequest, SamplingWishes, Writing, Written};
pub use sampling::Sampling;
pub(crate) use spelling::Spelled;
pub use spelling::Spellings;
