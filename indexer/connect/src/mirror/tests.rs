//! Tests of mirrors: what changes, what is gone, what fails, and what a crash leaves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;

/// A place with a few things.
#[derive(Default)]
struct Place {
    things: BTreeMap<String, (String, String)>,
    waiting: Vec<String>,
    has_begun: bool,
    /// Things that cannot be had.
    broken: Vec<String>,
    /// Whether the list breaks off after this many.
    breaks_after: Option<usize>,
    left_out: Option<String>,
    access: Option<Access>,
    fetched: Arc<Mutex<Vec<String>>>,
}

impl Place {
    fn of(things: &[(&str, &str)]) -> Self {
        let things = things.iter().map(|(id, text)| ((*id).to_owned(), ((*id).to_owned(), (*text).to_owned())));
        Self { things: things.collect(), ..Self::default() }
    }

    fn failing() -> ConnectError {
        ConnectError::Failed { host: "a.example".to_owned(), reason: "status 503".to_owned(), after: None }
    }
}

impl Connector for Place {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.waiting = self.things.keys().rev().cloned().collect();
        }
        if let Some(left) = &mut self.breaks_after {
            *left = left.checked_sub(1).ok_or_else(Self::failing)?;
        }
        let Some(id) = self.waiting.pop() else { return Ok(None) };
        let (name, text) = &self.things[&id];
        let remote =
            Remote::new(&id, name).of_version(format!("{} {text}", text.len())).at(format!("https://a.example/{id}"));
        Ok(Some(Remote { access: self.access.clone(), date: Some(1_700_000_000), ..remote }))
    }

    fn fetch(&mut self, remote: &Remote, _: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        self.fetched.lock().unwrap().push(remote.id.clone());
        if self.broken.contains(&remote.id) {
            return Err(Self::failing());
        }
        let bytes = self.things[&remote.id].1.clone().into_bytes();
        if bytes.len() as u64 > most {
            return Err(ConnectError::TooLarge { most });
        }
        Ok(Fetched::Content { bytes, remote: remote.clone() })
    }

    fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }
}

const LIMITS: Limits = Limits { files: 100, file_bytes: 1_000, bytes: 10_000, time: Duration::from_secs(60) };

fn sync(folder: &Path, place: &mut Place) -> Result<SyncReport, ConnectError> {
    Mirror::open(folder, LIMITS)?.sync(place, &(), &AtomicBool::new(false))
}

/// The files that a pass would see, with their texts.
fn files(folder: &Path) -> BTreeMap<String, String> {
    fn below(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let (root, mut found) = (folder.join("files"), BTreeMap::new());
    below(&root, &root, &mut found);
    found
}

fn listed(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn only_what_has_changed_is_fetched_and_what_is_gone_goes() {
    let folder = tempfile::tempdir().unwrap();
    let report = sync(folder.path(), &mut Place::of(&[("a/b.md", "one"), ("c.md", "two"), (".git/x", "no")])).unwrap();
    assert_eq!((report.fetched, report.unwanted, report.removed), (2, 1, 0));
    assert_eq!(files(folder.path()), listed(&[("a/b.md", "one"), ("c.md", "two")]));
    let modified = fs::metadata(folder.path().join("files/c.md")).unwrap().modified().unwrap();
    assert_eq!(modified, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let mut place = Place::of(&[("a/b.md", "one"), ("c.md", "three"), ("d.md", "four")]);
    let report = sync(folder.path(), &mut place).unwrap();
    assert_eq!((report.fetched, report.unchanged, report.removed), (2, 1, 0));
    assert_eq!(*place.fetched.lock().unwrap(), ["c.md", "d.md"]);
    let report = sync(folder.path(), &mut Place::of(&[("d.md", "four")])).unwrap();
    assert_eq!((report.fetched, report.unchanged, report.removed), (0, 1, 2));
    assert_eq!(files(folder.path()), listed(&[("d.md", "four")]));
    assert!(!folder.path().join("files/a").exists(), "no empty folders");
}

#[test]
fn errors_cost_what_they_are_about_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    sync(folder.path(), &mut Place::of(&[("a.md", "one"), ("b.md", "two")])).unwrap();
    let mut place = Place::of(&[("a.md", "new"), ("b.md", "newer"), ("c.md", &"x".repeat(2_000))]);
    place.broken = vec!["a.md".to_owned()];
    let report = sync(folder.path(), &mut place).unwrap();
    assert_eq!((report.fetched, report.failed), (1, 2));
    assert!(
        report.problems[0].contains("a.md: a.example: status 503") && report.problems[1].contains("more than 1000")
    );
    assert_eq!(files(folder.path()), listed(&[("a.md", "one"), ("b.md", "newer")]), "the last version is kept");
    // A list that breaks off, or is not whole, takes nothing for gone.
    let mut broken = Place::of(&[("b.md", "newer"), ("c.md", "three")]);
    broken.breaks_after = Some(1);
    assert!(sync(folder.path(), &mut broken).unwrap_err().is_passing());
    let mut some = Place::of(&[("c.md", "three")]);
    some.left_out = Some("there is more".to_owned());
    let report = sync(folder.path(), &mut some).unwrap();
    assert_eq!((report.removed, report.left_out.as_deref()), (0, Some("there is more")));
    assert_eq!(files(folder.path()).len(), 3);
    // Who gives no answer any more is left alone.
    let many: Vec<(String, String)> = (0..50).map(|number| (format!("{number}.md"), "x".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    let mut away = Place::of(&many);
    away.broken = many.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert!(sync(folder.path(), &mut away).is_err());
    assert_eq!(away.fetched.lock().unwrap().len(), PATIENCE as usize);
    assert_eq!(files(folder.path()).len(), 3);
}

#[test]
fn bounds_hold_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let things: Vec<(String, String)> = (0..30).map(|number| (format!("{number:02}.md"), "y".repeat(900))).collect();
    let things: Vec<(&str, &str)> = things.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    let report = sync(folder.path(), &mut Place::of(&things)).unwrap();
    assert!(report.left_out.unwrap().contains("max_total_mb"));
    assert_eq!(files(folder.path()).len(), 11);
    let few = Limits { files: 3, ..LIMITS };
    let folder = tempfile::tempdir().unwrap();
    let report =
        Mirror::open(folder.path(), few).unwrap().sync(&mut Place::of(&things), &(), &AtomicBool::new(false)).unwrap();
    assert!(report.left_out.unwrap().contains("more than 3 files"));
    assert_eq!(files(folder.path()).len(), 3);
    let none = Limits { time: Duration::ZERO, ..LIMITS };
    let report =
        Mirror::open(folder.path(), none).unwrap().sync(&mut Place::of(&[]), &(), &AtomicBool::new(false)).unwrap();
    assert!(report.left_out.unwrap().contains("max_minutes"));
    assert_eq!(files(folder.path()).len(), 3);
}

#[test]
fn a_crash_between_any_two_steps_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    sync(root, &mut Place::of(&[("a.md", "one"), ("b.md", "two")])).unwrap();
    let manifest = fs::read(root.join("manifest.jsonl")).unwrap();
    // The file is in place, its line is not.
    sync(root, &mut Place::of(&[("a.md", "one!"), ("b.md", "two"), ("c.md", "three")])).unwrap();
    fs::write(root.join("manifest.jsonl"), &manifest).unwrap();
    fs::write(root.join("draft"), "half").unwrap();
    let after = [("a.md", "one!"), ("b.md", "two")];
    sync(root, &mut Place::of(&after)).unwrap();
    assert_eq!(files(root), listed(&after), "what no line tells of is removed");
    // The line is there, its file is not, or is another.
    fs::remove_file(root.join("files/a.md")).unwrap();
    fs::write(root.join("files/b.md"), "torn apart").unwrap();
    let report = sync(root, &mut Place::of(&after)).unwrap();
    assert_eq!((report.fetched, files(root)), (2, listed(&after)));
    // Without a manifest all is fetched again, and nothing is left over.
    fs::write(root.join("manifest.jsonl"), "\0\0\0").unwrap();
    fs::create_dir_all(root.join("files/a.md.d/e")).unwrap();
    fs::write(root.join("files/a.md.d/e/f"), "stray").unwrap();
    sync(root, &mut Place::of(&after)).unwrap();
    assert_eq!(files(root), listed(&after));
}

#[test]
fn a_sync_that_is_stopped_goes_on_where_it_was() {
    struct Stops<'a>(&'a AtomicBool);
    impl SyncObserver for Stops<'_> {
        fn progressed(&self, counters: &SyncCounters) {
            self.0.store(counters.fetched == 2, Ordering::Relaxed);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let things = [("a.md", "1"), ("b.md", "2"), ("c.md", "3"), ("d.md", "4")];
    let stop = AtomicBool::new(false);
    let mut mirror = Mirror::open(folder.path(), LIMITS).unwrap();
    let report = mirror.sync(&mut Place::of(&things), &Stops(&stop), &stop).unwrap();
    assert!(report.is_interrupted && report.fetched == 2);
    drop(mirror);
    let mut place = Place::of(&things);
    assert_eq!(sync(folder.path(), &mut place).unwrap().fetched, 2);
    assert_eq!(*place.fetched.lock().unwrap(), ["c.md", "d.md"]);
}

#[test]
fn what_was_a_file_may_become_a_folder_and_back() {
    let folder = tempfile::tempdir().unwrap();
    for things in [
        [("a", "file"), ("c.md", "x")].as_slice(),
        &[("a/b", "below")],
        &[("a", "file again")],
        &[("a/b/c", "deeper"), ("a/B/d", "other")],
    ] {
        sync(folder.path(), &mut Place::of(things)).unwrap();
        let texts: Vec<String> = files(folder.path()).into_values().collect();
        let mut expected: Vec<&str> = things.iter().map(|(_, text)| *text).collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts.sort_unstable();
        expected.sort_unstable();
        assert_eq!(texts, expected);
        // Once all is in place, nothing moves any more.
        assert_eq!(sync(folder.path(), &mut Place::of(things)).unwrap().fetched, 0);
    }
}

#[test]
fn who_may_see_a_file_is_known_before_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let hr = Access::parse(&["group:hr"]).unwrap();
    let mut place = Place::of(&[("a.md", "for all")]);
    sync(folder.path(), &mut place).unwrap();
    let mut place = Place::of(&[("a.md", "for some")]);
    place.access = Some(hr.clone());
    sync(folder.path(), &mut place).unwrap();
    let lines = fs::read_to_string(folder.path().join("manifest.jsonl")).unwrap();
    let accesses: Vec<Option<Access>> =
        lines.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().access).collect();
    assert_eq!(accesses, [None, Some(Access::nobody()), Some(hr.clone())]);
    // The same text, for others.
    let mut place = Place::of(&[("a.md", "for some")]);
    place.access = Some(Access::parse(&["group:it"]).unwrap());
    assert_eq!(sync(folder.path(), &mut place).unwrap().unchanged, 1);
    let manifest = Manifest::open(&folder.path().join("manifest.jsonl")).unwrap();
    assert_eq!(manifest.get("a.md").unwrap().access, place.access);
}
