//! A weight matrix packed for the inner loops: panels of 32 outputs, each a stream of words in the order in which they
//! are needed. Built row by row from wherever the weights lie: no unpacked copy of the matrix is ever held.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::{
    aligned::Aligned,
    loops::Loops,
    micro::{Format, GROUP, GROUP_STEPS, PANEL_GRAIN, Panel, WIDTH},
    tiles::interleave,
};

/// Which row of the matrix stands where.
pub(crate) struct Arrangement {
    slots: Vec<[Option<usize>; WIDTH]>,
    columns: Vec<Range<usize>>,
}

impl Arrangement {
    /// Rows in order; a new panel begins where a part of the given numbers of rows does, so that parts can be used by
    /// themselves.
    pub(crate) fn parts(rows: &[usize]) -> Self {
        let (mut slots, mut columns) = (Vec::new(), Vec::new());
        let mut base = 0;
        for rows in rows {
            for start in (0..*rows).step_by(WIDTH) {
                let count = WIDTH.min(rows - start);
                slots.push(std::array::from_fn(|slot| (slot < count).then_some(base + start + slot)));
                columns.push(base + start..base + start + count);
            }
            base += rows;
        }
        Self { slots, columns }
    }

    /// `half` rows of gates, then as many of values: 16 gates and their 16 values share a panel, whose outputs are the
    /// 16 products.
    pub(crate) fn gated(half: usize) -> Self {
        const HALF: usize = WIDTH / 2;
        let panel = |start: usize| -> [Option<usize>; WIDTH] {
            std::array::from_fn(|slot| {
                let row = start + slot % HALF;
                (row < half).then_some(row + slot / HALF * half)
            })
        };
        let starts = (0..half).step_by(HALF);
        Self {
            slots: starts.clone().map(panel).collect(),
            columns: starts.map(|start| start..half.min(start + HALF)).collect(),
        }
    }

    /// Panels that hold `rows` rows starting a part.
    pub(crate) fn panels_of(rows: usize) -> usize {
        rows.div_ceil(WIDTH)
    }
}

/// The packed matrix.
pub(crate) struct Panels {
    pub(super) loops: Loops,
    pub(super) format: Format,
    pub(super) inputs: usize,
    steps: usize,
    /// Words of a panel.
    size: usize,
    groups: usize,
    words: Aligned,
    scales: Aligned,
    starts: Aligned,
    columns: Vec<Range<usize>>,
}

impl Panels {
    /// Packs a matrix of `inputs` columns, of which `read` gives row after row.
    pub(crate) fn pack(
        loops: Loops,
        format: Format,
        inputs: usize,
        arrangement: Arrangement,
        read: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Self {
        let (steps, groups) = (format.steps(inputs), format.groups(inputs));
        let size = steps.next_multiple_of(PANEL_GRAIN) * WIDTH;
        let count = arrangement.slots.len();
        // Chunks of zero length do not exist: formats without scales keep one unused line of them for each panel.
        let group_words = groups.max(1) * WIDTH;
        let mut words = Aligned::new(count * size);
        let mut scales = Aligned::new(count * group_words);
        let mut starts = Aligned::new(count * group_words);
        let panels = words.words_mut().par_chunks_mut(size);
        let panels = panels.zip(scales.words_mut().par_chunks_mut(group_words));
        let panels = panels.zip(starts.words_mut().par_chunks_mut(group_words)).zip(&arrangement.slots);
        let scratch = || (vec![0f32; inputs], vec![0u32; WIDTH * steps]);
        panels.for_each_init(scratch, |(row, encoded), (((words, scales), starts), slots)| {
            encoded.fill(0);
            for (slot, source) in slots.iter().enumerate() {
                let Some(source) = source else { continue };
                read(*source, row);
                let encoded = &mut encoded[slot * steps..][..steps];
                match format {
                    Format::F32 => encoded.copy_from_slice(bytemuck::cast_slice(row)),
                    Format::Bf16 => encode_bf16(row, encoded),
                    Format::Int8 => encode_int8(row, encoded, |group, scale, start| {
                        scales[group * WIDTH + slot] = scale.to_bits();
                        starts[group * WIDTH + slot] = start.cast_unsigned();
                    }),
                }
            }
            interleave(encoded, steps, WIDTH, steps, words);
        });
        Self { loops, format, inputs, steps, size, groups, words, scales, starts, columns: arrangement.columns }
    }

    /// A matrix of ones, to time products with.
    pub(super) fn ones(format: Format, inputs: usize, outputs: usize) -> Self {
        let (steps, groups) = (format.steps(inputs), format.groups(inputs));
        let size = steps.next_multiple_of(PANEL_GRAIN) * WIDTH;
        let columns = Arrangement::parts(&[outputs]).columns;
        let filled = |words: usize, word: u32| {
            let mut buffer = Aligned::new(columns.len() * words);
            buffer.words_mut().fill(word);
            buffer
        };
        let one = match format {
            Format::F32 => 1f32.to_bits(),
            Format::Bf16 => 0x3f80_3f80,
            Format::Int8 => 0x0101_0101,
        };
        let group_words = groups.max(1) * WIDTH;
        let (words, scales) = (filled(size, one), filled(group_words, 1f32.to_bits()));
        let starts = filled(group_words, (-128 * GROUP as i32).cast_unsigned());
        Self { loops: Loops::Fastest, format, inputs, steps, size, groups, words, scales, starts, columns }
    }

    /// Number of panels.
    pub(crate) fn count(&self) -> usize {
        self.columns.len()
    }

    /// Values in a row of activations.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output columns of a panel.
    pub(super) fn columns(&self, index: usize) -> Range<usize> {
        self.columns[index].clone()
    }

    /// What an inner loop over the format reads.
    pub(super) fn panel(&self, index: usize) -> Panel {
        let at = index * self.groups.max(1) * WIDTH;
        let words: &[u32] = &self.words.words()[index * self.size..][..self.size];
        let scales: &[f32] = bytemuck::cast_slice(&self.scales.words()[at..]);
        let starts: &[i32] = bytemuck::cast_slice(&self.starts.words()[at..]);
        Panel {
            words: words.as_ptr(),
            scales: scales.as_ptr(),
            starts: starts.as_ptr(),
            steps: self.steps,
            ahead: words.as_ptr().cast(),
            ahead_bytes: 0,
        }
    }

    /// A panel as f32, `[inputs][32]`, for inner loops that do not take the format.
    #[inline(always)]
    pub(super) fn expand(&self, index: usize, out: &mut [f32]) {
        let words = self.words.words()[index * self.size..][..self.steps * WIDTH].as_chunks::<WIDTH>().0;
        let out = out[..self.inputs * WIDTH].as_chunks_mut::<WIDTH>().0;
        match self.format {
            Format::F32 => out.copy_from_slice(bytemuck::cast_slice(words)),
            Format::Bf16 => {
                for (words, out) in words.iter().zip(out.chunks_mut(2)) {
                    for (row, out) in out.iter_mut().enumerate() {
                        for (word, out) in words.iter().zip(out) {
                            *out = f32::from_bits(if row == 0 { word << 16 } else { word & 0xffff_0000 });
                        }
                    }
                }
            }
            Format::Int8 => {
                let at = index * self.groups * WIDTH;
                let scales: &[f32] = bytemuck::cast_slice(&self.scales.words()[at..][..self.groups * WIDTH]);
                for (step, (words, out)) in words.iter().zip(out.chunks_mut(4)).enumerate() {
                    let scales = &scales[step / GROUP_STEPS * WIDTH..][..WIDTH];
                    for (row, out) in out.iter_mut().enumerate() {
                        for ((word, scale), out) in words.iter().zip(scales).zip(out) {
                            *out = scale * f32::from((word >> (8 * row)) as i8);
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn encode_bf16(row: &[f32], words: &mut [u32]) {
    let bits = |x: Option<&f32>| x.map_or(0, |x| u32::from(bf16::from_f32(*x).to_bits()));
    for (pair, word) in row.chunks(2).zip(words) {
        *word = bits(pair.first()) | bits(pair.get(1)) << 16;
    }
}

/// Hands out each group's scale and the sum that cancels the activations' offset of 128.
pub(super) fn encode_int8(row: &[f32], words: &mut [u32], mut group_of: impl FnMut(usize, f32, i32)) {
    const ROUND: f32 = 12_582_912.0;
    for (index, (group, words)) in row.chunks(GROUP).zip(words.chunks_mut(GROUP_STEPS)).enumerate() {
        let bits = group.iter().fold(0, |most: u32, x| most.max(x.to_bits() & 0x7fff_ffff));
        let most = f32::from_bits(bits);
        // A NaN among weights becomes the group's scale: it must not turn into a plausible number.
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let mut sum = 0;
        for (quad, word) in group.chunks(4).zip(words) {
            *word = 0;
            for (at, x) in quad.iter().enumerate() {
                // Adding 1.5 * 2^23 rounds to a whole number, ties to even, and leaves it in the low bits: without
                // SSE4.1 round_ties_even() would be a call for every weight.
                let whole = (x * inverse + ROUND).to_bits() as i8;
                sum += i32::from(whole);
                *word |= u32::from(whole.cast_unsigned()) << (8 * at);
            }
        }
        group_of(index, most / 127.0, -128 * sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;

    fn value(row: usize, column: usize) -> f32 {
        ((row * 31 + column * 7) % 41) as f32 - 20.0
    }

    #[test]
    fn expanding_gives_the_rows_back() {
        for (format, bound) in [(Format::F32, 0.0), (Format::Bf16, 0.0), (Format::Int8, 20.0 / 250.0)] {
            for (rows, inputs) in [(1, 1), (33, 7), (64, 130), (50, 261)] {
                let read = |row: usize, out: &mut [f32]| (0..inputs).for_each(|c| out[c] = value(row, c));
                let panels = Panels::pack(Loops::Of(Isa::Portable), format, inputs, Arrangement::parts(&[rows]), read);
                let mut out = vec![0f32; inputs * WIDTH];
                for index in 0..panels.count() {
                    panels.expand(index, &mut out);
                    for (slot, row) in panels.columns(index).enumerate() {
                        for c in 0..inputs {
                            let off = (out[c * WIDTH + slot] - value(row, c)).abs();
                            assert!(off <= bound, "{format:?} row {row} column {c}: off by {off}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn parts_begin_panels_and_gates_meet_their_values() {
        let parts = Arrangement::parts(&[40, 10]);
        assert_eq!(parts.columns, [0..32, 32..40, 40..50]);
        assert_eq!((parts.slots[1][7], parts.slots[1][8], parts.slots[2][0]), (Some(39), None, Some(40)));
        let gated = Arrangement::gated(20);
        assert_eq!(gated.columns, [0..16, 16..20]);
        assert_eq!(
            (gated.slots[0][1], gated.slots[0][17], gated.slots[1][19], gated.slots[1][4]),
            (Some(1), Some(21), Some(39), None)
        );
    }
}
