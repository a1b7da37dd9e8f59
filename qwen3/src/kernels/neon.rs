//! The inner loops of 64-bit ARM (NEON): over f32, over bf16 (FEAT_BF16) and over int8 (FEAT_DotProd). Eight rows by
//! eight outputs fill sixteen of 32 registers with sums, four times for the outputs of a panel.
#![expect(unsafe_code, reason = "vector instructions, some without intrinsics in stable Rust; portable.rs is the twin")]

use std::arch::{aarch64::*, asm};

use super::{
    micro::{Format, GROUP_STEPS, Micro, Panel, Start, Target, Tile, Unrolled, WIDTH, Work},
    panels::{encode_bf16, encode_int8},
    portable::Portable,
};

/// Over f32.
pub(super) struct Neon;
/// Over bf16, summed in f32.
pub(super) struct NeonBf16;
/// Over 8-bit integers with scales, summed in i32 within a group and in f32 across groups.
pub(super) struct NeonInt8;

/// Outputs computed at once.
const SHARE: usize = 8;

/// # Safety
/// The machine has NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn with_neon<M: Micro, W: Work>(work: W) {
    work.run::<M>();
}

/// # Safety
/// As [`with_neon`], and FEAT_DotProd.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn with_dot<M: Micro, W: Work>(work: W) {
    work.run::<M>();
}

/// # Safety
/// As [`with_dot`], and FEAT_BF16.
#[target_feature(enable = "neon,dotprod,bf16")]
pub(super) unsafe fn with_bf16<M: Micro, W: Work>(work: W) {
    work.run::<M>();
}

/// Fetches into the second level cache what the next panel's first use would wait for.
#[inline(always)]
fn fetch_ahead(panel: &Panel, step: usize) {
    let address = panel.ahead.wrapping_add(step * panel.ahead_bytes);
    // SAFETY: a prefetch of any address is harmless.
    unsafe { asm!("prfm pldl2keep, [{}]", in(reg) address, options(nostack, readonly, preserves_flags)) };
}

/// Sums of products of two bf16 in each lane (`BFDOT`).
///
/// # Safety
/// The machine has FEAT_BF16.
#[inline(always)]
pub(super) unsafe fn dot_bf16(sum: float32x4_t, x: uint32x4_t, w: uint32x4_t) -> float32x4_t {
    let mut out = sum;
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "bfdot {out:v}.4s, {x:v}.8h, {w:v}.8h",
            out = inout(vreg) out, x = in(vreg) x, w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    out
}

/// Sums of products of four 8-bit integers in each lane (`SDOT`).
///
/// # Safety
/// The machine has FEAT_DotProd.
#[inline(always)]
pub(super) unsafe fn dot_int8(sum: int32x4_t, x: uint32x4_t, w: uint32x4_t) -> int32x4_t {
    let mut out = sum;
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "sdot {out:v}.4s, {x:v}.16b, {w:v}.16b",
            out = inout(vreg) out, x = in(vreg) x, w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    out
}

#[inline(always)]
unsafe fn store<const R: usize>(sums: &[[float32x4_t; 2]; R], target: Target, first: usize) {
    for (row, sums) in sums.iter().enumerate() {
        // SAFETY: the target has R rows of 32 values.
        unsafe {
            let out = target.values.add(row * target.stride + first);
            vst1q_f32(out, sums[0]);
            vst1q_f32(out.add(4), sums[1]);
        }
    }
}

impl Micro for Neon {
    type Guard = ();
    const ROWS: usize = 8;
    const FORMAT: Format = Format::F32;

    #[inline(always)]
    fn enter() {}

    #[inline(always)]
    fn encode(row: &[f32], words: &mut [u32], scales: &mut [f32]) {
        Portable::encode(row, words, scales);
    }

    #[inline(always)]
    fn encode_across(rows: [&[f32]; 2], words: &mut [u32]) {
        Portable::encode_across(rows, words);
    }

    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, _start: Start) {
        // SAFETY: the caller's promise; nothing is held.
        unsafe { Self::unrolled(rows, tile, panel, target) };
    }
}

impl Unrolled for Neon {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        for first in (0..WIDTH).step_by(SHARE) {
            // SAFETY: reads R words and 8 of 32 for each of `steps` steps.
            unsafe {
                let mut sums = [[vdupq_n_f32(0.0); 2]; R];
                let mut a = tile.words.cast::<f32>();
                let mut w = panel.words.cast::<f32>().add(first);
                for step in 0..panel.steps {
                    if first == 0 {
                        fetch_ahead(&panel, step);
                    }
                    let (w0, w1) = (vld1q_f32(w), vld1q_f32(w.add(4)));
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let x = *a.add(row);
                        sums[0] = vfmaq_n_f32(sums[0], w0, x);
                        sums[1] = vfmaq_n_f32(sums[1], w1, x);
                    }
                    a = a.add(R);
                    w = w.add(WIDTH);
                }
                store(&sums, target, first);
            }
        }
    }
}

impl Micro for NeonBf16 {
    type Guard = ();
    const ROWS: usize = 8;
    const FORMAT: Format = Format::Bf16;

    #[inline(always)]
    fn enter() {}

    #[inline(always)]
    fn encode(row: &[f32], words: &mut [u32], _scales: &mut [f32]) {
        encode_bf16(row, words);
    }

    #[inline(always)]
    fn encode_across([even, odd]: [&[f32]; 2], words: &mut [u32]) {
        let bits = |x: f32| u32::from(half::bf16::from_f32(x).to_bits());
        for ((even, odd), out) in even.iter().zip(odd).zip(words) {
            *out = bits(*even) | bits(*odd) << 16;
        }
    }

    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, _start: Start) {
        // SAFETY: the caller's promise; nothing is held.
        unsafe { Self::unrolled(rows, tile, panel, target) };
    }
}

impl Unrolled for NeonBf16 {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        for first in (0..WIDTH).step_by(SHARE) {
            // SAFETY: reads R words and 8 of 32 for each of `steps` steps.
            unsafe {
                let mut sums = [[vdupq_n_f32(0.0); 2]; R];
                let (mut a, mut w) = (tile.words, panel.words.add(first));
                for step in 0..panel.steps {
                    if first == 0 {
                        fetch_ahead(&panel, step);
                    }
                    let (w0, w1) = (vld1q_u32(w), vld1q_u32(w.add(4)));
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let x = vdupq_n_u32(*a.add(row));
                        sums[0] = dot_bf16(sums[0], x, w0);
                        sums[1] = dot_bf16(sums[1], x, w1);
                    }
                    a = a.add(R);
                    w = w.add(WIDTH);
                }
                store(&sums, target, first);
            }
        }
    }
}

impl Micro for NeonInt8 {
    type Guard = ();
    const ROWS: usize = 8;
    const FORMAT: Format = Format::Int8;

    #[inline(always)]
    fn enter() {}

    /// Each group of 128 values becomes whole numbers from -127 to 127.
    #[inline(always)]
    fn encode(row: &[f32], words: &mut [u32], scales: &mut [f32]) {
        encode_int8(row, words, |group, scale, _| scales[group] = scale);
    }

    fn encode_across(_rows: [&[f32]; 2], _words: &mut [u32]) {
        unreachable!("only products with stored weights are computed in int8");
    }

    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, _start: Start) {
        // SAFETY: the caller's promise; nothing is held.
        unsafe { Self::unrolled(rows, tile, panel, target) };
    }
}

impl Unrolled for NeonInt8 {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        for first in (0..WIDTH).step_by(SHARE) {
            // SAFETY: reads R words and 8 of 32 for each of `steps` steps, R and 8 of 32 scales for each group.
            unsafe {
                let mut totals = [[vdupq_n_f32(0.0); 2]; R];
                let (mut a, mut w) = (tile.words, panel.words.add(first));
                for group in 0..panel.steps.div_ceil(GROUP_STEPS) {
                    let mut sums = [[vdupq_n_s32(0); 2]; R];
                    let done = group * GROUP_STEPS;
                    for step in done..panel.steps.min(done + GROUP_STEPS) {
                        if first == 0 {
                            fetch_ahead(&panel, step);
                        }
                        let (w0, w1) = (vld1q_u32(w), vld1q_u32(w.add(4)));
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let x = vdupq_n_u32(*a.add(row));
                            sums[0] = dot_int8(sums[0], x, w0);
                            sums[1] = dot_int8(sums[1], x, w1);
                        }
                        a = a.add(R);
                        w = w.add(WIDTH);
                    }
                    let by = panel.scales.add(group * WIDTH + first);
                    let by = [vld1q_f32(by), vld1q_f32(by.add(4))];
                    for (row, (sums, totals)) in sums.iter().zip(&mut totals).enumerate() {
                        let x = *tile.scales.add(group * R + row);
                        for half in 0..2 {
                            let sum = vmulq_f32(vcvtq_f32_s32(sums[half]), by[half]);
                            totals[half] = vfmaq_n_f32(totals[half], sum, x);
                        }
                    }
                }
                store(&totals, target, first);
            }
        }
    }
}
