//! The one writer of a vector file.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::layout::{self, Fingerprint, Layout, VectorKey};
use super::reader::{VectorReader, VectorView};
use crate::durable::{Readers, replace_durably};
use crate::vectors::{VectorError, VectorResult, check_vector};

/// How much of an append is put together in memory before it is written.
const WRITE_BYTES: usize = 1 << 20;

/// Appends to a vector file. The caller sees to it that there is only one.
#[derive(Debug)]
pub(crate) struct VectorFile {
    path: PathBuf,
    file: File,
    layout: Layout,
    fingerprint: Fingerprint,
    len: u64,
    poisoned: bool,
}

impl VectorFile {
    /// Makes an empty vector file, durable when this returns.
    ///
    /// # Errors
    /// [`VectorError::Io`], also when there is a file already.
    pub(crate) fn create(path: &Path, dim: usize, fingerprint: &Fingerprint) -> VectorResult<Self> {
        Layout::new(dim)?;
        if path.exists() {
            return Err(VectorError::io("create", path)(io::ErrorKind::AlreadyExists.into()));
        }
        let header = layout::encode_header(dim, fingerprint);
        let made = replace_durably(path, Readers::Umask, |file| file.write_all(&header));
        made.map_err(VectorError::io("create", path))?;
        Self::open(path, dim, fingerprint)
    }

    /// Opens a vector file to append to it. What a crash left of a last, torn record is cut off.
    ///
    /// # Errors
    /// As [`VectorReader::open`].
    pub(crate) fn open(path: &Path, dim: usize, fingerprint: &Fingerprint) -> VectorResult<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(VectorError::io("open", path))?;
        let reader_handle = file.try_clone().map_err(VectorError::io("open", path))?;
        let layout = VectorReader::from_file(path, reader_handle, dim, fingerprint)?.layout();
        let file_len = file.metadata().map_err(VectorError::io("read the size of", path))?.len();
        let len = layout.records(file_len);
        let mut opened = Self { path: path.to_owned(), file, layout, fingerprint: *fingerprint, len, poisoned: false };
        if opened.layout.offset(len) != file_len {
            opened.truncate_to(len)?;
        }
        Ok(opened)
    }

    /// A reader of the same file; it sees what is appended later after a refresh.
    ///
    /// # Errors
    /// As [`VectorReader::open`].
    pub(crate) fn reader(&self) -> VectorResult<VectorReader> {
        VectorReader::open(&self.path, self.layout.dim, &self.fingerprint)
    }

    /// The records that are in the file now.
    ///
    /// # Errors
    /// As [`VectorReader::open`].
    pub(crate) fn view(&self) -> VectorResult<VectorView> {
        Ok(self.reader()?.view())
    }

    /// How many vectors there are; the next one's ordinal.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of the file up to the end of the last one.
    pub(crate) fn bytes(&self) -> u64 {
        self.layout.offset(self.len)
    }

    /// Writes vectors behind the last one and gives the ordinal of the first. Durable after [`VectorFile::sync`].
    ///
    /// # Errors
    /// [`VectorError::Dimension`] and [`VectorError::NotFinite`] before anything is written; [`VectorError::Io`] when
    /// writing fails, for one because the disk is full: the file is then as it was before the call.
    pub(crate) fn append(&mut self, vectors: &[(VectorKey, &[f32])]) -> VectorResult<u64> {
        self.append_with(vectors, |mut file, bytes| file.write_all(bytes))
    }

    /// [`VectorFile::append`] with the system call as a parameter, so that a test can make it fail.
    pub(super) fn append_with(
        &mut self,
        vectors: &[(VectorKey, &[f32])],
        mut write: impl FnMut(&File, &[u8]) -> io::Result<()>,
    ) -> VectorResult<u64> {
        if self.poisoned {
            return Err(VectorError::Poisoned { path: self.path.clone() });
        }
        vectors.iter().try_for_each(|(_, vector)| check_vector(vector, self.layout.dim))?;
        let first = self.len;
        match self.write_records(vectors, &mut write) {
            Ok(()) => {
                self.len += vectors.len() as u64;
                Ok(first)
            }
            Err(reason) => {
                self.truncate_to(first)?;
                Err(VectorError::io("append to", &self.path)(reason))
            }
        }
    }

    fn write_records(
        &mut self,
        vectors: &[(VectorKey, &[f32])],
        write: &mut impl FnMut(&File, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.layout.offset(self.len)))?;
        let batch = (WRITE_BYTES / self.layout.stride).max(1);
        let mut buffer = Vec::with_capacity(batch.min(vectors.len()) * self.layout.stride);
        for (ordinals, chunk) in (self.len..).step_by(batch).zip(vectors.chunks(batch)) {
            buffer.clear();
            for (ordinal, (key, vector)) in (ordinals..).zip(chunk) {
                self.layout.encode(ordinal, key, vector, &mut buffer);
            }
            write(&self.file, &buffer)?;
        }
        Ok(())
    }

    /// Waits until everything appended so far is on the disk.
    ///
    /// # Errors
    /// [`VectorError::Io`]; from then on the file refuses to append, because the system may have dropped the data.
    pub(crate) fn sync(&mut self) -> VectorResult<()> {
        if self.poisoned {
            return Err(VectorError::Poisoned { path: self.path.clone() });
        }
        self.file.sync_data().map_err(|reason| {
            self.poisoned = true;
            VectorError::io("fsync", &self.path)(reason)
        })
    }

    /// Cuts the file down to its first `len` vectors: recovery drops what was never acknowledged.
    ///
    /// # Errors
    /// [`VectorError::OutOfRange`] when the file is shorter: acknowledged vectors are missing. [`VectorError::Io`].
    pub(crate) fn truncate_to(&mut self, len: u64) -> VectorResult<()> {
        if len > self.len {
            return Err(VectorError::OutOfRange { path: self.path.clone(), ordinal: len - 1, len: self.len });
        }
        let cut = self.file.set_len(self.layout.offset(len));
        if cut.is_err() {
            self.poisoned = true;
        }
        cut.map_err(VectorError::io("truncate", &self.path))?;
        self.len = len;
        Ok(())
    }
}
