//! The cases that a calibration is fitted to: questions with an answer in the index, and four times without.

use searcher::{Evidence, Mode};

use super::nonsense;
use crate::error::Result;
use crate::questions::{Asked, Questions};

/// How a question stands to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A judged question.
    Answered,
    /// A judged question, of which every document that is judged relevant was taken out of what was recalled.
    Removed,
    /// A question of another set.
    OffTopic,
    /// Made of letters by rule.
    Gibberish,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Answered, Self::Removed, Self::OffTopic, Self::Gibberish];

    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Removed => "answer removed",
            Self::OffTopic => "off topic",
            Self::Gibberish => "gibberish",
        }
    }
}

/// One question with what speaks for an answer.
#[derive(Debug, Clone)]
pub struct Case {
    /// How it stands to the index.
    pub kind: Kind,
    /// The number of its set.
    pub set: usize,
    /// What speaks for an answer, and against.
    pub evidence: Evidence,
}

impl Questions<'_> {
    /// Asks all questions, of both retrievers together and of each alone.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub fn cases(&self) -> Result<Vec<Case>> {
        let mut cases = Vec::new();
        for mode in [Mode::Hybrid, Mode::Lexical, Mode::Semantic] {
            for (number, query) in self.judged.iter().enumerate() {
                let mut asked = Asked::of(self, &query.text, mode)?;
                cases.push(self.case(Kind::Answered, &asked)?);
                asked.remove(self.view, query)?;
                cases.push(self.case(Kind::Removed, &asked)?);
                let gibberish = Asked::of(self, &nonsense::like(&query.text, number as u64), mode)?;
                cases.push(self.case(Kind::Gibberish, &gibberish)?);
            }
            for text in self.foreign {
                cases.push(self.case(Kind::OffTopic, &Asked::of(self, text, mode)?)?);
            }
        }
        Ok(cases)
    }

    fn case(&self, kind: Kind, asked: &Asked) -> Result<Case> {
        let evidence = self.searcher.evidence(self.view, &asked.plan, &asked.candidates)?;
        Ok(Case { kind, set: self.set, evidence })
    }
}
