//! Making an index anew beside the one in force, which is searched until the new one is whole.
//!
//! Nothing of the old index changes before [`Rebuild::finish`], and that is one rename: a rebuild that is cut off, by a
//! signal or a full disk, leaves everything as it was, and what it has done so far is there for the next one.

use std::path::{Path, PathBuf};

use crate::access::{self, AccessTable, SourceAccess};
use crate::crash::{self, Step};
use crate::database::Database;
use crate::documents::Documents;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::record::{IndexModel, Source};
use crate::store::Store;
use crate::{edition, files, layout, private, recover, settings};

/// Where the database of the index in force is copied to, to be asked.
pub(crate) const ASIDE: &str = "asked";

/// An index in the making. The data folder is locked for as long as it lives.
pub struct Rebuild {
    data: PathBuf,
    store: Store,
    sources: Vec<Source>,
    is_continued: bool,
}

impl Rebuild {
    /// Begins a rebuild with `model`, or goes on with one that was cut off.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process writes; the new index cannot be made.
    pub fn begin(data: &Path, model: &IndexModel) -> Result<Self> {
        let said = private::make_folder(data)?;
        let lock = Lock::acquire(data)?;
        edition::remove_superseded(data)?;
        let sources = sources_of(&edition::in_force(data)?);
        let folder = edition::unfinished(data);
        let is_continued = settings::read(&folder)
            .is_ok_and(|settings| settings.is_some_and(|settings| settings.model.fingerprint == model.fingerprint));
        let mut opened = if is_continued { recover::open(&folder, model) } else { anew(&folder, model) };
        let is_continued = is_continued && !matches!(opened, Err(Error::Damaged { .. }));
        if matches!(opened, Err(Error::Damaged { .. })) {
            opened = anew(&folder, model);
        }
        let mut opened = opened?;
        opened.repairs.splice(..0, said);
        let mut store = Store::with(&folder, lock, opened)?;
        // A document that is read anew is as hidden as before.
        store.take_accesses_over(&accesses_of(&edition::in_force(data)?, &folder.join(ASIDE), &sources)?)?;
        Ok(Self { data: data.to_path_buf(), store, sources, is_continued })
    }

    /// The sources of the index in force; none if it is too damaged to tell.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether an earlier rebuild had begun.
    pub fn is_continued(&self) -> bool {
        self.is_continued
    }

    /// The new index.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Stops for now. What is committed is kept for the next rebuild; the index in force stays as it is.
    ///
    /// # Errors
    /// The new index cannot be closed.
    pub fn pause(self) -> Result<()> {
        self.store.close()
    }

    /// Puts the new index in force and keeps the old one, for [`roll_back`](crate::roll_back).
    ///
    /// # Errors
    /// The new index cannot be closed or renamed; the old one is in force then.
    pub fn finish(self) -> Result<()> {
        let Self { data, store, .. } = self;
        let _lock = store.close_locked()?;
        // sled's threads must be done with the folder before it gets another name.
        Database::wait_until_free(&layout::documents(&edition::unfinished(&data)))?;
        crash::point(Step::RebuildFinished);
        edition::change_over(&data, &edition::unfinished(&data))?;
        crash::point(Step::RebuildInForce);
        edition::keep_superseded(&data)
    }
}

/// Bytes that an unfinished rebuild takes; `None` if there is none.
pub fn unfinished_rebuild(data: &Path) -> Option<u64> {
    let folder = edition::unfinished(data);
    folder.is_dir().then(|| files::size_of(&folder))
}

fn anew(folder: &Path, model: &IndexModel) -> Result<recover::Opened> {
    files::remove(folder)?;
    std::fs::create_dir(folder).map_err(Error::io("create", folder))?;
    recover::open(folder, model)
}

/// Who may see what, from whichever part of an index can still tell; closed to everybody but administrators where none can.
///
/// # Errors
/// The database cannot be copied: that is no damage, and what is known otherwise may be older.
pub(crate) fn accesses_of(folder: &Path, aside: &Path, sources: &[Source]) -> Result<AccessTable> {
    let documents = layout::documents(folder);
    if documents.exists() {
        files::remove(aside)?;
        // Opening a database is its recovery, which writes: a rebuild that is killed there must leave the index in force as
        // it was. So a copy is asked.
        files::copy(&documents, aside)?;
        let stored = Documents::open(aside).and_then(|documents| documents.accesses());
        // What is damaged may lack the file that is waited for.
        let freed = Database::wait_until_free(aside);
        files::remove(aside)?;
        match stored.and_then(|table| freed.map(|()| table)) {
            Ok(table) => return Ok(table),
            Err(error) => tracing::warn!("the database of the index in force cannot be asked: {error}"),
        }
    }
    let mut table = access::file::newest(folder);
    // An index of a format that knew of no accesses hid nothing.
    let could_hide = !matches!(settings::read_any(folder), Ok(None) | Ok(Some((..settings::HIDING, _))));
    if table.is_none() && could_hide {
        let mut closed = AccessTable::default();
        sources.iter().for_each(|source| closed.note_source(&source.name, Some(SourceAccess::closed())));
        tracing::warn!(
            "who may see what could not be read any more: all sources are closed; say it again with `quarry access set`"
        );
        table = Some(closed);
    }
    Ok(table.unwrap_or_default())
}

/// The sources, from whichever part of an index can still tell.
fn sources_of(folder: &Path) -> Vec<Source> {
    let described = || settings::sources_of(folder);
    let trusted = settings::read(folder).ok().flatten().map(|settings| settings.sources);
    let documents = layout::documents(folder);
    let stored = || {
        // Opening would make an empty one.
        let settings =
            documents.exists().then(|| Documents::open(&documents).and_then(|documents| documents.settings()));
        settings?.ok().flatten().map(|settings| settings.sources)
    };
    trusted.or_else(stored).or_else(described).unwrap_or_default()
}
