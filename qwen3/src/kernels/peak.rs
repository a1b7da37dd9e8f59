//! The peak rate of the machine's vector and tile units: independent sums in registers, no memory touched. The measure that
//! products are held against.
#![cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(unsafe_code, reason = "vector instructions, only those that the machine was found to have")
)]

use std::time::Instant;

use super::{isa::Isa, micro::Format};

/// Sums that are under way at once: enough to hide the latency of an instruction.
const SUMS: usize = 24;
/// Instructions of one measurement: about a twentieth of a second.
const INSTRUCTIONS: usize = 192_000_000;
const RUNS: usize = 5;
/// A product of tiles takes this many times as long as one of registers.
#[cfg(target_arch = "x86_64")]
const TILE_SHARE: usize = 16;

/// Billions of multiplications and additions per second of one thread, of the fastest instructions for `format`; `None`
/// where this machine has none that are measured.
pub(crate) fn peak(format: Format) -> Option<f64> {
    (0..RUNS).filter_map(|_| run(format)).reduce(f64::max)
}

#[cfg(target_arch = "x86_64")]
fn run(format: Format) -> Option<f64> {
    let rounds = INSTRUCTIONS / SUMS;
    let isa = Isa::detect();
    let begin = Instant::now();
    // SAFETY: each is called only where the machine was found to have its instructions.
    let per_instruction = unsafe {
        match format {
            Format::Bf16 if isa >= Isa::Amx => tiles_bf16(rounds / TILE_SHARE),
            Format::Int8 if isa >= Isa::Amx => tiles_int8(rounds / TILE_SHARE),
            Format::Bf16 if isa >= Isa::Avx512Bf16 => bf16(rounds),
            Format::Int8 if isa >= Isa::Avx512Vnni => int8(rounds),
            _ if isa >= Isa::Avx512 => avx512(rounds),
            _ if isa >= Isa::Avx2 => avx2(rounds),
            _ => return None,
        }
    };
    Some((rounds * SUMS * per_instruction) as f64 / begin.elapsed().as_secs_f64() / 1e9)
}

#[cfg(target_arch = "aarch64")]
fn run(format: Format) -> Option<f64> {
    let rounds = INSTRUCTIONS / SUMS;
    let isa = Isa::detect();
    let begin = Instant::now();
    // SAFETY: each is called only where the machine was found to have its instructions.
    let per_instruction = unsafe {
        match format {
            Format::Bf16 if isa.takes(format) => arm::bf16(rounds),
            Format::Int8 if isa.takes(format) => arm::int8(rounds),
            _ => arm::f32(rounds),
        }
    };
    Some((rounds * SUMS * per_instruction) as f64 / begin.elapsed().as_secs_f64() / 1e9)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn run(_: Format) -> Option<f64> {
    None
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::{arch::aarch64::*, hint::black_box};

    use super::SUMS;
    use crate::kernels::neon::{dot_bf16, dot_int8};

    /// Each returns the operations of one of its instructions.
    ///
    /// # Safety
    /// The machine has FEAT_BF16.
    #[target_feature(enable = "neon,dotprod,bf16")]
    pub(super) unsafe fn bf16(rounds: usize) -> usize {
        let mut sums = [vdupq_n_f32(1.0); SUMS];
        let x = vdupq_n_u32(black_box(0x3f00_3f00));
        for _ in 0..rounds {
            // SAFETY: the caller's promise.
            sums.iter_mut().for_each(|sum| *sum = unsafe { dot_bf16(*sum, x, x) });
        }
        black_box(sums.into_iter().reduce(|a, b| vaddq_f32(a, b)));
        16
    }

    /// # Safety
    /// The machine has FEAT_DotProd.
    #[target_feature(enable = "neon,dotprod")]
    pub(super) unsafe fn int8(rounds: usize) -> usize {
        let mut sums = [vdupq_n_s32(0); SUMS];
        let x = vdupq_n_u32(black_box(0x0102_0304));
        for _ in 0..rounds {
            // SAFETY: the caller's promise.
            sums.iter_mut().for_each(|sum| *sum = unsafe { dot_int8(*sum, x, x) });
        }
        black_box(sums.into_iter().reduce(|a, b| vaddq_s32(a, b)));
        32
    }

    /// # Safety
    /// The machine has NEON.
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn f32(rounds: usize) -> usize {
        let mut sums = [vdupq_n_f32(1.0); SUMS];
        let x = vdupq_n_f32(black_box(0.5));
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = vfmaq_f32(*sum, x, x));
        }
        black_box(sums.into_iter().reduce(|a, b| vaddq_f32(a, b)));
        8
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{
        arch::{asm, x86_64::*},
        hint::black_box,
    };

    use super::{SUMS, TILE_SHARE};
    use crate::kernels::tile_unit::Configured;

    // Sums leave the loop by value: a reference to them would keep them in memory, whose ports would be measured then.

    /// Each returns the operations of one of its instructions.
    ///
    /// # Safety
    /// The machine has AVX512_BF16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn bf16(rounds: usize) -> usize {
        let mut sums = [_mm512_set1_ps(1.0); SUMS];
        // SAFETY: plain bits, 512 of them on both sides.
        let x: __m512bh = unsafe { std::mem::transmute(_mm512_set1_epi32(black_box(0x3f00_3f00))) };
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbf16_ps(*sum, x, x));
        }
        black_box(sums.into_iter().reduce(|a, b| _mm512_add_ps(a, b)));
        64
    }

    /// # Safety
    /// The tile unit is usable.
    pub(super) unsafe fn tiles_bf16(rounds: usize) -> usize {
        let _guard = Configured::new();
        for _ in 0..rounds * SUMS / 4 {
            // SAFETY: tiles are configured, and zero.
            unsafe {
                asm!(
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    out("tmm0") _,
                    out("tmm1") _,
                    out("tmm2") _,
                    out("tmm3") _,
                    options(nostack, nomem),
                );
            }
        }
        // Of one instruction: 16 x 16 sums of 32 products. Fewer were done than the caller counts.
        2 * 16 * 16 * 32 / TILE_SHARE
    }

    /// # Safety
    /// The tile unit is usable.
    pub(super) unsafe fn tiles_int8(rounds: usize) -> usize {
        let _guard = Configured::new();
        for _ in 0..rounds * SUMS / 4 {
            // SAFETY: tiles are configured, and zero.
            unsafe {
                asm!(
                    "tdpbssd tmm0, tmm4, tmm6",
                    "tdpbssd tmm1, tmm4, tmm7",
                    "tdpbssd tmm2, tmm5, tmm6",
                    "tdpbssd tmm3, tmm5, tmm7",
                    out("tmm0") _,
                    out("tmm1") _,
                    out("tmm2") _,
                    out("tmm3") _,
                    options(nostack, nomem),
                );
            }
        }
        2 * 16 * 16 * 64 / TILE_SHARE
    }

    /// # Safety
    /// The machine has VNNI.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn int8(rounds: usize) -> usize {
        let mut sums = [_mm512_setzero_si512(); SUMS];
        let x = _mm512_set1_epi32(black_box(0x0102_0304));
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, x, x));
        }
        black_box(sums.into_iter().reduce(|a, b| _mm512_add_epi32(a, b)));
        128
    }

    /// # Safety
    /// The machine has AVX-512 F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(rounds: usize) -> usize {
        let mut sums = [_mm512_set1_ps(1.0); SUMS];
        let x = _mm512_set1_ps(black_box(0.5));
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(*sum, x, x));
        }
        black_box(sums.into_iter().reduce(|a, b| _mm512_add_ps(a, b)));
        32
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(rounds: usize) -> usize {
        // Sixteen registers: half the sums at a time.
        let mut sums = [_mm256_set1_ps(1.0); SUMS / 2];
        let x = _mm256_set1_ps(black_box(0.5));
        for _ in 0..2 * rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_ps(*sum, x, x));
        }
        black_box(sums.into_iter().reduce(|a, b| _mm256_add_ps(a, b)));
        16
    }
}

#[cfg(target_arch = "x86_64")]
use x86::{avx2, avx512, bf16, int8, tiles_bf16, tiles_int8};
