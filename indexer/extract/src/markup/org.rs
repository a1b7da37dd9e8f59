//! Org: headings by stars with their keywords and tags, blocks, tables, lists, drawers. `#+TITLE` and its like are
//! metadata.

use super::inline::{Mark, mark, unmark, verbatim};
use super::lines::{Lines, dedented, indentation};
use super::writer::Writer;
use crate::block::{BlockKind, StructuredText};
use crate::{Format, html};

pub(crate) const FORMAT: &Format = Format::of("org");

const MARKS: &[Mark] = &[verbatim("="), verbatim("~"), mark("*"), mark("/"), mark("_"), mark("+")];

const FIELDS: &[&str] =
    &["title", "subtitle", "author", "email", "date", "description", "keywords", "language", "filetags"];

/// Whether text opens with a keyword of Org.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let opening = bytes.trim_ascii_start();
    let opening = opening[..opening.len().min(12)].to_ascii_lowercase();
    [&b"#+title:"[..], b"#+author:", b"#+startup:", b"#+options:"].iter().any(|keyword| opening.starts_with(keyword))
}

pub(super) fn structure(source: &str) -> StructuredText {
    let mut parser =
        OrgParser { lines: Lines::new(source), writer: Writer::new(inline), quoted: false, items: Vec::new() };
    while parser.lines.peek(0).is_some() {
        parser.step();
    }
    parser.writer.finish(FORMAT)
}

struct OrgParser<'a> {
    lines: Lines<'a>,
    writer: Writer,
    quoted: bool,
    /// Columns of the open items.
    items: Vec<usize>,
}

impl OrgParser<'_> {
    fn step(&mut self) {
        let number = self.lines.number();
        let Some(line) = self.lines.next() else { return };
        let text = line.trim();
        if text.is_empty() {
            return self.writer.flush();
        }
        if let Some((level, title)) = heading(line) {
            self.items.clear();
            self.quoted = false;
            return self.writer.heading(level, title, number);
        }
        if let Some(keyword) = text.strip_prefix("#+") {
            return self.keyword(keyword, number);
        }
        if text == "#" || text.starts_with("# ") {
            return;
        }
        if drawer(text) {
            self.writer.flush();
            drop(self.lines.until(|line| line.trim().eq_ignore_ascii_case(":end:")));
            return;
        }
        if text.starts_with('|') {
            return self.table(text, number);
        }
        if let Some(code) = text.strip_prefix(": ") {
            let mut code = vec![code];
            while let Some(next) = self.lines.peek(0).and_then(|line| line.trim_start().strip_prefix(": ")) {
                code.push(next);
                self.lines.skip(1);
            }
            return self.writer.code(None, &code.join("\n"), number..self.lines.number());
        }
        self.text(line, number);
    }

    fn text(&mut self, line: &str, number: u32) {
        let column = indentation(line);
        let text = line.trim();
        if let Some(length) = marker(line) {
            self.items.retain(|&item| item < column);
            let prefix = format!("{}{}", "  ".repeat(self.items.len().min(12)), &text[..length]);
            self.items.push(column);
            return self.writer.open(BlockKind::ListItem, &prefix, number, &text[length..]);
        }
        if self.writer.is_open() {
            return self.writer.line(BlockKind::Paragraph, number, text);
        }
        self.items.retain(|&item| item < column);
        if self.items.is_empty() {
            let kind = if self.quoted { BlockKind::Quote } else { BlockKind::Paragraph };
            self.writer.line(kind, number, text);
        } else {
            self.writer.open(BlockKind::ListItem, &"  ".repeat(self.items.len().min(12)), number, text);
        }
    }

    fn keyword(&mut self, text: &str, number: u32) {
        self.writer.flush();
        let lower = text.to_lowercase();
        if let Some(block) = lower.strip_prefix("begin_") {
            let name = block.split_whitespace().next().unwrap_or_default().to_owned();
            return self.block(&name, text, number);
        }
        if lower.starts_with("end_quote") || lower.starts_with("end_verse") {
            self.quoted = false;
        }
        let Some((name, value)) = text.split_once(':') else { return };
        let name = name.to_lowercase();
        if name == "caption" {
            self.writer.open(BlockKind::Paragraph, "", number, value);
            self.writer.flush();
        } else if FIELDS.contains(&name.as_str()) {
            if name == "title" && self.writer.is_empty() {
                self.writer.heading(1, value, number);
            }
            self.writer.field(&name, value);
        }
    }

    fn block(&mut self, name: &str, opening: &str, number: u32) {
        let end = format!("#+end_{name}");
        match name {
            "quote" | "verse" => self.quoted = true,
            "comment" => drop(self.lines.until(|line| line.trim().to_lowercase() == end)),
            "export" => {
                let body = self.lines.until(|line| line.trim().to_lowercase() == end);
                if opening.to_lowercase().contains("html") {
                    self.writer.append(&html::fragment(&body.join("\n")), number + 1);
                }
            }
            "src" | "example" => {
                let language = opening.split_whitespace().nth(1).filter(|_| name == "src");
                let body = self.lines.until(|line| line.trim().to_lowercase() == end);
                self.writer.code(language, &dedented(&body), number + 1..self.lines.number());
            }
            // A centred or special block: its text is read as if it stood outside.
            _ => {}
        }
    }

    fn table(&mut self, first: &str, number: u32) {
        let mut rows = Vec::new();
        let mut add = |line: &str| {
            if !line.starts_with("|-") {
                rows.push(line.trim_matches('|').split('|').map(str::to_owned).collect::<Vec<_>>());
            }
        };
        add(first);
        while let Some(line) = self.lines.peek(0).map(str::trim).filter(|line| line.starts_with('|')) {
            add(line);
            self.lines.skip(1);
        }
        self.writer.table(&rows, number..self.lines.number());
    }
}

/// `** TODO [#A] Title :tag:`: the level, and the title without its tags.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|&byte| byte == b'*').count();
    let title = line[level..].strip_prefix(' ').filter(|_| level > 0)?.trim();
    let tags =
        title.rsplit_once(' ').filter(|(_, tags)| tags.len() > 2 && tags.starts_with(':') && tags.ends_with(':'));
    Some((level, tags.map_or(title, |(title, _)| title.trim_end())))
}

/// `:PROPERTIES:`, `:LOGBOOK:`.
fn drawer(text: &str) -> bool {
    let name = text.strip_prefix(':').and_then(|text| text.strip_suffix(':')).unwrap_or_default();
    !name.is_empty()
        && !name.eq_ignore_ascii_case("end")
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// Bytes of the marker of an item with the space behind it. A star at the start of a line is a heading.
fn marker(line: &str) -> Option<usize> {
    let text = line.trim_start();
    let (label, _) = text.split_once(' ')?;
    let bullet = matches!(label, "-" | "+") || (label == "*" && text.len() < line.len());
    let number = label.strip_suffix(['.', ')']).unwrap_or_default();
    let counted = !number.is_empty() && number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    (bullet || counted).then_some(label.len() + 1)
}

/// Text without inline markup: descriptions of links stay, or their targets where there are none.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[[") {
        let Some((inside, after)) = link.split_once("]]") else { break };
        out.push_str(before);
        out.push_str(inside.split_once("][").map_or(inside, |(_, label)| label));
        rest = after;
    }
    out.push_str(rest);
    unmark(&out, MARKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::assert_invariants;

    #[test]
    fn documents_are_read() {
        let source = "#+TITLE: Guide\n#+AUTHOR: Ana\n# comment\n* TODO Setup :tag:work:\n:PROPERTIES:\n:ID: 1\n:END:\n\
            See [[https://x.y][the guide]], =a*b= and *bold* /it/.\n** Deep\n- one\n  - inner\n    goes on\n- two\n\n\
            #+BEGIN_SRC Rust :tangle x\nfn f() {}\n#+END_SRC\n\n#+begin_quote\nSaid.\n#+end_quote\n\n\
            | City | Rate |\n|------+------|\n| Oslo | 3 |\n: literal\n";
        let document = structure(source);
        assert_invariants(&document);
        assert_eq!(
            document.text,
            "Guide\n\nTODO Setup\n\nSee the guide, a*b and bold it.\n\nDeep\n\n- one\n  - inner\ngoes on\n- two\n\n\
             fn f() {}\n\nSaid.\n\n| City | Rate |\n| --- | --- |\n| Oslo | 3 |\n\nliteral"
        );
        assert_eq!((document.title.as_deref(), document.metadata["author"].as_str()), (Some("Guide"), "Ana"));
        assert_eq!(document.blocks[3].kind, BlockKind::Heading { level: 2 });
        let quote = document.blocks.iter().find(|block| block.kind == BlockKind::Quote).unwrap();
        assert_eq!(&document.text[quote.span.clone()], "Said.");
    }

    #[test]
    fn org_is_known_by_its_keywords() {
        assert!(looks_like(b"\n#+title: x") && !looks_like(b"# + title") && !looks_like(b"* a list"));
    }
}
