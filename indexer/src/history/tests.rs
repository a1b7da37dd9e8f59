//! Repositories as they are found: commits, merges, changes since, shallow clones, damage.

use std::fs;
use std::path::{Path, PathBuf};

use gix::actor::Signature;
use gix::objs::tree::{Entry, EntryKind};
use gix::objs::{Commit, Tree};
use gix::{ObjectId, Repository};
use tempfile::TempDir;

use super::*;

/// A checkout that is written commit by commit.
struct Bench {
    folder: TempDir,
    repository: Repository,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let repository = gix::init(folder.path()).unwrap();
        Self { folder, repository }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn tree(&self, files: &[(&str, &str)]) -> ObjectId {
        let mut entries: Vec<Entry> = Vec::new();
        let mut folders: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        for (path, text) in files {
            match path.split_once('/') {
                Some((folder, rest)) => match folders.iter_mut().find(|(name, _)| *name == folder) {
                    Some((_, below)) => below.push((rest, text)),
                    None => folders.push((folder, vec![(rest, text)])),
                },
                None => entries.push(Entry {
                    mode: EntryKind::Blob.into(),
                    filename: (*path).into(),
                    oid: self.repository.write_blob(text).unwrap().detach(),
                }),
            }
        }
        for (folder, below) in folders {
            entries.push(Entry { mode: EntryKind::Tree.into(), filename: folder.into(), oid: self.tree(&below) });
        }
        entries.sort();
        self.repository.write_object(Tree { entries }).unwrap().detach()
    }

    /// A commit of exactly these files, which become the last one; `second` is the author's, and the committer's is a day later.
    fn commit(&self, parents: &[ObjectId], second: i64, files: &[(&str, &str)]) -> ObjectId {
        let by = |seconds| Signature {
            name: "Ana".into(),
            email: "ana@example.org".into(),
            time: gix::date::Time { seconds, offset: 7200 },
        };
        let commit = Commit {
            tree: self.tree(files),
            parents: parents.iter().copied().collect(),
            author: by(second),
            committer: by(second + 86_400),
            encoding: None,
            message: "change".into(),
            extra_headers: Vec::new(),
        };
        let id = self.repository.write_object(commit).unwrap().detach();
        fs::write(self.file(".git/HEAD"), format!("{id}\n")).unwrap();
        for (path, text) in files {
            fs::create_dir_all(self.file(path).parent().unwrap()).unwrap();
            fs::write(self.file(path), text).unwrap();
        }
        id
    }

    fn dates(&self, paths: &[&str]) -> Vec<Option<i64>> {
        let files: Vec<PathBuf> = paths.iter().map(|path| self.file(path)).collect();
        let history = History::of(files.iter().map(PathBuf::as_path));
        files.iter().map(|file| history.committed(file, &fs::read(file).unwrap(), &Stop::default())).collect()
    }
}

const APRIL: i64 = 1_712_000_000;
const MAY: i64 = 1_714_600_000;
const JUNE: i64 = 1_717_300_000;

#[test]
fn a_file_has_the_date_of_the_commit_that_changed_it_last() {
    let bench = Bench::new();
    let first = bench.commit(&[], APRIL, &[("a.md", "one"), ("notes/b.md", "two"), ("notes/deep/c.md", "three")]);
    let second = bench.commit(&[first], MAY, &[("a.md", "one"), ("notes/b.md", "more"), ("notes/deep/c.md", "three")]);
    bench.commit(
        &[second],
        JUNE,
        &[("a.md", "one"), ("notes/b.md", "more"), ("notes/deep/c.md", "three"), ("d.md", "new")],
    );
    let all = ["a.md", "notes/b.md", "notes/deep/c.md", "d.md"];
    assert_eq!(bench.dates(&all), [Some(APRIL), Some(MAY), Some(APRIL), Some(JUNE)]);
    // What was changed since, and what was never committed, is of no commit.
    fs::write(bench.file("a.md"), "one and a half").unwrap();
    fs::write(bench.file("e.md"), "draft").unwrap();
    assert_eq!(bench.dates(&["a.md", "e.md", "d.md"]), [None, None, Some(JUNE)]);
}

#[test]
fn a_merge_changes_nothing_itself() {
    let bench = Bench::new();
    let first = bench.commit(&[], APRIL, &[("a.md", "one"), ("b.md", "one")]);
    let ours = bench.commit(&[first], MAY, &[("a.md", "ours"), ("b.md", "one")]);
    let theirs = bench.commit(&[first], MAY + 60, &[("a.md", "one"), ("b.md", "theirs")]);
    bench.commit(&[ours, theirs], JUNE, &[("a.md", "ours"), ("b.md", "theirs")]);
    assert_eq!(bench.dates(&["a.md", "b.md"]), [Some(MAY), Some(MAY + 60)]);
}

#[test]
fn a_checkout_may_lie_above_or_within_and_a_folder_in_none() {
    let bench = Bench::new();
    bench.commit(&[], APRIL, &[("docs/a.md", "one")]);
    let inner = bench.file("docs/inner");
    let repository = gix::init(&inner).unwrap();
    let within = Bench { folder: TempDir::new().unwrap(), repository };
    let tree = within.tree(&[("x.md", "inner")]);
    assert_eq!(bench.dates(&["docs/a.md"]), [Some(APRIL)]);
    // One without a commit gives no dates, and neither does that above it.
    fs::write(inner.join("x.md"), "inner").unwrap();
    assert!(!tree.is_null() && bench.dates(&["docs/inner/x.md"]) == [None]);
    let plain = TempDir::new().unwrap();
    fs::write(plain.path().join("a.md"), "one").unwrap();
    let file = plain.path().join("a.md");
    assert_eq!(History::of([file.as_path()].into_iter()).committed(&file, b"one", &Stop::default()), None);
}

#[test]
fn a_shallow_clone_dates_by_what_it_has() {
    let bench = Bench::new();
    let first = bench.commit(&[], APRIL, &[("a.md", "one"), ("b.md", "one")]);
    bench.commit(&[first], MAY, &[("a.md", "two"), ("b.md", "one")]);
    let object = |id: ObjectId| {
        let hex = id.to_string();
        bench.file(&format!(".git/objects/{}/{}", &hex[..2], &hex[2..]))
    };
    fs::remove_file(object(first)).unwrap();
    assert_eq!(bench.dates(&["a.md", "b.md"]), [Some(MAY), Some(MAY)]);
}

#[test]
fn what_cannot_be_read_costs_dates_and_nothing_else() {
    let bench = Bench::new();
    let first = bench.commit(&[], APRIL, &[("a.md", "one"), ("b.md", "one")]);
    let second = bench.commit(&[first], MAY, &[("a.md", "two"), ("b.md", "one")]);
    let hex = first.to_string();
    let object = bench.file(&format!(".git/objects/{}/{}", &hex[..2], &hex[2..]));
    let mut options = fs::metadata(&object).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "objects are written for nobody to change")]
    options.set_readonly(false);
    fs::set_permissions(&object, options).unwrap();
    fs::write(&object, b"no object").unwrap();
    // The walk gets no further than to the damage.
    assert_eq!(bench.dates(&["a.md", "b.md"])[1], None);
    for head in ["ref: refs/heads/nothing\n", "not a name\n", ""] {
        fs::write(bench.file(".git/HEAD"), head).unwrap();
        assert_eq!(bench.dates(&["a.md"]), [None], "{head:?}");
    }
    fs::write(bench.file(".git/HEAD"), format!("{second}\n")).unwrap();
    fs::write(bench.file(".git/config"), "[core\nrepositoryformatversion = nine").unwrap();
    assert_eq!(bench.dates(&["a.md"]), [None]);
    fs::remove_dir_all(bench.file(".git")).unwrap();
    fs::write(bench.file(".git"), "gitdir: /nowhere").unwrap();
    assert_eq!(bench.dates(&["a.md"]), [None]);
    assert_eq!(History::of([Path::new("/")].into_iter()).committed(Path::new("/"), b"", &Stop::default()), None);
}
