//! Blocks to units: a block that is short enough is one, a longer one is split by what it is: a table at its rows with
//! the header repeated, code by its syntax tree, prose at paragraphs, lines, sentences, words, characters. Long blocks
//! are handed to text-splitter in windows, because its cost grows with the square of its input.

use std::ops::Range;

use text_splitter::{ChunkConfig, ChunkSizer, CodeSplitter, TextSplitter};

use super::blocks::header_row;
use super::{Chunker, TokenCounter};
use extract::grammar;
use extract::{BlockKind, floor_boundary};

/// A text this many bytes a token long is above any limit without counting.
pub(super) const OBVIOUS_BYTES: usize = 32;

/// Smallest window for prose and for code: code needs more of its surroundings to be understood.
const PROSE_WINDOW: usize = 8 << 10;
const CODE_WINDOW: usize = 64 << 10;

/// Below `target / SHORT` tokens, a part of a block is no passage of its own.
const SHORT: usize = 8;

/// Bytes above which a header row is not repeated, however few tokens it has (a ruler of dashes, say).
const MAX_HEADER_BYTES: usize = 1024;

/// A stretch of a block that stays together.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) span: Range<usize>,
    /// Tokens, with those of the header.
    pub(super) tokens: usize,
    pub(super) block: usize,
    /// Header row of the table that this is a later part of.
    pub(super) header: Option<Range<usize>>,
    /// A part of a split block, but not the first.
    pub(super) continues: bool,
}

/// Bytes a token of a text that is tried for size: what is longer is first looked at so far.
const USUAL_BYTES: usize = 6;

/// The seam to text-splitter, which only asks whether a text fits: it tries windows of many times the target, and how
/// much too long they are need not be counted.
struct Sizer<'a> {
    counter: &'a dyn TokenCounter,
    target: usize,
}

impl ChunkSizer for Sizer<'_> {
    fn size(&self, chunk: &str) -> usize {
        let far = self.target.saturating_mul(USUAL_BYTES);
        if chunk.len() > far {
            let beginning = self.counter.count(&chunk[..floor_boundary(chunk, far)]);
            // A cut word may count for some tokens more than in the whole.
            if beginning > self.target + self.target / 8 + 8 {
                return beginning;
            }
        }
        self.counter.count(chunk)
    }
}

impl Chunker<'_> {
    /// The units of one block, in order; every character of the block that is not white space lies in one.
    pub(super) fn units(&self, block: usize) -> Vec<Unit> {
        let span = self.document.blocks[block].span.clone();
        let kind = &self.document.blocks[block].kind;
        let target = self.limits.target;
        // Code and tables lose more by being cut than prose does.
        let whole = match kind {
            BlockKind::Code { .. } | BlockKind::Table => target * 2,
            _ => target + target / 4,
        };
        let whole = whole.min(self.limits.max);
        if let Some(tokens) = self.count_up_to(span.clone(), whole) {
            return vec![Unit { span, tokens, block, header: None, continues: false }];
        }
        let mut units = match kind {
            BlockKind::Table => self.split_rows(block, span),
            BlockKind::Code { language, .. } => self.split_code(block, span, language.as_deref()),
            _ => self.split_prose(block, span),
        };
        self.join_short(&mut units);
        units.iter_mut().skip(1).for_each(|unit| unit.continues = true);
        units
    }

    /// Tokens of a span if they are within a limit; what is obviously above it is not counted.
    fn count_up_to(&self, span: Range<usize>, limit: usize) -> Option<usize> {
        if span.len() > limit.saturating_mul(OBVIOUS_BYTES) {
            return None;
        }
        let tokens = self.counter.count(&self.document.text[span]);
        (tokens <= limit).then_some(tokens)
    }

    fn splitter_config(&self) -> ChunkConfig<Sizer<'_>> {
        ChunkConfig::new(self.limits.target).with_sizer(Sizer { counter: self.counter, target: self.limits.target })
    }

    fn split_prose(&self, block: usize, span: Range<usize>) -> Vec<Unit> {
        let splitter = TextSplitter::new(self.splitter_config());
        let window = PROSE_WINDOW.max(self.limits.target.saturating_mul(OBVIOUS_BYTES / 2));
        self.windows(block, span, window, |text| splitter.chunk_indices(text).map(piece).collect())
    }

    fn split_code(&self, block: usize, span: Range<usize>, language: Option<&str>) -> Vec<Unit> {
        let config = self.splitter_config();
        let splitter = language.and_then(grammar).and_then(|grammar| CodeSplitter::new(grammar, config).ok());
        let Some(splitter) = splitter else { return self.split_prose(block, span) };
        let window = CODE_WINDOW.max(self.limits.target.saturating_mul(OBVIOUS_BYTES));
        self.windows(block, span, window, |text| splitter.chunk_indices(text).map(piece).collect())
    }

    /// Splits a span window by window. The last piece of a window is cut short by the window's end: it opens the next
    /// one instead.
    fn windows(
        &self,
        block: usize,
        span: Range<usize>,
        window: usize,
        split: impl Fn(&str) -> Vec<Range<usize>>,
    ) -> Vec<Unit> {
        let text = &self.document.text;
        let mut units = Vec::new();
        let mut at = span.start;
        while at < span.end && !self.stop.is_asked() {
            let end = floor_boundary(text, at.saturating_add(window).min(span.end));
            let mut pieces = split(&text[at..end]);
            let mut next = end;
            if end < span.end && pieces.len() > 1 {
                next = pieces.pop().map_or(end, |last| at + last.start);
            }
            for piece in pieces {
                let span = at + piece.start..at + piece.end;
                let tokens = self.counter.count(&text[span.clone()]);
                units.push(Unit { span, tokens, block, header: None, continues: false });
            }
            at = next;
        }
        units
    }

    /// Joins a part that is a mere line (the signature before a long body) to the part after it.
    fn join_short(&self, units: &mut Vec<Unit>) {
        let target = self.limits.target;
        let mut joined: Vec<Unit> = Vec::with_capacity(units.len());
        for unit in units.drain(..) {
            if let Some(last) = joined.last_mut().filter(|last| last.tokens < target / SHORT && unit.header.is_none()) {
                let total = last.tokens + unit.tokens + 1;
                let span = last.span.start..unit.span.end;
                if total <= target + target / 4 && self.fits(total, last.header.as_ref(), span.clone()) {
                    (last.span, last.tokens) = (span, total);
                    continue;
                }
            }
            joined.push(unit);
        }
        *units = joined;
    }

    /// Splits a table at its rows; all parts but the first repeat the header, if it is short.
    fn split_rows(&self, block: usize, span: Range<usize>) -> Vec<Unit> {
        let target = self.limits.target;
        let header = self.header_of(span.clone());
        let mut units: Vec<Unit> = Vec::new();
        // Whether the last unit takes more rows.
        let mut open = false;
        let mut at = span.start;
        for line in self.document.text[span].split_inclusive('\n').take_while(|_| !self.stop.is_asked()) {
            let row = at..at + line.trim_end().len();
            at += line.len();
            if row.is_empty() {
                continue;
            }
            let Some(tokens) = self.count_up_to(row.clone(), target) else {
                units.extend(self.split_prose(block, row));
                open = false;
                continue;
            };
            let joined = open && units.last_mut().is_some_and(|last| self.add_row(last, &row, tokens));
            if !joined {
                units.push(self.first_row(block, row, tokens, header.as_ref().filter(|_| !units.is_empty())));
                open = true;
            }
        }
        units
    }

    fn add_row(&self, unit: &mut Unit, row: &Range<usize>, tokens: usize) -> bool {
        let total = unit.tokens + tokens + 1;
        let span = unit.span.start..row.end;
        if total > self.limits.target || !self.fits(total, unit.header.as_ref(), span.clone()) {
            return false;
        }
        unit.span = span;
        unit.tokens = total;
        true
    }

    fn first_row(
        &self,
        block: usize,
        row: Range<usize>,
        tokens: usize,
        header: Option<&(Range<usize>, usize)>,
    ) -> Unit {
        let fitting = header.filter(|(header, header_tokens)| {
            let total = tokens + header_tokens + 1;
            total <= self.limits.target && self.fits(total, Some(header), row.clone())
        });
        let tokens = tokens + fitting.map_or(0, |(_, header_tokens)| header_tokens + 1);
        Unit { span: row, tokens, block, header: fitting.map(|(header, _)| header.clone()), continues: false }
    }

    /// The first line of a table, with the separator below it, and its tokens; `None` if it is long.
    fn header_of(&self, span: Range<usize>) -> Option<(Range<usize>, usize)> {
        let header = span.start..span.start + header_row(&self.document.text[span.clone()]);
        if header.len() > MAX_HEADER_BYTES || header == span {
            return None;
        }
        let tokens = self.count_up_to(header.clone(), self.limits.target / 2)?;
        Some((header, tokens))
    }
}

fn piece((start, text): (usize, &str)) -> Range<usize> {
    start..start + text.len()
}
