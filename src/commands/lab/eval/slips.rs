//! `quarry eval --slips N`: what slips of the hand cost, with correction and without, and what correction costs the questions
//! that have none.

use std::path::Path;

use anyhow::Result;
use lab::evaluation::{BeirQuery, BeirSet, Slip, Slipped, mean, ndcg, percentile, slips};
use searcher::{Mode, RerankBudget, SearchRequest, Searcher};
use serde::Serialize;
use storage::View;

use super::Bench;
use super::index::EvalIndex;
use super::runs::{ranking, request};
use super::setup::{Models, Setup};
use crate::output::table;

/// Where the random choices begin.
const SEED: u64 = 14;

/// What slips cost on one set.
#[derive(Serialize)]
struct SlipReport {
    dataset: String,
    slips: Vec<Row>,
    /// Questions with a slip after which it is not even among the first three, though corrected.
    missed: Vec<String>,
    clean: Clean,
}

/// Shares of the slips after which the first result of the question without them stands first, or among the first three.
#[derive(Serialize)]
struct Row {
    slip: &'static str,
    count: usize,
    first_as_typed: f64,
    first_corrected: f64,
    top_3_as_typed: f64,
    top_3_corrected: f64,
}

/// The questions as they are.
#[derive(Serialize)]
struct Clean {
    queries: usize,
    /// Those in which something was corrected.
    corrected: usize,
    #[serde(rename = "ndcg@10_as_typed")]
    ndcg_as_typed: f64,
    #[serde(rename = "ndcg@10_corrected")]
    ndcg_corrected: f64,
    plan_p50_ms_as_typed: f64,
    plan_p50_ms_corrected: f64,
}

pub(super) fn run(bench: &Bench, count: usize) -> Result<()> {
    let setup = Setup::of(bench.settings, &bench.args.settings)?;
    let models = Models::open(&setup)?;
    let searcher = models.searcher(&setup.config);
    let make = |set: &BeirSet, index: &EvalIndex, _: &Path| report(&index.view, &searcher, set, count);
    bench.reports(&models, make, SlipReport::print)
}

/// Whether slips are corrected.
const WAYS: [bool; 2] = [false, true];

fn report(view: &View, searcher: &Searcher, set: &BeirSet, count: usize) -> Result<SlipReport> {
    let ask = |query: &BeirQuery, text: &str, correct| {
        let request = SearchRequest {
            query: text.to_owned(),
            correct,
            rerank: RerankBudget::OFF,
            mode: Mode::Hybrid,
            ..request(query, 10)
        };
        searcher.search(view, &request)
    };
    let texts: Vec<&str> = set.queries.iter().map(|query| query.text.as_str()).collect();
    let mut missed = Vec::new();
    let mut places: Vec<(Slip, [Option<usize>; 2])> = Vec::new();
    for Slipped { of, slip, text } in slips(&texts, count, SEED) {
        let query = &set.queries[of];
        let Some(first) = ranking(&ask(query, &query.text, true)?).into_iter().next() else { continue };
        let mut found = [None; 2];
        for (place, correct) in found.iter_mut().zip(WAYS) {
            *place = ranking(&ask(query, &text, correct)?).iter().position(|path| *path == first);
        }
        if found[1].is_none_or(|place| place >= 3) {
            missed.push(text);
        }
        places.push((slip, found));
    }
    let kinds = Slip::ALL.iter().map(|slip| (slip.name(), Some(*slip))).chain([("all", None)]);
    let rows = kinds.map(|(name, kind)| {
        let of_kind = places.iter().filter(|(slip, _)| kind.is_none_or(|kind| kind == *slip));
        Row::of(name, &of_kind.map(|(_, found)| *found).collect::<Vec<_>>())
    });
    Ok(SlipReport { dataset: set.name.clone(), slips: rows.collect(), missed, clean: clean(set, ask)? })
}

fn clean(
    set: &BeirSet,
    ask: impl Fn(&BeirQuery, &str, bool) -> Result<searcher::Answer, searcher::SearchError>,
) -> Result<Clean> {
    let (mut scores, mut times) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut corrected = 0;
    for query in &set.queries {
        for (way, correct) in WAYS.into_iter().enumerate() {
            let answer = ask(query, &query.text, correct)?;
            scores[way].push(ndcg(&ranking(&answer), &query.grades, 10));
            times[way].push(answer.timings.plan_ms);
            corrected += usize::from(answer.spelling.is_some_and(|spelling| spelling.corrected.is_some()));
        }
    }
    let [ndcg_as_typed, ndcg_corrected] = scores.map(|scores| mean(&scores));
    let [typed, correcting] = times.map(|times| percentile(&times, 50.0).unwrap_or_default());
    Ok(Clean {
        queries: set.queries.len(),
        corrected,
        ndcg_as_typed,
        ndcg_corrected,
        plan_p50_ms_as_typed: typed,
        plan_p50_ms_corrected: correcting,
    })
}

impl Row {
    fn of(slip: &'static str, places: &[[Option<usize>; 2]]) -> Self {
        let share = |way: usize, within: usize| {
            let found =
                |places: &[Option<usize>; 2]| f64::from(u8::from(places[way].is_some_and(|place| place < within)));
            mean(&places.iter().map(found).collect::<Vec<_>>())
        };
        Self {
            slip,
            count: places.len(),
            first_as_typed: share(0, 1),
            first_corrected: share(1, 1),
            top_3_as_typed: share(0, 3),
            top_3_corrected: share(1, 3),
        }
    }
}

impl SlipReport {
    fn print(&self) {
        println!("{}: the first result of the question without the slip, with the slip in it", self.dataset);
        let mut rows =
            table(&["slip", "", "first, as typed", "first, corrected", "top 3, as typed", "top 3, corrected"]);
        for row in &self.slips {
            let shares = [row.first_as_typed, row.first_corrected, row.top_3_as_typed, row.top_3_corrected];
            let shares = shares.map(|share| format!("{:.1} %", share * 100.0));
            rows.add_row([row.slip.to_string(), row.count.to_string()].into_iter().chain(shares));
        }
        println!("{rows}");
        let clean = &self.clean;
        println!(
            "questions as they are: nDCG@10 {:.4} as typed, {:.4} corrected ({} of {}); planned in {:.2} and {:.2} ms",
            clean.ndcg_as_typed,
            clean.ndcg_corrected,
            clean.corrected,
            clean.queries,
            clean.plan_p50_ms_as_typed,
            clean.plan_p50_ms_corrected
        );
    }
}
