//! Tests of backups over a store: what is pinned, what is shared, what is noticed, and what goes wrong at the destination.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;

use super::*;
use crate::access::SourceAccess;
use crate::batch::Batch;
use crate::durable::Readers;
use crate::error::Error;
use crate::record::{ChunkDraft, ContentKey, Document, FileState, IndexModel, LedgerEntry, Source};
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::verify::verify;

mod following;

const DIMENSION: usize = 64;

struct Bench {
    root: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn other(&self) -> PathBuf {
        self.root.path().join("other")
    }

    fn destination(&self) -> BackupFolder {
        BackupFolder::new(&self.root.path().join("backups"))
    }

    fn objects(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.root.path().join("backups/objects")).unwrap();
        let mut objects: Vec<PathBuf> = folders
            .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        objects.sort();
        objects
    }

    fn restore(&self, at: &At) -> BackupResult<Restored> {
        restore(&self.destination(), &self.other(), at, &Unobserved)
    }
}

fn model() -> IndexModel {
    IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: DIMENSION }
}

fn open(bench: &Bench) -> Store {
    let mut store = Store::open(&bench.data(), &model()).unwrap();
    store.add_source(Source { name: "wiki".into(), root: "/srv/wiki".into() }).unwrap();
    store
}

/// A document of its own words, in a batch.
fn put(batch: &mut Batch, number: u32, edition: u32) {
    let path = format!("{number}.md");
    let mut noise = [0; 400];
    blake3::Hasher::new().update(&number.to_le_bytes()).update(&edition.to_le_bytes()).finalize_xof().fill(&mut noise);
    let words: Vec<String> = noise.chunks(2).map(|pair| format!("w{:02x}{:02x}", pair[0], pair[1])).collect();
    let text = format!("marker{number} edition{edition} {}", words.join(" "));
    let vector: Vec<f32> = noise.iter().take(DIMENSION).map(|byte| f32::from(*byte) / 255.0 - 0.5).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let document = Document {
        source: "wiki".into(),
        path: path.clone(),
        title: path.clone(),
        kind: "text".into(),
        language: None,
        modified: 7,
        bytes: 1,
        metadata: Default::default(),
        fingerprint: None,
    };
    let chunk = ChunkDraft {
        headings: Vec::new(),
        span: 0..text.len() as u64,
        lines: 1..2,
        place: None,
        blocks: Vec::new(),
        key: ContentKey::of(&[], &text),
        text,
        vector: Some(vector.iter().map(|value| value / length).collect()),
    };
    batch.put(document, vec![chunk]);
    let state = FileState::Indexed { notes: Vec::new() };
    batch.record(LedgerEntry { state, chunks: 1, ..LedgerEntry::blank("wiki", &path, "1") });
}

fn commit(store: &mut Store, numbers: impl Iterator<Item = u32>, edition: u32) {
    let mut batch = Batch::default();
    numbers.for_each(|number| put(&mut batch, number, edition));
    store.commit(batch).unwrap();
}

fn remove(store: &mut Store, numbers: impl Iterator<Item = u32>) {
    let mut batch = Batch::default();
    for number in numbers {
        batch.remove("wiki", &format!("{number}.md"));
        batch.forget("wiki", &format!("{number}.md"));
    }
    store.commit(batch).unwrap();
}

fn back_up(bench: &Bench, store: &Store) -> BackupResult<BackupReport> {
    let destination = bench.destination();
    let writer = BackupWriter::begin(&destination, &bench.data())?;
    let source = store.backup_source(&writer.known())?;
    writer.write(&source, &Unobserved)
}

fn documents(data: &Path) -> u64 {
    Snapshot::open(data).unwrap().whole().unwrap().totals().documents
}

#[test]
fn what_is_pinned_stays_as_it_was_whatever_is_committed_after() {
    let bench = Bench::new();
    let mut store = open(&bench);
    commit(&mut store, 0..300, 0);
    fs::create_dir_all(bench.data().join("pushed/api")).unwrap();
    fs::write(bench.data().join("pushed/api/a.md"), "old").unwrap();
    fs::write(bench.data().join("sessions.json"), "secret").unwrap();
    fs::write(bench.data().join("audit.log"), "one\n").unwrap();
    let destination = bench.destination();
    let writer = BackupWriter::begin(&destination, &bench.data()).unwrap();
    let source = store.backup_source(&writer.known()).unwrap();
    let generation = store.snapshot().whole().unwrap().totals().sequence;
    // Everything is replaced, merged away, removed or longer by the time it is copied.
    for edition in 1..6 {
        commit(&mut store, 0..300, edition);
    }
    remove(&mut store, 0..250);
    store.set_source_access("wiki", Some(SourceAccess::closed())).unwrap();
    crate::durable::replace_durably(&bench.data().join("pushed/api/a.md"), Readers::Umask, |file| {
        io::Write::write_all(file, b"new")
    })
    .unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(bench.data().join("audit.log"))
        .and_then(|mut log| io::Write::write_all(&mut log, b"two\n"))
        .unwrap();
    let report = writer.write(&source, &Unobserved).unwrap();
    assert_eq!((report.summary.documents, report.summary.generation), (300, generation));
    drop(source);
    assert!(!bench.data().join("backing-up").exists());
    store.close().unwrap();
    assert_eq!(documents(&bench.data()), 50);
    drop(writer);
    let restored = bench.restore(&At::Newest).unwrap();
    assert_eq!((restored.repairs, restored.moved), (Vec::new(), Vec::<String>::new()));
    assert_eq!(documents(&bench.other()), 300);
    assert_eq!(verify(&bench.other()).unwrap().findings, []);
    let store = Store::open(&bench.other(), &model()).unwrap();
    assert!(store.source_access("wiki").is_none() && store.repairs().is_empty(), "{:?}", store.repairs());
    assert_eq!(store.snapshot().whole().unwrap().totals().sequence, generation);
    assert_eq!(fs::read_to_string(bench.other().join("pushed/api/a.md")).unwrap(), "old");
    assert_eq!(fs::read_to_string(bench.other().join("audit.log")).unwrap(), "one\n");
    assert!(!bench.other().join("sessions.json").exists());
}

#[test]
fn what_two_backups_have_in_common_is_stored_once() {
    let bench = Bench::new();
    let mut store = open(&bench);
    // As many vectors as several pieces hold.
    for part in 0..4 {
        commit(&mut store, part * 1500..(part + 1) * 1500, 0);
    }
    store.close().unwrap();
    let store = Store::open(&bench.data(), &model()).unwrap();
    let first = back_up(&bench, &store).unwrap();
    assert!(first.is_first && first.objects > 20, "{first:?}");
    let objects = bench.objects();
    let again = back_up(&bench, &store).unwrap();
    assert_eq!((again.objects, again.summary.added, again.is_first), (0, 0, false));
    assert_eq!(again.summary.bytes, first.summary.bytes);
    store.close().unwrap();
    let mut store = Store::open(&bench.data(), &model()).unwrap();
    let opened_anew = back_up(&bench, &store).unwrap();
    assert_eq!(opened_anew.objects, 0, "opening and closing changes nothing");
    assert_eq!(bench.objects(), objects);
    // Ten of 6,000 documents: their runs of the store, one piece of vectors, and small new segments of the lexical index.
    commit(&mut store, (0..6000).step_by(600), 1);
    let small = back_up(&bench, &store).unwrap();
    let share = small.summary.added as f64 / first.summary.added as f64;
    assert!(small.objects > 0 && share < 0.25, "{share}: {small:?}");
    eprintln!(
        "first {} bytes stored of {}, ten documents changed: {share:.3}",
        first.summary.added, first.summary.bytes
    );
    assert_eq!(verify_backups(&bench.destination(), &Unobserved).unwrap().findings, []);
    bench.restore(&At::Named(first.summary.name)).unwrap();
    assert_eq!(documents(&bench.other()), 6000);
}

#[test]
fn a_flipped_byte_in_any_object_is_noticed_and_named() {
    let bench = Bench::new();
    let mut store = open(&bench);
    commit(&mut store, 0..200, 0);
    fs::write(bench.data().join("keys.json"), "{\"keys\": 1}").unwrap();
    back_up(&bench, &store).unwrap();
    store.close().unwrap();
    let mut named = Vec::new();
    for object in bench.objects() {
        let whole = fs::read(&object).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut other = whole.clone();
            other[at] ^= 0x10;
            fs::write(&object, other).unwrap();
            let check = verify_backups(&bench.destination(), &Unobserved).unwrap();
            assert_eq!(check.findings.len(), 1, "{}", object.display());
            let error = bench.restore(&At::Newest).unwrap_err();
            let BackupError::Damaged { what, .. } = error else { panic!("{error}") };
            assert!(check.findings[0].detail.contains(&what), "{what}");
            assert!(what.contains(object.file_name().unwrap().to_str().unwrap()));
            assert!(!bench.other().join("index-1").exists() && !bench.other().join("restoring").exists());
            named.push(what);
        }
        fs::write(&object, whole).unwrap();
    }
    for kind in ["the document store", "vectors.bin", "lexical/", "index.json", "totals.json", "keys.json", "access/"] {
        assert!(named.iter().any(|what| what.contains(kind)), "{kind}: {named:?}");
    }
    // A manifest.
    let lists = bench.root.path().join("backups/backups");
    let list = fs::read_dir(&lists).unwrap().next().unwrap().unwrap().path();
    let mut text = fs::read(&list).unwrap();
    text[60] ^= 1;
    fs::write(&list, text).unwrap();
    let check = verify_backups(&bench.destination(), &Unobserved).unwrap();
    assert_eq!(check.findings.len(), 1, "{check:?}");
    assert!(matches!(bench.restore(&At::Newest), Err(BackupError::Damaged { .. })));
    let listed = list_backups(&bench.destination()).unwrap();
    assert!(matches!(listed[..], [Err(BackupError::Damaged { .. })]));
}

#[test]
fn the_next_backup_mends_what_is_short_or_gone() {
    let bench = Bench::new();
    let mut store = open(&bench);
    commit(&mut store, 0..200, 0);
    back_up(&bench, &store).unwrap();
    let objects = bench.objects();
    fs::remove_file(&objects[0]).unwrap();
    fs::write(&objects[1], &fs::read(&objects[1]).unwrap()[1..]).unwrap();
    assert_eq!(verify_backups(&bench.destination(), &Unobserved).unwrap().findings.len(), 2);
    let report = back_up(&bench, &store).unwrap();
    assert_eq!((report.mended, report.objects), (2, 2));
    assert_eq!(verify_backups(&bench.destination(), &Unobserved).unwrap().findings, []);
    // One that no list vouches for is read before it is used: here, all of them.
    for list in fs::read_dir(bench.root.path().join("backups/backups")).unwrap() {
        fs::remove_file(list.unwrap().path()).unwrap();
    }
    let mut text = fs::read(&objects[2]).unwrap();
    *text.last_mut().unwrap() ^= 1;
    fs::write(&objects[2], text).unwrap();
    assert_eq!(verify_backups(&bench.destination(), &Unobserved).unwrap().unused, objects.len() as u64);
    let report = back_up(&bench, &store).unwrap();
    assert_eq!((report.mended, report.objects), (1, 1));
    assert_eq!(verify_backups(&bench.destination(), &Unobserved).unwrap().findings, []);
}

/// A destination that refuses after so many writes.
struct Failing {
    folder: BackupFolder,
    left: AtomicI64,
    kind: io::ErrorKind,
}

impl Destination for Failing {
    fn place(&self) -> String {
        self.folder.place()
    }
    fn prepare(&self) -> io::Result<()> {
        self.folder.prepare()
    }
    fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        match self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            true => self.folder.put(name, content),
            false => Err(self.kind.into()),
        }
    }
    fn get(&self, name: &str) -> io::Result<Vec<u8>> {
        self.folder.get(name)
    }
    fn list(&self, folder: &str) -> io::Result<Vec<StoredName>> {
        self.folder.list(folder)
    }
    fn delete(&self, name: &str) -> io::Result<()> {
        self.folder.delete(name)
    }
    fn lock(&self, wanted: Use) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.folder.lock(wanted)
    }
}

#[test]
fn a_destination_that_gives_out_harms_nothing_and_the_next_backup_goes_on() {
    let bench = Bench::new();
    let mut store = open(&bench);
    commit(&mut store, 0..300, 0);
    let mut reached = 0;
    for left in 0..40 {
        let kind = [io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied][left as usize % 2];
        let failing = Failing { folder: bench.destination(), left: AtomicI64::new(left), kind };
        let writer = match BackupWriter::begin(&failing, &bench.data()) {
            Ok(writer) => writer,
            Err(error) => {
                assert!(left == 0 && error.system().unwrap().kind() == kind, "{error}");
                continue;
            }
        };
        let source = store.backup_source(&writer.known()).unwrap();
        match writer.write(&source, &Unobserved) {
            Ok(report) => {
                assert!(reached > 3, "{report:?}");
                break;
            }
            Err(error) => {
                assert_eq!(error.system().unwrap().kind(), kind, "{error}");
                assert!(error.to_string().contains(&bench.destination().place()), "{error}");
                reached += 1;
            }
        }
        commit(&mut store, 300 + left as u32..301 + left as u32, 0);
    }
    assert_eq!(verify_backups(&bench.destination(), &Unobserved).unwrap().findings, []);
    bench.restore(&At::Newest).unwrap();
    assert_eq!(verify(&bench.other()).unwrap().findings, []);
    assert_eq!(documents(&bench.other()), documents(&bench.data()));
}

#[test]
fn equal_files_are_stored_once_and_do_not_get_into_each_others_way() {
    let bench = Bench::new();
    let store = open(&bench);
    let pushed = bench.data().join("pushed/api");
    fs::create_dir_all(&pushed).unwrap();
    for number in 0..400 {
        fs::write(pushed.join(format!("{number}.md")), format!("the same {}", number / 20)).unwrap();
    }
    let report = back_up(&bench, &store).unwrap();
    assert_eq!(bench.objects().len() as u64, report.objects);
    assert!((21..40).contains(&report.objects), "{report:?}");
    assert_eq!(back_up(&bench, &store).unwrap().objects, 0);
    assert_eq!(verify_backups(&bench.destination(), &Unobserved).unwrap().findings, []);
}

#[test]
fn pruning_removes_what_nobody_needs_and_nothing_else() {
    let bench = Bench::new();
    let mut store = open(&bench);
    commit(&mut store, 0..300, 0);
    let first = back_up(&bench, &store).unwrap().summary.name;
    commit(&mut store, 100..300, 1);
    let second = back_up(&bench, &store).unwrap().summary.name;
    let draft = bench.objects()[0].with_extension("tmp");
    fs::write(&draft, "cut off").unwrap();
    let destination = bench.destination();
    let writer = BackupWriter::begin(&destination, &bench.data()).unwrap();
    assert!(verify_backups(&destination, &Unobserved).is_ok(), "reading is in nobody's way");
    assert!(matches!(BackupWriter::begin(&destination, &bench.data()), Err(BackupError::InUse { .. })));
    let pruned = writer.prune(&"1d".parse().unwrap()).unwrap();
    assert_eq!(pruned.backups, std::slice::from_ref(&first));
    assert!(pruned.objects > 0 && pruned.bytes > 0 && !draft.exists());
    drop(writer);
    let check = verify_backups(&destination, &Unobserved).unwrap();
    assert_eq!((check.backups, check.unused, check.findings.len()), (1, 0, 0));
    assert!(matches!(bench.restore(&At::Named(first)), Err(BackupError::NoBackup { .. })));
    bench.restore(&At::Named(second.clone())).unwrap();
    // What a damaged list needs nobody knows.
    let third = back_up(&bench, &store).unwrap().summary.name;
    fs::write(bench.root.path().join(format!("backups/backups/{second}.json")), "{").unwrap();
    let objects = bench.objects();
    let writer = BackupWriter::begin(&destination, &bench.data()).unwrap();
    let refused = writer.prune(&"1d".parse().unwrap()).unwrap_err();
    assert!(matches!(&refused, BackupError::Damaged { what, .. } if what.contains(&second)), "{refused}");
    assert_eq!(bench.objects(), objects);
    drop(writer);
    fs::remove_dir_all(bench.other()).unwrap();
    bench.restore(&At::Named(third)).unwrap();
}

#[test]
fn a_backup_is_restored_where_nothing_is_and_found_by_its_time() {
    let bench = Bench::new();
    let mut store = open(&bench);
    commit(&mut store, 0..10, 0);
    let root = bench.data().canonicalize().unwrap().join("pushed/api");
    store.add_source(Source { name: "api".into(), root }).unwrap();
    let missing = restore(&bench.destination(), &bench.other(), &At::Newest, &Unobserved).unwrap_err();
    assert!(matches!(missing, BackupError::NoBackup { .. }) && !bench.other().exists(), "{missing}");
    let accepted = |data: &Path| {
        let root = data.canonicalize().unwrap().join("pushed/api");
        serde_json::json!([{"id": 1, "errand": "index", "source": {"name": "api", "root": root}}])
    };
    fs::write(bench.data().join("accepted.json"), accepted(&bench.data()).to_string()).unwrap();
    let first = back_up(&bench, &store).unwrap().summary;
    assert!(matches!(bench.restore(&At::By(first.created - 60)), Err(BackupError::NoBackup { .. })));
    fs::create_dir(bench.other()).unwrap();
    fs::write(bench.other().join("mine.txt"), "mine").unwrap();
    assert!(matches!(bench.restore(&At::Newest), Err(BackupError::NotEmpty { .. })));
    assert_eq!(fs::read_dir(bench.other()).unwrap().count(), 1, "nothing was touched");
    fs::remove_file(bench.other().join("mine.txt")).unwrap();
    let restored = bench.restore(&At::By(first.created)).unwrap();
    assert_eq!(restored.moved, ["api"]);
    let moved = Store::open(&bench.other(), &model()).unwrap();
    let roots: Vec<PathBuf> = moved.sources().iter().map(|source| source.root.clone()).collect();
    let here = bench.other().canonicalize().unwrap();
    assert_eq!(roots, [PathBuf::from("/srv/wiki"), here.join("pushed/api")]);
    assert!(moved.repairs().is_empty());
    let text = fs::read(bench.other().join("accepted.json")).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), accepted(&bench.other()));
    moved.close().unwrap();
    assert_eq!(verify(&bench.other()).unwrap().findings, []);
    assert!(matches!(bench.restore(&At::Newest), Err(BackupError::NotEmpty { .. })));
    // Where it came from, nothing is moved.
    store.close().unwrap();
    fs::remove_dir_all(bench.data()).unwrap();
    let back = restore(&bench.destination(), &bench.data(), &At::Newest, &Unobserved).unwrap();
    assert!(back.moved.is_empty());
}

#[test]
fn a_destination_that_is_something_else_is_refused() {
    let bench = Bench::new();
    let store = open(&bench);
    for inside in [bench.data(), bench.data().join("backups"), bench.data().join("a/../b")] {
        let destination = BackupFolder::new(&inside);
        let refused = BackupWriter::begin(&destination, &bench.data()).err().unwrap();
        assert!(matches!(refused, BackupError::Inside { .. }), "{refused}");
        assert!(!bench.data().join("backups").exists());
    }
    fs::create_dir(bench.root.path().join("backups")).unwrap();
    fs::write(bench.root.path().join("backups/photo.jpg"), "").unwrap();
    assert!(matches!(back_up(&bench, &store), Err(BackupError::NotARepository { .. })));
    fs::remove_file(bench.root.path().join("backups/photo.jpg")).unwrap();
    back_up(&bench, &store).unwrap();
    fs::write(bench.root.path().join("backups/quarry-backup.json"), "{\"format\": 2}").unwrap();
    let refused = back_up(&bench, &store).unwrap_err();
    assert!(matches!(refused, BackupError::Format { found: 2, expected: 1, .. }), "{refused}");
}

#[test]
fn a_store_that_stopped_is_not_backed_up_and_a_watcher_stops_a_backup() {
    struct Impatient;
    impl BackupObserver for Impatient {
        fn is_stopped(&self) -> bool {
            true
        }
    }
    let bench = Bench::new();
    let mut store = open(&bench);
    commit(&mut store, 0..20, 0);
    let destination = bench.destination();
    let writer = BackupWriter::begin(&destination, &bench.data()).unwrap();
    let source = store.backup_source(&writer.known()).unwrap();
    assert!(matches!(writer.write(&source, &Impatient), Err(BackupError::Stopped)));
    writer.write(&source, &Unobserved).unwrap();
    drop((source, writer));
    assert!(matches!(restore(&destination, &bench.other(), &At::Newest, &Impatient), Err(BackupError::Stopped)));
    bench.restore(&At::Newest).unwrap();
    let mut wrong = Batch::default();
    put(&mut wrong, 1, 1);
    fs::remove_dir_all(bench.data().join("lexical")).unwrap();
    assert!(store.commit(wrong).is_err());
    assert!(matches!(store.backup_source(&KnownObjects::default()), Err(Error::Poisoned { .. })));
}
