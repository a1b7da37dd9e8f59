//! The cases that answers are fitted to: questions whose answer is known, the same with its documents taken out of what was
//! recalled, and questions of other sets.

use searcher::{Candidate, Evidence, Mode, RerankBudget, SearchPlan, SearchRequest, Searcher, Supported, Syntax};
use storage::View;

use super::text::{agree, flat};
use crate::error::Result;
use crate::evaluation::{BeirQuery, paths_of};

/// How a question stands to what was recalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaseKind {
    /// As it is.
    Answered,
    /// Every document that is judged relevant was taken out.
    Removed,
    /// A question of another set.
    OffTopic,
}

/// A question with the units that were found for it.
#[derive(Debug, Clone)]
pub struct AnswerCase {
    /// How it stands to what was recalled.
    pub kind: CaseKind,
    /// The number of its set.
    pub set: usize,
    /// Whether vectors had a say.
    pub mode: Mode,
    /// The units, and whether each answers.
    pub units: Vec<(Supported, bool)>,
    /// The texts of the units.
    pub texts: Vec<String>,
    /// What speaks for an answer in the index at all.
    pub evidence: Evidence,
}

/// The questions of one set, to be asked of its index.
pub struct AnswerQuestions<'q> {
    /// The number of the set.
    pub set: usize,
    /// The index.
    pub view: &'q View,
    /// Asks it.
    pub searcher: &'q Searcher,
    /// Questions with their answers.
    pub judged: &'q [BeirQuery],
    /// Questions of other sets.
    pub foreign: &'q [String],
}

impl AnswerQuestions<'_> {
    /// Asks all questions, of both retrievers and of words alone.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub fn cases(&self) -> Result<Vec<AnswerCase>> {
        let mut cases = Vec::new();
        for mode in [Mode::Hybrid, Mode::Lexical] {
            for query in self.judged {
                let (plan, mut candidates) = self.asked(&query.text, mode)?;
                cases.push(self.case(CaseKind::Answered, mode, &plan, &candidates, Some(query))?);
                let paths = paths_of(self.view, &candidates)?;
                let mut paths = paths.iter();
                let is_relevant = |path: &String| query.grades.get(path.as_str()).is_some_and(|grade| *grade > 0);
                candidates.retain(|_| !paths.next().is_some_and(is_relevant));
                cases.push(self.case(CaseKind::Removed, mode, &plan, &candidates, None)?);
            }
            for text in self.foreign {
                let (plan, candidates) = self.asked(text, mode)?;
                cases.push(self.case(CaseKind::OffTopic, mode, &plan, &candidates, None)?);
            }
        }
        Ok(cases)
    }

    fn asked(&self, text: &str, mode: Mode) -> Result<(SearchPlan, Vec<Candidate>)> {
        let request = SearchRequest {
            query: text.to_owned(),
            syntax: Syntax::Plain,
            mode,
            rerank: RerankBudget::OFF,
            ..SearchRequest::default()
        };
        let mut plan = self.searcher.plan(self.view, request)?;
        let candidates = self.searcher.recall(self.view, &mut plan)?.candidates;
        Ok((plan, candidates))
    }

    fn case(
        &self,
        kind: CaseKind,
        mode: Mode,
        plan: &SearchPlan,
        candidates: &[Candidate],
        query: Option<&BeirQuery>,
    ) -> Result<AnswerCase> {
        let evidence = self.searcher.evidence(self.view, plan, candidates)?;
        let supported = self.searcher.supports(self.view, plan, candidates)?;
        let answers: Vec<String> = query.iter().flat_map(|query| &query.answers).map(|answer| flat(answer)).collect();
        let (mut units, mut texts) = (Vec::with_capacity(supported.len()), Vec::with_capacity(supported.len()));
        for unit in supported {
            let passage = self.view.passage(unit.passage)?;
            let text = passage.chunk.text.get(unit.unit.bytes.clone()).unwrap_or_default().to_owned();
            let is_relevant = query
                .is_some_and(|query| query.grades.get(passage.document.path.as_str()).is_some_and(|grade| *grade > 0));
            let said = flat(&text);
            let is_right = is_relevant && answers.iter().any(|answer| agree(&said, answer));
            units.push((unit, is_right));
            texts.push(text);
        }
        Ok(AnswerCase { kind, set: self.set, mode, units, texts, evidence })
    }
}
