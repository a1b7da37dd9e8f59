//! The table of accesses as files for readers, who open no database: `access/N.bin` is a whole table, `access/N.delta` what has
//! changed since a whole one, N being the commit that wrote it. So what one changed permission costs does not grow with the
//! number of documents.
//!
//! The lexical index names N in its last commit, so that a reader has the accesses that belong to the texts it sees. A commit
//! that changes accesses writes the new file before the lexical index names it, and removes what is not needed any more after.
//! Where a file that is named is missing or damaged nothing is opened: losing it hides everything, and shows nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::list::Access;
use super::table::{AccessTable, WrittenFiles, WrittenTable};
use crate::error::{Error, Result};
use crate::files;
use crate::record::DocumentId;

const NAME: &str = "access";
/// Length of the checksum that a file begins with.
const CHECKSUM: usize = 32;
/// Changes that are kept beside a whole table in any case, and of larger tables one part in as many documents.
const CHANGES: (usize, usize) = (64, 16);

/// What documents say of themselves from now on; `None` for those that say nothing any more.
type Changed = BTreeMap<DocumentId, Option<Access>>;

/// What a writer has written: a whole table, and what has changed since.
#[derive(Debug, Default)]
pub(crate) struct AccessFiles {
    /// The commit of the whole table; `None`: it was written by somebody else.
    whole: Option<u64>,
    since: Changed,
}

/// The folder of the files.
pub(crate) fn folder(index: &Path) -> PathBuf {
    index.join(NAME)
}

fn path(index: &Path, commit: u64) -> PathBuf {
    folder(index).join(format!("{commit}.bin"))
}

fn delta(index: &Path, commit: u64) -> PathBuf {
    folder(index).join(format!("{commit}.delta"))
}

/// The table that a commit wrote; `None` if it is not there.
///
/// # Errors
/// [`Error::Damaged`] if it is not what was written.
pub(crate) fn read(index: &Path, commit: u64) -> Result<Option<AccessTable>> {
    if let Some(content) = checked(&path(index, commit))? {
        return whole(&content).map(Some);
    }
    let Some(content) = checked(&delta(index, commit))? else { return Ok(None) };
    let ((base, changed), _): ((u64, Changed), _) = decoded(&content)?;
    // A writer that has put another in its place meanwhile has taken both away.
    let Some(base) = checked(&path(index, base))? else { return Ok(None) };
    let mut table = whole(&base)?;
    table.note(&changed);
    Ok(Some(table))
}

fn whole(content: &[u8]) -> Result<AccessTable> {
    let (table, rest) = decoded::<WrittenTable>(content)?;
    // Written before there were sources whose files say who may see them.
    let files = if rest.is_empty() { WrittenFiles::new() } else { decoded(rest)?.0 };
    Ok(AccessTable::read(table, files))
}

fn decoded<T: DeserializeOwned>(content: &[u8]) -> Result<(T, &[u8])> {
    let damaged = |error: postcard::Error| Error::damaged(NAME, format!("a table cannot be decoded: {error}"));
    postcard::take_from_bytes(content).map_err(damaged)
}

/// What a file holds behind its checksum; `None` if it is not there.
fn checked(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let damaged = |detail: &str| Error::damaged(NAME, format!("{name} {detail}"));
    if content.len() < CHECKSUM {
        return Err(damaged("is too short"));
    }
    let table = content.split_off(CHECKSUM);
    if *blake3::hash(&table).as_bytes() != content[..] {
        return Err(damaged("has a wrong checksum"));
    }
    Ok(Some(table))
}

/// The table of the last commit of which it can be read; `None` where there is none.
pub(crate) fn newest(index: &Path) -> Option<AccessTable> {
    let entries = fs::read_dir(folder(index)).ok()?.flatten();
    let number =
        |name: &str| name.rsplit_once('.').filter(|(_, end)| ["bin", "delta"].contains(end))?.0.parse::<u64>().ok();
    let mut commits: Vec<u64> = entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    commits.sort_unstable();
    commits.into_iter().rev().find_map(|commit| read(index, commit).ok().flatten())
}

/// Writes the whole table of a commit, durably.
pub(crate) fn write(index: &Path, commit: u64, table: &AccessTable) -> Result<()> {
    let folder = folder(index);
    if !folder.exists() {
        fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
        files::sync_folder(index)?;
    }
    put(&path(index, commit), &table.written())
}

fn put<T: serde::Serialize>(path: &Path, table: &T) -> Result<()> {
    // Plain data: encoding it into memory cannot fail.
    let table = postcard::to_extend(table, Vec::new()).expect("plain data encodes");
    files::replace(path, &[blake3::hash(&table).as_bytes().as_slice(), &table].concat())
}

impl AccessFiles {
    /// Writes the table of a commit that has changed what documents say of themselves, durably: as what has changed since a
    /// whole one was written, while that is little.
    pub(crate) fn write_changed(
        &mut self,
        index: &Path,
        commit: u64,
        table: &AccessTable,
        changed: &Changed,
    ) -> Result<()> {
        let most = CHANGES.0.max(table.len() / CHANGES.1);
        let Some(whole) = self.whole.filter(|_| self.since.len() + changed.len() <= most) else {
            return self.write_whole(index, commit, table);
        };
        self.since.extend(changed.iter().map(|(id, access)| (*id, access.clone())));
        put(&delta(index, commit), &(whole, &self.since))
    }

    /// Writes the whole table of a commit, durably.
    pub(crate) fn write_whole(&mut self, index: &Path, commit: u64, table: &AccessTable) -> Result<()> {
        write(index, commit, table)?;
        *self = Self { whole: Some(commit), since: Changed::new() };
        Ok(())
    }

    /// Removes the files that the table of a commit does not need, which it has written last.
    pub(crate) fn keep_only(&self, index: &Path, commit: u64) -> Result<()> {
        keep(index, commit, self.whole.unwrap_or(commit))
    }
}

/// Removes the files that the table of a commit does not need.
pub(crate) fn keep_only(index: &Path, commit: u64) -> Result<()> {
    let whole = match checked(&delta(index, commit))? {
        Some(content) if !path(index, commit).exists() => decoded::<(u64, Changed)>(&content)?.0.0,
        _ => commit,
    };
    keep(index, commit, whole)
}

fn keep(index: &Path, commit: u64, whole: u64) -> Result<()> {
    let folder = folder(index);
    let kept = [path(index, commit), delta(index, commit), path(index, whole)];
    for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let path = entry.map_err(Error::io("list", &folder))?.path();
        if !kept.contains(&path) {
            files::remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{FilePermissions, SourceAccess};

    #[test]
    fn a_table_of_a_version_that_knew_of_no_permissions_of_files_is_read() {
        let index = tempfile::tempdir().unwrap();
        let mut table = AccessTable::default();
        table.note_source("wiki", Some(SourceAccess::closed()));
        fs::create_dir(folder(index.path())).unwrap();
        let old = postcard::to_extend(&table.written().0, Vec::new()).unwrap();
        fs::write(path(index.path(), 4), [blake3::hash(&old).as_bytes().as_slice(), &old].concat()).unwrap();
        assert!(read(index.path(), 4).unwrap().unwrap().says_the_same_as(&table));
        table.note_files("wiki", Some(FilePermissions::Owner));
        write(index.path(), 5, &table).unwrap();
        assert!(read(index.path(), 5).unwrap().unwrap().says_the_same_as(&table));
    }

    #[test]
    fn a_few_changes_are_written_alone_and_many_whole() {
        let index = tempfile::tempdir().unwrap();
        let (mut table, mut written) = (AccessTable::default(), AccessFiles::default());
        let id = |number: usize| DocumentId::of("s", &number.to_string());
        let all: Changed = (0..3_200).map(|number| (id(number), Some(Access::nobody()))).collect();
        table.note(&all);
        written.write_changed(index.path(), 1, &table, &all).unwrap();
        let mut deltas = 0;
        for commit in 2..400 {
            let access = (commit % 3 > 0).then(|| Access::parse(&[format!("group:{commit}")]).unwrap());
            let changed = Changed::from([(id(commit as usize * 7 % 3_300), access)]);
            table.note(&changed);
            written.write_changed(index.path(), commit, &table, &changed).unwrap();
            match commit % 2 {
                0 => written.keep_only(index.path(), commit).unwrap(),
                _ => keep_only(index.path(), commit).unwrap(),
            }
            deltas += usize::from(delta(index.path(), commit).exists());
            assert!(read(index.path(), commit).unwrap().unwrap().says_the_same_as(&table), "{commit}");
            assert!(newest(index.path()).unwrap().says_the_same_as(&table), "{commit}");
            let files = fs::read_dir(folder(index.path())).unwrap().count();
            assert!(files <= 2, "{files} files");
        }
        assert!((390..398).contains(&deltas), "{deltas}");
        // Without the whole one the changes tell nothing.
        fs::remove_file(path(index.path(), written.whole.unwrap())).unwrap();
        assert!(read(index.path(), 399).unwrap().is_none() && newest(index.path()).is_none());
        // Whoever comes later has nothing to add to.
        AccessFiles::default().write_changed(index.path(), 400, &table, &Changed::new()).unwrap();
        assert!(path(index.path(), 400).exists());
    }

    #[test]
    fn a_changed_byte_is_damage_and_a_file_that_is_gone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = AccessTable::default();
        table.note_source("wiki", Some(SourceAccess::closed()));
        write(folder.path(), 3, &AccessTable::default()).unwrap();
        write(folder.path(), 7, &table).unwrap();
        assert!(read(folder.path(), 7).unwrap().unwrap().says_the_same_as(&table));
        keep_only(folder.path(), 7).unwrap();
        assert!(read(folder.path(), 3).unwrap().is_none());
        let mut content = fs::read(path(folder.path(), 7)).unwrap();
        *content.last_mut().unwrap() ^= 1;
        fs::write(path(folder.path(), 7), content).unwrap();
        assert!(matches!(read(folder.path(), 7), Err(Error::Damaged { .. })));
    }
}
