//! Collapse: near-duplicates, several documents with almost the same text, become one result.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use storage::{Copies, DocumentSet};

use crate::group::Group;

/// What is one result: a class of near-duplicates, or a document where each is one.
#[derive(Debug, Clone)]
pub(crate) struct Collapse(Option<Arc<Copies>>);

impl Collapse {
    /// By these classes; each document for itself where there are none.
    pub(crate) fn by(classes: Option<Arc<Copies>>) -> Self {
        Self(classes)
    }

    /// The number that stands for the result that a document belongs to.
    pub(crate) fn key(&self, document: u32) -> u32 {
        self.0.as_ref().map_or(document, |copies| copies.class(document))
    }

    /// All documents of a result's class, itself among them; none where it is alone.
    pub(crate) fn members(&self, document: u32) -> &[u32] {
        self.0.as_ref().map_or(&[], |copies| copies.members(copies.class(document)))
    }

    /// Puts each document below the first one of its class. The order stays that of the first ones.
    pub(crate) fn collapse(&self, groups: Vec<Group>) -> Vec<Group> {
        let mut places = HashMap::new();
        let mut kept: Vec<Group> = Vec::with_capacity(groups.len());
        for group in groups {
            let place = *places.entry(self.key(group.document)).or_insert(kept.len());
            match kept.get_mut(place) {
                Some(first) => first.copies.push(group),
                None => kept.push(group),
            }
        }
        kept
    }

    /// How many results these documents are.
    pub(crate) fn count(&self, documents: &DocumentSet) -> usize {
        let mut followers = HashSet::new();
        let is_first = |document: &u32| {
            let key = self.key(*document);
            key == *document || (!documents.contains(key) && followers.insert(key))
        };
        documents.iter().filter(is_first).count()
    }
}
