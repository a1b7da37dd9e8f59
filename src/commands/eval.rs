//! `quarry eval`: the quality and latency of every leg on judged questions.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indexer::{IndexOptions, Indexer, RunReport, TextDocument};
use qwen3::EmbedHandle;
use searcher::{
    Answer, BeirOptions, BeirQuery, BeirSet, Copies, Fusion, MAX_RESULTS, Mode, Rerank, SearchConfig, SearchRequest,
    Searcher, Syntax, mean, ndcg, percentile, recall, reciprocal_rank,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use storage::{Filter, IndexModel, Snapshot, Source, Store};

use crate::cli::{Cli, EvalArgs};
use crate::config::FileConfig;
use crate::output::{Progress, table};
use crate::{models, paths};

/// Name of the source that an evaluation corpus is indexed under.
const SOURCE: &str = "eval";
/// Documents asked for: the deepest cut-off that is measured.
const DEPTH: usize = 100;

/// One way to search, with its figures.
#[derive(Serialize)]
struct Leg {
    #[serde(skip)]
    name: &'static str,
    #[serde(rename = "ndcg@10")]
    ndcg: f64,
    #[serde(rename = "mrr@10")]
    mrr: f64,
    #[serde(rename = "recall@10")]
    recall_10: f64,
    #[serde(rename = "recall@100")]
    recall_100: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Milliseconds per stage: median and 99th percentile.
    stages: Value,
}

pub(crate) fn run(cli: &Cli, args: &EvalArgs, file: &FileConfig) -> Result<ExitCode> {
    let options = BeirOptions { queries: args.queries.clone(), qrels: args.qrels.clone(), language: args.lang.clone() };
    let set = BeirSet::open(&args.dir, &options)?;
    let (embedder, model) = models::embedder(cli)?;
    let reranker = models::reranker(cli)?;
    let index = EvalIndex::build(cli, args, &set, &embedder, &model, file)?;
    let config = configured(&args.settings)?;
    let searcher = Searcher::new(embedder.clone(), reranker.clone(), config.clone());
    let legs = measure(&index.snapshot, &set.queries, &searcher, reranker.is_some())?;
    let whole = Searcher::new(embedder.clone(), reranker.clone(), SearchConfig { settle: 0.0, ..config });
    let anytime = reranker.map(|_| anytime(&index.snapshot, &set.queries, [&searcher, &whole])).transpose()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&set, &index, &legs, anytime.as_ref()))?);
    } else {
        print(&set, &index, &legs, anytime.as_ref());
    }
    index.remove();
    Ok(ExitCode::SUCCESS)
}

/// The default settings with the given ones in their place.
fn configured(settings: &[String]) -> Result<SearchConfig> {
    let mut config = SearchConfig::default();
    for setting in settings {
        let (name, value) = setting.split_once('=').with_context(|| format!("expected NAME=VALUE, got {setting:?}"))?;
        let number = || value.parse::<f64>().with_context(|| format!("{name}: expected a number, got {value:?}"));
        match name {
            "vector-weight" => config.vector_weight = number()?,
            "rrf-constant" => config.fusion = Fusion::ReciprocalRank { constant: number()? },
            "fusion" if value == "convex" => config.fusion = Fusion::Convex,
            "fusion" if value == "rrf" => config.fusion = Fusion::default(),
            "cosine-floor" => config.cosine_floor = number()? as f32,
            "depth" => config.depth = number()? as usize,
            "passage-decay" => config.passage_decay = number()?,
            "rerank-weight" => config.rerank_weight = number()?,
            "settle" => config.settle = number()?,
            "rerank-depth" => config.rerank_depth = number()? as usize,
            "body" => config.lexical.body = number()? as f32,
            "title" => config.lexical.title = number()? as f32,
            "headings" => config.lexical.headings = number()? as f32,
            "pairs" => config.lexical.pairs = number()? as f32,
            "characters" => config.lexical.characters = number()? as f32,
            "codes" => config.lexical.codes = number()? as f32,
            _ => bail!("{setting:?} is no search setting; `quarry eval --help` lists them"),
        }
    }
    Ok(config)
}

/// The corpus, indexed in a temporary folder unless the user named one.
struct EvalIndex {
    snapshot: std::sync::Arc<Snapshot>,
    documents: u64,
    seconds: f64,
    temporary: Option<PathBuf>,
}

impl EvalIndex {
    fn build(
        cli: &Cli,
        args: &EvalArgs,
        set: &BeirSet,
        embedder: &EmbedHandle,
        model: &IndexModel,
        file: &FileConfig,
    ) -> Result<Self> {
        let temporary = cli
            .data_dir
            .is_none()
            .then(|| std::env::temp_dir().join(format!("quarry-eval-{}-{}", set.name, std::process::id())));
        let folder = cli.data_dir.clone().or_else(|| temporary.clone()).context("no folder for the index")?;
        let mut store = Store::open(&folder, model)?;
        let started = Instant::now();
        if store.last_run(SOURCE)?.is_some() && args.docs.is_none() {
            eprintln!("{}: the index in {} is complete and used as it is", set.name, folder.display());
        } else {
            let report = fill(&mut store, args, set, embedder, file.extract.start()?.options())?;
            eprintln!("{}: {} documents read", set.name, report.indexed);
        }
        let seconds = started.elapsed().as_secs_f64();
        let documents = store.statistics()?.documents;
        let snapshot = store.snapshot();
        store.close()?;
        Ok(Self { snapshot, documents, seconds, temporary })
    }

    fn remove(self) {
        let Some(folder) = self.temporary else { return };
        drop(self.snapshot);
        // A leftover in the system's temporary folder is no reason to fail after a measurement.
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn fill(
    store: &mut Store,
    args: &EvalArgs,
    set: &BeirSet,
    embedder: &EmbedHandle,
    options: IndexOptions,
) -> Result<RunReport> {
    let progress = Progress::new(&set.name);
    let cancel = AtomicBool::new(false);
    let mut indexer = Indexer::new(store, embedder, options, &progress, &cancel);
    let report = match &args.docs {
        Some(docs) => {
            let source = Source { name: SOURCE.to_string(), root: paths::source_root(docs)? };
            indexer.index_source(&source)?
        }
        None => {
            let source = Source { name: SOURCE.to_string(), root: absolute(&args.dir)? };
            let mut failed = None;
            let texts = set.corpus()?.map_while(|document| match document {
                Ok(document) => Some(TextDocument {
                    path: document.id,
                    title: (!document.title.trim().is_empty()).then_some(document.title),
                    language: None,
                    text: document.text,
                }),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            });
            let report = indexer.index_texts(&source, texts)?;
            if let Some(error) = failed {
                return Err(error.into());
            }
            report
        }
    };
    progress.finish();
    Ok(report)
}

fn absolute(folder: &Path) -> Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))
}

fn measure(snapshot: &Snapshot, queries: &[BeirQuery], searcher: &Searcher, has_reranker: bool) -> Result<Vec<Leg>> {
    let mut legs = vec![
        leg("bm25", snapshot, queries, searcher, Mode::Lexical, Rerank::Off)?,
        leg("vector", snapshot, queries, searcher, Mode::Semantic, Rerank::Off)?,
        leg("hybrid", snapshot, queries, searcher, Mode::Hybrid, Rerank::Off)?,
    ];
    if has_reranker {
        // A page as deep as this one is only settled once everything was read.
        legs.push(leg("hybrid+rerank", snapshot, queries, searcher, Mode::Hybrid, Rerank::Configured)?);
    }
    Ok(legs)
}

/// What ending early costs and saves, on pages of ten, against reading every candidate.
#[derive(Serialize)]
struct Anytime {
    #[serde(rename = "ndcg@10")]
    ndcg: f64,
    /// Share of the queries with the same ten documents, in any order.
    same_documents: f64,
    /// Share of the queries with the same ten documents in the same order.
    same_order: f64,
    /// Share of the candidates that were read.
    read: f64,
}

/// Compares a searcher that ends early with one that reads every candidate, on the same candidates.
fn anytime(snapshot: &Snapshot, queries: &[BeirQuery], searchers: [&Searcher; 2]) -> Result<Anytime> {
    let (mut scores, mut documents, mut orders, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for query in queries {
        let request = SearchRequest {
            query: query.text.clone(),
            syntax: Syntax::Plain,
            top: 10,
            copies: Copies::Apart,
            ..SearchRequest::default()
        };
        let [early, full] = searchers.map(|searcher| searcher.search(snapshot, &request));
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

fn leg(
    name: &'static str,
    snapshot: &Snapshot,
    queries: &[BeirQuery],
    searcher: &Searcher,
    mode: Mode,
    rerank: Rerank,
) -> Result<Leg> {
    let mut scores: [Vec<f64>; 4] = Default::default();
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        let ask = |top| {
            let request = SearchRequest {
                query: query.text.clone(),
                syntax: Syntax::Plain,
                top,
                mode,
                rerank,
                filter: Filter::default(),
                // Judgements are of documents, whether or not others say the same.
                copies: Copies::Apart,
                ..SearchRequest::default()
            };
            searcher.search(snapshot, &request)
        };
        let ranking = ranking(&ask(DEPTH.min(MAX_RESULTS))?);
        scores[0].push(ndcg(&ranking, &query.grades, 10));
        scores[1].push(reciprocal_rank(&ranking, &query.grades, 10));
        scores[2].push(recall(&ranking, &query.grades, 10));
        scores[3].push(recall(&ranking, &query.grades, DEPTH));
        // Latency is that of a page of ten, as a user asks for it.
        if rerank == Rerank::Off {
            answers.push(ask(10)?);
        }
    }
    let totals: Vec<f64> = answers.iter().map(|answer| answer.timings.total_ms).collect();
    Ok(Leg {
        name,
        ndcg: mean(&scores[0]),
        mrr: mean(&scores[1]),
        recall_10: mean(&scores[2]),
        recall_100: mean(&scores[3]),
        p50_ms: percentile(&totals, 50.0).unwrap_or_default(),
        p99_ms: percentile(&totals, 99.0).unwrap_or_default(),
        stages: stages(&answers),
    })
}

/// The paths of the answer, each once.
fn ranking(answer: &Answer) -> Vec<String> {
    let mut seen = HashSet::new();
    answer.results.iter().map(|hit| hit.path.clone()).filter(|path| seen.insert(path.clone())).collect()
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

fn as_json(set: &BeirSet, index: &EvalIndex, legs: &[Leg], anytime: Option<&Anytime>) -> Value {
    let legs: Map<String, Value> = legs.iter().map(|leg| (leg.name.to_string(), json!(leg))).collect();
    json!({
        "dataset": set.name,
        "queries": set.queries.len(),
        "documents": index.documents,
        "chunks": index.snapshot.passages(),
        "index_seconds": index.seconds,
        "legs": legs,
        "anytime": anytime,
    })
}

fn print(set: &BeirSet, index: &EvalIndex, legs: &[Leg], anytime: Option<&Anytime>) {
    println!(
        "{}: {} queries, {} documents, {} passages, indexed in {:.1} s",
        set.name,
        set.queries.len(),
        index.documents,
        index.snapshot.passages(),
        index.seconds
    );
    let mut rows = table(&["", "nDCG@10", "MRR@10", "recall@10", "recall@100", "p50 ms", "p99 ms"]);
    for leg in legs {
        let quality = [leg.ndcg, leg.mrr, leg.recall_10, leg.recall_100].map(|value| format!("{value:.4}"));
        let speed = [leg.p50_ms, leg.p99_ms].map(|value| format!("{value:.2}"));
        rows.add_row(std::iter::once(leg.name.to_string()).chain(quality).chain(speed));
    }
    println!("{rows}");
    if let Some(Anytime { ndcg, same_documents, same_order, read }) = anytime {
        let [documents, order, read] =
            [same_documents, same_order, read].map(|share| format!("{:.1} %", share * 100.0));
        println!(
            "ending when settled: nDCG@10 {ndcg:.4}, {read} of the candidates read, same ten documents for {documents} of the queries, in the same order for {order}"
        );
    }
}
