//! Results that the makers of the models published, to compare with on this machine.
//!
//! Similarity matrices and the pair of scores: the model cards of Qwen3-Embedding and Qwen3-Reranker, and one other
//! runtime's values where it published some (each value may be near either). Those of the bundled model are its own,
//! computed in f32 by the reference path.

use anyhow::Result;
use qwen3::{Embedder, Precision, Reranker};

use super::opened::{Opened, dot, scores};
use super::{Check, Measured, Subject, config};
use crate::cli::ModelKind;
use crate::models::Place;

const QUERIES: [&str; 2] = ["What is the capital of China?", "Explain gravity"];
const DOCUMENTS: [&str; 2] = [
    "The capital of China is Beijing.",
    "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and is \
     responsible for the movement of planets around the sun.",
];
/// Asked with the first query as a bare text, without an instruction.
const BARE_DOCUMENTS: [&str; 2] = [
    "The capital of China is Beijing. Beijing is the political and cultural center of China.",
    "The Great Wall of China is one of the most famous landmarks in the world, stretching over 13,000 miles.",
];

/// Cosines of queries (rows) and documents.
type Matrix = [[f64; 2]; 2];

/// What is known of a model.
struct Golden {
    name: &'static str,
    /// Published matrices: a value fits that is near one of them.
    matrices: &'static [Matrix],
    bare: Option<[f64; 2]>,
}

const NANO: Golden = Golden { name: "nano", matrices: &[[[0.7693, 0.0506], [-0.0503, 0.4016]]], bare: None };
const SMALL: Golden = Golden {
    name: "Qwen3-Embedding-0.6B",
    matrices: &[[[0.7646, 0.1414], [0.1355, 0.6000]], [[0.7620, 0.1408], [0.1358, 0.6014]]],
    bare: Some([0.754, 0.540]),
};
const MEDIUM: Golden =
    Golden { name: "Qwen3-Embedding-4B", matrices: &[[[0.7534, 0.1147], [0.0320, 0.6258]]], bare: None };
const LARGE: Golden =
    Golden { name: "Qwen3-Embedding-8B", matrices: &[[[0.7493, 0.0751], [0.0880, 0.6318]]], bare: None };

/// Scores of a document that answers the query and of one that does not, with a tolerance of their own.
const SMALL_SCORES: [f64; 2] = [0.9995, 1.2e-5];
/// Of the larger rerankers none are published: they must be sure of these plain cases.
const SURE: [f64; 2] = [1.0, 0.0];
const SURE_TOLERANCE: f64 = 0.1;

/// The sizes of the family, told by width and layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Nano,
    Small,
    Medium,
    Large,
}

/// Compares the model with what is published of it.
pub(super) fn check(subject: &Subject<'_>, opened: &Opened) -> Result<Check> {
    let Some(size) = recognised(subject) else {
        return Ok(Check::skipped("golden", "no model of the family by its shape: nothing is published of it"));
    };
    let quantised = matches!(&subject.located.place, Place::Path(path) if path.is_file());
    let tolerance = match subject.precision {
        Precision::Int8 => 5e-2,
        Precision::F32 if !quantised => 2e-3,
        Precision::Auto | Precision::F32 | Precision::Bf16 => 1e-2,
    };
    match opened {
        Opened::Embedding(embedder) => {
            let golden = match size {
                Size::Nano => NANO,
                Size::Small => SMALL,
                Size::Medium => MEDIUM,
                Size::Large => LARGE,
            };
            Ok(advised(golden.name, similarities(embedder, &golden, tolerance)?))
        }
        Opened::Reranker(_) if size == Size::Nano => {
            Ok(Check::skipped("golden", "no reranker of the family by its shape: nothing is published of it"))
        }
        Opened::Reranker(reranker) => {
            let (name, expected, tolerance) = match size {
                Size::Small => ("Qwen3-Reranker-0.6B", SMALL_SCORES, tolerance),
                _ => ("no published scores: sure of plain cases", SURE, SURE_TOLERANCE),
            };
            Ok(advised(name, pair(reranker, expected, tolerance)?))
        }
    }
}

/// A failed comparison has two reasons that look alike.
fn advised(name: &str, values: Vec<Measured>) -> Check {
    let off = values.iter().any(|value| !value.fits());
    let advice = if off { "; for a fine-tuned model these do not hold: --skip golden" } else { "" };
    Check::of("golden", format!("{name}{advice}"), values)
}

fn similarities(embedder: &Embedder, golden: &Golden, tolerance: f64) -> Result<Vec<Measured>> {
    let documents = vectors(embedder, embedder.encoder().documents(&DOCUMENTS)?)?;
    let queries: qwen3::Result<Vec<Vec<u32>>> =
        QUERIES.iter().map(|query| embedder.encoder().query(query, None)).collect();
    let queries = vectors(embedder, queries?)?;
    let mut values = Vec::new();
    for (row, query) in queries.iter().enumerate() {
        for (column, document) in documents.iter().enumerate() {
            let got = dot(query, document);
            let expected = nearest(got, golden.matrices.iter().map(|matrix| matrix[row][column]));
            values.push(Measured {
                what: format!("cosine of query {} and document {}", row + 1, column + 1),
                expected,
                got,
                tolerance,
            });
        }
    }
    if let Some(bare) = golden.bare {
        let documents = vectors(embedder, embedder.encoder().documents(&BARE_DOCUMENTS)?)?;
        let query = vectors(embedder, embedder.encoder().documents(&QUERIES[..1])?)?.concat();
        for (number, (document, expected)) in documents.iter().zip(bare).enumerate() {
            let what = format!("cosine of the bare query and document {}", number + 3);
            // Published with three digits only.
            values.push(Measured { what, expected, got: dot(&query, document), tolerance: tolerance + 5e-4 });
        }
    }
    Ok(values)
}

fn pair(reranker: &Reranker, expected: [f64; 2], tolerance: f64) -> Result<Vec<Measured>> {
    let got = scores(reranker, QUERIES[0], &DOCUMENTS)?;
    let names = ["score of the document that answers", "score of the other document"];
    let values = names.into_iter().zip(expected).zip(got);
    Ok(values
        .map(|((what, expected), got)| Measured { what: what.to_string(), expected, got: f64::from(got), tolerance })
        .collect())
}

fn vectors(embedder: &Embedder, ids: Vec<Vec<u32>>) -> Result<Vec<Vec<f32>>> {
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    Ok(embedder.embed_ids(&ids)?)
}

fn nearest(got: f64, published: impl Iterator<Item = f64>) -> f64 {
    published.min_by(|a, b| (a - got).abs().total_cmp(&(b - got).abs())).unwrap_or(f64::NAN)
}

/// Which model of the family this is: by its shape, a GGUF file by its name.
fn recognised(subject: &Subject<'_>) -> Option<Size> {
    let path = match &subject.located.place {
        Place::Bundled => return Some(Size::Nano),
        Place::Path(path) => path,
    };
    if path.is_file() {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let family = if subject.kind == ModelKind::Embedding { "qwen3-embedding-" } else { "qwen3-reranker-" };
        let rest = &name[name.find(family)? + family.len()..];
        let sizes = [("0.6b", Size::Small), ("4b", Size::Medium), ("8b", Size::Large)];
        return sizes.into_iter().find(|(text, _)| rest.starts_with(text)).map(|(_, size)| size);
    }
    let config = config(path);
    let number = |field: &str| config[field].as_u64();
    match (number("hidden_size")?, number("num_hidden_layers")?, number("vocab_size")?) {
        (384, 1, 52_000) => Some(Size::Nano),
        (1024, 28, _) => Some(Size::Small),
        (2560, 36, _) => Some(Size::Medium),
        (4096, 36, _) => Some(Size::Large),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_published_value_counts() {
        let published = || SMALL.matrices.iter().map(|matrix| matrix[0][0]);
        assert_eq!(nearest(0.7615, published()), 0.7620);
        assert_eq!(nearest(0.7700, published()), 0.7646);
        let far = Measured { what: String::new(), expected: 0.7646, got: 0.77, tolerance: 2e-3 };
        let nan = Measured { what: String::new(), expected: 0.7646, got: f64::NAN, tolerance: 1.0 };
        assert!(!far.fits() && !nan.fits());
    }
}
