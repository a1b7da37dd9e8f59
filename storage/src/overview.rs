//! The overview of an index: what it says of itself in its small files, read without opening the index.

use std::path::Path;

use crate::error::{Error, Result};
use crate::record::{IndexModel, Source};
use crate::totals::{self, IndexTotals};
use crate::{edition, layout, settings};

/// Model, sources, counts and sizes of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The model it was built with.
    pub model: IndexModel,
    /// The folders that are indexed.
    pub sources: Vec<Source>,
    /// Counts as of the last commit.
    pub totals: IndexTotals,
    /// Bytes on disk by part: documents, vectors, lexical index, vector segments.
    pub bytes: Vec<(&'static str, u64)>,
}

/// Reads the overview of the index in the data folder. It takes no lock and writes nothing.
///
/// # Errors
/// [`Error::NoIndex`] if there is none, [`Error::NoTotals`] if no writer has counted it yet, [`Error::Damaged`].
pub fn overview(data: &Path) -> Result<Overview> {
    edition::reading(data, |folder| {
        let settings = settings::read(folder)?.ok_or_else(|| Error::NoIndex { path: data.to_path_buf() })?;
        let totals = totals::known(folder)?;
        Ok(Overview { model: settings.model, sources: settings.sources, totals, bytes: layout::sizes(folder) })
    })
}
