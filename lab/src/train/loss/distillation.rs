//! Learning from a teacher: its vectors, or what it says of lists of documents.

use candle_core::{D, Tensor};

use super::{log_sum_exp, unit_rows};
use crate::error::Result;

/// One minus the cosine of each row to the teacher's row, averaged; both `[n, width]`, of any length.
///
/// # Errors
/// [`Error::Compute`](crate::Error::Compute) for shapes that differ.
pub fn cosine_loss(rows: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    let cosines = (unit_rows(rows)? * unit_rows(&teacher.detach())?)?.sum(D::Minus1)?;
    Ok((1.0 - cosines.mean_all()?)?)
}

/// Kullback-Leibler divergence of the student's distribution over each list from the teacher's (Hinton, Vinyals and Dean
/// 2015), averaged over the lists; `scores` and `teacher` are `[lists, candidates]`, both divided by `temperature` before
/// the softmax. A candidate that a list does not have is minus infinity in `teacher`.
///
/// # Errors
/// [`Error::Compute`](crate::Error::Compute) for shapes that differ.
pub fn kl_loss(scores: &Tensor, teacher: &Tensor, temperature: f64) -> Result<Tensor> {
    let teacher = (teacher.detach() / temperature)?;
    let absent = teacher.eq(f64::NEG_INFINITY)?;
    let zeros = teacher.zeros_like()?;
    let scores = absent.where_cond(&teacher, &(scores / temperature)?)?;
    let wanted = teacher.broadcast_sub(&log_sum_exp(&teacher)?.unsqueeze(1)?)?;
    let given = scores.broadcast_sub(&log_sum_exp(&scores)?.unsqueeze(1)?)?;
    // Minus infinity minus itself is no number: absent candidates are taken out before they meet.
    let gap = (absent.where_cond(&zeros, &wanted)? - absent.where_cond(&zeros, &given)?)?;
    Ok((wanted.exp()? * gap)?.sum(D::Minus1)?.mean_all()?)
}

/// Margin-MSE (Hofstätter et al. 2020): the squared difference between the student's and the teacher's margins of the
/// first candidate over each other one, averaged over all of them; `[lists, candidates]`, minus infinity in `teacher` for
/// a candidate that a list does not have.
///
/// # Errors
/// [`Error::Compute`](crate::Error::Compute) for shapes that differ.
pub fn margin_mse_loss(scores: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    let teacher = teacher.detach();
    let others = scores.dim(1)? - 1;
    let margins = |scores: &Tensor| -> Result<Tensor> {
        Ok(scores.narrow(1, 0, 1)?.broadcast_sub(&scores.narrow(1, 1, others)?)?)
    };
    let wanted = margins(&teacher)?;
    let absent = wanted.eq(f64::INFINITY)?;
    let zeros = wanted.zeros_like()?;
    let errors = absent.where_cond(&zeros, &(margins(scores)? - absent.where_cond(&zeros, &wanted)?)?)?.sqr()?;
    let count = absent.eq(0u8)?.to_dtype(errors.dtype())?.sum_all()?.maximum(1.0)?;
    Ok((errors.sum_all()? / count)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    const NONE: f64 = f64::NEG_INFINITY;

    fn tensor(rows: &[&[f64]]) -> Tensor {
        Tensor::new(rows.to_vec(), &Device::Cpu).unwrap()
    }

    fn value(loss: Result<Tensor>) -> f64 {
        loss.unwrap().to_scalar().unwrap()
    }

    #[test]
    fn losses_by_hand() {
        let (right, up) = (tensor(&[&[2.0, 0.0]]), tensor(&[&[0.0, 5.0]]));
        assert!((value(cosine_loss(&right, &up)) - 1.0).abs() < 1e-12);
        assert!(value(cosine_loss(&right, &right)).abs() < 1e-12);
        // Teacher 3:1, student 1:1: 0.75 ln 1.5 + 0.25 ln 0.5.
        let (student, teacher) = (tensor(&[&[0.0, 0.0, 9.0]]), tensor(&[&[3f64.ln(), 0.0, NONE]]));
        let by_hand = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        assert!((value(kl_loss(&student, &teacher, 1.0)) - by_hand).abs() < 1e-12);
        assert!(value(kl_loss(&teacher, &teacher, 2.0)).abs() < 1e-12);
        // Margins 2 and 1 against 3 and (absent).
        let (student, teacher) = (tensor(&[&[2.0, 0.0, 1.0]]), tensor(&[&[3.0, 0.0, NONE]]));
        assert!((value(margin_mse_loss(&student, &teacher)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn absent_candidates_get_no_gradient_and_poison_nothing() {
        let student = Var::from_tensor(&tensor(&[&[0.3, -0.2, 7.0], &[0.1, 0.2, 0.3]])).unwrap();
        let teacher = tensor(&[&[1.0, 0.0, NONE], &[1.0, 2.0, 3.0]]);
        for loss in [kl_loss(&student, &teacher, 1.0), margin_mse_loss(&student, &teacher)] {
            let gradient = loss.unwrap().backward().unwrap().get(&student).unwrap().to_vec2::<f64>().unwrap();
            assert!(gradient.iter().flatten().all(|x| x.is_finite()), "{gradient:?}");
            assert_eq!(gradient[0][2], 0.0);
            assert!(gradient[0][0] != 0.0 && gradient[1][2] != 0.0);
        }
    }
}
