//! Evidence that something in the index answers a query: a few numbers that do not depend on the page asked for.
//!
//! Looked at are the best ten passages of each retriever. Of words: how much of the query one passage holds, each word by
//! its rarity, and how far the best match stands out. Of meaning: how much nearer the nearest passage is than passages that have
//! nothing to do with the query (a sample of the index). Of both: whether they found the same.

use std::collections::BTreeMap;

use storage::{HeldTerm, PassageRef, Snapshot, TermKind};

use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::fuse::Place;
use crate::plan::SearchPlan;

/// Passages of each retriever that are looked at.
const HEAD: usize = 10;
/// Passages whose script is looked at.
const SCRIPTS: usize = 3;
/// Letters that tell it.
const LETTERS: usize = 500;
/// How many vectors of a sample what is known of the model counts as, so that an index of three passages is not
/// compared with itself alone.
const KNOWN_VECTORS: f64 = 50.0;

/// Which retrievers a query was asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Words alone.
    Words,
    /// Meaning alone.
    Meaning,
    /// Both.
    Both,
}

/// What speaks for an answer, or against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The largest share of the query that one passage holds, each word counted by its rarity; 0 to 1.
    pub coverage: f64,
    /// The best score by BM25, over that of a passage with every word once.
    pub score: f64,
    /// How far that stands out from the tenth: 0 not at all, 1 there is no tenth.
    pub standout: f64,
    /// The share of the query that no passage of the index holds, by rarity.
    pub unknown: f64,
    /// Terms of the query.
    pub terms: usize,
    /// What meaning says; `None` where vectors had no say.
    pub meaning: Option<Nearness>,
    /// The share of the passages at the head of one retriever that are at the head of the other.
    pub agreement: f64,
    /// x
    pub joint: Vec<(f64, f64)>,
    /// x
    pub heard_max: f64,
    /// x
    pub coherence: f64,
    /// x
    pub passages: u64,
    /// The share of the query that the nearest passage holds.
    pub nearest_coverage: f64,
    /// Whether what was asked for by its exact form is there: a quoted phrase, a code, or every rare word in one passage.
    pub is_exact: bool,
    /// Whether the nearest passages are written in another script than the query: what words say is void then.
    pub is_foreign: bool,
    /// Whether the lexical retriever was asked.
    pub asks_words: bool,
}

/// Cosines of the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearness {
    /// With the nearest passage.
    pub best: f64,
    /// With the tenth; `None` if there are fewer.
    pub tenth: Option<f64>,
    /// With the best passage by words, where that is among those recalled by meaning.
    pub of_best_words: Option<f64>,
    /// With the sample of the index.
    pub background: Spread,
    /// Vectors in the sample.
    pub sample: usize,
}

/// Mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl Evidence {
    /// What the candidates of a plan say; `plan` has its vector.
    ///
    /// # Errors
    /// The index is damaged.
    pub(crate) fn of(
        snapshot: &Snapshot,
        plan: &SearchPlan,
        candidates: &[Candidate],
        asks_words: bool,
    ) -> Result<Self, SearchError> {
        let by_words = head(candidates, |candidate| candidate.lexical);
        let by_meaning = head(candidates, |candidate| candidate.vector);
        let mut passages: Vec<PassageRef> = by_words.iter().chain(&by_meaning).map(|(passage, _)| *passage).collect();
        passages.sort_unstable();
        passages.dedup();
        let terms = snapshot.holdings(&plan.terms, &passages)?;
        let whole = share_of(&terms, |_| true).max(f64::MIN_POSITIVE);
        let coverages: Vec<f64> =
            (0..passages.len()).map(|at| share_of(&terms, |term| term.held[at]) / whole).collect();
        let place_of = |passage: &PassageRef| passages.binary_search(passage).ok();
        let nearest = by_meaning.first().and_then(|(passage, _)| place_of(passage));
        let best_score = by_words.first().map_or(0.0, |(_, place)| f64::from(place.score));
        let tenth_score = by_words.get(HEAD - 1).map_or(0.0, |(_, place)| f64::from(place.score));
        let documents = |head: &[(PassageRef, Place)]| {
            let mut groups: Vec<u64> =
                head.iter().map(|(passage, _)| snapshot.group(*passage)).collect::<Result<_, _>>()?;
            groups.sort_unstable();
            groups.dedup();
            Ok::<_, SearchError>(groups)
        };
        let (found_by_words, found_by_meaning) = (documents(&by_words)?, documents(&by_meaning)?);
        let common = found_by_words.iter().filter(|group| found_by_meaning.binary_search(group).is_ok()).count();
        let meaning = match &plan.vector {
            Some(vector) => {
                let best_by_words = by_words.first().map(|(passage, _)| *passage);
                let of_best_words =
                    candidates.iter().find(|it| Some(it.passage) == best_by_words).and_then(|it| it.vector);
                Nearness::of(snapshot, vector, &by_meaning, of_best_words)?
            }
            None => None,
        };
        let cosine_of = |passage: &PassageRef| {
            candidates.iter().find(|it| it.passage == *passage).and_then(|it| it.vector).map(|it| f64::from(it.score))
        };
        let joint: Vec<(f64, f64)> =
            passages.iter().zip(&coverages).filter_map(|(it, coverage)| Some((*coverage, cosine_of(it)?))).collect();
        let heard_max = by_words.iter().filter_map(|(it, _)| cosine_of(it)).fold(-1.0, f64::max);
        let mut coherence = 0.0;
        if plan.vector.is_some() {
            let near: Vec<Vec<f32>> =
                by_meaning.iter().take(5).map(|(it, _)| snapshot.vector(*it)).collect::<Result<_, _>>()?;
            let mut pairs = Vec::new();
            for (n, a) in near.iter().enumerate() {
                for b in &near[..n] {
                    pairs.push(f64::from(dot(a, b)));
                }
            }
            let back = snapshot.background()?;
            let other: Vec<f64> = near.iter().flat_map(|a| back.iter().map(|b| f64::from(dot(a, b)))).collect();
            let spread = Spread::of(&other);
            coherence = (Spread::of(&pairs).mean - spread.mean) / spread.deviation.max(0.01);
        }
        Ok(Self {
            coverage: coverages.iter().copied().fold(0.0, f64::max),
            score: best_score / whole,
            standout: if best_score > 0.0 { 1.0 - tenth_score / best_score } else { 0.0 },
            unknown: share_of(&terms, |term| !term.is_known) / whole,
            terms: terms.len(),
            meaning,
            agreement: common as f64 / found_by_words.len().min(found_by_meaning.len()).max(1) as f64,
            joint,
            heard_max,
            coherence,
            passages: snapshot.passages(),
            nearest_coverage: nearest.map_or(0.0, |at| coverages[at]),
            is_exact: is_exact(snapshot, plan, &terms, passages.len()),
            is_foreign: is_foreign(snapshot, &plan.query.text, &by_meaning)?,
            asks_words,
        })
    }

    /// Which retrievers it speaks of.
    pub fn ground(&self) -> Ground {
        match (self.asks_words, self.meaning.is_some()) {
            (true, true) => Ground::Both,
            (false, true) => Ground::Meaning,
            (_, false) => Ground::Words,
        }
    }

    /// The numbers that a calibration weighs, by their names. `known` is what cosines with texts that have nothing to do with a query
    /// are like for the model.
    pub fn numbers(&self, ground: Ground, known: Spread) -> Vec<(&'static str, f64)> {
        let length = (1.0 + self.terms as f64).ln();
        let words = [
            ("coverage", self.coverage),
            ("score", self.score.min(3.0)),
            ("standout", self.standout),
            ("unknown", self.unknown),
            ("length", length),
        ];
        let Some(meaning) = self.meaning.as_ref().filter(|_| ground != Ground::Words) else { return words.into() };
        let scale = meaning.scale(known);
        let tenth = meaning.tenth.unwrap_or(scale.mean);
        let nearness = [
            ("cosine", meaning.best),
            ("nearness", (meaning.best - scale.mean) / scale.deviation),
            ("lead", (meaning.best - tenth) / scale.deviation),
            ("nearest_coverage", self.nearest_coverage),
        ];
        if ground == Ground::Meaning {
            return nearness.into_iter().chain([("unknown", self.unknown), ("length", length)]).collect();
        }
        let z = |cosine: f64| ((cosine - scale.mean) / scale.deviation).max(0.0);
        let joint = self.joint.iter().map(|(coverage, cosine)| coverage * z(*cosine)).fold(0.0, f64::max);
        let joint2 = self.joint.iter().map(|(coverage, cosine)| coverage.sqrt() * z(*cosine)).fold(0.0, f64::max);
        let heard = (meaning.of_best_words.unwrap_or(scale.mean) - scale.mean) / scale.deviation;
        words
            .into_iter()
            .chain(nearness)
            .chain([
                ("agreement", self.agreement),
                ("heard", heard),
                ("joint", joint),
                ("joint2", joint2),
                ("heard_max", z(self.heard_max)),
                ("coherence", self.coherence),
                ("size", (2.0 * (self.passages as f64).ln()).sqrt()),
            ])
            .collect()
    }
}

impl Nearness {
    fn of(
        snapshot: &Snapshot,
        vector: &[f32],
        nearest: &[(PassageRef, Place)],
        of_best_words: Option<Place>,
    ) -> Result<Option<Self>, SearchError> {
        let Some((_, best)) = nearest.first() else { return Ok(None) };
        let background = snapshot.background()?;
        let cosines: Vec<f64> = background.iter().map(|other| f64::from(dot(vector, other))).collect();
        Ok(Some(Self {
            best: f64::from(best.score),
            tenth: nearest.get(HEAD - 1).map(|(_, place)| f64::from(place.score)),
            of_best_words: of_best_words.map(|place| f64::from(place.score)),
            background: Spread::of(&cosines),
            sample: cosines.len(),
        }))
    }

    /// Mean and deviation of the background: of the sample, and the fewer it holds the more of what is known of the model.
    fn scale(&self, known: Spread) -> Spread {
        let share = self.sample as f64 / (self.sample as f64 + KNOWN_VECTORS);
        let mix = |own: f64, known: f64| share * own + (1.0 - share) * known;
        let Spread { mean, deviation } = self.background;
        Spread {
            mean: mix(mean, known.mean),
            deviation: mix(deviation.powi(2), known.deviation.powi(2)).sqrt().max(1e-6),
        }
    }

    /// How many deviations the nearest passage is nearer than the background.
    pub fn nearness(&self, known: Spread) -> f64 {
        let scale = self.scale(known);
        (self.best - scale.mean) / scale.deviation
    }
}

impl Spread {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        Self { mean, deviation: variance.sqrt() }
    }
}

/// The first passages of one retriever, best first, whatever rank they have: what was taken out before leaves no gap.
fn head(candidates: &[Candidate], place: impl Fn(&Candidate) -> Option<Place>) -> Vec<(PassageRef, Place)> {
    let mut ranked: Vec<(PassageRef, Place)> =
        candidates.iter().filter_map(|candidate| Some((candidate.passage, place(candidate)?))).collect();
    ranked.sort_by_key(|(_, place)| place.rank);
    ranked.truncate(HEAD);
    ranked
}

fn share_of(terms: &[HeldTerm], counts: impl Fn(&HeldTerm) -> bool) -> f64 {
    terms.iter().filter(|term| counts(term)).map(|term| f64::from(term.idf)).sum()
}

/// Whether what was asked for by its exact form is there.
fn is_exact(snapshot: &Snapshot, plan: &SearchPlan, terms: &[HeldTerm], passages: usize) -> bool {
    if passages == 0 {
        return false;
    }
    // What does not hold a phrase was not recalled.
    if !plan.query.phrases.is_empty() {
        return true;
    }
    let is_number_alone = !plan.query.text.contains(char::is_alphabetic);
    let names = |text: &str| {
        text.contains(|c: char| c.is_ascii_digit() || c == '_' || c == ':') && text.contains(char::is_alphabetic)
    };
    let is_code = |term: &HeldTerm| term.kind == TermKind::Code && (names(&term.text) || is_number_alone);
    if terms.iter().any(|term| is_code(term) && term.held.contains(&true)) {
        return true;
    }
    // Half of the rarity that a term has which no passage holds.
    let rare = (2.0 * snapshot.passages() as f32 + 2.0).ln() / 2.0;
    let rare: Vec<&HeldTerm> = terms.iter().filter(|term| term.idf >= rare).collect();
    !rare.is_empty() && (0..passages).any(|at| rare.iter().all(|term| term.held[at]))
}

/// Whether most of the nearest passages are written in another script than the query.
fn is_foreign(snapshot: &Snapshot, query: &str, nearest: &[(PassageRef, Place)]) -> Result<bool, SearchError> {
    let Some(own) = script_of(query) else { return Ok(false) };
    let looked_at = &nearest[..nearest.len().min(SCRIPTS)];
    let mut others = 0;
    for (passage, _) in looked_at {
        others += usize::from(script_of(&snapshot.passage(*passage)?.chunk.text).is_some_and(|script| script != own));
    }
    Ok(others * 2 > looked_at.len())
}

/// A script, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Writing {
    Unspaced,
    Latin,
    /// Another one, by its block of characters.
    Other(u32),
}

/// What most letters at the beginning of a text are written in.
fn script_of(text: &str) -> Option<Writing> {
    let writing = |letter: char| match u32::from(letter) {
        _ if storage::is_unspaced(letter) => Writing::Unspaced,
        0..0x250 | 0x1E00..0x1F00 => Writing::Latin,
        code => Writing::Other(code >> 8),
    };
    let mut counts = BTreeMap::new();
    text.chars().filter(|c| c.is_alphabetic()).take(LETTERS).for_each(|c| *counts.entry(writing(c)).or_insert(0) += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(writing, _)| writing)
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
