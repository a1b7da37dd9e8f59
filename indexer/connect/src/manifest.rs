//! The manifest of a mirror: what each file in it is a copy of. A line is put behind the others for every file that has come or
//! gone, so that a crash loses nothing that was fetched; now and then the lines that still count are written anew.
//!
//! It says less than the files at worst: a line is written once its file is in place. What it does not know is fetched again,
//! and what it knows and is not there is forgotten when it is opened.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage::{Access, Readers, replace_durably};

use crate::error::ConnectError;
use crate::names;

/// Lines that do not count any more, beyond as many as do, after which it is written anew.
const WASTE: usize = 1_000;

/// A file of a mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What it is known by where it comes from.
    pub(crate) id: String,
    /// Its path below the mirror's files.
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access: Option<Access>,
    /// Bytes of the file.
    #[serde(default)]
    pub(crate) bytes: u64,
}

/// A line of it.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Gone { gone: String },
    Is(Entry),
}

/// What the files of a mirror are copies of.
#[derive(Debug)]
pub(crate) struct Manifest {
    file: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// Paths that are taken, and the folders above them, without regard to case.
    taken: HashSet<String>,
    folders: BTreeMap<String, usize>,
    bytes: u64,
    lines: usize,
    log: Option<File>,
}

impl Manifest {
    /// Reads it; an empty one where there is none.
    ///
    /// # Errors
    /// The disk refuses. A line that makes no sense, as the last one after a crash, is left out.
    pub(crate) fn open(file: &Path) -> Result<Self, ConnectError> {
        let (mut manifest, is_cut) = Self::parse(file)?;
        // What is written next must not go on where a crash cut a line off.
        if is_cut {
            manifest.rewrite()?;
        }
        Ok(manifest)
    }

    /// The same for those who only look; somebody may be writing.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn read(file: &Path) -> Result<Self, ConnectError> {
        Self::parse(file).map(|(manifest, _)| manifest)
    }

    /// What it says, and whether its last line ends in the middle.
    fn parse(file: &Path) -> Result<(Self, bool), ConnectError> {
        let text = match fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(ConnectError::disk("read", file))?,
        };
        let mut manifest = Self {
            file: file.to_path_buf(),
            entries: BTreeMap::new(),
            taken: HashSet::new(),
            folders: BTreeMap::new(),
            bytes: 0,
            lines: 0,
            log: None,
        };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            manifest.lines += 1;
            match serde_json::from_slice(line) {
                Ok(Line::Is(entry)) => manifest.take(entry),
                Ok(Line::Gone { gone }) => drop(manifest.drop(&gone)),
                Err(error) => tracing::debug!("a line of {} makes no sense: {error}", file.display()),
            }
        }
        let is_cut = text.last().is_some_and(|last| *last != b'\n');
        Ok((manifest, is_cut))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The path for something: the one that it has, the one that its name becomes, or another one where that is taken.
    pub(crate) fn path_for(&self, id: &str, wanted: &str) -> String {
        let own = self.entries.get(id).map(|entry| entry.path.as_str());
        if own == Some(wanted) || self.is_free(wanted, own) {
            return wanted.to_owned();
        }
        // Made of the id alone: nothing else can have it.
        names::apart(wanted, id)
    }

    /// Whether a file can be there; `own` is the path that would be given away for it.
    fn is_free(&self, path: &str, own: Option<&str>) -> bool {
        let path = names::folded(path);
        let own = own.map(names::folded);
        let is_taken = |path: &str| self.taken.contains(path) && own.as_deref() != Some(path);
        let is_below_file = path.match_indices('/').any(|(at, _)| is_taken(&path[..at]));
        // Its own file may be the only one below a folder of that name.
        let below_own = own.as_deref().is_some_and(|own| own.starts_with(&format!("{path}/")));
        let is_folder = self.folders.get(&path).is_some_and(|files| *files > usize::from(below_own));
        !is_taken(&path) && !is_below_file && !is_folder
    }

    /// Notes a file that is in place.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn put(&mut self, entry: Entry) -> Result<(), ConnectError> {
        if self.entries.get(&entry.id) == Some(&entry) {
            return Ok(());
        }
        self.append(&Line::Is(entry.clone()))?;
        self.take(entry);
        Ok(())
    }

    /// Notes that a file is gone.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn remove(&mut self, id: &str) -> Result<(), ConnectError> {
        if !self.entries.contains_key(id) {
            return Ok(());
        }
        self.append(&Line::Gone { gone: id.to_owned() })?;
        drop(self.drop(id));
        Ok(())
    }

    /// Makes what was noted durable, and writes it anew if much of it does not count any more.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn finish(&mut self) -> Result<(), ConnectError> {
        if self.lines > 2 * self.entries.len() + WASTE {
            return self.rewrite();
        }
        match &self.log {
            Some(log) => log.sync_all().map_err(ConnectError::disk("write", &self.file)),
            None => Ok(()),
        }
    }

    fn append(&mut self, line: &Line) -> Result<(), ConnectError> {
        let mut text = serde_json::to_vec(line).map_err(|error| io::Error::other(error.to_string()));
        if let Ok(text) = &mut text {
            text.push(b'\n');
        }
        let file = &self.file;
        let write = |log: &mut Option<File>| {
            let log = match log {
                Some(log) => log,
                None => log.insert(OpenOptions::new().create(true).append(true).open(file)?),
            };
            log.write_all(&text?)
        };
        write(&mut self.log).map_err(ConnectError::disk("write", &self.file))?;
        self.lines += 1;
        Ok(())
    }

    fn rewrite(&mut self) -> Result<(), ConnectError> {
        self.log = None;
        let mut text = Vec::new();
        for entry in self.entries.values() {
            serde_json::to_writer(&mut text, entry)
                .map_err(|error| io::Error::other(error.to_string()))
                .map_err(ConnectError::disk("write", &self.file))?;
            text.push(b'\n');
        }
        replace_durably(&self.file, Readers::Umask, |file| file.write_all(&text))
            .map_err(ConnectError::disk("write", &self.file))?;
        self.lines = self.entries.len();
        Ok(())
    }

    fn take(&mut self, entry: Entry) {
        drop(self.drop(&entry.id));
        let path = names::folded(&entry.path);
        for (at, _) in path.match_indices('/') {
            *self.folders.entry(path[..at].to_owned()).or_default() += 1;
        }
        self.taken.insert(path);
        self.bytes += entry.bytes;
        self.entries.insert(entry.id.clone(), entry);
    }

    fn drop(&mut self, id: &str) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        let path = names::folded(&entry.path);
        for (at, _) in path.match_indices('/') {
            if let Some(files) = self.folders.get_mut(&path[..at]) {
                *files = files.saturating_sub(1);
                if *files == 0 {
                    self.folders.remove(&path[..at]);
                }
            }
        }
        self.taken.remove(&path);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, path: &str) -> Entry {
        let url = Some(format!("https://a.example/{path}"));
        Entry { id: id.into(), path: path.into(), version: Some("1".into()), url, access: None, bytes: 3 }
    }

    #[test]
    fn what_is_noted_is_there_after_a_crash_at_any_byte() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("manifest.jsonl");
        let mut manifest = Manifest::open(&file).unwrap();
        for (id, path) in [("a", "a.md"), ("b", "b/c.md"), ("c", "d.md")] {
            manifest.put(entry(id, path)).unwrap();
        }
        manifest.remove("a").unwrap();
        manifest.put(Entry { version: Some("2".into()), ..entry("b", "b/c.md") }).unwrap();
        manifest.finish().unwrap();
        let whole = fs::read(&file).unwrap();
        let ids = |manifest: &Manifest| manifest.entries().map(|entry| entry.id.clone()).collect::<Vec<_>>().join("");
        assert_eq!((ids(&Manifest::open(&file).unwrap()), manifest.bytes(), manifest.len()), ("bc".into(), 6, 2));
        for end in 0..whole.len() {
            fs::write(&file, &whole[..end]).unwrap();
            let mut cut = Manifest::open(&file).unwrap();
            let before = ids(&cut);
            assert!(["", "a", "ab", "abc", "bc"].contains(&before.as_str()), "{end}: {before}");
            // What comes next is not lost to a line that was cut off.
            cut.put(entry("z", "z.md")).unwrap();
            assert_eq!(ids(&Manifest::open(&file).unwrap()), format!("{before}z"), "{end}");
        }
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("manifest.jsonl");
        let mut manifest = Manifest::open(&file).unwrap();
        for version in 0..2 * WASTE {
            manifest.put(Entry { version: Some(version.to_string()), ..entry("a", "a.md") }).unwrap();
        }
        manifest.finish().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1);
        manifest.put(entry("b", "b.md")).unwrap();
        assert_eq!(Manifest::open(&file).unwrap().len(), 2);
    }

    #[test]
    fn two_things_never_get_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::open(&folder.path().join("manifest.jsonl")).unwrap();
        let mut paths = Vec::new();
        for (id, name) in [
            ("1", "a/README.md"),
            ("2", "a/readme.md"),
            ("3", "a"),
            ("4", "A/b"),
            ("5", "a/b/c"),
            ("6", "a/readme.md/x"),
            ("7", "a/README.md"),
        ] {
            let path = manifest.path_for(id, name);
            manifest.put(entry(id, &path)).unwrap();
            paths.push(path);
        }
        assert_eq!((paths[0].as_str(), paths[3].as_str()), ("a/README.md", "A/b"));
        for (at, path) in paths.iter().enumerate() {
            for other in &paths[at + 1..] {
                let (path, other) = (path.to_lowercase(), other.to_lowercase());
                assert!(path != other && !path.starts_with(&format!("{other}/")), "{path} {other}");
                assert!(!other.starts_with(&format!("{path}/")), "{path} {other}");
            }
        }
        // Each keeps its own, and may take what its own file alone was in the way of.
        assert_eq!(manifest.path_for("1", "a/README.md"), "a/README.md");
        assert_eq!(manifest.path_for("1", "a/Readme.md"), "a/Readme.md");
        let mut manifest = Manifest::open(&folder.path().join("other.jsonl")).unwrap();
        manifest.put(entry("1", "a/b")).unwrap();
        assert_eq!(manifest.path_for("1", "a"), "a");
        assert_ne!(manifest.path_for("2", "a"), "a");
    }
}
