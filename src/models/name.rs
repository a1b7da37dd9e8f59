//! The names that a model may be called by: `nano`, a short name of the Qwen3 family, a Hugging Face repository, or a
//! path.
//!
//! The rule: what exists as a file or folder is that file or folder; anything else is a name. Reading a name has no
//! effects and looks at no network.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

/// The name of the model that the binary carries.
pub(crate) const BUNDLED: &str = "nano";

/// A model of the family that has a short name.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// Hugging Face repository.
    pub(crate) repository: &'static str,
    /// What it is for.
    pub(crate) kind: &'static str,
    /// About how much a pull fetches, in megabytes; variants differ.
    pub(crate) megabytes: u64,
}

/// Every short name. The GGUF repositories hold several variants: `qwen3-embedding-0.6b-gguf:Q8_0`.
pub(crate) const KNOWN: [Known; 9] = [
    known("qwen3-embedding-0.6b", "Qwen/Qwen3-Embedding-0.6B", "embedding", 1_200),
    known("qwen3-embedding-4b", "Qwen/Qwen3-Embedding-4B", "embedding", 8_100),
    known("qwen3-embedding-8b", "Qwen/Qwen3-Embedding-8B", "embedding", 15_200),
    known("qwen3-reranker-0.6b", "Qwen/Qwen3-Reranker-0.6B", "reranker", 1_200),
    known("qwen3-reranker-4b", "Qwen/Qwen3-Reranker-4B", "reranker", 8_100),
    known("qwen3-reranker-8b", "Qwen/Qwen3-Reranker-8B", "reranker", 16_400),
    known("qwen3-embedding-0.6b-gguf", "Qwen/Qwen3-Embedding-0.6B-GGUF", "embedding", 640),
    known("qwen3-embedding-4b-gguf", "Qwen/Qwen3-Embedding-4B-GGUF", "embedding", 4_300),
    known("qwen3-embedding-8b-gguf", "Qwen/Qwen3-Embedding-8B-GGUF", "embedding", 8_100),
];

const fn known(name: &'static str, repository: &'static str, kind: &'static str, megabytes: u64) -> Known {
    Known { name, repository, kind, megabytes }
}

/// What `--model` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelName {
    /// The model in the binary.
    Bundled,
    /// A folder, or a GGUF file.
    Path(PathBuf),
    /// A repository of a hub, looked for in the models folder.
    Repository(Repository),
}

/// A repository of a hub: `org/name`, for GGUF with the variant that names one file, at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) org: String,
    pub(crate) name: String,
    pub(crate) variant: Option<String>,
    pub(crate) revision: Option<String>,
}

impl ModelName {
    /// Reads what the user wrote.
    ///
    /// # Errors
    /// When it is neither a path that exists nor a name.
    pub(crate) fn read(text: &Path) -> Result<Self> {
        let named = text.to_str().map(Self::parse);
        if text.exists() {
            return Ok(Self::Path(text.to_owned()));
        }
        match named {
            Some(Ok(name)) => Ok(name),
            Some(Err(error)) => Err(error),
            None => Err(anyhow!("no model at {}: the folder or file does not exist", text.display())),
        }
    }

    /// Reads a name, without a look at the disk.
    ///
    /// # Errors
    /// When it is no name.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.eq_ignore_ascii_case(BUNDLED) {
            return Ok(Self::Bundled);
        }
        Repository::parse(text).map(Self::Repository)
    }
}

impl Repository {
    /// Reads `name` or `org/name`, with `:VARIANT` and `@REVISION` after it.
    ///
    /// # Errors
    /// When the text looks like a path or like nothing known.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (rest, revision) = split(text, '@');
        let (rest, variant) = split(rest, ':');
        let full = KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(rest)).map_or(rest, |it| it.repository);
        let Some((org, name)) = full.split_once('/') else {
            let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
            return Err(anyhow!(
                "unknown model {text:?}; expected a folder or .gguf file that exists, a Hugging Face repository \
                 (org/name), or one of {BUNDLED}, {}",
                names.join(", ")
            ));
        };
        let parts_fit = is_part(org) && is_part(name) && variant.is_none_or(is_part);
        let revision_fits = revision.is_none_or(|revision| revision.split('/').all(is_part));
        if !parts_fit || !revision_fits || name.to_ascii_lowercase().ends_with(".gguf") {
            return Err(anyhow!(
                "no model at {text}: no such folder or file, and it is no repository name (org/name[:VARIANT][@REVISION])"
            ));
        }
        let owned = |text: &str| text.to_string();
        Ok(Self { org: owned(org), name: owned(name), variant: variant.map(owned), revision: revision.map(owned) })
    }

    /// `org/name`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.org, self.name)
    }

    /// Whether the repository holds GGUF files: told by the variant, or by the name that such repositories have.
    pub(crate) fn is_gguf(&self) -> bool {
        self.variant.is_some() || self.name.to_ascii_lowercase().ends_with("-gguf")
    }

    /// The argument of `quarry models pull` that fetches this.
    pub(crate) fn argument(&self) -> String {
        let short = KNOWN.iter().find(|known| known.repository == self.id());
        let name = short.map_or_else(|| self.id(), |known| known.name.to_string());
        format!("{name}{}{}", suffix(':', self.variant.as_deref()), suffix('@', self.revision.as_deref()))
    }

    /// The files to fetch by hand, as far as they are known without the hub's list.
    pub(crate) fn expected_files(&self) -> Vec<String> {
        if self.is_gguf() {
            return vec![self.expected_gguf()];
        }
        let weights = if self.is_large() { "model.safetensors.index.json" } else { "model.safetensors" };
        ["config.json", "tokenizer.json", weights].map(str::to_string).into()
    }

    /// What is to fetch besides, in words: how many parts the weights have is the hub's choice.
    pub(crate) fn expected_besides(&self) -> &'static str {
        match (self.is_gguf(), self.is_large()) {
            (false, true) => " and every model-*-of-*.safetensors that model.safetensors.index.json names",
            (false, false) if !self.is_known() => {
                " (or, if its weights are in parts, model.safetensors.index.json and every file that it names)"
            }
            _ => "",
        }
    }

    fn is_known(&self) -> bool {
        KNOWN.iter().any(|known| known.repository == self.id())
    }

    /// The larger models of the family have their weights in parts.
    fn is_large(&self) -> bool {
        self.is_known() && (self.name.ends_with("4B") || self.name.ends_with("8B"))
    }

    /// The name that the maker of the models gives to a variant's file.
    pub(crate) fn expected_gguf(&self) -> String {
        let stem = self.name.get(..self.name.len().saturating_sub("-GGUF".len())).unwrap_or(&self.name);
        format!("{stem}-{}.gguf", self.variant.as_deref().unwrap_or("VARIANT"))
    }

    /// Whether a GGUF file is the wanted variant; any is, where none is named.
    pub(crate) fn takes_gguf(&self, file: &str) -> bool {
        let file = file.to_ascii_lowercase();
        let Some(stem) = file.strip_suffix(".gguf") else { return false };
        let Some(variant) = &self.variant else { return true };
        let rest = stem.strip_suffix(&variant.to_ascii_lowercase());
        rest.is_some_and(|rest| rest.ends_with(['-', '.', '_']))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (variant, revision) = (suffix(':', self.variant.as_deref()), suffix('@', self.revision.as_deref()));
        write!(f, "{}/{}{variant}{revision}", self.org, self.name)
    }
}

fn suffix(mark: char, text: Option<&str>) -> String {
    text.map(|text| format!("{mark}{text}")).unwrap_or_default()
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Whether a text may be one part of a path or address: it becomes a folder's name and stands in URLs.
fn is_part(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.chars().all(plain) && !text.starts_with(['.', '-']) && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(text: &str) -> Repository {
        Repository::parse(text).unwrap()
    }

    #[test]
    fn short_names_and_repositories_are_the_same() {
        let short = repository("QWEN3-embedding-0.6b");
        assert_eq!(short, repository("Qwen/Qwen3-Embedding-0.6B"));
        assert_eq!(short.argument(), "qwen3-embedding-0.6b");
        assert_eq!(repository("acme/m").argument(), "acme/m");
        let gguf = repository("qwen3-embedding-0.6b-gguf:Q8_0@v1");
        assert_eq!((gguf.variant.as_deref(), gguf.revision.as_deref()), (Some("Q8_0"), Some("v1")));
        assert_eq!(gguf.to_string(), "Qwen/Qwen3-Embedding-0.6B-GGUF:Q8_0@v1");
        assert_eq!(gguf.expected_files(), ["Qwen3-Embedding-0.6B-Q8_0.gguf"]);
        assert_eq!(ModelName::parse("Nano").unwrap(), ModelName::Bundled);
    }

    #[test]
    fn the_files_to_fetch_by_hand_are_named() {
        let of = |name: &str| (repository(name).expected_files().pop().unwrap(), repository(name).expected_besides());
        assert_eq!(of("qwen3-reranker-0.6b"), ("model.safetensors".to_string(), ""));
        assert_eq!(of("qwen3-reranker-8b").0, "model.safetensors.index.json");
        assert!(of("qwen3-reranker-8b").1.contains("every model-*-of-*"));
        assert!(of("acme/m").1.contains("in parts") && of("acme/m-GGUF:F16") == ("m-F16.gguf".to_string(), ""));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "qwen9", "/models/x", "../x/y", "a/b/c", "a/..", "a/b@", "a/b:", "a/x.gguf", "./x", "a b/c"] {
            assert!(Repository::parse(text).is_err(), "{text}");
        }
        assert!(Repository::parse("qwen9").unwrap_err().to_string().contains("qwen3-reranker-4b"));
    }

    #[test]
    fn a_path_that_exists_wins() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ModelName::read(folder.path()).unwrap(), ModelName::Path(folder.path().to_owned()));
        assert!(ModelName::read(&folder.path().join("none")).unwrap_err().to_string().contains("no such folder"));
    }

    #[test]
    fn variants_match_by_the_end_of_the_name() {
        let q8 = repository("a/b-gguf:q8_0");
        assert!(q8.takes_gguf("Qwen3-Embedding-0.6B-Q8_0.gguf") && q8.takes_gguf("m.q8_0.gguf"));
        assert!(!q8.takes_gguf("m-f16.gguf") && !q8.takes_gguf("mq8_0.gguf") && !q8.takes_gguf("m-Q8_0.bin"));
        assert!(repository("a/b-GGUF").takes_gguf("m-f16.gguf"));
    }
}
