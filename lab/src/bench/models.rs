//! The speed and memory of the models, with random weights of a model's shape: the speed does not depend on their values,
//! and nothing has to be downloaded.

use qwen3::{
    Answer, DeviceChoice, Model, ModelConfig, ModelFiles, Precision, Prefix, ProductProbe, embed_ids, register_peak,
    score_ids,
};
use serde::Serialize;

use super::clock::{Timing, peak_memory, reset_peak_memory, time};
use super::writing;
use crate::error::{Error, Result};

/// Tokens of one forward pass, as the model thread batches them at the most.
const BATCH_TOKENS: usize = 4096;
/// What candidates of one query have in common: instructions and a query of about ten words.
const SHARED_TOKENS: usize = 76;

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
pub struct ModelRow {
    /// What was measured.
    pub name: String,
    /// The model's shape.
    pub shape: &'static str,
    /// The precision it was measured in.
    pub precision: String,
    /// Threads that computed.
    pub threads: usize,
    /// Of the whole prompts, cached or not.
    pub tokens_per_s: Option<f64>,
    /// Wall time of the best run.
    pub ms: f64,
    /// Processor time of the best run.
    pub cpu_ms: Option<f64>,
    /// Peak of resident memory in MiB.
    pub peak_rss_mb: Option<f64>,
    /// Billions of multiplications and additions per second, those of attention included.
    pub gflops: Option<f64>,
    /// Their share of what the registers of these threads reach.
    pub of_peak: Option<f64>,
}

/// Shapes of the Qwen3 embedding and reranking models, and of the bundled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 0.6B parameters.
    Small,
    /// 4B parameters.
    Medium,
    /// 8B parameters.
    Large,
    /// The model in the binary.
    Nano,
}

/// What is measured, and on what.
#[derive(Debug, Clone)]
pub struct ModelBench {
    /// The model's shape.
    pub shape: Shape,
    /// Threads to compute with; all cores by default.
    pub threads: Option<usize>,
    /// Only rows whose name begins so; all of them where this is empty.
    pub only: Vec<String>,
    /// Runs of each row; the best counts. Rows that take long are run less often.
    pub runs: usize,
    /// [`Precision::Auto`] is bf16, as the published checkpoints are stored.
    pub precision: Precision,
    /// The processor.
    pub device: DeviceChoice,
}

/// One batch of sequences to measure with.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) sequences: usize,
    pub(super) tokens: usize,
}

const EMBEDDING: [Load; 3] = [
    Load { name: "query-1x16", sequences: 1, tokens: 16 },
    Load { name: "embed-16x256", sequences: 16, tokens: 256 },
    Load { name: "embed-64x64", sequences: 64, tokens: 64 },
];
const RERANKING: Load = Load { name: "rerank-100x200", sequences: 100, tokens: 200 };
const RERANKING_WHOLE: &str = "rerank-100x200-without-reuse";
/// Products are measured with as many rows as a query and a batch have.
const PRODUCT_ROWS: [usize; 2] = [16, 2048];
const PEAK: &str = "peak";

/// What all rows of one run share.
pub(super) struct Run<'b> {
    pub(super) bench: &'b ModelBench,
    config: ModelConfig,
    threads: usize,
    pub(super) precision: Precision,
    /// What the registers of one thread reach, in GFLOP/s.
    peak: Option<f64>,
}

impl ModelBench {
    /// Measures; rayon's pool gets the wanted number of threads, which holds for the process.
    ///
    /// # Errors
    /// [`Error::Measuring`] where no row is named so, or rayon's pool is made already; [`Error::Model`].
    pub fn run(&self) -> Result<Vec<ModelRow>> {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or_else(all).max(1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|reason| Error::Measuring(format!("cannot start {threads} threads: {reason}")))?;
        let config = config(self.shape);
        let parsed = ModelConfig::parse(config.as_bytes(), "the shape's config")?;
        let precision = match self.precision {
            // As the published checkpoints are stored.
            Precision::Auto => Precision::Bf16,
            named => named,
        };
        let run = Run { bench: self, config: parsed, threads, precision, peak: register_peak(precision) };
        let mut rows = Vec::new();
        run.products(&mut rows)?;
        if EMBEDDING.iter().chain([&RERANKING]).any(|load| run.wants(load.name)) || run.wants(RERANKING_WHOLE) {
            reset_peak_memory();
            let files = ModelFiles::random(config.as_bytes())?;
            let model = Model::open_on(&files, precision, self.device)?;
            run.embedding(&model, &mut rows)?;
            run.reranking(&model, &mut rows)?;
        }
        run.writing(&config, &mut rows)?;
        if rows.is_empty() {
            let names = names().join(", ");
            return Err(Error::Measuring(format!("no row is named so; expected the beginning of {names}")));
        }
        Ok(rows)
    }
}

impl Run<'_> {
    pub(super) fn wants(&self, name: &str) -> bool {
        self.bench.only.is_empty() || self.bench.only.iter().any(|wanted| name.starts_with(wanted.as_str()))
    }

    /// The matrices of one block by themselves, and what the registers could do.
    fn products(&self, rows: &mut Vec<ModelRow>) -> Result<()> {
        if let Some(peak) = self.peak.filter(|_| self.wants(PEAK)) {
            let gflops = Some(peak * self.threads as f64);
            let row = ModelRow { gflops, of_peak: Some(1.0), ..self.empty(PEAK) };
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
                let timing = time(self.bench.runs, || {
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

    fn embedding(&self, model: &Model, rows: &mut Vec<ModelRow>) -> Result<()> {
        for load in EMBEDDING.iter().filter(|load| self.wants(load.name)) {
            let ids = load.ids(0);
            let batch: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
            let timing = time(self.bench.runs, || {
                embed_ids(model, &batch, model.hidden_size())?;
                Ok(())
            })?;
            rows.push(self.row(load.name, load, &timing, precision_name(model.precision())));
        }
        Ok(())
    }

    /// All candidates of one query, in batches as the model thread makes them.
    fn reranking(&self, model: &Model, rows: &mut Vec<ModelRow>) -> Result<()> {
        let ids = RERANKING.ids(SHARED_TOKENS);
        let answer = Answer::of(model, 1, 2)?;
        for (name, shared) in [(RERANKING.name, SHARED_TOKENS), (RERANKING_WHOLE, 0)] {
            if !self.wants(name) || (self.bench.only.is_empty() && self.is_slow() && shared == 0) {
                continue;
            }
            let at_once = (BATCH_TOKENS / (RERANKING.tokens - shared)).max(1);
            let timing = time(self.bench.runs, || {
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

    /// Billions of parameters: rows that would take minutes are left to `--only`.
    fn is_slow(&self) -> bool {
        matches!(self.bench.shape, Shape::Medium | Shape::Large)
    }

    pub(super) fn row(&self, name: &str, load: &Load, timing: &Timing, precision: &str) -> ModelRow {
        let tokens = (load.sequences * load.tokens) as f64;
        let mut row = ModelRow {
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

    fn rate(&self, row: &mut ModelRow, operations_per_second: f64) {
        let gflops = operations_per_second / 1e9;
        row.gflops = Some(gflops);
        row.of_peak = self
            .peak
            .filter(|_| row.precision == precision_name(self.precision))
            .map(|peak| gflops / (peak * self.threads as f64));
    }

    pub(super) fn precision_name(&self) -> &'static str {
        precision_name(self.precision)
    }

    fn empty(&self, name: &str) -> ModelRow {
        ModelRow {
            name: name.to_owned(),
            shape: shape_name(self.bench.shape),
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
    pub(super) fn ids(&self, shared: usize) -> Vec<Vec<u32>> {
        let id = |sequence: usize, token: usize| {
            let seed = if token < shared { token } else { (sequence + 1) * 7919 + token * 31 };
            (seed % 30_000) as u32 + 10
        };
        (0..self.sequences).map(|sequence| (0..self.tokens).map(|token| id(sequence, token)).collect()).collect()
    }
}

fn names() -> Vec<&'static str> {
    let loads = EMBEDDING.iter().chain([&RERANKING]);
    loads.map(|load| load.name).chain([RERANKING_WHOLE, "gemm", "peak"]).chain(writing::names()).collect()
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

fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::Auto => "auto",
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
        Precision::Int8 => "int8",
    }
}
