//! The insertion of OCR: puts what was read on the pages it was read from, and says so.

use extract::{Block, BlockKind, Missing, Place, StructuredText, detect_language};

use super::Outcome;

/// What the ledger says of a file some of whose text was read from pictures.
const REMARK: &str = "text by OCR";

/// Adds the text of each page as paragraphs behind what stands on it. Pages come in order. Those that gave nothing are
/// recorded as missing; those that gave text no longer are.
pub(super) fn insert(document: &mut StructuredText, pages: &[(u32, Outcome)]) {
    let mut woven = Woven::default();
    let mut waiting = pages.iter().peekable();
    for block in &document.blocks {
        while let Some((page, outcome)) = waiting.next_if(|(page, _)| page_of(block).is_some_and(|at| at > *page)) {
            woven.scan(*page, outcome);
        }
        woven.block(document, block);
    }
    waiting.for_each(|(page, outcome)| woven.scan(*page, outcome));
    (document.text, document.blocks) = (woven.text, woven.blocks);
    document.missing = missing(&document.missing, pages);
    if pages.iter().any(|(_, outcome)| outcome.as_ref().is_ok_and(|text| !text.trim().is_empty())) {
        document.warnings.push(REMARK.to_string());
        document.language = document.language.take().or_else(|| detect_language(&document.text).map(str::to_string));
    }
}

fn page_of(block: &Block) -> Option<u32> {
    block.place.as_ref().and_then(Place::number)
}

/// The new text as it grows.
#[derive(Default)]
struct Woven {
    text: String,
    blocks: Vec<Block>,
    /// Where the last block taken over ended in the old text.
    end: usize,
}

impl Woven {
    /// Takes a block over with what stood before it.
    fn block(&mut self, document: &StructuredText, block: &Block) {
        let between = &document.text[self.end..block.span.start];
        let follows_scan =
            !self.text.is_empty() && self.text.ends_with(|end: char| end != '\n') && !between.contains('\n');
        self.text.push_str(if follows_scan { "\n\n" } else { between });
        let start = self.text.len();
        self.text.push_str(&document.text[block.span.clone()]);
        self.end = block.span.end;
        self.blocks.push(Block { span: start..self.text.len(), ..block.clone() });
    }

    fn scan(&mut self, page: u32, outcome: &Outcome) {
        for paragraph in outcome.iter().flat_map(|text| paragraphs(text)) {
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            let start = self.text.len();
            self.text.push_str(&paragraph);
            let span = start..self.text.len();
            let kind = BlockKind::Paragraph;
            self.blocks.push(Block { kind, span, lines: 1..2, place: Some(Place::Page(page)) });
        }
    }
}

/// Paragraphs without the breaks of words at the ends of lines.
fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    let text = text.replace(['\r', '\u{c}'], "");
    let paragraphs: Vec<String> = text.split("\n\n").map(joined).filter(|paragraph| !paragraph.is_empty()).collect();
    paragraphs.into_iter()
}

fn joined(paragraph: &str) -> String {
    let mut joined = String::with_capacity(paragraph.len());
    for line in paragraph.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let broken = joined.strip_suffix('-').filter(|before| before.ends_with(char::is_lowercase));
        match broken.map(str::len).filter(|_| line.starts_with(char::is_lowercase)) {
            Some(length) => joined.truncate(length),
            None if !joined.is_empty() => joined.push('\n'),
            None => {}
        }
        joined.push_str(line);
    }
    joined
}

/// What is still missing: pages named alone or in ranges (`pages 2 to 4`) lose those that gave text, and those that gave
/// none say why.
fn missing(known: &[Missing], pages: &[(u32, Outcome)]) -> Vec<Missing> {
    let reason = |page: u32| {
        let (_, outcome) = pages.iter().find(|(scanned, _)| *scanned == page)?;
        Some(match outcome {
            Ok(text) if text.trim().is_empty() => Some("no text layer, and OCR found no text on it".to_string()),
            Ok(_) => None,
            Err(why) => Some(format!("no text layer, and OCR failed on it ({why})")),
        })
    };
    let mut left: Vec<(Option<(u32, u32)>, Missing)> = Vec::new();
    let mut named = Vec::new();
    for missing in known {
        let Some((first, last)) = range(&missing.part) else {
            left.push((None, missing.clone()));
            continue;
        };
        for page in first..=last {
            named.push(page);
            let why = reason(page).unwrap_or_else(|| Some(missing.reason.clone()));
            add(&mut left, page, why);
        }
    }
    for page in pages.iter().map(|(page, _)| *page).filter(|page| !named.contains(page)) {
        add(&mut left, page, reason(page).flatten());
    }
    left.into_iter().map(|(_, missing)| missing).collect()
}

/// Adds a page, to the range before it if the reason is the same.
fn add(left: &mut Vec<(Option<(u32, u32)>, Missing)>, page: u32, reason: Option<String>) {
    let Some(reason) = reason else { return };
    if let Some((Some((first, last)), before)) = left.last_mut()
        && *last + 1 == page
        && before.reason == reason
    {
        *last = page;
        before.part = format!("pages {first} to {page}");
        return;
    }
    left.push((Some((page, page)), Missing { part: format!("page {page}"), reason }));
}

/// Most pages of one range: nobody scans more, and a wrong number must not cost more.
const MAX_RANGE: u32 = 100_000;

fn range(part: &str) -> Option<(u32, u32)> {
    if let Some(page) = part.strip_prefix("page ") {
        return page.parse().ok().map(|page| (page, page));
    }
    let (first, last) = part.strip_prefix("pages ")?.split_once(" to ")?;
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    (last.checked_sub(first)? <= MAX_RANGE).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use extract::{ExtractLimits, extract};

    use super::*;

    fn document() -> StructuredText {
        let text = "First page\n\nmore of it\n\nThird page\n";
        let mut document = extract(Path::new("a.txt"), text.as_bytes(), &ExtractLimits::default()).unwrap();
        let document = document.document.take();
        let mut document = document.unwrap();
        for (block, page) in document.blocks.iter_mut().zip([1, 1, 3]) {
            block.place = Some(Place::Page(page));
        }
        document.missing = vec![Missing { part: "pages 2 to 6".to_string(), reason: "scan".to_string() }];
        document
    }

    fn blocks(document: &StructuredText) -> Vec<(Option<u32>, &str)> {
        document.blocks.iter().map(|block| (page_of(block), &document.text[block.span.clone()])).collect()
    }

    #[test]
    fn text_stands_on_its_page_and_what_gave_none_is_missing() {
        let mut document = document();
        let pages = [
            (2, Ok("One para-\ngraph\nof two lines\n\nAnother\n\u{c}".to_string())),
            (4, Ok(" \n".to_string())),
            (5, Err("it broke".to_string())),
            (9, Ok("Last".to_string())),
        ];
        insert(&mut document, &pages);
        let expected = [
            (Some(1), "First page"),
            (Some(1), "more of it"),
            (Some(2), "One paragraph\nof two lines"),
            (Some(2), "Another"),
            (Some(3), "Third page"),
            (Some(9), "Last"),
        ];
        assert_eq!(blocks(&document), expected);
        assert_eq!(document.text, expected.map(|(_, text)| text).join("\n\n"));
        let missing: Vec<String> =
            document.missing.iter().map(|missing| format!("{}: {}", missing.part, missing.reason)).collect();
        assert_eq!(
            missing,
            [
                "page 3: scan",
                "page 4: no text layer, and OCR found no text on it",
                "page 5: no text layer, and OCR failed on it (it broke)",
                "page 6: scan"
            ]
        );
        assert_eq!(document.warnings, [REMARK]);
    }

    #[test]
    fn a_scan_before_all_text_comes_first_and_one_alone_is_the_text() {
        let mut document = document();
        document.blocks.iter_mut().for_each(|block| block.place = Some(Place::Page(7)));
        insert(&mut document, &[(1, Ok("Cover".to_string()))]);
        assert_eq!(blocks(&document)[..2], [(Some(1), "Cover"), (Some(7), "First page")]);
        assert!(document.text.starts_with("Cover\n\nFirst page\n\n"), "{}", document.text);
        document.blocks.clear();
        document.text.clear();
        insert(&mut document, &[(1, Ok("Alone".to_string()))]);
        assert_eq!((blocks(&document), document.text.as_str()), (vec![(Some(1), "Alone")], "Alone"));
    }
}
