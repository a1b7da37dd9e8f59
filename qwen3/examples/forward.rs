//! How fast the forward pass of a model is on this machine, whatever its weights: query latency, tokens per second of
//! batches, reranking with a shared prefix. CPU time of the process divided by the threads, the best of several runs,
//! so that other programs disturb little; and wall time beside it.
//!
//! `cargo run --release -p qwen3 --example forward -- MODEL_FOLDER [f32|bf16|int8] [THREADS] [ISA|candle] [ONLY]`
#![expect(clippy::print_stdout, reason = "a command line tool reports on standard output")]
#![expect(unsafe_code, reason = "asks the system for the process's CPU time")]

use std::{error::Error, time::Instant};

use qwen3::{Isa, Kernels, Model, ModelFiles, Precision, Prefix};

#[repr(C)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Time) -> i32;
}

fn cpu_seconds() -> f64 {
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: a valid struct of the form that the system call fills; 2 is CLOCK_PROCESS_CPUTIME_ID on Linux.
    unsafe { clock_gettime(2, &mut time) };
    time.seconds as f64 + time.nanoseconds as f64 * 1e-9
}

fn best(runs: usize, mut work: impl FnMut()) -> (f64, f64) {
    work();
    let (mut cpu, mut wall) = (f64::MAX, f64::MAX);
    for _ in 0..runs {
        let (cpu_start, start) = (cpu_seconds(), Instant::now());
        work();
        cpu = cpu.min(cpu_seconds() - cpu_start);
        wall = wall.min(start.elapsed().as_secs_f64());
    }
    (cpu, wall)
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).map_or(default.to_owned(), String::clone);
    let folder = arguments.first().ok_or("expected: forward MODEL_FOLDER [PRECISION] [THREADS] [ISA] [ONLY]")?;
    let precision = match argument(1, "bf16").as_str() {
        "f32" => Precision::F32,
        "int8" => Precision::Int8,
        _ => Precision::Bf16,
    };
    let threads: usize = argument(2, "1").parse()?;
    let wanted = argument(3, "");
    let isa = Isa::available().into_iter().rev().find(|isa| wanted.is_empty() || isa.to_string() == wanted);
    let kernels =
        if wanted == "candle" { Kernels::Candle } else { Kernels::Own(isa.ok_or("no such instruction set")?) };
    let only = argument(4, "");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| -> Result<(), Box<dyn Error + Send + Sync>> {
        let start = Instant::now();
        let model = Model::open_with(&ModelFiles::folder(folder)?, precision, kernels)?;
        println!("{precision:?} {kernels:?} {threads} threads, load {:.2} s", start.elapsed().as_secs_f64());
        let vocab = model.config().qwen.vocab_size as u32;
        let sequence = |length: usize, seed: usize| -> Vec<u32> {
            (0..length).map(|i| ((i * 7919 + seed * 104_729) as u32) % vocab).collect()
        };
        for (name, count, length, runs) in [
            ("query 1x5", 1, 5, 20),
            ("query 1x16", 1, 16, 20),
            ("query 1x20", 1, 20, 20),
            ("embed 16x256", 16, 256, 3),
            ("embed 64x64", 64, 64, 3),
        ] {
            if !name.contains(&only) {
                continue;
            }
            let batch: Vec<Vec<u32>> = (0..count).map(|seed| sequence(length, seed)).collect();
            let batch: Vec<&[u32]> = batch.iter().map(Vec::as_slice).collect();
            let (cpu, wall) = best(runs, || drop(model.last_hidden(&batch, &Prefix::EMPTY)));
            report(name, cpu, wall, threads, count * length);
        }
        if "rerank 20x200".contains(&only) {
            let shared = sequence(80, 99);
            let batch: Vec<Vec<u32>> = (0..20).map(|seed| [shared.clone(), sequence(120, seed)].concat()).collect();
            let whole: Vec<&[u32]> = batch.iter().map(Vec::as_slice).collect();
            let rest: Vec<&[u32]> = batch.iter().map(|ids| &ids[80..]).collect();
            let (cpu, wall) = best(3, || drop(model.last_hidden(&whole, &Prefix::EMPTY)));
            report("rerank 20x200", cpu, wall, threads, 4000);
            let (cpu, wall) = best(3, || {
                let prefix = model.prefix(&shared).unwrap_or(Prefix::EMPTY);
                drop(model.last_hidden(&rest, &prefix));
            });
            report("rerank 20x200, prefix of 80 once", cpu, wall, threads, 4000);
        }
        Ok(())
    })?;
    Ok(())
}

fn report(name: &str, cpu: f64, wall: f64, threads: usize, tokens: usize) {
    let cpu = cpu / threads as f64;
    println!(
        "{name:34} cpu/thread {:9.2} ms {:8.0} tokens/s, wall {:9.2} ms {:8.0} tokens/s",
        cpu * 1e3,
        tokens as f64 / cpu,
        wall * 1e3,
        tokens as f64 / wall
    );
}
