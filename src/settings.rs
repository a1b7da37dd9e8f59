//! Settings: everything that is in force, resolved once at the start from flags, environment, `quarry.toml` and defaults, in
//! this order. Commands take them and their own arguments, and nothing else.
//!
//! What belongs to the server, the reading of files and the search is documented and checked there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use etcetera::BaseStrategy;
use indexer::VectorTiming;
use serde::{Deserialize, Serialize};

use web::VectorsWhen;

use crate::answers::AnswersConfig;
use crate::cli::{Cli, Command, LogFormat, Precision};
use crate::elsewhere::{EmbeddingConfig, RerankingConfig};
use crate::reading::ExtractConfig;
use crate::{models, paths};

const SYSTEM: &str = "/etc/quarry/quarry.toml";

/// What is in force.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The configuration file that was read; `None` if there is none.
    #[serde(skip)]
    pub(crate) path: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) model: Option<PathBuf>,
    pub(crate) reranker: Option<PathBuf>,
    pub(crate) writer: Option<PathBuf>,
    pub(crate) models_dir: Option<PathBuf>,
    pub(crate) precision: Option<Precision>,
    pub(crate) device: Option<qwen3::DeviceChoice>,
    pub(crate) dimension: Option<usize>,
    pub(crate) log: LogConfig,
    pub(crate) writing: WritingConfig,
    server: web::ServerConfig,
    auth: web::AuthConfig,
    audit: web::AuditConfig,
    limits: web::LimitsConfig,
    index: web::IndexConfig,
    pub(crate) extract: ExtractConfig,
    suggest: web::SuggestConfig,
    pub(crate) insights: web::InsightsConfig,
    backup: web::BackupConfig,
    follow: web::FollowConfig,
    pub(crate) s3: connect::BucketConfig,
    page: web::PageConfig,
    pub(crate) search: searcher::SearchConfig,
    pub(crate) answers: AnswersConfig,
    pub(crate) embedding: EmbeddingConfig,
    pub(crate) reranking: RerankingConfig,
}

/// What is logged, and how.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    /// A level or a filter of `tracing`.
    pub(crate) level: Option<String>,
}

/// How much is written at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WritingConfig {
    /// Tokens of the longest text, prompt and answer together.
    context_tokens: usize,
    /// Tokens of all texts that are written at once.
    memory_tokens: usize,
    /// Texts that are written at once.
    at_once: usize,
    /// Texts that may wait.
    queue: usize,
}

impl Default for WritingConfig {
    fn default() -> Self {
        let qwen3::WriterOptions { at_once, queue, .. } = qwen3::WriterOptions::default();
        Self { context_tokens: 8192, memory_tokens: 16_384, at_once, queue }
    }
}

impl WritingConfig {
    /// Tokens of the longest text and of all, checked.
    pub(crate) fn tokens(&self) -> Result<(usize, usize)> {
        let Self { context_tokens, memory_tokens, .. } = *self;
        if context_tokens == 0 || memory_tokens < context_tokens {
            bail!(
                "writing.memory_tokens: expected at least writing.context_tokens, which is at least 1; got \
                 {memory_tokens} and {context_tokens}"
            );
        }
        Ok((context_tokens, memory_tokens))
    }

    /// How the writer's thread takes its work, checked.
    pub(crate) fn worker(&self) -> Result<qwen3::WriterOptions> {
        let Self { at_once, queue, .. } = *self;
        if at_once == 0 || queue == 0 {
            bail!("writing.at_once and writing.queue: expected at least 1, got {at_once} and {queue}");
        }
        Ok(qwen3::WriterOptions { at_once, queue, ..qwen3::WriterOptions::default() })
    }
}

impl Settings {
    /// Resolves what the command line, the environment and the configuration file say. The file is the one that is named,
    /// or the first that exists of the usual places.
    pub(crate) fn resolve(cli: &Cli) -> Result<Self> {
        // Processes that quarry starts are told what they need.
        if matches!(cli.command, Command::ExtractWorker | Command::RunConfined(_)) {
            return Ok(Self::default());
        }
        let mut settings = match &cli.config {
            Some(path) => Self::read(path)?,
            None => {
                let user =
                    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("quarry/quarry.toml"));
                let mut places = user.into_iter().chain([PathBuf::from(SYSTEM)]);
                places.find(|path| path.is_file()).map_or_else(|| Ok(Self::default()), |path| Self::read(&path))?
            }
        };
        settings.take_flags(cli);
        Ok(settings)
    }

    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        let mut settings: Self =
            toml::from_str(&text).with_context(|| format!("{} is not a usable configuration", path.display()))?;
        if settings.data_dir.as_ref().is_some_and(|folder| folder.is_relative()) {
            bail!("{}: data_dir: expected an absolute path", path.display());
        }
        // What it names beside it goes along with it.
        let beside = [&mut settings.search.synonyms, &mut settings.search.rules];
        for named in beside.into_iter().flatten() {
            *named = path.parent().map_or_else(|| named.clone(), |folder| folder.join(&*named));
        }
        let Self { page, answers, embedding, reranking, s3, .. } = &mut settings;
        let keys = [&mut answers.key_file, &mut embedding.key_file, &mut reranking.key_file];
        let others = [&mut page.logo, &mut embedding.tokenizer, &mut reranking.tokenizer];
        for named in keys.into_iter().chain(others).chain(s3.files_mut()) {
            if let Some(folder) = path.parent().filter(|_| !named.as_os_str().is_empty()) {
                *named = folder.join(&*named);
            }
        }
        let places = settings.index.sources.iter_mut().filter_map(|source| source.from.as_mut());
        for named in places.flat_map(connect::Settings::files_mut) {
            *named = path.parent().map_or_else(|| named.clone(), |folder| folder.join(&*named));
        }
        settings.path = Some(path.to_path_buf());
        Ok(settings)
    }

    /// Flags and the environment, which the parser of the command line has read already, before the file.
    fn take_flags(&mut self, cli: &Cli) {
        let Cli { data_dir, model, reranker, writer, models_dir, precision, device, dimension, log_format, .. } =
            cli.clone();
        self.data_dir = data_dir.or(self.data_dir.take());
        self.model = model.or(self.model.take());
        self.reranker = reranker.or(self.reranker.take());
        self.writer = writer.or(self.writer.take());
        self.models_dir = models_dir.or(self.models_dir.take());
        self.precision = precision.or(self.precision);
        self.device = device.or(self.device);
        self.dimension = dimension.or(self.dimension);
        self.log.format = log_format.unwrap_or(self.log.format);
        match &cli.command {
            Command::Serve(args) => {
                self.server.listen = args.listen.unwrap_or(self.server.listen);
                self.follow.from = args.follow.clone().unwrap_or_else(|| std::mem::take(&mut self.follow.from));
            }
            Command::Index(args) => self.extract = self.extract.with_largest(args.max_file_size),
            _ => {}
        }
    }

    /// How is searched.
    pub(crate) fn search(&self) -> Result<searcher::SearchConfig> {
        let problems = self.search.problems();
        if !problems.is_empty() {
            bail!("the configuration is not usable:\n  {}", problems.join("\n  "));
        }
        Ok(self.search.clone())
    }

    /// Where administrators write for searches.
    pub(crate) fn guidance_files(&self) -> Result<searcher::GuidanceFiles> {
        Ok(searcher::GuidanceFiles::of(&self.search, &paths::data_dir(self)?))
    }

    /// Which words stand for each other, what comes first, and what counts more or less.
    pub(crate) fn guidance(&self) -> Result<searcher::Guidance> {
        Ok(self.guidance_files()?.read()?)
    }

    /// When vectors are made.
    pub(crate) fn vector_timing(&self) -> VectorTiming {
        let is_bundled = self.embedding.endpoint.is_empty()
            && self.model.as_ref().is_none_or(|model| model.as_os_str() == models::BUNDLED);
        match self.index.vectors {
            VectorsWhen::WithText => VectorTiming::WithText,
            VectorsWhen::Auto if is_bundled => VectorTiming::WithText,
            VectorsWhen::Auto | VectorsWhen::Later => VectorTiming::Later,
        }
    }

    /// How is judged whether anything answers.
    pub(crate) fn calibration(&self) -> Result<searcher::Calibration> {
        let calibration = self.search.calibration.as_deref().map(searcher::Calibration::read);
        Ok(calibration.unwrap_or_else(searcher::Calibration::bundled)?)
    }

    /// The server's part.
    pub(crate) fn web(&self) -> web::Config {
        web::Config {
            server: self.server.clone(),
            auth: self.auth.clone(),
            audit: self.audit.clone(),
            limits: self.limits.clone(),
            index: self.index.clone(),
            suggest: self.suggest.clone(),
            insights: self.insights.clone(),
            backup: self.backup.clone(),
            follow: self.follow.clone(),
            s3: self.s3.clone(),
            page: self.page.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_valid_with_every_key_switched_on() {
        let documented = include_str!("../web/deploy/quarry.toml");
        let is_key = |line: &str| {
            line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        };
        let lines = documented.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line));
        let config: Settings = toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(config.dimension, Some(256));
        assert_eq!(config.web(), web::Config::default());
        assert_eq!(config.writing, WritingConfig::default());
        assert_eq!(config.extract, ExtractConfig::default());
        assert_eq!(config.answers, AnswersConfig::default());
        assert_eq!(config.embedding, EmbeddingConfig::default());
        assert_eq!(config.reranking, RerankingConfig::default());
        let synonyms = Some(PathBuf::from("synonyms.toml"));
        let calibration = Some(PathBuf::from("/etc/quarry/calibration.json"));
        let rules = Some(PathBuf::from("rules.toml"));
        let expected = searcher::SearchConfig { synonyms, calibration, rules, ..searcher::SearchConfig::default() };
        assert_eq!(config.search, expected);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Settings>("dat_dir = \"/x\"").is_err());
        assert!(toml::from_str::<Settings>("[log]\nformt = \"json\"").is_err());
    }
}
