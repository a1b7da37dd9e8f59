//! A matrix as it lies in its file, read row by row. The token embedding table stays in this form: it is the largest
//! matrix of a small model, and a batch touches few of its rows. Everything else is read through it once.

use std::ops::Range;

use rayon::prelude::*;

use crate::{bytes::Bytes, packing::Packing, random::Noise};

/// Where the rows of a matrix come from.
#[derive(Clone)]
pub(crate) enum Format {
    Packed(Packing),
    /// One factor for each group of columns, row after row.
    Int8 {
        scales: Vec<f32>,
        group: usize,
    },
    /// Two rows of a larger matrix, at these indexes of it: all that a reranker needs of its output matrix. Other rows
    /// are not known and read as NaN, which no score survives.
    Pair {
        packing: Packing,
        rows: [usize; 2],
    },
    Random(Noise),
}

/// `rows` x `columns` numbers in `bytes`; [`StoredMatrix::new`] has checked that they are there.
pub(crate) struct StoredMatrix {
    bytes: Bytes,
    range: Range<usize>,
    format: Format,
    rows: usize,
    columns: usize,
}

impl StoredMatrix {
    /// None where `range` is not within `bytes` or has not exactly the bytes of such a matrix.
    pub(crate) fn new(
        bytes: Bytes,
        range: Range<usize>,
        format: Format,
        (rows, columns): (usize, usize),
    ) -> Option<Self> {
        let row = match &format {
            Format::Packed(packing) | Format::Pair { packing, .. } => packing.bytes_of(columns)?,
            Format::Int8 { .. } => columns,
            Format::Random(_) => 0,
        };
        let stored_rows = if matches!(format, Format::Pair { .. }) { 2 } else { rows };
        let whole = bytes.get(range.clone())?.len() == stored_rows.checked_mul(row)?;
        whole.then_some(Self { bytes, range, format, rows, columns })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Whether every row is known.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self.format, Format::Pair { .. })
    }

    /// Whether bf16 holds the values as they are, or to less than what quantising has already cost them.
    pub(crate) fn suits_bf16(&self) -> bool {
        match &self.format {
            Format::Packed(packing) => !matches!(packing, Packing::F32 | Packing::F16),
            Format::Int8 { .. } | Format::Pair { .. } => false,
            Format::Random(_) => true,
        }
    }

    /// Writes row `row` (below `rows()`) into `out` (of `columns()` values).
    pub(crate) fn read_row(&self, row: usize, out: &mut [f32]) {
        match &self.format {
            Format::Packed(packing) => packing.read(self.row_bytes(row, self.rows), out),
            Format::Pair { packing, rows } => match rows.iter().position(|known| *known == row) {
                Some(index) => packing.read(self.row_bytes(index, 2), out),
                None => out.fill(f32::NAN),
            },
            Format::Int8 { scales, group } => {
                let scales = &scales[row * self.columns / group..];
                let bytes = self.row_bytes(row, self.rows);
                for ((out, bytes), scale) in out.chunks_mut(*group).zip(bytes.chunks(*group)).zip(scales) {
                    for (out, byte) in out.iter_mut().zip(bytes) {
                        *out = f32::from(byte.cast_signed()) * scale;
                    }
                }
            }
            Format::Random(noise) => noise.read_row(row, out),
        }
    }

    /// All values, row after row.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.columns];
        values.par_chunks_mut(self.columns).enumerate().for_each(|(row, out)| self.read_row(row, out));
        values
    }

    /// How many values are NaN or infinite.
    pub(crate) fn count_non_finite(&self) -> u64 {
        let count = |row: &mut Vec<f32>, index| {
            self.read_row(index, row);
            row.iter().filter(|value| !value.is_finite()).count() as u64
        };
        (0..self.rows).into_par_iter().map_init(|| vec![0.0; self.columns], count).sum()
    }

    /// Gives the memory of the rows back, once they were copied elsewhere; they can still be read.
    pub(crate) fn forget(&self) {
        self.bytes.forget(self.range.clone());
    }

    fn data(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    fn row_bytes(&self, row: usize, rows: usize) -> &[u8] {
        let data = self.data();
        let length = data.len() / rows;
        &data[row * length..][..length]
    }
}
