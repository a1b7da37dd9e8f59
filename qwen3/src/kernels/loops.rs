//! Which inner loop a product takes. What a processor has does not tell what is fastest on it: a bf16 instruction may be
//! slower than widening to f32, and tiles pay from some number of rows on. So the loops are timed, once in a process and
//! in milliseconds, when the first product of a format is wanted.

use std::{
    hint::black_box,
    sync::LazyLock,
    time::{Duration, Instant},
};

use super::{
    View,
    gemm::{Finish, Product},
    isa::Isa,
    micro::Format,
    panels::Panels,
};

/// Which inner loops multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loops {
    /// Those of an instruction set, or of less where the machine lacks it.
    Of(Isa),
    /// Those that were the fastest when they were timed.
    Fastest,
}

/// Numbers of rows that are timed. Products of other numbers do as the next smaller of these.
const ROWS: [usize; 4] = [1, 4, 16, 64];
/// Of the matrix that is timed: half a megabyte in bf16, more than the first level cache.
const INPUTS: usize = 512;
const OUTPUTS: usize = 512;
const RUNS: usize = 4;
/// How much faster a lesser instruction set has to be, in percent: closer than that is chance.
const MARGIN: u128 = 10;

type Table = [Isa; ROWS.len()];

impl Loops {
    /// For work that is no product.
    pub(crate) fn isa(self) -> Isa {
        match self {
            Self::Of(isa) => isa,
            Self::Fastest => Isa::detect(),
        }
    }

    /// For a product of so many rows, at least one.
    pub(super) fn for_rows(self, format: Format, rows: usize) -> Isa {
        static BF16: LazyLock<Table> = LazyLock::new(|| timed(Format::Bf16));
        static INT8: LazyLock<Table> = LazyLock::new(|| timed(Format::Int8));
        let table = match (self, format) {
            (Self::Of(isa), _) => return isa,
            // More registers of the same kind are never slower.
            (Self::Fastest, Format::F32) => return Isa::detect(),
            (Self::Fastest, Format::Bf16) => &*BF16,
            (Self::Fastest, Format::Int8) => &*INT8,
        };
        table[ROWS.partition_point(|timed| *timed <= rows.max(1)) - 1]
    }
}

/// Instruction sets that differ in a format, the best that this machine has first.
fn candidates(format: Format) -> Vec<Isa> {
    let mut known = Isa::available();
    known.reverse();
    // Of those that take the format, two generations of units at the most, and the widest that widens it.
    let (taking, widening): (Vec<Isa>, Vec<Isa>) = known.into_iter().partition(|isa| isa.takes(format));
    taking.into_iter().take(2).chain(widening.into_iter().take(1)).collect()
}

/// Nothing in here may wait for other threads: they may be waiting for its result.
fn timed(format: Format) -> Table {
    let candidates = candidates(format);
    let mut table = [candidates[0]; ROWS.len()];
    if let [_] = candidates[..] {
        return table;
    }
    let begin = Instant::now();
    let panels = Panels::ones(format, INPUTS, OUTPUTS);
    for (fastest, rows) in table.iter_mut().zip(ROWS) {
        let times: Vec<Duration> = candidates.iter().map(|isa| time(&panels, *isa, rows)).collect();
        *fastest = candidates[best_of(&times)];
    }
    tracing::debug!(?format, rows = ?ROWS, fastest = ?table, took = ?begin.elapsed(), "inner loops timed");
    table
}

/// The first, unless another is faster beyond chance.
fn best_of(times: &[Duration]) -> usize {
    let nanos = |index: usize| times[index].as_nanos();
    (1..times.len()).fold(0, |best, index| if nanos(index) * (100 + MARGIN) < nanos(best) * 100 { index } else { best })
}

/// The best time of a few runs: what others do on the machine only ever adds.
fn time(panels: &Panels, isa: Isa, rows: usize) -> Duration {
    let input = vec![1f32; rows * INPUTS];
    let mut output = vec![0f32; rows * OUTPUTS];
    let product = Product {
        input: View { values: &input, stride: INPUTS },
        rows,
        norm: None,
        panels,
        range: 0..panels.count(),
        finish: Finish::Store,
    };
    let mut run = || {
        let begin = Instant::now();
        product.run_alone(isa, black_box(&mut output), OUTPUTS);
        begin.elapsed()
    };
    let first = run();
    (1..RUNS).map(|_| run()).fold(first, Duration::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_has_is_chosen() {
        for format in [Format::F32, Format::Bf16, Format::Int8] {
            for rows in [1, 2, 15, 16, 17, 10_000] {
                let chosen = Loops::Fastest.for_rows(format, rows);
                assert!(Isa::available().contains(&chosen) && candidates(format).contains(&chosen));
                assert_eq!(chosen, Loops::Fastest.for_rows(format, rows), "a choice stays");
                assert_eq!(Loops::Of(Isa::Portable).for_rows(format, rows), Isa::Portable);
            }
        }
    }

    #[test]
    fn a_lesser_loop_is_taken_only_where_it_is_clearly_faster() {
        let of = |micros: [u64; 3]| best_of(&micros.map(Duration::from_micros));
        assert_eq!(of([100, 95, 99]), 0);
        assert_eq!(of([100, 80, 79]), 1);
        assert_eq!(of([100, 101, 20]), 2);
    }

    /// What is timed is a product: of ones, every sum is the number of inputs.
    #[test]
    fn the_timed_product_is_right_in_every_loop() {
        for format in [Format::F32, Format::Bf16, Format::Int8] {
            let panels = Panels::ones(format, INPUTS, 64);
            for isa in Isa::available() {
                let (input, mut output) = (vec![1f32; 3 * INPUTS], vec![0f32; 3 * 64]);
                let view = View { values: &input, stride: INPUTS };
                let range = 0..panels.count();
                let product =
                    Product { input: view, rows: 3, norm: None, panels: &panels, range, finish: Finish::Store };
                product.run_alone(isa, &mut output, 64);
                assert!(output.iter().all(|x| (x - INPUTS as f32).abs() < 0.1), "{isa} {format:?}: {:?}", &output[..4]);
            }
        }
    }
}
