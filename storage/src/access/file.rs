//! The table of accesses as a file for readers, who open no database: `access/N.bin`, N being the commit that wrote it.
//!
//! The lexical index names N in its last commit, so that a reader has the accesses that belong to the texts it sees. A commit
//! that changes accesses writes the new file before the lexical index names it, and removes the old one after. Where the
//! named file is missing or damaged nothing is opened: losing it hides everything, and shows nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::table::{AccessTable, WrittenTable};
use crate::error::{Error, Result};
use crate::files;

const NAME: &str = "access";
/// Length of the checksum that a file begins with.
const CHECKSUM: usize = 32;

/// The folder of the files.
pub(crate) fn folder(index: &Path) -> PathBuf {
    index.join(NAME)
}

fn path(index: &Path, commit: u64) -> PathBuf {
    folder(index).join(format!("{commit}.bin"))
}

/// The table that a commit wrote; `None` if it is not there.
///
/// # Errors
/// [`Error::Damaged`] if it is not what was written.
pub(crate) fn read(index: &Path, commit: u64) -> Result<Option<AccessTable>> {
    let path = path(index, commit);
    let content = match fs::read(&path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let damaged = |detail: String| Error::damaged(NAME, format!("{commit}.bin {detail}"));
    let (checksum, table) = content.split_at_checked(CHECKSUM).ok_or_else(|| damaged("is too short".to_owned()))?;
    if blake3::hash(table).as_bytes() != checksum {
        return Err(damaged("has a wrong checksum".to_owned()));
    }
    let table: WrittenTable =
        postcard::from_bytes(table).map_err(|error| damaged(format!("cannot be decoded: {error}")))?;
    Ok(Some(AccessTable::read(table)))
}

/// The table of the last commit of which it can be read; `None` where there is none.
pub(crate) fn newest(index: &Path) -> Option<AccessTable> {
    let entries = fs::read_dir(folder(index)).ok()?.flatten();
    let number = |name: &str| name.strip_suffix(".bin")?.parse::<u64>().ok();
    let mut commits: Vec<u64> = entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    commits.sort_unstable();
    commits.into_iter().rev().find_map(|commit| read(index, commit).ok().flatten())
}

/// Writes the table of a commit, durably.
pub(crate) fn write(index: &Path, commit: u64, table: &AccessTable) -> Result<()> {
    let folder = folder(index);
    if !folder.exists() {
        fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
        files::sync_folder(index)?;
    }
    // Plain data: encoding it into memory cannot fail.
    let table = postcard::to_extend(&table.written(), Vec::new()).expect("plain data encodes");
    files::replace(&path(index, commit), &[blake3::hash(&table).as_bytes().as_slice(), &table].concat())
}

/// Removes the files of all commits but one.
pub(crate) fn keep_only(index: &Path, commit: u64) -> Result<()> {
    let folder = folder(index);
    let kept = path(index, commit);
    for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let path = entry.map_err(Error::io("list", &folder))?.path();
        if path != kept {
            files::remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::SourceAccess;

    #[test]
    fn a_changed_byte_is_damage_and_a_file_that_is_gone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = AccessTable::default();
        table.note_source("wiki", Some(SourceAccess::closed()));
        write(folder.path(), 3, &AccessTable::default()).unwrap();
        write(folder.path(), 7, &table).unwrap();
        assert_eq!(read(folder.path(), 7).unwrap(), Some(table));
        keep_only(folder.path(), 7).unwrap();
        assert_eq!(read(folder.path(), 3).unwrap(), None);
        let mut content = fs::read(path(folder.path(), 7)).unwrap();
        *content.last_mut().unwrap() ^= 1;
        fs::write(path(folder.path(), 7), content).unwrap();
        assert!(matches!(read(folder.path(), 7), Err(Error::Damaged { .. })));
    }
}
