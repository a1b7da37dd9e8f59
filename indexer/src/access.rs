//! Who may see documents, as far as their files say: asked with every file that is read, and again of all files in each run,
//! for an access may change without its file.

use std::fmt;
use std::time::{Duration, Instant};

use storage::{Access, Batch, DocumentId, FilePermissions, LedgerEntry, Source, Store};

use crate::beneath::Root;
use crate::error::IndexError;
use crate::permissions::{self, Folders};
use crate::pipeline::Indexer;

/// Accesses of one commit.
const AT_ONCE: usize = 10_000;
/// Least time between two looks at all files in a run that takes long.
const REST: Duration = Duration::from_secs(60);
/// Share of its time that such a run spends on them: one part in as many.
const SHARE: u32 = 50;

/// Says who may see the documents of files, where that was said with them.
pub trait FileAccess: fmt::Debug + Send + Sync {
    /// Who may see the document at a path of a source, or inside of the file there; `None` where the file says nothing: then
    /// what was said before stays.
    fn access(&self, source: &Source, path: &str) -> Option<Access>;
}

/// What a file that was read said of who may see it, and how it was asked.
pub(crate) type Told = (FilePermissions, Access);

/// Adds to a batch who may see a document, if that is not what the store knows; whether it was not.
pub(crate) fn note(batch: &mut Batch, store: &Store, of: &dyn FileAccess, source: &Source, path: &str) -> bool {
    let Some(access) = of.access(source, path) else { return false };
    // Open to all is what a document is that says nothing.
    put(batch, store, DocumentId::of(&source.name, path), Some(access).filter(|access| !access.is_open()))
}

/// Adds to a batch who may see a document whose file was read, if the files of its source say that: nobody, where they were
/// asked otherwise than they are now.
pub(crate) fn note_told(batch: &mut Batch, store: &Store, source: &Source, path: &str, told: Option<Told>) {
    let Some(kind) = store.file_permissions(&source.name) else { return };
    let access = told.filter(|(of, _)| *of == kind).map_or_else(Access::nobody, |(_, access)| access);
    put(batch, store, DocumentId::of(&source.name, path), Some(access));
}

fn put(batch: &mut Batch, store: &Store, id: DocumentId, access: Option<Access>) -> bool {
    let is_news = store.access(id) != access.as_ref();
    if is_news {
        batch.set_access(id, access);
    }
    is_news
}

/// A document or file as it was read: what of its line in the ledger tells whether it still is.
pub(crate) struct AsRead {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) modified: i64,
    pub(crate) inode: Option<(u64, u64)>,
}

impl From<LedgerEntry> for AsRead {
    fn from(line: LedgerEntry) -> Self {
        let LedgerEntry { path, bytes, modified_ns: modified, inode, .. } = line;
        Self { path, bytes, modified, inode }
    }
}

/// When the files of a source are looked at again while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// When the last look ended, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl Round {
    fn is_due(&self) -> bool {
        self.last.is_none_or(|(ended, took)| ended.elapsed() >= REST.max(took * SHARE))
    }
}

impl Indexer<'_> {
    /// Looks at all files before a run reads some of them; how many documents others may see now.
    pub(crate) fn begin_accesses(&mut self, source: &Source, root: &Root) -> Result<u64, IndexError> {
        match self.store.file_permissions(&source.name) {
            Some(_) => self.refresh_accesses(source, root, None),
            None => Ok(0),
        }
    }

    /// Looks at all files again if a run has gone on for long.
    pub(crate) fn look_around(&mut self, source: &Source, root: Option<&Root>) -> Result<(), IndexError> {
        if let Some(root) = root.filter(|_| self.round.is_due()) {
            self.begin_accesses(source, root)?;
        }
        Ok(())
    }

    /// Brings who may see the documents of a source up to date, of all or of those in these files; how many have changed.
    pub(crate) fn refresh_accesses(
        &mut self,
        source: &Source,
        root: &Root,
        paths: Option<&[String]>,
    ) -> Result<u64, IndexError> {
        let started = Instant::now();
        let changed = match (self.store.file_permissions(&source.name), self.options.access.clone()) {
            (Some(kind), _) => self.ask_files(source, root, &permissions::Permissions::new(kind), paths)?,
            (None, Some(of)) => self
                .refresh(source, paths, |batch, store, line| Ok(note(batch, store, of.as_ref(), source, &line.path)))?,
            (None, None) => 0,
        };
        self.round.last = Some((Instant::now(), started.elapsed()));
        Ok(changed)
    }

    fn ask_files(
        &mut self,
        source: &Source,
        root: &Root,
        permissions: &permissions::Permissions,
        paths: Option<&[String]>,
    ) -> Result<u64, IndexError> {
        let mut folders = Folders::default();
        let mut holder: Option<AsRead> = None;
        self.refresh(source, paths, |batch, store, line| {
            let id = DocumentId::of(&source.name, &line.path);
            // Where it is gone the pass says what becomes of its documents.
            let Some(said) = permissions.of_document(root, &line.path, &mut folders) else { return Ok(false) };
            let file = &line.path[..said.file];
            if file != line.path && holder.as_ref().is_none_or(|holder| holder.path != file) {
                holder = store.ledger_entry(&source.name, file)?.map(AsRead::from);
            }
            let read = if file == line.path { Some(line) } else { holder.as_ref() };
            let is_as_read = read.is_some_and(|read| said.is_of(read));
            let access = match store.access(id) {
                // What stands there now is not what was read: who may see the one need not have been let see the other.
                Some(before) if !is_as_read => before.clone().and(said.access),
                None if !is_as_read => Access::nobody(),
                _ => said.access,
            };
            Ok(put(batch, store, id, Some(access)))
        })
    }

    /// Goes over documents, and commits what `note` finds.
    fn refresh(
        &mut self,
        source: &Source,
        paths: Option<&[String]>,
        mut note: impl FnMut(&mut Batch, &Store, &AsRead) -> Result<bool, IndexError>,
    ) -> Result<u64, IndexError> {
        let (mut batch, mut open, mut changed) = (Batch::default(), 0, 0);
        for line in self.documents_of(source, paths)? {
            if note(&mut batch, self.store, &line)? {
                open += 1;
                changed += 1;
            }
            if open == AT_ONCE {
                self.store.commit(std::mem::take(&mut batch))?;
                open = 0;
            }
        }
        self.store.commit(batch)?;
        Ok(changed)
    }

    fn documents_of(&self, source: &Source, paths: Option<&[String]>) -> Result<Vec<AsRead>, IndexError> {
        let mut documents = Vec::new();
        let mut add = |entry: LedgerEntry| documents.extend(entry.is_searchable().then(|| AsRead::from(entry)));
        match paths {
            None => {
                for entry in self.store.ledger(&source.name) {
                    add(entry?);
                }
            }
            Some(paths) => {
                for path in paths {
                    self.store.ledger_entry(&source.name, path)?.into_iter().for_each(&mut add);
                    for entry in self.store.ledger_inside(&source.name, path) {
                        add(entry?);
                    }
                }
            }
        }
        Ok(documents)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;
    use std::sync::atomic::AtomicBool;
    use std::time::SystemTime;

    use qwen3::{EmbedHandle, Embedder, EmbedderOptions, ModelFiles, WorkerOptions};
    use storage::IndexModel;

    use super::*;
    use crate::{IndexOptions, Silent};

    fn embedder() -> EmbedHandle {
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models/nano");
        let embedder = Embedder::open(&ModelFiles::open(model).unwrap(), EmbedderOptions::default()).unwrap();
        EmbedHandle::start(embedder, &WorkerOptions::default()).unwrap()
    }

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        // Long ago: what has just changed is read again in any case.
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + text.len() as u64);
        File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_was_read_is_not_opened_by_what_stands_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let root = folder.path().join("docs");
        fs::create_dir(&root).unwrap();
        let (file, zip) = (root.join("a.md"), root.join("a.eml"));
        write(&file, "The secret pump.", 0o600);
        let mail = "Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
            Content-Type: text/plain; name=b.txt\r\nContent-Disposition: attachment; filename=b.txt\r\n\r\nA valve.\r\n--b--\r\n";
        write(&zip, mail, 0o600);
        let (embedder, cancel) = (embedder(), AtomicBool::new(false));
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: embedder.dimension() };
        let mut store = Store::open(&folder.path().join("data"), &model).unwrap();
        let source = Source { name: "docs".into(), root: root.canonicalize().unwrap() };
        store.set_file_permissions("docs", Some(FilePermissions::Posix)).unwrap();
        let options = IndexOptions::default();
        let index = |store: &mut Store| {
            Indexer::new(store, &embedder, options.clone(), &Silent, &cancel).index_source(&source).unwrap()
        };
        let look = |store: &mut Store| {
            let held = Root::open(&source.root).unwrap();
            let mut indexer = Indexer::new(store, &embedder, options.clone(), &Silent, &cancel);
            indexer.refresh_accesses(&source, &held, None).unwrap()
        };
        let of = |store: &Store, path: &str| store.access(DocumentId::of("docs", path)).cloned();
        index(&mut store);
        let owner = fs::metadata(&file).unwrap().uid();
        let own = of_owner(owner);
        for path in ["a.md", "a.eml/b.txt"] {
            assert_eq!(of(&store, path), Some(own.clone()), "{path}");
        }
        // Permissions alone: the text that was read is now for all.
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&zip, Permissions::from_mode(0o644)).unwrap();
        // The page, the mail, and what is attached to it.
        assert_eq!(look(&mut store), 3);
        for path in ["a.md", "a.eml/b.txt"] {
            assert_eq!(of(&store, path), Some(Access::everyone()), "{path}");
        }
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&zip, Permissions::from_mode(0o600)).unwrap();
        let report = index(&mut store);
        assert_eq!((report.accesses, report.unchanged, report.indexed), (3, 2, 0));
        // Another text in its place, open to all: the one that was read is not.
        write(&file, "The pump of which everybody may know.", 0o644);
        write(&zip, &mail.replace("valve", "rotor of another kind"), 0o644);
        assert_eq!(look(&mut store), 0);
        for path in ["a.md", "a.eml/b.txt"] {
            assert_eq!(of(&store, path), Some(own.clone()), "{path}");
        }
        assert_eq!(index(&mut store).indexed, 3);
        for path in ["a.md", "a.eml/b.txt"] {
            assert_eq!(of(&store, path), Some(Access::everyone()), "{path}");
        }
        // What is gone keeps what it had until a pass says what becomes of it; what became a folder or link is closed.
        fs::remove_file(&file).unwrap();
        assert_eq!((look(&mut store), of(&store, "a.md")), (0, Some(Access::everyone())));
        std::os::unix::fs::symlink(&zip, &file).unwrap();
        assert_eq!((look(&mut store), of(&store, "a.md")), (1, Some(Access::nobody())));
    }

    fn of_owner(user: u32) -> Access {
        let name = nix::unistd::User::from_uid(user.into()).unwrap().map_or(user.to_string(), |user| user.name);
        Access::parse(&[format!("posix-user:{name}")]).unwrap()
    }
}
