//! Queries and keys made ready for attention, in place: each head's values normalised, then turned by the position.

use rayon::prelude::*;

use super::{
    gemm::Norm,
    isa::Isa,
    micro::{Format, Micro, Work, dispatch},
};

/// Rows that one task takes.
const ROWS: usize = 16;

/// Heads that lie side by side and share a norm.
#[derive(Clone, Copy)]
pub(crate) struct HeadGroup<'h> {
    pub(crate) column: usize,
    pub(crate) heads: usize,
    pub(crate) norm: Norm<'h>,
}

/// Normalises heads and turns them by rotary position embedding: value `i` of a head's first half and value `i` of its
/// second half are the two coordinates turned by angle `i`.
pub(crate) struct Turn<'t> {
    pub(crate) isa: Isa,
    pub(crate) groups: &'t [HeadGroup<'t>],
    pub(crate) head_dim: usize,
    /// Of each row's angles, `[rows, head_dim / 2]`.
    pub(crate) cos: &'t [f32],
    pub(crate) sin: &'t [f32],
}

impl Turn<'_> {
    /// Turns all rows of `values`, `stride` values each.
    pub(crate) fn run(&self, values: &mut [f32], stride: usize) {
        values.par_chunks_mut(ROWS * stride).enumerate().for_each(|(index, values)| {
            dispatch(self.isa, Format::F32, Rows { turn: self, values, stride, first: index * ROWS });
        });
    }
}

struct Rows<'t> {
    turn: &'t Turn<'t>,
    values: &'t mut [f32],
    stride: usize,
    first: usize,
}

impl Work for Rows<'_> {
    #[inline(always)]
    fn run<M: Micro>(self) {
        let Self { turn, values, stride, first } = self;
        let half = turn.head_dim / 2;
        for (index, row) in values.chunks_mut(stride).enumerate() {
            let at = (first + index) * half;
            let (cos, sin) = (&turn.cos[at..][..half], &turn.sin[at..][..half]);
            for group in turn.groups {
                let heads = &mut row[group.column..][..group.heads * turn.head_dim];
                for head in heads.chunks_exact_mut(turn.head_dim) {
                    turn_head(head, group.norm, cos, sin);
                }
            }
        }
    }
}

#[inline(always)]
fn turn_head(head: &mut [f32], norm: Norm, cos: &[f32], sin: &[f32]) {
    let factor = norm.factor(head);
    let half = head.len() / 2;
    let (first, second) = head.split_at_mut(half);
    let (first_weight, second_weight) = norm.weight.split_at(half);
    let coordinates = first.iter_mut().zip(first_weight).zip(second.iter_mut().zip(second_weight));
    for (((x, x_weight), (y, y_weight)), (cos, sin)) in coordinates.zip(cos.iter().zip(sin)) {
        let (a, b) = (*x * factor * x_weight, *y * factor * y_weight);
        *x = a * cos - b * sin;
        *y = a * sin + b * cos;
    }
}
