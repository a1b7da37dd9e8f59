//! Code that was packed for machines: lines of scripts and style sheets far longer than anybody writes, and without the
//! blanks that people put between words.

use std::ops::Range;

/// Languages that are packed.
const PACKED: &[&str] = &["javascript", "js", "typescript", "ts", "tsx", "jsx", "css", "vue", "svelte"];

/// Bytes of a line that nobody wrote.
const LONG_LINE: usize = 1_000;

/// The packed lines of a block of code, in order.
pub(super) fn lines(text: &str, language: &str) -> Vec<Range<usize>> {
    if text.len() < LONG_LINE || !PACKED.contains(&language) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end_matches(['\n', '\r']);
        if trimmed.len() >= LONG_LINE && is_packed(trimmed) {
            found.push(at..at + trimmed.len());
        }
        at += line.len();
    }
    found
}

/// Few blanks, many signs.
fn is_packed(line: &str) -> bool {
    let blanks = line.bytes().filter(u8::is_ascii_whitespace).count();
    let signs = line.bytes().filter(u8::is_ascii_punctuation).count();
    blanks * 12 < line.len() && signs * 6 > line.len()
}
