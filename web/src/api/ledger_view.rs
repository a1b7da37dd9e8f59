//! The ledger as somebody sees it: all of it for who sees everything, the lines of visible documents for others.

use std::sync::Arc;

use storage::{DocumentId, LedgerEntry, View};

use crate::engine::Engine;
use crate::error::Error;

/// The ledger as it is seen through a view.
pub(crate) struct LedgerView(Arc<View>);

impl LedgerView {
    pub(crate) fn of(view: Arc<View>) -> Self {
        Self(view)
    }

    pub(crate) fn view(&self) -> &View {
        &self.0
    }

    /// Whether a line is there for the viewer. Of a file without a document nothing says who may see it: such lines are for
    /// those who see everything.
    pub(crate) fn shows(&self, entry: &LedgerEntry) -> Result<bool, Error> {
        if self.0.is_whole() {
            return Ok(true);
        }
        let is_seen = || Ok::<_, Error>(!self.0.places(DocumentId::of(&entry.source, &entry.path))?.is_empty());
        Ok(entry.is_searchable() && is_seen()?)
    }

    /// A line that is shown. The file that it is a copy of may not be for the viewer.
    pub(crate) fn line(&self, engine: &Engine, entry: LedgerEntry) -> Result<LedgerEntry, Error> {
        if self.0.is_whole() { Ok(engine.truth.with_duplicate(entry)?) } else { Ok(entry) }
    }
}
