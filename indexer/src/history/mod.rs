//! The history of files: when what stands in a git checkout was committed. The time of a file there is that of the checkout.
//!
//! A date is given only for a file that is as the last commit has it; what was changed since has the time of its change. It is
//! the author's date of the newest commit that changed the file, merges left out, as `git log` tells it.
//!
//! Repositories are data like any other file: no program is run, no configuration is asked, and what is read of them is
//! bounded in size, number and time. A repository that cannot be read gives no dates, and the log says why.

mod checkout;
mod commits;
mod objects;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use checkout::Checkout;

use crate::stop::Stop;

/// The checkouts that some files lie in.
#[derive(Default)]
pub(crate) struct History {
    checkouts: Vec<Checkout>,
    /// The checkout of each folder, if it lies in one.
    folders: HashMap<PathBuf, Option<usize>>,
}

impl History {
    /// The history of these files, by their absolute paths. Nothing of it is read before somebody asks.
    pub(crate) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let mut history = Self::default();
        for file in files {
            let checkout = file.parent().and_then(|folder| history.checkout(folder));
            if let Some(checkout) = checkout {
                history.checkouts[checkout].want(file);
            }
        }
        history
    }

    fn checkout(&mut self, folder: &Path) -> Option<usize> {
        if let Some(known) = self.folders.get(folder) {
            return *known;
        }
        let found = if folder.join(".git").symlink_metadata().is_ok() {
            self.checkouts.push(Checkout::at(folder));
            Some(self.checkouts.len() - 1)
        } else {
            folder.parent().and_then(|above| self.checkout(above))
        };
        self.folders.insert(folder.to_path_buf(), found);
        found
    }

    /// The second in which a file of these bytes was committed, if that is what the last commit has.
    pub(crate) fn committed(&self, file: &Path, bytes: &[u8], stop: &Stop) -> Option<i64> {
        let checkout = (*self.folders.get(file.parent()?)?)?;
        self.checkouts[checkout].committed(file, bytes, stop)
    }
}

#[cfg(test)]
mod tests;
