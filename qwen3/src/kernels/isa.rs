//! The vector instructions that a product may use. Found out once, at run time: one portable binary is fast everywhere.

use std::fmt;

use super::micro::Format;
#[cfg(target_arch = "x86_64")]
use super::tile_unit;

/// Instruction sets that there are inner loops for, each including those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust, whatever the compiler makes of it.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with products of 8-bit integers (VNNI).
    Avx512Vnni,
    /// AVX-512 with VNNI and products of bf16.
    Avx512Bf16,
    /// All of these, and the tile unit with products of bf16 and of 8-bit integers (AMX).
    Amx,
    /// NEON, which every 64-bit ARM processor has.
    Neon,
    /// NEON with products of 8-bit integers (FEAT_DotProd).
    NeonDot,
    /// NEON with these and products of bf16 (FEAT_BF16).
    NeonBf16,
}

impl Isa {
    /// The best that this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            detect_x86()
        }
        #[cfg(target_arch = "aarch64")]
        {
            let dot = std::arch::is_aarch64_feature_detected!("dotprod");
            match (dot, dot && std::arch::is_aarch64_feature_detected!("bf16")) {
                (_, true) => Self::NeonBf16,
                (true, _) => Self::NeonDot,
                _ => Self::Neon,
            }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            Self::Portable
        }
    }

    /// Those of this kind of processor, each including those before it.
    fn known() -> &'static [Self] {
        match Self::detect() {
            Self::Neon | Self::NeonDot | Self::NeonBf16 => &[Self::Portable, Self::Neon, Self::NeonDot, Self::NeonBf16],
            _ => &[Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Vnni, Self::Avx512Bf16, Self::Amx],
        }
    }

    /// Whether it multiplies a format as it is, activations rounded to it; otherwise weights are widened to f32.
    pub(super) fn takes(self, format: Format) -> bool {
        match format {
            Format::F32 => true,
            Format::Bf16 => matches!(self, Self::Avx512Bf16 | Self::Amx | Self::NeonBf16),
            Format::Int8 => {
                matches!(self, Self::Avx512Vnni | Self::Avx512Bf16 | Self::Amx | Self::NeonDot | Self::NeonBf16)
            }
        }
    }

    /// All that this machine has, the best last.
    pub fn available() -> Vec<Self> {
        Self::known().iter().copied().filter(|isa| *isa <= Self::detect()).collect()
    }
}

#[cfg(target_arch = "x86_64")]
fn detect_x86() -> Isa {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    let vnni = avx512 && is_x86_feature_detected!("avx512vnni");
    let bf16 = vnni && is_x86_feature_detected!("avx512bf16");
    match (avx2, avx512, vnni, bf16) {
        (_, _, _, true) if tile_unit::is_usable() => Isa::Amx,
        (_, _, _, true) => Isa::Avx512Bf16,
        (_, _, true, _) => Isa::Avx512Vnni,
        (_, true, _, _) => Isa::Avx512,
        (true, ..) => Isa::Avx2,
        _ => Isa::Portable,
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Amx => "amx",
            Self::Neon => "neon",
            Self::NeonDot => "neon-dot",
            Self::NeonBf16 => "neon-bf16",
        })
    }
}
