//! Progress of a pull: a bar on a terminal, a line now and then otherwise.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;
use crate::plain::shown;

const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a file is.
pub(crate) struct Meter {
    bar: ProgressBar,
    name: RefCell<String>,
    size: Cell<Option<u64>>,
    last_line: Cell<Instant>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = "{prefix} {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, name: RefCell::default(), size: Cell::new(None), last_line: Cell::new(Instant::now()) }
    }

    /// A file begins, or goes on from `at`.
    pub(crate) fn begin(&self, name: &str, at: u64, size: Option<u64>) {
        *self.name.borrow_mut() = shown(name).into_owned();
        self.size.set(size);
        self.bar.set_prefix(shown(name).into_owned());
        if let Some(size) = size {
            self.bar.set_length(size);
        }
        self.bar.set_position(at);
        self.bar.reset_eta();
        if at > 0 {
            self.bar.suspend(|| eprintln!("{}: continues at {}", shown(name), output::size(at)));
        }
    }

    pub(crate) fn at(&self, at: u64) {
        self.bar.set_position(at);
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            let of = self.size.get().map(|size| format!(" of {}", output::size(size))).unwrap_or_default();
            eprintln!("{}: {}{of}", self.name.borrow(), output::size(at));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
