//! The table of accesses: what each document says of itself, and what the rules of its source say. Equal accesses are one
//! *class*; a view asks once for each class, and not for each document.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::classes::AccessClasses;
use super::files::FilePermissions;
use super::list::Access;
use super::rules::SourceAccess;
use crate::record::DocumentId;

/// Who may see what, as of one commit. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessTable {
    /// The document and the class of what it says of itself, by its group; who is not in it says nothing.
    own: Arc<HashMap<u64, (DocumentId, u32)>>,
    classes: Arc<AccessClasses>,
    sources: Arc<BTreeMap<String, SourceAccess>>,
    /// The sources whose files say who may see them.
    files: Arc<BTreeMap<String, FilePermissions>>,
}

/// The table as it is written for readers.
#[derive(Serialize, Deserialize)]
pub(crate) struct WrittenTable {
    classes: Vec<Access>,
    own: Vec<(DocumentId, u32)>,
    sources: BTreeMap<String, SourceAccess>,
}

/// What is written behind it; a table that knew of none ends before.
pub(crate) type WrittenFiles = BTreeMap<String, FilePermissions>;

/// An access that lets nobody through.
fn closed() -> &'static Access {
    static CLOSED: LazyLock<Access> = LazyLock::new(Access::nobody);
    &CLOSED
}

impl AccessTable {
    /// What a document says of itself.
    pub(crate) fn own(&self, group: u64) -> Option<&Access> {
        // A class that is not there lets nobody through.
        self.own.get(&group).map(|(_, class)| self.classes.get(*class).unwrap_or_else(|| closed()))
    }

    /// What a document of a source says of itself; nobody may see one whose file has not said anything yet.
    pub(crate) fn own_in(&self, source: &str, group: u64) -> Option<&Access> {
        self.own(group).or_else(|| self.files.contains_key(source).then(closed))
    }

    /// Documents that say anything of themselves.
    pub(crate) fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether nothing is said of anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.sources.is_empty() && self.files.is_empty()
    }

    /// The number of a class of documents that say the same of themselves.
    pub(crate) fn class(&self, group: u64) -> Option<u32> {
        self.own.get(&group).map(|(_, class)| *class)
    }

    /// The access of a class.
    pub(crate) fn of_class(&self, class: u32) -> Access {
        self.classes.get(class).cloned().unwrap_or_else(Access::nobody)
    }

    pub(crate) fn source(&self, name: &str) -> Option<&SourceAccess> {
        self.sources.get(name)
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = (&String, &SourceAccess)> {
        self.sources.iter()
    }

    /// What the files of a source say of who may see them.
    pub(crate) fn files(&self, source: &str) -> Option<FilePermissions> {
        self.files.get(source).copied()
    }

    /// The sources whose files say who may see them.
    pub(crate) fn sources_of_files(&self) -> impl Iterator<Item = (&String, FilePermissions)> {
        self.files.iter().map(|(name, permissions)| (name, *permissions))
    }

    /// Notes whether the files of a source say who may see them.
    pub(crate) fn note_files(&mut self, name: &str, permissions: Option<FilePermissions>) {
        let files = Arc::make_mut(&mut self.files);
        match permissions {
            Some(permissions) => files.insert(name.to_owned(), permissions),
            None => files.remove(name),
        };
    }

    /// What all documents say of themselves that say anything.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (DocumentId, Access)> {
        self.own.values().map(|(id, class)| (*id, self.of_class(*class)))
    }

    /// Notes what documents say of themselves; `None` for those that say nothing any more.
    pub(crate) fn note(&mut self, changes: &BTreeMap<DocumentId, Option<Access>>) {
        if changes.is_empty() {
            return;
        }
        let (own, classes) = (Arc::make_mut(&mut self.own), Arc::make_mut(&mut self.classes));
        for (id, access) in changes {
            // The new one first: what goes on in use keeps its number.
            let before = match access {
                None => own.remove(&id.group()),
                Some(access) => own.insert(id.group(), (*id, classes.enter(access))),
            };
            if let Some((_, class)) = before {
                classes.leave(class);
            }
        }
    }

    /// Notes the rules of a source; `None` takes them out.
    pub(crate) fn note_source(&mut self, name: &str, rules: Option<SourceAccess>) {
        let sources = Arc::make_mut(&mut self.sources);
        match rules {
            Some(rules) => sources.insert(name.to_owned(), rules),
            None => sources.remove(name),
        };
    }

    pub(crate) fn written(&self) -> (WrittenTable, &WrittenFiles) {
        let mut own: Vec<(DocumentId, u32)> = self.own.values().copied().collect();
        own.sort_unstable();
        (WrittenTable { classes: self.classes.accesses().to_vec(), own, sources: (*self.sources).clone() }, &self.files)
    }

    pub(crate) fn read(written: WrittenTable, files: WrittenFiles) -> Self {
        let WrittenTable { classes, own, sources } = written;
        let own: HashMap<u64, (DocumentId, u32)> =
            own.into_iter().map(|(id, class)| (id.group(), (id, class))).collect();
        let classes = AccessClasses::of(classes, own.values().map(|(_, class)| *class));
        Self { own: Arc::new(own), classes: Arc::new(classes), sources: Arc::new(sources), files: Arc::new(files) }
    }

    /// Whether both let the same people see the same, whatever the order in which classes came.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let agrees = |group: &u64| self.own(*group) == other.own(*group);
        let agrees_on_sources = self.sources == other.sources && self.files == other.files;
        agrees_on_sources && self.own.len() == other.own.len() && self.own.keys().all(agrees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_accesses_are_one_class_and_what_is_written_is_read() {
        let access = |name: &str| Some(Access::parse(&[name]).unwrap());
        let id = |path: &str| DocumentId::of("s", path);
        let mut table = AccessTable::default();
        table.note(&BTreeMap::from([
            (id("a"), access("group:x")),
            (id("b"), access("group:y")),
            (id("c"), access("group:x")),
        ]));
        assert_eq!(table.classes.accesses().len(), 2);
        assert_eq!(table.class(id("a").group()), table.class(id("c").group()));
        table.note_source("s", Some(SourceAccess::closed()));
        table.note_files("s", Some(FilePermissions::Posix));
        let (written, files) = table.written();
        let read = AccessTable::read(written, files.clone());
        assert!(read.says_the_same_as(&table));
        table.note(&BTreeMap::from([(id("b"), None)]));
        assert!(table.own(id("b").group()).is_none() && !read.says_the_same_as(&table));
        assert!(table.of_class(99).is_closed(), "what is not known is closed");
    }
}
