//! `quarry.toml`: where it is looked for, and what it says of the parts that all commands share. The rest of it belongs
//! to the server, which documents and checks it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::cli::{Cli, Precision};
use crate::reading::ExtractConfig;

const SYSTEM: &str = "/etc/quarry/quarry.toml";

/// A configuration file, read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileConfig {
    /// Where it was found; `None` if there is none.
    #[serde(skip)]
    pub(crate) path: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    model: Option<PathBuf>,
    reranker: Option<PathBuf>,
    models_dir: Option<PathBuf>,
    precision: Option<Precision>,
    device: Option<qwen3::DeviceChoice>,
    dimension: Option<usize>,
    pub(crate) log: LogConfig,
    server: web::ServerConfig,
    auth: web::AuthConfig,
    limits: web::LimitsConfig,
    index: web::IndexConfig,
    pub(crate) extract: ExtractConfig,
    suggest: web::SuggestConfig,
    /// What search, serve and eval use.
    pub(crate) search: searcher::SearchConfig,
}

/// What is logged, and how.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    /// A level or a filter of `tracing`.
    pub(crate) level: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

impl FileConfig {
    /// Reads the file that the command line or the environment names, or the first that exists of the usual places.
    pub(crate) fn load(cli: &Cli) -> Result<Self> {
        if let Some(path) = &cli.config {
            return Self::read(path);
        }
        let user = etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("quarry/quarry.toml"));
        let mut places = user.into_iter().chain([PathBuf::from(SYSTEM)]);
        places.find(|path| path.is_file()).map_or_else(|| Ok(Self::default()), |path| Self::read(&path))
    }

    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        let mut config: Self =
            toml::from_str(&text).with_context(|| format!("{} is not a usable configuration", path.display()))?;
        if config.data_dir.as_ref().is_some_and(|folder| folder.is_relative()) {
            bail!("{}: data_dir: expected an absolute path", path.display());
        }
        config.path = Some(path.to_path_buf());
        Ok(config)
    }

    /// The command line with what the file says where neither a flag nor the environment does.
    pub(crate) fn apply(&self, cli: &mut Cli) {
        cli.data_dir = cli.data_dir.take().or_else(|| self.data_dir.clone());
        cli.model = cli.model.take().or_else(|| self.model.clone());
        cli.reranker = cli.reranker.take().or_else(|| self.reranker.clone());
        cli.models_dir = cli.models_dir.take().or_else(|| self.models_dir.clone());
        cli.precision = cli.precision.or(self.precision);
        cli.device = cli.device.or(self.device);
        cli.dimension = cli.dimension.or(self.dimension);
    }

    /// The file with what flags and the environment say instead.
    pub(crate) fn with_flags(&self, cli: &Cli) -> Self {
        Self {
            data_dir: cli.data_dir.clone(),
            model: cli.model.clone(),
            reranker: cli.reranker.clone(),
            models_dir: cli.models_dir.clone(),
            precision: cli.precision,
            device: cli.device,
            dimension: cli.dimension,
            ..self.clone()
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

    /// The server's part.
    pub(crate) fn web(&self) -> web::Config {
        web::Config {
            server: self.server.clone(),
            auth: self.auth.clone(),
            limits: self.limits.clone(),
            index: self.index.clone(),
            suggest: self.suggest.clone(),
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
        let config: FileConfig = toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(config.dimension, Some(256));
        assert_eq!(config.web(), web::Config::default());
        assert_eq!(config.extract, ExtractConfig::default());
        assert_eq!(config.search, searcher::SearchConfig::default());
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<FileConfig>("dat_dir = \"/x\"").is_err());
        assert!(toml::from_str::<FileConfig>("[log]\nformt = \"json\"").is_err());
    }
}
