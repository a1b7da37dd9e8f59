//! The table of accesses: what each document says of itself, and what the rules of its source say. Equal accesses are one
//! *class*; a view asks once for each class, and not for each document.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::list::Access;
use super::rules::SourceAccess;
use crate::record::DocumentId;

/// Who may see what, as of one commit. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccessTable {
    /// The document and the class of what it says of itself, by its group; who is not in it says nothing.
    own: Arc<HashMap<u64, (DocumentId, u32)>>,
    classes: Arc<Vec<Access>>,
    sources: Arc<BTreeMap<String, SourceAccess>>,
}

/// The table as it is written for readers.
#[derive(Serialize, Deserialize)]
pub(crate) struct WrittenTable {
    classes: Vec<Access>,
    own: Vec<(DocumentId, u32)>,
    sources: BTreeMap<String, SourceAccess>,
}

impl AccessTable {
    /// What a document says of itself.
    pub(crate) fn own(&self, group: u64) -> Option<&Access> {
        self.own.get(&group).and_then(|(_, class)| self.classes.get(*class as usize))
    }

    /// The number of a class of documents that say the same of themselves.
    pub(crate) fn class(&self, group: u64) -> Option<u32> {
        self.own.get(&group).map(|(_, class)| *class)
    }

    /// The access of a class.
    pub(crate) fn of_class(&self, class: u32) -> Access {
        self.classes.get(class as usize).cloned().unwrap_or_else(Access::nobody)
    }

    pub(crate) fn source(&self, name: &str) -> Option<&SourceAccess> {
        self.sources.get(name)
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = (&String, &SourceAccess)> {
        self.sources.iter()
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
        let mut known: HashMap<Access, u32> =
            (0u32..).zip(classes.iter()).map(|(at, class)| (class.clone(), at)).collect();
        for (id, access) in changes {
            match access {
                None => {
                    own.remove(&id.group());
                }
                Some(access) => {
                    let class = *known.entry(access.clone()).or_insert_with(|| {
                        classes.push(access.clone());
                        classes.len() as u32 - 1
                    });
                    own.insert(id.group(), (*id, class));
                }
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

    pub(crate) fn written(&self) -> WrittenTable {
        let mut own: Vec<(DocumentId, u32)> = self.own.values().copied().collect();
        own.sort_unstable();
        WrittenTable { classes: self.classes.to_vec(), own, sources: (*self.sources).clone() }
    }

    pub(crate) fn read(written: WrittenTable) -> Self {
        let WrittenTable { classes, own, sources } = written;
        let own = own.into_iter().map(|(id, class)| (id.group(), (id, class))).collect();
        Self { own: Arc::new(own), classes: Arc::new(classes), sources: Arc::new(sources) }
    }

    /// Whether both let the same people see the same, whatever the order in which classes came.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let agrees = |group: &u64| self.own(*group) == other.own(*group);
        self.sources == other.sources && self.own.len() == other.own.len() && self.own.keys().all(agrees)
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
        assert_eq!(table.classes.len(), 2);
        assert_eq!(table.class(id("a").group()), table.class(id("c").group()));
        table.note_source("s", Some(SourceAccess::closed()));
        let read = AccessTable::read(table.written());
        assert!(read.says_the_same_as(&table) && read == table);
        table.note(&BTreeMap::from([(id("b"), None)]));
        assert!(table.own(id("b").group()).is_none() && !read.says_the_same_as(&table));
        assert!(table.of_class(99).is_closed(), "what is not known is closed");
    }
}
