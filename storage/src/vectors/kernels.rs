//! Dot products of int8 codes and of f32 vectors with the widest instructions the processor has.
//!
//! Codes are stored as `value + 128` in a u8, the query as i8: that is the operand order of the VNNI instruction, and
//! the offset is one constant per query (see [`Query`](super::codes::Query)). Integer kernels give exactly the same
//! number on every machine; f32 kernels differ in the order of additions.
#![expect(unsafe_code, reason = "SIMD loads and prefetches; each kernel is tested against its scalar twin")]

use std::sync::OnceLock;

/// Bytes in a block of codes; codes and queries are padded to whole blocks, and blocks are aligned in memory.
pub(crate) const BLOCK: usize = 64;

/// Products of one query with the codes of the rows in `ids`: (query, codes, ids, products).
type DotRows = fn(&[i8], &[u8], &[u32], &mut [i32]);
/// Products of one query with every row of `codes`: (query, codes, products).
type DotAll = fn(&[i8], &[u8], &mut [i32]);

/// The kernels for one kind of processor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernels {
    /// For the report of a benchmark.
    pub(crate) name: &'static str,
    dot_rows: DotRows,
    dot_all: DotAll,
    dot_f32: fn(&[f32], &[f32]) -> f32,
}

impl Kernels {
    /// The best for this processor, found out once.
    pub(crate) fn detect() -> &'static Self {
        static BEST: OnceLock<Kernels> = OnceLock::new();
        BEST.get_or_init(|| Self::available().swap_remove(0))
    }

    /// All that this processor can run, fastest first; the scalar ones are always there.
    pub(crate) fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other processors have the scalar kernels only")]
        let mut kernels = vec![SCALAR];
        #[cfg(target_arch = "x86_64")]
        kernels.splice(0..0, x86::available());
        kernels
    }

    /// For each row in `ids` the sum of `query * code`. Rows are as long as the query.
    ///
    /// # Panics
    /// When an id is beyond `codes` or `products` is shorter than `ids`.
    #[inline]
    pub(crate) fn dot_rows(&self, query: &[i8], codes: &[u8], ids: &[u32], products: &mut [i32]) {
        debug_assert_eq!(query.len() % BLOCK, 0);
        (self.dot_rows)(query, codes, ids, products);
    }

    /// For each row of `codes` the sum of `query * code`.
    #[inline]
    pub(crate) fn dot_all(&self, query: &[i8], codes: &[u8], products: &mut [i32]) {
        debug_assert_eq!(query.len() % BLOCK, 0);
        (self.dot_all)(query, codes, products);
    }

    /// The dot product of two vectors of one length.
    #[inline]
    pub(crate) fn dot_f32(&self, a: &[f32], b: &[f32]) -> f32 {
        debug_assert_eq!(a.len(), b.len());
        (self.dot_f32)(a, b)
    }
}

/// Asks the processor to fetch the cache line at `data[index]`; does nothing beyond the end.
#[inline]
pub(crate) fn prefetch<T>(data: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = data.get(index) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could see, and the address is of an existing item.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (data, index);
}

const SCALAR: Kernels =
    Kernels { name: "scalar", dot_rows: scalar::dot_rows, dot_all: scalar::dot_all, dot_f32: scalar::dot_f32 };

/// The row with number `id`.
#[inline]
fn row(codes: &[u8], len: usize, id: u32) -> &[u8] {
    let start = id as usize * len;
    &codes[start..start + len]
}

mod scalar {
    use super::row;

    pub(super) fn dot_rows(query: &[i8], codes: &[u8], ids: &[u32], products: &mut [i32]) {
        for (product, &id) in products[..ids.len()].iter_mut().zip(ids) {
            *product = dot(query, row(codes, query.len(), id));
        }
    }

    pub(super) fn dot_all(query: &[i8], codes: &[u8], products: &mut [i32]) {
        for (product, code) in products.iter_mut().zip(codes.chunks_exact(query.len())) {
            *product = dot(query, code);
        }
    }

    fn dot(query: &[i8], code: &[u8]) -> i32 {
        query.iter().zip(code).map(|(&q, &c)| i32::from(q) * i32::from(c)).sum()
    }

    /// Sixteen sums side by side, which compilers turn into the vector instructions every target has.
    pub(super) fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [0.0f32; 16];
        let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
        let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
        for (x, y) in a_chunks.zip(b_chunks) {
            for lane in 0..16 {
                sums[lane] += x[lane] * y[lane];
            }
        }
        sums.iter().sum::<f32>() + rest
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Kernels, row};

    pub(super) fn available() -> Vec<Kernels> {
        let mut kernels = Vec::new();
        let has_avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        if has_avx512 && is_x86_feature_detected!("avx512vnni") {
            kernels.push(Kernels {
                name: "avx512-vnni",
                // SAFETY (all six): the features each function is compiled for were detected on this processor.
                dot_rows: |query, codes, ids, products| unsafe { dot_rows_vnni(query, codes, ids, products) },
                dot_all: |query, codes, products| unsafe { dot_all_vnni(query, codes, products) },
                dot_f32: |a, b| unsafe { dot_f32_avx512(a, b) },
            });
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            kernels.push(Kernels {
                name: "avx2",
                dot_rows: |query, codes, ids, products| unsafe { dot_rows_avx2(query, codes, ids, products) },
                dot_all: |query, codes, products| unsafe { dot_all_avx2(query, codes, products) },
                dot_f32: |a, b| unsafe { dot_f32_avx2(a, b) },
            });
        }
        kernels
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn dot_rows_vnni(query: &[i8], codes: &[u8], ids: &[u32], products: &mut [i32]) {
        for (product, &id) in products[..ids.len()].iter_mut().zip(ids) {
            *product = dot_vnni(query, row(codes, query.len(), id));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn dot_all_vnni(query: &[i8], codes: &[u8], products: &mut [i32]) {
        for (product, code) in products.iter_mut().zip(codes.chunks_exact(query.len())) {
            *product = dot_vnni(query, code);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn dot_vnni(query: &[i8], code: &[u8]) -> i32 {
        let mut sums = [_mm512_setzero_si512(); 2];
        let mut pairs = query.chunks_exact(BLOCK).zip(code.chunks_exact(BLOCK));
        while let Some((q, c)) = pairs.next() {
            sums[0] = _mm512_dpbusd_epi32(sums[0], load512(c), load512_signed(q));
            if let Some((q, c)) = pairs.next() {
                sums[1] = _mm512_dpbusd_epi32(sums[1], load512(c), load512_signed(q));
            }
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load512(bytes: &[u8]) -> __m512i {
        assert!(bytes.len() == BLOCK);
        // SAFETY: 64 bytes are there; an unaligned load needs no alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load512_signed(bytes: &[i8]) -> __m512i {
        load512(bytemuck::cast_slice(bytes))
    }

    #[target_feature(enable = "avx2,fma")]
    fn dot_rows_avx2(query: &[i8], codes: &[u8], ids: &[u32], products: &mut [i32]) {
        for (product, &id) in products[..ids.len()].iter_mut().zip(ids) {
            *product = dot_avx2(query, row(codes, query.len(), id));
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn dot_all_avx2(query: &[i8], codes: &[u8], products: &mut [i32]) {
        for (product, code) in products.iter_mut().zip(codes.chunks_exact(query.len())) {
            *product = dot_avx2(query, code);
        }
    }

    /// Widens to 16 bits first: the 8-bit multiply-add of AVX2 saturates.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn dot_avx2(query: &[i8], code: &[u8]) -> i32 {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (q, c) in query.chunks_exact(BLOCK).zip(code.chunks_exact(BLOCK)) {
            for (sum, (q, c)) in sums.iter_mut().zip(q.chunks_exact(16).zip(c.chunks_exact(16))) {
                let wide_query = _mm256_cvtepi8_epi16(load128(bytemuck::cast_slice(q)));
                let wide_code = _mm256_cvtepu8_epi16(load128(c));
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(wide_query, wide_code));
            }
        }
        let sum = _mm256_add_epi32(_mm256_add_epi32(sums[0], sums[1]), _mm256_add_epi32(sums[2], sums[3]));
        let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
        _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32::<0b10_11_00_01>(quarter)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load128(bytes: &[u8]) -> __m128i {
        assert!(bytes.len() == 16);
        // SAFETY: 16 bytes are there; an unaligned load needs no alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    fn dot_f32_avx512(a: &[f32], b: &[f32]) -> f32 {
        let len = a.len().min(b.len());
        let mut sums = [_mm512_setzero_ps(); 4];
        for start in (0..len).step_by(64) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let at = start + lane * 16;
                let left = len.saturating_sub(at);
                let mask = if left >= 16 { u16::MAX } else { (1u16 << left) - 1 };
                // SAFETY: the mask lets only the elements below `len` be read; where it is empty, nothing is.
                let (x, y) = unsafe {
                    (
                        _mm512_maskz_loadu_ps(mask, a.as_ptr().wrapping_add(at)),
                        _mm512_maskz_loadu_ps(mask, b.as_ptr().wrapping_add(at)),
                    )
                };
                *sum = _mm512_fmadd_ps(x, y, *sum);
            }
        }
        _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])))
    }

    #[target_feature(enable = "avx2,fma")]
    fn dot_f32_avx2(a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); 4];
        let (a_chunks, b_chunks) = (a.chunks_exact(32), b.chunks_exact(32));
        let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
        for (x, y) in a_chunks.zip(b_chunks) {
            for (sum, (x, y)) in sums.iter_mut().zip(x.chunks_exact(8).zip(y.chunks_exact(8))) {
                // SAFETY: both chunks have eight values; an unaligned load needs no alignment.
                let (x, y) = unsafe { (_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(y.as_ptr())) };
                *sum = _mm256_fmadd_ps(x, y, *sum);
            }
        }
        let sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
        let half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(quarter, _mm_shuffle_ps::<1>(quarter, quarter))) + rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_kernel_gives_the_scalar_products(
            blocks in 1usize..18,
            rows in 1usize..9,
            seed in any::<u64>(),
        ) {
            let mut state = seed;
            let mut byte = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Extremes often, because that is where a saturating instruction goes wrong.
                match state >> 61 { 0 => 0, 1 => 255, _ => (state >> 33) as u8 }
            };
            let query: Vec<i8> = (0..blocks * BLOCK).map(|_| byte() as i8).collect();
            let codes: Vec<u8> = (0..rows * blocks * BLOCK).map(|_| byte()).collect();
            let ids: Vec<u32> = (0..rows as u32).rev().collect();
            let mut expected = vec![0; rows];
            scalar::dot_all(&query, &codes, &mut expected);
            for kernels in Kernels::available() {
                let mut products = vec![0; rows];
                kernels.dot_all(&query, &codes, &mut products);
                prop_assert_eq!(&products, &expected, "{}", kernels.name);
                kernels.dot_rows(&query, &codes, &ids, &mut products);
                products.reverse();
                prop_assert_eq!(&products, &expected, "{}", kernels.name);
            }
        }

        #[test]
        fn every_f32_kernel_gives_the_scalar_product(
            pairs in proptest::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 0..300),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let expected: f64 = a.iter().zip(&b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            for kernels in Kernels::available() {
                let product = f64::from(kernels.dot_f32(&a, &b));
                prop_assert!((product - expected).abs() < 1e-4, "{}: {product} {expected}", kernels.name);
            }
        }
    }

    #[test]
    fn the_known_product_comes_out() {
        let mut query = vec![0i8; BLOCK];
        let mut code = vec![200u8; BLOCK];
        (query[0], query[63], code[63]) = (-128, 127, 255);
        for kernels in Kernels::available() {
            let mut products = [0];
            kernels.dot_all(&query, &code, &mut products);
            assert_eq!(products[0], -128 * 200 + 127 * 255);
        }
    }
}
