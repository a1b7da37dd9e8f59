//! The weights of a checkpoint as tensors: for callers that change them, such as training and export, where
//! [`Model`](crate::Model) only computes with them.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use crate::{
    config::ModelConfig,
    error::{Error, Result},
    files::ModelFiles,
    model::HEAD,
    random::implied_tensors,
    weights::Weights,
};

/// All weights of a Qwen3 model by name without the `model.` prefix, in f32 on the CPU, whatever they are stored as.
///
/// # Errors
/// Whatever is wrong with the weights, by name.
pub fn tensors(files: &ModelFiles, config: &ModelConfig) -> Result<BTreeMap<String, Tensor>> {
    let weights = Weights::open(files)?;
    let implied = implied_tensors(config);
    weights.check_all(|name| implied.iter().any(|(implied, _)| implied == name) || name.ends_with("inv_freq"))?;
    let mut tensors = BTreeMap::new();
    for (name, shape) in implied {
        let values = match shape.as_slice() {
            [rows, columns] => match weights.stored_matrix(&name, (*rows, *columns)) {
                // An embedding model without its output matrix is whole.
                Err(Error::MissingTensor { .. }) if name == HEAD => continue,
                matrix => Tensor::from_vec(matrix?.to_f32(), (*rows, *columns), &Device::Cpu)?,
            },
            _ => weights.vector(&name, shape.iter().product(), &Device::Cpu)?,
        };
        tensors.insert(name, values);
    }
    Ok(tensors)
}
