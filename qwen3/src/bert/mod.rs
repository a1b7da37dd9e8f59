//! BERT as an embedding model: a folder as sentence-transformers lays it out (`config.json` with `model_type` bert,
//! `modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json`).
//!
//! Differences to Qwen3 that callers see: every token sees every other one, so a text's vector is the mean of its
//! tokens' hidden states (or the first one's); a text is framed by `[CLS]` and `[SEP]`; there is no instruction; and
//! a text is cut after few tokens (256 or 512). Sequences are packed without padding, as those of Qwen3 are: a batch
//! gives what its texts give one by one, to float noise.

mod config;
mod layer;
mod model;

pub(crate) use config::SentenceFiles;
pub(crate) use model::Bert;
