//! Merging checkpoints by spherical linear interpolation (slerp, Shoemake 1985), tensor by tensor: what the Qwen3
//! Embedding report does after fine-tuning, to keep what each checkpoint is good at.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use qwen3::{ModelConfig, ModelFiles, tensors as tensors_of};

use crate::error::{Error, Result};

/// Vectors nearer to parallel than this are interpolated on a straight line.
const PARALLEL: f64 = 1e-6;

/// The point at `t` (0 to 1) on the arc from `a` to `b`, both flattened: `sin((1-t)w)/sin(w) a + sin(tw)/sin(w) b`, where
/// `w` is the angle between them. The formula's length follows from those of `a` and `b`.
pub fn slerp(a: &[f64], b: &[f64], t: f64) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    let cosine = if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0) } else { 1.0 };
    let angle = cosine.acos();
    let (left, right) = if angle.sin().abs() < PARALLEL {
        (1.0 - t, t)
    } else {
        (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
    };
    a.iter().zip(b).map(|(a, b)| left * a + right * b).collect()
}

/// Merges models of one shape, one after another: each comes in with its share of the weights so far.
///
/// # Errors
/// [`Error::Training`] for fewer than two models, shapes that differ, or weights that are not positive numbers; whatever
/// is wrong with the files.
pub fn merge(models: &[(ModelFiles, f64)]) -> Result<BTreeMap<String, Tensor>> {
    let [(first, weight), rest @ ..] = models else { return Err(too_few()) };
    if rest.is_empty() {
        return Err(too_few());
    }
    if let Some((_, wrong)) = models.iter().find(|(_, weight)| !(weight.is_finite() && *weight > 0.0)) {
        return Err(Error::Training(format!("a weight of {wrong}: expected a number above 0")));
    }
    let config = ModelConfig::of(first)?;
    let mut merged = tensors_of(first, &config)?;
    let mut sum = *weight;
    for (files, weight) in rest {
        let other = ModelConfig::of(files)?;
        if other.qwen != config.qwen {
            let (ours, theirs) = (first.origin(), files.origin());
            return Err(Error::Training(format!(
                "{theirs} has another shape than {ours}: expected checkpoints of one model"
            )));
        }
        sum += weight;
        let mut tensors = tensors_of(files, &other)?;
        for (name, tensor) in &mut merged {
            let theirs = tensors.remove(name).ok_or_else(|| qwen3::Error::MissingTensor {
                origin: files.origin().to_owned(),
                tensor: name.clone(),
            })?;
            *tensor = between(tensor, &theirs, weight / sum)?;
        }
    }
    Ok(merged)
}

fn between(a: &Tensor, b: &Tensor, t: f64) -> Result<Tensor> {
    let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    Ok(Tensor::from_vec(slerp(&wide(a)?, &wide(b)?, t), a.shape(), &Device::Cpu)?.to_dtype(a.dtype())?)
}

fn too_few() -> Error {
    Error::Training("expected two or more models to merge".to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        t: f64,
        a: Vec<f64>,
        b: Vec<f64>,
        slerp: Vec<f64>,
    }

    #[test]
    fn matches_the_reference() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/golden/slerp.json");
        let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert!(golden.cases.len() > 3);
        for case in golden.cases {
            for (ours, theirs) in slerp(&case.a, &case.b, case.t).iter().zip(&case.slerp) {
                assert!((ours - theirs).abs() < 1e-9, "t = {}: {ours} {theirs}", case.t);
            }
        }
    }

    #[test]
    fn vectors_without_an_angle_are_mixed_straight() {
        assert_eq!(slerp(&[1.0, 2.0], &[2.0, 4.0], 0.5), [1.5, 3.0]);
        assert_eq!(slerp(&[0.0, 0.0], &[2.0, 4.0], 0.5), [1.0, 2.0]);
        assert!(slerp(&[1.0, 0.0], &[-1.0, 0.0], 0.25).iter().all(|x| x.is_finite()));
    }
}
