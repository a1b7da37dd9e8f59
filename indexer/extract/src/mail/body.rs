//! Bodies of letters: what the writer says and what is only quoted from the letters before.

use crate::block::{BlockKind, StructuredText};
use crate::{html, plain};

/// A block without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) text: String,
}

/// How lines end that announce a quotation, as mail programs write them.
const ANNOUNCEMENTS: &[&str] = &[
    "wrote:",
    "writes:",
    "schrieb:",
    "a écrit :",
    "a écrit:",
    "escribió:",
    "escreveu:",
    "ha scritto:",
    "schreef:",
    "skrev:",
    "napisał(a):",
    "пишет:",
    "写道：",
    "写道:",
    "寫道：",
    "寫道:",
    "書きました:",
    "作成:",
];

/// What stands above a whole letter that is answered or passed on.
const DIVIDERS: &[&str] = &[
    "original message",
    "forwarded message",
    "ursprüngliche nachricht",
    "weitergeleitete nachricht",
    "message d'origine",
    "mensaje original",
    "messaggio originale",
    "原始邮件",
    "转发邮件",
    "原始郵件",
];

/// Reads plain text.
pub(super) fn plain(text: &str, blocks: &mut Vec<Block>) {
    let lines: Vec<&str> = text.lines().collect();
    let mut own = String::new();
    let mut quoted = String::new();
    let mut rest_is_quoted = false;
    for (number, line) in lines.iter().enumerate() {
        rest_is_quoted |= is_divider(line);
        let next = lines.get(number + 1).copied().unwrap_or_default();
        let announces = is_announcement(line) || (line.starts_with("On ") && is_announcement(next));
        if rest_is_quoted || line.starts_with('>') || announces {
            push_own(&mut own, blocks);
            quoted.push_str(line.trim_start_matches(['>', ' ']));
            quoted.push('\n');
        } else {
            push_quoted(&mut quoted, blocks);
            own.push_str(line);
            own.push('\n');
        }
    }
    push_own(&mut own, blocks);
    push_quoted(&mut quoted, blocks);
}

/// Reads HTML.
pub(super) fn html(source: &str, blocks: &mut Vec<Block>) {
    let mut rest_is_quoted = false;
    for mut block in of_document(&html::fragment(source)) {
        rest_is_quoted |= block.text.lines().next().is_some_and(is_divider);
        let announces = !block.text.contains('\n') && is_announcement(&block.text);
        if (rest_is_quoted || announces) && block.kind == BlockKind::Paragraph {
            block.kind = BlockKind::Quote;
        }
        blocks.push(block);
    }
}

/// The blocks of another document.
pub(super) fn of_document(document: &StructuredText) -> Vec<Block> {
    let block =
        |block: &crate::Block| Block { kind: block.kind.clone(), text: document.text[block.span.clone()].to_owned() };
    document.blocks.iter().map(block).collect()
}

fn push_own(text: &mut String, blocks: &mut Vec<Block>) {
    if !text.trim().is_empty() {
        blocks.extend(of_document(&plain::structure(std::mem::take(text))));
    }
    text.clear();
}

fn push_quoted(text: &mut String, blocks: &mut Vec<Block>) {
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    blocks.extend(paragraphs.map(|text| Block { kind: BlockKind::Quote, text: text.to_owned() }));
    text.clear();
}

fn is_announcement(line: &str) -> bool {
    let line = line.trim_end();
    line.len() < 300 && ANNOUNCEMENTS.iter().any(|ending| line.ends_with(ending))
}

/// `-----Original Message-----`, `---------- Forwarded message ---------`, a rule of underscores above a header.
fn is_divider(line: &str) -> bool {
    let line = line.trim();
    let words = line.trim_matches(['-', '_', ' ']);
    line.starts_with("--") && line.ends_with('-') && DIVIDERS.contains(&words.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(blocks: &[Block]) -> Vec<(bool, &str)> {
        blocks.iter().map(|block| (block.kind == BlockKind::Quote, block.text.as_str())).collect()
    }

    #[test]
    fn quotations_are_told_from_the_answer() {
        let text = "Yes.\n\nOn Mon, Ana <a@x>\nwrote:\n> Shall we?\n>\n>> Earlier\nand so on\n-----Original Message-----\nFrom: B\n\nold";
        let mut blocks = Vec::new();
        plain(text, &mut blocks);
        assert_eq!(
            shape(&blocks),
            [
                (false, "Yes."),
                (true, "On Mon, Ana <a@x>\nwrote:\nShall we?"),
                (true, "Earlier"),
                (false, "and so on"),
                (true, "-----Original Message-----\nFrom: B"),
                (true, "old"),
            ]
        );
    }

    #[test]
    fn html_quotations_are_marked() {
        let mut blocks = Vec::new();
        html("<div>Fine.</div><div>Am Montag schrieb:</div><blockquote><p>old</p></blockquote>", &mut blocks);
        assert_eq!(shape(&blocks), [(false, "Fine."), (true, "Am Montag schrieb:"), (true, "old")]);
    }

    #[test]
    fn dashes_alone_divide_nothing() {
        let mut blocks = Vec::new();
        plain("a\n--\nsignature\n----------\nb", &mut blocks);
        assert!(blocks.iter().all(|block| block.kind != BlockKind::Quote));
    }
}
