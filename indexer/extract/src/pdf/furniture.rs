//! Running headers, footers and page numbers: lines near the edge of the page that come back on most pages. They are
//! left out, since they part paragraphs and make every page look alike in a search; the first of each stays, so that
//! what it says can be found.

use std::collections::{HashMap, HashSet};

use super::lines::Line;

/// Share of the page at its top and at its bottom where they stand.
const EDGE: f32 = 0.12;
/// Lines looked at, at each end.
const OUTERMOST: usize = 4;

/// The upright lines of a page.
pub(super) struct Sheet<'a> {
    pub(super) height: f32,
    pub(super) lines: &'a mut Vec<Line>,
}

/// Takes the furniture off the pages of a document.
pub(super) fn remove(sheets: &mut [Sheet<'_>]) {
    let pages = sheets.len();
    if pages < 2 {
        return;
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for sheet in sheets.iter() {
        let (top, bottom) = edges(sheet);
        let keys: HashSet<String> = top.iter().chain(&bottom).map(|&at| key(&sheet.lines[at], sheet.height)).collect();
        for key in keys {
            *seen.entry(key).or_default() += 1;
        }
    }
    let mut kept: HashSet<String> = HashSet::new();
    for sheet in sheets.iter_mut() {
        let (top, bottom) = edges(sheet);
        let mut drop = vec![false; sheet.lines.len()];
        for end in [top, bottom] {
            // From the edge inwards, up to the first line of the page's own.
            for at in end {
                let line = &sheet.lines[at];
                let key = key(line, sheet.height);
                if !is_furniture(line, seen.get(&key).copied().unwrap_or(0), pages) {
                    break;
                }
                drop[at] = is_number(&line.text) || !kept.insert(key);
            }
        }
        // A page that says nothing else says this.
        if drop.contains(&false) {
            let mut drop = drop.into_iter();
            sheet.lines.retain(|_| drop.next() != Some(true));
        }
    }
}

/// Enough pages have it; running titles may differ between left and right pages and between chapters.
fn is_furniture(line: &Line, count: usize, pages: usize) -> bool {
    let most = if is_number(&line.text) { count * 2 >= pages } else { count * 10 >= pages * 4 && count >= 3 };
    most && count >= 2
}

/// Places of the lines near the upper and the lower edge, from the edge inwards.
fn edges(sheet: &Sheet<'_>) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..sheet.lines.len()).collect();
    order.sort_by(|&a, &b| sheet.lines[a].baseline.total_cmp(&sheet.lines[b].baseline));
    let is_upper = |&at: &usize| sheet.lines[at].bottom() < EDGE * sheet.height;
    let is_lower = |&at: &usize| sheet.lines[at].top() > (1.0 - EDGE) * sheet.height;
    let top = order.iter().copied().take(OUTERMOST).filter(is_upper).collect();
    (top, order.iter().rev().copied().take(OUTERMOST).filter(is_lower).collect())
}

/// What is the same on every page: the words without their numbers, and the height where they stand.
fn key(line: &Line, height: f32) -> String {
    let words: String =
        line.text.chars().map(|character| if character.is_numeric() { '#' } else { character }).collect();
    let words = words.to_lowercase();
    let mut plain = String::with_capacity(words.len());
    for character in words.chars() {
        if !(character == '#' && plain.ends_with('#')) {
            plain.push(character);
        }
    }
    format!("{plain}@{}", (line.baseline / height.max(1.0) * 40.0).round())
}

/// Whether a line is nothing but a page number: `7`, `- 7 -`, `Page 7 of 9`, `7 / 9`, `xii`.
fn is_number(text: &str) -> bool {
    let mut numbers = 0;
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words {
        let lower = word.to_lowercase();
        let number = word.chars().all(char::is_numeric) && word.chars().count() <= 5;
        let roman = lower.bytes().all(|byte| b"ivxlc".contains(&byte));
        let label = ["page", "of", "seite", "von", "pagina", "página", "de", "sur", "p", "pg", "第", "页", "頁", "共"];
        if number || (roman && lower != "c") {
            numbers += 1;
        } else if !label.contains(&lower.as_str()) {
            return false;
        }
    }
    (1..=3).contains(&numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_numbers_are_known() {
        for text in ["7", "- 7 -", "Page 7 of 9", "7/9", "xii", "Seite 3 von 4"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["Chapter 7", "2024 report", "", "—", "1 2 3 4"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
