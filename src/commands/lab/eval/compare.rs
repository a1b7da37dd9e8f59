//! `quarry eval --compare A B`: two setups on the same questions, with the chance that the difference is an accident.
//!
//! Setups that embed alike share their index. Where one has a reranker and the other none, the last row sets the
//! reranked order of the one beside the hybrid order of the other: what a user would get of each.

use anyhow::Result;
use lab::evaluation::{Comparison, Trials, compare};
use serde_json::{Map, Value, json};

use super::index::EvalIndex;
use super::runs::{Clock, EvalRun, measure};
use super::setup::{Embedders, Models, Setup};
use super::{Bench, set};
use crate::output::table;

/// The scores of both setups on the questions of one set.
struct Measured {
    name: String,
    queries: usize,
    documents: u64,
    rows: Vec<Row>,
}

/// One way to search: nDCG@10 of every question by either setup.
struct Row {
    name: &'static str,
    pairs: Vec<(f64, f64)>,
}

pub(super) fn run(bench: &Bench, sides: [&String; 2]) -> Result<()> {
    let common = Setup::of(bench.settings, &bench.args.settings)?;
    let setups = [common.with_side(sides[0])?, common.with_side(sides[1])?];
    let first = Models::open(&setups[0])?;
    let (second, embedders) = Models::open_beside(&setups[1], (&setups[0], &first))?;
    let models = [first, second];
    let mut sets = Vec::new();
    for dir in &bench.args.dirs {
        let set = set::open(bench.args, dir)?;
        let runs_of = |index: &EvalIndex, side: usize| {
            let searcher = models[side].searcher(&setups[side].config);
            let has_reranker = models[side].reranker.is_some();
            measure(&index.view, &set.queries, &searcher, has_reranker, Clock::Stopped)
        };
        let index = bench.index(&set, dir, &models[0])?;
        let documents = index.documents;
        let a = runs_of(&index, 0)?;
        let b = match embedders {
            Embedders::Shared => runs_of(&index, 1)?,
            Embedders::Apart => {
                let other = bench.index(&set, dir, &models[1])?;
                let runs = runs_of(&other, 1)?;
                other.remove();
                runs
            }
        };
        index.remove();
        let measured = Measured { name: set.name, queries: set.queries.len(), documents, rows: rows(&a, &b) };
        if !bench.args.json {
            if sets.is_empty() {
                println!("A: {}\nB: {}\n", named(sides[0]), named(sides[1]));
            }
            measured.print();
        }
        sets.push(measured);
    }
    match (bench.args.json, sets.len()) {
        (true, _) => println!("{}", serde_json::to_string_pretty(&as_json(sides, &sets))?),
        (false, 1) => {}
        (false, count) => {
            println!("\nall {count} sets, each counting alike");
            print(&overall(&sets));
        }
    }
    Ok(())
}

/// What a side is called.
fn named(side: &str) -> &str {
    if side.trim().is_empty() { "default" } else { side }
}

/// Every way to search that either setup has; a setup without a reranker stands there with what it answers instead.
fn rows(a: &[EvalRun], b: &[EvalRun]) -> Vec<Row> {
    let longest = if a.len() >= b.len() { a } else { b };
    let row = |index: usize| {
        let of = |runs: &[EvalRun]| runs.get(index).or(runs.last()).map_or(Vec::new(), |run| run.scores.clone());
        Row { name: longest[index].name, pairs: of(a).into_iter().zip(of(b)).collect() }
    };
    (0..longest.len()).map(row).collect()
}

/// Every way to search over all sets.
fn overall(sets: &[Measured]) -> Vec<(&'static str, Comparison)> {
    let names = sets.first().into_iter().flat_map(|set| set.rows.iter().map(|row| row.name));
    let of = |(index, name): (usize, &'static str)| {
        let pairs: Vec<Vec<(f64, f64)>> = sets.iter().map(|set| set.rows[index].pairs.clone()).collect();
        (name, compare(&pairs, Trials::default()))
    };
    names.enumerate().map(of).collect()
}

impl Measured {
    fn compared(&self) -> Vec<(&'static str, Comparison)> {
        let of = |row: &Row| (row.name, compare(std::slice::from_ref(&row.pairs), Trials::default()));
        self.rows.iter().map(of).collect()
    }

    fn print(&self) {
        println!("{}: {} queries, {} documents", self.name, self.queries, self.documents);
        print(&self.compared());
    }

    fn as_json(&self) -> Value {
        json!({
            "dataset": self.name,
            "queries": self.queries,
            "documents": self.documents,
            "legs": runs_as_json(&self.compared()),
        })
    }
}

fn print(rows: &[(&'static str, Comparison)]) {
    let headers = ["nDCG@10", "A", "B", "B - A", "95 % interval", "p", "B better", "equal", "A better"];
    let mut shown = table(&headers);
    for (name, it) in rows {
        shown.add_row([
            name.to_string(),
            format!("{:.4}", it.a),
            format!("{:.4}", it.b),
            format!("{:+.4}", it.difference),
            format!("{:+.4} to {:+.4}", it.interval.0, it.interval.1),
            if it.p < 1e-4 { "< 0.0001".to_string() } else { format!("{:.4}", it.p) },
            it.wins.to_string(),
            it.ties.to_string(),
            it.losses.to_string(),
        ]);
    }
    println!("{shown}");
}

fn runs_as_json(rows: &[(&'static str, Comparison)]) -> Value {
    let run = |it: &Comparison| {
        json!({"ndcg@10": {
            "a": it.a,
            "b": it.b,
            "difference": it.difference,
            "interval_95": [it.interval.0, it.interval.1],
            "p": it.p,
            "wins": it.wins,
            "ties": it.ties,
            "losses": it.losses,
        }})
    };
    Value::Object(rows.iter().map(|(name, it)| (name.to_string(), run(it))).collect::<Map<_, _>>())
}

fn as_json(sides: [&String; 2], sets: &[Measured]) -> Value {
    json!({
        "a": named(sides[0]),
        "b": named(sides[1]),
        "sets": sets.iter().map(Measured::as_json).collect::<Vec<_>>(),
        "all": {"legs": runs_as_json(&overall(sets))},
    })
}
