//! The watch over the folders of sources on behalf of the writer, which says by what each is compared again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Weak;
use std::time::{Duration, Instant};

use indexer::Watcher;
use storage::Source;

use super::Shared;
use super::timetable::Habit;
use crate::config::IndexConfig;

/// The folders that are watched, and the rules for all.
pub(super) struct Folders {
    config: IndexConfig,
    /// Folder of the pushed documents: only the server itself writes there.
    pushed: PathBuf,
    watched: HashMap<String, Watched>,
}

struct Watched {
    /// What was watched: another folder in its place (a disk that was mounted again) has to be watched anew.
    folder: Option<(u64, u64)>,
    /// `None` where the system sends no events.
    watcher: Option<Watcher>,
}

impl Folders {
    pub(super) fn new(config: &IndexConfig, pushed: PathBuf) -> Self {
        Self { config: config.clone(), pushed, watched: HashMap::new() }
    }

    /// Watches a source that is about to be compared, if it is to be watched and is not yet.
    pub(super) fn tend(&mut self, source: &Source, shared: &Weak<Shared>) -> Habit {
        // Only the server itself writes to its mirrors.
        let is_mirror = shared.upgrade().is_some_and(|shared| shared.mirrors.owns(source));
        let minutes = match is_mirror {
            true => self.config.fetch_minutes_of(&source.name),
            false => self.config.every_minutes_of(&source.name),
        };
        let every = (minutes > 0).then(|| Duration::from_secs(minutes * 60));
        let is_pushed = source.root.parent() == Some(&self.pushed);
        if is_pushed || is_mirror || !self.config.is_watched(&source.name) {
            return Habit { poll: None, every };
        }
        let folder = identity(&source.root);
        let is_watched = self.watched.get(&source.name).is_some_and(|watched| watched.folder == folder);
        if !is_watched {
            let watched = Watched { folder, watcher: watch(source, shared) };
            self.watched.insert(source.name.clone(), watched);
        }
        let has_watcher =
            folder.is_some() && self.watched.get(&source.name).is_some_and(|watched| watched.watcher.is_some());
        let poll = (!has_watcher).then(|| Duration::from_secs(self.config.poll_seconds.max(1)));
        Habit { poll, every }
    }

    pub(super) fn forget(&mut self, source: &str) {
        self.watched.remove(source);
    }
}

fn watch(source: &Source, shared: &Weak<Shared>) -> Option<Watcher> {
    let (name, shared) = (source.name.clone(), Weak::clone(shared));
    let changed = move || {
        if let Some(shared) = shared.upgrade() {
            shared.touched(&name, Instant::now());
        }
    };
    match Watcher::start(source, changed) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(source = source.name, "compared every `poll_seconds` instead of watched: {error}");
            None
        }
    }
}

#[cfg(unix)]
fn identity(folder: &std::path::Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &std::path::Path) -> Option<(u64, u64)> {
    folder.is_dir().then_some((0, 0))
}
