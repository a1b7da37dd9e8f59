//! The settings of written answers: `[answers]` of the configuration file, and the writer that it names.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use qwen3::GenerateHandle;
use remote::{Chat, ChatOptions, Endpoint};
use searcher::{Writer, WriterHere};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;
use crate::{elsewhere, models};

/// Variable that holds the key of the endpoint, where no file does.
const KEY: &str = "QUARRY_WRITER_KEY";

/// `[answers]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AnswersConfig {
    /// Address of an OpenAI-compatible endpoint; empty: answers are sentences of the documents.
    pub(crate) endpoint: String,
    /// The model's name there.
    pub(crate) model: String,
    /// A file that holds the key; empty: the variable.
    pub(crate) key_file: PathBuf,
    /// Whether passages may go to another machine unencrypted.
    allow_remote_http: bool,
    /// Time for a whole answer.
    timeout_seconds: u64,
    /// Most tokens of an answer, thoughts included.
    max_tokens: u32,
}

/// The writer of answers, if one is named: the endpoint, or the model with its name for people.
pub(crate) fn writer(settings: &Settings, model: Option<&(String, GenerateHandle)>) -> Result<Option<Arc<dyn Writer>>> {
    match (settings.answers.elsewhere()?, model) {
        (Some(_), Some(_)) => {
            anyhow::bail!("there are two writers: name answers.endpoint or writer (--writer), not both")
        }
        (Some(elsewhere), None) => Ok(Some(elsewhere)),
        (None, Some((name, model))) => Ok(Some(Arc::new(WriterHere::new(name.clone(), model.clone())))),
        (None, None) => Ok(None),
    }
}

/// [`writer`], where nothing else needs the model.
pub(crate) fn only_writer(settings: &Settings) -> Result<Option<Arc<dyn Writer>>> {
    let name = models::shown_name(settings.writer.as_deref())?;
    writer(settings, name.zip(models::writer(settings)?).as_ref())
}

impl Default for AnswersConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            model: String::new(),
            key_file: PathBuf::new(),
            allow_remote_http: false,
            timeout_seconds: 60,
            max_tokens: 1024,
        }
    }
}

impl AnswersConfig {
    /// What does not make sense, in words; empty if all is well.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = elsewhere::named_whole("answers", &self.endpoint, &self.model);
        if !(1..=3_600).contains(&self.timeout_seconds) {
            problems.push(format!("answers.timeout_seconds: expected 1 to 3600, got {}", self.timeout_seconds));
        }
        if !(64..=32_768).contains(&self.max_tokens) {
            problems.push(format!("answers.max_tokens: expected 64 to 32768, got {}", self.max_tokens));
        }
        if let Err(problem) = self.parsed() {
            problems.push(problem);
        }
        problems
    }

    fn parsed(&self) -> Result<Option<Endpoint>, String> {
        elsewhere::parsed("answers", &self.endpoint, self.allow_remote_http)
    }

    /// The writer elsewhere, if one is named. Nothing is sent to it yet.
    fn elsewhere(&self) -> Result<Option<Arc<dyn Writer>>> {
        elsewhere::refuse(&self.problems())?;
        let Some(endpoint) = self.parsed().map_err(anyhow::Error::msg)? else { return Ok(None) };
        let options = ChatOptions {
            model: self.model.clone(),
            key: elsewhere::key("answers", &self.key_file, KEY)?,
            timeout: Duration::from_secs(self.timeout_seconds),
            max_tokens: self.max_tokens,
            // The likeliest words: nothing is to be made up.
            temperature: 0.0,
        };
        Ok(Some(Arc::new(Chat::new(endpoint, options))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_named_whole_or_not_at_all() {
        assert!(AnswersConfig::default().elsewhere().unwrap().is_none());
        let config = |endpoint: &str, model: &str| AnswersConfig {
            endpoint: endpoint.into(),
            model: model.into(),
            ..AnswersConfig::default()
        };
        let named = config("http://127.0.0.1:1/v1", "qwen3:4b").elsewhere().unwrap().unwrap();
        assert_eq!(named.name(), "qwen3:4b");
        for (config, told) in [
            (config("http://127.0.0.1:1/v1", ""), "expected both"),
            (config("", "qwen3:4b"), "expected both"),
            (config("http://llm.example/v1", "a"), "answers.allow_remote_http = true"),
            (config("nowhere", "a"), "expected an address"),
        ] {
            let problems = config.problems().join("\n");
            assert!(problems.contains(told), "{problems}");
        }
    }
}
