//! The upgrade of an index of an earlier format to the one of this build. Nothing is read from the sources and nothing
//! is embedded: vectors are kept with the keys of their contents.
//!
//! A chain of steps, each from one format to the next: a new format adds one file here and one line to [`STEPS`]. A step
//! makes a whole edition in `upgrade/` beside the one in force, which one rename replaces (see `edition`): killed at any
//! moment, the old index is as it was, and the next writer begins anew.

mod derived;
mod format_2;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crash::{self, Step as CrashStep};
use crate::database::Database;
use crate::documents::{Documents, Settings};
use crate::error::{Error, Result};
use crate::lexical::LexicalIndex;
use crate::record::IndexModel;
use crate::settings::FORMAT;
use crate::{attempts, backup, edition, files, layout, recover, settings};

/// From one format to the next.
struct Step {
    from: u32,
    /// Makes the truth of the next format in the second folder from the index in the first.
    convert: fn(&Path, &Path, &mut Progress<'_>) -> Result<()>,
}

/// All steps, the oldest format first, without a gap up to [`FORMAT`].
const STEPS: &[Step] = &[
    Step { from: 2, convert: format_2::convert },
    Step { from: 3, convert: derived::convert },
    Step { from: 4, convert: derived::convert },
    Step { from: 5, convert: derived::convert },
    Step { from: 6, convert: derived::convert },
    Step { from: 7, convert: derived::convert },
];

/// Whether an index of this format can be brought forward.
pub(crate) fn is_known(format: u32) -> bool {
    format == FORMAT || STEPS.iter().any(|step| step.from == format)
}

/// Brings the index in force to this build's format, if it has an earlier one. What was done, in words. The caller holds
/// the data folder's lock.
///
/// # Errors
/// [`Error::Format`] if the index is of a later format, or too old; [`Error::Model`] if it was built with another model;
/// [`Error::NotUpgradable`] if it is damaged. The index in force is as it was then.
pub(crate) fn bring_forward(data: &Path, model: &IndexModel) -> Result<Vec<String>> {
    // What a process that was killed had begun.
    files::remove(&edition::upgrading(data))?;
    let mut said = Vec::new();
    loop {
        let folder = edition::in_force(data)?;
        // What is damaged says so when it is opened.
        let described = match settings::read_any(&folder) {
            Err(Error::Damaged { .. }) => return Ok(said),
            described => described?,
        };
        let Some((format, described)) = described else { return Ok(said) };
        let Some(step) = STEPS.iter().find(|step| step.from == format) else { return Ok(said) };
        recover::check_model(Some(&described), model)?;
        said.push(step.run(data, &folder, &described).map_err(|error| not_upgradable(error, &folder, format))?);
    }
}

impl Step {
    fn run(&self, data: &Path, folder: &Path, described: &Settings) -> Result<String> {
        let to = self.from + 1;
        tracing::warn!("the index has format {}: bringing it to format {to}; nothing is embedded again", self.from);
        let new = edition::upgrading(data);
        std::fs::create_dir(&new).map_err(Error::io("create", &new))?;
        let mut progress = Progress::new(&new, UpgradeProgress { from: self.from, to, percent: 0 });
        take_along(folder, &new)?;
        (self.convert)(folder, &new, &mut progress)?;
        settings::write_as(&new, to, described)?;
        crash::point(CrashStep::UpgradeConverted);
        if to == FORMAT {
            finish(&new, &described.model, &mut progress)?;
        }
        // Only now: whoever opens an index counts what a dead process left under way, and each death counts once.
        copy_attempts(folder, &new)?;
        copy_file(&backup::taken_path(folder), &backup::taken_path(&new))?;
        progress.end()?;
        // sled's threads must be done with the folder before it gets another name.
        Database::wait_until_free(&layout::documents(&new))?;
        crash::point(CrashStep::UpgradeFinished);
        edition::change_over(data, &new)?;
        crash::point(CrashStep::UpgradeInForce);
        edition::remove_superseded(data)?;
        Ok(format!("brought the index from format {} to format {to}; nothing was embedded again", self.from))
    }
}

/// Makes what is derived, and opens the new index once as a writer does: only what opens comes in force.
fn finish(new: &Path, model: &IndexModel, progress: &mut Progress<'_>) -> Result<()> {
    let documents = Documents::open(&layout::documents(new))?;
    let mut lexical = LexicalIndex::open(&layout::lexical(new))?;
    recover::rebuild_lexical(&documents, &mut lexical, 0, |done| progress.second_half(done))?;
    lexical.close()?;
    drop(documents);
    recover::open(new, model)?.lexical.close()
}

/// The files that are the same in both formats. They are never changed in place but by appending, so that a second name
/// is as good as a copy, and takes no room.
fn take_along(from: &Path, to: &Path) -> Result<()> {
    let segments = layout::segments(from);
    let mut files = vec![layout::vector_file(from)];
    if segments.is_dir() {
        std::fs::create_dir(layout::segments(to)).map_err(Error::io("create", to))?;
        for entry in std::fs::read_dir(&segments).map_err(Error::io("list", &segments))? {
            files.push(entry.map_err(Error::io("list", &segments))?.path());
        }
    }
    for file in files.iter().filter(|file| file.is_file()) {
        let name = file.strip_prefix(from).unwrap_or(file);
        files::link_or_copy(file, &to.join(name))?;
    }
    if segments.is_dir() {
        files::sync_folder(&layout::segments(to))?;
    }
    Ok(())
}

/// What a dead process left under way, for another edition.
pub(crate) fn copy_attempts(from: &Path, to: &Path) -> Result<()> {
    copy_file(&attempts::path(from), &attempts::path(to))
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    if !from.exists() {
        return Ok(());
    }
    let content = std::fs::read(from).map_err(Error::io("read", from))?;
    files::replace(to, &content)
}

fn not_upgradable(error: Error, folder: &Path, format: u32) -> Error {
    match error {
        Error::Damaged { what, detail } => {
            Error::NotUpgradable { path: folder.to_path_buf(), found: format, detail: format!("{what}: {detail}") }
        }
        other => other,
    }
}

/// How far an upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeProgress {
    /// Format that the index has.
    pub from: u32,
    /// Format that it gets.
    pub to: u32,
    /// Share of the work that is done, in percent.
    pub percent: u8,
}

impl fmt::Display for UpgradeProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, percent } = self;
        write!(f, "the index is being brought from format {from} to format {to}: {percent} % done")
    }
}

/// How far the upgrade of the index in the data folder is; `None` if none is under way. One whose process was killed is
/// told, too, until the next writer begins it anew.
pub fn upgrade_progress(data: &Path) -> Option<UpgradeProgress> {
    let text = std::fs::read(Progress::path(&edition::upgrading(data))).ok()?;
    serde_json::from_slice(&text).ok()
}

/// What tells others how far it is: a small file in the folder of the new edition.
struct Progress<'a> {
    folder: &'a Path,
    told: UpgradeProgress,
    documents: u64,
}

impl<'a> Progress<'a> {
    fn new(folder: &'a Path, told: UpgradeProgress) -> Self {
        Self { folder, told, documents: 1 }
    }

    fn path(folder: &Path) -> PathBuf {
        folder.join("progress.json")
    }

    /// How many documents there are.
    fn begin(&mut self, documents: u64) -> Result<()> {
        self.documents = documents.max(1);
        self.write()
    }

    /// So many documents are converted.
    fn first_half(&mut self, done: u64) -> Result<()> {
        self.tell(done)
    }

    /// So many converted documents are in the lexical index.
    fn second_half(&mut self, done: u64) -> Result<()> {
        self.tell(self.documents + done)
    }

    fn tell(&mut self, done: u64) -> Result<()> {
        let percent = u8::try_from(done.saturating_mul(50) / self.documents).unwrap_or(100).min(100);
        if percent == self.told.percent {
            return Ok(());
        }
        if percent / 10 > self.told.percent / 10 {
            tracing::info!("{}", UpgradeProgress { percent, ..self.told });
        }
        self.told.percent = percent;
        self.write()
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.told).unwrap_or_default();
        files::replace(&Self::path(self.folder), &text)
    }

    /// It is no part of the new index.
    fn end(self) -> Result<()> {
        files::remove(&Self::path(self.folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_lead_without_a_gap_to_this_format() {
        let first = STEPS.first().unwrap().from;
        assert_eq!(STEPS.iter().map(|step| step.from).collect::<Vec<_>>(), (first..FORMAT).collect::<Vec<_>>());
        assert!(is_known(FORMAT) && is_known(2) && !is_known(1) && !is_known(FORMAT + 1));
    }

    #[test]
    fn whoever_looks_sees_how_far_it_is() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(upgrade_progress(data.path()), None);
        let folder = edition::upgrading(data.path());
        std::fs::create_dir(&folder).unwrap();
        let mut progress = Progress::new(&folder, UpgradeProgress { from: 2, to: 3, percent: 0 });
        progress.begin(200).unwrap();
        progress.first_half(100).unwrap();
        let told = upgrade_progress(data.path()).unwrap().to_string();
        assert_eq!(told, "the index is being brought from format 2 to format 3: 25 % done");
        progress.second_half(200).unwrap();
        assert_eq!(upgrade_progress(data.path()).unwrap().percent, 100);
        progress.end().unwrap();
        assert_eq!(upgrade_progress(data.path()), None);
    }
}
