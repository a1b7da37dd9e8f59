//! The progress of a run: what it tells while it goes on, whom it makes room for, and what it reports at the end.

use std::time::Duration;

use storage::{Store, Waiting};

use crate::error::IndexError;

/// Watches a run. Called from the run's own thread; keep it short.
pub trait Observer {
    /// The folder was listed.
    fn planned(&self, plan: &Planned);
    /// Something went on.
    fn progressed(&self, counters: &Counters);
    /// Vectors of the backlog were committed; `left` is still to come.
    fn backlog(&self, left: &Waiting) {
        let _ = left;
    }
    /// The run waits for a model elsewhere, and why; `None` once it goes on. Told again and again while it waits.
    fn waiting(&self, reason: Option<&str>);
}

/// Other work on the store, done between two steps of a run. Called from the run's own thread, several times a second.
pub trait Interlude {
    /// Does what there is to do, if anything; the paths of the run's own source that it has committed.
    ///
    /// # Errors
    /// The store failed: the run ends.
    fn room(&mut self, store: &mut Store) -> Result<Vec<String>, IndexError>;
}

/// An observer for callers that do not want to know.
pub struct Silent;

impl Observer for Silent {
    fn planned(&self, _: &Planned) {}
    fn progressed(&self, _: &Counters) {}
    fn waiting(&self, _: Option<&str>) {}
}

/// What a run is going to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Planned {
    /// Files that are going to be read.
    pub files: u64,
    /// Their bytes: files differ a thousandfold, so that only these tell how long it takes.
    pub bytes: u64,
    /// Files that are not.
    pub unchanged: u64,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Files that are read, extracted and chunked.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Chunks of these files.
    pub chunks: u64,
    /// Chunks that had to be embedded.
    pub embedded: u64,
    /// Tokens that were embedded.
    pub tokens: u64,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunReport {
    /// Files that were read and are searchable now.
    pub indexed: u64,
    /// Files that were read and are searchable, but not all of them.
    pub partly: u64,
    /// Files that were not read again.
    pub unchanged: u64,
    /// Files left out by a rule.
    pub skipped: u64,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Files that failed and are tried again next time.
    pub failed: u64,
    /// Documents removed because their files are gone.
    pub removed: u64,
    /// Documents that other people may see than before, without another text.
    pub accesses: u64,
    /// Chunks of the files that were read.
    pub chunks: u64,
    /// Chunks that were embedded; the others' texts were known.
    pub embedded: u64,
    /// Tokens that were embedded.
    pub tokens: u64,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// Part of it for comparing the folder with the ledger.
    pub planning: Duration,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Folders and files that were left out or could not be listed, with the reason.
    pub problems: Vec<String>,
    /// Folders among them that hide what is in them; the ledger has a line for each.
    pub unlisted: u64,
}

impl RunReport {
    /// Takes in a later part of the same run. Passages and tokens are counted through by the run itself.
    pub(crate) fn add(&mut self, part: &Self) {
        self.indexed += part.indexed;
        self.partly += part.partly;
        self.unchanged += part.unchanged;
        self.skipped += part.skipped;
        self.unreadable += part.unreadable;
        self.failed += part.failed;
        self.removed += part.removed;
        self.accesses += part.accesses;
        (self.chunks, self.embedded, self.tokens) = (part.chunks, part.embedded, part.tokens);
        self.interrupted |= part.interrupted;
    }

    /// Whether the run changed nothing that can be found, and saw all there is. Files that cannot be read are tried in
    /// every run.
    pub fn is_idle(&self) -> bool {
        self.indexed + self.partly + self.skipped + self.removed + self.accesses + self.unlisted == 0
    }
}
