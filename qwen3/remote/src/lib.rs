//! Models elsewhere: embedding models, rerankers and language models behind HTTP endpoints (text-embeddings-inference, vLLM, ollama,
//! llama.cpp, a company's gateway, another quarry). [`Embedding`] and [`Reranking`] are models behind the same handles as those here
//! ([`qwen3::EmbedModel`], [`qwen3::RerankModel`]); [`Chat`] writes.
//!
//! A company's passages leave the machine through here and nowhere else. Hence: other hosts only over https unless the user
//! says otherwise, no redirects (they would carry passages and key to somebody else), no proxy for this machine itself, and
//! the key is never printed. Everything is synchronous; an endpoint that keeps failing is left alone for a while.

mod chat;
mod crew;
mod embedding;
mod endpoint;
mod events;
mod fault;
mod key;
mod line;
mod patience;
mod portion;
mod reranking;
mod rest;
mod wire;

pub use chat::{Chat, ChatOptions, Finish, Message, Role, Tokens};
pub use embedding::{EmbedApi, EmbedOptions, Embedding};
pub use endpoint::{Endpoint, RemoteHttp};
pub use fault::Fault;
pub use key::Key;
pub use portion::Portion;
pub use reranking::{RerankApi, RerankOptions, Reranking, Scores};
