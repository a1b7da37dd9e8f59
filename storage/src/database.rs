//! sled behind a wall: where it would panic or wait for ever, this gives an error with the system's words.
//!
//! sled 0.34 unwraps some answers of the disk (the last fsync while it is dropped, for one) and asserts on some damaged
//! files; after a failed write in one of its threads it may miss to wake whoever waits for that write. None of this may
//! take the process with it, stop the writer, or show a trace to a user. A database that has failed once stays failed:
//! drop it, and open it again.

use std::any::Any;
use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use sled::IVec;

use crate::error::{Error, Result, chain, system_answer};

/// Memory sled may use for its page cache, in bytes.
const CACHE_BYTES: u64 = 64 << 20;
/// How long a database dropped by this process may take to let go of its files.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// After this time a flush is asked whether its write has failed meanwhile: sled may have missed to say so.
const NUDGE_AFTER: Duration = Duration::from_secs(2);

/// A handle to the one tree. Clones share it; the files are let go with the last.
#[derive(Clone)]
pub(crate) struct Database {
    /// `None` only while it is dropped.
    tree: Option<sled::Db>,
}

impl Database {
    /// Opens or makes the database in `folder`, once the system has let go of one that this process had there: the
    /// caller holds the data folder's lock, so nobody else can have it.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let started = Instant::now();
        loop {
            match contain(|| config.open()) {
                Ok(Err(sled::Error::Io(error))) if is_held(&error) && started.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(opened) => return Ok(Self { tree: Some(opened.map_err(as_error)?) }),
                Err(panic) => return Err(panic),
            }
        }
    }

    /// Waits until a database in `folder` that this process has dropped has let go of its files: until then it cannot be
    /// moved.
    ///
    /// # Errors
    /// It still holds them after a while.
    pub(crate) fn wait_until_free(folder: &Path) -> Result<()> {
        let path = folder.join("db");
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked { path: folder.to_path_buf(), holder: "this process".to_string() });
                }
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
            }
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>> {
        self.with(|tree| tree.get(key))
    }

    /// All entries, in the order of keys.
    pub(crate) fn all(&self) -> Entries {
        self.range(Vec::new()..)
    }

    /// The entries whose keys begin with `prefix`, in order.
    pub(crate) fn prefixed(&self, prefix: &[u8]) -> Entries {
        Entries::of(self.with(|tree| Ok(tree.scan_prefix(prefix))))
    }

    /// The entries whose keys lie in a range, in order.
    pub(crate) fn range(&self, keys: impl RangeBounds<Vec<u8>>) -> Entries {
        let owned = |bound: Bound<&Vec<u8>>| bound.cloned();
        let bounds = (owned(keys.start_bound()), owned(keys.end_bound()));
        Entries::of(self.with(|tree| Ok(tree.range(bounds))))
    }

    /// Writes a batch whole; durable after [`Database::flush`].
    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<()> {
        self.with(|tree| tree.apply_batch(batch))
    }

    /// Waits until everything written so far is on the disk.
    pub(crate) fn flush(&self) -> Result<()> {
        let (done, wait) = channel::<()>();
        let nudger = self.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Another flush sees the failure of a write and wakes the first, which then says what failed.
                while wait.recv_timeout(NUDGE_AFTER) == Err(RecvTimeoutError::Timeout) {
                    let _ = nudger.with(|tree| tree.flush());
                }
            });
            let flushed = self.with(|tree| tree.flush().map(drop));
            drop(done);
            flushed
        })
    }

    pub(crate) fn size_on_disk(&self) -> Result<u64> {
        self.with(|tree| tree.size_on_disk())
    }

    fn with<T>(&self, work: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        let Some(tree) = &self.tree else { return Err(Error::Reopening) };
        contain(|| work(tree))?.map_err(as_error)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Whatever was acknowledged was flushed before: a failure here loses nothing.
        if let Err(panic) = contain(|| drop(self.tree.take())) {
            tracing::warn!(
                "the document store was not closed in good order; the next start repairs it: {}",
                chain(&panic)
            );
        }
    }
}

/// Entries of the database, each read when it is asked for.
pub(crate) struct Entries {
    entries: std::result::Result<sled::Iter, Option<Error>>,
}

impl Entries {
    fn of(entries: Result<sled::Iter>) -> Self {
        Self { entries: entries.map_err(Some) }
    }
}

impl Iterator for Entries {
    type Item = Result<(IVec, IVec)>;

    fn next(&mut self) -> Option<Self::Item> {
        let entries = match &mut self.entries {
            Ok(entries) => entries,
            Err(error) => return error.take().map(Err),
        };
        let next = match contain(|| entries.next()) {
            Ok(next) => next.map(|entry| entry.map_err(as_error)),
            Err(panic) => Some(Err(panic)),
        };
        if matches!(next, Some(Err(_))) {
            self.close();
            self.entries = Err(None);
        }
        next
    }
}

impl Entries {
    fn close(&mut self) {
        let entries = std::mem::replace(&mut self.entries, Err(None));
        // An iterator may be the last holder of the files.
        if let Err(panic) = contain(|| drop(entries)) {
            tracing::warn!(
                "the document store was not closed in good order; the next start repairs it: {}",
                chain(&panic)
            );
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        self.close();
    }
}

/// The part of the data folder, for people.
pub(crate) const WHAT: &str = "the document store";

/// An error of sled as one of ours.
fn as_error(error: sled::Error) -> Error {
    match error {
        sled::Error::Corruption { .. } => Error::damaged(WHAT, "sled reports a corrupt page"),
        sled::Error::Io(ref io) if io.kind() == io::ErrorKind::UnexpectedEof => {
            Error::damaged(WHAT, "its log ends too early")
        }
        other => Error::Documents(system_answer(&other).map_or(other, sled::Error::Io)),
    }
}

/// sled wraps the system's answer in an error of its own; only the text tells.
fn is_held(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

thread_local! {
    /// Whether this thread is inside of sled, where a panic is an error with a clumsy messenger.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Does something in which sled may panic; a panic is an error.
fn contain<T>(work: impl FnOnce() -> T) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(quiet_sled);
    let outer = INSIDE.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(outer);
    done.map_err(|panic| match words(panic.as_ref()) {
        // It unwrapped an answer of the system.
        (_, Some(answer)) => Error::Documents(sled::Error::Io(answer)),
        // It asserts on what it reads: whatever that is, it is not what was written.
        (text, None) => Error::damaged(WHAT, format!("sled cannot make sense of it: {text}")),
    })
}

/// Panics inside of sled are no news for a terminal: they become errors, or a line of the log. All others are told as
/// before.
fn quiet_sled() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let in_its_own_thread = std::thread::current().name().is_some_and(|name| name.starts_with("sled-io"));
        if in_its_own_thread {
            tracing::error!("a thread of sled gave up: {}", words(panic.payload()).0);
        // `try_with`: a thread that ends has no thread-locals any more.
        } else if !INSIDE.try_with(Cell::get).unwrap_or(false) {
            usual(panic);
        }
    }));
}

/// What a panic says, and the system's answer in it if it unwrapped one.
fn words(panic: &(dyn Any + Send)) -> (String, Option<io::Error>) {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("a panic without words").to_string();
    let answer = system_answer(&text);
    (text, answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_an_error_with_the_systems_words() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("db")).unwrap();
        let full = || -> io::Result<()> { Err(io::Error::from_raw_os_error(28)) };
        let failed = database.with(|_| -> sled::Result<()> {
            full().unwrap();
            Ok(())
        });
        let told = chain(&failed.unwrap_err());
        assert!(told.contains("No space left on device") && !told.contains("unwrap"), "{told}");
        assert!(database.get(b"x").unwrap().is_none(), "the handle is still of use");
    }

    #[test]
    fn an_iterator_that_fails_ends() {
        let mut entries = Entries::of(Err(Error::Reopening));
        assert!(entries.next().is_some_and(|entry| entry.is_err()));
        assert!(entries.next().is_none());
    }

    #[test]
    fn it_opens_again_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..5u8 {
            let database = Database::open(&folder.path().join("db")).unwrap();
            assert_eq!(database.all().count(), usize::from(round));
            let mut batch = sled::Batch::default();
            batch.insert(&[round], &[round]);
            database.apply(batch).unwrap();
            database.flush().unwrap();
            assert_eq!(database.all().count(), usize::from(round) + 1);
            assert_eq!(database.range(vec![round]..).count(), 1);
        }
    }
}
