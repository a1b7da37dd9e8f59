//! `quarry bench models`: speed and memory of the Qwen3 models on this machine. Weights are random: speed does not
//! depend on their values, and nothing has to be downloaded.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use qwen3::{
    Answer, Model, ModelConfig, ModelFiles, Precision, Prefix, ProductProbe, StockModel, embed_ids, register_peak,
    score_ids, stock_forward,
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
    /// Billions of multiplications and additions per second, those of attention included.
    gflops: Option<f64>,
    /// Their share of what the registers of these threads reach.
    of_peak: Option<f64>,
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

/// Products are measured with as many rows as a query and a batch have.
const PRODUCT_ROWS: [usize; 2] = [16, 2048];
const PEAK: &str = "peak";

/// What all rows of one run share.
struct Bench<'b> {
    args: &'b BenchModelsArgs,
    config: ModelConfig,
    threads: usize,
    precision: Precision,
    /// What the registers of one thread reach, in GFLOP/s.
    peak: Option<f64>,
}

pub(crate) fn run(cli: &Cli, args: &BenchModelsArgs) -> Result<ExitCode> {
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("cannot start the threads")?;
    let config = config(args.shape);
    let parsed = ModelConfig::parse(config.as_bytes(), "the shape's config")?;
    let precision = match models::precision(cli.precision) {
        // As the published checkpoints are stored.
        Precision::Auto => Precision::Bf16,
        named => named,
    };
    let bench = Bench { args, config: parsed, threads, precision, peak: register_peak(precision) };
    let mut rows = Vec::new();
    bench.products(&mut rows)?;
    if EMBEDDING.iter().chain([&RERANKING]).any(|load| bench.wants(load.name)) || bench.wants(RERANKING_WHOLE) {
        reset_peak_memory();
        let files = ModelFiles::random(config.as_bytes())?;
        let model = Model::open_on(&files, precision, cli.device.unwrap_or_default())?;
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

    /// The matrices of one block by themselves, and what the registers could do.
    fn products(&self, rows: &mut Vec<Row>) -> Result<()> {
        if let Some(peak) = self.peak.filter(|_| self.wants(PEAK)) {
            let gflops = Some(peak * self.threads as f64);
            let row = Row { gflops, of_peak: Some(1.0), ..self.empty(PEAK) };
            rows.push(row);
        }
        let (hidden, ffn) = (self.config.qwen.hidden_size, self.config.qwen.intermediate_size);
        let qkv = self.config.query_width() + 2 * self.config.key_width();
        for (inputs, outputs) in [(hidden, qkv), (self.config.query_width(), hidden), (hidden, 2 * ffn), (ffn, hidden)]
        {
            for count in PRODUCT_ROWS {
                let name = format!("gemm-{count}x{inputs}x{outputs}");
                if !self.wants(&name) {
                    continue;
                }
                let mut probe = ProductProbe::new(self.precision, count, inputs, outputs);
                // A query's product is short: many at once, so that the clock's steps do not count.
                let repeats = (2048 / count).max(1);
                let timing = time(self.args.runs, || {
                    (0..repeats).for_each(|_| probe.run());
                    Ok(())
                })?;
                let operations = probe.operations() * repeats as f64;
                let mut row = self.empty(&name);
                row.ms = timing.wall * 1e3 / repeats as f64;
                row.cpu_ms = timing.cpu.map(|cpu| cpu * 1e3 / repeats as f64);
                self.rate(&mut row, operations / timing.wall);
                rows.push(row);
            }
        }
        Ok(())
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
        let mut row = Row {
            precision: precision.to_owned(),
            tokens_per_s: Some(tokens / timing.wall),
            ms: timing.wall * 1e3,
            cpu_ms: timing.cpu.map(|cpu| cpu * 1e3),
            peak_rss_mb: peak_memory(),
            ..self.empty(name)
        };
        // With a shared prefix fewer operations are done than the tokens would need: no rate is given.
        if name != RERANKING.name {
            let rate = self.operations(load) / timing.wall;
            self.rate(&mut row, rate);
        }
        row
    }

    /// Multiplications and additions of a pass: the matrices of all blocks, and attention over half of all pairs.
    fn operations(&self, load: &Load) -> f64 {
        let qwen = &self.config.qwen;
        let (queries, keys) = (self.config.query_width(), self.config.key_width());
        let matrices = qwen.hidden_size * (2 * queries + 2 * keys + 3 * qwen.intermediate_size);
        let attention = 2 * queries * load.tokens / 2;
        2.0 * (qwen.num_hidden_layers * (matrices + attention)) as f64 * (load.sequences * load.tokens) as f64
    }

    fn rate(&self, row: &mut Row, operations_per_second: f64) {
        let gflops = operations_per_second / 1e9;
        row.gflops = Some(gflops);
        row.of_peak = self
            .peak
            .filter(|_| row.precision == precision_name(self.precision))
            .map(|peak| gflops / (peak * self.threads as f64));
    }

    fn empty(&self, name: &str) -> Row {
        Row {
            name: name.to_owned(),
            shape: shape_name(self.args.shape),
            precision: precision_name(self.precision).to_owned(),
            threads: self.threads,
            tokens_per_s: None,
            ms: 0.0,
            cpu_ms: None,
            peak_rss_mb: None,
            gflops: None,
            of_peak: None,
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
    let mut lines =
        table(&["row", "shape", "precision", "threads", "tokens/s", "ms", "cpu ms", "peak MiB", "GFLOP/s", "of peak"]);
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
            row.of_peak.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0)),
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
