//! Support: what speaks for a part of a passage as the answer to a question.
//!
//! Looked at are the best passages of a search. Of each of their units: how much of the question it holds, by itself and with what
//! it stands below; how near in meaning it is; whether it names what was asked for; and how good its passage is.

use std::time::Duration;

use qwen3::{EmbedHandle, Lane};
use storage::{Passage, PassageRef, View};
use unicode_segmentation::UnicodeSegmentation as _;

use super::question::Wanted;
use super::share::{Shares, terms};
use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::nearness::{Nearness, Spread, dot};
use crate::plan::SearchPlan;
use crate::unit::{Unit, units};

/// Passages that are looked at.
pub const PASSAGES: usize = 8;
/// Bytes of one token, for an estimate that is rather too many tokens than too few.
const BYTES_PER_TOKEN: usize = 3;

/// A unit of a passage, and what speaks for it.
#[derive(Debug, Clone)]
pub struct Supported {
    /// The passage in its view.
    pub passage: PassageRef,
    /// The unit in the passage's text.
    pub unit: Unit,
    /// What speaks for it.
    pub support: Support,
}

/// What speaks for a unit, or against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Support {
    /// The share of the question that it holds.
    covered: f64,
    /// The largest share that a unit of the search holds.
    best: f64,
    /// The same with the title, the headings above and the header of its table.
    framed: f64,
    /// The same with the unit before it.
    around: f64,
    /// The share that the passage holds, with what is above it.
    passage: f64,
    /// Its cosine with the question; `None` where vectors had no say, or the model no time.
    cosine: Option<f64>,
    /// That of its passage, where the vector retriever recalled it.
    near: Option<f64>,
    /// Place of the passage among those that are looked at, from 0.
    rank: usize,
    /// Score of the passage, as a share of the best.
    share: f64,
    /// What a reranker says of the passage.
    relevance: Option<f32>,
    /// Whether it names what was asked for; `None` where that cannot be told.
    is_named: Option<bool>,
    /// Words that the question does not have.
    news: usize,
    characters: usize,
}

impl Support {
    /// The numbers that a calibration weighs, by their names. With `meaning`, what cosines of the question are like elsewhere in the
    /// index and for the model, they are those of words and meaning.
    pub fn numbers(&self, meaning: Option<(&Nearness, Spread)>) -> Vec<(&'static str, f64)> {
        let flag = |is: bool| f64::from(u8::from(is));
        let mut numbers = vec![
            ("covered", self.covered),
            ("short", self.best - self.covered),
            ("above", self.framed - self.covered),
            ("around", self.around),
            ("passage", self.passage),
            ("rank", 1.0 / (1.0 + self.rank as f64)),
            ("share", self.share),
            ("named", flag(self.is_named == Some(true))),
            ("unnamed", flag(self.is_named == Some(false))),
            ("news", (1.0 + self.news as f64).ln()),
            ("length", (1.0 + self.characters as f64).ln()),
        ];
        if let Some((nearness, known)) = meaning {
            let above = |cosine: Option<f64>| cosine.map_or(0.0, |cosine| nearness.above(cosine, known));
            numbers.extend([("cosine", above(self.cosine)), ("near", above(self.near))]);
        }
        numbers
    }

    /// Whether the model has compared it with the question.
    pub fn is_compared(&self) -> bool {
        self.cosine.is_some()
    }

    /// What a reranker says of the passage that it stands in.
    pub fn relevance(&self) -> Option<f32> {
        self.relevance
    }
}

/// The units of the best candidates, in their order, each with what speaks for it. Where the plan has a vector, they are compared
/// in meaning if the model reads them in this time.
///
/// # Errors
/// The index is damaged or the model failed.
pub(crate) fn supports(
    view: &View,
    embedder: &EmbedHandle,
    plan: &SearchPlan,
    candidates: &[Candidate],
    time: Duration,
) -> Result<Vec<Supported>, SearchError> {
    let shares = Shares::of(view, plan)?;
    let wanted = Wanted::of(&plan.text);
    let best = candidates.iter().map(|candidate| candidate.score).fold(f64::MIN_POSITIVE, f64::max);
    let mut found = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for (rank, candidate) in candidates.iter().take(PASSAGES).enumerate() {
        let passage = view.passage(candidate.passage)?;
        let of_passage = OfPassage { rank, share: candidate.score / best, candidate, passage: &passage, wanted };
        for (unit, support) in of_passage.supports(&shares, &plan.text) {
            texts.push(told(&passage, &unit));
            found.push(Supported { passage: candidate.passage, unit, support });
        }
    }
    let most = found.iter().map(|unit: &Supported| unit.support.covered).fold(0.0, f64::max);
    found.iter_mut().for_each(|unit| unit.support.best = most);
    if let Some(vector) = &plan.vector {
        compare(embedder, vector, &texts, &mut found, time)?;
    }
    Ok(found)
}

/// A unit as a model reads it: with the header of its table.
fn told(passage: &Passage, unit: &Unit) -> String {
    let text = |range: &std::ops::Range<usize>| passage.chunk.text.get(range.clone()).unwrap_or_default();
    match &unit.header {
        Some(header) => format!("{}\n{}", text(header), text(&unit.bytes)),
        None => text(&unit.bytes).to_owned(),
    }
}

/// A passage that units are looked at of.
struct OfPassage<'p> {
    rank: usize,
    share: f64,
    candidate: &'p Candidate,
    passage: &'p Passage,
    wanted: Wanted,
}

impl OfPassage<'_> {
    fn supports(&self, shares: &Shares, question: &str) -> Vec<(Unit, Support)> {
        let text = &self.passage.chunk.text;
        let spans = shares.spans(self.passage);
        let above = shares.above(self.passage);
        let asked: Vec<String> = question.unicode_words().map(str::to_lowercase).collect();
        let whole = terms(&spans, &(0..text.len())).union(&above).copied().collect();
        let passage = shares.share(&whole);
        let units = units(text, &self.passage.chunk.blocks);
        let mut supports = Vec::with_capacity(units.len());
        for (place, unit) in units.iter().enumerate() {
            let own = terms(&spans, &unit.bytes);
            let header = unit.header.as_ref().map(|header| terms(&spans, header)).unwrap_or_default();
            let framed = own.iter().chain(&above).chain(&header).copied().collect();
            let before = place.checked_sub(1).map(|before| terms(&spans, &units[before].bytes)).unwrap_or_default();
            let said = &text[unit.bytes.clone()];
            let news = said.unicode_words().filter(|word| !asked.contains(&word.to_lowercase())).count();
            let support = Support {
                covered: shares.share(&own),
                best: 0.0,
                framed: shares.share(&framed),
                around: shares.share(&own.union(&before).copied().collect()),
                passage,
                cosine: None,
                near: self.candidate.vector.map(|place| f64::from(place.score)),
                rank: self.rank,
                share: self.share,
                relevance: self.candidate.relevance,
                is_named: self.wanted.is_named(said, question),
                news,
                characters: said.chars().count(),
            };
            supports.push((unit.clone(), support));
        }
        supports
    }
}

/// Compares the texts with the vector, all or none: what was not compared cannot be weighed beside what was. None, where the model
/// would take longer, by its own measured pace, or is busy.
fn compare(
    embedder: &EmbedHandle,
    vector: &[f32],
    texts: &[String],
    found: &mut [Supported],
    time: Duration,
) -> Result<(), SearchError> {
    let tokens = (embedder.stats().tokens_per_second() * time.as_secs_f64()) as usize;
    let bytes: usize = texts.iter().map(String::len).sum();
    if bytes == 0 || bytes > tokens.saturating_mul(BYTES_PER_TOKEN) {
        return Ok(());
    }
    let begun = embedder.embed_documents_in(Lane::Urgent, texts);
    let embedded = begun.and_then(|pending| pending.wait_for(time * 2).transpose());
    let vectors = match embedded {
        // One of them is nothing to the model (signs that it does not know, say): words decide.
        Err(qwen3::Error::NoDirection { .. }) => return Ok(()),
        Err(error) if error.is_elsewhere() => return Ok(()),
        embedded => embedded?.unwrap_or_default(),
    };
    for (supported, other) in found.iter_mut().zip(vectors) {
        supported.support.cosine = Some(f64::from(dot(vector, &other)));
    }
    Ok(())
}
