//! Files that were under way when the process died, told apart from those that were not: the others are worked on as
//! usual, a suspect alone and last, one that did it again not at all. See [`storage::Attempts`].

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use storage::{Attempt, Attempts, FileState};

use crate::plan::{Comparison, Work};
use crate::stop::Stop;

/// How often what was noted is made durable, and a wish to stop or a long wait is noted.
const TICK: Duration = Duration::from_millis(400);

/// What the ledger says of a file that was set aside.
const SET_ASIDE: &str = "stopped the indexer twice and is left out so that the others get on; \
     it is tried again when it changes, with another version or other settings of quarry, some hours later, \
     or at once by a run that compares contents";

/// The files of a run by what is done with them.
#[derive(Default)]
pub(crate) struct Sorted {
    /// Nothing speaks against them.
    pub(crate) usual: Vec<Work>,
    /// Under way at a death: alone, the least suspicious last, small ones first.
    pub(crate) suspects: Vec<Work>,
    /// Left alone.
    pub(crate) aside: Vec<Work>,
}

/// The attempt that working on a file is, with a reader of this version.
pub(crate) fn attempt(source: &str, work: &Work, version: &str) -> Attempt {
    Attempt {
        source: source.to_string(),
        path: work.file.relative.clone(),
        bytes: work.file.bytes,
        modified_ns: work.file.modified,
        inode: work.file.inode,
        reader: version.to_string(),
    }
}

/// Sorts files by what is known of them. Whoever compares contents asks for all of them to be tried.
pub(crate) fn sort(
    attempts: &Attempts,
    source: &str,
    version: &str,
    comparison: Comparison,
    all: impl IntoIterator<Item = Work>,
) -> Sorted {
    let mut sorted = Sorted::default();
    for work in all {
        let attempt = attempt(source, &work, version);
        match attempts.strikes(&attempt) {
            0 => sorted.usual.push(work),
            _ if comparison == Comparison::Metadata && attempts.is_set_aside(&attempt) => sorted.aside.push(work),
            _ => sorted.suspects.push(work),
        }
    }
    // Whom a death met that says little comes last: a process that is killed again and again soon after its start would
    // meet the same file.
    sorted.suspects.sort_by_key(|work| (attempts.doubts(&attempt(source, work, version)), work.file.bytes));
    sorted
}

/// The state of a file that was set aside.
pub(crate) fn set_aside() -> FileState {
    FileState::Failed { error: SET_ASIDE.to_string(), tries: storage::SET_ASIDE }
}

/// Whether a file was set aside: it is tried again at once by a run that compares contents.
pub fn is_set_aside(state: &FileState) -> bool {
    matches!(state, FileState::Failed { error, .. } if error == SET_ASIDE)
}

/// Whether the ledger has that already.
pub(crate) fn is_said(work: &Work, version: &str) -> bool {
    work.known.as_ref().is_some_and(|entry| {
        entry.state == set_aside()
            && entry.reader == version
            && (entry.bytes, entry.modified_ns, entry.inode) == (work.file.bytes, work.file.modified, work.file.inode)
    })
}

/// Keeps the log of attempts while a run goes on: makes it durable now and then, and writes down that the process was
/// asked to end, so that a death from then on is nobody's fault. However the run ends, unless by a death or a panic,
/// nobody is a suspect for it.
pub(crate) struct Vigil {
    attempts: Arc<Attempts>,
    end: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Vigil {
    pub(crate) fn begin(attempts: Arc<Attempts>, stop: Stop) -> Self {
        attempts.start();
        let (end, ended) = channel::<()>();
        let kept = Arc::clone(&attempts);
        let watch = move || {
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                if stop.is_asked() {
                    kept.pardon();
                }
                kept.note_long();
                kept.sync();
            }
        };
        // Without the thread a fall of the machine may go unnoticed, no death of the process does.
        let thread = thread::Builder::new().name("vigil".to_string()).spawn(watch).ok();
        Self { attempts, end: Some(end), thread }
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It does nothing that could be lost.
            let _ = thread.join();
        }
        if !thread::panicking() {
            self.attempts.finish();
        }
    }
}
