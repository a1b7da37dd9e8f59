//! The watch over a source's folder, which notices that something changes below it. An event is a hint that the folder
//! is to be compared with the ledger again, never a statement of what changed: events are lost, doubled and reordered
//! by every system, a comparison is not. Where the system sends no events (network file systems, too many folders), the
//! caller is told to look by the clock instead.

use std::path::{Component, Path};

use notify::event::{AccessKind, AccessMode, EventKind, MetadataKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use storage::Source;

use crate::walk::IGNORE_FILE;

/// Watches the folder of one source until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    _events: RecommendedWatcher,
}

/// Why a folder cannot be watched; the message says what helps.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Changes made by other machines cause no events.
    #[error("{file_system} is a network file system, which does not tell of changes")]
    Network {
        /// Name of the file system.
        file_system: &'static str,
    },
    /// The system's table of watches is full.
    #[error("too many folders to watch; raise fs.inotify.max_user_watches (sysctl)")]
    TooMany,
    /// Something else.
    #[error("the folder cannot be watched ({0})")]
    Other(String),
}

impl Watcher {
    /// Calls `changed` after every change below the source's root that may matter, from a thread of its own; keep it
    /// short. It may be called for changes that turn out to be none.
    ///
    /// # Errors
    /// [`WatchError`]: compare by the clock then.
    pub fn start(source: &Source, changed: impl Fn() + Send + 'static) -> Result<Self, WatchError> {
        if let Some(file_system) = network_file_system(&source.root) {
            return Err(WatchError::Network { file_system });
        }
        let root = source.root.clone();
        let heard = move |event: notify::Result<notify::Event>| match event {
            // An error (a queue that ran over, a folder that could not be added) means that events may be missing.
            Err(_) => changed(),
            Ok(event) if event.need_rescan() || matters(&root, &event) => changed(),
            Ok(_) => {}
        };
        // A link inside may lead to anywhere; the walk does not follow it either.
        let config = notify::Config::default().with_follow_symlinks(false);
        let mut events = RecommendedWatcher::new(heard, config).map_err(WatchError::from)?;
        events.watch(&source.root, RecursiveMode::Recursive)?;
        Ok(Self { _events: events })
    }
}

impl From<notify::Error> for WatchError {
    fn from(error: notify::Error) -> Self {
        match error.kind {
            notify::ErrorKind::MaxFilesWatch => Self::TooMany,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// Whether an event can change what is indexed: reading does not, and nothing below a hidden folder does.
fn matters(root: &Path, event: &notify::Event) -> bool {
    let writes = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(MetadataKind::AccessTime)) => false,
        _ => true,
    };
    writes && (event.paths.is_empty() || event.paths.iter().any(|path| is_seen(root, path)))
}

/// Whether the walk would see a path, as far as its name tells. The ignore files are hidden and still matter.
fn is_seen(root: &Path, path: &Path) -> bool {
    let Ok(relative) = path.strip_prefix(root) else { return true };
    let is_rule = relative.file_name().is_some_and(|name| name == IGNORE_FILE || name == ".gitignore");
    let folders = if is_rule { relative.parent().unwrap_or(relative) } else { relative };
    let is_hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    !folders.components().any(is_hidden)
}

/// Name of the network file system that a folder lies on, if it does.
#[cfg(target_os = "linux")]
fn network_file_system(path: &Path) -> Option<&'static str> {
    // Magic numbers of statfs(2). FUSE may be local, but whether it tells of changes is up to whoever wrote it.
    const NETWORK: &[(u32, &str)] = &[
        (0x6969, "NFS"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x517b, "SMB"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9P"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x7461_636f, "OCFS2"),
        (0x0bd0_0bd0, "Lustre"),
        (0x4750_4653, "GPFS"),
    ];
    let found = rustix::fs::statfs(path).ok()?;
    // The width and sign of the field differ between architectures; the numbers have 32 bits.
    let magic = found.f_type as u32;
    NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    fn watched(root: &Path) -> (Watcher, Receiver<()>) {
        let (heard, events) = channel();
        let source = Source { name: "a".into(), root: root.to_path_buf() };
        let watcher = Watcher::start(&source, move || {
            // The test may be over.
            let _ = heard.send(());
        })
        .unwrap();
        (watcher, events)
    }

    fn is_told(events: &Receiver<()>) -> bool {
        let told = events.recv_timeout(Duration::from_secs(5)).is_ok();
        // What belongs to the same change comes at once.
        while events.recv_timeout(Duration::from_millis(200)).is_ok() {}
        told
    }

    #[test]
    fn changes_are_told_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("deep")).unwrap();
        let (_watcher, events) = watched(&root);
        fs::write(root.join("deep/a.md"), "text").unwrap();
        assert!(is_told(&events), "a new file");
        fs::rename(root.join("deep/a.md"), root.join("b.md")).unwrap();
        assert!(is_told(&events), "a move");
        fs::write(root.join(IGNORE_FILE), "*.tmp").unwrap();
        assert!(is_told(&events), "a rule");
        fs::create_dir_all(root.join("new/folder")).unwrap();
        assert!(is_told(&events), "a new folder");
        fs::write(root.join("new/folder/c.md"), "text").unwrap();
        assert!(is_told(&events), "a file in a new folder");
        fs::read(root.join("b.md")).unwrap();
        fs::write(root.join(".hidden"), "x").unwrap();
        assert!(events.recv_timeout(Duration::from_millis(500)).is_err(), "reading or a hidden file");
        fs::remove_file(root.join("b.md")).unwrap();
        assert!(is_told(&events), "a deletion");
    }

    #[test]
    fn hidden_paths_do_not_matter_and_rules_do() {
        let root = Path::new("/srv/.data/wiki");
        assert!(is_seen(root, Path::new("/srv/.data/wiki/a/b.md")));
        assert!(is_seen(root, Path::new("/srv/.data/wiki/a/.gitignore")));
        assert!(!is_seen(root, Path::new("/srv/.data/wiki/.git/index")));
        assert!(!is_seen(root, Path::new("/srv/.data/wiki/.git/.gitignore")));
    }
}
