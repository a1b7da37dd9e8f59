//! The list: all that was found in one order, whatever page is asked for, and the page cut out of it.
//!
//! The ranked head comes first: what the retrievers recalled, fused and reranked. Behind it stands, by BM25 alone, what else
//! holds a word of the query; that part is only put in order for pages that reach it. A list by date has one part.

use std::collections::{HashMap, HashSet};

use storage::{DocumentSet, PassageRef, View};

use crate::candidate::Candidate;
use crate::collapse::Collapse;
use crate::config::SearchConfig;
use crate::cursor::{Cursor, key};
use crate::error::SearchError;
use crate::fuse::Place;
use crate::group::Group;
use crate::plan::SearchPlan;
use crate::request::{MAX_RESULTS, Mode, Sort};

/// All that a search found.
pub(crate) struct List<'s> {
    pub(crate) view: &'s View,
    pub(crate) config: &'s SearchConfig,
    pub(crate) plan: &'s SearchPlan,
    pub(crate) found: &'s DocumentSet,
    pub(crate) collapse: &'s Collapse,
}

/// A page of the list.
pub(crate) struct Page {
    pub(crate) results: Vec<Group>,
    /// Where to go on, if there is more.
    pub(crate) next: Option<Cursor>,
}

/// A result that is not made yet: what tells it from others, and the document it is placed by.
#[derive(Clone, Copy)]
struct Entry {
    key: u32,
    document: u32,
}

impl List<'_> {
    /// The page that the plan asks for; `head` are the ranked documents, best first, copies together.
    pub(crate) fn page(&self, head: Vec<Group>) -> Result<Page, SearchError> {
        let request = &self.plan.request;
        let mut entries = self.entries(&head)?;
        let mut shown = self.plan.shown.clone();
        if !shown.is_empty() {
            let known: HashSet<u64> = shown.iter().copied().collect();
            let mut unseen = Vec::with_capacity(entries.len());
            for entry in entries {
                if !self.is_among(entry, &known)? {
                    unseen.push(entry);
                }
            }
            entries = unseen;
        }
        let (from, to) = (request.offset.min(entries.len()), request.offset.saturating_add(request.top));
        let page = &entries[from..to.min(entries.len())];
        let results = self.results(page, head)?;
        let mut next = None;
        if to < entries.len() && self.plan.wanted() < MAX_RESULTS {
            for entry in &entries[..to] {
                shown.extend(self.view.group_of(entry.document)?.map(key));
            }
            next = Some(request.cursor_behind(shown));
        }
        Ok(Page { results, next })
    }

    /// The results in their order, as far as one behind the page.
    fn entries(&self, head: &[Group]) -> Result<Vec<Entry>, SearchError> {
        let newest_first = match self.plan.sort() {
            Sort::Relevance => return self.by_relevance(head),
            Sort::Date => true,
            Sort::Oldest => false,
        };
        let facets = self.view.facets()?;
        let mut newest: HashMap<u32, (i64, u32)> = HashMap::new();
        for document in self.found.iter() {
            let filed = self.view.passage_of(document)?.and_then(|passage| facets.of(passage));
            let date = filed.map_or(i64::MIN, |filed| filed.modified);
            let known = newest.entry(self.collapse.key(document)).or_insert((date, document));
            if date > known.0 {
                *known = (date, document);
            }
        }
        let mut dated: Vec<(i64, Entry)> =
            newest.into_iter().map(|(key, (date, document))| (date, Entry { key, document })).collect();
        dated.sort_unstable_by_key(|(date, entry)| (*date, entry.key));
        if newest_first {
            dated.sort_by_key(|(date, _)| std::cmp::Reverse(*date));
        }
        Ok(dated.into_iter().map(|(_, entry)| entry).collect())
    }

    fn by_relevance(&self, head: &[Group]) -> Result<Vec<Entry>, SearchError> {
        let entry = |document: u32| Entry { key: self.collapse.key(document), document };
        let mut entries: Vec<Entry> = head.iter().map(|group| entry(group.document)).collect();
        let needed = self.plan.wanted().saturating_add(1);
        if entries.len() >= needed {
            return Ok(entries);
        }
        let mut seen: HashSet<u32> = entries.iter().map(|entry| entry.key).collect();
        for (passage, _) in self.words()? {
            let entry = entry(self.view.number(passage)?);
            if self.found.contains(entry.document) && seen.insert(entry.key) {
                entries.push(entry);
                if entries.len() == needed {
                    break;
                }
            }
        }
        Ok(entries)
    }

    /// Every passage that the words find, best first.
    fn words(&self) -> Result<Vec<(PassageRef, f32)>, SearchError> {
        if self.plan.request.mode == Mode::Semantic {
            return Ok(Vec::new());
        }
        Ok(self.view.lexical_all(&self.plan.terms, &self.plan.filters(), self.config.lexical)?)
    }

    fn is_among(&self, entry: Entry, shown: &HashSet<u64>) -> Result<bool, SearchError> {
        for document in self.collapse.members(entry.document).iter().chain([&entry.document]) {
            if self.view.group_of(*document)?.is_some_and(|group| shown.contains(&key(group))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The documents of a page with their passages, and all copies that were found.
    fn results(&self, page: &[Entry], head: Vec<Group>) -> Result<Vec<Group>, SearchError> {
        let lowest = head.iter().map(|group| group.score).fold(f64::INFINITY, f64::min);
        // What is first without having been recalled has its passages still to be found.
        let (empty, head): (Vec<Group>, Vec<Group>) = head.into_iter().partition(|group| group.passages.is_empty());
        let pinned: HashMap<u32, f64> = empty.iter().map(|group| (group.document, group.score)).collect();
        let mut ranked: HashMap<u32, Group> =
            head.into_iter().map(|group| (self.collapse.key(group.document), group)).collect();
        let behind: HashSet<u32> =
            page.iter().filter(|entry| !ranked.contains_key(&entry.key)).map(|entry| entry.document).collect();
        let mut behind = self.behind(&behind, if lowest.is_finite() { lowest } else { 1.0 })?;
        let mut results = Vec::with_capacity(page.len());
        for entry in page {
            let known = ranked.remove(&entry.key).or_else(|| behind.remove(&entry.document));
            let mut result = match known {
                Some(group) => group,
                None => self.unranked(entry.document)?,
            };
            result.score = pinned.get(&entry.document).copied().unwrap_or(result.score);
            for document in self.collapse.members(entry.document) {
                let is_there =
                    *document == result.document || result.copies.iter().any(|copy| copy.document == *document);
                if !is_there && self.found.contains(*document) {
                    let twin = self.twin(*document, &result)?;
                    result.copies.push(twin);
                }
            }
            results.push(result);
        }
        Ok(results)
    }

    /// Documents that are not ranked, with the best of their passages by BM25. Scores fall on from the lowest of the ranked.
    fn behind(&self, documents: &HashSet<u32>, lowest: f64) -> Result<HashMap<u32, Group>, SearchError> {
        let mut groups: HashMap<u32, Group> = HashMap::new();
        if documents.is_empty() || self.plan.lists_filtered() {
            return Ok(groups);
        }
        let words = self.words()?;
        let best = words.first().map_or(1.0, |(_, score)| f64::from(*score));
        for (index, (passage, bm25)) in words.into_iter().enumerate() {
            let document = self.view.number(passage)?;
            if !documents.contains(&document) {
                continue;
            }
            let group = groups.entry(document).or_insert_with(|| Group::new(document));
            if group.passages.len() < self.config.passages_per_document {
                let score = lowest * f64::from(bm25) / best;
                let lexical = Some(Place { rank: index + 1, score: bm25 });
                group.score = group.score.max(score);
                group.passages.push(Candidate { lexical, ..Candidate::unranked(document, passage, score) });
            }
        }
        Ok(groups)
    }

    /// A document that nothing was asked of but to pass the filters.
    fn unranked(&self, document: u32) -> Result<Group, SearchError> {
        let first = self.view.passage_of(document)?.ok_or(SearchError::Panicked { stage: "listing" })?;
        Ok(Group { passages: vec![Candidate::unranked(document, first, 0.0)], ..Group::new(document) })
    }

    /// A copy of a result, shown at the same place of its text.
    fn twin(&self, document: u32, of: &Group) -> Result<Group, SearchError> {
        let mut twin = Group { score: of.score, ..self.unranked(document)? };
        if let (Some(shown), Some(own)) = (of.passages.first(), twin.passages.first_mut()) {
            let wanted = self.view.passage(shown.passage)?.number;
            let id = self.view.passage(own.passage)?.document_id;
            for place in self.view.places(id)? {
                if self.view.passage(place)?.number == wanted {
                    own.passage = place;
                }
            }
            own.score = shown.score;
        }
        Ok(twin)
    }
}
