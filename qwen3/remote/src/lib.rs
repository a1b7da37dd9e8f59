//! Models elsewhere: a language model behind an OpenAI-compatible endpoint (ollama, vLLM, llama.cpp, LM Studio, a company's
//! gateway), asked by `POST {endpoint}/chat/completions`.
//!
//! A company's passages leave the machine through here and nowhere else. Hence: other hosts only over https unless the user
//! says otherwise, no redirects (they would carry passages and key to somebody else), no proxy for this machine itself, and
//! the key is never printed. Everything is synchronous.

mod chat;
mod endpoint;
mod events;
mod fault;
mod key;
mod rest;

pub use chat::{Chat, ChatOptions, Finish, Message, Role, Tokens};
pub use endpoint::{Endpoint, RemoteHttp};
pub use fault::Fault;
pub use key::Key;
