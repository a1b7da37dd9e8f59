//! Mapped access to a vector file that may grow meanwhile.
#![expect(unsafe_code, reason = "memory-mapping the vector file")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use memmap2::Mmap;

use super::layout::{self, Fingerprint, HEADER_LEN, Layout, VectorKey};
use crate::vectors::{VectorError, VectorResult, prefetch};

/// Reads a vector file, in the writer's process or in another.
///
/// Cheap to clone; clones share the mapping. [`VectorReader::refresh`] notices that the file has grown.
#[derive(Debug, Clone)]
pub(crate) struct VectorReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    file: File,
    layout: Layout,
    view: RwLock<VectorView>,
}

/// The records that were in the file at one moment. Cheap to clone, stays valid while the file grows.
#[derive(Debug, Clone)]
pub(crate) struct VectorView {
    map: Arc<Mapping>,
}

#[derive(Debug)]
struct Mapping {
    path: PathBuf,
    layout: Layout,
    fingerprint: Fingerprint,
    records: u64,
    bytes: Mmap,
}

impl VectorReader {
    /// Opens a vector file of vectors of dimension `dim` by the model with this fingerprint.
    ///
    /// # Errors
    /// [`VectorError::WrongModel`] for another model's file, [`VectorError::Corrupt`] for a damaged header,
    /// [`VectorError::Io`].
    pub(crate) fn open(path: &Path, dim: usize, fingerprint: &Fingerprint) -> VectorResult<Self> {
        let file = File::open(path).map_err(VectorError::io("open", path))?;
        Self::from_file(path, file, dim, fingerprint)
    }

    pub(super) fn from_file(path: &Path, file: File, dim: usize, fingerprint: &Fingerprint) -> VectorResult<Self> {
        let bytes = map(&file, path)?;
        let layout = layout::check_header(path, &bytes, dim, fingerprint)?;
        let view = VectorView::new(path, layout, fingerprint, bytes);
        Ok(Self { shared: Arc::new(Shared { path: path.to_owned(), file, layout, view: RwLock::new(view) }) })
    }

    pub(super) fn layout(&self) -> Layout {
        self.shared.layout
    }

    /// Values in each vector.
    pub(crate) fn dim(&self) -> usize {
        self.shared.layout.dim
    }

    /// The records known at the last refresh.
    pub(crate) fn view(&self) -> VectorView {
        self.shared.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether the file has grown, and gives the records it has now.
    ///
    /// # Errors
    /// [`VectorError::Io`] when the file cannot be mapped.
    pub(crate) fn refresh(&self) -> VectorResult<VectorView> {
        let Shared { path, file, layout, view } = &*self.shared;
        let file_len = file.metadata().map_err(VectorError::io("read the size of", path))?.len();
        let known = self.view();
        if layout.records(file_len) == known.len() {
            return Ok(known);
        }
        let fresh = VectorView::new(path, *layout, known.fingerprint(), map(file, path)?);
        *view.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        Ok(fresh)
    }

    /// A view that holds at least the ordinals `0..len`.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`] when the file is shorter.
    pub(crate) fn view_of(&self, len: u64) -> VectorResult<VectorView> {
        let known = self.view();
        if known.len() >= len {
            return Ok(known);
        }
        let fresh = self.refresh()?;
        if fresh.len() < len {
            let path = self.shared.path.clone();
            return Err(VectorError::OutOfRange { path, ordinal: len - 1, len: fresh.len() });
        }
        Ok(fresh)
    }
}

impl VectorView {
    fn new(path: &Path, layout: Layout, fingerprint: &Fingerprint, bytes: Mmap) -> Self {
        let records = layout.records(bytes.len() as u64);
        Self { map: Arc::new(Mapping { path: path.to_owned(), layout, fingerprint: *fingerprint, records, bytes }) }
    }

    /// Values in each vector.
    pub(crate) fn dim(&self) -> usize {
        self.map.layout.dim
    }

    /// The model the vectors are from.
    pub(crate) fn fingerprint(&self) -> &Fingerprint {
        &self.map.fingerprint
    }

    /// How many vectors there are.
    pub(crate) fn len(&self) -> u64 {
        self.map.records
    }

    /// The vector at an ordinal, its checksum verified now.
    ///
    /// # Errors
    /// [`VectorError::CorruptVector`] when the record is damaged, [`VectorError::OutOfRange`].
    pub(crate) fn get(&self, ordinal: u64) -> VectorResult<&[f32]> {
        let record = self.checked_record(ordinal)?;
        Ok(self.map.layout.values(record))
    }

    /// Asks for the beginning of a record ahead of [`VectorView::get`].
    pub(crate) fn prefetch(&self, ordinal: u64) {
        let start = self.map.layout.offset(ordinal) as usize;
        for line in 0..4 {
            prefetch(&self.map.bytes, start + line * 64);
        }
    }

    /// The content key at an ordinal, its checksum verified now.
    ///
    /// # Errors
    /// As [`VectorView::get`].
    pub(crate) fn key(&self, ordinal: u64) -> VectorResult<VectorKey> {
        let record = self.checked_record(ordinal)?;
        Ok(self.map.layout.key(record))
    }

    /// The ordinals of all damaged records, ascending.
    pub(crate) fn verify(&self) -> Vec<u64> {
        (0..self.len()).filter(|&ordinal| self.checked_record(ordinal).is_err()).collect()
    }

    fn checked_record(&self, ordinal: u64) -> VectorResult<&[u8]> {
        let Mapping { path, layout, records, bytes, .. } = &*self.map;
        if ordinal >= *records {
            return Err(VectorError::OutOfRange { path: path.clone(), ordinal, len: *records });
        }
        let start = layout.offset(ordinal) as usize;
        let record = &bytes[start..start + layout.stride];
        if !layout.is_intact(ordinal, record) {
            return Err(VectorError::CorruptVector { path: path.clone(), ordinal });
        }
        Ok(record)
    }
}

fn map(file: &File, path: &Path) -> VectorResult<Mmap> {
    let file_len = file.metadata().map_err(VectorError::io("read the size of", path))?.len();
    if file_len < HEADER_LEN {
        let what = format!("it has {file_len} bytes, expected at least a header of {HEADER_LEN}");
        return Err(VectorError::corrupt(path, what));
    }
    // SAFETY: the mapping is read-only. The file is append-only: bytes of a record that a reader was told of are not
    // written again. The writer only ever cuts records that were never acknowledged; and whatever bytes are found,
    // they are checked before they are used, as plain numbers.
    unsafe { Mmap::map(file) }.map_err(VectorError::io("map", path))
}
