//! Tests of data folders that follow backups.

use super::*;
use crate::closed::ClosedStore;

struct Watch(std::sync::atomic::AtomicBool);

impl BackupObserver for Watch {
    fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn follow(bench: &Bench) -> Store {
    begin_following(&bench.destination(), &bench.other(), false, &Unobserved).unwrap();
    Store::open_following(&bench.other(), &model()).unwrap()
}

fn pull(bench: &Bench, store: &Store) -> BackupResult<Option<Pulled>> {
    store.pull(&bench.destination(), &Unobserved)
}

fn adopt(store: Store, pulled: &Pulled) -> Store {
    let mut closed: ClosedStore = store.suspend();
    closed.adopt(pulled).unwrap();
    closed.open_following().map_err(|(_, error)| error).unwrap()
}

fn beside(bench: &Bench, path: &str, content: &str) {
    let path = bench.data().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_folder_that_follows_has_what_the_newest_backup_has_and_takes_no_changes() {
    let bench = Bench::new();
    let mut leader = open(&bench);
    commit(&mut leader, 0..300, 0);
    for (path, content) in
        [("keys.json", "one"), ("pushed/api/a.md", "a"), ("insights/day", "theirs"), ("accepted.json", "[]")]
    {
        beside(&bench, path, content);
    }
    let first = back_up(&bench, &leader).unwrap().summary;
    let follower = follow(&bench);
    assert_eq!(followed_place(&bench.other()).unwrap(), Some(bench.destination().place()));
    assert_eq!(followed_backup(&bench.other()).unwrap(), Some(first.clone()));
    assert_eq!(documents(&bench.other()), 300);
    let read = |path: &str| fs::read_to_string(bench.other().join(path)).ok();
    assert_eq!((read("keys.json"), read("pushed/api/a.md")), (Some("one".into()), Some("a".into())));
    assert_eq!((read("insights/day"), read("accepted.json")), (None, None), "what is every server's own");
    assert!(pull(&bench, &follower).unwrap().is_none(), "there is nothing new");
    drop(follower);
    // Whatever writes is refused, and what only reads is not.
    assert!(matches!(Store::open(&bench.other(), &model()), Err(Error::Follows { .. })));
    assert!(matches!(crate::verify::repair(&bench.other(), &model()), Err(Error::Follows { .. })));
    assert_eq!(verify(&bench.other()).unwrap().findings, []);
    assert!(matches!(bench.restore(&At::Newest), Err(BackupError::NotEmpty { .. })));
    assert!(begin_following(&bench.destination(), &bench.other(), false, &Unobserved).unwrap().is_none());
    // An index of its own does not become one that follows.
    let refused = begin_following(&bench.destination(), &bench.data(), false, &Unobserved).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
    assert!(followed_place(&bench.data()).unwrap().is_none());
    // Without its mark it is an index of its own: for a day on which the other one is lost.
    fs::remove_file(bench.other().join("follows.json")).unwrap();
    let mut alone = Store::open(&bench.other(), &model()).unwrap();
    commit(&mut alone, 300..301, 0);
    assert_eq!(documents(&bench.other()), 301);
}

#[test]
fn only_what_is_new_is_fetched_and_readers_follow() {
    let bench = Bench::new();
    let mut leader = open(&bench);
    for part in 0..4 {
        commit(&mut leader, part * 1500..(part + 1) * 1500, 0);
    }
    beside(&bench, "pushed/api/a.md", "a");
    beside(&bench, "keys.json", "one");
    beside(&bench, "keys.required", "closed");
    let first = back_up(&bench, &leader).unwrap().summary;
    let mut follower = follow(&bench);
    let (snapshots, truth, before) = (follower.snapshots(), follower.truth(), follower.snapshot());
    commit(&mut leader, (0..6000).step_by(600), 1);
    remove(&mut leader, 5..25);
    fs::remove_dir_all(bench.data().join("pushed")).unwrap();
    fs::remove_file(bench.data().join("keys.required")).unwrap();
    beside(&bench, "keys.json", "two");
    let second = back_up(&bench, &leader).unwrap().summary;
    let pulled = pull(&bench, &follower).unwrap().unwrap();
    assert_eq!(pulled.summary, second);
    let share = pulled.fetched as f64 / first.added as f64;
    assert!(pulled.fetched > 0 && share < 0.3, "{share} of the first backup was fetched");
    assert!(pulled.fetched <= second.added + 1000, "{} of {} that are new", pulled.fetched, second.added);
    assert_eq!(snapshots.get().whole().unwrap().totals().documents, 6000, "nothing is in force yet");
    follower = adopt(follower, &pulled);
    assert_eq!(snapshots.get().whole().unwrap().totals().documents, 5980);
    assert_eq!(truth.statistics().unwrap().documents, 5980);
    assert_eq!(snapshots.get().whole().unwrap().totals().sequence, second.generation, "it is the same index");
    assert_eq!(before.whole().unwrap().totals().documents, 6000, "who searches goes on with what they have");
    let listed = before.whole().unwrap().totals().source("wiki");
    assert_eq!(listed.files, 6000);
    let exists = |path: &str| bench.other().join(path).exists();
    assert!(!exists("pushed") && exists("keys.required"), "what closes a folder stays");
    assert_eq!(fs::read_to_string(bench.other().join("keys.json")).unwrap(), "two");
    assert!(!exists("index-1") && exists("index-2") && !exists("restoring"));
    assert_eq!(followed_backup(&bench.other()).unwrap().unwrap().name, second.name);
    assert!(pull(&bench, &follower).unwrap().is_none());
    drop(truth);
    follower.close().unwrap();
    assert_eq!(verify(&bench.other()).unwrap().findings, []);
}

#[test]
fn what_cannot_be_followed_changes_nothing() {
    let bench = Bench::new();
    let mut leader = open(&bench);
    commit(&mut leader, 0..300, 0);
    back_up(&bench, &leader).unwrap();
    let objects = bench.objects();
    let mut follower = follow(&bench);
    let count = |follower: &Store| follower.snapshot().whole().unwrap().totals().documents;
    // A damaged backup.
    commit(&mut leader, 300..600, 0);
    back_up(&bench, &leader).unwrap();
    let new: Vec<PathBuf> = bench.objects().into_iter().filter(|object| !objects.contains(object)).collect();
    let whole = fs::read(&new[0]).unwrap();
    fs::write(&new[0], &whole[1..]).unwrap();
    assert!(matches!(pull(&bench, &follower), Err(BackupError::Damaged { .. })));
    assert!(!bench.other().join("restoring").exists() && count(&follower) == 300);
    fs::write(&new[0], &whole).unwrap();
    // What is here need not be whole there.
    objects.iter().for_each(|object| fs::write(object, "lost").unwrap());
    let stopped = follower.pull(&bench.destination(), &Watch(true.into()));
    assert!(matches!(stopped, Err(BackupError::Stopped)));
    let pulled = pull(&bench, &follower).unwrap().unwrap();
    follower = adopt(follower, &pulled);
    assert_eq!(count(&follower), 600);
    // Another model.
    leader.close().unwrap();
    fs::remove_dir_all(bench.data()).unwrap();
    let other = IndexModel { fingerprint: "g".into(), ..model() };
    let mut leader = Store::open(&bench.data(), &other).unwrap();
    leader.add_source(Source { name: "wiki".into(), root: "/srv/wiki".into() }).unwrap();
    commit(&mut leader, 0..3, 0);
    back_up(&bench, &leader).unwrap();
    assert!(matches!(pull(&bench, &follower), Err(BackupError::Store(Error::Model { .. }))));
    assert_eq!(count(&follower), 600);
    fs::remove_dir_all(bench.root.path().join("backups")).unwrap();
    assert!(matches!(pull(&bench, &follower), Err(BackupError::NoBackup { .. })));
}

#[test]
fn an_index_that_is_lost_is_taken_anew() {
    let bench = Bench::new();
    let mut leader = open(&bench);
    commit(&mut leader, 0..300, 0);
    back_up(&bench, &leader).unwrap();
    drop(follow(&bench));
    let vectors = bench.other().join("index-1/vectors.bin");
    fs::write(&vectors, &fs::read(&vectors).unwrap()[..100]).unwrap();
    let error = Store::open_following(&bench.other(), &model()).err().unwrap();
    assert!(error.is_damage(), "{error}");
    assert!(begin_following(&bench.destination(), &bench.other(), true, &Unobserved).unwrap().is_some());
    let follower = Store::open_following(&bench.other(), &model()).unwrap();
    assert_eq!(follower.snapshot().whole().unwrap().totals().documents, 300);
    drop(follower);
    assert_eq!(verify(&bench.other()).unwrap().findings, []);
}

#[test]
fn a_reader_keeps_no_backup_from_being_made_and_nothing_is_removed_under_it() {
    let bench = Bench::new();
    let mut leader = open(&bench);
    commit(&mut leader, 0..300, 0);
    back_up(&bench, &leader).unwrap();
    let destination = bench.destination();
    let reading = destination.lock(Use::Read).unwrap().unwrap();
    commit(&mut leader, 0..300, 1);
    back_up(&bench, &leader).unwrap();
    let writer = BackupWriter::begin(&destination, &bench.data()).unwrap();
    let pruned = writer.prune(&"1d".parse().unwrap()).unwrap();
    assert!(pruned.is_deferred && pruned.backups.is_empty());
    assert_eq!(list_backups(&destination).unwrap().len(), 2);
    drop(reading);
    let pruned = writer.prune(&"1d".parse().unwrap()).unwrap();
    assert!(!pruned.is_deferred && pruned.backups.len() == 1);
}
