//! The mirrors of a data folder: which sources are mirrored and from where, and what is known of their files.
//!
//! Each lies in a folder of its own, `mirrors/NAME/`: its files, the manifest, the state of its last sync and, where it was
//! added while running, its settings. What the configuration file says of a source goes before those.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use storage::{Access, Readers, Source, replace_durably, sync_folder};

use crate::bucket::BucketSource;
use crate::confluence::Confluence;
use crate::connector::Connector;
use crate::error::ConnectError;
use crate::git::Git;
use crate::mailbox::Mailbox;
use crate::manifest::Manifest;
use crate::mediawiki::MediaWiki;
use crate::mirror::{Limits, Mirror, SyncObserver, SyncReport};
use crate::settings::{Kind, Settings};
use crate::state::SyncState;
use crate::webdav::WebDav;
use crate::website::Website;

/// The folder of all mirrors.
const FOLDER: &str = "mirrors";
/// Files in the folder of each.
const FILES: &str = "files";
const MANIFEST: &str = "manifest.jsonl";
const SETTINGS: &str = "connector.json";
const STATE: &str = "state.json";
/// Bytes of a name.
const MAX_NAME: usize = 64;
/// Least time between two readings of a manifest that changes all the time.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// What stands for itself in an address (RFC 3986, 2.3), and the slash.
const OF_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The mirrors of a data folder.
#[derive(Debug)]
pub struct Mirrors {
    root: PathBuf,
    /// By name: what the configuration says, or else was said while running.
    settings: Mutex<BTreeMap<String, Settings>>,
    /// What the manifests say, as they were read last.
    read: Mutex<BTreeMap<String, ReadManifest>>,
}

#[derive(Debug)]
struct ReadManifest {
    stamp: Option<(u64, SystemTime)>,
    at: Instant,
    files: Arc<BTreeMap<String, Told>>,
}

/// What a manifest says of a file.
#[derive(Debug, Clone)]
struct Told {
    url: Option<String>,
    access: Option<Access>,
}

impl Mirrors {
    /// The mirrors of a data folder, with those that the configuration names.
    ///
    /// # Errors
    /// The disk refuses, or the settings of a mirror make no sense.
    pub fn open(
        data_dir: &Path,
        configured: impl IntoIterator<Item = (String, Settings)>,
    ) -> Result<Self, ConnectError> {
        let parent = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_path_buf());
        let root = parent.join(FOLDER);
        let mut settings = noted(&root)?;
        settings.extend(configured);
        Ok(Self { root, settings: Mutex::new(settings), read: Mutex::default() })
    }

    /// Reads again what is noted in the folder, which another process has replaced, with those that the configuration names.
    ///
    /// # Errors
    /// As [`Mirrors::open`]; then what was known is still known.
    pub fn reload(&self, configured: impl IntoIterator<Item = (String, Settings)>) -> Result<(), ConnectError> {
        let mut settings = noted(&self.root)?;
        settings.extend(configured);
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// Whether a name can be that of a mirrored source, which names a folder.
    ///
    /// # Errors
    /// [`ConnectError::Setting`].
    pub fn check_name(name: &str) -> Result<(), ConnectError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.chars().all(plain) {
            let expected = format!(
                "expected 1 to {MAX_NAME} letters, digits, `-`, `_` or `.`, not at its beginning, got {name:?}"
            );
            return Err(ConnectError::Setting { setting: "name", expected });
        }
        Ok(())
    }

    /// The source of that name, whether or not it exists yet.
    pub fn source(&self, name: &str) -> Source {
        Source { name: name.to_owned(), root: self.folder(name).join(FILES) }
    }

    /// Whether a source is a mirror.
    pub fn owns(&self, source: &Source) -> bool {
        source.root == self.source(&source.name).root
    }

    /// The mirrored sources, with where they come from.
    pub fn all(&self) -> Vec<(String, Settings)> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.iter().map(|(name, settings)| (name.clone(), settings.clone())).collect()
    }

    /// Where a source comes from; `None` if it is no mirror.
    pub fn settings(&self, name: &str) -> Option<Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Notes a source that is mirrored from now on, durably, or other settings of one.
    ///
    /// # Errors
    /// The name or the settings make no sense, or the disk refuses; then nothing is changed.
    pub fn add(&self, name: &str, settings: &Settings) -> Result<(), ConnectError> {
        Self::check_name(name)?;
        settings.check()?;
        let folder = self.folder(name);
        let files = folder.join(FILES);
        fs::create_dir_all(&files).map_err(ConnectError::disk("make", &files))?;
        write_json(&folder.join(SETTINGS), settings)?;
        for folder in [&folder, &self.root] {
            sync_folder(folder).map_err(ConnectError::disk("write", folder))?;
        }
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), settings.clone());
        Ok(())
    }

    /// Makes the folder of a source that is not there yet, so that it is an empty one and not one that is out of reach.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn prepare(&self, name: &str) -> Result<(), ConnectError> {
        let files = self.folder(name).join(FILES);
        fs::create_dir_all(&files).map_err(ConnectError::disk("make", files))
    }

    /// Removes a mirror with all its files.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove(&self, name: &str) -> Result<(), ConnectError> {
        if Self::check_name(name).is_err() {
            return Ok(());
        }
        let folder = self.folder(name);
        // What is left of it after a crash is no mirror any more.
        match fs::remove_file(folder.join(SETTINGS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ConnectError::disk("remove", folder.join(SETTINGS))(error));
            }
            _ => {}
        }
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ConnectError::disk("remove", &folder)(error)),
            _ => Ok(()),
        }
    }

    /// Brings a mirror up to date, and notes how that went.
    ///
    /// # Errors
    /// What ended the sync; what was there before is kept.
    pub fn sync(
        &self,
        name: &str,
        observer: &dyn SyncObserver,
        stop: &Arc<AtomicBool>,
    ) -> Result<SyncReport, ConnectError> {
        let outcome = self.synced(name, observer, stop);
        let told = outcome.as_ref().map_err(|error| storage::chain(error));
        let state = self.state(name).unwrap_or_default().after(jiff::Timestamp::now().as_second(), told);
        // What the sync was like is known in any case; it is only not remembered.
        if let Err(error) = write_json(&self.folder(name).join(STATE), &state) {
            tracing::warn!(source = name, "the state of the sync is not kept: {}", storage::chain(&error));
        }
        outcome
    }

    fn synced(
        &self,
        name: &str,
        observer: &dyn SyncObserver,
        stop: &Arc<AtomicBool>,
    ) -> Result<SyncReport, ConnectError> {
        let settings = self.settings(name).unwrap_or_default();
        let folder = self.folder(name);
        let limits = Limits {
            files: settings.max_files,
            file_bytes: settings.max_file_mb << 20,
            bytes: settings.max_total_mb << 20,
            time: Duration::from_secs(settings.max_minutes * 60),
        };
        let mut mirror = Mirror::open(&folder, limits)?;
        let mut connector = connector(&settings, &folder, stop)?;
        mirror.sync(connector.as_mut(), observer, stop)
    }

    /// Connects, and names the first few things that are there; nothing is kept.
    ///
    /// # Errors
    /// What is wrong.
    pub fn probe(settings: &Settings, most: usize, stop: &Arc<AtomicBool>) -> Result<Vec<String>, ConnectError> {
        settings.check()?;
        let folder = Scratch::new()?;
        let mut connector = connector(settings, &folder.0, stop)?;
        let mut found = Vec::new();
        while found.len() < most {
            let Some(remote) = connector.next()? else { break };
            // A website leads on only from what was fetched.
            match connector.fetch(&remote, None, settings.max_file_mb << 20) {
                Ok(crate::Fetched::Content { remote, .. }) => found.push(remote.url.unwrap_or(remote.id)),
                Ok(_) => {}
                Err(error) if error.ends_sync() => return Err(error),
                Err(error) => found.push(format!("{}: {}", remote.id, storage::chain(&error))),
            }
        }
        Ok(found)
    }

    /// How the last sync of a source went; `None` where there was none.
    pub fn state(&self, name: &str) -> Option<SyncState> {
        // What cannot be read any more is made again by the next sync.
        read_json(&self.folder(name).join(STATE)).ok().flatten()
    }

    /// Where people find the original of a document, or of the file that it is inside of.
    pub fn url(&self, source: &str, path: &str) -> Option<String> {
        let settings = self.settings(source)?;
        let (path, told) = self.told(source, path)?;
        let linked = |link: &String| link.replace("{path}", &utf8_percent_encode(&path, OF_PATHS).to_string());
        told.url.or_else(|| settings.link.as_ref().map(linked))
    }

    /// Who may see a document, where the place that it comes from says that.
    pub fn access(&self, source: &str, path: &str) -> Option<Access> {
        self.settings(source)?;
        self.told(source, path)?.1.access
    }

    /// What the manifest says of a document, by the file that it is or is inside of.
    fn told(&self, source: &str, path: &str) -> Option<(String, Told)> {
        let files = self.manifest(source)?;
        let around = path.rmatch_indices('/').map(|(slash, _)| &path[..slash]);
        std::iter::once(path).chain(around).find_map(|path| Some((path.to_owned(), files.get(path)?.clone())))
    }

    /// The manifest as it is on disk now, or was a moment ago.
    fn manifest(&self, source: &str) -> Option<Arc<BTreeMap<String, Told>>> {
        let file = self.folder(source).join(MANIFEST);
        let stamp = || fs::metadata(&file).ok().and_then(|data| Some((data.len(), data.modified().ok()?)));
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp();
        if let Some(known) = read.get(source).filter(|known| known.stamp == now || known.at.elapsed() < READ_AGAIN) {
            return Some(Arc::clone(&known.files));
        }
        let manifest = Manifest::read(&file).ok()?;
        let told = manifest
            .entries()
            .map(|entry| (entry.path.clone(), Told { url: entry.url.clone(), access: entry.access.clone() }));
        let files: Arc<BTreeMap<_, _>> = Arc::new(told.collect());
        read.insert(source.to_owned(), ReadManifest { stamp: now, at: Instant::now(), files: Arc::clone(&files) });
        Some(files)
    }

    /// What was read of a manifest is read anew: a pass is about to ask what a sync has just written.
    pub fn refresh(&self, name: &str) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// The settings of the mirrors in a folder that were noted there, by name.
fn noted(root: &Path) -> Result<BTreeMap<String, Settings>, ConnectError> {
    let listed = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.and_then(Iterator::collect).map_err(ConnectError::disk("list", root))?,
    };
    let mut settings = BTreeMap::new();
    for entry in listed {
        let (name, file) = (entry.file_name().to_string_lossy().into_owned(), entry.path().join(SETTINGS));
        if let Some(known) = read_json::<Settings>(&file)? {
            settings.insert(name, known);
        }
    }
    Ok(settings)
}

/// The way to what the settings name.
fn connector(settings: &Settings, folder: &Path, stop: &Arc<AtomicBool>) -> Result<Box<dyn Connector>, ConnectError> {
    settings.check()?;
    let (kind, url) = settings.parsed()?;
    Ok(match kind {
        Kind::Website => Box::new(Website::new(settings, url, Arc::clone(stop))?),
        Kind::Git => Box::new(Git::new(settings, url, folder, Arc::clone(stop))?),
        Kind::WebDav => Box::new(WebDav::new(settings, url, Arc::clone(stop))?),
        Kind::MediaWiki => Box::new(MediaWiki::new(settings, url, Arc::clone(stop))?),
        Kind::Mailbox => Box::new(Mailbox::new(settings, &url, Arc::clone(stop))?),
        Kind::Confluence => Box::new(Confluence::new(settings, &url, Arc::clone(stop))?),
        Kind::Bucket => Box::new(BucketSource::new(settings, url, Arc::clone(stop))?),
    })
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>, ConnectError> {
    let text = match fs::read(file) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        read => read.map_err(ConnectError::disk("read", file))?,
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| ConnectError::disk("read", file)(error.into()))
}

fn write_json<T: serde::Serialize>(file: &Path, value: &T) -> Result<(), ConnectError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| ConnectError::disk("write", file)(error.into()))?;
    replace_durably(file, Readers::Owner, |file| file.write_all(&text)).map_err(ConnectError::disk("write", file))
}

/// A folder for a moment.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, ConnectError> {
        let unique = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        let folder = std::env::temp_dir().join(format!("quarry-connect-{unique:016x}"));
        fs::create_dir_all(folder.join(FILES)).map_err(ConnectError::disk("make", &folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies among the system's other scratch at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_there_after_a_restart_until_it_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let settings = Settings::at("https://wiki.example/docs/");
        let mirrors = Mirrors::open(data.path(), []).unwrap();
        mirrors.add("wiki", &settings).unwrap();
        for wrong in ["", ".wiki", "a/b", "..", "a b", &"a".repeat(65)] {
            assert!(mirrors.add(wrong, &settings).unwrap_err().to_string().starts_with("name: expected"), "{wrong}");
        }
        assert!(mirrors.add("bad", &Settings::at("ftp://a.example/")).is_err());
        let configured = Settings { pause_ms: 7, ..settings.clone() };
        let again = Mirrors::open(data.path(), [("other".to_owned(), configured.clone())]).unwrap();
        assert_eq!(again.all(), [("other".to_owned(), configured), ("wiki".to_owned(), settings)]);
        let source = again.source("wiki");
        assert!(again.owns(&source) && source.root.is_dir() && source.root.is_absolute());
        assert!(!again.owns(&Source { name: "wiki".into(), root: "/srv/wiki".into() }));
        let manifest = data.path().join("mirrors/wiki/manifest.jsonl");
        let line = r#"{"id":"1","path":"a.zip","url":"https://wiki.example/docs/a.zip","bytes":1}"#;
        fs::write(&manifest, format!("{line}\n")).unwrap();
        let url = Some("https://wiki.example/docs/a.zip".to_owned());
        assert_eq!((again.url("wiki", "a.zip"), again.url("wiki", "a.zip/b/c.md")), (url.clone(), url));
        assert_eq!((again.url("wiki", "b.zip"), again.url("none", "a.zip")), (None, None));
        again.remove("wiki").unwrap();
        again.remove("wiki").unwrap();
        assert_eq!((again.all().len(), again.url("wiki", "a.zip")), (1, None));
        assert!(Mirrors::open(data.path(), []).unwrap().all().is_empty());
    }

    #[test]
    fn what_cannot_be_reached_is_told_and_remembered() {
        let data = tempfile::tempdir().unwrap();
        let mirrors = Mirrors::open(data.path(), []).unwrap();
        mirrors.add("wiki", &Settings::at("http://localhost:9/")).unwrap();
        let stop = Arc::default();
        let error = mirrors.sync("wiki", &(), &stop).unwrap_err();
        assert!(matches!(error, ConnectError::Private { .. }), "{error}");
        let state = mirrors.state("wiki").unwrap();
        assert!(state.error.unwrap().contains("allow_private") && state.synced.is_none() && state.tried > 0);
        assert!(matches!(
            Mirrors::probe(&Settings::at("http://127.0.0.1:9/"), 3, &stop),
            Err(ConnectError::Private { .. })
        ));
    }
}
