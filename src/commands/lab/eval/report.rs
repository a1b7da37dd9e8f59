//! The report on one setup: a table for each set and, of several, the means.

use lab::evaluation::{BeirSet, mean};
use serde_json::{Map, Value, json};

use super::index::EvalIndex;
use super::legs::{Anytime, Leg};
use crate::output::table;

/// Everything that was measured on one set.
pub(super) struct SetReport {
    name: String,
    queries: usize,
    documents: u64,
    passages: u64,
    seconds: f64,
    legs: Vec<Leg>,
    anytime: Option<Anytime>,
}

impl SetReport {
    pub(super) fn of(set: &BeirSet, index: &EvalIndex, legs: Vec<Leg>, anytime: Option<Anytime>) -> Self {
        Self {
            name: set.name.clone(),
            queries: set.queries.len(),
            documents: index.documents,
            passages: index.snapshot.passages(),
            seconds: index.seconds,
            legs,
            anytime,
        }
    }

    pub(super) fn as_json(&self) -> Value {
        let legs: Map<String, Value> = self.legs.iter().map(|leg| (leg.name.to_string(), json!(leg))).collect();
        json!({
            "dataset": self.name,
            "queries": self.queries,
            "documents": self.documents,
            "chunks": self.passages,
            "index_seconds": self.seconds,
            "legs": legs,
            "anytime": self.anytime,
        })
    }

    pub(super) fn print(&self) {
        println!(
            "{}: {} queries, {} documents, {} passages, indexed in {:.1} s",
            self.name, self.queries, self.documents, self.passages, self.seconds
        );
        let mut rows = table(&["", "nDCG@10", "MRR@10", "recall@10", "recall@100", "p50 ms", "p99 ms"]);
        for leg in &self.legs {
            let quality = [leg.ndcg, leg.mrr, leg.recall_10, leg.recall_100].map(|value| format!("{value:.4}"));
            let speed = [leg.p50_ms, leg.p99_ms].map(|value| format!("{value:.2}"));
            rows.add_row(std::iter::once(leg.name.to_string()).chain(quality).chain(speed));
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
    let names = reports.first().into_iter().flat_map(|report| report.legs.iter().map(|leg| leg.name));
    let of = |name: &'static str| {
        let legs: Vec<&Leg> = reports.iter().flat_map(|report| &report.legs).filter(|leg| leg.name == name).collect();
        let of = |value: fn(&Leg) -> f64| mean(&legs.iter().map(|leg| value(leg)).collect::<Vec<_>>());
        Mean {
            name,
            values: [of(|leg| leg.ndcg), of(|leg| leg.mrr), of(|leg| leg.recall_10), of(|leg| leg.recall_100)],
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
    let legs: Map<String, Value> = means(reports)
        .into_iter()
        .map(|Mean { name, values: [ndcg, mrr, recall_10, recall_100] }| {
            let means = json!({"ndcg@10": ndcg, "mrr@10": mrr, "recall@10": recall_10, "recall@100": recall_100});
            (name.to_string(), means)
        })
        .collect();
    json!({"sets": reports.iter().map(SetReport::as_json).collect::<Vec<_>>(), "mean": {"legs": legs}})
}
