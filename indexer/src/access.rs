//! Who may see documents, as far as their files say: asked with every file that is read, and again at the end of each run,
//! for an access may change without its file.

use std::fmt;

use storage::{Access, Batch, DocumentId, LedgerEntry, Source, Store};

use crate::error::IndexError;
use crate::pipeline::Indexer;

/// Accesses of one commit.
const AT_ONCE: usize = 10_000;

/// Says who may see the documents of files.
pub trait FileAccess: fmt::Debug + Send + Sync {
    /// Who may see the document at a path of a source, or inside of the file there; `None` where the file says nothing: then
    /// what was said before stays.
    fn access(&self, source: &Source, path: &str) -> Option<Access>;
}

/// Adds to a batch who may see a document, if that is not what the store knows.
pub(crate) fn note(
    batch: &mut Batch,
    store: &Store,
    of: &dyn FileAccess,
    source: &Source,
    path: &str,
) -> Result<bool, IndexError> {
    let Some(access) = of.access(source, path) else { return Ok(false) };
    let id = DocumentId::of(&source.name, path);
    // Open to all is what a document is that says nothing.
    let access = Some(access).filter(|access| !access.is_open());
    let is_news = store.access(id)? != access;
    if is_news {
        batch.set_access(id, access);
    }
    Ok(is_news)
}

impl Indexer<'_> {
    /// Brings who may see the documents of a source up to date, of all or of those in these files; how many have changed.
    pub(crate) fn refresh_accesses(&mut self, source: &Source, paths: Option<&[String]>) -> Result<u64, IndexError> {
        let Some(of) = self.options.access.clone() else { return Ok(0) };
        let (mut batch, mut open, mut changed) = (Batch::default(), 0, 0);
        for path in self.documents_of(source, paths)? {
            if note(&mut batch, self.store, of.as_ref(), source, &path)? {
                open += 1;
                changed += 1;
            }
            if open == AT_ONCE {
                self.store.commit(std::mem::take(&mut batch))?;
                open = 0;
            }
        }
        self.store.commit(batch)?;
        Ok(changed)
    }

    fn documents_of(&self, source: &Source, paths: Option<&[String]>) -> Result<Vec<String>, IndexError> {
        let mut documents = Vec::new();
        let mut add = |entry: LedgerEntry| documents.extend(entry.is_searchable().then_some(entry.path));
        match paths {
            None => {
                for entry in self.store.ledger(&source.name) {
                    add(entry?);
                }
            }
            Some(paths) => {
                for path in paths {
                    self.store.ledger_entry(&source.name, path)?.into_iter().for_each(&mut add);
                    for entry in self.store.ledger_inside(&source.name, path) {
                        add(entry?);
                    }
                }
            }
        }
        Ok(documents)
    }
}
