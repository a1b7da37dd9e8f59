//! Matrix products and attention on the CPU, at the speed of its vector units.
//!
//! Weights are packed once, at load, into [`Panels`] of 32 outputs; activations are packed block by block on the way
//! into a product ([`Product`]), so that the inner loops read two short streams and keep everything else in registers.
//! Norms, residual sums and the gate of the feed-forward happen while values pass by ([`Norm`], [`Finish`]).
//!
//! An inner loop exists once for each instruction set ([`Isa`], chosen at run time) and once in plain Rust: the plain
//! one is what tests compare the others with, and what other processors run.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod amx_int8;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod gemm;
mod heads;
mod isa;
mod lanes;
mod loops;
mod micro;
mod multiply;
#[cfg(target_arch = "aarch64")]
mod neon;
mod panels;
mod peak;
mod portable;
mod rows;
mod sequences;
#[cfg(target_arch = "x86_64")]
mod tile_unit;
mod tiles;

pub(crate) use attention::Attention;
pub(crate) use gemm::{Finish, Norm, Product};
pub(crate) use heads::{HeadGroup, Turn};
pub use isa::Isa;
pub(crate) use loops::Loops;
pub(crate) use micro::Format;
pub(crate) use panels::{Arrangement, Panels};
pub(crate) use peak::peak;
pub(crate) use rows::{LayerNorm, RowStep};
pub(crate) use sequences::{Past, PastRows, Sight, Span};

/// Rows of f32 in a larger buffer: row `i` is `width` values from `i * stride`.
#[derive(Clone, Copy)]
pub(crate) struct View<'v> {
    pub(crate) values: &'v [f32],
    pub(crate) stride: usize,
}

impl<'v> View<'v> {
    pub(crate) fn row(&self, index: usize, start: usize, width: usize) -> &'v [f32] {
        &self.values[index * self.stride + start..][..width]
    }
}
