//! Documents that programs push: kept as files in the data folder, below `pushed/SOURCE/`, each folder a source like any
//! other. So they are read by the same readers, found again by a rebuild, and safe before their commit: a file is
//! synced, then renamed into place.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use storage::Source;

use crate::error::Error;
use crate::writer::Failure;

/// Bytes of a path within a source.
const MAX_PATH: usize = 512;
/// Bytes of the name of a pushed source.
const MAX_NAME: usize = 64;

/// The folder of all pushed documents.
pub(crate) struct Pushed {
    root: PathBuf,
}

impl Pushed {
    /// Opens or makes the folder in the data folder.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let root = data_dir.join("pushed");
        let unfinished = root.join(".unfinished");
        if unfinished.is_dir() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(&unfinished)?;
        Ok(Self { root: root.canonicalize()? })
    }

    /// The source of that name, whether or not it exists yet.
    pub(crate) fn source(&self, name: &str) -> Result<Source, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
            return Err(Error::bad(format!(
                "source: expected 1 to {MAX_NAME} letters, digits, `-` or `_`, got {name:?}"
            )));
        }
        Ok(Source { name: name.to_string(), root: self.root.join(name) })
    }

    /// The folder of all pushed documents.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the documents of a source were pushed.
    pub(crate) fn owns(&self, source: &Source) -> bool {
        source.root.parent() == Some(&self.root)
    }

    /// The folders of pushed sources that exist, in the order of their names.
    pub(crate) fn sources(&self) -> io::Result<Vec<Source>> {
        let mut sources = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && !name.starts_with('.') {
                sources.push(Source { name, root: entry.path() });
            }
        }
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sources)
    }

    /// Puts a file in place, durably.
    pub(crate) fn write(
        &self,
        source: &Source,
        path: &str,
        content: &[u8],
        modified: Option<i64>,
    ) -> Result<(), Error> {
        check_path(path)?;
        let place = source.root.join(path);
        let taken = |error: io::Error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
                Error::Conflict { detail: format!("{path}: a folder and a document cannot have the same name") }
            }
            _ => Error::Unwritable(Failure::disk(&error)),
        };
        let folder = place.parent().ok_or_else(|| Error::bad("path: expected a file name"))?;
        fs::create_dir_all(folder).map_err(taken)?;
        let draft = self.root.join(".unfinished").join(random_name()?);
        let written = self.write_draft(&draft, content, modified).and_then(|()| fs::rename(&draft, &place));
        if let Err(error) = written {
            // Left behind, it is removed at the next start.
            let _ = fs::remove_file(&draft);
            return Err(taken(error));
        }
        // Each folder on the way may be new: its own entry has to be durable too.
        let mut folder = Some(folder);
        while let Some(this) = folder.filter(|folder| folder.starts_with(&self.root)) {
            File::open(this).and_then(|folder| folder.sync_all()).map_err(taken)?;
            folder = this.parent();
        }
        Ok(())
    }

    fn write_draft(&self, draft: &Path, content: &[u8], modified: Option<i64>) -> io::Result<()> {
        let mut file = File::create_new(draft)?;
        file.write_all(content)?;
        if let Some(seconds) = modified.and_then(|seconds| u64::try_from(seconds).ok()) {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))?;
        }
        file.sync_all()
    }

    /// Removes a file; nothing happens if it is gone already.
    pub(crate) fn remove(&self, source: &Source, path: &str) -> Result<(), Error> {
        check_path(path)?;
        match fs::remove_file(source.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Unwritable(Failure::disk(&error))),
            _ => Ok(()),
        }
    }

    /// Removes all documents of a pushed source.
    pub(crate) fn remove_source(&self, source: &Source) -> io::Result<()> {
        if self.owns(source) && source.root.is_dir() {
            fs::remove_dir_all(&source.root)?;
        }
        Ok(())
    }
}

/// Refuses what would leave the source, be hidden from the walk, or not be a file name.
fn check_path(path: &str) -> Result<(), Error> {
    let bad = |why: &str| Err(Error::bad(format!("path: {why}; expected something like `notes/2025/plan.md`")));
    if path.is_empty() || path.len() > MAX_PATH {
        return bad(&format!("has {} bytes, 1 to {MAX_PATH} are allowed", path.len()));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return bad("control characters and backslashes are not allowed");
    }
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && part.len() <= 255 && part.trim() == part;
    if !path.split('/').all(plain) {
        return bad("a part is empty, hidden, too long, or has blanks at its ends");
    }
    let normal = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if normal { Ok(()) } else { bad("it has to stay within its source") }
}

fn random_name() -> Result<String, Error> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_within_their_source() {
        for good in ["a.md", "notes/2025/plan.md", "报销.md", "a b/c.txt"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../a", "a/../../b", "a//b", ".hidden", "a/.git/x", "a\\b", "a\n", "a/", "a/ b"]
        {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_are_put_replaced_and_removed() {
        let data = tempfile::tempdir().unwrap();
        let pushed = Pushed::open(data.path()).unwrap();
        let source = pushed.source("api").unwrap();
        assert!(pushed.owns(&source) && pushed.source("../x").is_err());
        pushed.write(&source, "a/b.md", b"one", Some(1_000)).unwrap();
        pushed.write(&source, "a/b.md", b"two", None).unwrap();
        assert_eq!(fs::read(source.root.join("a/b.md")).unwrap(), b"two");
        assert!(matches!(pushed.write(&source, "a", b"x", None), Err(Error::Conflict { .. })));
        assert!(matches!(pushed.write(&source, "a/b.md/c", b"x", None), Err(Error::Conflict { .. })));
        pushed.remove(&source, "a/b.md").unwrap();
        pushed.remove(&source, "a/b.md").unwrap();
        assert!(!source.root.join("a/b.md").exists());
        assert_eq!(fs::read_dir(data.path().join("pushed/.unfinished")).unwrap().count(), 0);
    }
}
