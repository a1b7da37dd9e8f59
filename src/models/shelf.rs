//! The folder of the models that are known by name. A model is one plain folder, `org/name`, with the files that the
//! hub has: copying such a folder from another machine is all that an offline machine needs.
//!
//! A folder of the shelf is whole: pulls happen beside, under `.partial`, and move in at the end.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use etcetera::BaseStrategy;

use super::manifest::{MANIFEST, Manifest};
use super::name::Repository;
use crate::settings::Settings;

/// Folder of unfinished pulls.
const PARTIAL: &str = ".partial";

/// The models folder.
pub(crate) struct Shelf {
    root: PathBuf,
    /// What to write on a command line to mean this folder.
    option: String,
}

/// A model on the shelf.
pub(crate) struct Present {
    /// `org/name`.
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    /// Bytes of all its files.
    pub(crate) size: u64,
    pub(crate) manifest: Option<Manifest>,
}

impl Shelf {
    /// The folder by flag or environment, else in the user's data directory.
    ///
    /// # Errors
    /// When no home folder is known.
    pub(crate) fn of(settings: &Settings) -> Result<Self> {
        if let Some(root) = &settings.models_dir {
            return Ok(Self { root: root.clone(), option: format!(" --models-dir {}", root.display()) });
        }
        let strategy =
            etcetera::choose_base_strategy().context("no home folder is known; name one with --models-dir")?;
        Ok(Self { root: strategy.data_dir().join("quarry-models"), option: String::new() })
    }

    /// Where a repository's files belong.
    pub(crate) fn folder(&self, repository: &Repository) -> PathBuf {
        self.root.join(&repository.org).join(&repository.name)
    }

    /// Where a pull of a repository works.
    #[cfg(feature = "hub")]
    pub(crate) fn staging(&self, repository: &Repository) -> PathBuf {
        let variant = repository.variant.as_ref().map(|variant| format!("--{variant}")).unwrap_or_default();
        self.root.join(PARTIAL).join(format!("{}--{}{variant}", repository.org, repository.name))
    }

    /// The folder of a repository, or its GGUF file.
    ///
    /// # Errors
    /// When it is not there, with the command that fetches it and the files to put there by hand; when it is there in
    /// another revision than asked for.
    pub(crate) fn find(&self, repository: &Repository) -> Result<PathBuf> {
        let folder = self.folder(repository);
        if !folder.is_dir() {
            return Err(self.missing(repository));
        }
        check_revision(repository, &folder, &self.option)?;
        let files = gguf_files(repository, &folder)?;
        match files.as_slice() {
            [file] => Ok(folder.join(file)),
            [] if repository.is_gguf() => Err(self.missing(repository)),
            [] => Ok(folder),
            _ if folder.join("config.json").exists() && repository.variant.is_none() => Ok(folder),
            several => bail!(
                "{} holds several GGUF files ({}); name one: {}:VARIANT",
                folder.display(),
                several.join(", "),
                repository.id()
            ),
        }
    }

    fn missing(&self, repository: &Repository) -> anyhow::Error {
        anyhow!(
            "the model {repository} is not on this machine\n  \
             with a network:  quarry{} models pull {}\n  \
             without one:     put {}{}\n                   into {}",
            self.option,
            repository.argument(),
            repository.expected_files().join(", "),
            repository.expected_besides(),
            self.folder(repository).display()
        )
    }

    /// Deletes a model's folder, or the file of one variant, and what is left of unfinished pulls.
    ///
    /// # Errors
    /// When there is nothing to delete or it cannot be deleted.
    pub(crate) fn remove(&self, repository: &Repository) -> Result<PathBuf> {
        let folder = self.folder(repository);
        let leftovers = self.remove_partial(repository)?;
        let files = gguf_files(repository, &folder)?;
        if !folder.is_dir() || (repository.variant.is_some() && files.is_empty()) {
            return if leftovers { Ok(self.root.join(PARTIAL)) } else { Err(self.missing(repository)) };
        }
        let whole = repository.variant.is_none() || files == all_gguf(&folder)?;
        if whole {
            // Out of sight first: a removal that is cut off leaves no half model behind.
            let doomed = self.root.join(PARTIAL).join(format!("{}--{}--removed", repository.org, repository.name));
            let gone = || format!("cannot remove {}", folder.display());
            fs::create_dir_all(self.root.join(PARTIAL)).with_context(gone)?;
            fs::rename(&folder, &doomed).with_context(gone)?;
            fs::remove_dir_all(&doomed).with_context(gone)?;
            // Only an empty folder goes: other models of the same maker stay.
            let _ = fs::remove_dir(self.root.join(&repository.org));
            return Ok(folder);
        }
        for file in files {
            fs::remove_file(folder.join(&file)).with_context(|| format!("cannot remove {file}"))?;
        }
        Ok(folder)
    }

    fn remove_partial(&self, repository: &Repository) -> Result<bool> {
        let prefix = format!("{}--{}", repository.org, repository.name);
        let mine = |name: &str| name == prefix || name.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with("--"));
        let mut found = false;
        for path in entries(&self.root.join(PARTIAL))? {
            if path.file_name().is_some_and(|name| mine(&name.to_string_lossy())) {
                fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                found = true;
            }
        }
        Ok(found)
    }

    /// All models of the folder, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn list(&self) -> Result<Vec<Present>> {
        let mut found = Vec::new();
        for org in entries(&self.root)?.into_iter().filter(|path| !is_hidden(path)) {
            for path in entries(&org)?.into_iter().filter(|path| !is_hidden(path)) {
                if !path.is_dir() {
                    continue;
                }
                let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let sizes =
                    entries(&path)?.into_iter().filter_map(|file| fs::metadata(file).ok()).map(|data| data.len());
                let id = format!("{}/{}", name(&org), name(&path));
                found.push(Present { id, size: sizes.sum(), manifest: Manifest::read(&path)?, path });
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }
}

/// The GGUF files of a folder that are the wanted variant.
fn gguf_files(repository: &Repository, folder: &Path) -> Result<Vec<String>> {
    Ok(all_gguf(folder)?.into_iter().filter(|file| repository.takes_gguf(file)).collect())
}

fn all_gguf(folder: &Path) -> Result<Vec<String>> {
    let names = entries(folder)?.into_iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_string()));
    let mut names: Vec<String> = names.filter(|name| name.to_ascii_lowercase().ends_with(".gguf")).collect();
    names.sort();
    Ok(names)
}

/// What a folder holds; nothing where it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = || -> std::io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    read().with_context(|| format!("cannot read the folder {}", folder.display()))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'))
}

/// A folder holds one revision: another one is never taken for it.
fn check_revision(repository: &Repository, folder: &Path, option: &str) -> Result<()> {
    let Some(wanted) = &repository.revision else { return Ok(()) };
    let Some(manifest) = Manifest::read(folder)? else {
        bail!("{} has no {MANIFEST}: which revision it is, is not known; leave @{wanted} out", folder.display())
    };
    let commit = manifest.commit.as_deref().unwrap_or_default();
    if manifest.revision == *wanted || (wanted.len() >= 7 && commit.starts_with(wanted.as_str())) {
        return Ok(());
    }
    bail!(
        "{} holds revision {} {commit}, not {wanted}: `quarry{option} models pull {}` replaces it",
        folder.display(),
        manifest.revision,
        repository.argument()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(root: &Path) -> Shelf {
        Shelf { root: root.to_owned(), option: String::new() }
    }

    fn put(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "12345").unwrap();
    }

    #[test]
    fn a_missing_model_says_how_to_get_it() {
        let root = tempfile::tempdir().unwrap();
        let repository = Repository::parse("qwen3-reranker-0.6b").unwrap();
        let message = shelf(root.path()).find(&repository).unwrap_err().to_string();
        for part in ["quarry models pull qwen3-reranker-0.6b", "config.json, tokenizer.json, model.safetensors"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(message.contains(&root.path().join("Qwen/Qwen3-Reranker-0.6B").display().to_string()), "{message}");
    }

    #[test]
    fn variants_share_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let shelf = shelf(root.path());
        let find = |name: &str| shelf.find(&Repository::parse(name).unwrap());
        put(root.path(), "a/m-GGUF/m-Q8_0.gguf");
        assert!(find("a/m-GGUF").unwrap().ends_with("m-Q8_0.gguf"));
        put(root.path(), "a/m-GGUF/m-f16.gguf");
        assert!(find("a/m-GGUF").unwrap_err().to_string().contains("several"));
        assert!(find("a/m-GGUF:F16").unwrap().ends_with("m-f16.gguf"));
        assert!(find("a/m-GGUF:Q4_K_M").unwrap_err().to_string().contains("m-Q4_K_M.gguf"));
        shelf.remove(&Repository::parse("a/m-GGUF:Q8_0").unwrap()).unwrap();
        assert!(find("a/m-GGUF").unwrap().ends_with("m-f16.gguf"));
        shelf.remove(&Repository::parse("a/m-GGUF:f16").unwrap()).unwrap();
        assert!(!root.path().join("a").exists());
    }

    #[test]
    fn lists_what_is_there_and_not_what_is_unfinished() {
        let root = tempfile::tempdir().unwrap();
        assert!(shelf(&root.path().join("none")).list().unwrap().is_empty());
        put(root.path(), "a/m/config.json");
        put(root.path(), ".partial/a--n/config.json");
        let list = shelf(root.path()).list().unwrap();
        assert_eq!(list.iter().map(|model| (model.id.as_str(), model.size)).collect::<Vec<_>>(), [("a/m", 5)]);
        assert!(shelf(root.path()).remove(&Repository::parse("a/n").unwrap()).is_ok());
        assert!(shelf(root.path()).remove(&Repository::parse("a/n").unwrap()).is_err());
    }

    #[test]
    fn another_revision_is_not_taken() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "a/m/config.json");
        let find = |name: &str| shelf(root.path()).find(&Repository::parse(name).unwrap());
        assert!(find("a/m@v2").unwrap_err().to_string().contains("not known"));
        let manifest = r#"{"repository":"a/m","revision":"v1","commit":"0123456789","endpoint":"e","files":[]}"#;
        fs::write(root.path().join("a/m").join(MANIFEST), manifest).unwrap();
        assert!(find("a/m@v1").is_ok() && find("a/m@0123456").is_ok() && find("a/m").is_ok());
        assert!(find("a/m@v2").unwrap_err().to_string().contains("models pull a/m@v2"));
    }
}
