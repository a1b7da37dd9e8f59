//! The packing of a tensor's numbers in its file: plain floats, or the blocks of GGUF, each with its own scales.
//! Decoding is by whole rows into f32, so that no quantised matrix is ever unpacked as a whole unless someone asks for
//! it.
//!
//! Layouts: `block_q8_0` .. `block_q6_K` of ggml (ggml-common.h), little endian. Every decoder works on fixed-size
//! arrays: a row of the wrong length cannot be read past its end.

use half::{bf16, f16};

/// A number format, by the names of GGUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// What [`Packing::of_ggml`] knows, for messages.
pub(crate) const GGML_NAMES: &str =
    "F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K, Q5_1, Q5_0, Q4_1 or Q4_0 (download or convert one of these)";

impl Packing {
    /// The packing of a type number of ggml (`enum ggml_type`), where it is read here.
    pub(crate) fn of_ggml(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Values and bytes of one block.
    fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Bytes of `values` values; none where they are no whole number of blocks or too many to count.
    pub(crate) fn bytes_of(self, values: usize) -> Option<usize> {
        let (block, bytes) = self.block();
        values.is_multiple_of(block).then(|| (values / block).checked_mul(bytes)).flatten()
    }

    /// Decodes whole blocks into as many values.
    pub(crate) fn read(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => each(bytes, out, |b, out| *out = [f32::from_le_bytes(*b)]),
            Self::F16 => each(bytes, out, |b, out| *out = [f16::from_le_bytes(*b).to_f32()]),
            Self::Bf16 => each(bytes, out, |b, out| *out = [bf16::from_le_bytes(*b).to_f32()]),
            Self::Q4_0 => each(bytes, out, q4_0),
            Self::Q4_1 => each(bytes, out, q4_1),
            Self::Q5_0 => each(bytes, out, q5_0),
            Self::Q5_1 => each(bytes, out, q5_1),
            Self::Q8_0 => each(bytes, out, q8_0),
            Self::Q4K => each(bytes, out, q4_k),
            Self::Q5K => each(bytes, out, q5_k),
            Self::Q6K => each(bytes, out, q6_k),
        }
    }
}

fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    for (block, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        decode(block, out);
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The low halves of sixteen bytes are the first sixteen values, the high halves the others.
fn nibbles(packed: &[u8], out: &mut [f32; 32], value: impl Fn(u8, usize) -> f32) {
    for (i, byte) in packed.iter().enumerate() {
        out[i] = value(byte & 15, i);
        out[i + 16] = value(byte >> 4, i + 16);
    }
}

fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    nibbles(&block[2..], out, |q, _| f32::from(i16::from(q) - 8) * scale);
}

fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    nibbles(&block[4..], out, |q, _| f32::from(q) * scale + least);
}

/// The fifth bits of 32 values, four bytes from `at`.
fn fifth_bits(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

fn with_fifth(q: u8, high: u32, i: usize) -> u8 {
    q | ((high >> i & 1) as u8) << 4
}

fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let (scale, high) = (half_at(block, 0), fifth_bits(block, 2));
    nibbles(&block[6..], out, |q, i| f32::from(i16::from(with_fifth(q, high, i)) - 16) * scale);
}

fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, least, high) = (half_at(block, 0), half_at(block, 2), fifth_bits(block, 4));
    nibbles(&block[8..], out, |q, i| f32::from(with_fifth(q, high, i)) * scale + least);
}

fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, q) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(q.cast_signed()) * scale;
    }
}

/// Scale and offset of group `group` (0 to 7) out of twelve bytes: six bits each, of the last four groups split into
/// four low bits in the last four bytes and two high bits at the top of the first eight.
fn scale_and_offset(packed: &[u8], group: usize) -> (f32, f32) {
    let (scale, offset) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let low = packed[group + 4];
        (low & 15 | packed[group - 4] >> 6 << 4, low >> 4 | packed[group] >> 6 << 4)
    };
    (f32::from(scale), f32::from(offset))
}

/// The common part of Q4_K and Q5_K: eight groups of 32 values; two groups share 32 bytes, low halves first. `high`
/// gives what a value (of group and place) has beyond its four bits.
fn grouped(head: &[u8], packed: &[u8], out: &mut [f32; 256], high: impl Fn(usize, usize) -> u8) {
    let (scale, offset) = (half_at(head, 0), half_at(head, 2));
    for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (own_scale, own_offset) = scale_and_offset(&head[4..16], group);
        let (scale, offset) = (scale * own_scale, offset * own_offset);
        let packed = &packed[group / 2 * 32..][..32];
        let shift = group % 2 * 4;
        for (i, (out, byte)) in out.iter_mut().zip(packed).enumerate() {
            *out = scale * f32::from((byte >> shift & 15) | high(group, i)) - offset;
        }
    }
}

fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    grouped(&block[..16], &block[16..], out, |_, _| 0);
}

fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let fifth = &block[16..48];
    grouped(&block[..16], &block[48..], out, |group, i| (fifth[i] >> group & 1) * 16);
}

/// Sixteen groups of 16 values with signed scales; four low bits in 128 bytes, two high bits in 64.
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let scale = half_at(block, 208);
    for (run, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        // A run is a quarter of one half of the block.
        let (side, quarter) = (run / 4, run % 4);
        let low = &low[side * 64 + quarter % 2 * 32..][..32];
        let high = &high[side * 32..][..32];
        for i in 0..32 {
            let q = low[i] >> (quarter / 2 * 4) & 15 | (high[i] >> (quarter * 2) & 3) << 4;
            let own_scale = f32::from(scales[run * 2 + i / 16].cast_signed());
            out[i] = scale * own_scale * f32::from(i16::from(q) - 32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{
        Device, Tensor,
        quantized::{GgmlDType, QStorage, QTensor},
    };

    const KINDS: [(Packing, GgmlDType); 11] = [
        (Packing::F32, GgmlDType::F32),
        (Packing::F16, GgmlDType::F16),
        (Packing::Bf16, GgmlDType::BF16),
        (Packing::Q4_0, GgmlDType::Q4_0),
        (Packing::Q4_1, GgmlDType::Q4_1),
        (Packing::Q5_0, GgmlDType::Q5_0),
        (Packing::Q5_1, GgmlDType::Q5_1),
        (Packing::Q8_0, GgmlDType::Q8_0),
        (Packing::Q4K, GgmlDType::Q4K),
        (Packing::Q5K, GgmlDType::Q5K),
        (Packing::Q6K, GgmlDType::Q6K),
    ];

    /// candle packs, candle and this file unpack: the same values, bit for bit but for the order of a product.
    #[test]
    fn equals_candles_reading_of_every_format() {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let values: Vec<f32> = (0..8 * 512).map(|i| next() * (1.0 + (i / 256) as f32) + 0.3).collect();
        let tensor = Tensor::from_vec(values.clone(), (8, 512), &Device::Cpu).unwrap();
        for (packing, dtype) in KINDS {
            let packed = QTensor::quantize(&tensor, dtype).unwrap();
            let expected = packed.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let bytes = packed.data().unwrap();
            let row = packing.bytes_of(512).unwrap();
            assert_eq!(bytes.len(), 8 * row, "{packing:?}");
            assert_eq!(Packing::of_ggml(ggml_number(packing)), Some(packing));
            let mut got = vec![0.0; values.len()];
            for (bytes, out) in bytes.chunks(row).zip(got.chunks_mut(512)) {
                packing.read(bytes, out);
            }
            let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-6, "{packing:?}: off by {worst}");
            let lost = values.iter().zip(&got).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(lost < 2.5, "{packing:?}: lost {lost}");
        }
    }

    /// Bytes that no packer would write exercise every bit.
    #[test]
    fn equals_candles_reading_of_any_bytes() {
        for (packing, dtype) in KINDS.into_iter().filter(|(packing, _)| packing.block().0 > 1) {
            let row = packing.bytes_of(512).unwrap();
            let mut state = 99u32;
            let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .take(4 * row)
            .collect();
            // The scales must be numbers: exponents of about 2^-3.
            let halves: &[usize] = match packing {
                Packing::Q6K => &[209],
                Packing::Q4_0 | Packing::Q5_0 | Packing::Q8_0 => &[1],
                _ => &[1, 3],
            };
            for block in bytes.chunks_mut(packing.block().1) {
                halves.iter().for_each(|at| block[*at] = block[*at] & 0x83 | 0x30);
            }
            let storage = QStorage::from_data(bytes.clone().into(), &Device::Cpu, dtype).unwrap();
            let tensor = QTensor::new(storage, (4, 512)).unwrap().dequantize(&Device::Cpu).unwrap();
            let expected = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let mut got = vec![0.0; 4 * 512];
            packing.read(&bytes, &mut got);
            let is_close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
            assert!(got.iter().zip(&expected).all(is_close), "{packing:?}");
            assert!(expected.iter().any(|x| *x > 1.0), "{packing:?} gives values worth comparing");
        }
    }

    fn ggml_number(packing: Packing) -> u32 {
        (0..40).find(|number| Packing::of_ggml(*number) == Some(packing)).unwrap()
    }

    #[test]
    fn only_whole_blocks_have_a_size() {
        assert_eq!(Packing::Q4K.bytes_of(512), Some(288));
        assert_eq!(Packing::Q4K.bytes_of(500), None);
        assert_eq!(Packing::F32.bytes_of(usize::MAX), None);
        assert_eq!(Packing::of_ggml(10), None);
        assert!(KINDS.iter().all(|(packing, _)| GGML_NAMES.contains(packing.name())));
    }
}
