//! The inner loop with the tile unit (AMX) over bf16, and what that over int8 shares with it. Two by two tiles of sums,
//! 32 rows by 32 outputs, two tiles of activations and two of weights fill the eight registers.
//!
//! A panel of weights is as the vector loops read it: sixteen steps of 32 words are two tiles side by side, whose rows
//! are 128 bytes apart. Activations lie tile by tile, `[steps / 16][rows][16]` words.
#![expect(unsafe_code, reason = "instructions without intrinsics in stable Rust; tests compare with plain Rust")]

use std::arch::{asm, x86_64::*};

use super::{
    avx512::Bf16Dot,
    micro::{Format, Micro, Panel, Start, Target, Tile, Touch, WIDTH},
    tile_unit::{Configured, TILE_ROWS, TILE_WORDS},
};

/// Over bf16, summed in f32.
pub(super) struct Bf16Tiles;

/// Steps of a sweep over all rows: so much of a panel (32 KiB) stays in the first level cache meanwhile.
pub(super) const DEPTH: usize = 256;
/// Of the second level cache, 2 MiB on every processor that has the unit: sums, output and two panels lie there too.
pub(super) const BLOCK_BYTES: usize = 600 << 10;
/// Bytes from a row of a tile of weights to the next.
pub(super) const PANEL_STRIDE: usize = 4 * WIDTH;
/// Bytes from a row of a tile of activations to the next.
pub(super) const TILE_STRIDE: usize = 4 * TILE_WORDS;

/// Words of successive rows to `[steps / 16][rows][16]`; what is missing to sixteen is zero.
#[inline(always)]
pub(super) fn lay_out(rows: &[u32], stride: usize, count: usize, steps: usize, out: &mut [u32]) {
    let room = count.next_multiple_of(TILE_ROWS) * TILE_WORDS;
    for (index, out) in out.chunks_exact_mut(room).take(steps.div_ceil(TILE_WORDS)).enumerate() {
        let start = index * TILE_WORDS;
        let length = TILE_WORDS.min(steps - start);
        for (row, out) in out.as_chunks_mut::<TILE_WORDS>().0[..count].iter_mut().enumerate() {
            let words = &rows[row * stride + start..][..length];
            if let Ok(words) = words.try_into() {
                *out = words;
            } else {
                *out = [0; TILE_WORDS];
                out[..length].copy_from_slice(words);
            }
        }
    }
}

/// # Safety
/// The machine has AVX-512; `out` is at a cache line and has room for 32 values.
#[inline(always)]
pub(super) unsafe fn stream(sums: &[f32; WIDTH], out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        _mm512_stream_ps(out, _mm512_loadu_ps(sums.as_ptr()));
        _mm512_stream_ps(out.add(16), _mm512_loadu_ps(sums.as_ptr().add(16)));
    }
}

/// Lines of what comes next that are fetched with every sixteen steps.
#[inline(always)]
fn lines_ahead(panel: &Panel) -> usize {
    (panel.ahead_bytes * TILE_WORDS).div_ceil(64)
}

/// What the loops over tiles read and write.
#[derive(Clone, Copy)]
pub(super) struct Sweep {
    pub(super) tile: *const u32,
    pub(super) panel: *const u32,
    /// Sixteens of steps.
    pub(super) blocks: usize,
    pub(super) ahead: *const u8,
    /// Lines fetched with every block.
    pub(super) lines: usize,
    pub(super) sums: *mut u8,
    /// Bytes from a row of sums to the next.
    pub(super) stride: usize,
    pub(super) touch: Touch,
    /// Rows touched with every block.
    pub(super) touched: usize,
}

/// 17 to 32 rows of bf16.
///
/// # Safety
/// The unit is configured on this thread. The tile holds `[blocks][32][16]` words, the panel `[blocks][16][32]`, and
/// `sums` 32 rows of 32 f32, which are read where they are held.
#[inline(always)]
unsafe fn bf16_two(sweep: Sweep, start: Start) {
    // SAFETY: the caller's promise; a prefetch of any address is harmless.
    unsafe {
        asm!(
            "test {next:e}, {next:e}",
            "jnz 3f",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "jmp 2f",
            "3:",
            "mov {next}, {stride}",
            "shl {next}, 4",
            "add {next}, {sums}",
            "tileloadd tmm0, [{sums} + {stride}]",
            "tileloadd tmm1, [{sums} + {stride} + 64]",
            "tileloadd tmm2, [{next} + {stride}]",
            "tileloadd tmm3, [{next} + {stride} + 64]",
            "2:",
            "tileloaddt1 tmm4, [{tile} + {row}]",
            "tileloadd tmm6, [{panel} + 2*{row}]",
            "tileloadd tmm7, [{panel} + 2*{row} + 64]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloaddt1 tmm5, [{tile} + {row} + 1024]",
            "mov {next}, {lines}",
            "test {next}, {next}",
            "jz 5f",
            "4:",
            "prefetcht1 [{ahead}]",
            "add {ahead}, 64",
            "dec {next}",
            "jnz 4b",
            "5:",
            "mov {next}, {touched}",
            "test {next}, {next}",
            "jz 7f",
            "6:",
            "prefetchw [{touch}]",
            "prefetchw [{touch} + 64]",
            "add {touch}, {touch_stride}",
            "dec {next}",
            "jnz 6b",
            "7:",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {tile}, 2048",
            "add {panel}, 2048",
            "dec {blocks}",
            "jnz 2b",
            "mov {next}, {stride}",
            "shl {next}, 4",
            "add {next}, {sums}",
            "tilestored [{sums} + {stride}], tmm0",
            "tilestored [{sums} + {stride} + 64], tmm1",
            "tilestored [{next} + {stride}], tmm2",
            "tilestored [{next} + {stride} + 64], tmm3",
            tile = inout(reg) sweep.tile => _,
            panel = inout(reg) sweep.panel => _,
            blocks = inout(reg) sweep.blocks => _,
            ahead = inout(reg) sweep.ahead => _,
            lines = in(reg) sweep.lines,
            next = inout(reg) u64::from(start as u32) => _,
            touch = inout(reg) sweep.touch.lines => _,
            touch_stride = in(reg) sweep.touch.stride,
            touched = in(reg) sweep.touched,
            sums = in(reg) sweep.sums,
            stride = in(reg) sweep.stride,
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

/// Up to 16 rows of bf16.
///
/// # Safety
/// As [`bf16_two`], with 16 for the 32 rows.
#[inline(always)]
unsafe fn bf16_one(sweep: Sweep, start: Start) {
    // SAFETY: as there.
    unsafe {
        asm!(
            "test {next:e}, {next:e}",
            "jnz 3f",
            "tilezero tmm0",
            "tilezero tmm1",
            "jmp 2f",
            "3:",
            "tileloadd tmm0, [{sums} + {stride}]",
            "tileloadd tmm1, [{sums} + {stride} + 64]",
            "2:",
            "tileloadd tmm4, [{tile} + {row}]",
            "tileloadd tmm6, [{panel} + 2*{row}]",
            "tileloadd tmm7, [{panel} + 2*{row} + 64]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "mov {next}, {lines}",
            "test {next}, {next}",
            "jz 5f",
            "4:",
            "prefetcht1 [{ahead}]",
            "add {ahead}, 64",
            "dec {next}",
            "jnz 4b",
            "5:",
            "mov {next}, {touched}",
            "test {next}, {next}",
            "jz 7f",
            "6:",
            "prefetchw [{touch}]",
            "prefetchw [{touch} + 64]",
            "add {touch}, {touch_stride}",
            "dec {next}",
            "jnz 6b",
            "7:",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {tile}, 1024",
            "add {panel}, 2048",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{sums} + {stride}], tmm0",
            "tilestored [{sums} + {stride} + 64], tmm1",
            tile = inout(reg) sweep.tile => _,
            panel = inout(reg) sweep.panel => _,
            blocks = inout(reg) sweep.blocks => _,
            ahead = inout(reg) sweep.ahead => _,
            lines = in(reg) sweep.lines,
            next = inout(reg) u64::from(start as u32) => _,
            touch = inout(reg) sweep.touch.lines => _,
            touch_stride = in(reg) sweep.touch.stride,
            touched = in(reg) sweep.touched,
            sums = in(reg) sweep.sums,
            stride = in(reg) sweep.stride,
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

impl Micro for Bf16Tiles {
    type Guard = Configured;
    const ROWS: usize = 2 * TILE_ROWS;
    const FORMAT: Format = Format::Bf16;
    const GRAIN: usize = TILE_ROWS;
    const HOLDS: bool = true;
    const DEPTH: usize = DEPTH;
    const BLOCK_BYTES: usize = BLOCK_BYTES;

    #[inline(always)]
    fn enter() -> Configured {
        Configured::new()
    }

    #[inline(always)]
    fn encode(row: &[f32], words: &mut [u32], scales: &mut [f32]) {
        Bf16Dot::encode(row, words, scales);
    }

    #[inline(always)]
    fn encode_across(rows: [&[f32]; 2], words: &mut [u32]) {
        Bf16Dot::encode_across(rows, words);
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

    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, start: Start) {
        let sweep = Sweep {
            tile: tile.words,
            panel: panel.words,
            blocks: panel.steps / TILE_WORDS,
            ahead: panel.ahead,
            lines: lines_ahead(&panel),
            sums: target.values.cast(),
            stride: 4 * target.stride,
            touch: target.touch,
            touched: target.touch.rows.div_ceil((panel.steps / TILE_WORDS).max(1)),
        };
        // SAFETY: the caller's promise: operands and target have room for full tiles.
        unsafe {
            if rows > TILE_ROWS {
                bf16_two(sweep, start);
            } else {
                bf16_one(sweep, start);
            }
        }
    }
}
