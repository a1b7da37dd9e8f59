//! The inner loop in plain Rust, over f32: the reference for the others, and the one of processors that have none.
#![expect(unsafe_code, reason = "reads operands through the pointers that all inner loops share")]

use super::micro::{Format, Micro, Panel, Start, Target, Tile, Unrolled, WIDTH};

pub(super) struct Portable;

/// Outputs computed at once: more sums than that leave the registers of most processors.
const HALF: usize = WIDTH / 2;

impl Micro for Portable {
    type Guard = ();
    const ROWS: usize = 4;
    const FORMAT: Format = Format::F32;

    #[inline(always)]
    fn enter() {}

    #[inline(always)]
    fn encode(row: &[f32], words: &mut [u32], _scales: &mut [f32]) {
        words.copy_from_slice(bytemuck::cast_slice(row));
    }

    #[inline(always)]
    fn encode_across([row, _]: [&[f32]; 2], words: &mut [u32]) {
        words.copy_from_slice(bytemuck::cast_slice(row));
    }

    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, _start: Start) {
        // SAFETY: the caller's promise; nothing is held.
        unsafe { Self::unrolled(rows, tile, panel, target) };
    }
}

impl Unrolled for Portable {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        for half in [0, HALF] {
            let mut sums = [[0f32; HALF]; R];
            for step in 0..panel.steps {
                // SAFETY: step < steps; a tile has R words a step, a panel 32.
                let (a, w) = unsafe {
                    let a = &*tile.words.add(step * R).cast::<[f32; R]>();
                    (a, &*panel.words.add(step * WIDTH + half).cast::<[f32; HALF]>())
                };
                for (sums, a) in sums.iter_mut().zip(a) {
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum += a * w;
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                // SAFETY: the target has R rows of 32 values.
                unsafe { target.values.add(row * target.stride + half).cast::<[f32; HALF]>().write_unaligned(*sums) };
            }
        }
    }
}
