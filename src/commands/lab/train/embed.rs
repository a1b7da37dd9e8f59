//! `quarry train embed`: adapt an embedding model to examples.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use lab::train::{EmbeddingOptions, EmbeddingTask, ListLoss, Network, Parameters, TextKind, write_model};
use qwen3::{Embedder, EmbedderOptions};
use serde_json::json;

use super::options::{DataArgs, RunArgs, ScopeArgs, check_out, digest};
use crate::interrupt::INTERRUPTED;
use crate::models;
use crate::settings::Settings;

/// Learning rate for whole weights, and for low-rank differences.
const RATES: [f64; 2] = [1e-5, 1e-4];
/// Most tokens that a teacher is given at a time.
const TEACHER_TOKENS: usize = 4096;

#[derive(Debug, Clone, Args)]
pub(super) struct EmbedArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Similarities are divided by this.
    #[arg(long, default_value_t = 0.05, value_name = "T")]
    temperature: f64,
    /// A negative more similar than the positive by this much is taken for a false one.
    #[arg(long, default_value_t = 0.1, value_name = "COSINE")]
    margin: f64,
    /// Most hard negatives of an example.
    #[arg(long, default_value_t = 7, value_name = "N")]
    negatives: usize,
    /// Texts are cut to this many tokens.
    #[arg(long, default_value_t = 512, value_name = "N")]
    max_tokens: usize,
    /// Learn also for vectors cut to these widths, as `--dimension` cuts them.
    #[arg(long, value_name = "WIDTH", value_delimiter = ',')]
    widths: Vec<usize>,
    /// How much the contrastive loss counts.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT")]
    contrast: f64,
    /// Learn lists from the "scores" of the examples.
    #[arg(long, value_enum, value_name = "LOSS")]
    lists: Option<Lists>,
    /// How much the lists count.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT", requires = "lists")]
    lists_weight: f64,
    /// Learn the vectors of this model too; it must give as many values.
    #[arg(long, value_name = "MODEL")]
    teacher: Option<PathBuf>,
    /// How much the teacher's vectors count.
    #[arg(long, default_value_t = 1.0, value_name = "WEIGHT", requires = "teacher")]
    teacher_weight: f64,
    /// Most tokens computed at a time.
    #[arg(long, default_value_t = 8192, value_name = "N")]
    part_tokens: usize,
    /// Batches of more tokens are computed twice instead of kept (GradCache).
    #[arg(long, default_value_t = 65_536, value_name = "N")]
    kept_tokens: usize,
}

/// How lists are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Lists {
    /// Kullback-Leibler divergence from the teacher's distribution.
    Kl,
    /// Squared difference of margins.
    MarginMse,
}

impl Lists {
    pub(super) fn loss(self, temperature: f64) -> ListLoss {
        match self {
            Self::Kl => ListLoss::Kl(temperature),
            Self::MarginMse => ListLoss::MarginMse,
        }
    }
}

impl EmbedArgs {
    fn options(&self) -> EmbeddingOptions {
        EmbeddingOptions {
            temperature: self.temperature,
            margin: self.margin,
            negatives: self.negatives,
            max_tokens: self.max_tokens,
            widths: self.widths.clone(),
            contrast: self.contrast,
            lists: self.lists.map(|lists| (lists.loss(self.temperature), self.lists_weight)),
            teacher: self.teacher_weight,
            part_tokens: self.part_tokens,
            kept_tokens: self.kept_tokens,
        }
    }
}

pub(super) fn run(settings: &Settings, args: &EmbedArgs) -> Result<ExitCode> {
    check_out(&args.run.out)?;
    let (training, held_out) = args.data.read()?;
    eprintln!("{} examples to learn from, {} held out", training.len(), held_out.len());
    let located = models::embedding_model(settings)?;
    let files = models::files(&located)?;
    let scope = args.scope.scope();
    let parameters = Parameters::open(&files, &scope, args.run.seed, settings.device.unwrap_or_default())?;
    let network = Network::new(&parameters, args.scope.network());
    let options = args.options();
    let teacher = args.teacher.as_deref().map(|teacher| open_teacher(settings, teacher)).transpose()?;
    let teach = teacher.as_ref().map(|teacher| |texts: &[&str], kind: TextKind| teach(teacher, texts, kind));
    let given = teach.as_ref().map(|teach| teach as lab::train::Teacher<'_>);
    let task = EmbeddingTask::new(&files, &network, &training, &held_out, given, options.clone())?;
    let settings = json!({
        "model": files.fingerprint()?, "data": digest(&training, &held_out)?, "scope": format!("{scope:?}"), "embedding": options,
        "network": format!("{:?}", args.scope.network()), "teacher": args.teacher,
    });
    let rate = RATES[usize::from(matches!(scope, lab::train::Scope::Lora(_)))];
    let Some(record) = args.run.run(&task, &args.run.options(training.len(), rate), &settings)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    write_model(&args.run.out, &files, &parameters.merged()?, args.run.format.into())?;
    args.run.finish(&record)?;
    Ok(ExitCode::SUCCESS)
}

/// A model whose vectors are learned.
pub(super) fn open_teacher(settings: &Settings, teacher: &Path) -> Result<Embedder> {
    let located = models::locate(settings, teacher)?;
    let options = EmbedderOptions {
        device: settings.device.unwrap_or_default(),
        precision: models::precision(settings.precision),
        ..EmbedderOptions::default()
    };
    Embedder::open(&models::files(&located)?, options)
        .with_context(|| format!("cannot use the teacher {}", located.name))
}

/// A teacher's vectors of texts, in order; texts of similar length are computed together.
pub(super) fn teach(teacher: &Embedder, texts: &[&str], kind: TextKind) -> qwen3::Result<Vec<Vec<f32>>> {
    let encoder = teacher.encoder();
    let sequences = match kind {
        TextKind::Document => encoder.documents(texts)?,
        TextKind::Query => texts.iter().map(|text| encoder.query(text, None)).collect::<qwen3::Result<_>>()?,
    };
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|at| sequences[*at].len());
    let mut vectors = vec![Vec::new(); texts.len()];
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let longest = |count: usize| sequences[rest[count - 1]].len();
        let count = (1..=rest.len()).take_while(|count| count * longest(*count) <= TEACHER_TOKENS).last().unwrap_or(1);
        let (batch, after) = rest.split_at(count);
        let ids: Vec<&[u32]> = batch.iter().map(|at| sequences[*at].as_slice()).collect();
        for (at, vector) in batch.iter().zip(teacher.embed_ids(&ids)?) {
            vectors[*at] = vector;
        }
        rest = after;
    }
    Ok(vectors)
}
