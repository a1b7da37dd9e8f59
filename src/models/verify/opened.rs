//! A model of either kind, opened, with a set of texts to ask it and a way to compare what it says.

use std::fs;

use anyhow::Result;
use qwen3::{DeviceChoice, Embedder, EmbedderOptions, ModelFiles, Precision, Reranker, RerankerOptions};

use super::Measured;
use crate::cli::ModelKind;

/// Every precision that a model can be opened in.
pub(super) const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];

/// Texts of different lengths, scripts and kinds; "import" is one that 16-bit floats are known to overflow on.
const TEXTS: [&str; 6] = [
    "The capital of China is Beijing.",
    "import numpy as np",
    "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and is \
     responsible for the movement of planets around the sun.",
    "x",
    "重力是两个物体之间相互吸引的力。",
    "ERR_4711 | 409 | clock skew: the newest reading lies more than 300 s in the future",
];
/// A long text is one of the above this many times.
const REPEATS: usize = 12;
const QUERY: &str = "What is the capital of China?";

/// A model ready to compute.
pub(super) enum Opened {
    Embedding(Box<Embedder>),
    Reranker(Box<Reranker>),
}

/// How texts are handed to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Together {
    Batch,
    OneByOne,
}

impl Opened {
    pub(super) fn open(
        files: &ModelFiles,
        kind: ModelKind,
        precision: Precision,
        device: DeviceChoice,
    ) -> Result<Self> {
        match kind {
            ModelKind::Embedding => {
                let options = EmbedderOptions { precision, device, ..EmbedderOptions::default() };
                Ok(Self::Embedding(Box::new(Embedder::open(files, options)?)))
            }
            ModelKind::Reranker => {
                let options = RerankerOptions { precision, device, ..RerankerOptions::default() };
                Ok(Self::Reranker(Box::new(Reranker::open(files, options)?)))
            }
        }
    }

    /// The precision it computes in, which may have been left to the checkpoint.
    pub(super) fn precision(&self) -> Precision {
        match self {
            Self::Embedding(embedder) => embedder.precision(),
            Self::Reranker(reranker) => reranker.precision(),
        }
    }

    /// A vector for each text, or a score as a vector of one.
    pub(super) fn outputs(&self, together: Together) -> Result<Vec<Vec<f32>>> {
        let long = TEXTS[2].repeat(REPEATS);
        let texts: Vec<&str> = TEXTS.into_iter().chain([long.as_str()]).collect();
        match self {
            Self::Embedding(embedder) => {
                let ids = embedder.encoder().documents(&texts)?;
                let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
                match together {
                    Together::Batch => Ok(embedder.embed_ids(&ids)?),
                    Together::OneByOne => {
                        let one = |ids: &&[u32]| -> Result<Vec<f32>> { Ok(embedder.embed_ids(&[ids])?.concat()) };
                        ids.iter().map(one).collect()
                    }
                }
            }
            Self::Reranker(reranker) => match together {
                Together::Batch => Ok(scores(reranker, QUERY, &texts)?.into_iter().map(|score| vec![score]).collect()),
                Together::OneByOne => texts.iter().map(|text| scores(reranker, QUERY, &[text])).collect(),
            },
        }
    }

    /// The largest difference of two answers to the same texts: 1 - cosine of vectors, or of scores their distance.
    pub(super) fn difference(&self, what: &str, a: &[Vec<f32>], b: &[Vec<f32>], tolerance: f64) -> Measured {
        let pairs = a.iter().zip(b);
        let (name, differences): (_, Vec<f64>) = match self {
            Self::Embedding(_) => ("1 - cosine", pairs.map(|(a, b)| 1.0 - dot(a, b)).collect()),
            Self::Reranker(_) => ("difference of scores", pairs.map(|(a, b)| f64::from((a[0] - b[0]).abs())).collect()),
        };
        // Not f64::max, which would overlook a NaN.
        let got = differences.into_iter().fold(0.0, |most: f64, it| if it <= most { most } else { it });
        Measured { what: format!("{what}, largest {name}"), expected: 0.0, got, tolerance }
    }
}

/// Scores of documents in one batch, their shared beginning computed once.
pub(super) fn scores(reranker: &Reranker, query: &str, documents: &[&str]) -> Result<Vec<f32>> {
    let ids = reranker.encoder().prompts(query, None, documents)?;
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let prefix = reranker.shared_prefix(&ids)?;
    Ok(reranker.score_ids(&ids, &prefix)?)
}

/// Cosine of unit vectors.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// How far a precision may be from another one.
pub(super) fn closeness(precision: Precision) -> f64 {
    match precision {
        Precision::Auto | Precision::F32 | Precision::Bf16 => 2e-2,
        Precision::Int8 => 5e-2,
    }
}

/// Whether a model in a precision fits in the memory that is free, with a fifth to spare; where the system does not
/// tell, it is tried.
pub(super) fn fits_in_memory(files: &ModelFiles, precision: Precision) -> Result<bool> {
    let values: usize = files.tensors()?.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    let bytes = values as u64
        * match precision {
            Precision::Auto | Precision::F32 => 4,
            Precision::Bf16 | Precision::Int8 => 2,
        };
    Ok(available_memory().is_none_or(|free| bytes < free / 10 * 8))
}

/// Bytes that Linux says can be taken without swapping.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}
