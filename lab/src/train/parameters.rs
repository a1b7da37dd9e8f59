//! The weights of a model while it is trained: each frozen, trained, or frozen with a trained difference of low rank
//! beside it (LoRA, Hu et al. 2021).

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use qwen3::{DeviceChoice, ModelConfig, ModelFiles, tensors};

use super::draw::Draw;
use crate::error::{Error, Result};

/// The token embedding table.
pub(super) const TABLE: &str = "embed_tokens.weight";
/// The output matrix, where a model has one of its own.
pub(super) const HEAD: &str = "lm_head.weight";

/// Which weights are trained.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// All of them.
    Everything,
    /// Those whose name contains one of these, such as `embed_tokens` or `mlp`.
    Matching(Vec<String>),
    /// None of them, but differences of low rank, merged into the weights when the model is written.
    Lora(Lora),
}

/// Low-rank differences: `W + alpha / rank * B A`.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Rows of A and columns of B.
    pub rank: usize,
    /// How much the difference counts.
    pub alpha: f64,
    /// Matrices whose name contains one of these get a difference.
    pub targets: Vec<String>,
}

impl Default for Lora {
    /// Rank 16, alpha 32, on every projection of every layer.
    fn default() -> Self {
        Self { rank: 16, alpha: 32.0, targets: vec!["_proj".to_owned()] }
    }
}

enum Parameter {
    Frozen(Tensor),
    Trained(Var),
    Adapted { base: Tensor, down: Var, up: Var, scale: f64 },
}

/// All weights of a model, by name without the `model.` prefix.
pub struct Parameters {
    config: ModelConfig,
    parameters: BTreeMap<String, Parameter>,
    device: Device,
    dtype: DType,
}

impl Parameters {
    /// Reads a model for training; weights are kept in f32. `seed` decides the first values of low-rank differences.
    ///
    /// # Errors
    /// Whatever is wrong with the files; [`Error::Training`] for a scope that matches nothing; [`qwen3::Error::Device`].
    pub fn open(files: &ModelFiles, scope: &Scope, seed: u64, device: DeviceChoice) -> Result<Self> {
        Self::open_as(files, scope, seed, &device.open()?, DType::F32)
    }

    /// [`Parameters::open`] in any type.
    pub(super) fn open_as(files: &ModelFiles, scope: &Scope, seed: u64, device: &Device, dtype: DType) -> Result<Self> {
        let config = ModelConfig::of(files)?;
        let mut parameters = BTreeMap::new();
        for (name, values) in tensors(files, &config)? {
            let values = values.to_dtype(dtype)?.to_device(device)?;
            let parameter = scope.apply(&name, values, seed)?;
            parameters.insert(name, parameter);
        }
        let opened = Self { config, parameters, device: device.clone(), dtype };
        if opened.variables().is_empty() {
            return Err(Error::Training(format!(
                "nothing would be trained: no weight is called like {}; expected parts of names such as embed_tokens, \
                 layers.0, self_attn, mlp or norm",
                scope.patterns().join(" or ")
            )));
        }
        Ok(opened)
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    /// What is trained, by name; the two parts of a low-rank difference end in `.lora_a` and `.lora_b`.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        let mut variables = BTreeMap::new();
        for (name, parameter) in &self.parameters {
            match parameter {
                Parameter::Frozen(_) => {}
                Parameter::Trained(var) => drop(variables.insert(name.clone(), var.clone())),
                Parameter::Adapted { down, up, .. } => {
                    variables.insert(format!("{name}.lora_a"), down.clone());
                    variables.insert(format!("{name}.lora_b"), up.clone());
                }
            }
        }
        variables
    }

    /// All weights as a model stores them, low-rank differences merged in.
    ///
    /// # Errors
    /// [`Error::Compute`].
    pub fn merged(&self) -> Result<BTreeMap<String, Tensor>> {
        let merged = |(name, parameter): (&String, &Parameter)| {
            let tensor = match parameter {
                Parameter::Frozen(tensor) => tensor.clone(),
                Parameter::Trained(var) => var.as_detached_tensor(),
                Parameter::Adapted { base, down, up, scale } => (base + (up.matmul(down)? * *scale)?)?.detach(),
            };
            Ok((name.clone(), tensor))
        };
        self.parameters.iter().map(merged).collect()
    }

    /// A vector: a norm's weights.
    pub(super) fn vector(&self, name: &str) -> Result<Tensor> {
        Ok(match self.parameter(name)? {
            Parameter::Frozen(tensor) => tensor.clone(),
            Parameter::Trained(var) => var.as_tensor().clone(),
            Parameter::Adapted { base, .. } => base.clone(),
        })
    }

    /// `x W^T` for rows `[n, inputs]`.
    pub(super) fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let product = |weight: &Tensor| -> Result<Tensor> { Ok(x.matmul(&weight.to_dtype(x.dtype())?.t()?)?) };
        Ok(match self.parameter(name)? {
            Parameter::Frozen(tensor) => product(tensor)?,
            Parameter::Trained(var) => product(var.as_tensor())?,
            Parameter::Adapted { base, down, up, scale } => {
                let low = product(down.as_tensor())?;
                let difference = (low.matmul(&up.as_tensor().to_dtype(x.dtype())?.t()?)? * *scale)?;
                (product(base)? + difference)?
            }
        })
    }

    /// Rows of a matrix, cut off from it: a gradient for them is a gradient for these rows alone. `true` where it is
    /// wanted.
    pub(super) fn rows(&self, name: &str, ids: &[u32]) -> Result<(Var, bool)> {
        let (matrix, is_trained) = match self.parameter(name)? {
            Parameter::Frozen(tensor) | Parameter::Adapted { base: tensor, .. } => (tensor.clone(), false),
            Parameter::Trained(var) => (var.as_detached_tensor(), true),
        };
        let ids = Tensor::new(ids, &self.device)?;
        Ok((Var::from_tensor(&matrix.index_select(&ids, 0)?)?, is_trained))
    }

    fn parameter(&self, name: &str) -> Result<&Parameter> {
        let missing = || qwen3::Error::MissingTensor { origin: "the model".to_owned(), tensor: name.to_owned() };
        Ok(self.parameters.get(name).ok_or_else(missing)?)
    }
}

impl Scope {
    fn patterns(&self) -> Vec<String> {
        match self {
            Self::Everything => vec!["anything".to_owned()],
            Self::Matching(patterns) | Self::Lora(Lora { targets: patterns, .. }) => patterns.clone(),
        }
    }

    fn apply(&self, name: &str, values: Tensor, seed: u64) -> Result<Parameter> {
        let is_meant = |patterns: &[String]| patterns.iter().any(|pattern| name.contains(pattern.as_str()));
        Ok(match self {
            Self::Everything => Parameter::Trained(Var::from_tensor(&values)?),
            Self::Matching(patterns) if is_meant(patterns) => Parameter::Trained(Var::from_tensor(&values)?),
            // Rows of the embedding table are looked up, not multiplied: a difference of low rank has no place there.
            Self::Lora(lora) if is_meant(&lora.targets) && name != TABLE && name != HEAD && values.rank() == 2 => {
                lora.beside(name, values, seed)?
            }
            Self::Matching(_) | Self::Lora(_) => Parameter::Frozen(values),
        })
    }
}

impl Lora {
    /// A difference that begins as nothing: B is zero, A uniform as Kaiming's initialisation has it.
    fn beside(&self, name: &str, base: Tensor, seed: u64) -> Result<Parameter> {
        let (outputs, inputs) = base.dims2()?;
        if self.rank == 0 || self.rank > inputs.min(outputs) {
            let most = inputs.min(outputs);
            return Err(Error::Training(format!("a LoRA rank of {}: expected 1 to {most}, for {name}", self.rank)));
        }
        let width = (3.0 / inputs as f64).sqrt();
        let values = Draw::named(seed, name).uniform(self.rank * inputs, width);
        let down = Tensor::from_vec(values, (self.rank, inputs), base.device())?.to_dtype(base.dtype())?;
        let up = Tensor::zeros((outputs, self.rank), base.dtype(), base.device())?;
        let scale = self.alpha / self.rank as f64;
        Ok(Parameter::Adapted { base, down: Var::from_tensor(&down)?, up: Var::from_tensor(&up)?, scale })
    }
}
