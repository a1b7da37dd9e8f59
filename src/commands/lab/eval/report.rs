//! The report on one setup: a table for each set and, of several, the means.

use lab::evaluation::{BeirSet, mean};
use serde_json::{Map, Value, json};

use super::index::EvalIndex;
use super::runs::{Anytime, EvalRun};
use crate::output::table;

/// Everything that was measured on one set.
pub(super) struct SetReport {
    name: String,
    queries: usize,
    documents: u64,
    passages: u64,
    seconds: f64,
    runs: Vec<EvalRun>,
    anytime: Option<Anytime>,
}

impl SetReport {
    pub(super) fn of(set: &BeirSet, index: &EvalIndex, runs: Vec<EvalRun>, anytime: Option<Anytime>) -> Self {
        Self {
            name: set.name.clone(),
            queries: set.queries.len(),
            documents: index.documents,
            passages: index.view.passages(),
            seconds: index.seconds,
            runs,
            anytime,
        }
    }

    pub(super) fn as_json(&self) -> Value {
        let runs: Map<String, Value> = self.runs.iter().map(|run| (run.name.to_string(), json!(run))).collect();
        json!({
            "dataset": self.name,
            "queries": self.queries,
            "documents": self.documents,
            "chunks": self.passages,
            "index_seconds": self.seconds,
            "legs": runs,
            "anytime": self.anytime,
        })
    }

    pub(super) fn print(&self) {
        println!(
            "{}: {} queries, {} documents, {} passages, indexed in {:.1} s",
            self.name, self.queries, self.documents, self.passages, self.seconds
        );
        let mut rows = table(&["", "nDCG@10", "MRR@10", "recall@10", "recall@100", "p50 ms", "p99 ms"]);
        for run in &self.runs {
            let quality = [run.ndcg, run.mrr, run.recall_10, run.recall_100].map(|value| format!("{value:.4}"));
            let speed = [run.p50_ms, run.p99_ms].map(|value| format!("{value:.2}"));
            rows.add_row(std::iter::once(run.name.to_string()).chain(quality).chain(speed));
        }
        println!("{rows}");
        if let Some(Anytime { ndcg, same_documents, same_order, read }) = &self.anytime {
            let [documents, order, read] =
                [same_documents, same_order, read].map(|share| format!("{:.1} %", share * 100.0));
            println!(
                "ending when settled: nDCG@10 {ndcg:.4}, {read} of the candidates read, same ten documents for {documents} of the queries, in the same order for {order}"
            );
        }
    }
}

/// A way to search and its means over the sets, each counting alike.
struct Mean {
    name: &'static str,
    /// nDCG@10, MRR@10, recall@10, recall@100.
    values: [f64; 4],
}

fn means(reports: &[SetReport]) -> Vec<Mean> {
    let names = reports.first().into_iter().flat_map(|report| report.runs.iter().map(|run| run.name));
    let of = |name: &'static str| {
        let runs: Vec<&EvalRun> =
            reports.iter().flat_map(|report| &report.runs).filter(|run| run.name == name).collect();
        let of = |value: fn(&EvalRun) -> f64| mean(&runs.iter().map(|run| value(run)).collect::<Vec<_>>());
        Mean {
            name,
            values: [of(|run| run.ndcg), of(|run| run.mrr), of(|run| run.recall_10), of(|run| run.recall_100)],
        }
    };
    names.map(of).collect()
}

pub(super) fn print_means(reports: &[SetReport]) {
    println!("mean of the {} sets:", reports.len());
    let mut rows = table(&["", "nDCG@10", "MRR@10", "recall@10", "recall@100"]);
    for Mean { name, values } in means(reports) {
        rows.add_row(std::iter::once(name.to_string()).chain(values.map(|value| format!("{value:.4}"))));
    }
    println!("{rows}");
}

pub(super) fn all_as_json(reports: &[SetReport]) -> Value {
    let runs: Map<String, Value> = means(reports)
        .into_iter()
        .map(|Mean { name, values: [ndcg, mrr, recall_10, recall_100] }| {
            let means = json!({"ndcg@10": ndcg, "mrr@10": mrr, "recall@10": recall_10, "recall@100": recall_100});
            (name.to_string(), means)
        })
        .collect();
    json!({"sets": reports.iter().map(SetReport::as_json).collect::<Vec<_>>(), "mean": {"legs": runs}})
}
