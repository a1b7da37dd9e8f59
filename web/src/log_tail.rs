//! The last lines of the log, kept in memory for administrators to read on the page.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept.
const LINES: usize = 300;
/// Bytes of a line; what is longer ends there.
const LINE_BYTES: usize = 2_000;

/// The last lines of the log. What is written to any clone is a line of all.
#[derive(Debug, Clone, Default)]
pub struct LogTail(Arc<Mutex<VecDeque<String>>>);

impl LogTail {
    /// The lines, the last one at the end.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.kept().iter().cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for LogTail {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut kept = self.kept();
        for line in String::from_utf8_lossy(lines).lines() {
            let end = line.floor_char_boundary(LINE_BYTES);
            kept.push_back(if end < line.len() { format!("{}..", &line[..end]) } else { line.to_owned() });
        }
        let excess = kept.len().saturating_sub(LINES);
        kept.drain(..excess);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogTail {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_cut() {
        let tail = LogTail::default();
        for number in 0..LINES + 5 {
            writeln!(tail.make_writer(), "line {number}").unwrap();
        }
        writeln!(tail.make_writer(), "{}", "é".repeat(LINE_BYTES)).unwrap();
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "line 6"));
        assert!(lines[LINES - 1].ends_with("é..") && lines[LINES - 1].len() <= LINE_BYTES + 2);
    }
}
