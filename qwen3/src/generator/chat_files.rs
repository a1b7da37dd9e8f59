//! The files beside a model's weights that say how it writes: generation_config.json, and its chat template
//! (chat_template.jinja, tokenizer_config.json, or the metadata of a GGUF). All may be absent.

use std::path::Path;

use serde::Deserialize;

use super::sampling::Sampling;
use crate::{
    bytes::Bytes,
    error::{Error, Result},
    files::Opened,
    gguf::Gguf,
};

const GENERATION: &str = "generation_config.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const TEMPLATE: &str = "chat_template.jinja";
const GGUF_TEMPLATE: &str = "tokenizer.chat_template";
/// transformers' default where tokens are drawn.
const TEMPERATURE: f32 = 1.0;

/// What was found.
#[derive(Clone, Default)]
pub(crate) struct ChatFiles {
    /// Folder or file, for messages.
    origin: String,
    generation: Option<Bytes>,
    tokenizer_config: Option<Bytes>,
    template: Option<Bytes>,
}

/// generation_config.json, as far as it is followed here; other fields are passed over, as transformers does with what
/// it does not know.
#[derive(Debug, Default, Deserialize)]
struct GenerationConfig {
    #[serde(default)]
    do_sample: Option<bool>,
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    eos_token_id: Option<Ids>,
}

/// The one field of a config.json that is asked for here.
#[derive(Debug, Default, Deserialize)]
struct Ends {
    eos_token_id: Option<Ids>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

/// One template, or several by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

#[derive(Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Templates>,
}

/// How a model writes unless a request says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Defaults {
    pub(crate) sampling: Sampling,
    /// Tokens that end a text.
    pub(crate) ends: Vec<u32>,
}

impl ChatFiles {
    /// Those of a model's folder.
    pub(crate) fn open(folder: &Path, opened: &mut Opened) -> Result<Self> {
        let mut find = |name: &str| opened.optional(&folder.join(name));
        let (generation, tokenizer_config, template) = (find(GENERATION)?, find(TOKENIZER_CONFIG)?, find(TEMPLATE)?);
        Ok(Self { origin: folder.display().to_string(), generation, tokenizer_config, template })
    }

    /// The same where the template is in a GGUF's metadata, unless one lies beside it.
    pub(crate) fn with_gguf(mut self, gguf: &Gguf) -> Result<Self> {
        let own = gguf.metadata.text(GGUF_TEMPLATE).map_err(|reason| gguf.bad(reason))?;
        if let (None, Some(own)) = (&self.template, own) {
            self.template = Some(Bytes::Owned(own.as_bytes().into()));
        }
        Ok(self)
    }

    /// The chat template, if there is one.
    ///
    /// # Errors
    /// [`Error::BadFile`].
    pub(super) fn template(&self) -> Result<Option<String>> {
        if let Some(template) = &self.template {
            let text = std::str::from_utf8(template).map_err(|error| self.bad(TEMPLATE, &error.to_string()))?;
            return Ok(Some(text.to_owned()));
        }
        let Some(json) = &self.tokenizer_config else { return Ok(None) };
        let config: TokenizerConfig =
            serde_json::from_slice(json).map_err(|error| self.bad(TOKENIZER_CONFIG, &error.to_string()))?;
        Ok(match config.chat_template {
            Some(Templates::One(template)) => Some(template),
            Some(Templates::Named(named)) => {
                named.into_iter().find(|named| named.name == "default").map(|named| named.template)
            }
            None => None,
        })
    }

    /// How the model writes by generation_config.json and, for what ends a text, `config` (its config.json).
    ///
    /// # Errors
    /// [`Error::BadFile`].
    pub(crate) fn defaults(&self, config: &[u8]) -> Result<Defaults> {
        let generation: GenerationConfig = match &self.generation {
            Some(json) => serde_json::from_slice(json).map_err(|error| self.bad(GENERATION, &error.to_string()))?,
            None => GenerationConfig::default(),
        };
        // Read and checked when the model was opened.
        let config: Ends = serde_json::from_slice(config).unwrap_or_default();
        let ends = match generation.eos_token_id.or(config.eos_token_id) {
            Some(Ids::One(id)) => vec![id],
            Some(Ids::Many(ids)) => ids,
            None => Vec::new(),
        };
        let plain = Sampling::default();
        let temperature = generation.temperature.unwrap_or(TEMPERATURE);
        let sampling = Sampling {
            temperature: if generation.do_sample == Some(true) { temperature } else { 0.0 },
            top_k: generation.top_k.unwrap_or(plain.top_k),
            top_p: generation.top_p.unwrap_or(plain.top_p),
            min_p: generation.min_p.unwrap_or(plain.min_p),
            repetition_penalty: generation.repetition_penalty.unwrap_or(plain.repetition_penalty),
        };
        match sampling.problem() {
            Some(problem) => Err(self.bad(GENERATION, &problem)),
            None => Ok(Defaults { sampling, ends }),
        }
    }

    fn bad(&self, file: &str, reason: &str) -> Error {
        Error::BadFile { file: format!("{file} of {}", self.origin), reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(generation: &str) -> ChatFiles {
        ChatFiles { generation: Some(Bytes::Owned(generation.as_bytes().into())), ..ChatFiles::default() }
    }

    #[test]
    fn defaults_are_those_of_the_file() {
        let qwen3 = r#"{"bos_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643], "pad_token_id": 151643,
            "temperature": 0.6, "top_k": 20, "top_p": 0.95, "transformers_version": "4.51.0"}"#;
        let defaults = files(qwen3).defaults(b"{}").unwrap();
        let sampling = Sampling { temperature: 0.6, top_k: 20, top_p: 0.95, ..Sampling::default() };
        assert_eq!(defaults, Defaults { sampling, ends: vec![151_645, 151_643] });
    }

    #[test]
    fn without_a_file_or_fields_transformers_defaults_hold() {
        let greedy = ChatFiles::default().defaults(br#"{"eos_token_id": [7, 8]}"#).unwrap();
        assert_eq!(greedy, Defaults { sampling: Sampling::default(), ends: vec![7, 8] });
        assert_eq!(greedy.sampling.temperature, 0.0);
        let sampled = files(r#"{"do_sample": true, "eos_token_id": 5}"#).defaults(br#"{"eos_token_id": 7}"#).unwrap();
        assert_eq!((sampled.sampling.temperature, sampled.sampling.top_k, sampled.ends), (1.0, 50, vec![5]));
        // Without do_sample the other numbers are of no effect, as in transformers.
        assert_eq!(files(r#"{"temperature": 0.6}"#).defaults(b"{}").unwrap().sampling.temperature, 0.0);
        assert!(ChatFiles::default().defaults(b"{}").unwrap().ends.is_empty());
    }

    #[test]
    fn broken_files_are_named() {
        let error = |generation: &str| files(generation).defaults(b"{}").unwrap_err().to_string();
        assert!(error("{").contains("generation_config.json"));
        assert!(error(r#"{"do_sample": true, "temperature": -2}"#).contains("temperature must be 0 to 100"));
        let config = |json: &str| ChatFiles {
            tokenizer_config: Some(Bytes::Owned(json.as_bytes().into())),
            ..ChatFiles::default()
        };
        assert!(config("{").template().unwrap_err().to_string().contains("tokenizer_config.json"));
        assert_eq!(config(r#"{"chat_template": null}"#).template().unwrap(), None);
        assert_eq!(config(r#"{"chat_template": "x"}"#).template().unwrap().as_deref(), Some("x"));
        let named = r#"{"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]}"#;
        assert_eq!(config(named).template().unwrap().as_deref(), Some("d"));
    }
}
