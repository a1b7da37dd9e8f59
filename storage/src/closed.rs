//! A store that was closed in the middle of work, after a failure, to be opened again in place: as at a start, with the
//! same repairs, while searches go on on the last snapshot.

use std::path::PathBuf;

use crate::error::Result;
use crate::lock::Lock;
use crate::record::IndexModel;
use crate::recover;
use crate::snapshot::SnapshotHandle;
use crate::store::Store;
use crate::truth::SharedDocuments;

/// What stays of a [`Store`] while it is closed: its place, its lock, and the handles of those who read it.
pub struct ClosedStore {
    pub(crate) folder: PathBuf,
    pub(crate) model: IndexModel,
    pub(crate) current: SnapshotHandle,
    pub(crate) truth: SharedDocuments,
    pub(crate) lock: Lock,
}

impl ClosedStore {
    /// Opens the store again, repairs what the failure left undone, and makes sure that it can be written. All snapshot
    /// handles and readers of the truth follow.
    ///
    /// # Errors
    /// As [`Store::open`], with the closed store for another try: nothing that was acknowledged is lost.
    pub fn open(self) -> Result<Store, (Box<Self>, crate::Error)> {
        self.open_following().and_then(Store::checked)
    }

    /// As [`ClosedStore::open`], but nothing is written to see whether that can be done: where backups are followed, the
    /// generation stays that of the backup.
    ///
    /// # Errors
    /// As there.
    pub fn open_following(self) -> Result<Store, (Box<Self>, crate::Error)> {
        match self.opened() {
            Ok(opened) => Store::resume(self, opened),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    fn opened(&self) -> Result<recover::Opened> {
        recover::open(&self.folder, &self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::error::Error;
    use crate::record::ContentKey;
    use crate::snapshot::Snapshot;

    #[test]
    fn readers_follow_a_store_that_is_opened_again_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".to_string(), fingerprint: "f".to_string(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        let (snapshots, truth) = (store.snapshots(), store.truth());
        let key = ContentKey::of(&[], "text");
        let mut batch = Batch::default();
        batch.finish_run("docs", 7);
        batch.keep_vector(key, vec![1.0, 0.0]);
        store.commit(batch).unwrap();
        let before = snapshots.get();
        let closed = store.suspend();
        assert!(matches!(truth.statistics(), Err(Error::Reopening)));
        assert!(matches!(truth.ledger("docs", "").next(), Some(Err(Error::Reopening))));
        assert!(matches!(Store::open(folder.path(), &model), Err(Error::Locked { .. })), "the lock is kept");
        let mut store = closed.open().map_err(|(_, error)| error).unwrap();
        let last_run = |snapshots: &SnapshotHandle| snapshots.get().whole().unwrap().totals().source("docs").last_run;
        assert_eq!((last_run(&snapshots), truth.statistics().unwrap().vectors), (Some(7), 1));
        assert!(store.has_vector(key).unwrap(), "a vector without a document is kept");
        assert!(!std::sync::Arc::ptr_eq(&before, &snapshots.get()), "the new snapshot is seen");
        let mut batch = Batch::default();
        batch.finish_run("docs", 8);
        store.commit(batch).unwrap();
        assert_eq!(last_run(&snapshots), Some(8), "a commit without documents is counted");
        assert_eq!(
            Snapshot::open(folder.path()).unwrap().whole().unwrap().totals(),
            snapshots.get().whole().unwrap().totals(),
            "and for other processes"
        );
    }
}
