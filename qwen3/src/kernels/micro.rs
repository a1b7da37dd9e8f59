//! The inner loop of a product, as a trait: a few rows of activations times one panel of 32 outputs.
//!
//! Both operands are streams of 32-bit words along the shared dimension: word `s` of a row holds one f32, two bf16 or
//! four 8-bit values. A tile is `[steps][rows]` words, a panel `[steps][32]` words.
#![expect(unsafe_code, reason = "calls the instruction sets' inner loops, once the machine is known to have them")]

#[cfg(target_arch = "x86_64")]
use super::{
    avx2::{Avx2, with_avx2},
    avx512::{Avx512, Bf16Dot, Int8Dot, with_avx512, with_bf16, with_vnni},
};
use super::{isa::Isa, portable::Portable};

/// Outputs in a panel.
pub(super) const WIDTH: usize = 32;
/// Values that share a scale in int8.
pub(super) const GROUP: usize = 128;
/// Words in a group of int8.
pub(super) const GROUP_STEPS: usize = GROUP / 4;
/// No inner loop takes more rows at once.
pub(super) const MOST_ROWS: usize = 12;

/// How the values of a packed matrix are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    F32,
    Bf16,
    /// With one f32 scale for every 128 values of a row. Activations meet it in 8 bits too.
    Int8,
}

impl Format {
    /// Values in a word.
    pub(super) fn per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }

    /// Words for `values` values.
    pub(super) fn steps(self, values: usize) -> usize {
        values.div_ceil(self.per_word())
    }

    /// Scales for `values` values.
    pub(super) fn groups(self, values: usize) -> usize {
        match self {
            Self::F32 | Self::Bf16 => 0,
            Self::Int8 => values.div_ceil(GROUP),
        }
    }
}

/// Rows of activations, side by side: `[steps][rows]` words and, for int8, `[groups][rows]` scales.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) words: *const u32,
    pub(super) scales: *const f32,
}

/// One panel of weights: `[steps][32]` words at a cache line and, for int8, `[groups][32]` scales and start values.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) words: *const u32,
    pub(super) scales: *const f32,
    /// What a sum starts from, as activations carry an offset of 128: -128 times the group's sum of weights.
    pub(super) starts: *const i32,
    pub(super) steps: usize,
    /// What will be needed next: `ahead_bytes` from here are fetched with every step.
    pub(super) ahead: *const u8,
    pub(super) ahead_bytes: usize,
}

/// Where a tile's results go: `[rows][32]` f32 with a stride between rows.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) values: *mut f32,
    pub(super) stride: usize,
}

/// One instruction set's inner loop over one format.
pub(super) trait Micro {
    /// Rows taken at once at most.
    const ROWS: usize;
    const FORMAT: Format;

    /// Writes a row's words (`FORMAT.steps(row.len())`, the last filled up with zeros) and scales.
    fn encode(row: &[f32], words: &mut [u32], scales: &mut [f32]);

    /// Words of successive rows taken together: word `c` holds value `c` of each of `FORMAT.per_word()` rows, the
    /// missing ones being zero. Not for int8.
    fn encode_across(rows: [&[f32]; 2], words: &mut [u32]);

    /// `R` rows times a panel; sums start from zero.
    ///
    /// # Safety
    /// The machine has the instruction set. The pointers are good for what [`Tile`], [`Panel`] and [`Target`] say,
    /// with `R` rows; `ahead` need not be valid.
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target);

    /// [`Micro::tile`] of 1 to `ROWS` rows.
    ///
    /// # Safety
    /// As there, with `rows` rows.
    #[inline(always)]
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target) {
        debug_assert!(rows > 0 && rows <= Self::ROWS);
        // SAFETY: the caller's promise.
        unsafe {
            match rows {
                1 => Self::tile::<1>(tile, panel, target),
                2 => Self::tile::<2>(tile, panel, target),
                3 => Self::tile::<3>(tile, panel, target),
                4 => Self::tile::<4>(tile, panel, target),
                5 => Self::tile::<5>(tile, panel, target),
                6 => Self::tile::<6>(tile, panel, target),
                7 => Self::tile::<7>(tile, panel, target),
                8 => Self::tile::<8>(tile, panel, target),
                9 => Self::tile::<9>(tile, panel, target),
                10 => Self::tile::<10>(tile, panel, target),
                11 => Self::tile::<11>(tile, panel, target),
                _ => Self::tile::<12>(tile, panel, target),
            }
        }
    }
}

/// Something to be compiled once for each inner loop. Implementations are `#[inline(always)]`: only then does their
/// own code use the instruction set as well.
pub(super) trait Work {
    fn run<M: Micro>(self);
}

/// Runs `work` with the best inner loop for `format` that `isa` allows; where none takes the format as it is, one of
/// f32 (the work expands panels).
pub(super) fn dispatch<W: Work>(isa: Isa, format: Format, work: W) {
    // What the machine lacks is never run, whatever was asked for.
    match (isa.min(Isa::detect()), format) {
        // SAFETY: the machine was just found to have these instructions.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16, Format::Bf16) => unsafe { with_bf16::<Bf16Dot, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16 | Isa::Avx512Vnni, Format::Int8) => unsafe { with_vnni::<Int8Dot, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::Avx512, _) => unsafe { with_avx512::<Avx512, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, _) => unsafe { with_avx2::<Avx2, W>(work) },
        _ => work.run::<Portable>(),
    }
}
