//! A survey of a model's weights, what they consist of and whether all of them are numbers: for `quarry models verify`
//! and its like, which look at files without running the model.

use crate::{error::Result, files::ModelFiles, weights::Weights};

/// One tensor as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorFacts {
    /// The name in the file.
    pub name: String,
    /// The number format, by its name in safetensors or GGUF (`BF16`, `Q4_K`).
    pub dtype: String,
    /// Rows first.
    pub shape: Vec<usize>,
    /// Size in the file; 0 for made-up weights.
    pub bytes: u64,
}

/// A tensor with values that are NaN or infinite: the model's file is damaged or was converted wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonFinite {
    /// The tensor's name in the file.
    pub tensor: String,
    /// Values that are no finite numbers.
    pub count: u64,
    /// All values of the tensor.
    pub values: u64,
}

impl ModelFiles {
    /// Every tensor of the model, by name.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::Error::BadFile) when the weights contradict themselves.
    pub fn tensors(&self) -> Result<Vec<TensorFacts>> {
        let weights = Weights::open(self)?;
        let entries = weights.entries().into_iter();
        let facts = entries.map(|entry| TensorFacts {
            name: entry.name.clone(),
            dtype: entry.dtype().to_owned(),
            shape: entry.shape.clone(),
            bytes: entry.byte_count() as u64,
        });
        Ok(facts.collect())
    }

    /// Reads every weight, on all cores, and lists the tensors in which some are NaN or infinite: none in a sound
    /// model. Takes as long as reading the files.
    ///
    /// # Errors
    /// As [`ModelFiles::tensors`].
    pub fn scan_non_finite(&self) -> Result<Vec<NonFinite>> {
        let weights = Weights::open(self)?;
        let mut found = Vec::new();
        for entry in weights.entries() {
            let Some(matrix) = entry.floats() else { continue };
            let count = matrix.count_non_finite();
            if count > 0 {
                let values = matrix.rows() as u64 * matrix.columns() as u64;
                found.push(NonFinite { tensor: entry.name.clone(), count, values });
            }
        }
        Ok(found)
    }
}
