//! A setup: models and search settings, as the command line and one side of `--compare` name them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;
use qwen3::{EmbedHandle, RerankHandle};
use searcher::{Guidance, SearchConfig, Searcher};
use storage::IndexModel;

use crate::cli::Precision;
use crate::models;
use crate::settings::Settings;

/// What a side says to change nothing.
const DEFAULT: &str = "default";
/// What `reranker=` says to have none.
const NONE: &str = "none";

/// Models by name and the settings of the search.
#[derive(Clone)]
pub(in crate::commands::lab) struct Setup {
    /// The command line with the setup's models in it.
    settings: Settings,
    pub(in crate::commands::lab) config: SearchConfig,
    pub(in crate::commands::lab) guidance: Guidance,
}

/// The models of a setup, open.
#[derive(Clone)]
pub(in crate::commands::lab) struct Models {
    pub(in crate::commands::lab) embedder: EmbedHandle,
    pub(in crate::commands::lab) model: IndexModel,
    pub(in crate::commands::lab) reranker: Option<RerankHandle>,
    guidance: Guidance,
}

impl Setup {
    /// What the command line says, with the given settings (`NAME=VALUE`).
    pub(in crate::commands::lab) fn of(settings: &Settings, changes: &[String]) -> Result<Self> {
        let (config, guidance) = (settings.search()?, settings.guidance()?);
        let mut setup = Self { settings: settings.clone(), config, guidance };
        for setting in changes {
            let (name, value) = pair(setting)?;
            if !setup.set(name, value)? {
                bail!("{setting:?} is no search setting; `quarry eval --help` lists them");
            }
        }
        Ok(setup)
    }

    /// This setup with one side's settings in the place of its own: `NAME=VALUE`, separated by commas.
    pub(in crate::commands::lab) fn with_side(&self, side: &str) -> Result<Self> {
        let mut setup = self.clone();
        for setting in side.split(',').map(str::trim).filter(|setting| !setting.is_empty() && *setting != DEFAULT) {
            setup.change(setting).with_context(|| format!("--compare {side:?}"))?;
        }
        Ok(setup)
    }

    fn change(&mut self, setting: &str) -> Result<()> {
        let (name, value) = pair(setting)?;
        match name {
            "model" => self.settings.model = Some(PathBuf::from(value)),
            "reranker" if value == NONE => self.settings.reranker = None,
            "reranker" => self.settings.reranker = Some(PathBuf::from(value)),
            "precision" => {
                let named = Precision::from_str(value, false);
                let named =
                    named.map_err(|_| anyhow::anyhow!("precision: expected auto, f32, bf16 or int8, got {value:?}"));
                self.settings.precision = Some(named?);
            }
            "dimension" => {
                let number = value.parse().with_context(|| format!("dimension: expected a number, got {value:?}"));
                self.settings.dimension = Some(number?);
            }
            _ if self.set(name, value)? => {}
            _ => bail!(
                "{setting:?} is no setting; expected model, reranker, precision, dimension or a setting of the search \
                 (`quarry eval --help` lists them)"
            ),
        }
        Ok(())
    }

    /// Changes one setting of the search; false if there is none of that name.
    fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        self.config.set(name, value).map_err(anyhow::Error::msg)
    }

    /// Whether both embed alike, so that one index serves both.
    fn shares_embedder(&self, other: &Self) -> bool {
        let named = |setup: &Self| {
            let Settings { model, embedding, precision, dimension, .. } = setup.settings.clone();
            (model, embedding, precision.unwrap_or_default(), dimension)
        };
        named(self) == named(other)
    }
}

impl Models {
    pub(in crate::commands::lab) fn open(setup: &Setup) -> Result<Self> {
        let (embedder, model) = models::embedder(&setup.settings)?;
        let reranker = models::reranker(&setup.settings)?;
        Ok(Self { embedder, model, reranker, guidance: setup.guidance.clone() })
    }

    /// Those of a second setup, sharing with the first what is the same.
    pub(in crate::commands::lab) fn open_beside(setup: &Setup, first: (&Setup, &Self)) -> Result<(Self, Embedders)> {
        let (first_setup, first_models) = first;
        let shared = setup.shares_embedder(first_setup);
        let (embedder, model) = match shared {
            true => (first_models.embedder.clone(), first_models.model.clone()),
            false => models::embedder(&setup.settings)?,
        };
        let reranker = match setup.settings.reranker == first_setup.settings.reranker
            && setup.settings.reranking == first_setup.settings.reranking
            && setup.settings.precision == first_setup.settings.precision
        {
            true => first_models.reranker.clone(),
            false => models::reranker(&setup.settings)?,
        };
        let embedders = if shared { Embedders::Shared } else { Embedders::Apart };
        let guidance = setup.guidance.clone();
        Ok((Self { embedder, model, reranker, guidance }, embedders))
    }

    pub(in crate::commands::lab) fn searcher(&self, config: &SearchConfig) -> Searcher {
        let searcher = Searcher::new(self.embedder.clone(), self.reranker.clone(), config.clone());
        searcher.guided(self.guidance.clone())
    }
}

/// Whether two setups embed with the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands::lab) enum Embedders {
    /// One index serves both.
    Shared,
    /// Each needs its own.
    Apart,
}

fn pair(setting: &str) -> Result<(&str, &str)> {
    setting.split_once('=').with_context(|| format!("expected NAME=VALUE, got {setting:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Setup {
        let mut settings = Settings::default();
        settings.model = Some("base".into());
        settings.search.depth = 77;
        Setup::of(&settings, &["passage-decay=0.3".to_string()]).unwrap()
    }

    #[test]
    fn a_side_changes_what_it_names() {
        let side =
            base().with_side("model=other/one, vector-weight=0.7,fusion=rrf,dimension=64,precision=int8").unwrap();
        assert_eq!(side.settings.model, Some(PathBuf::from("other/one")));
        assert_eq!((side.settings.dimension, side.settings.precision), (Some(64), Some(Precision::Int8)));
        assert_eq!((side.config.vector_weight, side.config.fusion), (0.7, searcher::FusionMethod::Rrf));
        assert_eq!(side.config.passage_decay, 0.3, "what --set says holds for both");
        assert_eq!(side.config.depth, 77, "and so does what the configuration file says");
        assert!(!side.shares_embedder(&base()));
        for nothing in ["", "default", " default , "] {
            let same = base().with_side(nothing).unwrap();
            assert!(same.shares_embedder(&base()) && same.config == base().config);
        }
        assert!(base().with_side("precision=auto").unwrap().shares_embedder(&base()));
        assert!(base().with_side("reranker=none").unwrap().settings.reranker.is_none());
    }

    #[test]
    fn what_is_no_setting_is_named() {
        let refused = |side: &str| format!("{:#}", base().with_side(side).err().unwrap());
        assert!(refused("modle=x").contains("\"modle=x\" is no setting"));
        assert!(refused("rrf").contains("expected NAME=VALUE"));
        assert!(refused("dimension=big").contains("dimension: expected a number"));
        assert!(refused("precision=f64").contains("expected auto, f32, bf16 or int8"));
        assert!(refused("fusion=best").contains("--compare \"fusion=best\""));
        assert!(
            Setup::of(&base().settings, &["model=x".to_string()])
                .err()
                .unwrap()
                .to_string()
                .contains("no search setting")
        );
    }
}
