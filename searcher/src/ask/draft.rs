//! The draft: what an answer is made from, before a writer has a say.

use std::ops::ControlFlow;

use storage::{Passage, View};

use super::reply::{Citation, CitedSentence, Reply, StruckSentence};
use crate::answer::Answer;
use crate::answerable::Verdict;
use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::proof::Ground;
use crate::writer::Quotation;

/// Passages that a writer may go by at the most.
const SOURCES: usize = 8;

/// The sentences of the documents that answer, and the passages that a writer may go by. It holds all of them, and needs no view.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What is said without a writer.
    pub reply: Reply,
    pub(super) sources: Vec<Source>,
}

/// A passage that a writer may go by.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// As it is cited; nothing is quoted yet.
    pub(super) citation: Citation,
    pub(super) ground: Ground,
}

impl Draft {
    /// A draft without passages: nobody writes.
    pub(super) fn without_writer(reply: Reply) -> Self {
        Self { reply, sources: Vec::new() }
    }

    /// A draft of the best candidates; of none where nothing answers.
    pub(super) fn of(
        view: &View,
        reply: Reply,
        answer: &Answer,
        candidates: &[Candidate],
    ) -> Result<Self, SearchError> {
        let is_hopeless = answer.answerable.is_some_and(|judged| judged.verdict == Verdict::Unlikely);
        let candidates = if is_hopeless { &[][..] } else { &candidates[..candidates.len().min(SOURCES)] };
        let mut sources: Vec<Source> = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let source = Source::of(view.passage(candidate.passage)?);
            // A copy in another document proves nothing more.
            if sources.iter().all(|known| known.ground.text != source.ground.text) {
                sources.push(source);
            }
        }
        Ok(Self { reply, sources })
    }

    /// The answer without a writer: each sentence is heard, until `hear` has enough.
    pub fn quoted(self, hear: &mut dyn FnMut(Said<'_>) -> ControlFlow<()>) -> Reply {
        let Self { reply, .. } = self;
        let mut cited = 0;
        for sentence in &reply.sentences {
            let last = sentence.citations.iter().copied().max().unwrap_or(0).max(cited);
            if hear(Said::Sentence(sentence, &reply.citations[cited..last])).is_break() {
                break;
            }
            cited = last;
        }
        reply
    }

    /// The passages that a writer may go by, as they are cited.
    pub fn sources_mut(&mut self) -> impl Iterator<Item = &mut Citation> {
        self.sources.iter_mut().map(|source| &mut source.citation)
    }
}

/// What is heard of an answer while it is made.
#[derive(Debug, Clone, Copy)]
pub enum Said<'r> {
    /// A sentence, with the passages that it is the first to cite.
    Sentence(&'r CitedSentence, &'r [Citation]),
    /// A sentence of a writer that was not proved.
    Struck(&'r StruckSentence),
    /// A writer goes on: there is nothing to show yet, and whoever has gone can leave.
    Part,
}

impl Source {
    fn of(passage: Passage) -> Self {
        let above = [&passage.document.title].into_iter().chain(&passage.chunk.headings);
        let above = above.map(String::as_str).collect::<Vec<_>>().join("\n");
        let (text, blocks) = (passage.chunk.text.clone(), passage.chunk.blocks.clone());
        Self { citation: Citation::of(passage), ground: Ground { above, text, blocks } }
    }

    pub(super) fn quotation(&self) -> Quotation<'_> {
        Quotation { above: &self.ground.above, text: &self.ground.text }
    }
}
