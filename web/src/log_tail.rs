//! The last lines of the log, kept in memory for administrators to read on the page.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept.
const LINES: usize = 300;
/// Bytes of a line; what is longer ends there.
const LINE_BYTES: usize = 2_000;
/// The end of a line that was longer.
const CUT: &str = "..";

/// The last lines of the log. What is written to any clone is in the lines of all.
#[derive(Debug, Clone, Default)]
pub struct LogTail(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// Whether the last line goes on with what is written next.
    is_open: bool,
}

impl LogTail {
    /// The lines, the last one at the end.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.kept().lines.iter().cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for LogTail {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        let mut kept = self.kept();
        for part in String::from_utf8_lossy(written).split_inclusive('\n') {
            if !kept.is_open {
                kept.lines.push_back(String::new());
            }
            kept.is_open = !part.ends_with('\n');
            if let Some(line) = kept.lines.back_mut() {
                add(line, part.trim_end_matches('\n'));
            }
        }
        let excess = kept.lines.len().saturating_sub(LINES);
        kept.lines.drain(..excess);
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Adds to a line what it still takes.
fn add(line: &mut String, part: &str) {
    let room = LINE_BYTES.saturating_sub(line.len());
    let end = part.floor_char_boundary(room);
    line.push_str(&part[..end]);
    if end < part.len() && !line.ends_with(CUT) {
        line.push_str(CUT);
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
