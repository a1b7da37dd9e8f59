//! Fewer dimensions for a teacher's vectors: the directions along which they are longest (principal components of the
//! uncentred second moments, so that dot products change least).

/// An orthonormal basis of the kept directions.
#[derive(Debug, Clone)]
pub struct Projection {
    width: usize,
    /// `kept` rows of `width` values, the longest direction first.
    basis: Vec<Vec<f64>>,
}

/// Sweeps of Jacobi's method; eight or so suffice for hundreds of dimensions.
const SWEEPS: usize = 30;

impl Projection {
    /// The `kept` main directions of `vectors`, all of one width.
    pub fn of(vectors: &[Vec<f32>], kept: usize) -> Self {
        let width = vectors.first().map_or(0, Vec::len);
        let mut moments = vec![0f64; width * width];
        for vector in vectors {
            for (row, x) in moments.chunks_exact_mut(width).zip(vector) {
                row.iter_mut().zip(vector).for_each(|(sum, y)| *sum += f64::from(*x) * f64::from(*y));
            }
        }
        let (lengths, directions) = eigen(moments, width);
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|a, b| lengths[*b].total_cmp(&lengths[*a]));
        let basis = order.into_iter().take(kept).map(|at| directions[at].clone()).collect();
        Self { width, basis }
    }

    /// Values in a projected vector.
    pub fn kept(&self) -> usize {
        self.basis.len()
    }

    /// A vector along the kept directions.
    pub fn apply(&self, vector: &[f32]) -> Vec<f32> {
        debug_assert_eq!(vector.len(), self.width);
        let along = |direction: &Vec<f64>| direction.iter().zip(vector).map(|(d, x)| d * f64::from(*x)).sum::<f64>();
        self.basis.iter().map(|direction| along(direction) as f32).collect()
    }
}

/// Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, 8.5).
fn eigen(mut matrix: Vec<f64>, width: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut directions: Vec<Vec<f64>> =
        (0..width).map(|at| (0..width).map(|x| f64::from(u8::from(x == at))).collect()).collect();
    let scale: f64 = (0..width).map(|at| matrix[at * width + at].abs()).sum::<f64>() / width.max(1) as f64;
    for _ in 0..SWEEPS {
        let mut largest = 0f64;
        for p in 0..width {
            for q in p + 1..width {
                let off = matrix[p * width + q];
                largest = largest.max(off.abs());
                if off.abs() <= 1e-14 * scale {
                    continue;
                }
                let theta = (matrix[q * width + q] - matrix[p * width + p]) / (2.0 * off);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                rotate(&mut matrix, width, (p, q), cosine, tangent * cosine);
                let (left, right) = directions.split_at_mut(q);
                for (x, y) in left[p].iter_mut().zip(right[0].iter_mut()) {
                    (*x, *y) = (cosine * *x - tangent * cosine * *y, tangent * cosine * *x + cosine * *y);
                }
            }
        }
        if largest <= 1e-10 * scale {
            break;
        }
    }
    ((0..width).map(|at| matrix[at * width + at]).collect(), directions)
}

/// `J^T A J` for the rotation in the plane of `p` and `q`.
fn rotate(matrix: &mut [f64], width: usize, (p, q): (usize, usize), cosine: f64, sine: f64) {
    for at in 0..width {
        let (x, y) = (matrix[at * width + p], matrix[at * width + q]);
        (matrix[at * width + p], matrix[at * width + q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
    for at in 0..width {
        let (x, y) = (matrix[p * width + at], matrix[q * width + at]);
        (matrix[p * width + at], matrix[q * width + at]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_directions_of_a_cloud() {
        // Long along (1, 1, 0), short along (1, -1, 0), shorter along the third axis.
        let cloud: Vec<Vec<f32>> = (0..200)
            .map(|at| {
                let (a, b, c) = ((at as f32).sin() * 3.0, (at as f32 * 1.7).cos(), (at as f32 * 0.3).sin() * 0.1);
                vec![a + b, a - b, c]
            })
            .collect();
        let projection = Projection::of(&cloud, 2);
        assert_eq!(projection.kept(), 2);
        let along = projection.apply(&[1.0, 1.0, 0.0]);
        assert!((along[0].abs() - 2f32.sqrt()).abs() < 0.02, "{along:?}");
        let short = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>();
        for vector in &cloud {
            // Only the third axis is lost.
            assert!((short(vector) - short(&projection.apply(vector))).abs() < 0.02);
        }
    }

    #[test]
    fn all_directions_keep_all_products() {
        let cloud: Vec<Vec<f32>> =
            (0..40).map(|at| (0..12).map(|x| ((at * 31 + x * 17) % 23) as f32 - 11.0).collect()).collect();
        let projection = Projection::of(&cloud, 12);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        for (a, b) in cloud.iter().zip(cloud.iter().skip(1)) {
            let (before, after) = (dot(a, b), dot(&projection.apply(a), &projection.apply(b)));
            assert!((before - after).abs() < 1e-2 * before.abs().max(10.0), "{before} {after}");
        }
    }
}
