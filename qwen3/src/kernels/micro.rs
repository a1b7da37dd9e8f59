//! The inner loop of a product, as a trait: a few rows of activations times one panel of 32 outputs.
//!
//! Both operands are streams of 32-bit words along the shared dimension: word `s` of a row holds one f32, two bf16 or
//! four 8-bit values. A tile is `[steps][rows]` words, a panel `[steps][32]` words.
#![expect(unsafe_code, reason = "calls the instruction sets' inner loops, once the machine is known to have them")]

use std::ops::Range;

#[cfg(target_arch = "aarch64")]
use super::neon::{self, Neon, NeonBf16, NeonInt8};
#[cfg(target_arch = "x86_64")]
use super::{
    amx::Bf16Tiles,
    amx_int8::Int8Tiles,
    avx2::{Avx2, with_avx2},
    avx512::{Avx512, Bf16Dot, Int8Dot, with_avx512, with_bf16, with_vnni},
};
use super::{isa::Isa, portable::Portable, tiles::interleave};

/// Outputs in a panel.
pub(super) const WIDTH: usize = 32;
/// Values that share a scale in int8.
pub(super) const GROUP: usize = 128;
/// Words in a group of int8.
pub(super) const GROUP_STEPS: usize = GROUP / 4;
/// No inner loop whose rows are unrolled takes more at once.
pub(super) const UNROLLED_ROWS: usize = 12;
/// Steps of a panel are filled up with zeros to a multiple of this.
pub(super) const PANEL_GRAIN: usize = 16;

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

/// Rows of activations, as [`Micro::arrange`] laid them out (side by side, `[steps][rows]` words, where nothing else is
/// said), and, for int8, `[groups][rows]` scales.
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

impl Panel {
    /// Some of the steps, from the beginning of a group on; nothing is fetched ahead.
    #[inline(always)]
    pub(super) fn part(self, steps: Range<usize>) -> Self {
        let group = steps.start / GROUP_STEPS * WIDTH;
        Self {
            words: self.words.wrapping_add(steps.start * WIDTH),
            scales: self.scales.wrapping_add(group),
            starts: self.starts.wrapping_add(group),
            steps: steps.len(),
            ahead_bytes: 0,
            ..self
        }
    }
}

/// Where a tile's results go: `[rows][32]` f32 with a stride between rows.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) values: *mut f32,
    pub(super) stride: usize,
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no loop there holds sums"))]
    pub(super) touch: Touch,
}

impl Target {
    /// Nothing else is written soon.
    #[inline(always)]
    pub(super) fn new(values: *mut f32, stride: usize) -> Self {
        Self { values, stride, touch: Touch { lines: values.cast(), stride: 0, rows: 0 } }
    }
}

/// What will be written next, two cache lines in each of a few rows, fetched meanwhile by loops that hold sums: a line
/// has to be read before a part of it can be written, and nobody then waits for it. It need not be valid.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no loop there holds sums"))]
pub(super) struct Touch {
    pub(super) lines: *const u8,
    /// Bytes from a row to the next.
    pub(super) stride: usize,
    pub(super) rows: usize,
}

/// What sums start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Start {
    Zero = 0,
    /// What the target holds.
    Held = 1,
}

/// One instruction set's inner loop over one format.
pub(super) trait Micro {
    /// What the thread holds while it multiplies.
    type Guard;
    /// Rows taken at once at most.
    const ROWS: usize;
    const FORMAT: Format;
    /// Rows of a tile and words of a row are filled up to a multiple of this; so is the target.
    const GRAIN: usize = 1;
    /// Whether sums can start from what the target holds.
    const HOLDS: bool = false;
    /// Steps that all rows take before any takes the next ones; all of them where sums cannot be held.
    const DEPTH: usize = usize::MAX;
    /// Packed activations of a block, in bytes: with a panel beside them they fit the second level cache.
    const BLOCK_BYTES: usize = 384 << 10;

    /// To be called before the first tile. Guards are not nested.
    fn enter() -> Self::Guard;

    /// Writes a row's words (`FORMAT.steps(row.len())`, the last filled up with zeros) and scales.
    fn encode(row: &[f32], words: &mut [u32], scales: &mut [f32]);

    /// Words of successive rows taken together: word `c` holds value `c` of each of `FORMAT.per_word()` rows, the
    /// missing ones being zero. Not for int8.
    fn encode_across(rows: [&[f32]; 2], words: &mut [u32]);

    /// Makes a tile of `count` rows of `steps` words, `stride` words apart.
    #[inline(always)]
    fn arrange(rows: &[u32], stride: usize, count: usize, steps: usize, out: &mut [u32]) {
        interleave(rows, stride, count, steps, out);
    }

    /// 1 to `ROWS` rows times a panel.
    ///
    /// # Safety
    /// The machine has the instruction set, and this thread a guard. The pointers are good for what [`Tile`], [`Panel`]
    /// and [`Target`] say, with `rows` rows, filled up; `ahead` need not be valid.
    unsafe fn tile_of(rows: usize, tile: Tile, panel: Panel, target: Target, start: Start);

    /// Writes past the caches, without reading the lines first. Seen by other threads after the guard is dropped.
    ///
    /// # Safety
    /// As for [`Micro::tile_of`]; `out` is at a cache line and has room for the sums.
    #[inline(always)]
    unsafe fn store_far(sums: &[f32; WIDTH], out: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { out.cast::<[f32; WIDTH]>().write(*sums) };
    }

    /// Words that a row of `values` values has in a tile.
    #[inline(always)]
    fn words(values: usize) -> usize {
        Self::FORMAT.steps(values).next_multiple_of(Self::GRAIN)
    }

    /// Rows that a tile, or several, of `rows` rows have room for.
    #[inline(always)]
    fn room(rows: usize) -> usize {
        rows.next_multiple_of(Self::GRAIN)
    }
}

/// An inner loop whose rows are unrolled: their sums are registers that have names.
pub(super) trait Unrolled {
    /// `R` rows times a panel; sums start from zero.
    ///
    /// # Safety
    /// As [`Micro::tile_of`], with `R` rows.
    unsafe fn tile<const R: usize>(tile: Tile, panel: Panel, target: Target);

    /// [`Unrolled::tile`] of 1 to 12 rows.
    ///
    /// # Safety
    /// As there, with `rows` rows.
    #[inline(always)]
    unsafe fn unrolled(rows: usize, tile: Tile, panel: Panel, target: Target) {
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
        (Isa::Amx, Format::Bf16) => unsafe { with_bf16::<Bf16Tiles, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Amx, Format::Int8) => unsafe { with_bf16::<Int8Tiles, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16, Format::Bf16) => unsafe { with_bf16::<Bf16Dot, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16 | Isa::Avx512Vnni, Format::Int8) => unsafe { with_vnni::<Int8Dot, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::Avx512, _) => unsafe { with_avx512::<Avx512, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, _) => unsafe { with_avx2::<Avx2, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        (Isa::NeonBf16, Format::Bf16) => unsafe { neon::with_bf16::<NeonBf16, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        (Isa::NeonBf16 | Isa::NeonDot, Format::Int8) => unsafe { neon::with_dot::<NeonInt8, W>(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        (Isa::NeonBf16 | Isa::NeonDot | Isa::Neon, _) => unsafe { neon::with_neon::<Neon, W>(work) },
        _ => work.run::<Portable>(),
    }
}
