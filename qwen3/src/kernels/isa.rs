//! The vector instructions that a product may use. Found out once, at run time: one portable binary is fast everywhere.

use std::fmt;

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
}

impl Isa {
    /// The best that this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            detect_x86()
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            Self::Portable
        }
    }

    /// All that this machine has, the best last.
    pub fn available() -> Vec<Self> {
        let all = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Vnni, Self::Avx512Bf16, Self::Amx];
        all.into_iter().filter(|isa| *isa <= Self::detect()).collect()
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
        })
    }
}
