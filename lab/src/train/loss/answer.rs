//! The reranker's loss: -log p(label) over "yes" and "no", as the Qwen3 Embedding report trains it.

use candle_core::Tensor;

use crate::error::Result;

/// The mean of `-ln p(label)`, where `margins` `[n]` are the logits of "yes" minus those of "no" and a label is true for
/// "yes".
///
/// # Errors
/// [`Error::Compute`](crate::Error::Compute) for another number of labels than of margins.
pub fn answer_loss(margins: &Tensor, labels: &[bool]) -> Result<Tensor> {
    let signs: Vec<f64> = labels.iter().map(|yes| if *yes { 1.0 } else { -1.0 }).collect();
    let signs = Tensor::from_vec(signs, labels.len(), margins.device())?.to_dtype(margins.dtype())?;
    let x = (margins * signs)?;
    // -ln(sigmoid(x)) = max(-x, 0) + ln(1 + exp(-|x|)), which overflows nowhere.
    Ok((x.neg()?.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?.mean_all()?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn is_the_cross_entropy_of_two_logits() {
        let margins = Tensor::new(&[2.0f64, -1.0, 800.0, -800.0], &Device::Cpu).unwrap();
        let loss = |labels: &[bool]| answer_loss(&margins, labels).unwrap().to_scalar::<f64>().unwrap();
        let by_hand = (1.0 + (-2f64).exp()).ln() + (1.0 + (-1f64).exp()).ln();
        assert!((loss(&[true, false, true, false]) - by_hand / 4.0).abs() < 1e-12);
        assert!((loss(&[true, false, false, true]) - (by_hand + 1600.0) / 4.0).abs() < 1e-9);
        assert!(answer_loss(&margins, &[true]).is_err());
    }
}
