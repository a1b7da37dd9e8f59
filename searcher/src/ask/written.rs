//! The written answer: what a writer says, as far as it is proved.
//!
//! brief -> writer -> claims -> proof -> sentences. A sentence is heard once it is proved. What is not proved is struck, and said
//! with the reason; an answer that has lost most of its sentences is not shown: sentences of the documents take its place.

use std::ops::ControlFlow;

use qwen3::{Elsewhere, RerankHandle};

use super::draft::{Draft, Said, Source};
use super::reply::{Citation, CitedSentence, Outcome, Reply, ReplyNote, StruckSentence};
use crate::proof::{Claim, Claims, Evidence, Flaw, Ground, Line, Support, prove};
use crate::search::Searcher;
use crate::writer::{Brief, Ending, Quotation, Writer, WriterError, room};

/// Sentences of an answer.
const SENTENCES: usize = 5;
/// Sentences that are looked at, right or wrong.
const CLAIMS: usize = 10;
/// From here on a cross-encoder finds that what it reads supports a statement.
const SUPPORTED: f32 = 0.5;
/// What the cross-encoder is asked.
const SUPPORTS: &str = "Given a statement, judge whether the document supports it: whether all that the statement says follows from \
                        the document";

impl Searcher {
    /// The answer in a writer's words as far as they are proved, where there is a writer; else, and where too little is proved or
    /// the writer fails, the sentences of the draft. Blocks for as long as the writer takes; `hear` gets each sentence as it is
    /// proved, and can end it.
    ///
    /// The reply is what counts: it may leave off what was heard, and say what was not.
    pub fn write(&self, draft: Draft, hear: &mut dyn FnMut(Said<'_>) -> ControlFlow<()>) -> Reply {
        let _span = tracing::debug_span!("write").entered();
        let Some(writer) = self.writer.as_deref().filter(|_| !draft.sources.is_empty()) else {
            return draft.quoted(hear);
        };
        let Draft { reply, mut sources } = draft;
        let question = reply.question.clone();
        let quotations: Vec<Quotation<'_>> = sources.iter().map(Source::quotation).collect();
        let room = room(&quotations, &question, writer.room());
        let left_out = quotations.len() - room;
        let brief = Brief::new(&question, &quotations[..room]);
        sources.truncate(room);
        let mut written = Written::new(&sources, &question, self.judge());
        if left_out > 0 {
            written.notes.push(ReplyNote::PassagesLeftOut { passages: left_out });
        }
        if room > 0 {
            written.listen(writer, &brief, hear);
        }
        written.reply(writer.name(), reply)
    }
}

impl Searcher {
    /// The reranker, where it can be asked whether a passage supports a sentence, and is not known to be away.
    fn judge(&self) -> Option<&RerankHandle> {
        let is_out = |it: &Elsewhere| it.condition.is_out();
        let judge = self.reranker.as_ref().filter(|reranker| reranker.follows_instructions());
        judge.filter(|reranker| !reranker.elsewhere().as_ref().is_some_and(is_out))
    }
}

/// What proves a claim, and how surely, where a model has said so.
type Proved = (Vec<Evidence>, Option<f64>);

/// An answer as it is written.
struct Written<'s> {
    sources: &'s [Source],
    grounds: Vec<Ground>,
    question: &'s str,
    reranker: Option<&'s RerankHandle>,
    sentences: Vec<CitedSentence>,
    citations: Vec<Citation>,
    struck: Vec<StruckSentence>,
    notes: Vec<ReplyNote>,
    claims: Vec<Claim>,
}

impl<'s> Written<'s> {
    fn new(sources: &'s [Source], question: &'s str, reranker: Option<&'s RerankHandle>) -> Self {
        let grounds = sources.iter().map(|source| source.ground.clone()).collect();
        let (sentences, citations, struck, notes, claims) = Default::default();
        Self { sources, grounds, question, reranker, sentences, citations, struck, notes, claims }
    }

    /// Takes what the writer says, until it is done, has said enough, or fails.
    fn listen(&mut self, writer: &dyn Writer, brief: &Brief, hear: &mut dyn FnMut(Said<'_>) -> ControlFlow<()>) {
        let mut claims = Claims::default();
        let mut taken = Ok(ControlFlow::Continue(()));
        let ending = writer.write(brief, &mut |part| {
            taken = self.take_all(claims.take(part), hear);
            if matches!(taken, Ok(ControlFlow::Continue(()))) {
                taken = Ok(hear(Said::Part));
            }
            if matches!(taken, Ok(ControlFlow::Continue(()))) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let fault = match (ending, taken) {
            (Err(error), _) | (Ok(_), Err(error)) => Some(error),
            (Ok(_), Ok(ControlFlow::Break(()))) => None,
            // Its last line is a whole one.
            (Ok(Ending::Done), Ok(ControlFlow::Continue(()))) => self.take_all(claims.end(), hear).err(),
            (Ok(Ending::Cut), Ok(ControlFlow::Continue(()))) => {
                self.notes.push(ReplyNote::Cut);
                None
            }
            (Ok(Ending::Looped), Ok(ControlFlow::Continue(()))) => {
                self.notes.push(ReplyNote::Repeated);
                None
            }
        };
        if let Some(error) = fault {
            tracing::warn!(error = &error as &dyn std::error::Error, "the writer of answers failed");
            self.notes.push(ReplyNote::WriterFailed);
        }
    }

    fn take_all(
        &mut self,
        lines: Vec<Line>,
        hear: &mut dyn FnMut(Said<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, WriterError> {
        for line in lines {
            if self.take(line, hear)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn take(
        &mut self,
        line: Line,
        hear: &mut dyn FnMut(Said<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, WriterError> {
        let Line::Claim(claim) = line else { return Ok(ControlFlow::Break(())) };
        if self.claims.iter().any(|known| known.text == claim.text) {
            self.notes.push(ReplyNote::Repeated);
            return Ok(ControlFlow::Break(()));
        }
        let flow = match self.proved(&claim)? {
            Ok((evidence, trust)) => {
                let known = self.citations.len();
                let sentence = self.sentence(&claim, &evidence, trust);
                self.sentences.push(sentence);
                hear(Said::Sentence(&self.sentences[self.sentences.len() - 1], &self.citations[known..]))
            }
            Err(flaw) => {
                self.struck.push(StruckSentence { text: claim.text.clone(), flaw });
                hear(Said::Struck(&self.struck[self.struck.len() - 1]))
            }
        };
        self.claims.push(claim);
        let is_enough = self.sentences.len() == SENTENCES || self.claims.len() == CLAIMS;
        Ok(if is_enough { ControlFlow::Break(()) } else { flow })
    }

    /// What proves a claim, and how surely, or what is wrong with it.
    fn proved(&self, claim: &Claim) -> Result<Result<Proved, Flaw>, WriterError> {
        let support = if self.reranker.is_some() { Support::ByModel } else { Support::ByWords };
        let evidence = match prove(claim, &self.grounds, self.question, support) {
            Ok(evidence) => evidence,
            Err(flaw) => return Ok(Err(flaw)),
        };
        let Some(reranker) = self.reranker else { return Ok(Ok((evidence, None))) };
        let text = |part: &Evidence| format!("{}\n{}", self.grounds[part.ground].above, part.text(&self.grounds));
        let whole = evidence.iter().map(text).collect::<Vec<_>>().join("\n\n");
        let score = match reranker.score(&claim.text, Some(SUPPORTS), &[whole]) {
            // It went away meanwhile: words have to prove more then.
            Err(error) if error.is_elsewhere() => {
                let by_words = prove(claim, &self.grounds, self.question, Support::ByWords);
                return Ok(by_words.map(|evidence| (evidence, None)));
            }
            scores => scores?.into_iter().fold(0.0, f32::max),
        };
        Ok(if score < SUPPORTED { Err(Flaw::Unsupported) } else { Ok((evidence, Some(f64::from(score)))) })
    }

    /// A proved claim with its citations, which get the numbers in which they are first cited.
    fn sentence(&mut self, claim: &Claim, evidence: &[Evidence], trust: Option<f64>) -> CitedSentence {
        let mut citations = Vec::with_capacity(evidence.len());
        for part in evidence {
            let source = &self.sources[part.ground].citation;
            let known = self.citations.iter().position(|it| it.id == source.id && it.passage == source.passage);
            let at = known.unwrap_or_else(|| {
                self.citations.push(Citation { number: self.citations.len() + 1, ..source.clone() });
                self.citations.len() - 1
            });
            let quotes = &mut self.citations[at].quotes;
            quotes.extend(part.units.iter().map(|unit| unit.bytes.clone()));
            quotes.sort_by_key(|quote| quote.start);
            quotes.dedup();
            citations.push(at + 1);
        }
        CitedSentence { text: claim.text.clone(), header: None, citations, trust }
    }

    /// What is said in the end.
    fn reply(self, writer: &str, draft: Reply) -> Reply {
        let has_substance = !self.sentences.is_empty() && self.sentences.len() >= self.struck.len();
        let Self { sentences, citations, struck, mut notes, .. } = self;
        notes.dedup();
        if has_substance {
            let writer = writer.to_owned();
            return Reply {
                writer,
                outcome: Outcome::Answered,
                sentences,
                citations,
                struck,
                notes,
                closest: vec![],
                ..draft
            };
        }
        if !struck.is_empty() {
            notes.push(ReplyNote::Unproved);
        }
        let notes = [draft.notes.as_slice(), &notes].concat();
        Reply { struck, notes, ..draft }
    }
}

#[cfg(test)]
mod tests;
