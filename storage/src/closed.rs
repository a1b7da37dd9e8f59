//! A store that was closed in the middle of work, after a failure, to be opened again in place: as at a start, with the
//! same repairs, while searches go on on the last snapshot.

use std::path::PathBuf;

use crate::error::Result;
use crate::lock::Lock;
use crate::record::IndexModel;
use crate::recover;
use crate::store::{SnapshotHandle, Store};
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
        match self.opened() {
            Ok(opened) => Store::resume(self, opened).and_then(Store::checked),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    fn opened(&self) -> Result<recover::Opened> {
        recover::open(&self.folder, &self.model)
    }
}
