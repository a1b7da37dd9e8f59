//! The questions of a judged set as calibrations ask them, and what is recalled for each.

use std::collections::HashMap;

use searcher::{Candidate, Mode, RerankBudget, SearchPlan, SearchRequest, Searcher, Syntax};
use storage::View;

use crate::error::Result;
use crate::evaluation::{BeirQuery, paths_of};

/// The questions of one set, to be asked of its index.
pub struct Questions<'q> {
    /// The number of the set.
    pub set: usize,
    /// The index.
    pub view: &'q View,
    /// Asks it.
    pub searcher: &'q Searcher,
    /// Judged questions.
    pub judged: &'q [BeirQuery],
    /// Questions of other sets.
    pub foreign: &'q [String],
}

/// A question with what was recalled for it.
pub(crate) struct Asked {
    pub(crate) plan: SearchPlan,
    pub(crate) candidates: Vec<Candidate>,
}

impl Asked {
    pub(crate) fn of(questions: &Questions<'_>, text: &str, mode: Mode) -> Result<Self> {
        let request = SearchRequest {
            query: text.to_owned(),
            syntax: Syntax::Plain,
            mode,
            rerank: RerankBudget::OFF,
            ..SearchRequest::default()
        };
        let mut plan = questions.searcher.plan(questions.view, request)?;
        let candidates = questions.searcher.recall(questions.view, &mut plan)?.candidates;
        Ok(Self { plan, candidates })
    }

    /// Takes out every passage of a document that is judged relevant.
    pub(crate) fn remove(&mut self, view: &View, query: &BeirQuery) -> Result<()> {
        let paths = paths_of(view, &self.candidates)?;
        let grades: HashMap<&str, i32> = query.grades.iter().map(|(id, grade)| (id.as_str(), *grade)).collect();
        let is_relevant = |path: &String| grades.get(path.as_str()).is_some_and(|grade| *grade > 0);
        let mut paths = paths.iter();
        self.candidates.retain(|_| !paths.next().is_some_and(is_relevant));
        Ok(())
    }
}
