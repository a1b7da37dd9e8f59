//! The contrastive loss of the Qwen3 Embedding report (Zhang et al. 2025, equation 1): a query shall be nearer to its
//! document than to hard negatives, to the other documents and queries of the batch, and its document nearer to it than
//! to the other documents. What is too alike to be surely wrong does not count.

use candle_core::{DType, Tensor};

use super::{log_sum_exp, unit_rows};
use crate::error::{Error, Result};

/// The loss and its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InfoNce {
    /// Similarities are divided by this.
    pub temperature: f64,
    /// A term whose similarity exceeds that of query and document by more than this is taken for a false negative.
    pub margin: f64,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { temperature: 0.05, margin: 0.1 }
    }
}

/// A batch of vectors, of any length.
#[derive(Debug, Clone, Copy)]
pub struct Contrast<'t> {
    /// `[n, width]`.
    pub queries: &'t Tensor,
    /// The document of each query, `[n, width]`.
    pub positives: &'t Tensor,
    /// Hard negatives of all queries, one after another, `[m, width]`; none where no query has any.
    pub negatives: Option<&'t Tensor>,
    /// Whose the hard negatives are: the index of a query for each.
    pub owners: &'t [usize],
    /// Which documents are the same: equal numbers for equal ones, `n` of them.
    pub identities: &'t [u64],
}

impl InfoNce {
    /// The loss of each query, `[n]`.
    ///
    /// # Errors
    /// [`Error::Compute`] for shapes that do not fit together.
    pub fn losses(&self, batch: &Contrast<'_>) -> Result<Tensor> {
        let (queries, positives) = (unit_rows(batch.queries)?, unit_rows(batch.positives)?);
        let count = queries.dim(0)?;
        check(batch, count)?;
        let similarity = |a: &Tensor, b: &Tensor| -> Result<Tensor> { Ok(a.matmul(&b.t()?)?) };
        let across = similarity(&queries, &positives)?;
        let own: Vec<f64> = (0..count).map(|at| batch.at(&across, at)).collect::<Result<_>>()?;
        let others = |values: &Tensor| -> Result<Tensor> {
            let is_same = |row: usize, column: usize| batch.identities[row] == batch.identities[column];
            self.masked(values, &own, is_same)
        };
        let mut terms = vec![
            others(&similarity(&queries, &queries)?)?,
            others(&similarity(&positives, &positives)?)?,
            others(&across)?,
        ];
        if let Some(negatives) = batch.negatives {
            let values = similarity(&queries, &unit_rows(negatives)?)?;
            terms.push(self.masked(&values, &own, |row, column| batch.owners[column] != row)?);
        }
        let positive = ((&queries * &positives)?.sum_keepdim(1)? / self.temperature)?;
        terms.push(positive.clone());
        Ok((log_sum_exp(&Tensor::cat(&terms, 1)?)? - positive.squeeze(1)?)?)
    }

    /// The mean over the queries, a scalar.
    ///
    /// # Errors
    /// As [`InfoNce::losses`].
    pub fn loss(&self, batch: &Contrast<'_>) -> Result<Tensor> {
        Ok(self.losses(batch)?.mean_all()?)
    }

    /// Similarities over the temperature, and minus infinity where a term does not count.
    fn masked(&self, values: &Tensor, own: &[f64], is_out: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
        let known: Vec<Vec<f64>> = values.detach().to_dtype(DType::F64)?.to_vec2()?;
        let columns = values.dim(1)?;
        let mut mask = Vec::with_capacity(own.len() * columns);
        for (row, line) in known.iter().enumerate() {
            let limit = own[row] + self.margin;
            let counts = |(column, value): (usize, &f64)| *value <= limit && !is_out(row, column);
            mask.extend(line.iter().enumerate().map(|entry| if counts(entry) { 0.0 } else { f64::NEG_INFINITY }));
        }
        let mask = Tensor::from_vec(mask, (own.len(), columns), values.device())?.to_dtype(values.dtype())?;
        Ok(((values / self.temperature)? + mask)?)
    }
}

impl Contrast<'_> {
    fn at(&self, across: &Tensor, at: usize) -> Result<f64> {
        Ok(across.get(at)?.get(at)?.detach().to_dtype(DType::F64)?.to_scalar()?)
    }
}

fn check(batch: &Contrast<'_>, count: usize) -> Result<()> {
    let negatives = batch.negatives.map_or(Ok(0), |negatives| negatives.dim(0))?;
    let fits = batch.positives.dim(0)? == count
        && batch.identities.len() == count
        && batch.owners.len() == negatives
        && batch.owners.iter().all(|owner| *owner < count);
    if fits {
        return Ok(());
    }
    let reason = "a document and an identity for every query, and an owner for every negative are expected";
    Err(Error::Compute(candle_core::Error::Msg(format!("InfoNCE: {reason}"))))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        temperature: f64,
        margin: f64,
        queries: Vec<Vec<f64>>,
        positives: Vec<Vec<f64>>,
        negatives: Vec<Vec<Vec<f64>>>,
        positive_identity: Vec<u64>,
        loss_per_query: Vec<f64>,
        loss: f64,
    }

    impl Case {
        /// The losses of the batch, in the given type.
        fn losses(&self, dtype: DType) -> Vec<f64> {
            let rows = |rows: &[Vec<f64>]| {
                let width = rows[0].len();
                let values = Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu).unwrap();
                values.to_dtype(dtype).unwrap()
            };
            let owned = |(owner, list): (usize, &Vec<Vec<f64>>)| vec![owner; list.len()];
            let owners: Vec<usize> = self.negatives.iter().enumerate().flat_map(owned).collect();
            let negatives = (!owners.is_empty()).then(|| rows(&self.negatives.concat()));
            let batch = Contrast {
                queries: &rows(&self.queries),
                positives: &rows(&self.positives),
                negatives: negatives.as_ref(),
                owners: &owners,
                identities: &self.positive_identity,
            };
            let loss = InfoNce { temperature: self.temperature, margin: self.margin };
            let losses = loss.losses(&batch).unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap();
            let mean: f64 = loss.loss(&batch).unwrap().to_dtype(DType::F64).unwrap().to_scalar().unwrap();
            assert!((mean - losses.iter().sum::<f64>() / losses.len() as f64).abs() < 1e-6);
            losses
        }

        /// The equation term by term, without tensors.
        fn by_hand(&self) -> Vec<f64> {
            let cosine = |a: &[f64], b: &[f64]| {
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
            };
            let one = |i: usize| {
                let (query, positive) = (&self.queries[i], &self.positives[i]);
                let own = cosine(query, positive);
                let mut terms: Vec<f64> = self.negatives[i].iter().map(|negative| cosine(query, negative)).collect();
                for j in (0..self.queries.len()).filter(|j| self.positive_identity[*j] != self.positive_identity[i]) {
                    let (other, document) = (&self.queries[j], &self.positives[j]);
                    terms.extend([cosine(query, other), cosine(positive, document), cosine(query, document)]);
                }
                terms.retain(|term| *term <= own + self.margin);
                let sum: f64 = terms.iter().map(|term| ((term - own) / self.temperature).exp()).sum();
                sum.ln_1p()
            };
            (0..self.queries.len()).map(one).collect()
        }
    }

    fn worst(ours: &[f64], theirs: &[f64]) -> f64 {
        ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn matches_the_reference() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/golden/infonce.json");
        let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert!(!golden.cases.is_empty());
        for case in golden.cases {
            // The reference's vectors are printed with nine decimals: that much is unknown of each similarity.
            let printed = 1e-9 / case.temperature;
            let exact = case.losses(DType::F64);
            assert!(worst(&exact, &case.by_hand()) < 1e-9);
            assert!(worst(&exact, &case.loss_per_query) < printed);
            assert!((exact.iter().sum::<f64>() / exact.len() as f64 - case.loss).abs() < printed);
            assert!(worst(&case.losses(DType::F32), &case.loss_per_query) < 1e-5);
        }
    }

    #[test]
    fn a_batch_that_does_not_fit_together_is_refused() {
        let rows = Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap();
        let batch =
            Contrast { queries: &rows, positives: &rows, negatives: Some(&rows), owners: &[0], identities: &[0, 1] };
        let refused = storage::chain(&InfoNce::default().losses(&batch).unwrap_err());
        assert!(refused.contains("an owner for every negative"), "{refused}");
    }
}
