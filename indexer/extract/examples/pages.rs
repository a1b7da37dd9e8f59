//! Pages read in a second on one core: `cargo run --release -p extract --example pages -- FILE..`. Each file is read
//! five times and its best time counts; files that give no text are left out.
#![allow(clippy::print_stdout, reason = "a program")]

use std::path::Path;
use std::time::{Duration, Instant};

/// Readings of each file.
const ROUNDS: usize = 5;

fn main() {
    let limits = extract::ExtractLimits::default();
    let (mut pages, mut files, mut time) = (0, 0, Duration::ZERO);
    for path in std::env::args().skip(1) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let mut best: Option<(Duration, u32)> = None;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let found = extract::extract(Path::new(&path), &bytes, &limits).ok().and_then(|found| found.document);
            let took = start.elapsed();
            let Some(count) = found.and_then(|document| document.pages) else { continue };
            if best.is_none_or(|(least, _)| took < least) {
                best = Some((took, count.all));
            }
        }
        if let Some((took, count)) = best {
            (pages, files, time) = (pages + count, files + 1, time + took);
        }
    }
    println!(
        "{files} files, {pages} pages, {:.3} s: {:.0} pages/s",
        time.as_secs_f64(),
        f64::from(pages) / time.as_secs_f64()
    );
}
