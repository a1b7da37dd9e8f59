//! `quarry eval --noise DIR`: what other documents in the same index cost a set of judged questions.

use std::path::Path;

use anyhow::Result;
use lab::evaluation::BeirSet;
use serde::Serialize;

use super::Bench;
use super::index::EvalIndex;
use super::runs::{Clock, EvalRun, measure};
use super::setup::{Models, Setup};
use crate::output::table;

/// One set without the other documents and with them.
#[derive(Serialize)]
struct NoiseReport {
    dataset: String,
    queries: usize,
    /// Documents that answer questions.
    documents: u64,
    /// Documents beside them.
    noise: u64,
    ways: Vec<Way>,
}

/// A way to search.
#[derive(Serialize)]
struct Way {
    name: &'static str,
    alone: EvalRun,
    beside_noise: EvalRun,
}

pub(super) fn run(bench: &Bench) -> Result<()> {
    let setup = Setup::of(bench.settings, &bench.args.settings)?;
    let models = Models::open(&setup)?;
    let make = |set: &BeirSet, clean: &EvalIndex, dir: &Path| {
        let ask = |index: &EvalIndex| {
            let searcher = models.searcher(&setup.config);
            measure(&index.view, &set.queries, &searcher, models.reranker.is_some(), Clock::Stopped)
        };
        let noisy = bench.index_beside(&bench.args.noise, set, dir, &models)?;
        let ways = ask(clean)?.into_iter().zip(ask(&noisy)?);
        let report = NoiseReport {
            dataset: set.name.clone(),
            queries: set.queries.len(),
            documents: clean.documents,
            noise: noisy.documents.saturating_sub(clean.documents),
            ways: ways.map(|(alone, beside_noise)| Way { name: alone.name, alone, beside_noise }).collect(),
        };
        noisy.remove();
        Ok(report)
    };
    bench.reports(&models, make, NoiseReport::print)
}

impl NoiseReport {
    fn print(&self) {
        println!(
            "{}: {} queries, {} documents alone and beside {} others",
            self.dataset, self.queries, self.documents, self.noise
        );
        let mut rows = table(&["", "nDCG@10 alone", "beside", "loss", "MRR@10 alone", "beside"]);
        for Way { name, alone, beside_noise } in &self.ways {
            let loss = format!("{:+.4}", alone.ndcg - beside_noise.ndcg);
            let figures = [alone.ndcg, beside_noise.ndcg].map(|value| format!("{value:.4}"));
            let ranks = [alone.mrr, beside_noise.mrr].map(|value| format!("{value:.4}"));
            rows.add_row(std::iter::once((*name).to_string()).chain(figures).chain([loss]).chain(ranks));
        }
        println!("{rows}");
    }
}
