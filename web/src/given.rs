//! What was given with pushed documents beside their text: one file for each source, so that a rebuild finds it again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What was given, by source and path.
pub(crate) struct Given<T> {
    folder: PathBuf,
    known: RwLock<BTreeMap<String, BTreeMap<String, T>>>,
}

/// What is given with a document from now on; `None` takes it back.
pub(crate) type Change<T> = (String, Option<T>);

impl<T: Clone + PartialEq + Serialize + DeserializeOwned> Given<T> {
    /// Reads what lies in a folder of that name beside the pushed documents.
    ///
    /// # Errors
    /// What the disk says; a file is damaged.
    pub(crate) fn open(pushed: &Path, name: &str) -> io::Result<Self> {
        let folder = pushed.join(name);
        let known = RwLock::new(Self::read(&folder)?);
        Ok(Self { folder, known })
    }

    /// Reads again what another process has put there.
    ///
    /// # Errors
    /// As [`Given::open`]; then what was known is still known.
    pub(crate) fn reload(&self) -> io::Result<()> {
        let known = Self::read(&self.folder)?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    fn read(folder: &Path) -> io::Result<BTreeMap<String, BTreeMap<String, T>>> {
        let mut known = BTreeMap::new();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            entries => Some(entries?),
        };
        for entry in entries.into_iter().flatten() {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
            let Some(source) = name else { continue };
            let given = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
                let what = format!("{}: {error}; delete it, and push its documents again", path.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            });
            known.insert(source.to_owned(), given?);
        }
        Ok(known)
    }

    /// What was given with a document; one inside of an archive or a mail has that of the file that was pushed.
    pub(crate) fn of(&self, source: &str, path: &str) -> Option<T> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let given = known.get(source)?;
        let around = path.rmatch_indices('/').map(|(slash, _)| &path[..slash]);
        std::iter::once(path).chain(around).find_map(|path| given.get(path)).cloned()
    }

    /// Makes changes of one source durable.
    ///
    /// # Errors
    /// What the disk says; then nothing is changed.
    pub(crate) fn change(&self, source: &str, changes: Vec<Change<T>>) -> io::Result<()> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(source);
        let is_news = |(path, news): &Change<T>| before.and_then(|given| given.get(path)) != news.as_ref();
        if !changes.iter().any(is_news) {
            return Ok(());
        }
        let mut given = before.cloned().unwrap_or_default();
        for (path, news) in changes {
            match news {
                Some(news) => drop(given.insert(path, news)),
                None => drop(given.remove(&path)),
            }
        }
        self.write(source, &given)?;
        known.insert(source.to_owned(), given);
        Ok(())
    }

    /// Forgets all of a source.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn forget(&self, source: &str) -> io::Result<()> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.remove(source).is_some() {
            fs::remove_file(self.file(source))?;
        }
        Ok(())
    }

    fn write(&self, source: &str, given: &BTreeMap<String, T>) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let unfinished = self.folder.join(format!("{source}.unfinished"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(given)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.file(source))?;
        File::open(&self.folder)?.sync_all()
    }

    fn file(&self, source: &str) -> PathBuf {
        self.folder.join(format!("{source}.json"))
    }
}
