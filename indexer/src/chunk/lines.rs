//! Source lines of passages. A block knows its lines; inside of it newlines are counted. The cursor only moves forward,
//! so that a block of megabytes is counted through once.

use std::ops::Range;

use extract::StructuredText;

pub(super) struct LineCursor<'a> {
    document: &'a StructuredText,
    block: usize,
    /// Last byte asked for, and its line.
    at: usize,
    line: u32,
}

impl<'a> LineCursor<'a> {
    pub(super) fn new(document: &'a StructuredText) -> Self {
        let line = document.blocks.first().map_or(1, |block| block.lines.start);
        Self { document, block: 0, at: 0, line }
    }

    /// Lines that hold the bytes of a span behind the last one.
    pub(super) fn lines(&mut self, span: Range<usize>) -> Range<u32> {
        let first = self.line(span.start);
        let last = self.line(span.end.max(span.start + 1) - 1);
        first..last.max(first).saturating_add(1)
    }

    fn line(&mut self, offset: usize) -> u32 {
        let blocks = &self.document.blocks;
        while blocks.get(self.block + 1).is_some_and(|next| next.span.start <= offset) {
            self.block += 1;
            self.at = blocks[self.block].span.start;
            self.line = blocks[self.block].lines.start;
        }
        if self.at < offset {
            let newlines = self.document.text.as_bytes()[self.at..offset].iter().filter(|&&byte| byte == b'\n').count();
            self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
            self.at = offset;
        }
        // Where the text has more lines than the source (a table's separator), the block's own end holds.
        blocks.get(self.block).map_or(self.line, |block| self.line.min(block.lines.end - 1))
    }
}
