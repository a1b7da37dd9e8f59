//! Asking: a question in, sentences out, each with its source, or that the documents do not answer.
//!
//! The line of a reply: search -> units -> support -> choice -> citations. What is said is quoted as it stands, so that nothing can
//! be made up; the art is to say nothing where no sentence answers. Where there is a writer, it goes on: draft -> brief -> claims
//! -> proof.  How likely one does is judged by a calibration
//! ([`crate::AnswerLines`]) that was fitted to questions with and without an answer.

mod choice;
mod draft;
mod followup;
mod question;
mod reply;
mod request;
mod share;
mod support;
mod written;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Deref;
use std::time::Duration;

use storage::{Passage, PassageRef, View};

pub use choice::{Chosen, Ranked, Setting, chosen, ranked};
pub use draft::{Draft, Said};
pub use followup::standalone;
pub use question::{Wanted, is_question};
pub use reply::{Citation, CitedSentence, ClosestDocument, Outcome, Reply, ReplyNote, StruckSentence};
pub use request::{AskRequest, Wording};
pub(crate) use support::supports;
pub use support::{PASSAGES, Support, Supported};

use crate::answer::Answer;
use crate::answerable::CLOSEST;
use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::plan::SearchPlan;
use crate::search::{Search, Searcher};

/// The name of the writer where nobody writes: sentences are those of the documents.
pub const EXTRACTIVE: &str = "extractive";
/// As long as measuring may take.
const UNHURRIED: Duration = Duration::from_secs(600);

impl Searcher {
    /// The units of these candidates of a plan, recalled by it, with what speaks for each: the ground for calibration. The plan
    /// must have its vector.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub fn supports(
        &self,
        view: &View,
        plan: &SearchPlan,
        candidates: &[Candidate],
    ) -> Result<Vec<Supported>, SearchError> {
        supports(view, &self.embedder, plan, candidates, UNHURRIED)
    }
}

impl<S: Deref<Target = View>> Search<S> {
    /// What the documents say to the question, by the order of an answer of this search. The model may compare sentences with it
    /// for so long; where that is too short for all of them, words alone decide.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub fn reply(&self, answer: &Answer, time: Duration) -> Result<Reply, SearchError> {
        let _span = tracing::debug_span!("reply").entered();
        let chosen = self.choose(time)?;
        let mut cited = Cited::default();
        for Chosen { unit, trust } in chosen {
            cited.add(self.view(), &unit, trust)?;
        }
        Ok(reply(self.plan(), answer, cited))
    }

    /// What an answer is made from: [`Search::reply`], and the passages that a writer may go by ([`Searcher::write`]).
    ///
    /// # Errors
    /// As there.
    pub fn draft(&self, answer: &Answer, time: Duration) -> Result<Draft, SearchError> {
        let reply = self.reply(answer, time)?;
        match self.searcher().writer().is_some() {
            true => Draft::of(self.view(), reply, answer, &self.candidates()),
            false => Ok(Draft::without_writer(reply)),
        }
    }

    /// The sentences that answer.
    fn choose(&self, time: Duration) -> Result<Vec<Chosen>, SearchError> {
        let (view, plan) = (self.view(), self.plan());
        // Where it is not judged whether anything answers, nothing is trusted to.
        let Some((calibration, evidence)) = self.searcher().calibration.as_deref().zip(self.evidence()) else {
            return Ok(Vec::new());
        };
        let candidates = self.candidates();
        let units = supports(view, &self.searcher().embedder, plan, &candidates, time)?;
        let model = &view.model().fingerprint;
        let is_compared = units.iter().any(|unit| unit.support.is_compared());
        let meaning = evidence.meaning().zip(calibration.of_model(model)).filter(|_| is_compared);
        let lines = match meaning {
            Some((_, known)) => known.answers.as_ref(),
            None => calibration.answers.as_ref(),
        };
        let Some(lines) = lines else { return Ok(Vec::new()) };
        let relevance = candidates.iter().filter_map(|candidate| candidate.relevance).fold(0.0, f32::max);
        let judged = calibration.probability(evidence, model).unwrap_or_else(|| calibration.by_words(evidence));
        let setting = Setting {
            meaning: meaning.map(|(nearness, known)| (nearness, known.background)),
            answerable: judged.max(f64::from(relevance)),
        };
        let mut texts: HashMap<PassageRef, Passage> = HashMap::new();
        for unit in &units {
            if let Entry::Vacant(unknown) = texts.entry(unit.passage) {
                unknown.insert(view.passage(unit.passage)?);
            }
        }
        let text = |unit: &Supported| texts[&unit.passage].chunk.text[unit.unit.bytes.clone()].to_owned();
        Ok(chosen(&ranked(&units, lines, setting, &text), lines, setting))
    }
}

/// Sentences and the passages that they are from, as they are gathered.
#[derive(Default)]
struct Cited {
    sentences: Vec<CitedSentence>,
    citations: Vec<Citation>,
}

impl Cited {
    fn add(&mut self, view: &View, unit: &Supported, trust: f64) -> Result<(), SearchError> {
        let passage = view.passage(unit.passage)?;
        let id = passage.document_id.to_string();
        let known = self.citations.iter().position(|known| known.id == id && known.passage == passage.number);
        let text = passage.chunk.text.clone();
        let at = known.unwrap_or_else(|| {
            self.citations.push(Citation { number: self.citations.len() + 1, ..Citation::of(passage) });
            self.citations.len() - 1
        });
        let quotes = &mut self.citations[at].quotes;
        quotes.push(unit.unit.bytes.clone());
        quotes.sort_by_key(|quote| quote.start);
        let part = |bytes: &std::ops::Range<usize>| text.get(bytes.clone()).unwrap_or_default().to_owned();
        self.sentences.push(CitedSentence {
            text: part(&unit.unit.bytes),
            header: unit.unit.header.as_ref().map(part),
            citations: vec![at + 1],
            trust: Some(trust),
        });
        Ok(())
    }
}

fn reply(plan: &SearchPlan, answer: &Answer, cited: Cited) -> Reply {
    let Cited { sentences, citations } = cited;
    let is_answered = !sentences.is_empty();
    let closest = if is_answered { &[][..] } else { &answer.results[..answer.results.len().min(CLOSEST)] };
    Reply {
        question: plan.request.query.clone(),
        is_rewritten: false,
        outcome: if is_answered { Outcome::Answered } else { Outcome::Unanswered },
        writer: EXTRACTIVE.to_owned(),
        closest: closest.iter().map(ClosestDocument::of).collect(),
        sentences,
        citations,
        struck: Vec::new(),
        notes: (!is_answered && plan.lacks_meaning()).then_some(ReplyNote::MeaningLacks).into_iter().collect(),
        answerable: answer.answerable,
        timings: answer.timings,
        generation: answer.generation,
    }
}
