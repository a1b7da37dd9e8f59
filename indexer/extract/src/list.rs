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
}
