//! Models elsewhere: `[embedding]` and `[reranking]` of the configuration file, and the models that they name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use qwen3::{DEFAULT_INSTRUCTION, EmbedHandle, EmbedPrompt, RerankHandle, Ruler, Tokenizer, WorkerOptions};
use remote::{
    EmbedApi, EmbedOptions, Embedding, Endpoint, Fault, Key, Portion, RemoteHttp, RerankApi, RerankOptions, Reranking,
    Scores,
};
use serde::{Deserialize, Serialize};
use storage::IndexModel;

/// Variable that holds the key of the embedding model's endpoint, where no file does.
const EMBEDDING_KEY: &str = "QUARRY_EMBEDDING_KEY";
/// The same of the reranker's.
const RERANKING_KEY: &str = "QUARRY_RERANKING_KEY";

/// `[embedding]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EmbeddingConfig {
    /// Address of the endpoint; empty: the model computes here.
    pub(crate) endpoint: String,
    /// What it speaks.
    kind: EmbedApi,
    /// The model's name there, and in the index.
    pub(crate) model: String,
    /// A file that holds the key; empty: the variable.
    pub(crate) key_file: PathBuf,
    /// Whether texts may go to another machine unencrypted.
    allow_remote_http: bool,
    /// The form of a query; empty: that of the model, by its name.
    query_form: String,
    /// The form of a passage.
    document_form: String,
    /// A tokenizer.json of the model; empty: lengths are estimated.
    pub(crate) tokenizer: PathBuf,
    /// Tokens of the longest text.
    max_tokens: usize,
    /// Texts of one request.
    batch_texts: usize,
    /// Characters of one request.
    batch_chars: usize,
    /// Requests at once.
    at_once: usize,
    /// Time for a request.
    timeout_seconds: u64,
    /// Time for a query.
    query_seconds: u64,
}

/// `[reranking]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RerankingConfig {
    /// Address of the endpoint; empty: the model computes here, or there is none.
    pub(crate) endpoint: String,
    /// What it speaks.
    kind: RerankApi,
    /// The model's name there.
    pub(crate) model: String,
    /// A file that holds the key; empty: the variable.
    pub(crate) key_file: PathBuf,
    /// Whether texts may go to another machine unencrypted.
    allow_remote_http: bool,
    /// What the scores are.
    scores: Scores,
    /// The form of a query.
    query_form: String,
    /// The form of a passage.
    document_form: String,
    /// A tokenizer.json of the model; empty: lengths are estimated.
    pub(crate) tokenizer: PathBuf,
    /// Tokens of query and passage together.
    max_tokens: usize,
    /// Passages of one request.
    batch_texts: usize,
    /// Characters of one request.
    batch_chars: usize,
    /// Requests at once.
    at_once: usize,
    /// Time for a request.
    timeout_seconds: u64,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            kind: EmbedApi::default(),
            model: String::new(),
            key_file: PathBuf::new(),
            allow_remote_http: false,
            query_form: String::new(),
            document_form: "{document}".to_owned(),
            tokenizer: PathBuf::new(),
            max_tokens: 512,
            batch_texts: 32,
            batch_chars: 65_536,
            at_once: 4,
            timeout_seconds: 60,
            query_seconds: 5,
        }
    }
}

impl Default for RerankingConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            kind: RerankApi::default(),
            model: String::new(),
            key_file: PathBuf::new(),
            allow_remote_http: false,
            scores: Scores::default(),
            query_form: "{query}".to_owned(),
            document_form: "{document}".to_owned(),
            tokenizer: PathBuf::new(),
            max_tokens: 1024,
            batch_texts: 32,
            batch_chars: 65_536,
            at_once: 4,
            timeout_seconds: 10,
        }
    }
}

impl EmbeddingConfig {
    /// What does not make sense, in words; empty if all is well.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = named_whole("embedding", &self.endpoint, &self.model);
        problems.extend(parsed("embedding", &self.endpoint, self.allow_remote_http).err());
        let numbers = [
            ("max_tokens", self.max_tokens, 16..=1_000_000),
            ("batch_texts", self.batch_texts, 1..=4_096),
            ("batch_chars", self.batch_chars, 1..=16_777_216),
            ("at_once", self.at_once, 1..=64),
            ("timeout_seconds", self.timeout_seconds as usize, 1..=3_600),
            ("query_seconds", self.query_seconds as usize, 1..=60),
        ];
        problems.extend(numbers.into_iter().filter_map(|(key, got, range)| outside("embedding", key, got, &range)));
        problems
            .extend(self.prompt().check().err().map(|error| format!("embedding.query_form, document_form: {error}")));
        problems
    }

    /// The form of queries and passages. A quarry puts the form of its model around queries itself; elsewhere Qwen3's models get
    /// theirs here.
    fn prompt(&self) -> EmbedPrompt {
        let query = match self.query_form.as_str() {
            "" if self.kind.forms_queries() => EmbedPrompt::bare().query,
            "" if self.model.to_lowercase().contains("qwen3") => EmbedPrompt::default().query,
            "" => EmbedPrompt::bare().query,
            form => form.to_owned(),
        };
        let document = self.document_form.clone();
        EmbedPrompt { instruction: DEFAULT_INSTRUCTION.to_owned(), query, document }
    }

    /// The embedding model and how the index names it, if it is elsewhere. One that the index in force was made with (`known`) is
    /// not asked for anything yet.
    pub(crate) fn model(
        &self,
        dimension: Option<usize>,
        known: Option<&IndexModel>,
    ) -> Result<Option<(EmbedHandle, IndexModel)>> {
        let Some((endpoint, options)) = self.options(dimension)? else { return Ok(None) };
        let adopt = |known: &IndexModel| {
            Embedding::known(endpoint.clone(), options.clone(), &known.fingerprint, known.dimension)
        };
        let embedding = match known.map(adopt).transpose()?.flatten() {
            Some(embedding) => embedding,
            None => Embedding::meet(endpoint, options, &[]).context("cannot use the embedding model elsewhere")?,
        };
        Ok(Some(self.named(embedding)))
    }

    /// The same for an index that is made anew: the model is asked who it is, and may be one of the `known`.
    pub(crate) fn model_anew(
        &self,
        dimension: Option<usize>,
        known: &[IndexModel],
    ) -> Result<Option<(EmbedHandle, IndexModel)>> {
        let Some((endpoint, options)) = self.options(dimension)? else { return Ok(None) };
        let known: Vec<&str> = known.iter().map(|model| model.fingerprint.as_str()).collect();
        let met = Embedding::meet(endpoint, options, &known).context("cannot use the embedding model elsewhere")?;
        Ok(Some(self.named(met)))
    }

    fn named(&self, embedding: Embedding) -> (EmbedHandle, IndexModel) {
        let handle = EmbedHandle::of(Arc::new(embedding), &WorkerOptions::default());
        let (fingerprint, dimension) = (handle.fingerprint().to_owned(), handle.dimension());
        (handle, IndexModel { name: self.model.clone(), fingerprint, dimension })
    }

    fn options(&self, dimension: Option<usize>) -> Result<Option<(Endpoint, EmbedOptions)>> {
        refuse(&self.problems())?;
        let endpoint = parsed("embedding", &self.endpoint, self.allow_remote_http).map_err(anyhow::Error::msg)?;
        let Some(endpoint) = endpoint else { return Ok(None) };
        let options = EmbedOptions {
            api: self.kind,
            model: self.model.clone(),
            key: key("embedding", &self.key_file, EMBEDDING_KEY)?,
            dimension,
            prompt: self.prompt(),
            ruler: ruler("embedding", &self.tokenizer)?,
            max_tokens: self.max_tokens,
            portion: Portion { texts: self.batch_texts, characters: self.batch_chars },
            at_once: self.at_once,
            timeout: Duration::from_secs(self.timeout_seconds),
            query_timeout: Duration::from_secs(self.query_seconds),
        };
        Ok(Some((endpoint, options)))
    }
}

impl RerankingConfig {
    /// What does not make sense, in words; empty if all is well.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = named_whole("reranking", &self.endpoint, &self.model);
        problems.extend(parsed("reranking", &self.endpoint, self.allow_remote_http).err());
        let numbers = [
            ("max_tokens", self.max_tokens, 64..=1_000_000),
            ("batch_texts", self.batch_texts, 1..=4_096),
            ("batch_chars", self.batch_chars, 1..=16_777_216),
            ("at_once", self.at_once, 1..=64),
            ("timeout_seconds", self.timeout_seconds as usize, 1..=600),
        ];
        problems.extend(numbers.into_iter().filter_map(|(key, got, range)| outside("reranking", key, got, &range)));
        problems
            .extend(self.prompt().check().err().map(|error| format!("reranking.query_form, document_form: {error}")));
        problems
    }

    fn prompt(&self) -> EmbedPrompt {
        let (query, document) = (self.query_form.clone(), self.document_form.clone());
        EmbedPrompt { instruction: DEFAULT_INSTRUCTION.to_owned(), query, document }
    }

    /// The reranker, if it is elsewhere. Nothing is sent to it yet.
    pub(crate) fn model(&self) -> Result<Option<RerankHandle>> {
        refuse(&self.problems())?;
        let endpoint = parsed("reranking", &self.endpoint, self.allow_remote_http).map_err(anyhow::Error::msg)?;
        let Some(endpoint) = endpoint else { return Ok(None) };
        let options = RerankOptions {
            api: self.kind,
            model: self.model.clone(),
            key: key("reranking", &self.key_file, RERANKING_KEY)?,
            scores: self.scores,
            prompt: self.prompt(),
            ruler: ruler("reranking", &self.tokenizer)?,
            max_tokens: self.max_tokens,
            portion: Portion { texts: self.batch_texts, characters: self.batch_chars },
            at_once: self.at_once,
            timeout: Duration::from_secs(self.timeout_seconds),
        };
        let reranking = Reranking::new(endpoint, options).context("cannot use the reranker elsewhere")?;
        Ok(Some(RerankHandle::of(Arc::new(reranking), &WorkerOptions::default())))
    }
}

/// Refuses settings that do not make sense.
pub(crate) fn refuse(problems: &[String]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    bail!("the configuration is not usable:\n  {}", problems.join("\n  "))
}

/// What is wrong where an endpoint is named without its model, or the other way round.
pub(crate) fn named_whole(table: &str, endpoint: &str, model: &str) -> Vec<String> {
    let is_half = endpoint.is_empty() != model.is_empty();
    is_half.then(|| format!("{table}.endpoint and {table}.model: expected both, or none")).into_iter().collect()
}

fn outside(table: &str, key: &str, got: usize, range: &std::ops::RangeInclusive<usize>) -> Option<String> {
    let (least, most) = (range.start(), range.end());
    (!range.contains(&got)).then(|| format!("{table}.{key}: expected {least} to {most}, got {got}"))
}

/// The endpoint of a table, if one is named; else what is wrong with it.
pub(crate) fn parsed(table: &str, address: &str, allow_remote_http: bool) -> Result<Option<Endpoint>, String> {
    if address.is_empty() {
        return Ok(None);
    }
    let remote = if allow_remote_http { RemoteHttp::Allowed } else { RemoteHttp::Refused };
    Endpoint::parse(address, remote).map(Some).map_err(|fault| match fault {
        Fault::Unencrypted(_) => format!("{table}.endpoint: {fault}, or say {table}.allow_remote_http = true"),
        _ => format!("{table}.endpoint: {fault}"),
    })
}

/// The key of a table's endpoint: from its file, or from the variable.
pub(crate) fn key(table: &str, file: &Path, variable: &str) -> Result<Option<Key>> {
    match file.as_os_str().is_empty() {
        true => Ok(Key::of_variable(variable)?),
        false => Ok(Some(Key::of_file(file).with_context(|| format!("{table}.key_file"))?)),
    }
}

fn ruler(table: &str, tokenizer: &Path) -> Result<Ruler> {
    if tokenizer.as_os_str().is_empty() {
        return Ok(Ruler::Estimate);
    }
    Ok(Ruler::Exact(Tokenizer::from_file(tokenizer).with_context(|| format!("{table}.tokenizer"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(endpoint: &str, model: &str) -> EmbeddingConfig {
        EmbeddingConfig { endpoint: endpoint.into(), model: model.into(), ..EmbeddingConfig::default() }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        assert!(EmbeddingConfig::default().problems().is_empty() && RerankingConfig::default().problems().is_empty());
        assert!(named("https://gpu.example/v1", "m").problems().is_empty());
        let mut bad = named("http://gpu.example/v1", "");
        (bad.at_once, bad.query_form) = (0, "query: ".to_owned());
        let told = bad.problems().join("\n");
        for part in [
            "expected both",
            "embedding.allow_remote_http = true",
            "embedding.at_once: expected 1 to 64, got 0",
            "{query}",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let bad = RerankingConfig { endpoint: "nowhere".into(), max_tokens: 3, ..RerankingConfig::default() };
        let told = bad.problems().join("\n");
        for part in ["reranking.endpoint: expected an address", "expected both", "reranking.max_tokens"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn qwen3s_query_form_is_put_where_nobody_else_does() {
        let form = |config: &EmbeddingConfig| config.prompt().query("q", None);
        assert!(form(&named("https://a.example", "Qwen/Qwen3-Embedding-0.6B")).starts_with("Instruct: Given a web"));
        assert_eq!(form(&named("https://a.example", "bge-m3")), "q");
        let quarry = EmbeddingConfig { kind: EmbedApi::Quarry, ..named("https://a.example", "qwen3-embedding-0.6b") };
        assert_eq!(form(&quarry), "q");
        let said = EmbeddingConfig { query_form: "query: {query}".into(), ..named("https://a.example", "e5") };
        assert_eq!(form(&said), "query: q");
    }
}
