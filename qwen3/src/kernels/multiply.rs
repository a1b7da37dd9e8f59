//! The inner part of a product: packed rows times panels, and what becomes of the sums.
#![expect(unsafe_code, reason = "threads write disjoint parts of one output")]

use std::ops::Range;

use super::{
    aligned::{Scratch, padded},
    gemm::{Call, Finish},
    lanes,
    micro::{Format, GROUP_STEPS, Micro, Panel, Start, Target, Tile, Touch, UNROLLED_ROWS, WIDTH, Work},
    tiles::tiles,
};

/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes of a panel's step.
const PANEL_BYTES: usize = 4 * WIDTH;
/// An output of more bytes than this is not read again before it has left the caches.
const FAR: usize = 16 << 20;

/// Packed rows times panels.
pub(super) struct Multiply<'p> {
    pub(super) call: Call<'p>,
    /// Of the product, those that are packed.
    pub(super) rows: Range<usize>,
    pub(super) panels: Range<usize>,
    pub(super) packed: &'p [u32],
}

impl Work for Multiply<'_> {
    #[inline(always)]
    fn run<M: Micro>(self) {
        let _guard = M::enter();
        if M::FORMAT != self.call.product.panels.format {
            self.expanded::<M>();
        } else if M::HOLDS {
            self.by_parts::<M>();
        } else {
            self.one_by_one::<M>();
        }
    }
}

impl Multiply<'_> {
    /// Panels as they are.
    #[inline(always)]
    fn one_by_one<M: Micro>(&self) {
        let panels = self.call.product.panels;
        for index in self.panels.clone() {
            let panel = panels.panel(index);
            let ahead = self.next(index).words.cast();
            let ahead_bytes = PANEL_BYTES.div_ceil(tiles::<M>(self.rows.len()).len());
            self.panel::<M>(index, Panel { ahead, ahead_bytes, ..panel });
        }
    }

    /// Panels as f32, for an inner loop that does not take their format.
    #[inline(always)]
    fn expanded<M: Micro>(&self) {
        debug_assert_eq!(M::FORMAT, Format::F32);
        let panels = self.call.product.panels;
        let mut scratch = Scratch::take(panels.inputs * WIDTH);
        let buffer = scratch.words();
        for index in self.panels.clone() {
            panels.expand(index, bytemuck::cast_slice_mut(buffer));
            let panel = Panel { words: buffer.as_ptr(), steps: panels.inputs, ..panels.panel(index) };
            self.panel::<M>(index, panel);
        }
    }

    /// The panel that is needed after another.
    #[inline(always)]
    fn next(&self, index: usize) -> Panel {
        self.call.product.panels.panel(if index + 1 < self.panels.end { index + 1 } else { index })
    }

    /// Where a row's outputs of a panel begin.
    #[inline(always)]
    fn output(&self, row: usize, index: usize) -> *mut f32 {
        let panels = self.call.product.panels;
        let column = panels.columns(index).start - panels.columns(self.call.product.range.start).start;
        self.call.output.values.wrapping_add((self.rows.start + row) * self.call.output.stride + column)
    }

    /// All rows times one panel; on the way, the next panel comes closer.
    #[inline(always)]
    fn panel<M: Micro>(&self, index: usize, mut panel: Panel) {
        let columns = self.call.product.panels.columns(index);
        let direct = self.call.product.finish == Finish::Store && columns.len() == WIDTH;
        let mut buffer = [0f32; UNROLLED_ROWS * WIDTH];
        for rows in tiles::<M>(self.rows.len()) {
            let tile = self.tile::<M>(&rows, 0);
            let out = self.output(rows.start, index);
            // SAFETY: `Product::check` saw that the output holds every row and column of the product; the packed rows
            // and the panel are as long as the slices they were taken from; `dispatch` chose M by what the machine has.
            unsafe {
                if direct {
                    let target = Target::new(out, self.call.output.stride);
                    M::tile_of(rows.len(), tile, panel, target, Start::Zero);
                } else {
                    let target = Target::new(buffer.as_mut_ptr(), WIDTH);
                    M::tile_of(rows.len(), tile, panel, target, Start::Zero);
                    for (row, sums) in buffer.as_chunks::<WIDTH>().0[..rows.len()].iter().enumerate() {
                        let out = out.add(row * self.call.output.stride);
                        finish(self.call.product.finish, sums, std::slice::from_raw_parts_mut(out, columns.len()));
                    }
                }
            }
            panel.ahead = panel.ahead.wrapping_add(panel.steps * panel.ahead_bytes);
        }
    }

    /// Panel by panel, each part by part. What a tile of rows gave goes out while it is in the first level cache.
    #[inline(always)]
    fn by_parts<M: Micro>(&self) {
        let mut scratch = Scratch::take(M::room(self.rows.len()) * WIDTH);
        let sums: &mut [f32] = bytemuck::cast_slice_mut(scratch.words());
        for index in self.panels.clone() {
            self.sweep::<M>(index, sums);
        }
    }

    /// All rows with one panel; on the way, the next panel and the lines of the output come closer.
    #[inline(always)]
    fn sweep<M: Micro>(&self, index: usize, sums: &mut [f32]) {
        let panels = self.call.product.panels;
        let (panel, steps) = (panels.panel(index), M::words(panels.inputs));
        let mut ahead = self.next(index).words.cast::<u8>();
        let ahead_bytes = PANEL_BYTES.div_ceil(tiles::<M>(self.rows.len()).len());
        let far = self.is_far::<M>(index);
        for begin in (0..steps).step_by(M::DEPTH) {
            let part = begin..steps.min(begin.saturating_add(M::DEPTH));
            let start = if begin == 0 { Start::Zero } else { Start::Held };
            let is_last = part.end == steps;
            for rows in tiles::<M>(self.rows.len()) {
                let part = Panel { ahead, ahead_bytes, ..panel.part(part.clone()) };
                let sums = &mut sums[rows.start * WIDTH..][..M::room(rows.len()) * WIDTH];
                let out = self.output(rows.start, index);
                let touched = if is_last && !far { rows.len() } else { 0 };
                let touch = Touch { lines: out.cast(), stride: 4 * self.call.output.stride, rows: touched };
                let target = Target { values: sums.as_mut_ptr(), stride: WIDTH, touch };
                // SAFETY: packed rows, panel and sums are as long as the slices they were taken from; `dispatch` chose M
                // by what the machine has.
                unsafe { M::tile_of(rows.len(), self.tile::<M>(&rows, begin), part, target, start) };
                ahead = ahead.wrapping_add(part.steps * ahead_bytes);
                if is_last {
                    self.put::<M>(index, &sums[..rows.len() * WIDTH], out, far);
                }
            }
        }
    }

    /// Whether the output is not read again before it has left the caches, and can be written past them.
    #[inline(always)]
    fn is_far<M: Micro>(&self, index: usize) -> bool {
        let product = self.call.product;
        let bytes = 4 * self.call.output.stride;
        let lines = bytes.is_multiple_of(LINE) && self.output(0, index).addr().is_multiple_of(LINE);
        product.finish == Finish::Store
            && product.rows * bytes > FAR
            && lines
            && product.panels.columns(index).len() == WIDTH
    }

    /// Sums of rows with a panel to where they belong.
    #[inline(always)]
    fn put<M: Micro>(&self, index: usize, sums: &[f32], out: *mut f32, far: bool) {
        let product = self.call.product;
        let columns = product.panels.columns(index).len();
        for (row, sums) in sums.as_chunks::<WIDTH>().0.iter().enumerate() {
            let out = out.wrapping_add(row * self.call.output.stride);
            // SAFETY: `Product::check` saw that the output holds every row and column of the product.
            unsafe {
                if far {
                    M::store_far(sums, out);
                } else {
                    finish(product.finish, sums, std::slice::from_raw_parts_mut(out, columns));
                }
            }
        }
    }

    /// Packed rows (of the block) from step `begin` on, where a group begins.
    #[inline(always)]
    fn tile<M: Micro>(&self, rows: &Range<usize>, begin: usize) -> Tile {
        let inputs = self.call.product.panels.inputs;
        let (steps, groups) = (M::words(inputs), M::FORMAT.groups(inputs));
        let (words, scales) = self.packed.split_at(padded(M::room(self.rows.len()) * steps));
        let scales: &[f32] = bytemuck::cast_slice(scales);
        let group = if groups > 0 { begin / GROUP_STEPS } else { 0 };
        Tile {
            words: words[rows.start * steps + begin * M::room(rows.len())..].as_ptr(),
            scales: scales[rows.start * groups + group * rows.len()..].as_ptr(),
        }
    }
}

#[inline(always)]
fn finish(finish: Finish, sums: &[f32; WIDTH], out: &mut [f32]) {
    match finish {
        Finish::Store => store(sums, out),
        Finish::Add => match <&mut [f32; WIDTH]>::try_from(&mut *out) {
            Ok(out) => add(sums, out),
            Err(_) => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
        },
        Finish::Gate => {
            let (gates, values) = sums.split_at(WIDTH / 2);
            let mut products = [0f32; WIDTH / 2];
            for ((product, gate), value) in products.iter_mut().zip(gates).zip(values) {
                *product = lanes::silu(*gate) * value;
            }
            store(&products, out);
        }
    }
}

// Nearly all panels are full: a length that the compiler knows becomes a few vector instructions.

#[inline(always)]
fn store<const N: usize>(values: &[f32; N], out: &mut [f32]) {
    match <&mut [f32; N]>::try_from(&mut *out) {
        Ok(out) => *out = *values,
        Err(_) => out.copy_from_slice(&values[..out.len()]),
    }
}

#[inline(always)]
fn add(sums: &[f32; WIDTH], out: &mut [f32; WIDTH]) {
    let mut totals = *out;
    totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    *out = totals;
}
