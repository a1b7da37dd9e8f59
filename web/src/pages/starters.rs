//! A few questions to begin with: headings of the documents that can stand for themselves.

use std::collections::BTreeMap;

use storage::{Filter, View};

use crate::error::Error;

/// Documents that are looked at; their order is that of their ids, so of no meaning.
const LOOKED_AT: usize = 80;
/// Of each language.
const WANTED: usize = 6;

/// A heading that is worth a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Starter {
    pub(super) text: String,
    pub(super) title: String,
    pub(super) language: Option<String>,
}

/// Some of a view's headings, at most one of each document, from as many folders as possible.
pub(super) fn of(view: &View) -> Result<Vec<Starter>, Error> {
    let mut folders: BTreeMap<(Option<String>, String), Vec<Starter>> = BTreeMap::new();
    for document in view.documents(&Filter::default(), None, LOOKED_AT)?.documents {
        let passages = view.document(document.id())?;
        let headings = passages.iter().filter_map(|passage| passage.chunk.headings.last());
        let best = headings.filter(|heading| **heading != document.title).max_by_key(|heading| worth(heading));
        let Some(best) = best.filter(|heading| worth(heading) > 0) else { continue };
        let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let starter =
            Starter { text: best.clone(), title: document.title.clone(), language: document.language.clone() };
        folders.entry((document.language.clone(), folder.to_string())).or_default().push(starter);
    }
    let mut counts: BTreeMap<Option<String>, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    // One of each folder, then a second one of each, until there are enough.
    for round in 0..WANTED {
        for ((language, _), starters) in &folders {
            let count = counts.entry(language.clone()).or_default();
            if let Some(starter) = starters.get(round).filter(|_| *count < WANTED) {
                chosen.push(starter.clone());
                *count += 1;
            }
        }
    }
    Ok(chosen)
}

/// How well a heading stands for itself; 0 where it does not.
fn worth(heading: &str) -> usize {
    let words = heading.split_whitespace().count();
    let unspaced = heading.chars().filter(|c| storage::is_unspaced(*c)).count();
    let technical = heading.contains(['_', '(', '{', '<', '=', '/', ';', '@', '`', '"']);
    let asks =
        ["How ", "What ", "When ", "Where ", "Who ", "Why ", "Which "].iter().any(|word| heading.starts_with(word));
    let question = usize::from(asks || heading.ends_with(['?', '？'])) * 4;
    match (words, unspaced) {
        _ if technical || heading.starts_with(|c: char| c.is_ascii_digit()) || heading.chars().count() > 60 => 0,
        (_, 5..=24) => unspaced.min(10) + question,
        (3..=9, 0) => words.min(6) + question,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_that_need_their_page_are_left_out() {
        assert!(worth("Falling ill on holiday") > 0);
        assert!(worth("没有休完怎么办") > 0);
        assert!(worth("What do we keep?") > worth("The things we keep"));
        for poor in ["Pay", "First set-up", "4. Preparing the package", "", "fn main() { a b }", "天数"] {
            assert_eq!(worth(poor), 0, "{poor}");
        }
    }
}
