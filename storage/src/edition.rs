//! Editions of the index in a data folder: the one in force, and the one that a rebuild or an upgrade makes beside it.
//!
//! The first edition lies in the data folder itself. A rebuild makes the next one in `rebuild/`, an upgrade in
//! `upgrade/`, a compaction in `compact/`, a restore in `restoring/`, and at its end renames that folder to `index-N`. The rename
//! is the change-over, whole or absent: whoever opens the data folder takes the highest N
//! there is, and the data folder itself where there is none. What is superseded is removed by the next writer, if the
//! rebuild did not get to it. What a rebuild has replaced is kept in `replaced/` until the next one, to be put in force again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::durable::rename_durably;
use crate::error::{Error, Result};
use crate::{files, layout, settings};

/// Where a rebuild works until it is whole.
const UNFINISHED: &str = "rebuild";
/// Where an upgrade works until it is whole.
const UPGRADING: &str = "upgrade";
/// Where a compaction works until it is whole.
const COMPACTING: &str = "compact";
/// Where a restore works until it is whole.
const RESTORING: &str = "restoring";
/// Where what the last rebuild replaced is kept.
const REPLACED: &str = "replaced";
const PREFIX: &str = "index-";

/// The folder of the edition in force.
pub(crate) fn in_force(data: &Path) -> Result<PathBuf> {
    Ok(newest(data)?.map_or_else(|| data.to_path_buf(), |number| numbered(data, number)))
}

/// The folder of an edition that a rebuild makes.
pub(crate) fn unfinished(data: &Path) -> PathBuf {
    data.join(UNFINISHED)
}

/// The folder of an edition that an upgrade makes.
pub(crate) fn upgrading(data: &Path) -> PathBuf {
    data.join(UPGRADING)
}

/// The folder of an edition that a compaction makes.
pub(crate) fn compacting(data: &Path) -> PathBuf {
    data.join(COMPACTING)
}

/// The folder of an edition that a restore makes.
pub(crate) fn restoring(data: &Path) -> PathBuf {
    data.join(RESTORING)
}

/// The folder of the edition that the last rebuild replaced.
pub(crate) fn replaced(data: &Path) -> PathBuf {
    data.join(REPLACED)
}

/// Removes what a compaction or a restore that was killed has left. The caller holds the data folder's lock.
pub(crate) fn remove_unfinished(data: &Path) -> Result<()> {
    [compacting(data), restoring(data)].iter().try_for_each(|folder| files::remove(folder))
}

/// Whether something of that name in a data folder is an edition, or one in the making.
pub(crate) fn is_one(name: &str) -> bool {
    [UNFINISHED, UPGRADING, COMPACTING, RESTORING, REPLACED].contains(&name) || number_of(name).is_some()
}

/// Reads the edition in force; once more if a rebuild replaced it meanwhile.
pub(crate) fn reading<T>(data: &Path, read: impl Fn(&Path) -> Result<T>) -> Result<T> {
    loop {
        let folder = in_force(data)?;
        match read(&folder) {
            Err(_) if in_force(data)? != folder => {}
            done => return done,
        }
    }
}

/// Puts a finished edition in force. Its files must be closed.
pub(crate) fn change_over(data: &Path, unfinished: &Path) -> Result<()> {
    let next = numbered(data, newest(data)?.map_or(1, |number| number + 1));
    // Everything below is durable. An empty folder in its place gives way; a file or a folder with anything in it is an
    // error, and nothing has changed.
    rename_durably(unfinished, &next).map_err(Error::io("rename", unfinished))
}

/// Keeps what the edition in force has replaced, in the place of what was kept before. Killed on the way, less or nothing is
/// kept; the edition in force is not touched.
pub(crate) fn keep_superseded(data: &Path) -> Result<()> {
    let Some(newest) = newest(data)? else { return Ok(()) };
    let older = numbers(data)?.into_iter().filter(|number| *number < newest).max();
    let kept = replaced(data);
    files::remove(&kept)?;
    let place = |from: &Path, to: &Path| rename_durably(from, to).map_err(Error::io("rename", from));
    if let Some(number) = older {
        place(&numbered(data, number), &kept)?;
    } else {
        fs::create_dir(&kept).map_err(Error::io("create", &kept))?;
        // What says that there is an index comes last: until then there is none.
        let settings = settings::path(data);
        let parts = layout::parts(data).into_iter().filter(|part| *part != settings);
        for part in parts.chain([settings.clone()]).filter(|part| part.exists()) {
            let Some(name) = part.file_name() else { continue };
            place(&part, &kept.join(name))?;
        }
    }
    remove_superseded(data).map(|_| ())
}

/// Removes what a newer edition has replaced. Whether there was anything.
pub(crate) fn remove_superseded(data: &Path) -> Result<bool> {
    let Some(newest) = newest(data)? else { return Ok(false) };
    let older = numbers(data)?.into_iter().filter(|number| *number < newest).map(|number| numbered(data, number));
    let superseded: Vec<PathBuf> = layout::parts(data).into_iter().chain(older).filter(|part| part.exists()).collect();
    superseded.iter().try_for_each(|part| files::remove(part))?;
    Ok(!superseded.is_empty())
}

fn newest(data: &Path) -> Result<Option<u32>> {
    Ok(numbers(data)?.into_iter().max())
}

fn numbered(data: &Path, number: u32) -> PathBuf {
    data.join(format!("{PREFIX}{number}"))
}

/// Numbers of the editions that have one.
fn numbers(data: &Path) -> Result<Vec<u32>> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", data)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", data))?;
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(number_of) else { continue };
        // An empty folder of that name is somebody else's: taking it for an index would give the real one up.
        if layout::parts(&entry.path()).iter().any(|part| part.exists()) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// The number in a name of an edition. It has one spelling: `index-01` is not ours.
fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix(PREFIX)?.parse().ok()?;
    (name == format!("{PREFIX}{number}")).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_is_in_force_and_only_indexes_count() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(in_force(data.path()).unwrap(), data.path());
        for name in ["index-2", "index-10", "index-011", "index-x", "rebuild"] {
            fs::create_dir(data.path().join(name)).unwrap();
            fs::write(data.path().join(name).join("index.json"), "{}").unwrap();
        }
        fs::create_dir(data.path().join("index-13")).unwrap();
        fs::write(data.path().join("index-12"), "a file").unwrap();
        assert_eq!(in_force(data.path()).unwrap(), data.path().join("index-10"));
        change_over(data.path(), &unfinished(data.path())).unwrap();
        assert_eq!(in_force(data.path()).unwrap(), data.path().join("index-11"));
        fs::write(data.path().join("vectors.bin"), "of the first edition").unwrap();
        fs::write(data.path().join("keys.json"), "not of an edition").unwrap();
        assert!(remove_superseded(data.path()).unwrap());
        assert!(!remove_superseded(data.path()).unwrap());
        let mut left: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["index-011", "index-11", "index-12", "index-13", "index-x", "keys.json"]);
    }

    #[test]
    fn what_a_rebuild_has_replaced_is_kept_until_the_next_one() {
        let data = tempfile::tempdir().unwrap();
        let write = |folder: &Path, text: &str| {
            fs::create_dir_all(folder).unwrap();
            fs::write(settings::path(folder), text).unwrap();
        };
        let kept = || fs::read_to_string(settings::path(&replaced(data.path()))).unwrap();
        write(data.path(), "first");
        fs::write(data.path().join("vectors.bin"), "first").unwrap();
        fs::write(data.path().join("keys.json"), "not of an edition").unwrap();
        for (next, before) in [("second", "first"), ("third", "second")] {
            write(&unfinished(data.path()), next);
            change_over(data.path(), &unfinished(data.path())).unwrap();
            keep_superseded(data.path()).unwrap();
            assert_eq!(kept(), before);
            assert!(!remove_superseded(data.path()).unwrap(), "nothing is left over");
        }
        change_over(data.path(), &replaced(data.path())).unwrap();
        keep_superseded(data.path()).unwrap();
        let in_force = settings::path(&in_force(data.path()).unwrap());
        assert_eq!((fs::read_to_string(in_force).unwrap(), kept()), ("second".to_string(), "third".to_string()));
        assert!(data.path().join("keys.json").exists() && !data.path().join("vectors.bin").exists());
    }

    #[test]
    fn a_reader_that_meets_a_change_over_reads_again() {
        let data = tempfile::tempdir().unwrap();
        let read = |folder: &Path| {
            if folder == data.path() {
                fs::create_dir(data.path().join("index-1")).unwrap();
                fs::write(data.path().join("index-1/index.json"), "{}").unwrap();
                return Err(Error::NoIndex { path: folder.to_path_buf() });
            }
            Ok(folder.to_path_buf())
        };
        assert_eq!(reading(data.path(), read).unwrap(), data.path().join("index-1"));
        let failing = |_: &Path| Err::<(), _>(Error::NoIndex { path: data.path().to_path_buf() });
        assert!(reading(data.path(), failing).is_err());
    }
}
