//! Points at which the crash tests kill the process.
//!
//! `QUARRY_KILL_AT=step:n` makes the n-th passage of that step send SIGKILL to this process, so that a test can stop a
//! commit between any two of its effects. The hook exists in builds with debug assertions only; a release build has none.

/// The steps of a commit, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Vectors are appended, not yet synced.
    VectorsAppended,
    /// Vectors are durable, nothing refers to them yet.
    VectorsSynced,
    /// The batch is in sled, perhaps not on disk.
    TruthWritten,
    /// The batch is durable: acknowledged.
    TruthFlushed,
    /// Who may see what is written for readers, the lexical index still names what was before.
    AccessWritten,
    /// tantivy has written its segments, its `meta.json` is the old one.
    LexicalPrepared,
    /// tantivy's commit is done.
    LexicalCommitted,
    /// The totals for readers are those of this commit.
    TotalsWritten,
    /// A sealed vector segment is written under its temporary name, not yet synced.
    SegmentWritten,
    /// The segment has its name, no manifest refers to it.
    SegmentRenamed,
    /// The new manifest is in place.
    ManifestWritten,
    /// The new snapshot is visible.
    Published,
    /// A rebuild is whole, and not in force yet.
    RebuildFinished,
    /// A rebuild is in force, what it replaced is still there.
    RebuildInForce,
    /// What a rebuild had replaced is as it is to be, and not in force yet.
    RollbackFinished,
    /// It is in force, what it takes the place of is still there.
    RollbackInForce,
    /// The truth of an upgrade is whole, what is derived is not made yet.
    UpgradeConverted,
    /// An upgrade is whole, and not in force yet.
    UpgradeFinished,
    /// An upgrade is in force, what it replaced is still there.
    UpgradeInForce,
    /// Everything that a backup holds is pinned, nothing is copied yet.
    BackupPinned,
    /// All objects of a backup are there, its manifest is not.
    BackupCopied,
    /// A backup is whole.
    BackupWritten,
    /// Backups are removed, objects that they alone needed are still there.
    BackupPruned,
    /// All that is restored is written, nothing of it was opened.
    RestoreFilled,
    /// What lies beside the index is in its place, the index is not.
    RestorePlaced,
    /// The truth of a compaction is whole, what is derived is not made yet.
    CompactConverted,
    /// A compaction is whole, and not in force yet.
    CompactFinished,
    /// A compaction is in force, what it replaced is still there.
    CompactInForce,
}

impl Step {
    /// Every step of a commit, for tests that kill at each.
    pub const ALL: [Self; 11] = [
        Self::VectorsAppended,
        Self::VectorsSynced,
        Self::TruthWritten,
        Self::TruthFlushed,
        Self::LexicalPrepared,
        Self::LexicalCommitted,
        Self::TotalsWritten,
        Self::SegmentWritten,
        Self::SegmentRenamed,
        Self::ManifestWritten,
        Self::Published,
    ];
}

#[cfg(not(debug_assertions))]
pub(crate) fn point(_step: Step) {}

/// Kills this process if `QUARRY_KILL_AT` names this passage.
#[cfg(debug_assertions)]
pub(crate) fn point(step: Step) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static TARGET: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let target = TARGET.get_or_init(|| {
        let value = std::env::var("QUARRY_KILL_AT").ok()?;
        let (name, count) = value.split_once(':')?;
        Some((name.to_string(), count.parse().ok()?))
    });
    let Some((name, count)) = target else { return };
    if *name != format!("{step:?}") || PASSED.fetch_add(1, Ordering::Relaxed) + 1 != *count {
        return;
    }
    die();
}

/// Aborts this process if a text holds what `QUARRY_DIE_ON` says: a file that takes the process with it, for tests of what
/// becomes of the others. In builds with debug assertions only.
#[cfg(debug_assertions)]
pub fn die_on(text: &str) {
    if std::env::var("QUARRY_DIE_ON").is_ok_and(|mark| text.contains(&mark)) {
        std::process::abort();
    }
}

/// SIGKILL through the shell's `kill`: no destructor runs, as in a real crash.
#[cfg(debug_assertions)]
fn die() {
    let _ = std::process::Command::new("sh").args(["-c", &format!("kill -9 {}", std::process::id())]).status();
    std::process::abort();
}
