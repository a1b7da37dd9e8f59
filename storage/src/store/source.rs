//! The store as something to be backed up.

use super::Store;
use crate::backup::{BackupObserver, BackupResult, BackupSource, Destination, KnownObjects, Parts, Pulled, pull};
use crate::error::Result;

impl Store {
    /// Pins the data folder as of the last commit, so that it can be copied while commits go on. The writer waits as long as
    /// it takes to read the document store, and to write down what `known` lacks of it; no vector and no text index is
    /// copied meanwhile, unless the disk knows no second names for files.
    ///
    /// Keep this store, or what becomes of it ([`Store::suspend`]), until the source is dropped: the next process that opens
    /// the data folder removes what is pinned.
    ///
    /// # Errors
    /// The store stopped writing after a failure; the document store is damaged; the disk refuses.
    pub fn backup_source(&self, known: &KnownObjects) -> Result<BackupSource> {
        self.check_poison()?;
        let parts = Parts {
            data: self.lock.folder(),
            folder: &self.folder,
            settings: &self.settings,
            documents: &self.documents,
            lexical: &self.lexical,
            vector_bytes: self.vectors.bytes(),
        };
        BackupSource::pin(&parts, known)
    }
    /// Brings what a newer backup has, if there is one, and makes an edition of it beside the one in force: this store and its
    /// readers go on as they are, until [`ClosedStore::adopt`](crate::ClosedStore::adopt) puts it in force. What is here already
    /// is not fetched.
    ///
    /// # Errors
    /// The backup was made with another model or in another format, or is not what was written; the destination or the disk
    /// refuses; the observer stops it. Nothing is changed then.
    pub fn pull(&self, destination: &dyn Destination, observer: &dyn BackupObserver) -> BackupResult<Option<Pulled>> {
        pull(destination, self.lock.folder(), &self.folder, &self.documents, &self.settings.model, observer)
    }
}
