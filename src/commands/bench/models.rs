//! `quarry bench models`: speed and memory of the Qwen3 models on this machine. Weights are random: speed does not
//! depend on their values, and nothing has to be downloaded.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use qwen3::{
    Answer, Model, ModelConfig, ModelFiles, Precision, Prefix, StockModel, embed_ids, score_ids, stock_forward,
};
use serde::Serialize;

use super::clock::{Timing, peak_memory, reset_peak_memory, time};
use crate::cli::{BenchModelsArgs, Cli, Shape};
use crate::{models, output::table};

/// Tokens of one forward pass, as the model thread batches them at the most.
const BATCH_TOKENS: usize = 4096;
/// What candidates of one query have in common: instructions and a query of about ten words.
const SHARED_TOKENS: usize = 76;

/// One line of the report.
#[derive(Serialize)]
struct Row {
    name: String,
    shape: &'static str,
    precision: String,
    threads: usize,
    /// Of the whole prompts, cached or not.
    tokens_per_s: Option<f64>,
    /// Wall time of the best run.
    ms: f64,
    /// Processor time of the best run.
    cpu_ms: Option<f64>,
    peak_rss_mb: Option<f64>,
    gflops: Option<f64>,
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
}

/// One batch of sequences to measure with.
struct Load {
    name: &'static str,
    sequences: usize,
    tokens: usize,
}

const EMBEDDING: [Load; 3] = [
    Load { name: "query-1x16", sequences: 1, tokens: 16 },
    Load { name: "embed-16x256", sequences: 16, tokens: 256 },
    Load { name: "embed-64x64", sequences: 64, tokens: 64 },
];
const RERANKING: Load = Load { name: "rerank-100x200", sequences: 100, tokens: 200 };
const RERANKING_WHOLE: &str = "rerank-100x200-without-reuse";
/// Fewer sequences than ours: tokens per second hardly depend on it, and it takes long.
const STOCK: [Load; 2] = [
    Load { name: "candle-query-1x16", sequences: 1, tokens: 16 },
    Load { name: "candle-embed-4x256", sequences: 4, tokens: 256 },
];

/// What all rows of one run share.
struct Bench<'b> {
    args: &'b BenchModelsArgs,
    config: ModelConfig,
    threads: usize,
}

pub(crate) fn run(cli: &Cli, args: &BenchModelsArgs) -> Result<ExitCode> {
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("cannot start the threads")?;
    let config = config(args.shape);
    let parsed = ModelConfig::parse(config.as_bytes(), "the shape's config")?;
    let bench = Bench { args, config: parsed, threads };
    let mut rows = Vec::new();
    if EMBEDDING.iter().chain([&RERANKING]).any(|load| bench.wants(load.name)) || bench.wants(RERANKING_WHOLE) {
        reset_peak_memory();
        let files = ModelFiles::random(config.as_bytes())?;
        let model = Model::open_on(&files, models::precision(cli.precision), cli.device.unwrap_or_default())?;
        bench.embedding(&model, &mut rows)?;
        bench.reranking(&model, &mut rows)?;
    }
    if STOCK.iter().any(|load| bench.wants(load.name)) {
        bench.stock(&mut rows)?;
    }
    if rows.is_empty() {
        bail!("no row is named so; expected the beginning of {}", names().join(", "));
    }
    print(rows, args)?;
    Ok(ExitCode::SUCCESS)
}

impl Bench<'_> {
    fn wants(&self, name: &str) -> bool {
        self.args.only.is_empty() || self.args.only.iter().any(|wanted| name.starts_with(wanted.as_str()))
    }

    fn embedding(&self, model: &Model, rows: &mut Vec<Row>) -> Result<()> {
        for load in EMBEDDING.iter().filter(|load| self.wants(load.name)) {
            let ids = load.ids(0);
            let batch: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
            let timing = time(self.args.runs, || {
                embed_ids(model, &batch, model.hidden_size())?;
                Ok(())
            })?;
            rows.push(self.row(load.name, load, &timing, precision_name(model.precision())));
        }
        Ok(())
    }

    /// All candidates of one query, in batches as the model thread makes them.
    fn reranking(&self, model: &Model, rows: &mut Vec<Row>) -> Result<()> {
        let ids = RERANKING.ids(SHARED_TOKENS);
        let answer = Answer::of(model, 1, 2)?;
        for (name, shared) in [(RERANKING.name, SHARED_TOKENS), (RERANKING_WHOLE, 0)] {
            if !self.wants(name) || (self.args.only.is_empty() && self.is_slow() && shared == 0) {
                continue;
            }
            let at_once = (BATCH_TOKENS / (RERANKING.tokens - shared)).max(1);
            let timing = time(self.args.runs, || {
                let prefix = if shared > 0 { model.prefix(&ids[0][..shared])? } else { Prefix::EMPTY };
                for batch in ids.chunks(at_once) {
                    let batch: Vec<&[u32]> = batch.iter().map(Vec::as_slice).collect();
                    score_ids(model, &answer, &batch, &prefix)?;
                }
                Ok(())
            })?;
            rows.push(self.row(name, &RERANKING, &timing, precision_name(model.precision())));
        }
        Ok(())
    }

    fn stock(&self, rows: &mut Vec<Row>) -> Result<()> {
        if self.is_slow() {
            if self.args.only.is_empty() {
                return Ok(());
            }
            bail!("candle's own model keeps f32 weights: expected --shape 0.6b or nano for these rows");
        }
        reset_peak_memory();
        let stock = StockModel::random(&self.config)?;
        for load in STOCK.iter().filter(|load| self.wants(load.name)) {
            let ids = load.ids(0);
            // Each run needs a model that has seen nothing; making one is not what is measured.
            let mut fresh = (0..=self.args.runs.max(1)).map(|_| stock.fresh()).collect::<Result<Vec<_>, _>>()?;
            let timing = time(self.args.runs, || {
                let mut model = fresh.pop().context("fewer models than runs")?;
                stock_forward(&mut model, &ids)?;
                Ok(())
            })?;
            rows.push(self.row(load.name, load, &timing, "f32"));
        }
        Ok(())
    }

    /// Billions of parameters: rows that would take minutes are left to `--only`.
    fn is_slow(&self) -> bool {
        matches!(self.args.shape, Shape::Medium | Shape::Large)
    }

    fn row(&self, name: &str, load: &Load, timing: &Timing, precision: &str) -> Row {
        let tokens = (load.sequences * load.tokens) as f64;
        Row {
            name: name.to_owned(),
            shape: shape_name(self.args.shape),
            precision: precision.to_owned(),
            threads: self.threads,
            tokens_per_s: Some(tokens / timing.wall),
            ms: timing.wall * 1e3,
            cpu_ms: timing.cpu.map(|cpu| cpu * 1e3),
            peak_rss_mb: peak_memory(),
            gflops: None,
        }
    }
}

impl Load {
    /// Token ids that differ between sequences after the first `shared`.
    fn ids(&self, shared: usize) -> Vec<Vec<u32>> {
        let id = |sequence: usize, token: usize| {
            let seed = if token < shared { token } else { (sequence + 1) * 7919 + token * 31 };
            (seed % 30_000) as u32 + 10
        };
        (0..self.sequences).map(|sequence| (0..self.tokens).map(|token| id(sequence, token)).collect()).collect()
    }
}

fn names() -> Vec<&'static str> {
    let loads = EMBEDDING.iter().chain([&RERANKING]).chain(&STOCK);
    loads.map(|load| load.name).chain([RERANKING_WHOLE, "gemm", "peak"]).collect()
}

fn shape_name(shape: Shape) -> &'static str {
    match shape {
        Shape::Small => "0.6b",
        Shape::Medium => "4b",
        Shape::Large => "8b",
        Shape::Nano => "nano",
    }
}

/// config.json of a shape; the published models' numbers.
fn config(shape: Shape) -> String {
    let (layers, hidden, heads, ffn, tied) = match shape {
        Shape::Small => (28, 1024, 16, 3072, true),
        Shape::Medium => (36, 2560, 32, 9728, true),
        Shape::Large => (36, 4096, 32, 12288, true),
        Shape::Nano => return include_str!("../../../fixtures/models/nano/config.json").to_owned(),
    };
    serde_json::json!({
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 151_669, "hidden_size": hidden,
        "intermediate_size": ffn, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 32_768, "rms_norm_eps": 1e-6,
        "rope_theta": 1e6, "tie_word_embeddings": tied
    })
    .to_string()
}

fn print(rows: Vec<Row>, args: &BenchModelsArgs) -> Result<()> {
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Report { rows })?);
        return Ok(());
    }
    let mut lines = table(&["row", "shape", "precision", "threads", "tokens/s", "ms", "cpu ms", "peak MiB", "GFLOP/s"]);
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
    for row in rows {
        lines.add_row([
            row.name,
            row.shape.to_owned(),
            row.precision,
            row.threads.to_string(),
            number(row.tokens_per_s),
            format!("{:.1}", row.ms),
            row.cpu_ms.map_or_else(String::new, |ms| format!("{ms:.1}")),
            number(row.peak_rss_mb),
            number(row.gflops),
        ]);
    }
    println!("{lines}");
    Ok(())
}

fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::Auto => "auto",
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
        Precision::Int8 => "int8",
    }
}
