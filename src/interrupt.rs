//! Ctrl-C: the first asks the run to commit what is done and stop, the second ends the process at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The conventional exit status of a process ended by SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// A flag that turns true at the first Ctrl-C or SIGTERM.
pub(crate) fn on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            process::exit(INTERRUPTED.into());
        }
        eprintln!("quarry: stopping; what is done is kept. Once more to stop at once");
    })?;
    Ok(flag)
}
