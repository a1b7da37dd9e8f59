//! Filters as they are meant: names of sources and parts of paths, compared as people compare them.
//!
//! Names and paths agree in NFKC and without regard to case, so that what a Mac wrote in parts, or somebody in full width, is
//! found by what is typed on any keyboard. A part may begin with the name of a source, as paths are shown: `handbook/leave` is the folder `leave` in the
//! source `handbook`, and also every path that contains it.

use tantivy::query::{BooleanQuery, Occur, Query, TermSetQuery};
use tantivy::schema::Term;
use unicode_normalization::UnicodeNormalization as _;

use super::reader::{LexicalReader, terms_of};
use crate::error::Result;
use crate::filter::Filter;

/// A name as it is compared.
pub fn folded(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).nfc().collect()
}

impl LexicalReader {
    /// Adds what the sources of a filter ask for.
    pub(super) fn push_sources(&self, filter: &Filter, clauses: &mut Vec<(Occur, Box<dyn Query>)>) -> Result<()> {
        if filter.sources.is_empty() {
            return Ok(());
        }
        let wanted: Vec<String> = filter.sources.iter().map(|name| folded(name)).collect();
        let names = terms_of(&self.searcher, self.fields.source)?.into_iter();
        let named = names.filter(|name| wanted.contains(&folded(name)));
        let terms = named.map(|name| Term::from_field_text(self.fields.source, &name));
        clauses.push((Occur::Must, Box::new(TermSetQuery::new(terms.collect::<Vec<_>>()))));
        Ok(())
    }

    /// Adds what the paths of a filter ask for.
    pub(super) fn push_paths(&self, filter: &Filter, clauses: &mut Vec<(Occur, Box<dyn Query>)>) -> Result<()> {
        if filter.paths.is_empty() {
            return Ok(());
        }
        let parts: Vec<String> = filter.paths.iter().map(|part| folded(part)).collect();
        let paths: Vec<(String, String)> =
            terms_of(&self.searcher, self.fields.path)?.into_iter().map(|path| (folded(&path), path)).collect();
        let those = |matches: &dyn Fn(&str) -> bool| -> Box<dyn Query> {
            let matching = paths.iter().filter(|(folded, _)| matches(folded));
            let terms: Vec<Term> = matching.map(|(_, path)| Term::from_field_text(self.fields.path, path)).collect();
            Box::new(TermSetQuery::new(terms))
        };
        let mut alternatives =
            vec![(Occur::Should, those(&|path| parts.iter().any(|part| path.contains(part.as_str()))))];
        for name in terms_of(&self.searcher, self.fields.source)? {
            let shown = folded(&name);
            let below = |part: &String| Some(part.strip_prefix(&shown)?.strip_prefix('/')?.to_owned());
            let below: Vec<String> = parts.iter().filter_map(below).collect();
            let is_whole = parts.contains(&shown);
            if below.is_empty() && !is_whole {
                continue;
            }
            let source = Term::from_field_text(self.fields.source, &name);
            let mut both: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, Box::new(TermSetQuery::new([source])))];
            if !is_whole {
                both.push((Occur::Must, those(&|path| below.iter().any(|part| path.starts_with(part.as_str())))));
            }
            alternatives.push((Occur::Should, Box::new(BooleanQuery::new(both))));
        }
        clauses.push((Occur::Must, Box::new(BooleanQuery::new(alternatives))));
        Ok(())
    }
}
