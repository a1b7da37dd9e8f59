//! The blocks of passages that were stored without: told from the shapes that the readers of format 2 wrote. Whatever has
//! none of these shapes is a paragraph.

use std::ops::Range;

use crate::block::{Block, BlockKind, Marker};

/// Characters of a line that may be a heading.
const HEADING: usize = 60;

/// Levels of lists that were indented.
const MAX_DEPTH: usize = 12;

/// How the lines of a document are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Prose whose line breaks mean nothing.
    Prose,
    /// Plain text whose line breaks are meant.
    Lines,
    /// Verbatim.
    Code,
}

impl Reading {
    fn of(kind: &str) -> Self {
        match kind {
            "text" => Self::Lines,
            "markdown" | "html" | "rst" | "asciidoc" | "latex" | "org" | "man" | "subtitles" | "notebook" => {
                Self::Prose
            }
            "json" | "xml" | "png" | "jpeg" | "tiff" | "webp" => Self::Prose,
            "pdf" | "docx" | "doc" | "odt" | "rtf" | "pptx" | "ppt" | "odp" | "odg" | "epub" => Self::Prose,
            "xlsx" | "xls" | "xlsb" | "ods" | "csv" | "tsv" | "eml" | "msg" | "mbox" | "tnef" => Self::Prose,
            _ => Self::Code,
        }
    }
}

/// The blocks of a passage below so many headings.
pub(super) fn blocks(text: &str, kind: &str, headings: usize) -> Vec<Block> {
    let reading = Reading::of(kind);
    if reading == Reading::Code {
        let language = Some(kind.to_string());
        return vec![Block::new(BlockKind::Code { language }, 0..text.len())];
    }
    let mut parser = BlockParser { text, reading, blocks: Vec::new() };
    let mut at = 0;
    // Whether the next line goes on with the block before it.
    let mut is_open = false;
    for line in text.split('\n') {
        let start = at;
        at += line.len() + 1;
        let content = line.trim_end();
        if content.is_empty() {
            is_open = false;
            continue;
        }
        parser.line(start..start + content.len(), is_open);
        is_open = true;
    }
    parser.lift_headings(headings);
    parser.blocks
}

struct BlockParser<'a> {
    text: &'a str,
    reading: Reading,
    blocks: Vec<Block>,
}

impl BlockParser<'_> {
    fn line(&mut self, line: Range<usize>, is_open: bool) {
        let content = &self.text[line.clone()];
        let indentation = content.len() - content.trim_start().len();
        let inner = content.trim_start();
        let end = u32::try_from(line.end).unwrap_or(u32::MAX);
        let before = self.blocks.last_mut().filter(|_| is_open);
        if let Some(Block { kind: BlockKind::Code { .. }, span }) = before {
            span.end = end;
            return;
        }
        let is_row = inner.starts_with('|') && inner.len() > 1;
        match before {
            Some(Block { kind: BlockKind::Table { header }, span }) if is_row => {
                // The ruler stands right below the first row.
                let is_second = !self.text[span.start as usize..span.end as usize].contains('\n');
                if is_second && is_ruler(inner) {
                    *header = end - span.start;
                }
                span.end = end;
                return;
            }
            _ if is_row && inner.ends_with('|') => {
                return self.push(BlockKind::Table { header: 0 }, line.start + indentation..line.end);
            }
            _ => {}
        }
        if let Some((marker, length)) = marker(inner) {
            let depth = u8::try_from((indentation / 2).min(MAX_DEPTH)).unwrap_or(0);
            let start = line.start + indentation + length;
            return self.push(BlockKind::Item { depth, marker }, start..line.end);
        }
        match self.blocks.last_mut().filter(|_| is_open) {
            Some(Block { kind: BlockKind::Paragraph | BlockKind::Lines | BlockKind::Item { .. }, span }) => {
                span.end = end
            }
            _ if content.starts_with("    ") || content.starts_with('\t') => {
                self.push(BlockKind::Code { language: None }, line);
            }
            _ => {
                let is_plain = self.reading == Reading::Lines;
                let kind = if is_plain { BlockKind::Lines } else { BlockKind::Paragraph };
                self.push(kind, line.start + indentation..line.end);
            }
        }
    }

    fn push(&mut self, kind: BlockKind, span: Range<usize>) {
        if !span.is_empty() {
            self.blocks.push(Block::new(kind, span));
        }
    }

    /// A short line by itself, without the end of a sentence, with something below it, is a heading: small parts of a
    /// document share a passage, and their headings stand in its text.
    fn lift_headings(&mut self, above: usize) {
        let level = u8::try_from((above + 1).min(6)).unwrap_or(6);
        let last = self.blocks.len().saturating_sub(1);
        for block in self.blocks.iter_mut().take(last).filter(|block| block.kind == BlockKind::Paragraph) {
            let line = &self.text[block.bytes()];
            let ends = line.ends_with(['.', ',', ':', ';', '!', '。', '，', '：', '；', '！', '…', '-']);
            let is_short = !line.contains('\n') && line.chars().count() <= HEADING;
            if !ends && is_short && line.starts_with(char::is_alphanumeric) {
                block.kind = BlockKind::Heading { level };
            }
        }
    }
}

fn is_ruler(line: &str) -> bool {
    line.contains("--") && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// The marker that a line begins with, and its length.
fn marker(line: &str) -> Option<(Marker, usize)> {
    if ["- ", "* ", "+ ", "• "].iter().any(|bullet| line.starts_with(bullet)) {
        return Some((Marker::Bullet, line.find(' ')? + 1));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line.get(digits..)?;
    let is_marker = (1..=3).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "));
    is_marker.then(|| Some((Marker::Number(line[..digits].parse().ok()?), digits + 2))).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str, kind: &str) -> Vec<(BlockKind, String)> {
        let blocks = blocks(text, kind, 1);
        blocks.into_iter().map(|block| (block.kind.clone(), text[block.bytes()].to_string())).collect()
    }

    #[test]
    fn the_shapes_of_format_2_are_recognised() {
        let text = "Deadlines\n\nIntro\nmore\n\n- one\n  goes on\n  3. two\n\n| Cost | Proof |\n| --- | --- |\n| Rail | ticket |\n\n    x = 1\n    y";
        let expected = [
            (BlockKind::Heading { level: 2 }, "Deadlines"),
            (BlockKind::Paragraph, "Intro\nmore"),
            (BlockKind::Item { depth: 0, marker: Marker::Bullet }, "one\n  goes on"),
            (BlockKind::Item { depth: 1, marker: Marker::Number(3) }, "two"),
            (BlockKind::Table { header: 30 }, "| Cost | Proof |\n| --- | --- |\n| Rail | ticket |"),
            (BlockKind::Code { language: None }, "    x = 1\n    y"),
        ];
        assert_eq!(told(text, "markdown"), expected.map(|(kind, text)| (kind, text.to_string())));
        assert_eq!(told("one\ntwo", "text"), [(BlockKind::Lines, "one\ntwo".to_string())]);
        let code = (BlockKind::Code { language: Some("rust".to_string()) }, "- a\n| b |".to_string());
        assert_eq!(told("- a\n| b |", "rust"), [code]);
    }

    proptest! {
        #[test]
        fn every_block_lies_in_the_text_and_no_word_is_lost(text in "([-|1. \n年]|word[0-9]){0,40}") {
            for kind in ["markdown", "text", "rust"] {
                let blocks = blocks(&text, kind, 0);
                prop_assert!(blocks.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
                let inside: String = blocks.iter().map(|block| &text[block.bytes()]).collect::<Vec<_>>().join(" ");
                prop_assert_eq!(inside.matches("word").count(), text.matches("word").count());
            }
        }
    }
}
