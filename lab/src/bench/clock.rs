//! Measuring one piece of work: the best wall and processor time of several runs, and the memory it needed.

use std::time::{Duration, Instant};

use crate::error::Result;

/// No further runs of a row once it has taken this long.
const ENOUGH: Duration = Duration::from_secs(20);
/// Work that takes less gets a first run that does not count.
const SHORT: Duration = Duration::from_secs(5);

/// What a piece of work took.
pub(super) struct Timing {
    /// Best wall time, in seconds.
    pub(super) wall: f64,
    /// Best time of all processors together, in seconds: what others do on the machine hardly counts. `None` where
    /// the system does not tell.
    pub(super) cpu: Option<f64>,
}

/// Runs `work` up to `runs` times.
pub(super) fn time(runs: usize, mut work: impl FnMut() -> Result<()>) -> Result<Timing> {
    let begin = Instant::now();
    let mut best = run(&mut work)?;
    if begin.elapsed() < SHORT {
        best = run(&mut work)?;
    }
    for _ in 1..runs {
        if begin.elapsed() > ENOUGH {
            break;
        }
        let next = run(&mut work)?;
        best = Timing { wall: best.wall.min(next.wall), cpu: best.cpu.zip(next.cpu).map(|(a, b)| a.min(b)) };
    }
    Ok(best)
}

fn run(work: &mut impl FnMut() -> Result<()>) -> Result<Timing> {
    let (wall, cpu) = (Instant::now(), processor_time());
    work()?;
    Ok(Timing { wall: wall.elapsed().as_secs_f64(), cpu: spent(cpu) })
}

fn spent(before: Option<Duration>) -> Option<f64> {
    Some(processor_time()?.checked_sub(before?)?.as_secs_f64())
}

/// Processor time of this process, all threads together.
#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
fn processor_time() -> Option<Duration> {
    None
}

/// Starts measuring the peak of resident memory anew. Where the system cannot, peaks are since the start.
pub(super) fn reset_peak_memory() {
    // Linux: 5 resets the high water mark of this process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Peak of resident memory in MiB; `None` where the system does not tell.
pub(super) fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024.0)
}
