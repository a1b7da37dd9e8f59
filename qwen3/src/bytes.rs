//! Bytes of a model file, wherever they live: in the binary, on the heap or mapped from disk. The one place of this
//! crate that maps files, so that everything else works on plain slices.
//!
//! A mapped file must not be shortened while a model is open; replacing it by rename is safe.
#![expect(unsafe_code, reason = "memory-mapping a file is unsafe by nature; one call to map and one to unload")]

use std::{
    fs::File,
    ops::{Deref, Range},
    path::Path,
    sync::Arc,
};

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;

use crate::error::{Error, Result};

/// Cheaply clonable, read-only bytes.
#[derive(Clone)]
pub(crate) enum Bytes {
    Static(&'static [u8]),
    Owned(Arc<[u8]>),
    Mapped(Arc<Mmap>),
}

impl Bytes {
    /// Maps a file; an empty file gives empty bytes (mapping it would be an error on some systems).
    pub(crate) fn map(path: &Path) -> Result<Self> {
        let read_error = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read_error)?;
        let metadata = file.metadata().map_err(read_error)?;
        if metadata.is_dir() {
            return Err(read_error(std::io::ErrorKind::IsADirectory.into()));
        }
        if metadata.len() == 0 {
            return Ok(Self::Static(&[]));
        }
        // SAFETY: the map is read-only and private to this process; the module's contract (above, and in the public
        // documentation of `ModelFiles::folder`) asks that the file is not shortened while it is open.
        let map = unsafe { Mmap::map(&file) }.map_err(read_error)?;
        Ok(Self::Mapped(Arc::new(map)))
    }

    /// Gives the memory of a part back that will hardly be read again; reading it fetches it from the file again. A
    /// packed copy of the weights and the file's pages together would take twice the memory.
    pub(crate) fn forget(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self
            && range.end <= map.len()
        {
            // SAFETY: pages of a shared, read-only file mapping hold nothing that the file does not.
            let done = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
            if let Err(error) = done {
                tracing::debug!("the memory of loaded weights is not given back: {error}");
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}
