//! Qwen3 embedding, reranking and writing models, and BERT embedding models: text in, unit vectors, scores or text out.
//!
//! [`ModelFiles`] says where a model's bytes are, [`Embedder`], [`Reranker`] and [`Generator`] open them, [`EmbedHandle`],
//! [`RerankHandle`] and [`GenerateHandle`] put each behind a thread that takes requests; a handle may as well stand before a model
//! elsewhere ([`EmbedModel`], [`RerankModel`]). Everything is synchronous and knows nothing of
//! documents, indexes or HTTP.
//!
//! Promises: a batch gives what its texts give one by one, to float noise; no vector or score with NaN leaves this
//! crate; a damaged or mismatched model file is an error that names it, never a panic.

mod attention;
mod bert;
mod bytes;
mod config;
mod device;
mod embedder;
mod error;
mod files;
mod fingerprint;
#[cfg(feature = "flash-attn")]
mod flash;
mod generator;
mod gguf;
mod kernels;
mod layer;
mod measure;
mod model;
mod ops;
mod packing;
mod place;
mod prompt;
mod random;
mod reranker;
mod rope;
mod ruler;
mod shard;
mod stored;
mod survey;
mod tensors;
mod tokenizer;
mod weights;
mod worker;

pub use config::{ModelConfig, Shape};
pub use device::DeviceChoice;
pub use embedder::{EmbedEncoder, Embedder, EmbedderOptions, embed_ids};
pub use error::{Error, Result};
pub use files::{ModelFile, ModelFiles};
pub use generator::{
    End, Finish, GenerateHandle, GenerateRequest, Generator, GeneratorOptions, KvMemory, Message, Onward, Predictor,
    Role, Sampling, SamplingWishes, Spellings, TokenMask, TokenSet, WriterOptions, Writing, Written,
};
pub use gguf::write_gguf;
pub use kernels::Isa;
pub use measure::{ProductProbe, register_peak};
pub use model::{Model, Precision, Prefix};
pub use ops::Kernels;
pub use place::{Condition, Elsewhere, Place};
pub use prompt::{DEFAULT_INSTRUCTION, EmbedPrompt, RerankPrompt};
pub use reranker::{Answer, RerankEncoder, Reranker, RerankerOptions, score_ids, shared_prefix};
pub use rope::{Angles, Rope};
pub use ruler::Ruler;
pub use survey::{NonFinite, TensorFacts};
pub use tensors::tensors;
pub use tokenizer::{Overlong, Tokenizer};
pub use worker::{
    Arrival, EmbedHandle, EmbedModel, Lane, Meter, Pending, PendingQuery, Reply, RerankHandle, RerankModel,
    WorkerOptions, WorkerStats,
};
