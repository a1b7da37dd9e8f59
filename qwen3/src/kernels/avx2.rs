//! The inner loop over f32 with AVX2 and FMA: six rows by sixteen outputs fill twelve of sixteen registers.
#![expect(unsafe_code, reason = "vector instructions; portable.rs is the twin that tests compare with")]

use std::arch::x86_64::{
    __m256, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_load_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::{
    micro::{Format, Micro, Panel, Start, Target, Tile, Unrolled, WIDTH, Work},
    portable::Portable,
};

pub(super) struct Avx2;

/// # Safety
/// The machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn with_avx2<M: Micro, W: Work>(work: W) {
    work.run::<M>();
}

impl Micro for Avx2 {
    type Guard = ();
    const ROWS: usize = 6;
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

impl Unrolled for Avx2 {
    #[inline(always)]
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target) {
        for half in [0, WIDTH / 2] {
            // SAFETY: reads R words and 16 aligned words for each of `steps` steps, writes R rows of 16 values.
            unsafe {
                let mut sums: [[__m256; 2]; R] = [[_mm256_setzero_ps(); 2]; R];
                let mut a = tile.words.cast::<f32>();
                let mut w = panel.words.cast::<f32>().add(half);
                for _ in 0..panel.steps {
                    let (w0, w1) = (_mm256_load_ps(w), _mm256_load_ps(w.add(8)));
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let x = _mm256_broadcast_ss(&*a.add(row));
                        sums[0] = _mm256_fmadd_ps(x, w0, sums[0]);
                        sums[1] = _mm256_fmadd_ps(x, w1, sums[1]);
                    }
                    a = a.add(R);
                    w = w.add(WIDTH);
                }
                for (row, sums) in sums.iter().enumerate() {
                    let out = target.values.add(row * target.stride + half);
                    _mm256_storeu_ps(out, sums[0]);
                    _mm256_storeu_ps(out.add(8), sums[1]);
                }
            }
        }
    }
}
