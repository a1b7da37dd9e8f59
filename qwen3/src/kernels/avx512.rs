//! The inner loops with AVX-512: over f32, over bf16 (AVX512_BF16) and over int8 (VNNI). Twelve rows by 32 outputs
//! fill 24 of 32 registers with sums.
#![expect(unsafe_code, reason = "vector instructions; portable.rs and the tests of gemm.rs hold their twins")]

use std::arch::x86_64::*;

use super::{
    micro::{Format, GROUP, GROUP_STEPS, Micro, Panel, Start, Target, Tile, Unrolled, WIDTH, Work},
    portable::Portable,
};

/// Over f32.
pub(super) struct Avx512;
/// Over bf16, summed in f32.
pub(super) struct Bf16Dot;
/// Over 8-bit integers with scales, summed in i32 within a group and in f32 across groups.
pub(super) struct Int8Dot;

/// # Safety
/// The machine has AVX-512 F, BW, DQ, VL, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn with_avx512<M: Micro, W: Work>(work: W) {
    work.run::<M>();
}

/// # Safety
/// As [`with_avx512`], and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512vnni")]
pub(super) unsafe fn with_vnni<M: Micro, W: Work>(work: W) {
    work.run::<M>();
}

/// # Safety
/// As [`with_vnni`], and AVX512_BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512vnni,avx512bf16")]
pub(super) unsafe fn with_bf16<M: Micro, W: Work>(work: W) {
    work.run::<M>();
}

/// Fetches into the second level cache what the next panel's first use would wait for.
#[inline(always)]
unsafe fn fetch_ahead(panel: &Panel, step: usize) {
    // SAFETY: a prefetch of any address is harmless, hence the wrapping addition.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(panel.ahead.wrapping_add(step * panel.ahead_bytes).cast()) };
}

#[inline(always)]
unsafe fn store<const R: usize>(sums: &[[__m512; 2]; R], target: Target) {
    for (row, sums) in sums.iter().enumerate() {
        // SAFETY: the target has R rows of 32 values.
        unsafe {
            let out = target.values.add(row * target.stride);
            _mm512_storeu_ps(out, sums[0]);
            _mm512_storeu_ps(out.add(16), sums[1]);
        }
    }
}

impl Micro for Avx512 {
    type Guard = ();
    const ROWS: usize = 12;
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

impl Unrolled for Avx512 {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        // SAFETY: reads R words and 32 aligned words for each of `steps` steps.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; R];
            let mut a = tile.words.cast::<f32>();
            let mut w = panel.words.cast::<f32>();
            for step in 0..panel.steps {
                fetch_ahead(&panel, step);
                let (w0, w1) = (_mm512_load_ps(w), _mm512_load_ps(w.add(16)));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*a.add(row));
                    sums[0] = _mm512_fmadd_ps(x, w0, sums[0]);
                    sums[1] = _mm512_fmadd_ps(x, w1, sums[1]);
                }
                a = a.add(R);
                w = w.add(WIDTH);
            }
            store(&sums, target);
        }
    }
}

impl Micro for Bf16Dot {
    type Guard = ();
    const ROWS: usize = 12;
    const FORMAT: Format = Format::Bf16;

    #[inline(always)]
    fn enter() {}

    #[inline(always)]
    fn encode(row: &[f32], words: &mut [u32], _scales: &mut [f32]) {
        let (chunks, rest) = row.as_chunks::<32>();
        let (out, out_rest) = words.split_at_mut(chunks.len() * 16);
        for (chunk, out) in chunks.iter().zip(out.as_chunks_mut::<16>().0) {
            // SAFETY: 32 values in, 16 words out.
            unsafe {
                let (low, high) = (_mm512_loadu_ps(chunk.as_ptr()), _mm512_loadu_ps(chunk.as_ptr().add(16)));
                let pairs: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs);
            }
        }
        for (pair, out) in rest.chunks(2).zip(out_rest) {
            let bits = |x: Option<&f32>| u32::from(half::bf16::from_f32(x.copied().unwrap_or(0.0)).to_bits());
            *out = bits(pair.first()) | bits(pair.get(1)) << 16;
        }
    }

    #[inline(always)]
    fn encode_across([even, odd]: [&[f32]; 2], words: &mut [u32]) {
        let chunks = even.as_chunks::<16>().0.iter().zip(odd.as_chunks::<16>().0);
        for ((even, odd), out) in chunks.zip(words.as_chunks_mut::<16>().0) {
            // SAFETY: 16 values of each row in, 16 words out.
            unsafe {
                let narrow = |x: &[f32; 16]| -> __m512i {
                    let narrow: __m256i = std::mem::transmute(_mm512_cvtneps_pbh(_mm512_loadu_ps(x.as_ptr())));
                    _mm512_cvtepu16_epi32(narrow)
                };
                let pairs = _mm512_or_si512(narrow(even), _mm512_slli_epi32::<16>(narrow(odd)));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs);
            }
        }
        let done = even.len() / 16 * 16;
        for ((even, odd), out) in even[done..].iter().zip(&odd[done..]).zip(&mut words[done..]) {
            let bits = |x: f32| u32::from(half::bf16::from_f32(x).to_bits());
            *out = bits(*even) | bits(*odd) << 16;
        }
    }

    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, _start: Start) {
        // SAFETY: the caller's promise; nothing is held.
        unsafe { Self::unrolled(rows, tile, panel, target) };
    }
}

impl Unrolled for Bf16Dot {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        // SAFETY: reads R words and 32 aligned words for each of `steps` steps.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; R];
            let (mut a, mut w) = (tile.words, panel.words);
            for step in 0..panel.steps {
                fetch_ahead(&panel, step);
                let w0: __m512bh = std::mem::transmute(_mm512_load_si512(w.cast()));
                let w1: __m512bh = std::mem::transmute(_mm512_load_si512(w.add(16).cast()));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x: __m512bh = std::mem::transmute(_mm512_set1_epi32((*a.add(row)).cast_signed()));
                    sums[0] = _mm512_dpbf16_ps(sums[0], x, w0);
                    sums[1] = _mm512_dpbf16_ps(sums[1], x, w1);
                }
                a = a.add(R);
                w = w.add(WIDTH);
            }
            store(&sums, target);
        }
    }
}

impl Micro for Int8Dot {
    type Guard = ();
    const ROWS: usize = 12;
    const FORMAT: Format = Format::Int8;

    #[inline(always)]
    fn enter() {}

    /// Each group of 128 values becomes whole numbers from 1 to 255, 128 standing for zero.
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
                    let whole = _mm512_add_epi32(_mm512_cvtps_epi32(scaled), _mm512_set1_epi32(128));
                    _mm_storeu_si128(out.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(whole));
                }
            }
            out_rest.fill(128);
            for (x, out) in rest.iter().zip(out_rest) {
                *out = ((x * inverse).round_ties_even() as i32 + 128) as u8;
            }
        }
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

impl Unrolled for Int8Dot {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        // SAFETY: reads R words and 32 aligned words for each of `steps` steps, R and 32 scales for each group.
        unsafe {
            let (mut a, mut w) = (tile.words, panel.words);
            let mut done = 0;
            let mut group = 0;
            while done < panel.steps {
                let starts = panel.starts.add(group * WIDTH);
                let start = [_mm512_load_si512(starts.cast()), _mm512_load_si512(starts.add(16).cast())];
                let mut sums = [start; R];
                let steps = GROUP_STEPS.min(panel.steps - done);
                for step in done..done + steps {
                    fetch_ahead(&panel, step);
                    let (w0, w1) = (_mm512_load_si512(w.cast()), _mm512_load_si512(w.add(16).cast()));
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let x = _mm512_set1_epi32((*a.add(row)).cast_signed());
                        sums[0] = _mm512_dpbusd_epi32(sums[0], x, w0);
                        sums[1] = _mm512_dpbusd_epi32(sums[1], x, w1);
                    }
                    a = a.add(R);
                    w = w.add(WIDTH);
                }
                let by = panel.scales.add(group * WIDTH);
                let by = [_mm512_load_ps(by), _mm512_load_ps(by.add(16))];
                for (row, sums) in sums.iter().enumerate() {
                    let x = _mm512_set1_ps(*tile.scales.add(group * R + row));
                    for half in 0..2 {
                        let out = target.values.add(row * target.stride + 16 * half);
                        let sum = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[half]), by[half]);
                        let before = if group == 0 { _mm512_setzero_ps() } else { _mm512_loadu_ps(out) };
                        _mm512_storeu_ps(out, _mm512_fmadd_ps(sum, x, before));
                    }
                }
                done += steps;
                group += 1;
            }
        }
    }
}
