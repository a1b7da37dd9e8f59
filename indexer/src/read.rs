//! The read of one file that the walk found, and of nothing else: what stands there now must be an ordinary file,
//! within the limit, and the same before and after the reading. Everything that can go wrong is a [`FileError`] for the
//! ledger.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use crate::beneath::Root;
use crate::walk::{FoundFile, modified};
use extract::ExtractLimits;
use extract::FileError;

/// A file that was read, and is still held.
pub(crate) struct ReadFile {
    pub(crate) bytes: Vec<u8>,
    /// Its path below the root.
    pub(crate) relative: PathBuf,
    pub(crate) file: File,
}

/// The bytes of a file in one state of it, opened beneath the root it was found under. Size and time may differ from
/// those that the walk saw: what counts is that they do not change while the file is read.
///
/// # Errors
/// [`FileError::Vanished`], [`FileError::Unreadable`], [`FileError::NotAFile`], [`FileError::Link`],
/// [`FileError::TooLarge`] (before a byte is read) and [`FileError::Changed`].
pub fn read_file(root: &Root, found: &FoundFile, limits: &ExtractLimits) -> Result<Vec<u8>, FileError> {
    Ok(read_open(root, found, limits)?.bytes)
}

/// As [`read_file`], with the file itself: more can be asked of what was read.
pub(crate) fn read_open(root: &Root, found: &FoundFile, limits: &ExtractLimits) -> Result<ReadFile, FileError> {
    let relative = found.path.strip_prefix(root.path()).map_err(|_| FileError::Link)?;
    let mut file = root.open_file(relative)?;
    let opened = file.metadata().map_err(FileError::from_io)?;
    if opened.len() > limits.max_bytes {
        return Err(FileError::TooLarge { bytes: opened.len(), limit: limits.max_bytes });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or(0));
    // A file that grows for ever is given up one byte above its size.
    file.by_ref().take(opened.len() + 1).read_to_end(&mut bytes).map_err(FileError::from_io)?;
    let after = file.metadata().map_err(FileError::from_io)?;
    let same = opened.len() == after.len() && modified(&opened) == modified(&after);
    if !same || bytes.len() as u64 != after.len() {
        return Err(FileError::Changed);
    }
    if after.len() > limits.max_bytes {
        return Err(FileError::TooLarge { bytes: after.len(), limit: limits.max_bytes });
    }
    Ok(ReadFile { bytes, relative: relative.to_path_buf(), file })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::walk::{WalkOptions, walk};

    fn found(folder: &Path, content: &str) -> FoundFile {
        fs::write(folder.join("a.md"), content).unwrap();
        walk(folder, &WalkOptions::default()).unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn a_file_is_read_within_the_limit() {
        let folder = TempDir::new().unwrap();
        let file = found(folder.path(), "text");
        let root = Root::open(&folder.path().canonicalize().unwrap()).unwrap();
        assert_eq!(read_file(&root, &file, &ExtractLimits::default()).unwrap(), b"text");
        let error = read_file(&root, &file, &ExtractLimits { max_bytes: 3, ..ExtractLimits::default() }).unwrap_err();
        assert!(matches!(error, FileError::TooLarge { bytes: 4, limit: 3 }));
        // It grew since the walk: read as it is now.
        fs::write(&file.path, "longer text").unwrap();
        assert_eq!(read_file(&root, &file, &ExtractLimits::default()).unwrap(), b"longer text");
    }

    #[test]
    fn a_folder_that_became_a_link_after_the_walk_leads_nowhere() {
        let all = TempDir::new().unwrap();
        let folder = all.path().join("source");
        for path in ["source/a", "outside"] {
            fs::create_dir_all(all.path().join(path)).unwrap();
            fs::write(all.path().join(path).join("x.md"), path).unwrap();
        }
        let mut files = walk(&folder, &WalkOptions::default()).unwrap();
        let (root, file) = (files.root(), files.next().unwrap().unwrap());
        let limits = ExtractLimits::default();
        assert_eq!(read_file(&root, &file, &limits).unwrap(), b"source/a");
        fs::rename(folder.join("a"), folder.join("b")).unwrap();
        symlink(all.path().join("outside"), folder.join("a")).unwrap();
        assert_eq!(read_file(&root, &file, &limits), Err(FileError::Link));
        // Neither does the whole source.
        fs::remove_file(folder.join("a")).unwrap();
        fs::rename(folder.join("b"), folder.join("a")).unwrap();
        fs::rename(&folder, all.path().join("moved")).unwrap();
        symlink(all.path().join("outside"), &folder).unwrap();
        assert_eq!(read_file(&root, &file, &limits).unwrap(), b"source/a");
        assert!(!root.is_in_place());
    }

    #[test]
    fn what_happens_to_a_file_is_told_apart() {
        let folder = TempDir::new().unwrap();
        let file = found(folder.path(), "text");
        let root = Root::open(&folder.path().canonicalize().unwrap()).unwrap();
        let limits = ExtractLimits::default();
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o000)).unwrap();
        // The administrator reads everything.
        if File::open(&file.path).is_err() {
            assert!(matches!(read_file(&root, &file, &limits), Err(FileError::Unreadable { .. })));
        }
        fs::remove_file(&file.path).unwrap();
        assert!(matches!(read_file(&root, &file, &limits), Err(FileError::Vanished)));
        symlink("/dev/zero", &file.path).unwrap();
        let found = "a symbolic link".to_string();
        assert_eq!(read_file(&root, &file, &limits), Err(FileError::NotAFile { found }));
    }
}
