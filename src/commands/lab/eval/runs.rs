//! The measurement of every way to search on the questions of a set.

use std::collections::HashSet;

use anyhow::Result;
use lab::evaluation::{BeirQuery, mean, ndcg, percentile, recall, reciprocal_rank};
use searcher::{Answer, Copies, DocumentHit, MAX_RESULTS, Mode, RerankBudget, SearchRequest, Searcher, Syntax};
use serde::Serialize;
use serde_json::{Map, Value, json};
use storage::View;

use super::{DEPTH, SOURCE};

/// Whether latency is measured, which takes a second search for every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    Running,
    Stopped,
}

/// One way to search, with its figures.
#[derive(Serialize)]
pub(super) struct EvalRun {
    #[serde(skip)]
    pub(super) name: &'static str,
    #[serde(rename = "ndcg@10")]
    pub(super) ndcg: f64,
    #[serde(rename = "mrr@10")]
    pub(super) mrr: f64,
    #[serde(rename = "recall@10")]
    pub(super) recall_10: f64,
    #[serde(rename = "recall@100")]
    pub(super) recall_100: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Milliseconds per stage: median and 99th percentile.
    stages: Value,
    /// nDCG@10 of every question.
    #[serde(skip)]
    pub(super) scores: Vec<f64>,
}

pub(super) fn measure(
    view: &View,
    queries: &[BeirQuery],
    searcher: &Searcher,
    has_reranker: bool,
    clock: Clock,
) -> Result<Vec<EvalRun>> {
    let one = |name, mode, rerank| run(name, view, queries, searcher, (mode, rerank), clock);
    let mut runs = vec![
        one("bm25", Mode::Lexical, RerankBudget::OFF)?,
        one("vector", Mode::Semantic, RerankBudget::OFF)?,
        one("hybrid", Mode::Hybrid, RerankBudget::OFF)?,
    ];
    if has_reranker {
        // A page as deep as this one is only settled once everything was read.
        runs.push(one("hybrid+rerank", Mode::Hybrid, RerankBudget::default())?);
    }
    Ok(runs)
}

fn run(
    name: &'static str,
    view: &View,
    queries: &[BeirQuery],
    searcher: &Searcher,
    (mode, rerank): (Mode, RerankBudget),
    clock: Clock,
) -> Result<EvalRun> {
    let mut scores: [Vec<f64>; 4] = Default::default();
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        let ask = |top| searcher.search(view, &SearchRequest { mode, rerank, ..request(query, top) });
        let ranking = ranking(&ask(DEPTH.min(MAX_RESULTS))?);
        scores[0].push(ndcg(&ranking, &query.grades, 10));
        scores[1].push(reciprocal_rank(&ranking, &query.grades, 10));
        scores[2].push(recall(&ranking, &query.grades, 10));
        scores[3].push(recall(&ranking, &query.grades, DEPTH));
        // Latency is that of a page of ten, as a user asks for it.
        if rerank.is_off() && clock == Clock::Running {
            answers.push(ask(10)?);
        }
    }
    let totals: Vec<f64> = answers.iter().map(|answer| answer.timings.total_ms).collect();
    let [ndcg, mrr, recall_10, recall_100] = [0, 1, 2, 3].map(|measure| mean(&scores[measure]));
    Ok(EvalRun {
        name,
        ndcg,
        mrr,
        recall_10,
        recall_100,
        p50_ms: percentile(&totals, 50.0).unwrap_or_default(),
        p99_ms: percentile(&totals, 99.0).unwrap_or_default(),
        stages: stages(&answers),
        scores: std::mem::take(&mut scores[0]),
    })
}

/// A judged question as a search. Judgements are of documents, whether or not others say the same.
pub(super) fn request(query: &BeirQuery, top: usize) -> SearchRequest {
    SearchRequest {
        query: query.text.clone(),
        syntax: Syntax::Plain,
        top,
        copies: Copies::Apart,
        ..SearchRequest::default()
    }
}

/// The paths of the answer, each once.
pub(super) fn ranking(answer: &Answer) -> Vec<String> {
    let mut seen = HashSet::new();
    // What is beside the documents of the set has no judgement, whatever its path.
    let name = |hit: &DocumentHit| match hit.source == SOURCE {
        true => hit.path.clone(),
        false => format!("{}:{}", hit.source, hit.path),
    };
    answer.results.iter().map(name).filter(|path| seen.insert(path.clone())).collect()
}

fn stages(answers: &[Answer]) -> Value {
    let mut stages = Map::new();
    let timings = [
        ("lexical", answers.iter().map(|answer| answer.timings.lexical_ms).collect::<Vec<_>>()),
        ("embed", answers.iter().map(|answer| answer.timings.embed_ms).collect()),
        ("vector", answers.iter().map(|answer| answer.timings.vector_ms).collect()),
        ("fuse", answers.iter().map(|answer| answer.timings.fuse_ms).collect()),
        ("rerank", answers.iter().map(|answer| answer.timings.rerank_ms).collect()),
        ("highlight", answers.iter().map(|answer| answer.timings.highlight_ms).collect()),
    ];
    for (name, values) in timings {
        let entry = json!({"p50_ms": percentile(&values, 50.0), "p99_ms": percentile(&values, 99.0)});
        stages.insert(name.to_string(), entry);
    }
    Value::Object(stages)
}

/// What ending early costs and saves, on pages of ten, against reading every candidate.
#[derive(Serialize)]
pub(super) struct Anytime {
    #[serde(rename = "ndcg@10")]
    pub(super) ndcg: f64,
    /// Share of the queries with the same ten documents, in any order.
    pub(super) same_documents: f64,
    /// Share of the queries with the same ten documents in the same order.
    pub(super) same_order: f64,
    /// Share of the candidates that were read.
    pub(super) read: f64,
}

/// Compares a searcher that ends early with one that reads every candidate, on the same candidates.
pub(super) fn anytime(view: &View, queries: &[BeirQuery], searchers: [&Searcher; 2]) -> Result<Anytime> {
    let (mut scores, mut documents, mut orders, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for query in queries {
        let request = request(query, 10);
        let [early, full] = searchers.map(|searcher| searcher.search(view, &request));
        let early = early?;
        let (page, whole) = (ranking(&early), ranking(&full?));
        let (ours, theirs): (HashSet<&String>, HashSet<&String>) = (page.iter().collect(), whole.iter().collect());
        scores.push(ndcg(&page, &query.grades, 10));
        documents.push(f64::from(u8::from(ours == theirs)));
        orders.push(f64::from(u8::from(page == whole)));
        read.push(early.reranked as f64 / early.rerank_depth.max(1) as f64);
    }
    Ok(Anytime { ndcg: mean(&scores), same_documents: mean(&documents), same_order: mean(&orders), read: mean(&read) })
}
