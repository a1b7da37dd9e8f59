//! The inner loop with the tile unit (AMX) over int8: tiles of sums in i32 within a group, in f32 across groups.
#![expect(unsafe_code, reason = "instructions without intrinsics in stable Rust; tests compare with plain Rust")]

use std::{
    arch::{asm, x86_64::*},
    mem::MaybeUninit,
};

use super::{
    amx::{BLOCK_BYTES, DEPTH, PANEL_STRIDE, Sweep, TILE_STRIDE, lay_out, stream},
    micro::{Format, GROUP, GROUP_STEPS, Micro, Panel, Start, Target, Tile, WIDTH},
    tile_unit::{Configured, TILE_ROWS, TILE_WORDS},
};

/// Over 8-bit integers with scales, summed in i32 within a group and in f32 across groups.
pub(super) struct Int8Tiles;

/// One group of 17 to 32 rows of int8, summed in i32.
///
/// # Safety
/// As the loops over bf16; `sums` become i32.
#[inline(always)]
unsafe fn int8_two(sweep: Sweep) {
    // SAFETY: as there.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloaddt1 tmm4, [{tile} + {row}]",
            "tileloadd tmm6, [{panel} + 2*{row}]",
            "tileloadd tmm7, [{panel} + 2*{row} + 64]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tdpbssd tmm1, tmm4, tmm7",
            "tileloaddt1 tmm5, [{tile} + {row} + 1024]",
            "tdpbssd tmm2, tmm5, tmm6",
            "tdpbssd tmm3, tmm5, tmm7",
            "add {tile}, 2048",
            "add {panel}, 2048",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{sums} + 2*{row}], tmm0",
            "tilestored [{sums} + 2*{row} + 64], tmm1",
            "tilestored [{sums} + 2*{row} + 2048], tmm2",
            "tilestored [{sums} + 2*{row} + 2112], tmm3",
            tile = inout(reg) sweep.tile => _,
            panel = inout(reg) sweep.panel => _,
            blocks = inout(reg) sweep.blocks => _,
            sums = in(reg) sweep.sums,
            row = in(reg) TILE_STRIDE,
            out("tmm0") _,
            out("tmm1") _,
            out("tmm2") _,
            out("tmm3") _,
            out("tmm4") _,
            out("tmm5") _,
            out("tmm6") _,
            out("tmm7") _,
            options(nostack),
        );
    }
}

/// One group of up to 16 rows of int8, summed in i32.
///
/// # Safety
/// As [`int8_two`], with 16 for the 32 rows.
#[inline(always)]
unsafe fn int8_one(sweep: Sweep) {
    // SAFETY: as there.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm4, [{tile} + {row}]",
            "tileloadd tmm6, [{panel} + 2*{row}]",
            "tileloadd tmm7, [{panel} + 2*{row} + 64]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tdpbssd tmm1, tmm4, tmm7",
            "add {tile}, 1024",
            "add {panel}, 2048",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{sums} + 2*{row}], tmm0",
            "tilestored [{sums} + 2*{row} + 64], tmm1",
            tile = inout(reg) sweep.tile => _,
            panel = inout(reg) sweep.panel => _,
            blocks = inout(reg) sweep.blocks => _,
            sums = in(reg) sweep.sums,
            row = in(reg) TILE_STRIDE,
            out("tmm0") _,
            out("tmm1") _,
            out("tmm4") _,
            out("tmm6") _,
            out("tmm7") _,
            options(nostack),
        );
    }
}

/// Sums of one group, of all rows of two tiles.
#[repr(C, align(64))]
struct GroupSums([i32; 2 * TILE_ROWS * WIDTH]);

impl Micro for Int8Tiles {
    type Guard = Configured;
    const ROWS: usize = 2 * TILE_ROWS;
    const FORMAT: Format = Format::Int8;
    const GRAIN: usize = TILE_ROWS;
    const HOLDS: bool = true;
    const DEPTH: usize = DEPTH;
    const BLOCK_BYTES: usize = BLOCK_BYTES;

    #[inline(always)]
    fn enter() -> Configured {
        Configured::new()
    }

    /// Each group of 128 values becomes whole numbers from -127 to 127.
    #[inline(always)]
    fn encode(row: &[f32], words: &mut [u32], scales: &mut [f32]) {
        for ((group, words), scale) in row.chunks(GROUP).zip(words.chunks_mut(GROUP_STEPS)).zip(scales) {
            // Values are compared as bits: of absolute values the order is the same, and NaN comes out on top.
            let most = group.iter().fold(0u32, |most, x| most.max(x.to_bits() & 0x7fff_ffff));
            let most = f32::from_bits(most);
            *scale = most / 127.0;
            let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
            let (chunks, rest) = group.as_chunks::<16>();
            let (out, out_rest) = bytes.split_at_mut(chunks.len() * 16);
            for (chunk, out) in chunks.iter().zip(out.as_chunks_mut::<16>().0) {
                // SAFETY: 16 values in, 16 bytes out.
                unsafe {
                    let scaled = _mm512_mul_ps(_mm512_loadu_ps(chunk.as_ptr()), _mm512_set1_ps(inverse));
                    _mm_storeu_si128(out.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(scaled)));
                }
            }
            out_rest.fill(0);
            for (x, out) in rest.iter().zip(out_rest) {
                *out = ((x * inverse).round_ties_even() as i8).cast_unsigned();
            }
        }
    }

    fn encode_across(_rows: [&[f32]; 2], _words: &mut [u32]) {
        unreachable!("only products with stored weights are computed in int8");
    }

    #[inline(always)]
    unsafe fn store_far(sums: &[f32; WIDTH], out: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { stream(sums, out) };
    }

    #[inline(always)]
    fn arrange(rows: &[u32], stride: usize, count: usize, steps: usize, out: &mut [u32]) {
        lay_out(rows, stride, count, steps, out);
    }

    /// While one group's tiles are multiplied, the sums of the one before become f32.
    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, start: Start) {
        let mut buffers = MaybeUninit::<[GroupSums; 2]>::uninit();
        let buffers = buffers.as_mut_ptr().cast::<GroupSums>();
        let groups = panel.steps.div_ceil(GROUP_STEPS);
        let room = rows.next_multiple_of(TILE_ROWS);
        for group in 0..=groups {
            // SAFETY: the caller's promise; two buffers in turn, each written before it is read.
            unsafe {
                if group < groups {
                    let done = group * GROUP_STEPS;
                    let steps = GROUP_STEPS.min(panel.steps - done);
                    let sweep = Sweep {
                        tile: tile.words.add(done * room),
                        panel: panel.words.add(done * WIDTH),
                        blocks: steps / TILE_WORDS,
                        ahead: panel.ahead,
                        lines: 0,
                        sums: buffers.add(group % 2).cast(),
                        stride: PANEL_STRIDE,
                        touch: target.touch,
                        touched: 0,
                    };
                    if rows > TILE_ROWS {
                        int8_two(sweep);
                    } else {
                        int8_one(sweep);
                    }
                    for byte in (done * panel.ahead_bytes..(done + steps) * panel.ahead_bytes).step_by(64) {
                        _mm_prefetch::<_MM_HINT_T1>(panel.ahead.wrapping_add(byte).cast());
                    }
                }
                if let Some(group) = group.checked_sub(1) {
                    let held = if group == 0 { start } else { Start::Held };
                    let scales = (tile.scales.add(group * rows), panel.scales.add(group * WIDTH));
                    add_group(buffers.add(group % 2).cast(), rows, scales, target, held);
                }
            }
        }
    }
}

/// Scales a group's sums and adds them to the target.
///
/// # Safety
/// `rows` rows of 32 sums, with a scale for each row and 32 at a cache line for the outputs; the target has room.
#[inline(always)]
unsafe fn add_group(
    sums: *const i32,
    rows: usize,
    (row_scales, scales): (*const f32, *const f32),
    target: Target,
    start: Start,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let by = [_mm512_load_ps(scales), _mm512_load_ps(scales.add(16))];
        for row in 0..rows {
            let x = _mm512_set1_ps(*row_scales.add(row));
            for (half, by) in by.iter().enumerate() {
                let out = target.values.add(row * target.stride + 16 * half);
                let sum = _mm512_load_si512(sums.add(row * WIDTH + 16 * half).cast());
                let sum = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), *by);
                let before = if start == Start::Zero { _mm512_setzero_ps() } else { _mm512_loadu_ps(out) };
                _mm512_storeu_ps(out, _mm512_fmadd_ps(sum, x, before));
            }
        }
    }
}
