//! Who may see what: commits that change it, and what a commit of documents says of it.

use std::collections::BTreeMap;

use tracing::debug_span;

use super::{STAGE, Store};
use crate::access::{Access, AccessTable, FilePermissions, SourceAccess};
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

    /// Says whether the files of a source say who may see their documents, and how; may be said before there is such a
    /// source. What they say is read by its next pass: until then its documents are closed, and open again where files no
    /// longer say anything.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn set_file_permissions(&mut self, name: &str, permissions: Option<FilePermissions>) -> Result<()> {
        self.check_poison()?;
        if self.access.files(name) == permissions {
            return Ok(());
        }
        let mut accesses = BTreeMap::new();
        for entry in self.documents.ledger(name) {
            let id = DocumentId::of(name, &entry?.path);
            if self.access.own(id.group()).is_some() {
                accesses.insert(id, None);
            }
        }
        let mut changes = Changes::default();
        changes.put_file_permissions(name, permissions);
        accesses.iter().for_each(|(id, access)| changes.put_access(*id, access.as_ref()));
        let mut table = self.access.clone();
        table.note_files(name, permissions);
        table.note(&accesses);
        let written = self.commit_accesses(changes, table);
        self.poison_unless_done(written)
    }

    /// What the files of a source say of who may see them.
    pub fn file_permissions(&self, name: &str) -> Option<FilePermissions> {
        self.access.files(name)
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
        self.access.sources_of_files().for_each(|(name, _)| changes.put_file_permissions(name, None));
        changes.put_accesses(table);
        self.commit_accesses(changes, table.clone())
    }

    fn commit_accesses(&mut self, changes: Changes, table: AccessTable) -> Result<()> {
        let totals = self.documents.apply(changes, self.vectors.len())?;
        self.access = table;
        let access = totals.sequence;
        let writing = debug_span!(target: STAGE, "commit_access");
        writing.in_scope(|| self.access_files.write_whole(&self.folder, access, &self.access))?;
        crash::point(Step::AccessWritten);
        self.lexical.commit(Payload { sequence: totals.sequence, chunks: totals.chunks, access })?;
        self.access_files.keep_only(&self.folder, access)?;
        totals::write(&self.folder, &self.documents.index_totals())?;
        self.publish()
    }

    /// The rules of a source; `None` where nothing was said.
    pub fn source_access(&self, name: &str) -> Option<&SourceAccess> {
        self.access.source(name)
    }

    /// What a document says of who may see it.
    pub fn access(&self, id: DocumentId) -> Option<&Access> {
        self.access.own(id.group())
    }

    pub(super) fn write_access(&mut self, commit: u64, changed: &BTreeMap<DocumentId, Option<Access>>) -> Result<()> {
        let Self { folder, access, access_files, .. } = self;
        let writing = debug_span!(target: STAGE, "commit_access");
        writing.in_scope(|| access_files.write_changed(folder, commit, access, changed))
    }

    /// What a batch says of documents that they did not say before.
    pub(super) fn changed_accesses(&self, batch: &Batch) -> BTreeMap<DocumentId, Option<Access>> {
        let is_new = |(id, access): &(&DocumentId, &Option<Access>)| self.access.own(id.group()) != access.as_ref();
        batch.access.iter().filter(is_new).map(|(id, access)| (*id, access.clone())).collect()
    }
}
