//! Evidence that something in the index answers a query: a few numbers that do not depend on the page asked for.
//!
//! Looked at are the best ten passages of each retriever. Of words: how much of the query one passage holds, each word by
//! its rarity, and how far the best match stands out. Of meaning: how much nearer the nearest passage is than passages that
//! have nothing to do with the query (a sample of the index). Of both: whether they found the same.

use qwen3::EmbedHandle;
use storage::{HeldTerm, PassageRef, TermKind, View};

use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::fuse::Place;
use crate::nearness::{HEAD, Nearness, Spread};
use crate::plan::SearchPlan;
use crate::request::Mode;
use crate::writing::Writing;

/// Scores and fertilities above this say no more.
const MOST_SCORE: f64 = 3.0;
const MOST_FERTILITY: f64 = 1.0;
/// Passages whose script is looked at.
const SCRIPTS: usize = 3;

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
    /// Whether the lexical retriever was asked.
    asks_words: bool,
    /// The largest share of the query that one passage holds, each word counted by its rarity; 0 to 1.
    coverage: f64,
    /// The best score by BM25, over the rarity of all words together.
    score: f64,
    /// How far that stands out from the tenth: 0 not at all, 1 there is no tenth.
    standout: f64,
    /// The share of the query that no passage of the index holds, by rarity.
    unknown: f64,
    /// Terms of the query.
    terms: usize,
    /// What meaning says; `None` where vectors had no say.
    meaning: Option<Nearness>,
    /// The share of the query that the nearest passage holds.
    nearest_coverage: f64,
    /// The share of the documents at the head of one retriever that are at the head of the other.
    agreement: f64,
    /// Tokens of the model per character: a text that it has to spell out is none that it has learnt.
    fertility: f64,
    /// Whether the query is written with spaces between words.
    is_spaced: bool,
    /// Whether what was asked for by its exact form is there: a quoted phrase, a code, or every rare word in one passage.
    is_exact: bool,
    /// Whether the nearest passages are written in another script than the query: what words say is void then.
    is_foreign: bool,
}

impl Evidence {
    /// What the candidates of a plan say; `plan` has its vector.
    ///
    /// # Errors
    /// The index is damaged, or the model cannot read the query.
    pub(crate) fn of(
        view: &View,
        embedder: &EmbedHandle,
        plan: &SearchPlan,
        candidates: &[Candidate],
    ) -> Result<Self, SearchError> {
        let by_words = head(candidates, |candidate| candidate.lexical);
        let by_meaning = head(candidates, |candidate| candidate.vector);
        let mut passages: Vec<PassageRef> = by_words.iter().chain(&by_meaning).map(|(passage, _)| *passage).collect();
        passages.sort_unstable();
        passages.dedup();
        let terms = meant(view.holdings(&plan.terms, &passages)?);
        let whole = rarity(&terms, |_| true).max(f64::MIN_POSITIVE);
        let coverages: Vec<f64> = (0..passages.len()).map(|at| rarity(&terms, |term| term.held[at]) / whole).collect();
        let nearest = by_meaning.first().and_then(|(passage, _)| passages.binary_search(passage).ok());
        let best_score = by_words.first().map_or(0.0, |(_, place)| f64::from(place.score));
        let tenth_score = by_words.get(HEAD - 1).map_or(0.0, |(_, place)| f64::from(place.score));
        let text = &plan.text;
        let writing = Writing::of(text);
        Ok(Self {
            asks_words: plan.request.mode != Mode::Semantic,
            coverage: coverages.iter().copied().fold(0.0, f64::max),
            score: best_score / whole,
            standout: if best_score > 0.0 { 1.0 - tenth_score / best_score } else { 0.0 },
            unknown: rarity(&terms, |term| !term.is_known) / whole,
            terms: terms.len(),
            meaning: Nearness::of(view, plan.vector.as_deref(), &by_meaning, &by_words, candidates)?,
            nearest_coverage: nearest.map_or(0.0, |at| coverages[at]),
            agreement: agreement(view, &by_words, &by_meaning)?,
            fertility: f64::from(embedder.ruler().fertility(text)?),
            is_spaced: writing != Some(Writing::Unspaced),
            is_exact: is_exact(view, plan, &terms, passages.len()),
            is_foreign: is_foreign(view, writing, &by_meaning)?,
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

    /// The numbers that a calibration weighs, by their names. `known` is what cosines with texts that have nothing to do
    /// with a query are like for the model.
    pub fn numbers(&self, ground: Ground, known: Spread) -> Vec<(&'static str, f64)> {
        let shared = [("unknown", self.unknown), ("length", (1.0 + self.terms as f64).ln())];
        let words = [("coverage", self.coverage), ("standout", self.standout)];
        let Some(meaning) = self.meaning.as_ref().filter(|_| ground != Ground::Words) else {
            return shared.into_iter().chain(words).chain([("score", self.score.min(MOST_SCORE))]).collect();
        };
        let nearness = [
            ("cosine", meaning.best()),
            ("lead", meaning.lead(known)),
            ("nearest_coverage", self.nearest_coverage),
            ("pieces", if self.is_spaced { self.fertility.min(MOST_FERTILITY) } else { 0.0 }),
            ("unspaced", f64::from(u8::from(!self.is_spaced))),
        ];
        let numbers = shared.into_iter().chain(nearness);
        if ground == Ground::Meaning {
            return numbers.collect();
        }
        let heard = meaning.best_by_words().map_or(0.0, |cosine| meaning.above(cosine, known).max(0.0));
        numbers.chain(words).chain([("agreement", self.agreement), ("heard", heard)]).collect()
    }

    /// What meaning says; `None` where vectors had no say.
    pub fn meaning(&self) -> Option<&Nearness> {
        self.meaning.as_ref()
    }

    /// Tokens of the model per character of a query that is written with spaces.
    pub fn fertility(&self) -> Option<f64> {
        self.is_spaced.then_some(self.fertility)
    }

    /// Whether what was asked for by its exact form is there: a quoted phrase, a code, or every rare word in one passage.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Whether the nearest passages are written in another script than the query: what words say is void then.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Whether no passage of the index holds any word of the query.
    pub fn is_unknown(&self) -> bool {
        self.unknown >= 1.0
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

/// The terms of a query, each in one spelling: as it was typed where the index holds that, else as the parts of a name or
/// joined with its neighbours. A code that is not held says no more than its words.
fn meant(terms: Vec<HeldTerm>) -> Vec<HeldTerm> {
    let (spellings, mut typed): (Vec<HeldTerm>, Vec<HeldTerm>) = terms.into_iter().partition(|term| term.is_spelling);
    let known: Vec<&HeldTerm> = spellings.iter().filter(|term| term.is_known).collect();
    typed.retain(|term| term.is_known || term.kind != TermKind::Code);
    for term in typed.iter_mut().filter(|term| !term.is_known) {
        let joined = known.iter().find(|spelling| spelling.text.contains(without_zeros(&term.text)));
        let parts: Vec<&HeldTerm> =
            known.iter().copied().filter(|spelling| term.text.contains(&spelling.text)).collect();
        let stand_in = joined.map_or(parts, |joined| vec![joined]);
        if !stand_in.is_empty() {
            term.is_known = true;
            term.idf = stand_in.iter().map(|part| part.idf).fold(0.0, f32::max);
            for (at, held) in term.held.iter_mut().enumerate() {
                *held = stand_in.iter().all(|part| part.held[at]);
            }
        }
    }
    typed
}

/// Digits without the zeros in front, as telephone numbers are compared.
fn without_zeros(text: &str) -> &str {
    let digits = text.trim_start_matches('0');
    if digits.is_empty() { text } else { digits }
}

/// The rarity of these terms together.
fn rarity(terms: &[HeldTerm], counts: impl Fn(&HeldTerm) -> bool) -> f64 {
    terms.iter().filter(|term| counts(term)).map(|term| f64::from(term.idf)).sum()
}

/// The share of the documents in the shorter head that are in the other one too.
fn agreement(
    view: &View,
    by_words: &[(PassageRef, Place)],
    by_meaning: &[(PassageRef, Place)],
) -> Result<f64, SearchError> {
    let documents = |head: &[(PassageRef, Place)]| -> Result<Vec<u64>, SearchError> {
        let mut documents = head.iter().map(|(it, _)| view.group(*it)).collect::<Result<Vec<u64>, _>>()?;
        documents.sort_unstable();
        documents.dedup();
        Ok(documents)
    };
    let (words, meaning) = (documents(by_words)?, documents(by_meaning)?);
    let common = words.iter().filter(|document| meaning.binary_search(document).is_ok()).count();
    Ok(common as f64 / words.len().min(meaning.len()).max(1) as f64)
}

/// Whether what was asked for by its exact form is there.
fn is_exact(view: &View, plan: &SearchPlan, terms: &[HeldTerm], passages: usize) -> bool {
    if passages == 0 {
        return false;
    }
    // What does not hold a phrase was not recalled.
    if !plan.query.phrases.is_empty() {
        return true;
    }
    let is_number_alone = !plan.query.text.contains(char::is_alphabetic);
    let names = |text: &str| {
        text.contains(char::is_alphabetic) && text.contains(|c: char| c.is_ascii_digit() || c == '_' || c == ':')
    };
    let is_code = |term: &HeldTerm| term.kind == TermKind::Code && (names(&term.text) || is_number_alone);
    if terms.iter().any(|term| is_code(term) && term.held.contains(&true)) {
        return true;
    }
    // Half of the rarity that a term has which no passage holds.
    let rare = (2.0 * view.passages() as f32 + 2.0).ln() / 2.0;
    let rare: Vec<&HeldTerm> = terms.iter().filter(|term| term.idf >= rare).collect();
    !rare.is_empty() && (0..passages).any(|at| rare.iter().all(|term| term.held[at]))
}

/// Whether most of the nearest passages are written in another script than the query.
fn is_foreign(view: &View, own: Option<Writing>, nearest: &[(PassageRef, Place)]) -> Result<bool, SearchError> {
    let Some(own) = own else { return Ok(false) };
    let looked_at = &nearest[..nearest.len().min(SCRIPTS)];
    let mut others = 0;
    for (passage, _) in looked_at {
        let writing = Writing::of(&view.passage(*passage)?.chunk.text);
        others += usize::from(writing.is_some_and(|writing| writing != own));
    }
    Ok(others * 2 > looked_at.len())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Good evidence by words alone.
    pub(crate) fn of_words() -> Evidence {
        Evidence {
            asks_words: true,
            coverage: 0.9,
            score: 1.1,
            standout: 0.5,
            unknown: 0.0,
            terms: 3,
            meaning: None,
            nearest_coverage: 0.0,
            agreement: 0.0,
            fertility: 0.25,
            is_spaced: true,
            is_exact: false,
            is_foreign: false,
        }
    }

    /// No word of the query is known.
    pub(crate) fn of_nothing() -> Evidence {
        Evidence { coverage: 0.0, score: 0.0, standout: 0.0, unknown: 1.0, fertility: 0.7, ..of_words() }
    }

    /// With a code that is there.
    pub(crate) fn with_code(evidence: Evidence) -> Evidence {
        Evidence { is_exact: true, ..evidence }
    }

    /// With vectors that had a say.
    pub(crate) fn with_meaning(evidence: Evidence, best: f64) -> Evidence {
        Evidence { meaning: Some(Nearness::sample(best)), ..evidence }
    }

    #[test]
    fn the_ground_follows_from_who_was_asked() {
        assert_eq!(of_words().ground(), Ground::Words);
        assert_eq!(with_meaning(of_words(), 0.5).ground(), Ground::Both);
        assert_eq!(Evidence { asks_words: false, ..with_meaning(of_words(), 0.5) }.ground(), Ground::Meaning);
    }

    #[test]
    fn what_meaning_says_is_no_part_of_the_numbers_of_words() {
        let known = Spread { mean: 0.1, deviation: 0.1 };
        let all = with_meaning(of_words(), 0.5);
        assert_eq!(all.numbers(Ground::Words, known), of_words().numbers(Ground::Words, known));
        assert!(all.numbers(Ground::Both, known).len() > all.numbers(Ground::Meaning, known).len());
    }
}
