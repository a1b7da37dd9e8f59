//! A benchmark of permissions: what a search costs somebody who sees some of the documents, beside what it costs who sees
//! all, and how long the first search takes after a permission has changed.
//!
//! The documents are made up: words by Zipf's law, vectors in random directions around the centres of topics. What is
//! measured is the work, not what is found.

use std::path::Path;
use std::time::Instant;

use searcher::{SearchRequest, Searcher};
use serde::Serialize;
use storage::{
    Access, Batch, ChunkDraft, ContentKey, Document, DocumentId, IndexModel, Principal, Principals, Source, Store,
    View, Viewer,
};

use super::vectors::Folder;
use crate::error::{Error, Result};

/// Words that documents are made of.
const VOCABULARY: usize = 30_000;
/// Words of a passage.
const WORDS: usize = 120;
/// Passages of a document.
const PASSAGES: usize = 4;
/// Documents of a commit.
const COMMIT: usize = 2_000;
/// Topics around which vectors lie.
const TOPICS: usize = 200;
/// Changes of a permission, each followed by a search.
const CHANGES: usize = 20;
/// The source of all documents.
const SOURCE: &str = "bench";

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct AccessParams {
    /// Passages of the index.
    pub passages: usize,
    /// Sets of people to whom documents are open.
    pub classes: usize,
    /// Groups that the person is in.
    pub groups: usize,
    /// Queries.
    pub queries: usize,
}

/// What was measured, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct AccessReport {
    /// Passages of the index.
    pub passages: u64,
    /// Passages that the person sees.
    pub visible: u64,
    /// A hybrid search by who sees everything, median.
    pub whole_p50_ms: f64,
    /// The same by the person.
    pub person_p50_ms: f64,
    /// What the person's costs, where the other costs 1.
    pub ratio: f64,
    /// The 95th of a hundred of both.
    pub whole_p95_ms: f64,
    /// The same by the person.
    pub person_p95_ms: f64,
    /// A change of one document's permission until it is committed, median.
    pub change_p50_ms: f64,
    /// The person's first search after it, with making their view; median, and the slowest.
    pub first_p50_ms: f64,
    /// The slowest.
    pub first_max_ms: f64,
}

/// Makes an index in a folder, which is removed afterwards, and measures searches of it. `searcher` has the model that the index is said to be made with.
///
/// # Errors
/// The index cannot be made or searched.
pub fn measure_access(
    dir: &Path,
    model: &IndexModel,
    searcher: &Searcher,
    params: AccessParams,
) -> Result<AccessReport> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let folder = Folder::create(dir)?;
    let mut store = filled(folder.0, model, params, &mut dice)?;
    let viewer = Viewer::person(Principals::of(groups_of(params, &mut dice)?));
    let queries: Vec<String> = (0..params.queries.max(1)).map(|number| words(&mut dice, 2 + number % 5)).collect();
    let ask = |view: &View, query: &str| {
        let request = SearchRequest { query: query.to_owned(), ..SearchRequest::default() };
        let started = Instant::now();
        searcher.search(view, &request).map_err(|error| Error::Measuring(error.to_string()))?;
        Ok::<f64, Error>(started.elapsed().as_secs_f64() * 1e3)
    };
    let snapshot = store.snapshot();
    let (everything, person) = (snapshot.whole()?, snapshot.view(&viewer)?);
    let (mut whole, mut own) = (Vec::new(), Vec::new());
    // What is made once for a view is made, and the model has seen each query.
    for query in &queries {
        ask(&everything, query)?;
        ask(&person, query)?;
    }
    for query in &queries {
        whole.push(ask(&everything, query)?);
        own.push(ask(&person, query)?);
    }
    let (mut changes, mut firsts) = (Vec::new(), Vec::new());
    for number in 0..CHANGES {
        let mut batch = Batch::default();
        let access = if number % 2 == 0 { Access::nobody() } else { Access::parse(&["group:g0"]).map_err(told)? };
        batch.set_access(DocumentId::of(SOURCE, &path(number / 2)), Some(access));
        let started = Instant::now();
        store.commit(batch)?;
        changes.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        let view = store.snapshot().view(&viewer)?;
        ask(&view, &queries[number % queries.len()])?;
        firsts.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let (whole, own, changes, firsts) = (sorted(whole), sorted(own), sorted(changes), sorted(firsts));
    Ok(AccessReport {
        passages: everything.passages(),
        visible: person.passages(),
        whole_p50_ms: at(&whole, 0.5),
        person_p50_ms: at(&own, 0.5),
        ratio: at(&own, 0.5) / at(&whole, 0.5),
        whole_p95_ms: at(&whole, 0.95),
        person_p95_ms: at(&own, 0.95),
        change_p50_ms: at(&changes, 0.5),
        first_p50_ms: at(&firsts, 0.5),
        first_max_ms: at(&firsts, 1.0),
    })
}

fn filled(folder: &Path, model: &IndexModel, params: AccessParams, dice: &mut Dice) -> Result<Store> {
    let mut store = Store::open(folder, model)?;
    store.add_source(Source { name: SOURCE.to_owned(), root: folder.join("documents-of-the-benchmark") })?;
    let topics: Vec<Vec<f32>> = (0..TOPICS).map(|_| direction(dice, model.dimension)).collect();
    let documents = params.passages.div_ceil(PASSAGES);
    let mut batch = Batch::default();
    for number in 0..documents {
        let topic = &topics[dice.below(TOPICS)];
        let chunks = (0..PASSAGES).map(|place| passage(dice, number * PASSAGES + place, topic)).collect();
        batch.put(document(number), chunks);
        batch.set_access(DocumentId::of(SOURCE, &path(number)), Some(class(number % params.classes.max(1), params)?));
        if batch.documents() == COMMIT || number + 1 == documents {
            store.commit(std::mem::take(&mut batch))?;
        }
    }
    Ok(store)
}

/// A class is open to two groups, so that groups and classes overlap as they do in a company.
fn class(number: usize, params: AccessParams) -> Result<Access> {
    let groups = params.classes.max(1);
    let other = (number * 7 + 1) % groups;
    Access::parse(&[format!("group:g{number}"), format!("group:g{other}")]).map_err(told)
}

fn groups_of(params: AccessParams, dice: &mut Dice) -> Result<Vec<Principal>> {
    let group = |number: usize| format!("group:g{number}").parse::<Principal>();
    let groups = (0..params.groups).map(|_| group(dice.below(params.classes.max(1))));
    groups.collect::<std::result::Result<_, _>>().map_err(|error| Error::Measuring(error.to_string()))
}

fn told(error: impl std::fmt::Display) -> Error {
    Error::Measuring(error.to_string())
}

fn path(number: usize) -> String {
    format!("{}/{number}.md", number % 100)
}

fn document(number: usize) -> Document {
    Document {
        source: SOURCE.to_owned(),
        path: path(number),
        title: format!("Document {number}"),
        kind: "markdown".to_owned(),
        language: Some("en".to_owned()),
        modified: number as i64,
        bytes: 1,
        metadata: Default::default(),
        fingerprint: None,
    }
}

fn passage(dice: &mut Dice, number: usize, topic: &[f32]) -> ChunkDraft {
    let text = format!("{} n{number}", words(dice, WORDS));
    let noise = direction(dice, topic.len());
    let mut vector: Vec<f32> = topic.iter().zip(noise).map(|(topic, noise)| topic + noise).collect();
    unit(&mut vector);
    ChunkDraft {
        headings: Vec::new(),
        span: 0..text.len() as u64,
        lines: 1..2,
        place: None,
        blocks: Vec::new(),
        key: ContentKey::of(&[], &text),
        text,
        vector: Some(vector),
    }
}

/// Words by Zipf's law: the rank is the exponential of a uniform number.
fn words(dice: &mut Dice, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let rank = ((VOCABULARY as f64).ln() * dice.unit()).exp() as usize;
        if !text.is_empty() {
            text.push(' ');
        }
        let mut left = rank * 2_654_435_761 % 11_881_376;
        for _ in 0..5 {
            text.push(char::from(b'a' + (left % 26) as u8));
            left /= 26;
        }
    }
    text
}

fn direction(dice: &mut Dice, dimension: usize) -> Vec<f32> {
    let mut vector: Vec<f32> = (0..dimension).map(|_| (dice.unit() + dice.unit() + dice.unit() - 1.5) as f32).collect();
    unit(&mut vector);
    vector
}

fn unit(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|value| *value /= length);
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}

fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

/// The same numbers in each run (xorshift; Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
