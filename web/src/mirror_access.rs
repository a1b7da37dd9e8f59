//! Who may see what was fetched, where the place that it comes from says that: told to every pass over a mirror, with or without a
//! server.

use std::sync::Arc;

use connect::Mirrors;
use indexer::FileAccess;
use storage::{Access, Source};

/// Who may see the documents of mirrors.
#[derive(Debug)]
pub struct MirrorAccess(Arc<Mirrors>);

impl MirrorAccess {
    /// As the mirrors of a data folder say it; `None` for a source that is no mirror.
    pub fn of(mirrors: &Arc<Mirrors>, source: &Source) -> Option<Arc<dyn FileAccess>> {
        mirrors.owns(source).then(|| Arc::new(Self(Arc::clone(mirrors))) as Arc<dyn FileAccess>)
    }
}

impl FileAccess for MirrorAccess {
    fn access(&self, source: &Source, path: &str) -> Option<Access> {
        self.0.access(&source.name, path)
    }
}
