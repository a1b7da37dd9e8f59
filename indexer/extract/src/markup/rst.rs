//! reStructuredText, with the directives that Sphinx documents use. Levels of headings follow from the order in which
//! the adornments appear, as docutils has it. What a directive means to a page (menus, raw output) is left out; unknown
//! ones keep their argument and body, which in API documents are signatures and their descriptions.

use super::inline::{Mark, mark, unmark, verbatim};
use super::lines::{Lines, dedented, indentation};
use super::rst_tables;
use super::writer::Writer;
use crate::block::{BlockKind, StructuredText};
use crate::{Format, html};

pub(crate) const FORMAT: &Format = Format::of("rst");

const MARKS: &[Mark] = &[verbatim("``"), mark("**"), mark("*"), mark("|")];

/// Directives whose body is code.
const CODE: &[&str] =
    &["code", "code-block", "sourcecode", "highlight", "parsed-literal", "math", "ipython", "prompt", "graphviz"];

/// Directives that are about the page, not the text.
const SILENT: &[&str] = &[
    "toctree",
    "contents",
    "include",
    "literalinclude",
    "index",
    "raw",
    "only-latex",
    "role",
    "default-role",
    "highlight",
    "sectnum",
    "header",
    "footer",
    "currentmodule",
    "py:currentmodule",
    "autosummary",
    "tags",
    "image",
    "target-notes",
];

pub(super) fn structure(source: &str) -> StructuredText {
    let mut parser = RstParser {
        lines: Lines::new(source),
        writer: Writer::new(inline),
        adornments: Vec::new(),
        around: Vec::new(),
    };
    while parser.lines.peek(0).is_some() {
        parser.step();
    }
    parser.writer.finish(FORMAT)
}

struct RstParser<'a> {
    lines: Lines<'a>,
    writer: Writer,
    /// Adornments in order of appearance, and whether each stands above the title too.
    adornments: Vec<(char, bool)>,
    /// Lists and bodies of directives around the next line.
    around: Vec<Around>,
}

#[derive(Debug, Clone, Copy)]
struct Around {
    /// Column of its text.
    column: usize,
    item: bool,
}

impl RstParser<'_> {
    fn step(&mut self) {
        let number = self.lines.number();
        let Some(line) = self.lines.peek(0) else { return };
        if line.trim().is_empty() {
            self.lines.skip(1);
            return self.writer.flush();
        }
        let column = indentation(line);
        while self.around.last().is_some_and(|around| column < around.column) {
            self.around.pop();
            self.writer.flush();
        }
        let text = line.trim();
        if self.title(text) || (!self.writer.is_open() && self.block(text, column, number)) {
            return;
        }
        // Items may follow each other without a blank line.
        if let Some(marker) = marker(text)
            && (!self.writer.is_open() || self.in_list_at(column))
        {
            return self.item(text, marker, column, number);
        }
        self.lines.skip(1);
        self.paragraph(text, column, number);
    }

    /// A title with its adornment below, or above and below.
    fn title(&mut self, text: &str) -> bool {
        let number = self.lines.number();
        let (next, after) = (self.lines.peek(1).unwrap_or_default(), self.lines.peek(2).unwrap_or_default());
        if let Some(sign) = adornment(text) {
            let overlined = !next.trim().is_empty() && adornment(after) == Some(sign) && adornment(next).is_none();
            if overlined && after.trim_end().chars().count() >= next.trim().chars().count() {
                self.heading(sign, true, next.trim(), number + 1);
                self.lines.skip(3);
                return true;
            }
            let alone = !self.writer.is_open() && next.trim().is_empty() && text.len() >= 4;
            if alone {
                self.lines.skip(1);
            }
            return alone;
        }
        let Some(sign) = adornment(next).filter(|_| !self.writer.is_open()) else { return false };
        let fits = next.trim_end().chars().count() + 2 >= text.chars().count();
        if !fits || indentation(next) > 0 || text.starts_with(".. ") {
            return false;
        }
        self.heading(sign, false, text, number);
        self.lines.skip(2);
        true
    }

    fn heading(&mut self, sign: char, over: bool, text: &str, number: u32) {
        self.around.clear();
        let known = self.adornments.iter().position(|adornment| *adornment == (sign, over));
        let level = known.unwrap_or_else(|| {
            self.adornments.push((sign, over));
            self.adornments.len() - 1
        });
        self.writer.heading(level + 1, text, number);
    }

    /// Everything that can only start where no paragraph is open.
    fn block(&mut self, text: &str, column: usize, number: u32) -> bool {
        if text == ".." || text.starts_with(".. ") {
            self.lines.skip(1);
            self.explicit(text.trim_start_matches('.').trim(), column, number);
        } else if text.starts_with("__ ") {
            self.lines.skip(1);
        } else if text.starts_with(">>>") {
            let code = self.lines.until(|line| line.trim().is_empty());
            self.writer.code(Some("python"), &dedented(&code), number..self.lines.number());
        } else if let Some(rows) = rst_tables::table(&mut self.lines) {
            self.writer.table(&rows, number..self.lines.number());
        } else if let Some((name, value)) = field(text) {
            self.lines.skip(1);
            self.field(name, value, column, number);
        } else if let Some(line) = text.strip_prefix("| ") {
            self.lines.skip(1);
            self.writer.line(self.kind(column), number, line);
        } else {
            return false;
        }
        true
    }

    fn field(&mut self, name: &str, value: &str, column: usize, number: u32) {
        let mut value = value.to_owned();
        for line in self.lines.indented(column + 1) {
            value.push(' ');
            value.push_str(line.trim());
        }
        // Fields below the title speak of the document.
        if self.writer.builder.len() < 400 && self.around.is_empty() && !self.writer.is_open() {
            self.writer.field(name, &value);
        }
        self.writer.open(BlockKind::Paragraph, "", number, &format!("{name}: {value}"));
    }

    fn in_list_at(&self, column: usize) -> bool {
        self.around.last().is_some_and(|around| around.item && column <= around.column)
    }

    fn item(&mut self, text: &str, marker: usize, column: usize, number: u32) {
        self.lines.skip(1);
        let depth = self.around.iter().filter(|around| around.item).count();
        let prefix = format!("{}{}", "  ".repeat(depth.min(12)), &text[..marker]);
        self.around.push(Around { column: column + marker, item: true });
        self.writer.open(BlockKind::ListItem, &prefix, number, &text[marker..]);
    }

    fn kind(&self, column: usize) -> BlockKind {
        match self.around.last() {
            Some(around) if around.item => BlockKind::ListItem,
            Some(around) if column > around.column => BlockKind::Quote,
            Some(_) => BlockKind::Paragraph,
            None if column > 0 => BlockKind::Quote,
            None => BlockKind::Paragraph,
        }
    }

    fn paragraph(&mut self, text: &str, column: usize, number: u32) {
        let kind = self.kind(column);
        let opens = !self.writer.is_open();
        let literal = text.ends_with("::") && self.lines.peek(0).is_none_or(|next| next.trim().is_empty());
        let text = match text.strip_suffix("::") {
            Some(before) if literal && before.trim().is_empty() => "",
            Some(before) if literal && before.ends_with(' ') => before,
            Some(_) if literal => &text[..text.len() - 1],
            _ => text,
        };
        if opens && kind == BlockKind::ListItem {
            let depth = self.around.iter().filter(|around| around.item).count();
            self.writer.open(kind, &"  ".repeat(depth.min(12)), number, text);
        } else if !text.is_empty() {
            self.writer.line(kind, number, text);
        }
        if literal {
            self.writer.flush();
            let first = self.lines.number();
            let code = self.lines.indented(column + 1);
            self.writer.code(None, &dedented(&code), first..self.lines.number());
        }
    }

    /// What follows two dots: a directive, footnote, target, substitution or comment.
    fn explicit(&mut self, text: &str, column: usize, number: u32) {
        if let Some(note) = text.strip_prefix('[') {
            if let Some((label, note)) = note.split_once(']') {
                self.around.push(Around { column: column + 1, item: false });
                self.writer.open(BlockKind::Paragraph, "", number, &format!("[{label}]{note}"));
            }
            return;
        }
        let directive = text.split_once("::").filter(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '+'))
        });
        match directive {
            Some((name, argument)) => self.directive(&name.to_lowercase(), argument.trim(), column, number),
            None => drop(self.lines.indented(column + 1)),
        }
    }

    fn directive(&mut self, name: &str, argument: &str, column: usize, number: u32) {
        let options = self.options(column);
        let option = |wanted: &str| options.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        if CODE.contains(&name) {
            let first = self.lines.number();
            let body = self.lines.indented(column + 1);
            let language = if name == "math" { Some("latex") } else { Some(argument) };
            let code = if body.is_empty() { argument.to_owned() } else { dedented(&body) };
            return self.writer.code(language, code.trim_matches('\n'), first..self.lines.number());
        }
        match name {
            "raw" if argument.starts_with("html") => {
                let body = dedented(&self.lines.indented(column + 1));
                self.writer.append(&html::fragment(&body), number + 1);
            }
            "meta" => {
                let body = self.lines.indented(column + 1);
                let fields = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                for (name, value) in fields.chain(body.iter().filter_map(|line| field(line.trim()))) {
                    self.writer.field(name, value);
                }
            }
            "image" | "figure" => {
                self.writer.line(BlockKind::Paragraph, number, option("alt").unwrap_or_default());
                self.writer.flush();
                self.around.push(Around { column: column + 1, item: false });
            }
            "list-table" | "csv-table" => {
                self.writer.line(BlockKind::Paragraph, number, argument);
                let body = self.lines.indented(column + 1);
                let header = option("header").unwrap_or_default();
                let rows = rst_tables::directive(name, header, &body);
                self.writer.table(&rows, number..self.lines.number());
            }
            _ if SILENT.contains(&name) => drop(self.lines.indented(column + 1)),
            _ => {
                // An admonition, a topic, a table with a caption, an object of an API.
                self.writer.line(BlockKind::Paragraph, number, argument);
                self.around.push(Around { column: column + 1, item: false });
                if self.lines.peek(0).is_some_and(|line| line.trim().is_empty()) {
                    self.writer.flush();
                }
            }
        }
    }

    /// The options below a directive's first line.
    fn options(&mut self, column: usize) -> Vec<(String, String)> {
        let mut options = Vec::new();
        while let Some(line) = self.lines.peek(0).filter(|line| indentation(line) > column) {
            let Some((name, value)) = field(line.trim()) else { break };
            options.push((name.to_lowercase(), value.to_owned()));
            self.lines.skip(1);
        }
        options
    }
}

/// The sign of a line that is nothing but one sign, at least two of it.
fn adornment(line: &str) -> Option<char> {
    let line = line.trim_end();
    let sign = line.chars().next().filter(|sign| sign.is_ascii_punctuation())?;
    (line.len() >= 2 && line.chars().all(|c| c == sign) && line != "::" && line != "..").then_some(sign)
}

/// `:name: value`.
fn field(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix(':')?.split_once(':')?;
    let named = !name.is_empty() && !name.starts_with(' ') && (value.is_empty() || value.starts_with(' '));
    (named && !name.contains('`')).then_some((name, value.trim()))
}

/// Bytes of the marker of an item with the space behind it.
fn marker(text: &str) -> Option<usize> {
    for bullet in ["- ", "* ", "+ ", "• "] {
        if text.starts_with(bullet) {
            return Some(bullet.len());
        }
    }
    let (label, _) = text.split_once(' ')?;
    let inner = label.strip_prefix('(').unwrap_or(label);
    let number = inner.strip_suffix(['.', ')'])?;
    let counted = number == "#"
        || (!number.is_empty() && number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit()))
        || (number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_alphabetic()));
    counted.then_some(label.len() + 1)
}

/// Text without inline markup: the words of links and roles stay.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['`', '\\']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(escaped) = tail.strip_prefix('\\') {
            rest = escaped.strip_prefix(' ').unwrap_or(escaped);
            continue;
        }
        if let Some(literal) = tail.strip_prefix("``") {
            let end = literal.find("``").map_or(2, |end| end + 4);
            out.push_str(&tail[..end]);
            rest = &tail[end..];
            continue;
        }
        let Some(end) = tail[1..].find('`') else {
            out.push_str(tail);
            rest = "";
            break;
        };
        without_role(&mut out);
        let inside = &tail[1..=end];
        let label = inside.rfind(" <").filter(|_| inside.ends_with('>')).map_or(inside, |target| &inside[..target]);
        out.push_str(label.trim_start_matches(['~', '!']));
        rest = tail[end + 2..].trim_start_matches('_');
    }
    out.push_str(rest);
    unmark(&out, MARKS)
}

/// Takes a role from the end of what is written: `:ref:` of ``:ref:`x` ``.
fn without_role(out: &mut String) {
    let Some(before) = out.strip_suffix(':') else { return };
    let name = before.len()
        - before.trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, ':' | '-' | '_' | '.')).len();
    let start = before.len() - name;
    if out[start..].starts_with(':') {
        out.truncate(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::sound;

    fn document(source: &str) -> StructuredText {
        sound(structure(source))
    }

    #[test]
    fn headings_have_levels_by_their_adornments() {
        let document = document(
            "=====\nGuide\n=====\n\n:Author: Ana\n:Version: 2\n\nSetup\n=====\n\nText\nhere.\n\nDeep\n----\n\nx\n\nNext\n====\n\ny",
        );
        let headings: Vec<_> = document
            .blocks
            .iter()
            .filter_map(|block| match block.kind {
                BlockKind::Heading { level } => Some((level, &document.text[block.span.clone()])),
                _ => None,
            })
            .collect();
        assert_eq!(headings, [(1, "Guide"), (2, "Setup"), (3, "Deep"), (2, "Next")]);
        assert_eq!(document.metadata["author"], "Ana");
        assert_eq!(document.title.as_deref(), Some("Guide"));
    }

    #[test]
    fn markup_goes_and_words_stay() {
        let text = "See :ref:`the guide <setup>`, `Rust <https://x.y>`_, ``a_b*`` and **bold** *it* :py:func:`~a.b`.";
        assert_eq!(document(text).text, "See the guide, Rust, a_b* and bold it a.b.");
    }

    #[test]
    fn code_stays_whole() {
        let document = document(
            "Run::\n\n    a = 1\n\n    b\n\nDone.\n\n.. code-block:: Rust\n   :linenos:\n\n   fn f() {\n   }\n\n>>> 1\n1\n",
        );
        assert_eq!(document.text, "Run:\n\na = 1\n\nb\n\nDone.\n\nfn f() {\n}\n\n>>> 1\n1");
        assert_eq!(document.blocks[3].kind, BlockKind::Code { language: Some("rust".to_owned()), definition: None });
        assert_eq!(document.blocks[1].lines, 2..6);
    }

    #[test]
    fn lists_nest() {
        let document = document("- one\n  goes on\n- two\n\n  - inner\n\n  more\n\n1. first\n2. second\n\nafter");
        assert_eq!(document.text, "- one\ngoes on\n- two\n  - inner\n  more\n1. first\n2. second\n\nafter");
    }

    #[test]
    fn directives_comments_and_targets() {
        let text = ".. _top:\n\n.. A comment\n   goes on.\n\n.. note:: Mind this.\n\n   And that.\n\n.. image:: x.png\n   :alt: A map\n\n\
                    .. toctree::\n\n   a\n   b\n\n.. function:: f(x)\n\n   Does it.\n\n.. [1] A note.\n\nEnd.";
        assert_eq!(document(text).text, "Mind this.\n\nAnd that.\n\nA map\n\nf(x)\n\nDoes it.\n\n[1] A note.\n\nEnd.");
    }

    #[test]
    fn transitions_and_quotes() {
        let document = document("a\n\n----\n\n   quoted\n\nb");
        assert_eq!(document.text, "a\n\nquoted\n\nb");
        assert_eq!(document.blocks[1].kind, BlockKind::Quote);
    }
}
