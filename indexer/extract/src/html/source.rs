//! Questions of the HTML reader to the source text itself, outside of the tree: how deep it nests, where a piece of
//! text stands (the tree does not remember), and its bare text when it is not parsed at all.

use crate::block::{LineIndex, floor_boundary};

/// Elements whose end tag may be left out or that have none: they do not nest by themselves.
const SELF_ENDING: &[&str] = &[
    "p", "li", "td", "th", "tr", "dd", "dt", "option", "br", "img", "hr", "input", "meta", "link", "area", "base",
    "col", "wbr", "source", "track", "embed", "param",
];

/// The deepest nesting of elements, counted on tags: an estimate that is never too low for pages that nest on purpose.
pub(crate) fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    for (at, _) in source.match_indices('<') {
        let tag = &source[at + 1..];
        let name = tag.strip_prefix('/').unwrap_or(tag);
        let end = name.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
        let name = name[..end].to_ascii_lowercase();
        if name.is_empty() || SELF_ENDING.contains(&name.as_str()) {
            continue;
        }
        depth = if tag.starts_with('/') { depth.saturating_sub(1) } else { depth + 1 };
        deepest = deepest.max(depth);
    }
    deepest
}

/// The source without its tags; a tag ends a line.
pub(crate) fn without_tags(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let Some(length) = rest[at..].find('>') else {
            rest = "";
            break;
        };
        if !out.ends_with('\n') {
            out.push('\n');
        }
        rest = &rest[at + length + 1..];
    }
    out.push_str(rest);
    out
}

/// Bytes ahead in which a text is looked for at first.
const REACH: usize = 16 << 10;

/// Follows the walk over the tree in the source, to tell approximate lines.
pub(crate) struct SourceCursor<'a> {
    source: &'a str,
    lines: LineIndex,
    at: usize,
    reach: usize,
    /// Bytes that may still be searched in vain: what bounds the cost on hostile pages.
    budget: usize,
}

impl<'a> SourceCursor<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, lines: LineIndex::new(source), at: 0, reach: REACH, budget: source.len() * 8 + (1 << 20) }
    }

    /// Line of the last text that was found.
    pub(crate) fn line(&self) -> u32 {
        self.lines.line(self.at)
    }

    /// Steps over text that is not wanted.
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.at = floor_boundary(self.source, self.at + bytes);
    }

    /// Finds a text behind the last one, moves behind it, and tells the line it starts at.
    pub(crate) fn find(&mut self, text: &str) -> u32 {
        let text = text.trim();
        // An entity in the source stands where these characters are in the tree.
        let needle = text.split(['&', '<', '>', '"', '\u{a0}']).next().unwrap_or_default();
        let needle = &needle[..floor_boundary(needle, 24)];
        let end = floor_boundary(self.source, self.at.saturating_add(self.reach));
        if needle.is_empty() || self.budget == 0 {
            return self.line();
        }
        let Some(found) = self.source[self.at..end].find(needle) else {
            self.budget = self.budget.saturating_sub(end - self.at);
            self.reach = self.reach.saturating_mul(2);
            return self.line();
        };
        let start = self.at + found;
        self.reach = REACH;
        self.at = start;
        self.pass(text.len());
        self.lines.line(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_counts_what_nests() {
        assert_eq!(nesting("<div><p>a<p>b<br><span>c</span></div>"), 2);
        assert_eq!(nesting(&"<li>x".repeat(5000)), 0);
        assert_eq!(nesting(&"<div>".repeat(5000)), 5000);
        assert_eq!(nesting("a < b <<< 中"), 0);
    }

    #[test]
    fn tags_are_taken_out() {
        assert_eq!(without_tags("<p>one</p><p>two</p> a <"), "\none\ntwo\n a ");
    }

    #[test]
    fn texts_are_found_in_order() {
        let mut cursor = SourceCursor::new("<p>same</p>\n<p>same</p>\n<p>a &amp; b</p>");
        assert_eq!((cursor.find("same"), cursor.find("same"), cursor.find("a & b")), (1, 2, 3));
        assert_eq!(cursor.find("absent"), 3);
    }
}
