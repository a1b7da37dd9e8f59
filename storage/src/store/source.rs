//! The store as something to be backed up.

use super::Store;
use crate::backup::{BackupSource, KnownObjects, Parts};
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
}
