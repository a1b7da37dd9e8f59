//! Sources as they are configured: where their files lie, how they are kept up with, and who may see them.

use std::path::PathBuf;

use connect::Mirrors;
use serde::{Deserialize, Serialize};
use storage::{Access, AccessRule, AccessRuleError, FilePermissions, SourceAccess};
use utoipa::ToSchema;

use super::IndexConfig;
use crate::links;

/// A folder that is indexed under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Unique name.
    pub name: String,
    /// The folder; empty where its documents are fetched from elsewhere.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub folder: PathBuf,
    /// Where its documents lie, where that is no folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<connect::Settings>,
    /// See [`IndexConfig::watch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<bool>,
    /// See [`IndexConfig::every_minutes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_minutes: Option<u64>,
    /// Template of the addresses of its documents in the system that they come from, with `{path}` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether its files say who may see them. Left out: as it was said elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<FilesSay>,
    /// Who may see its documents: principals, with `!` before those that it keeps out. Left out: as it was said elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Vec<String>>,
    /// Who may see some of its documents: of all rules that match a path, `access` being the first, the last one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_rules: Vec<AccessRuleConfig>,
}

/// Who may see some documents of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRuleConfig {
    /// Paths below the source's folder, as a glob: `payroll/**`.
    pub paths: String,
    /// As in [`SourceConfig::access`].
    pub access: Vec<String>,
}

fn is_empty(path: &std::path::Path) -> bool {
    path.as_os_str().is_empty()
}

impl SourceConfig {
    /// Who may see its documents, where the configuration says so.
    ///
    /// # Errors
    /// What is no rule, in words.
    pub fn source_access(&self) -> Result<Option<SourceAccess>, AccessRuleError> {
        if self.access.is_none() && self.access_rules.is_empty() {
            return Ok(None);
        }
        let whole = self.access.iter().map(|access| (None, access));
        let some = self.access_rules.iter().map(|rule| (Some(rule.paths.clone()), &rule.access));
        let rules = whole.chain(some).map(|(paths, access)| Ok(AccessRule { paths, access: Access::parse(access)? }));
        SourceAccess::of(rules.collect::<Result<Vec<_>, AccessRuleError>>()?).map(Some)
    }
}

/// What the files of a source say of who may see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FilesSay {
    /// Nothing.
    None,
    /// As the file system: who may read the file, and search every folder above it.
    Posix,
    /// Their owner and nobody else, as in folders of mail.
    Owner,
}

impl FilesSay {
    /// As the index keeps it.
    pub fn permissions(self) -> Option<FilePermissions> {
        match self {
            Self::None => None,
            Self::Posix => Some(FilePermissions::Posix),
            Self::Owner => Some(FilePermissions::Owner),
        }
    }

    /// As it is said.
    pub fn of(permissions: Option<FilePermissions>) -> Self {
        match permissions {
            None => Self::None,
            Some(FilePermissions::Posix) => Self::Posix,
            Some(FilePermissions::Owner) => Self::Owner,
        }
    }
}

impl IndexConfig {
    fn named(&self, source: &str) -> Option<&SourceConfig> {
        self.sources.iter().find(|config| config.name == source)
    }

    pub(super) fn access_problems(&self) -> impl Iterator<Item = String> {
        let fault = |source: &SourceConfig| source.source_access().err();
        self.sources
            .iter()
            .filter_map(move |source| Some(format!("index.sources: access of {:?}: {}", source.name, fault(source)?)))
    }

    pub(super) fn link_problems(&self) -> impl Iterator<Item = String> {
        self.sources.iter().filter_map(|source| {
            let fault = links::template_fault(source.url.as_ref()?)?;
            Some(format!("index.sources: url of {:?}: {fault}", source.name))
        })
    }

    /// The sources that are fetched from elsewhere.
    pub fn fetched(&self) -> impl Iterator<Item = (String, connect::Settings)> {
        self.sources.iter().filter_map(|source| Some((source.name.clone(), source.from.clone()?)))
    }

    pub(super) fn place_problems(&self) -> impl Iterator<Item = String> {
        let fault = |source: &SourceConfig| match (&source.from, is_empty(&source.folder)) {
            (Some(from), true) => {
                Mirrors::check_name(&source.name).and_then(|()| from.check()).err().map(|error| error.to_string())
            }
            (None, false) => None,
            _ => Some("expected either folder or from".to_owned()),
        };
        let places = self.sources.iter().filter_map(move |source| Some((source.name.as_str(), fault(source)?)));
        let places = places.map(|(name, fault)| format!("index.sources: {name:?}: {fault}"));
        let wrong =
            self.allow_addresses.iter().filter(|address| connect::Settings::at(address.as_str()).check().is_err());
        places.chain(wrong.map(|address| {
            format!("index.allow_addresses: expected addresses such as \"https://handbook.example/\", got {address:?}")
        }))
    }

    /// Minutes after which a source is fetched again that lies elsewhere; 0: never.
    pub(crate) fn fetch_minutes_of(&self, source: &str) -> u64 {
        self.named(source).and_then(|config| config.every_minutes).unwrap_or(self.fetch_minutes)
    }

    /// Whether changes in a source's folder are noticed as they happen.
    pub(crate) fn is_watched(&self, source: &str) -> bool {
        self.named(source).and_then(|config| config.watch).unwrap_or(self.watch)
    }

    /// Minutes after which a source is compared in any case; 0: never.
    pub(crate) fn every_minutes_of(&self, source: &str) -> u64 {
        self.named(source).and_then(|config| config.every_minutes).unwrap_or(self.every_minutes)
    }
}
