//! Guidance: what administrators write for searches, in two files: synonyms and rules of the ranking.

use std::path::{Path, PathBuf};

use crate::config::SearchConfig;
use crate::rules::Rules;
use crate::synonyms::Synonyms;
use crate::written::WrittenError;

/// What administrators have written for searches.
#[derive(Debug, Clone, Default)]
pub struct Guidance {
    /// Words that stand for each other.
    pub synonyms: Synonyms,
    /// What comes first, and what counts more or less.
    pub rules: Rules,
}

/// A file of guidance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuidanceFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether the configuration names it: then it has to be there.
    pub is_named: bool,
}

/// The files of guidance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuidanceFiles {
    /// Of the synonyms.
    pub synonyms: GuidanceFile,
    /// Of the rules.
    pub rules: GuidanceFile,
}

impl GuidanceFiles {
    /// Those that a configuration names, and where it names none, those in the data folder.
    pub fn of(config: &SearchConfig, data_dir: &Path) -> Self {
        let file = |named: &Option<PathBuf>, usual: &str| GuidanceFile {
            path: named.clone().unwrap_or_else(|| data_dir.join(usual)),
            is_named: named.is_some(),
        };
        Self { synonyms: file(&config.synonyms, "synonyms.toml"), rules: file(&config.rules, "rules.toml") }
    }

    /// What they say.
    ///
    /// # Errors
    /// One cannot be read or used, or is named and not there.
    pub fn read(&self) -> Result<Guidance, WrittenError> {
        let Self { synonyms, rules } = self;
        Ok(Guidance {
            synonyms: if synonyms.is_there() { Synonyms::read(&synonyms.path)? } else { Synonyms::default() },
            rules: if rules.is_there() { Rules::read(&rules.path)? } else { Rules::default() },
        })
    }
}

impl GuidanceFile {
    /// Whether there is something to read, or should be.
    fn is_there(&self) -> bool {
        self.is_named || self.path.exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_the_data_folder_may_be_missing_and_named_ones_not() {
        let data = tempfile::tempdir().unwrap();
        let config = SearchConfig::default();
        let files = GuidanceFiles::of(&config, data.path());
        assert_eq!(files.read().unwrap().rules.pins.len(), 0);
        std::fs::write(&files.rules.path, "[[pin]]\nqueries = [\"vpn\"]\ndocuments = [\"a/b.md\"]\n").unwrap();
        assert_eq!(files.read().unwrap().rules.pins.len(), 1);
        std::fs::write(&files.synonyms.path, "both = 3\n").unwrap();
        assert!(files.read().unwrap_err().to_string().contains("synonyms"));
        let named = SearchConfig { synonyms: Some(data.path().join("else.toml")), ..config };
        let refused = GuidanceFiles::of(&named, data.path()).read().unwrap_err();
        assert!(matches!(refused, WrittenError::Unreadable { .. }), "{refused}");
    }
}
