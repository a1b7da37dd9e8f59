//! Int8 codes: a quarter of the memory of f32, exact enough to find the candidates that are then scored exactly.
//!
//! A vector is normalised, divided by its scale (largest value / 127) and rounded; a code byte is that plus 128. Rows
//! are padded to whole 64-byte blocks. With one scale a vector the approximate cosine of two vectors is
//! `scale_q * scale_v * sum(q * v)`, off by a few thousandths at most.

use super::error::{VectorResult, check_vector};
use super::kernels::{BLOCK, Kernels};

/// A code byte that stands for zero; also the padding of rows.
const ZERO: u8 = 128;

/// Bytes a row of `dim` codes takes.
pub(crate) fn row_len(dim: usize) -> usize {
    dim.next_multiple_of(BLOCK)
}

/// Scales a vector to length one; one of length zero stays as it is.
pub(crate) fn normalise(vector: &mut [f32]) {
    let norm = vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
    }
}

/// Appends the code row of a normalised vector to `codes` and gives its scale.
pub(crate) fn encode(normalised: &[f32], codes: &mut Vec<u8>) -> f32 {
    let scale = scale_of(normalised);
    codes.extend(normalised.iter().map(|&value| (i16::from(quantised(value, scale)) + i16::from(ZERO)) as u8));
    codes.resize(codes.len() + row_len(normalised.len()) - normalised.len(), ZERO);
    scale
}

fn scale_of(normalised: &[f32]) -> f32 {
    normalised.iter().fold(0.0f32, |largest, value| largest.max(value.abs())) / 127.0
}

fn quantised(value: f32, scale: f32) -> i8 {
    if scale == 0.0 { 0 } else { (value / scale).round().clamp(-127.0, 127.0) as i8 }
}

/// A query, ready to be compared with codes and with exact vectors.
#[derive(Debug)]
pub(crate) struct Query {
    exact: Vec<f32>,
    codes: Vec<i8>,
    scale: f32,
    /// What the offset of 128 in every code adds to the sum of products.
    offset: i32,
    kernels: &'static Kernels,
}

impl Query {
    /// Takes a query vector of any length but zero.
    pub(crate) fn new(query: &[f32], dim: usize) -> VectorResult<Self> {
        check_vector(query, dim)?;
        let mut exact = query.to_vec();
        normalise(&mut exact);
        let scale = scale_of(&exact);
        let mut codes: Vec<i8> = exact.iter().map(|&value| quantised(value, scale)).collect();
        codes.resize(row_len(dim), 0);
        let offset = i32::from(ZERO) * codes.iter().map(|&code| i32::from(code)).sum::<i32>();
        Ok(Self { exact, codes, scale, offset, kernels: Kernels::detect() })
    }

    /// The cosine with a vector of any length, in f32.
    pub(crate) fn cosine(&self, vector: &[f32]) -> f32 {
        let square = self.kernels.dot_f32(vector, vector);
        if square.is_normal() {
            return (self.kernels.dot_f32(&self.exact, vector) / square.sqrt()).clamp(-1.0, 1.0);
        }
        // Too small or too large to be squared in f32.
        let mut normalised = vector.to_vec();
        normalise(&mut normalised);
        self.kernels.dot_f32(&self.exact, &normalised).clamp(-1.0, 1.0)
    }
}

/// Rows of codes with their scales, wherever they lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes<'a> {
    pub(crate) rows: &'a [u8],
    pub(crate) scales: &'a [f32],
}

impl Codes<'_> {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.scales.len()
    }

    /// Approximate cosines of the query with the rows in `ids`, written to `products` on the way.
    #[inline]
    pub(crate) fn score_rows<'s>(
        &'s self,
        query: &'s Query,
        ids: &'s [u32],
        products: &'s mut [i32],
    ) -> impl Iterator<Item = (u32, f32)> + 's {
        query.kernels.dot_rows(&query.codes, self.rows, ids, products);
        ids.iter().zip(&*products).map(|(&id, &product)| (id, self.cosine(query, id as usize, product)))
    }

    /// Approximate cosines of the query with the `count` rows from `first` on.
    #[inline]
    pub(crate) fn score_range<'s>(
        &'s self,
        query: &'s Query,
        first: usize,
        count: usize,
        products: &'s mut [i32],
    ) -> impl Iterator<Item = (u32, f32)> + 's {
        let row = query.codes.len();
        let products = &mut products[..count];
        query.kernels.dot_all(&query.codes, &self.rows[first * row..(first + count) * row], products);
        (first..).zip(&*products).map(|(id, &product)| (id as u32, self.cosine(query, id, product)))
    }

    #[inline]
    fn cosine(&self, query: &Query, id: usize, product: i32) -> f32 {
        (product - query.offset) as f32 * query.scale * self.scales[id]
    }

    /// Asks for the first cache lines of a row.
    #[inline]
    pub(crate) fn prefetch(&self, row_len: usize, id: u32) {
        let start = id as usize * row_len;
        for line in (0..row_len.min(PREFETCH_BYTES)).step_by(BLOCK) {
            super::kernels::prefetch(self.rows, start + line);
        }
    }
}

/// The processor follows a row by itself once it has seen its beginning.
const PREFETCH_BYTES: usize = 4 * BLOCK;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes_of(vectors: &[Vec<f32>]) -> (Vec<u8>, Vec<f32>) {
        let mut rows = Vec::new();
        let scales = vectors
            .iter()
            .map(|vector| {
                let mut vector = vector.clone();
                normalise(&mut vector);
                encode(&vector, &mut rows)
            })
            .collect();
        (rows, scales)
    }

    proptest! {
        #[test]
        fn codes_give_nearly_the_cosine(
            (query, vectors) in (1usize..200).prop_flat_map(|dim| {
                let vector = proptest::collection::vec(-10.0f32..10.0, dim);
                (vector.clone(), proptest::collection::vec(vector, 1..6))
            }),
        ) {
            let (rows, scales) = codes_of(&vectors);
            let codes = Codes { rows: &rows, scales: &scales };
            let query = Query::new(&query, query.len()).unwrap();
            let ids: Vec<u32> = (0..vectors.len() as u32).collect();
            let by_row: Vec<_> = codes.score_rows(&query, &ids, &mut [0; 8]).collect();
            let by_range: Vec<_> = codes.score_range(&query, 0, vectors.len(), &mut [0; 8]).collect();
            prop_assert_eq!(&by_row, &by_range);
            for (id, approximate) in by_row {
                let exact = query.cosine(&vectors[id as usize]);
                prop_assert!((approximate - exact).abs() < 0.02, "{approximate} {exact}");
            }
        }
    }

    #[test]
    fn lengths_do_not_matter_even_extreme_ones() {
        for length in [1e-30f32, 1.0, 1e30] {
            let vector = [0.6 * length, 0.8 * length];
            let query = Query::new(&vector, 2).unwrap();
            assert!((query.cosine(&[3.0e25, 4.0e25]) - 1.0).abs() < 1e-6);
            let (rows, scales) = codes_of(&[vector.to_vec()]);
            let codes = Codes { rows: &rows, scales: &scales };
            let (_, score) = codes.score_rows(&query, &[0], &mut [0]).next().unwrap();
            assert!((score - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn a_zero_vector_is_similar_to_nothing() {
        let query = Query::new(&[0.0, 0.0], 2).unwrap();
        assert_eq!(query.cosine(&[1.0, 0.0]), 0.0);
        assert_eq!(Query::new(&[1.0, 0.0], 2).unwrap().cosine(&[0.0, 0.0]), 0.0);
    }

    #[test]
    fn unusable_queries_are_refused() {
        assert!(Query::new(&[1.0], 2).is_err());
        assert!(Query::new(&[1.0, f32::NAN], 2).is_err());
        assert!(Query::new(&[1.0, f32::INFINITY], 2).is_err());
    }
}
