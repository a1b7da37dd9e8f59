//! Who may see what: commits that change it, and what a commit of documents says of it.

use std::collections::BTreeMap;

use tracing::debug_span;

use super::{STAGE, Store};
use crate::access::{self, Access, AccessTable, SourceAccess};
use crate::batch::Batch;
use crate::crash::{self, Step};
use crate::documents::Changes;
use crate::error::Result;
use crate::lexical::Payload;
use crate::record::DocumentId;
use crate::totals;

impl Store {
    /// Says who may see the documents of a source, beside what they say of themselves; `None` and no rule at all leave them
    /// open to whoever may search. May be said before there is such a source. Takes effect with the next snapshot, and
    /// touches neither text nor vectors.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn set_source_access(&mut self, name: &str, rules: Option<SourceAccess>) -> Result<()> {
        self.check_poison()?;
        if self.access.source(name) == rules.as_ref() {
            return Ok(());
        }
        let mut changes = Changes::default();
        changes.put_source_access(name, rules.as_ref());
        let mut table = self.access.clone();
        table.note_source(name, rules);
        let written = self.commit_accesses(changes, table);
        self.poison_unless_done(written)
    }

    /// Takes over who may see what from another index of the same sources.
    pub(crate) fn take_accesses_over(&mut self, table: &AccessTable) -> Result<()> {
        if table.says_the_same_as(&self.access) {
            return Ok(());
        }
        let mut changes = Changes::default();
        // What is written last counts: first all that was known is taken back.
        self.access.documents().for_each(|(id, _)| changes.put_access(id, None));
        self.access.sources().for_each(|(name, _)| changes.put_source_access(name, None));
        changes.put_accesses(table);
        self.commit_accesses(changes, table.clone())
    }

    fn commit_accesses(&mut self, changes: Changes, table: AccessTable) -> Result<()> {
        let totals = self.documents.apply(changes, self.vectors.len())?;
        self.access = table;
        let access = totals.sequence;
        self.write_access(access)?;
        crash::point(Step::AccessWritten);
        self.lexical.commit(Payload { sequence: totals.sequence, chunks: totals.chunks, access })?;
        access::file::keep_only(&self.folder, access)?;
        totals::write(&self.folder, &self.documents.index_totals())?;
        self.publish()
    }

    /// The rules of a source; `None` where nothing was said.
    pub fn source_access(&self, name: &str) -> Option<&SourceAccess> {
        self.access.source(name)
    }

    /// What a document says of who may see it.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn access(&self, id: DocumentId) -> Result<Option<Access>> {
        self.documents.access(id)
    }

    pub(super) fn write_access(&self, commit: u64) -> Result<()> {
        debug_span!(target: STAGE, "commit_access").in_scope(|| access::file::write(&self.folder, commit, &self.access))
    }

    /// What a batch says of documents that they did not say before.
    pub(super) fn changed_accesses(&self, batch: &Batch) -> BTreeMap<DocumentId, Option<Access>> {
        let is_new = |(id, access): &(&DocumentId, &Option<Access>)| self.access.own(id.group()) != access.as_ref();
        batch.access.iter().filter(is_new).map(|(id, access)| (*id, access.clone())).collect()
    }
}
