//! Headings among paragraphs. Letters larger than those of the running text make one, and so do bold ones in a line of
//! their own; the sizes in use, from the largest, are the levels. One judgement for the whole document, because a title
//! page knows nothing of the text behind it.

use std::collections::HashMap;

use super::blocks::{Kind, PageBlock};

/// How much larger than the running text letters of a heading are.
const LARGER: f32 = 1.12;
const BOLD_LARGER: f32 = 1.05;
/// Most characters and lines of a heading.
const MAX_CHARACTERS: usize = 180;
const MAX_LINES: usize = 4;

/// Turns paragraphs into headings.
pub(super) fn assign(blocks: &mut [PageBlock]) {
    let Some(usual) = usual(blocks) else { return };
    let bold_text = is_bold_text(blocks, usual);
    let mut styles: Vec<f32> = Vec::new();
    let candidates: Vec<Option<f32>> = blocks.iter().map(|block| rank(block, usual, bold_text)).collect();
    for &rank in candidates.iter().flatten() {
        if !styles.iter().any(|known| is_same(*known, rank)) {
            styles.push(rank);
        }
    }
    styles.sort_by(|a, b| b.total_cmp(a));
    for (block, rank) in blocks.iter_mut().zip(candidates) {
        let Some(level) = rank.and_then(|rank| styles.iter().position(|known| is_same(*known, rank))) else { continue };
        block.kind = Kind::Heading(level.min(5) as u8 + 1);
        block.text = block.text.replace('\n', " ");
    }
}

fn is_same(a: f32, b: f32) -> bool {
    (a - b).abs() <= 0.04 * a.max(b)
}

/// Letter height of most of the text.
fn usual(blocks: &[PageBlock]) -> Option<f32> {
    let mut counts: HashMap<i32, usize> = HashMap::new();
    for block in blocks.iter().filter(|block| block.size > 0.0) {
        *counts.entry((block.size * 4.0).round() as i32).or_default() += block.text.len();
    }
    counts.into_iter().max_by_key(|&(size, count)| (count, size)).map(|(size, _)| size as f32 / 4.0)
}

/// Whether the running text itself is bold.
fn is_bold_text(blocks: &[PageBlock], usual: f32) -> bool {
    let running = || blocks.iter().filter(|block| block.kind == Kind::Paragraph && is_same(block.size, usual));
    let letters =
        |bold: bool| running().filter(|block| block.bold == bold).map(|block| block.text.len()).sum::<usize>();
    letters(true) > letters(false)
}

/// Height of a heading's letters, which orders the levels; bold headings of the usual height come last.
fn rank(block: &PageBlock, usual: f32, bold_text: bool) -> Option<f32> {
    let numbered = block.kind == Kind::Item && block.text.starts_with(|first: char| first.is_ascii_digit());
    if block.kind != Kind::Paragraph && !numbered {
        return None;
    }
    let text = block.text.trim();
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    let short = text.chars().count() <= MAX_CHARACTERS && block.lines <= MAX_LINES;
    if !short || letters < 2 || letters * 3 < text.chars().filter(|character| !character.is_whitespace()).count() {
        return None;
    }
    if block.size >= LARGER * usual || (block.bold && block.size >= BOLD_LARGER * usual) {
        return Some(block.size);
    }
    let sentence = text.ends_with(['.', ',', ';', '。']) && text.len() > 40;
    let weighty = block.bold && !bold_text && block.size >= 0.94 * usual && block.lines <= 2 && !sentence;
    weighty.then_some(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str, size: f32, bold: bool) -> PageBlock {
        PageBlock { kind: Kind::Paragraph, text: text.to_string(), size, bold, lines: 1, page: 1, opens: false }
    }

    #[test]
    fn sizes_and_weight_give_levels() {
        let running = "Running text of a usual height that goes on for a while.".repeat(5);
        let mut blocks = vec![
            block("The title", 24.0, false),
            block("A part", 14.0, false),
            block(&running, 10.0, false),
            block("A bold line", 10.0, true),
            block("A bold sentence of some length that ends in a stop.", 10.0, true),
            block("2024", 14.0, false),
            block("Another part", 14.1, true),
        ];
        assign(&mut blocks);
        let kinds: Vec<Kind> = blocks.iter().map(|block| block.kind).collect();
        let (heading, text) = (Kind::Heading, Kind::Paragraph);
        assert_eq!(kinds, [heading(1), heading(2), text, heading(3), text, text, heading(2)]);
    }

    #[test]
    fn text_of_one_kind_has_no_headings() {
        let mut blocks = vec![block("one line", 10.0, true), block("another line", 10.0, true)];
        assign(&mut blocks);
        assert!(blocks.iter().all(|block| block.kind == Kind::Paragraph));
    }
}
