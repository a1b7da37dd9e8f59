//! Open lists of the Markdown and HTML readers: markers, numbers and indentation of their items.

/// Levels that are indented; deeper ones stay at this depth.
const MAX_INDENTATION: usize = 12;

/// The lists around a text, outermost first.
#[derive(Debug, Default)]
pub(crate) struct Lists(Vec<List>);

#[derive(Debug)]
struct List {
    /// Number of the next item of an ordered list.
    next: Option<u64>,
    /// The marker of the current item, until its first text has taken it.
    marker: Option<String>,
}

impl Lists {
    /// Opens a list: an ordered one with the number of its first item.
    pub(crate) fn open(&mut self, first: Option<u64>) {
        self.0.push(List { next: first, marker: None });
    }

    pub(crate) fn close(&mut self) {
        self.0.pop();
    }

    /// Whether the text stands in no list.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn start_item(&mut self) {
        let Some(list) = self.0.last_mut() else { return };
        list.marker = Some(match &mut list.next {
            None => "- ".to_owned(),
            Some(number) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
        });
    }

    /// The text of an item with its indentation and, for the first text of the item, its marker.
    pub(crate) fn item_text(&mut self, text: &str) -> String {
        let text = text.trim();
        if text.is_empty() {
            return String::new();
        }
        let mut out = "  ".repeat(self.0.len().clamp(1, MAX_INDENTATION) - 1);
        let marker = self.0.last_mut().and_then(|list| list.marker.take());
        out.push_str(marker.as_deref().unwrap_or("  "));
        out.push_str(text);
        out
    }
}

/// What opens the text of a list item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Bytes of the item before its own text: indentation, marker, blanks.
    pub length: usize,
    /// Lists around the item's own.
    pub depth: u8,
    /// The number of an item that is counted.
    pub number: Option<u32>,
}

/// Bullets that the readers write or leave as they stand.
const BULLETS: &[char] = &['-', '*', '+', '•', '·', '–', '◦', '▪', '‣'];

/// Digits of a number that counts.
const MAX_DIGITS: usize = 6;

/// The marker of a list item as every reader writes it: two blanks for each list around its own, a bullet or a number, a
/// blank. `None` for further paragraphs of an item, and where the marker is more than a number (`a)`, `1.2.`): it says
/// something that no list of a page would.
pub fn item_marker(item: &str) -> Option<Marker> {
    let text = item.trim_start();
    let indentation = item.len() - text.len();
    let label = text.split(char::is_whitespace).next()?;
    let after = &text[label.len()..];
    let blanks = after.len() - after.trim_start().len();
    let mut characters = label.chars();
    let is_bullet = characters.next().is_some_and(|first| BULLETS.contains(&first)) && characters.next().is_none();
    let number = label.strip_suffix(['.', ')']).filter(|number| (1..=MAX_DIGITS).contains(&number.len()));
    let number = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.and_then(|number| number.parse().ok());
    let is_marker = (is_bullet || number.is_some()) && blanks > 0;
    is_marker.then(|| Marker { length: indentation + label.len() + blanks, depth: item_depth(item), number })
}

/// Lists around the item's own, by its indentation.
pub fn item_depth(item: &str) -> u8 {
    let indentation = item.bytes().take_while(|byte| *byte == b' ').count();
    u8::try_from((indentation / 2).min(MAX_INDENTATION)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_numbered_and_indented() {
        let mut lists = Lists::default();
        lists.open(Some(9));
        lists.start_item();
        assert_eq!(lists.item_text(" \n"), "");
        assert_eq!(lists.item_text("nine "), "9. nine");
        assert_eq!(lists.item_text("more"), "  more");
        lists.open(None);
        lists.start_item();
        assert_eq!(lists.item_text("inner"), "  - inner");
        lists.close();
        lists.start_item();
        assert_eq!(lists.item_text("ten"), "10. ten");
        lists.close();
        assert!(lists.is_empty());
    }

    #[test]
    fn markers_of_items_are_told_from_their_text() {
        let of = |item| item_marker(item).map(|marker| (&item[marker.length..], marker.depth, marker.number));
        assert_eq!(of("- one"), Some(("one", 0, None)));
        assert_eq!(of("    12) twelve"), Some(("twelve", 2, Some(12))));
        assert_eq!(of("•\tone"), Some(("one", 0, None)));
        for further in ["  goes on", "a) first", "1.2. second", "2026", "-", "", "1234567. long", "-5 degrees"] {
            assert_eq!(of(further), None, "{further}");
        }
    }
}
