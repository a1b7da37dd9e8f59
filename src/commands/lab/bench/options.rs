//! The options of `quarry bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(super) subject: BenchSubject,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BenchSubject {
    /// Recall and speed of the vector index on vectors in TEXMEX format.
    Vectors(BenchVectorsArgs),
    /// Speed and memory of the models, with random weights of a model's shape: no download needed.
    Models(BenchModelsArgs),
    /// What permissions cost a search, on an index that is made up.
    Access(BenchAccessArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchAccessArgs {
    /// Passages of the index.
    #[arg(long, default_value_t = 200_000, value_name = "N")]
    pub(super) passages: usize,
    /// Sets of people to whom documents are open.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(super) classes: usize,
    /// Groups that the person is in.
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub(super) groups: usize,
    /// Queries.
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(super) queries: usize,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchModelsArgs {
    /// The model's shape.
    #[arg(long, value_enum, default_value = "0.6b")]
    pub(super) shape: Shape,
    /// Threads to compute with [default: all cores].
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Only rows whose name begins so: query, embed-16x256, embed-64x64, rerank, prefill, decode, gemm, peak.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Runs of each row; the best counts. Rows that take long are run less often.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(super) runs: usize,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Shapes of the Qwen3 embedding and reranking models, and of the bundled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    #[value(name = "0.6b")]
    Small,
    #[value(name = "4b")]
    Medium,
    #[value(name = "8b")]
    Large,
    Nano,
}

impl From<Shape> for lab::bench::Shape {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Small => Self::Small,
            Shape::Medium => Self::Medium,
            Shape::Large => Self::Large,
            Shape::Nano => Self::Nano,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchVectorsArgs {
    /// Folder with base.fvecs, query.fvecs and, for comparison, groundtruth_cosine.ivecs.
    #[arg(long, value_name = "DIR")]
    pub(super) fvecs: PathBuf,
    /// Sizes of the candidate list to measure.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 32, 64, 96, 128, 256])]
    pub(super) ef: Vec<usize>,
    /// Threads for building and searching.
    #[arg(long, default_value_t = 1)]
    pub(super) threads: usize,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}
