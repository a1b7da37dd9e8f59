//! Plain text: paragraphs by blank lines, list items by their markers, and headings where the text makes them plain:
//! underlined, in capitals on a line of their own, numbered like "1.2 Title", or a Chinese chapter. Doubt means
//! paragraph: a wrong heading would head everything below it.

use std::ops::Range;

use crate::block::{Block, BlockKind, LineIndex, StructuredText};
use crate::error::FileError;
use crate::{Format, Input, decode};

pub(crate) const FORMAT: &Format = Format::of("text");

/// Longest line that can be a heading, in characters.
const MAX_HEADING: usize = 80;

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, None);
    let mut document = structure(decoded.text);
    document.warnings = decoded.warnings;
    Ok(document)
}

/// Cuts a text into blocks.
pub(crate) fn structure(text: String) -> StructuredText {
    let paragraphs = paragraphs(&text);
    let lines = LineIndex::new(&text);
    let mut blocks = Vec::new();
    let mut push = |kind: BlockKind, span: Range<usize>| {
        if !span.is_empty() {
            blocks.push(Block { kind, lines: lines.lines(&span), span, place: None });
        }
    };
    for (number, paragraph) in paragraphs.iter().enumerate() {
        let at = |number: usize| paragraphs.get(number).map(|span| &text[span.clone()]);
        let (previous, next) = (number.checked_sub(1).and_then(at), at(number + 1));
        let body = &text[paragraph.clone()];
        if let Some((level, heading)) = underlined(body) {
            // The rule stays in the block: it is text too.
            let rest = trimmed(&text, paragraph.start + heading..paragraph.end);
            push(BlockKind::Heading { level }, trimmed(&text, paragraph.start..paragraph.start + heading));
            push(BlockKind::Paragraph, rest);
        } else if let Some(level) = heading_level(body, previous, next) {
            push(BlockKind::Heading { level }, paragraph.clone());
        } else if is_item(body) {
            items(&text, paragraph.clone()).into_iter().for_each(|span| push(BlockKind::ListItem, span));
        } else {
            push(BlockKind::Paragraph, paragraph.clone());
        }
    }
    StructuredText::verbatim(FORMAT, text, blocks)
}

/// Spans of the runs of lines between blank lines, trimmed.
fn paragraphs(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        match (line.trim().is_empty(), open) {
            (false, None) => open = Some(at),
            (true, Some(start)) => {
                spans.push(trimmed(text, start..at));
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    spans.extend(open.map(|start| trimmed(text, start..text.len())));
    spans
}

fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let part = &text[span.clone()];
    let start = span.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// A first line with a rule of `=` or `-` of about its length below it: the level, and the bytes of both lines.
fn underlined(paragraph: &str) -> Option<(u8, usize)> {
    let (title, rest) = paragraph.split_once('\n')?;
    let rule = rest.lines().next()?.trim();
    let level = match rule.chars().next()? {
        '=' => 1,
        '-' | '~' | '^' => 2,
        _ => return None,
    };
    let uniform = rule.chars().all(|character| rule.starts_with(character));
    let title_length = title.trim().chars().count();
    let fits = rule.len() >= 3 && rule.len() + 4 >= title_length && title_length <= MAX_HEADING;
    let worded = title.chars().any(char::is_alphabetic);
    (uniform && fits && worded).then(|| {
        let rule_end = rest.find('\n').unwrap_or(rest.len());
        (level, title.len() + 1 + rule_end)
    })
}

/// Level of a heading that stands as a line of its own.
fn heading_level(paragraph: &str, previous: Option<&str>, next: Option<&str>) -> Option<u8> {
    // A heading has something below it.
    let next = next?;
    if paragraph.contains('\n') || paragraph.chars().count() > MAX_HEADING {
        return None;
    }
    if let Some(level) = numbered(paragraph) {
        // A run of numbered lines is a list.
        let listed = [previous, Some(next)].into_iter().flatten().any(|beside| numbered(beside) == Some(level));
        return (!listed).then_some(level);
    }
    chapter(paragraph).or_else(|| in_capitals(paragraph).then_some(1))
}

/// "1.2 Title": the level is the count of numbers.
fn numbered(line: &str) -> Option<u8> {
    let (number, title) = line.split_once([' ', '\t'])?;
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = number.trim_end_matches('.').split('.').collect();
    let opens =
        title.trim_start().chars().next().is_some_and(|c| c.is_uppercase() || (c.is_alphabetic() && !c.is_lowercase()));
    let sentence = title.trim_end().ends_with(['.', ',', ';', ':', '?', '!', '。', '，', '；', '：', '？', '！']);
    let plain = parts.iter().all(|part| digits(part)) && opens && !sentence;
    plain.then(|| u8::try_from(parts.len().min(6)).unwrap_or(6))
}

/// "第三章 ..." is of level 1, "第三节 ..." of level 2.
fn chapter(line: &str) -> Option<u8> {
    let rest = line.strip_prefix('第')?;
    let number = rest.find(|c: char| !(c.is_ascii_digit() || "〇零一二三四五六七八九十百".contains(c)))?;
    if number == 0 || line.ends_with(['。', '，', '；']) {
        return None;
    }
    match rest[number..].chars().next()? {
        '章' | '编' | '篇' | '部' => Some(1),
        '节' => Some(2),
        _ => None,
    }
}

/// Two words or one long one in capitals: not a code, not a shout at the end of a sentence.
fn in_capitals(line: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = line.chars().filter(|c| c.is_uppercase()).count();
    let strange =
        line.chars().filter(|c| !(c.is_alphabetic() || matches!(c, ' ' | '-' | '&' | '/' | '\'' | ','))).count();
    letters >= 5 && letters == capitals && strange * 5 <= letters && !line.ends_with(['.', '!', '?', ',', ';'])
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let bulleted = ["- ", "* ", "+ ", "• ", "· ", "– "].iter().any(|marker| line.starts_with(marker));
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = (1..=3).contains(&digits) && (line[digits..].starts_with(". ") || line[digits..].starts_with(") "));
    bulleted || numbered
}

/// The items of a paragraph that starts with one.
fn items(text: &str, span: Range<usize>) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    let mut at = span.start;
    for line in text[span.clone()].split_inclusive('\n') {
        if is_item(line) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([span.end]);
    starts.iter().zip(ends).map(|(&start, end)| trimmed(text, start..end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::assert_invariants;

    fn shape(text: &str) -> Vec<(BlockKind, String)> {
        let document = structure(text.to_owned());
        assert_invariants(&document);
        document.blocks.iter().map(|block| (block.kind.clone(), document.text[block.span.clone()].to_owned())).collect()
    }

    fn headings(text: &str) -> Vec<(u8, String)> {
        let level = |(kind, text): (BlockKind, String)| match kind {
            BlockKind::Heading { level } => Some((level, text)),
            _ => None,
        };
        shape(text).into_iter().filter_map(level).collect()
    }

    #[test]
    fn plain_headings_are_seen() {
        let text = "Travel\n======\nbody text\n\nSub title\n---------\n\nmore\n\nEXPENSE REPORTS\n\nbody\n\n1.2 Who pays\n\nbody\n\n第三章 费用报销\n\n正文";
        let expected = [
            (1, "Travel\n======"),
            (2, "Sub title\n---------"),
            (1, "EXPENSE REPORTS"),
            (2, "1.2 Who pays"),
            (1, "第三章 费用报销"),
        ];
        assert_eq!(headings(text), expected.map(|(level, text)| (level, text.to_owned())));
    }

    #[test]
    fn doubt_means_paragraph() {
        let text = "1. Buy milk\n\n2. Buy bread\n\nHELLO!\n\nID 4711 AB\n\nA line.\n\n---\n\nLAST LINE";
        assert_eq!(headings(text), []);
    }

    #[test]
    fn items_are_blocks_of_their_own() {
        let shape = shape("- one\n  goes on\n- two\n\n1) three");
        let item = |text: &str| (BlockKind::ListItem, text.to_owned());
        assert_eq!(shape, [item("- one\n  goes on"), item("- two"), item("1) three")]);
    }

    #[test]
    fn paragraphs_keep_their_lines() {
        let document = structure("\n\n first\nline\n\n\n\tsecond \n".to_owned());
        assert_eq!(document.blocks[0].lines, 3..5);
        assert_eq!(document.blocks[1].lines, 7..8);
        assert_eq!(&document.text[document.blocks[1].span.clone()], "second");
    }
}
