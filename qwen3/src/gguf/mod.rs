//! GGUF: the single-file format of llama.cpp, versions 2 and 3, little endian
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>). Config, tokenizer and weights of a Qwen3 model in one
//! file, read here without trusting a length, a count or an offset in it. Written here too, for shipping a trained model.

mod config;
mod cursor;
mod file;
mod metadata;
mod names;
mod tokenizer;
mod writer;

pub(crate) use config::{answer_rows, config_json};
pub(crate) use file::Gguf;
pub(crate) use names::{ANSWER_HEAD, OUTPUT, TABLE, from_ours, to_ours};
pub(crate) use tokenizer::tokenizer;
pub use writer::write as write_gguf;
