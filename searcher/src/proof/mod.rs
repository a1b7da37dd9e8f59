//! Proof: what a writer says is held against the passages that it cites, sentence by sentence.
//!
//! A claim stands if what it cites exists and is quoted as it is, if every figure and name in it is found in what it quotes (or
//! in the question), if it sends nobody anywhere, if it denies what that denies and asserts what that asserts, and if most of its
//! words are found there. This is decided by text alone; whether a claim follows is for a model to say, see [`Support`].

mod claim;
mod figure;
mod name;
mod negation;
mod quote;
mod words;

use std::ops::Range;

use serde::Serialize;
use storage::Block;

pub(crate) use claim::{Claim, Claims, Line};
pub(crate) use quote::visible;

use crate::unit::{Unit, units};

/// A passage as a writer was given it.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    /// What it stands below: title and headings.
    pub(crate) above: String,
    /// The passage.
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

/// Why a sentence of a writer is not shown as true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "flaw", content = "about", rename_all = "snake_case")]
pub enum Flaw {
    /// It cites nothing.
    Uncited,
    /// It cites a passage that it was not given.
    NoSuchPassage(usize),
    /// What it quotes does not stand in the passage.
    Misquoted(String),
    /// A number, amount or date that it names does not stand in what it cites.
    Figure(String),
    /// A name, code or mail address that it names does not stand in what it cites.
    Name(String),
    /// It holds a web address: where to go is for the documents to say, not for a writer.
    Address,
    /// It denies what it cites, or asserts what that denies.
    Negation,
    /// What it says does not follow from what it cites.
    Unsupported,
    /// It is too long for a sentence.
    TooLong,
}

/// How it is decided whether a claim follows from what it cites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// Most of its words have to be found there.
    ByWords,
    /// A model decides afterwards.
    ByModel,
}

/// A part of a passage that proves a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The passage, from 0.
    pub(crate) ground: usize,
    /// Its sentences, items and rows that are quoted, whole.
    pub(crate) units: Vec<Unit>,
}

impl Evidence {
    /// What it says, with the header of a table.
    pub(crate) fn text(&self, grounds: &[Ground]) -> String {
        let text = &grounds[self.ground].text;
        let part = |bytes: &Range<usize>| text.get(bytes.clone()).unwrap_or_default();
        let lines = |unit: &Unit| unit.header.iter().chain([&unit.bytes]).map(part).collect::<Vec<_>>().join("\n");
        self.units.iter().map(lines).collect::<Vec<_>>().join("\n")
    }
}

/// What proves a claim, passage by passage.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn prove(
    claim: &Claim,
    grounds: &[Ground],
    question: &str,
    support: Support,
) -> Result<Vec<Evidence>, Flaw> {
    if claim.is_too_long() {
        return Err(Flaw::TooLong);
    }
    if name::has_address(&claim.text) {
        return Err(Flaw::Address);
    }
    if claim.cited.is_empty() {
        return Err(Flaw::Uncited);
    }
    let mut evidence: Vec<Evidence> = Vec::new();
    for cited in &claim.cited {
        let place = cited.passage.checked_sub(1).filter(|place| *place < grounds.len());
        let ground = place.ok_or(Flaw::NoSuchPassage(cited.passage))?;
        let found = quoted(&grounds[ground], cited.quote.as_deref(), &claim.text)?;
        match evidence.iter_mut().find(|known| known.ground == ground) {
            Some(known) => known.units.extend(found),
            None => evidence.push(Evidence { ground, units: found }),
        }
    }
    for part in &mut evidence {
        part.units.sort_by_key(|unit| unit.bytes.start);
        part.units.dedup();
    }
    let said: String = evidence.iter().map(|part| part.text(grounds) + "\n").collect();
    let above: String = evidence.iter().map(|part| grounds[part.ground].above.clone() + "\n").collect();
    let whole = format!("{above}{said}");
    // Titles are made of file names, too: what they say proves no figure but a year.
    let given = format!("{question}\n{}", figure::years(&above));
    if let Some(figure) = figure::missing(&claim.text, &said, &given) {
        return Err(Flaw::Figure(figure));
    }
    if let Some(name) = name::missing(&claim.text, &whole, question) {
        return Err(Flaw::Name(name));
    }
    if negation::is_negated(&claim.text) != negation::is_negated(&said) {
        return Err(Flaw::Negation);
    }
    if support == Support::ByWords && !words::are_found(&claim.text, &format!("{whole}{question}")) {
        return Err(Flaw::Unsupported);
    }
    Ok(evidence)
}

/// The units of a passage that a quote lies in; without one, the unit that holds most of the claim's words.
fn quoted(ground: &Ground, quote: Option<&str>, claim: &str) -> Result<Vec<Unit>, Flaw> {
    let all = units(&ground.text, &ground.blocks);
    let Some(quote) = quote else {
        let part = |unit: &Unit| words::share(claim, ground.text.get(unit.bytes.clone()).unwrap_or_default());
        let best = all.into_iter().max_by(|a, b| part(a).total_cmp(&part(b)));
        return best.map(|unit| vec![unit]).ok_or(Flaw::Unsupported);
    };
    let ranges = quote::found(quote, &ground.text).ok_or_else(|| Flaw::Misquoted(quote.to_owned()))?;
    let is_in = |unit: &Unit| ranges.iter().any(|range| range.start < unit.bytes.end && unit.bytes.start < range.end);
    let units: Vec<Unit> = all.into_iter().filter(is_in).collect();
    // A heading, code, or words too few to say anything: they prove nothing by themselves.
    if units.is_empty() { Err(Flaw::Unsupported) } else { Ok(units) }
}

#[cfg(test)]
mod tests;
