//! Allocator settings that keep the memory of one training step for the next.
//!
//! A step makes and drops tensors of many megabytes. glibc gives such memory back to the system every time, which has to
//! fill it with zeros again before the next step: without this, about half of the time (measured; see docs/BENCHMARKS.md).

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::sync::Once;

/// Allocations below this come from memory that is kept. Old releases of glibc take no more than the second.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: [i32; 2] = [1 << 30, 1 << 25];

/// From now on the process keeps freed memory. Elsewhere than with glibc nothing happens.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        static ONCE: Once = Once::new();
        ONCE.call_once(set);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc's settings have no safe wrapper")]
fn set() {
    // SAFETY: mallopt takes two numbers, locks the allocator itself and may be called at any time; a value it does not
    // take leaves everything as it was.
    let set = |name, value| unsafe { libc::mallopt(name, value) } == 1;
    let taken = KEPT.iter().any(|kept| set(libc::M_MMAP_THRESHOLD, *kept));
    if !(taken && set(libc::M_TRIM_THRESHOLD, i32::MAX)) {
        tracing::debug!("the allocator goes on giving memory back: training is slower");
    }
}
