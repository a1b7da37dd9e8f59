//! Memory that starts at a cache line, and scratch memory that a thread keeps: fresh pages cost more than the small
//! products that would be computed in them.

use std::cell::Cell;

use bytemuck::{Pod, Zeroable};

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
struct Line([u32; 16]);

/// A buffer of 32-bit words, zero at first.
#[derive(Default)]
pub(super) struct Aligned {
    lines: Vec<Line>,
}

thread_local! {
    static SCRATCH: Cell<Aligned> = const { Cell::new(Aligned { lines: Vec::new() }) };
}

impl Aligned {
    pub(super) fn new(words: usize) -> Self {
        Self { lines: vec![Line::zeroed(); words.div_ceil(16)] }
    }

    pub(super) fn words(&self) -> &[u32] {
        bytemuck::cast_slice(&self.lines)
    }

    pub(super) fn words_mut(&mut self) -> &mut [u32] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }

    fn grow(&mut self, words: usize) {
        let lines = words.div_ceil(16);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line::zeroed());
        }
    }
}

/// Scratch memory of this thread, given back when dropped. Nested ones are memory of their own.
pub(super) struct Scratch(Aligned);

impl Scratch {
    /// At least `words` words of unspecified content.
    pub(super) fn take(words: usize) -> Self {
        // Out of its place while in use: a thread that waits in rayon may begin another task meanwhile.
        let mut buffer = SCRATCH.take();
        buffer.grow(words);
        Self(buffer)
    }

    pub(super) fn words(&mut self) -> &mut [u32] {
        self.0.words_mut()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        SCRATCH.set(std::mem::take(&mut self.0));
    }
}

/// Cuts `words` words off the front, rounded up so that the rest starts at a cache line.
pub(super) fn cut<'b>(buffer: &mut &'b mut [u32], words: usize) -> &'b mut [u32] {
    let (part, rest) = std::mem::take(buffer).split_at_mut(padded(words));
    *buffer = rest;
    &mut part[..words]
}

/// Words that [`cut`] takes.
pub(super) fn padded(words: usize) -> usize {
    words.next_multiple_of(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_start_at_cache_lines() {
        let mut scratch = Scratch::take(100);
        let mut buffer = scratch.words();
        let first = cut(&mut buffer, 5).as_ptr() as usize;
        let second = cut(&mut buffer, 40).as_ptr() as usize;
        assert_eq!((first % 64, second - first), (0, 64));
        let inner = Scratch::take(50).words().as_ptr() as usize;
        assert!(inner < first || inner >= first + 400);
        assert_eq!(Aligned::new(17).words().len(), 32);
    }
}
