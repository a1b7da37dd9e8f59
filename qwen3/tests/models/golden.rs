//! Every reference case, alone and packed, in every precision.

use qwen3::{Answer, Model, ModelFiles, Precision, Prefix, embed_ids, score_ids, shared_prefix};
use serde::Deserialize;

use crate::{expected, golden_models, worst};

#[derive(Deserialize)]
struct EmbedCases {
    cases: Vec<EmbedCase>,
    mrl_of_case_5: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct EmbedCase {
    input_ids: Vec<u32>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct RerankCases {
    yes_id: u32,
    no_id: u32,
    prefix_ids: Vec<u32>,
    suffix_ids: Vec<u32>,
    cases: Vec<RerankCase>,
}

#[derive(Deserialize)]
struct RerankCase {
    document_ids: Vec<u32>,
    score: f64,
}

/// Largest difference allowed to a reference value.
fn embedding_bound(precision: Precision) -> f32 {
    match precision {
        Precision::Auto | Precision::F32 => 1e-4,
        Precision::Bf16 => 2e-2,
        Precision::Int8 => 4e-2,
    }
}

fn score_bound(precision: Precision) -> f32 {
    match precision {
        Precision::Auto | Precision::F32 => 1e-3,
        Precision::Bf16 => 5e-2,
        Precision::Int8 => 5e-2,
    }
}

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];

fn each_embedder(check: impl Fn(&Model, &EmbedCases, f32, &str)) {
    for folder in golden_models("embed") {
        let cases: EmbedCases = expected(&folder);
        for precision in PRECISIONS {
            let model = Model::open(&ModelFiles::folder(&folder).unwrap(), precision).unwrap();
            check(&model, &cases, embedding_bound(precision), &format!("{} {precision:?}", folder.display()));
        }
    }
}

fn embed(model: &Model, sequences: &[&[u32]]) -> Vec<Vec<f32>> {
    embed_ids(model, sequences, model.hidden_size()).unwrap()
}

#[test]
fn embeddings_one_by_one() {
    each_embedder(|model, expected, bound, name| {
        for case in &expected.cases {
            let off = worst(&embed(model, &[&case.input_ids])[0], &case.embedding);
            assert!(off < bound, "{name}, {} tokens: off by {off}", case.input_ids.len());
        }
    });
}

#[test]
fn embeddings_packed_in_any_order() {
    each_embedder(|model, expected, bound, name| {
        let count = expected.cases.len();
        let orders: [Vec<usize>; 3] =
            [(0..count).collect(), (0..count).rev().collect(), (0..count).map(|i| (i * 7 + 3) % count).collect()];
        for order in orders {
            let batch: Vec<&[u32]> = order.iter().map(|i| expected.cases[*i].input_ids.as_slice()).collect();
            for (vector, i) in embed(model, &batch).iter().zip(&order) {
                let off = worst(vector, &expected.cases[*i].embedding);
                assert!(off < bound, "{name}, case {i} in {order:?}: off by {off}");
            }
        }
    });
}

#[test]
fn embeddings_of_equal_lengths_and_of_length_one() {
    each_embedder(|model, expected, bound, name| {
        for case in &expected.cases {
            let off = |vector: &Vec<f32>| worst(vector, &case.embedding);
            let most = embed(model, &[case.input_ids.as_slice(); 5]).iter().map(off).fold(0.0, f32::max);
            assert!(most < bound, "{name}, 5 times {} tokens: off by {most}", case.input_ids.len());
        }
        assert!(expected.cases.iter().any(|case| case.input_ids.len() == 1));
        assert!(embed(model, &[]).is_empty());
    });
}

#[test]
fn cut_embeddings_are_normalised_again() {
    each_embedder(|model, expected, bound, name| {
        let case = &expected.cases[5];
        let mut dimensions = vec![(32, None)];
        for (dimension, values) in expected.mrl_of_case_5.iter().flatten() {
            let values: Vec<f32> = serde_json::from_value(values.clone()).unwrap();
            dimensions.push((dimension.parse().unwrap(), Some(values)));
        }
        for (dimension, values) in dimensions {
            let cut = &embed_ids(model, &[&case.input_ids], dimension).unwrap()[0];
            let length = case.embedding[..dimension].iter().map(|x| x * x).sum::<f32>().sqrt();
            let by_hand: Vec<f32> = case.embedding[..dimension].iter().map(|x| x / length).collect();
            // A cut vector is stretched to length one, and its error with it.
            assert!(worst(cut, &by_hand) < bound / length, "{name}, {dimension} values");
            assert!(
                values.is_none_or(|values| worst(cut, &values) < bound / length),
                "{name}, {dimension} given values"
            );
        }
        assert!(embed_ids(model, &[&case.input_ids], 0).is_err());
        assert!(embed_ids(model, &[&case.input_ids], model.hidden_size() + 1).is_err());
    });
}

fn each_reranker(check: impl Fn(&Model, &Answer, &[Vec<u32>], &[f32], f32, &str)) {
    for folder in golden_models("rerank") {
        let expected: RerankCases = expected(&folder);
        let prompt = |case: &RerankCase| [&expected.prefix_ids[..], &case.document_ids, &expected.suffix_ids].concat();
        let prompts: Vec<Vec<u32>> = expected.cases.iter().map(prompt).collect();
        let scores: Vec<f32> = expected.cases.iter().map(|case| case.score as f32).collect();
        for precision in PRECISIONS {
            let model = Model::open(&ModelFiles::folder(&folder).unwrap(), precision).unwrap();
            let answer = Answer::of(&model, expected.yes_id, expected.no_id).unwrap();
            let name = format!("{} {precision:?}", folder.display());
            check(&model, &answer, &prompts, &scores, score_bound(precision), &name);
        }
    }
}

#[test]
fn scores_one_by_one() {
    each_reranker(|model, answer, prompts, scores, bound, name| {
        for (prompt, score) in prompts.iter().zip(scores) {
            let got = score_ids(model, answer, &[prompt], &Prefix::EMPTY).unwrap()[0];
            assert!((got - score).abs() < bound, "{name}: expected {score}, got {got}");
        }
    });
}

#[test]
fn scores_packed_with_and_without_a_shared_prefix() {
    each_reranker(|model, answer, prompts, scores, bound, name| {
        for reverse in [false, true] {
            let mut order: Vec<usize> = (0..prompts.len()).collect();
            if reverse {
                order.reverse();
            }
            let batch: Vec<&[u32]> = order.iter().map(|i| prompts[*i].as_slice()).collect();
            let scores: Vec<f32> = order.iter().map(|i| scores[*i]).collect();
            let prefix = shared_prefix(model, &batch).unwrap();
            assert!(prefix.tokens() > 30, "{name}: the cases share a prefix");
            let reused = score_ids(model, answer, &batch, &prefix).unwrap();
            let plain = score_ids(model, answer, &batch, &Prefix::EMPTY).unwrap();
            assert!(worst(&reused, &scores) < bound, "{name}: off by {}", worst(&reused, &scores));
            assert!(worst(&reused, &plain) < 1e-5, "{name}: prefix reuse changes scores by {}", worst(&reused, &plain));
        }
    });
}

#[test]
fn prefix_of_any_length_changes_nothing() {
    each_reranker(|model, answer, prompts, _, _, name| {
        let batch: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let plain = score_ids(model, answer, &batch, &Prefix::EMPTY).unwrap();
        for tokens in [1, 2, 17, 40] {
            let prefix = model.prefix(&prompts[0][..tokens]).unwrap();
            assert_eq!(prefix.tokens(), tokens);
            let reused = score_ids(model, answer, &batch, &prefix).unwrap();
            assert!(worst(&reused, &plain) < 1e-5, "{name}, prefix of {tokens}: off by {}", worst(&reused, &plain));
        }
    });
}
