//! Products of activations and a packed matrix, over all threads.
//!
//! A few rows (a query) are packed once and the panels shared out: every weight is read from memory once. Many rows go
//! block by block, each small enough to stay in a core's second level cache while all panels pass by.
#![expect(unsafe_code, reason = "threads write disjoint parts of one output")]

use std::ops::Range;

use rayon::prelude::*;

use super::{
    View,
    aligned::{Scratch, cut, padded},
    isa::Isa,
    micro::{Micro, WIDTH, Work, dispatch},
    multiply::Multiply,
    panels::Panels,
    tiles::{pack, pack_scratch, tiles},
};

/// A product of fewer multiplications is not worth waking threads for.
const SMALL: usize = 1 << 19;
/// Panels in a task at the least, as every task packs its rows.
const LEAST_PANELS: usize = 12;
/// Tasks for each thread, so that they end at about the same time.
const TASKS: usize = 8;

/// Root mean square normalisation of each row: `x / sqrt(mean(x²) + epsilon) * weight`.
#[derive(Clone, Copy)]
pub(crate) struct Norm<'n> {
    pub(crate) weight: &'n [f32],
    pub(crate) epsilon: f32,
}

/// What becomes of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// They are the output.
    Store,
    /// They are added to what the output holds.
    Add,
    /// `silu(gate) * value`, for a matrix in [`Arrangement::gated`](super::Arrangement::gated) order.
    Gate,
}

/// `finish(norm(input) W^T)`.
pub(crate) struct Product<'p> {
    /// Rows of as many values as the matrix has inputs.
    pub(crate) input: View<'p>,
    pub(crate) rows: usize,
    pub(crate) norm: Option<Norm<'p>>,
    pub(crate) panels: &'p Panels,
    /// Panels to compute; the first one's first output becomes column 0.
    pub(crate) range: Range<usize>,
    pub(crate) finish: Finish,
}

#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) values: *mut f32,
    pub(super) stride: usize,
}

// SAFETY: tasks write disjoint rows and columns.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// A product under way.
#[derive(Clone, Copy)]
pub(super) struct Call<'p> {
    pub(super) product: &'p Product<'p>,
    isa: Isa,
    pub(super) output: Output,
}

impl Call<'_> {
    fn dispatch(&self, work: impl Work) {
        dispatch(self.isa, self.product.panels.format, work);
    }
}

impl Product<'_> {
    /// Writes rows `stride` values apart into `output`.
    pub(crate) fn run(&self, output: &mut [f32], stride: usize) {
        if self.rows == 0 || self.range.is_empty() {
            return;
        }
        let isa = self.panels.loops.for_rows(self.panels.format, self.rows);
        let call = self.call(isa, output, stride);
        call.dispatch(Plan { call });
    }

    /// The same by one inner loop and on this thread alone, to be timed. Not for products of nothing.
    pub(super) fn run_alone(&self, isa: Isa, output: &mut [f32], stride: usize) {
        let call = self.call(isa, output, stride);
        call.dispatch(Block { call, rows: 0..self.rows, panels: self.range.clone() });
    }

    fn call(&self, isa: Isa, output: &mut [f32], stride: usize) -> Call<'_> {
        self.check(output.len(), stride);
        Call { product: self, isa, output: Output { values: output.as_mut_ptr(), stride } }
    }

    /// What the unsafe writes rely on.
    fn check(&self, length: usize, stride: usize) {
        assert!(self.range.end <= self.panels.count(), "panels out of range");
        let base = self.panels.columns(self.range.start).start;
        let width = self.range.clone().map(|index| self.panels.columns(index).end).max().unwrap_or(base) - base;
        assert!(width <= stride && (self.rows - 1) * stride + width <= length, "the output is too small");
        let needed = (self.rows - 1) * self.input.stride + self.panels.inputs();
        assert!(needed <= self.input.values.len(), "the input is too small");
        assert!(self.norm.is_none_or(|norm| norm.weight.len() == self.panels.inputs()), "the norm has another width");
    }
}

/// Splits a product into tasks.
struct Plan<'p> {
    call: Call<'p>,
}

impl Work for Plan<'_> {
    fn run<M: Micro>(self) {
        let Self { call } = self;
        let product = call.product;
        let threads = rayon::current_num_threads();
        let row_bytes = 4 * M::words(product.panels.inputs());
        let most = (M::BLOCK_BYTES / row_bytes / M::ROWS).max(1) * M::ROWS;
        if product.rows <= most {
            return shared::<M>(call, threads);
        }
        // As many blocks for each thread as for the others, unless they become too small for that.
        let blocks = product.rows.div_ceil(most).next_multiple_of(threads).min(product.rows.div_ceil(2 * M::ROWS));
        let wanted = (TASKS * threads).div_ceil(blocks);
        let groups = wanted.min(product.range.len() / LEAST_PANELS).max(1);
        let rows = product.rows;
        (0..blocks * groups).into_par_iter().with_max_len(1).for_each(|task| {
            let (block, group) = (task / groups, task % groups);
            // Only the last tile may be a part of one.
            let start = |block: usize| (block * rows / blocks).next_multiple_of(M::ROWS).min(rows);
            let rows = start(block)..start(block + 1);
            call.dispatch(Block { call, rows, panels: share(&product.range, group, groups) });
        });
    }
}

fn share(range: &Range<usize>, index: usize, count: usize) -> Range<usize> {
    range.start + index * range.len() / count..range.start + (index + 1) * range.len() / count
}

/// All rows packed once, then the panels shared out.
fn shared<M: Micro>(call: Call, threads: usize) {
    let product = call.product;
    let inputs = product.panels.inputs();
    let mut scratch = Scratch::take(Packed::size::<M>(product.rows, inputs));
    let buffer = scratch.words();
    let work = product.rows * inputs * product.range.len() * WIDTH;
    let parts: Vec<_> = Packed::split::<M>(buffer, product.rows, inputs).collect();
    let fill = |(rows, words, scales): (Range<usize>, &mut [u32], &mut [u32])| {
        call.dispatch(Fill { product, rows, words, scales });
    };
    if threads == 1 || product.rows * inputs < SMALL / 16 {
        parts.into_iter().for_each(fill);
    } else {
        parts.into_par_iter().for_each(fill);
    }
    let packed = &*buffer;
    let multiply = |panels: Range<usize>| call.dispatch(Multiply { call, rows: 0..product.rows, panels, packed });
    if threads == 1 || work < SMALL {
        return multiply(product.range.clone());
    }
    let tasks = (4 * threads).min(product.range.len());
    (0..tasks).into_par_iter().with_max_len(1).for_each(|task| multiply(share(&product.range, task, tasks)));
}

/// Layout of packed rows: all tiles' words, then all tiles' scales.
pub(super) struct Packed;

impl Packed {
    pub(super) fn size<M: Micro>(rows: usize, inputs: usize) -> usize {
        padded(M::room(rows) * M::words(inputs)) + padded(rows * M::FORMAT.groups(inputs))
    }

    fn split<M: Micro>(
        mut buffer: &mut [u32],
        rows: usize,
        inputs: usize,
    ) -> impl Iterator<Item = (Range<usize>, &mut [u32], &mut [u32])> {
        let (steps, groups) = (M::words(inputs), M::FORMAT.groups(inputs));
        let mut words = cut(&mut buffer, M::room(rows) * steps);
        let mut scales = cut(&mut buffer, rows * groups);
        tiles::<M>(rows).map(move |rows| {
            let (tile_words, rest) = std::mem::take(&mut words).split_at_mut(M::room(rows.len()) * steps);
            let (tile_scales, scales_rest) = std::mem::take(&mut scales).split_at_mut(rows.len() * groups);
            (words, scales) = (rest, scales_rest);
            (rows, tile_words, tile_scales)
        })
    }
}

/// Packs one tile.
struct Fill<'p> {
    product: &'p Product<'p>,
    rows: Range<usize>,
    words: &'p mut [u32],
    scales: &'p mut [u32],
}

impl Work for Fill<'_> {
    #[inline(always)]
    fn run<M: Micro>(self) {
        let Self { product, rows, words, scales } = self;
        let inputs = product.panels.inputs();
        let mut scratch = Scratch::take(pack_scratch::<M>(inputs));
        pack::<M>(product.input, rows, inputs, product.norm, (words, scales), scratch.words());
    }
}

/// Packs a block of rows and multiplies it.
struct Block<'p> {
    call: Call<'p>,
    rows: Range<usize>,
    panels: Range<usize>,
}

impl Work for Block<'_> {
    #[inline(always)]
    fn run<M: Micro>(self) {
        let Self { call, rows, panels } = self;
        let product = call.product;
        let inputs = product.panels.inputs();
        let size = Packed::size::<M>(rows.len(), inputs);
        let mut buffer = Scratch::take(size + pack_scratch::<M>(inputs));
        let (packed, scratch) = buffer.words().split_at_mut(size);
        for (tile, words, scales) in Packed::split::<M>(packed, rows.len(), inputs) {
            let tile = rows.start + tile.start..rows.start + tile.end;
            pack::<M>(product.input, tile, inputs, product.norm, (words, scales), scratch);
        }
        Multiply { call, rows, panels, packed }.run::<M>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Arrangement, Format, Loops};

    /// Values between -1 and 1.
    pub(crate) fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    struct Case {
        rows: usize,
        inputs: usize,
        parts: Vec<usize>,
    }

    fn cases() -> Vec<Case> {
        let mut cases: Vec<Case> =
            (1..=40).map(|rows| Case { rows, inputs: 1 + rows * 11 % 67, parts: vec![1 + rows * 7 % 90] }).collect();
        cases.push(Case { rows: 13, inputs: 300, parts: vec![48, 16, 16] });
        cases.push(Case { rows: 9, inputs: 257, parts: vec![33, 70] });
        cases.push(Case { rows: 30, inputs: 1024, parts: vec![512] });
        // More rows than a block holds.
        cases.push(Case { rows: 700, inputs: 515, parts: vec![100] });
        cases.push(Case { rows: 131, inputs: 3071, parts: vec![40] });
        cases
    }

    /// What activations and weights become in a format, as f32.
    fn rounded(values: &[f32], format: Format, width: usize) -> Vec<f32> {
        let group = |group: &[f32]| -> Vec<f32> {
            // To the bit: a value between two whole numbers must fall to the same side.
            let most = group.iter().fold(0f32, |most, x| most.max(x.abs()));
            group.iter().map(|x| (x * (127.0 / most)).round_ties_even() * (most / 127.0)).collect()
        };
        match format {
            Format::F32 => values.to_vec(),
            Format::Bf16 => values.iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect(),
            Format::Int8 => values.chunks(width).flat_map(|row| row.chunks(128).flat_map(group)).collect(),
        }
    }

    /// By the definition, in f64, and the largest sum of absolute products.
    fn naive(x: &[f32], w: &[f32], rows: usize, inputs: usize) -> (Vec<f64>, f64) {
        let mut most = 0f64;
        let mut out = Vec::new();
        for x in x.chunks_exact(inputs).take(rows) {
            for w in w.chunks_exact(inputs) {
                let products = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w));
                most = most.max(products.clone().map(f64::abs).sum());
                out.push(products.sum());
            }
        }
        (out, most)
    }

    fn product(case: &Case, isa: Isa, format: Format) {
        let Case { rows, inputs, parts } = case;
        let (rows, inputs, outputs) = (*rows, *inputs, parts.iter().sum::<usize>());
        let (x, w) = (noise(rows * inputs, 1), noise(outputs * inputs, 2));
        let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * inputs..][..inputs]);
        let panels = Panels::pack(Loops::Of(isa), format, inputs, Arrangement::parts(parts), read);
        // Where the machine multiplies the format itself, activations are rounded to it as well.
        let native = format != Format::F32 && isa.takes(format);
        let used = if native { rounded(&x, format, inputs) } else { x.clone() };
        let (expected, most) = naive(&used, &rounded(&w, format, inputs), rows, inputs);
        let stride = outputs + 3;
        let mut out = vec![7f32; rows * stride];
        let input = View { values: &x, stride: inputs };
        let range = 0..panels.count();
        let product = Product { input, rows, norm: None, panels: &panels, range, finish: Finish::Store };
        product.run(&mut out, stride);
        let compare = |out: &[f32], times: f64| {
            for (row, out) in out.chunks_exact(stride).enumerate() {
                for (column, out) in out[..outputs].iter().enumerate() {
                    let off = (f64::from(*out) - times * expected[row * outputs + column]).abs();
                    assert!(
                        off < 2e-6 * most + 1e-6,
                        "{isa} {format:?} {rows}x{inputs}x{parts:?} at {row}, {column}: off by {off}"
                    );
                }
                assert_eq!(out[outputs..], [7.0; 3], "{isa} {format:?}: wrote beyond the row");
            }
        };
        compare(&out, 1.0);
        Product { finish: Finish::Add, range: 0..panels.count(), ..product }.run(&mut out, stride);
        compare(&out, 2.0);
    }

    #[test]
    fn products_equal_the_definition_on_every_instruction_set() {
        for isa in Isa::available() {
            for format in [Format::F32, Format::Bf16, Format::Int8] {
                cases().iter().for_each(|case| product(case, isa, format));
            }
        }
    }

    #[test]
    fn rows_do_not_depend_on_their_neighbours() {
        let (inputs, outputs, rows) = (200, 70, 50);
        let (x, w) = (noise(rows * inputs, 3), noise(outputs * inputs, 4));
        for isa in Isa::available() {
            for format in [Format::F32, Format::Bf16, Format::Int8] {
                let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * inputs..][..inputs]);
                let panels = Panels::pack(Loops::Of(isa), format, inputs, Arrangement::parts(&[outputs]), read);
                let run = |x: &[f32], rows: usize| {
                    let mut out = vec![0f32; rows * outputs];
                    let input = View { values: x, stride: inputs };
                    let range = 0..panels.count();
                    Product { input, rows, norm: None, panels: &panels, range, finish: Finish::Store }
                        .run(&mut out, outputs);
                    out
                };
                let all = run(&x, rows);
                for row in [0, 17, 49] {
                    assert_eq!(
                        run(&x[row * inputs..][..inputs], 1),
                        all[row * outputs..][..outputs],
                        "{isa} {format:?}"
                    );
                }
            }
        }
    }

    /// Whole numbers are summed exactly, and scaled in one order: tiles give what vectors give, bit for bit.
    #[test]
    fn int8_is_the_same_in_tiles() {
        if Isa::detect() < Isa::Amx {
            return;
        }
        for (rows, inputs, outputs) in [(1, 64, 32), (16, 300, 70), (33, 1024, 96), (100, 1155, 40), (700, 2050, 33)] {
            let (x, w) = (noise(rows * inputs, 10), noise(outputs * inputs, 11));
            let run = |isa: Isa| {
                let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * inputs..][..inputs]);
                let parts = Arrangement::parts(&[outputs]);
                let panels = Panels::pack(Loops::Of(isa), Format::Int8, inputs, parts, read);
                let mut out = vec![0f32; rows * outputs];
                let input = View { values: &x, stride: inputs };
                let range = 0..panels.count();
                Product { input, rows, norm: None, panels: &panels, range, finish: Finish::Store }
                    .run(&mut out, outputs);
                out
            };
            assert_eq!(run(Isa::Avx512Vnni), run(Isa::Amx), "{rows} x {inputs} x {outputs}");
        }
    }

    /// An output too large for the caches is written past them, whatever columns it has.
    #[test]
    fn large_outputs_equal_small_ones() {
        let (rows, inputs, parts) = (1500, 40, [2048, 33, 800]);
        let outputs = parts.iter().sum::<usize>();
        let (x, w) = (noise(rows * inputs, 12), noise(outputs * inputs, 13));
        for format in [Format::Bf16, Format::Int8] {
            let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * inputs..][..inputs]);
            let panels = Panels::pack(Loops::Of(Isa::detect()), format, inputs, Arrangement::parts(&parts), read);
            let run = |rows: Range<usize>| {
                let mut out = vec![0f32; rows.len() * outputs];
                let input = View { values: &x[rows.start * inputs..], stride: inputs };
                let range = 0..panels.count();
                let rows = rows.len();
                Product { input, rows, norm: None, panels: &panels, range, finish: Finish::Store }
                    .run(&mut out, outputs);
                out
            };
            let all = run(0..rows);
            for row in [0, 511, 512, 1499] {
                assert!(all[row * outputs..][..outputs] == run(row..row + 1), "{format:?} at {row}");
            }
        }
    }

    #[test]
    fn norms_and_gates_equal_their_definition() {
        let (inputs, half) = (131, 41);
        let w = noise(2 * half * inputs, 5);
        let weight: Vec<f32> = noise(inputs, 6).iter().map(|x| x + 1.5).collect();
        let epsilon = 1e-6;
        for (isa, rows) in Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 29), (isa, 900)]) {
            let x = noise(rows * inputs, 7);
            let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * inputs..][..inputs]);
            let panels = Panels::pack(Loops::Of(isa), Format::F32, inputs, Arrangement::gated(half), read);
            let mut out = vec![0f32; rows * half];
            let norm = Some(Norm { weight: &weight, epsilon });
            let input = View { values: &x, stride: inputs };
            let range = 0..panels.count();
            Product { input, rows, norm, panels: &panels, range, finish: Finish::Gate }.run(&mut out, half);
            let normed: Vec<f32> = x
                .chunks(inputs)
                .flat_map(|row| {
                    let mean = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / inputs as f64;
                    let factor = 1.0 / (mean + f64::from(epsilon)).sqrt();
                    row.iter().zip(&weight).map(move |(x, w)| (f64::from(*x) * factor * f64::from(*w)) as f32)
                })
                .collect();
            let (sums, most) = naive(&normed, &w, rows, inputs);
            for (index, out) in out.iter().enumerate() {
                let (row, column) = (index / half, index % half);
                let (gate, value) = (sums[row * 2 * half + column], sums[row * 2 * half + half + column]);
                let expected = gate / (1.0 + (-gate).exp()) * value;
                let off = (f64::from(*out) - expected).abs();
                assert!(off < 1e-5 * most, "{isa}, {rows} rows, at {row}, {column}: {out}, expected {expected}");
            }
        }
    }

    #[test]
    fn parts_are_computed_by_themselves() {
        let (rows, inputs, parts) = (5, 40, [48, 20]);
        let (x, w) = (noise(rows * inputs, 8), noise(68 * inputs, 9));
        let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * inputs..][..inputs]);
        let panels = Panels::pack(Loops::Fastest, Format::F32, inputs, Arrangement::parts(&parts), read);
        let run = |range: Range<usize>, width: usize| {
            let mut out = vec![0f32; rows * width];
            let input = View { values: &x, stride: inputs };
            Product { input, rows, norm: None, panels: &panels, range, finish: Finish::Store }.run(&mut out, width);
            out
        };
        let at = Arrangement::panels_of(parts[0]);
        let (all, first, second) = (run(0..panels.count(), 68), run(0..at, 48), run(at..panels.count(), 20));
        for row in 0..rows {
            assert_eq!(all[row * 68..][..48], first[row * 48..][..48]);
            assert_eq!(all[row * 68 + 48..][..20], second[row * 20..][..20]);
        }
    }
}
