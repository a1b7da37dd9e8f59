//! The chunker, which cuts a structured text into passages. Structure first: a passage stays within its section, blocks
//! are packed whole up to the target, and only a block above it is split. Promises: in order, nothing that is not white
//! space is lost, spans do not overlap, and no passage has more than the maximum of tokens.

mod blocks;
mod lines;
mod pack;
mod section;
mod split;

use std::borrow::Cow;
use std::ops::Range;

use lines::LineCursor;
use pack::Draft;

use crate::stop::Stop;
use extract::StructuredText;
use storage::{Block, ContentKey, Place};

/// Counts tokens: the model's tokenizer behind a seam.
pub trait TokenCounter {
    /// Tokens of a text by itself, without the special tokens that the model adds.
    fn count(&self, text: &str) -> usize;
}

/// How long passages are, in tokens of [`ChunkText::text`]: the heading path comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Blocks are packed up to this. At most `max`.
    pub target: usize,
    /// Never exceeded. Must hold any single character: 8 is enough for byte-level tokenizers.
    pub max: usize,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self { target: 256, max: 512 }
    }
}

/// A passage of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkText {
    /// The passage. It is the end of the document's text at `span`: the headings that open the span are left to
    /// `headings`, unless the passage joins several small sections. The later parts of a split table begin with its
    /// header row, which lies outside of the span.
    pub text: String,
    /// The document's title, if it states one, and the headings above the passage, outermost first; for a part of a long
    /// definition, its first line as the last one.
    pub headings: Vec<String>,
    /// Bytes of the document's text that this passage stands for.
    pub span: Range<usize>,
    /// Lines of the source file: the first is 1, the end is exclusive.
    pub lines: Range<u32>,
    /// Page, slide, cells or mail that the passage starts on.
    pub place: Option<Place>,
    /// The blocks of `text`.
    pub blocks: Vec<Block>,
    /// What its vector is known by: of `headings` and `text`, once these are final.
    pub key: ContentKey,
}

/// Cuts a document into passages. A document without blocks has none.
pub fn chunk(document: &StructuredText, counter: &dyn TokenCounter, limits: ChunkLimits) -> Vec<ChunkText> {
    chunk_until(document, counter, limits, &Stop::default()).unwrap_or_default()
}

/// As [`chunk`]; `None` if it was stopped before its end.
pub(crate) fn chunk_until(
    document: &StructuredText,
    counter: &dyn TokenCounter,
    limits: ChunkLimits,
    stop: &Stop,
) -> Option<Vec<ChunkText>> {
    let max = limits.max.max(1);
    let limits = ChunkLimits { target: limits.target.clamp(1, max), max };
    let chunker = Chunker { document, counter, limits, stop };
    let mut lines = LineCursor::new(document);
    let passages = chunker.drafts().into_iter().map(|draft| chunker.finish(draft, &mut lines)).collect();
    (!stop.is_asked()).then_some(passages)
}

/// What all steps of chunking look at.
struct Chunker<'a> {
    document: &'a StructuredText,
    counter: &'a dyn TokenCounter,
    limits: ChunkLimits,
    /// Once asked, every step ends early, and what it gave is thrown away.
    stop: &'a Stop,
}

impl Chunker<'_> {
    /// The text of a passage: the repeated header row, if any, and the bytes of the span.
    fn text_of(&self, header: Option<&Range<usize>>, span: Range<usize>) -> Cow<'_, str> {
        let body = &self.document.text[span];
        match header {
            None => Cow::Borrowed(body),
            Some(header) => Cow::Owned(format!("{}\n{body}", &self.document.text[header.clone()])),
        }
    }

    /// Whether a joined text keeps the maximum, in bytes too: marks and blanks without end may have hardly a token. The sum of its parts' counts is trusted well below it; near it, the
    /// joined text is counted.
    fn fits(&self, estimate: usize, header: Option<&Range<usize>>, span: Range<usize>) -> bool {
        if span.len() > self.limits.max.saturating_mul(split::OBVIOUS_BYTES) {
            return false;
        }
        estimate * 4 <= self.limits.max * 3 || self.counter.count(&self.text_of(header, span)) <= self.limits.max
    }

    fn finish(&self, draft: Draft, lines: &mut LineCursor<'_>) -> ChunkText {
        let text = self.text_of(draft.header.as_ref(), draft.text.clone()).into_owned();
        let headings = section::heading_path(self.document, &draft.path, draft.definition.as_deref());
        ChunkText {
            key: ContentKey::of(&headings, &text),
            text,
            headings,
            lines: lines.lines(draft.lead..draft.text.end),
            span: draft.lead..draft.text.end,
            place: blocks::place(self.document, &draft),
            blocks: blocks::blocks(self.document, &draft),
        }
    }
}

#[cfg(test)]
mod tests;
