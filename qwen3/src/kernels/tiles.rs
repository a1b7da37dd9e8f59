//! Rows of activations cut into tiles, and words of several rows brought side by side.

use std::ops::Range;

use super::{
    View,
    aligned::{cut, padded},
    gemm::Norm,
    lanes,
    micro::Micro,
};

/// Between rows of words in scratch memory: rows a power of two apart would fall into the same cache sets.
const GAP: usize = 16;

/// `rows` rows in as few tiles as possible, all of nearly the same size.
pub(super) fn tiles<M: Micro>(rows: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = rows.div_ceil(M::ROWS);
    let start = move |index: usize| M::room(index * rows / count).min(rows);
    (0..count).map(move |index| start(index)..start(index + 1))
}

/// `count` rows of `steps` words, `stride` words apart, to `[steps][count]`.
#[inline(always)]
pub(super) fn interleave(rows: &[u32], stride: usize, count: usize, steps: usize, out: &mut [u32]) {
    match count {
        1 => out[..steps].copy_from_slice(&rows[..steps]),
        8 => interleave_of::<8>(rows, stride, steps, out),
        12 => interleave_of::<12>(rows, stride, steps, out),
        32 => interleave_of::<32>(rows, stride, steps, out),
        _ => {
            for (step, out) in out.chunks_exact_mut(count).take(steps).enumerate() {
                for (row, out) in out.iter_mut().enumerate() {
                    *out = rows[row * stride + step];
                }
            }
        }
    }
}

#[inline(always)]
fn interleave_of<const N: usize>(rows: &[u32], stride: usize, steps: usize, out: &mut [u32]) {
    let rows: [&[u32]; N] = std::array::from_fn(|row| &rows[row * stride..][..steps]);
    for (step, out) in out.as_chunks_mut::<N>().0.iter_mut().take(steps).enumerate() {
        for (row, out) in out.iter_mut().enumerate() {
            *out = rows[row][step];
        }
    }
}

/// Words of scratch memory that [`pack`] uses.
pub(super) fn pack_scratch<M: Micro>(values: usize) -> usize {
    let format = M::FORMAT;
    padded(values) + padded(M::ROWS * (format.steps(values) + GAP)) + padded(M::ROWS * format.groups(values))
}

/// Encodes `rows` of `view`, each `width` values from column 0, into one tile and
/// `[groups][rows]` scales (f32 bits).
#[inline(always)]
pub(super) fn pack<M: Micro>(
    view: View,
    rows: Range<usize>,
    width: usize,
    norm: Option<Norm>,
    (words, scales): (&mut [u32], &mut [u32]),
    mut scratch: &mut [u32],
) {
    let (steps, groups) = (M::FORMAT.steps(width), M::FORMAT.groups(width));
    let (count, stride) = (rows.len(), steps + GAP);
    let normed: &mut [f32] = bytemuck::cast_slice_mut(cut(&mut scratch, width));
    let encoded = cut(&mut scratch, M::ROWS * stride);
    let row_scales: &mut [f32] = bytemuck::cast_slice_mut(cut(&mut scratch, M::ROWS * groups));
    for (index, row) in rows.enumerate() {
        let mut values = view.row(row, 0, width);
        if let Some(norm) = norm {
            norm.apply(values, normed);
            values = normed;
        }
        M::encode(values, &mut encoded[index * stride..][..steps], &mut row_scales[index * groups..][..groups]);
    }
    M::arrange(encoded, stride, count, steps, words);
    for group in 0..groups {
        for row in 0..count {
            scales[group * count + row] = row_scales[row * groups + group].to_bits();
        }
    }
}

impl Norm<'_> {
    /// What values are multiplied by, beside the weight.
    #[inline(always)]
    pub(super) fn factor(&self, values: &[f32]) -> f32 {
        let mean = lanes::sum_of_squares(values) / values.len() as f32;
        1.0 / (mean + self.epsilon).sqrt()
    }

    #[inline(always)]
    pub(super) fn apply(&self, values: &[f32], out: &mut [f32]) {
        let factor = self.factor(values);
        for ((out, value), weight) in out.iter_mut().zip(values).zip(self.weight) {
            *out = value * factor * weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::portable::Portable;

    #[test]
    fn tiles_cover_all_rows_evenly() {
        fn check<M: Micro>() {
            for rows in 0..100 {
                let parts: Vec<_> = tiles::<M>(rows).collect();
                assert_eq!(parts.iter().map(ExactSizeIterator::len).sum::<usize>(), rows);
                assert!(parts.iter().all(|part| part.len() <= M::ROWS && !part.is_empty()), "{rows}: {parts:?}");
                assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(parts.iter().all(|part| part.start % M::GRAIN == 0));
            }
        }
        check::<Portable>();
        #[cfg(target_arch = "x86_64")]
        check::<super::super::amx::Bf16Tiles>();
    }

    #[test]
    fn interleaving_is_transposition() {
        for count in [1, 3, 8, 12, 32] {
            let (steps, stride) = (5, 9);
            let rows: Vec<u32> = (0..count as u32 * stride).collect();
            let mut out = vec![0; count * steps];
            interleave(&rows, stride as usize, count, steps, &mut out);
            for (i, value) in out.iter().enumerate() {
                assert_eq!(*value as usize, (i % count) * stride as usize + i / count);
            }
        }
    }
}
