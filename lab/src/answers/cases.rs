//! The cases that answers are fitted to: questions whose answer is known, the same with its documents taken out of what was
//! recalled, and questions of other sets.

use searcher::{Evidence, Mode, Supported};

use super::text::{agree, flat};
use crate::error::Result;
use crate::evaluation::BeirQuery;
use crate::questions::{Asked, Questions};

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

impl Questions<'_> {
    /// Asks all questions, of both retrievers and of words alone, and looks at the units that are found.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub fn answer_cases(&self) -> Result<Vec<AnswerCase>> {
        let mut cases = Vec::new();
        for mode in [Mode::Hybrid, Mode::Lexical] {
            for query in self.judged {
                let mut asked = Asked::of(self, &query.text, mode)?;
                cases.push(self.answer_case(CaseKind::Answered, mode, &asked, Some(query))?);
                asked.remove(self.view, query)?;
                cases.push(self.answer_case(CaseKind::Removed, mode, &asked, None)?);
            }
            for text in self.foreign {
                cases.push(self.answer_case(CaseKind::OffTopic, mode, &Asked::of(self, text, mode)?, None)?);
            }
        }
        Ok(cases)
    }

    fn answer_case(
        &self,
        kind: CaseKind,
        mode: Mode,
        Asked { plan, candidates }: &Asked,
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
