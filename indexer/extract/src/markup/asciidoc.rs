//! AsciiDoc, line by line: headings, attributes, lists, blocks between delimiters, tables with cells on one line or one
//! by one. Attributes of the header are metadata and are put where `{name}` stands. Includes are not followed: the files
//! they name are documents themselves.

use std::collections::HashMap;

use super::inline::{Mark, mark, unmark, verbatim};
use super::lines::Lines;
use super::writer::Writer;
use crate::Format;
use crate::block::{BlockKind, StructuredText};

pub(crate) const FORMAT: &Format = Format::of("asciidoc");

const MARKS: &[Mark] = &[
    verbatim("``"),
    verbatim("`"),
    verbatim("+"),
    mark("**"),
    mark("__"),
    mark("##"),
    mark("*"),
    mark("_"),
    mark("#"),
    mark("^"),
    mark("~"),
];

/// Macros `name:target[text]` whose text says it all.
const MACROS: &[&str] = &[
    "link",
    "xref",
    "mailto",
    "image",
    "footnote",
    "kbd",
    "btn",
    "menu",
    "icon",
    "anchor",
    "pass",
    "stem",
    "latexmath",
    "indexterm",
    "term",
];

/// Attributes that say something of the document.
const METADATA: &[&str] =
    &["author", "email", "revdate", "date", "description", "keywords", "lang", "version", "revnumber"];

/// Longest value that is put in the place of an attribute's name.
const MAX_ATTRIBUTE: usize = 300;

/// Whether text opens with a title and an attribute.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|&byte| byte == b'\n').take(4);
    let titled = lines.next().is_some_and(|line| line.starts_with(b"= ") && line.len() > 3);
    titled && lines.any(|line| attribute(&String::from_utf8_lossy(line)).is_some())
}

pub(super) fn structure(source: &str) -> StructuredText {
    let mut parser = AsciidocParser {
        lines: Lines::new(source),
        writer: Writer::new(inline),
        attributes: HashMap::new(),
        style: String::new(),
        quoted: false,
        depth: None,
        continued: false,
    };
    parser.header();
    while parser.lines.peek(0).is_some() {
        parser.step();
    }
    parser.writer.finish(FORMAT)
}

struct AsciidocParser<'a> {
    lines: Lines<'a>,
    writer: Writer,
    attributes: HashMap<String, String>,
    /// What stood in brackets above the next block.
    style: String,
    quoted: bool,
    /// Depth of the open item; `None` outside of lists.
    depth: Option<usize>,
    /// A `+` attaches the next block to the item above.
    continued: bool,
}

impl AsciidocParser<'_> {
    /// Title, author, revision, attributes.
    fn header(&mut self) {
        while self.lines.peek(0).is_some_and(|line| line.trim().is_empty() || line.starts_with("//")) {
            self.lines.skip(1);
        }
        let Some(title) = self.lines.peek(0).and_then(|line| line.strip_prefix("= ")) else { return };
        self.writer.heading(1, title, self.lines.number());
        self.lines.skip(1);
        let mut plain = 0;
        while let Some(line) = self.lines.peek(0).filter(|line| !line.trim().is_empty()) {
            if let Some((name, value)) = attribute(line) {
                self.attribute(name, value);
            } else if plain == 0 && line.contains('@')
                || line.split(' ').count() <= 3 && plain == 0 && starts_name(line)
            {
                self.writer.field("author", line);
                plain += 1;
            } else if plain == 1 && line.contains(|c: char| c.is_ascii_digit()) {
                self.writer.field("date", line);
                plain += 1;
            } else if !line.starts_with("//") {
                return;
            }
            self.lines.skip(1);
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        let name = name.to_lowercase();
        if METADATA.contains(&name.as_str()) {
            self.writer.field(if name == "revdate" { "date" } else { &name }, value);
        }
        if value.len() <= MAX_ATTRIBUTE && !value.contains('{') {
            self.attributes.insert(name, value.to_owned());
        }
    }

    fn step(&mut self) {
        let number = self.lines.number();
        let Some(line) = self.lines.next() else { return };
        let text = line.trim_end();
        if text.trim().is_empty() {
            self.writer.flush();
            return;
        }
        if self.delimited(text, number) || self.silent(text) {
            return;
        }
        let text = &self.with_attributes(text);
        if let Some((level, title)) = heading(text).filter(|_| !self.writer.is_open()) {
            self.depth = None;
            return self.writer.heading(level, title, number);
        }
        if let Some((depth, marker, item)) = item(text.trim_start()) {
            self.depth = Some(depth);
            let indentation = "  ".repeat(depth.saturating_sub(1).min(12));
            return self.writer.open(BlockKind::ListItem, &format!("{indentation}{marker}"), number, item);
        }
        if let Some((term, rest)) = definition(text).filter(|_| !self.writer.is_open()) {
            self.depth = Some(1);
            let text = if rest.is_empty() { format!("{term}:") } else { format!("{term}: {rest}") };
            return self.writer.open(BlockKind::ListItem, "- ", number, &text);
        }
        if text == "+" {
            self.writer.flush();
            self.continued = true;
            return;
        }
        self.paragraph(text, number);
    }

    fn paragraph(&mut self, text: &str, number: u32) {
        if self.writer.is_open() {
            return self.writer.line(BlockKind::Paragraph, number, text);
        }
        if !self.continued && !text.starts_with(' ') {
            self.depth = None;
        }
        let literal = text.starts_with(' ') && self.depth.is_none();
        if literal {
            let mut code = vec![text.to_owned()];
            while let Some(next) = self.lines.peek(0).filter(|next| !next.trim().is_empty()) {
                code.push(next.to_owned());
                self.lines.skip(1);
            }
            let code: Vec<&str> = code.iter().map(String::as_str).collect();
            return self.writer.code(None, &super::lines::dedented(&code), number..self.lines.number());
        }
        let quoted = self.quoted || self.style.starts_with("quote") || self.style.starts_with("verse");
        self.style.clear();
        let attached = std::mem::take(&mut self.continued);
        match self.depth.filter(|_| attached) {
            Some(depth) => self.writer.open(BlockKind::ListItem, &"  ".repeat(depth.min(12)), number, text),
            None if quoted => self.writer.line(BlockKind::Quote, number, text),
            None => self.writer.line(BlockKind::Paragraph, number, text),
        }
    }

    /// Lines that are no text: comments, anchors, attributes, block attributes, page breaks.
    fn silent(&mut self, text: &str) -> bool {
        if let Some((name, value)) = attribute(text).filter(|_| !self.writer.is_open()) {
            self.attribute(name, value);
            return true;
        }
        let bracketed = text.starts_with('[') && text.ends_with(']') && !text[1..].contains("][");
        if bracketed && !self.writer.is_open() {
            let style = text.trim_matches(['[', ']']);
            if !style.starts_with(['[', '#', '.']) {
                self.style = style.to_owned();
            }
            return true;
        }
        if let Some(title) = block_title(text).filter(|_| !self.writer.is_open()) {
            let number = self.lines.number() - 1;
            self.writer.open(BlockKind::Paragraph, "", number, title);
            self.writer.flush();
            return true;
        }
        let directive = ["include::", "ifdef::", "ifndef::", "ifeval::", "endif::", "toc::"];
        (text.starts_with("//") && !text.starts_with("///"))
            || text == "<<<"
            || text == "'''"
            || directive.iter().any(|directive| text.starts_with(directive))
    }

    /// A block between two equal lines.
    fn delimited(&mut self, text: &str, number: u32) -> bool {
        if text == "|===" || text == ",===" || text == "!===" {
            self.writer.flush();
            let rows = self.table(&text[..1]);
            self.style.clear();
            self.writer.table(&rows, number..self.lines.number());
            return true;
        }
        if let Some(language) = text.strip_prefix("```") {
            let body = self.lines.until(|line| line.trim_end() == "```");
            self.writer.code(Some(language), &body.join("\n"), number + 1..self.lines.number());
            return true;
        }
        let sign = text.chars().next().unwrap_or(' ');
        let long = text.len() >= 4 && text.chars().all(|c| c == sign);
        if !long && text != "--" {
            return false;
        }
        match sign {
            '-' if long => self.code(text, number),
            '.' => self.code(text, number),
            '/' | '+' => {
                self.writer.flush();
                let body = self.lines.until(|line| line.trim_end() == text);
                if sign == '+' && self.style.starts_with("stem") {
                    self.writer.code(Some("latex"), &body.join("\n"), number + 1..self.lines.number());
                }
            }
            '_' => {
                self.writer.flush();
                self.quoted = !self.quoted;
            }
            // An example, a side note, an open block: what is inside is read as if it stood outside.
            '=' | '*' | '-' => self.writer.flush(),
            _ => return false,
        }
        self.style.clear();
        true
    }

    fn code(&mut self, delimiter: &str, number: u32) {
        let language = self.style.strip_prefix("source").and_then(|rest| rest.split(',').nth(1)).map(str::to_owned);
        let body = self.lines.until(|line| line.trim_end() == delimiter);
        self.writer.code(language.as_deref(), &body.join("\n"), number + 1..self.lines.number());
    }

    /// Cells follow bars; rows are lines, or as many cells as the first line or `cols` says.
    fn table(&mut self, sign: &str) -> Vec<Vec<String>> {
        let end = format!("{sign}===");
        let lines = self.lines.until(|line| line.trim_end() == end);
        if sign == "," {
            return lines.iter().map(|line| line.split(',').map(str::to_owned).collect()).collect();
        }
        let stated = columns(&self.style);
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut cells: Vec<String> = Vec::new();
        let mut width = stated;
        for line in &lines {
            let line = self.with_attributes(line);
            let opening = line.trim_start();
            let bar = opening.find(sign).filter(|&at| at == 0 || is_cell_spec(&opening[..at]));
            let Some(bar) = bar else {
                if let Some(cell) = cells.last_mut().or_else(|| rows.last_mut().and_then(|row| row.last_mut())) {
                    cell.push(' ');
                    cell.push_str(line.trim());
                }
                continue;
            };
            let found: Vec<String> =
                opening[bar + sign.len()..].split(sign).map(|cell| without_spec(cell).to_owned()).collect();
            let several = found.len() > 1;
            let width = *width.get_or_insert(found.len());
            cells.extend(found);
            // A line of its own is a row when no number of columns is stated.
            if cells.len() >= width || (several && stated.is_none()) {
                rows.push(std::mem::take(&mut cells));
            }
        }
        rows.push(cells);
        rows
    }

    fn with_attributes(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let name = after[..crate::floor_boundary(after, MAX_ATTRIBUTE)].split_once('}').map(|(name, _)| name);
            let known = name.and_then(|name| {
                let value = self.attributes.get(&name.to_lowercase())?;
                Some((value, &after[name.len() + 1..]))
            });
            match known {
                Some((value, tail)) => {
                    out.push_str(value);
                    rest = tail;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }
}

fn starts_name(line: &str) -> bool {
    line.split(' ').all(|word| word.chars().next().is_some_and(|c| c.is_uppercase() || !c.is_ascii()))
}

/// `:name: value`.
fn attribute(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix(':')?.split_once(':')?;
    let named = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '!'));
    (named && (value.is_empty() || value.starts_with(' '))).then_some((name, value.trim()))
}

/// `== Title`, or with Markdown's signs.
fn heading(line: &str) -> Option<(usize, &str)> {
    let sign = line.chars().next().filter(|sign| matches!(sign, '=' | '#'))?;
    let level = line.chars().take_while(|&c| c == sign).count();
    let title = line[level..].strip_prefix(' ')?.trim();
    (level <= 6 && !title.is_empty()).then(|| (level, title.trim_end_matches(sign).trim_end()))
}

/// `.Title` above a block.
fn block_title(line: &str) -> Option<&str> {
    line.strip_prefix('.')
        .filter(|title| title.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '"' | '`' | '_' | '*')))
}

/// Depth, marker as it is written out, and text of an item.
fn item(line: &str) -> Option<(usize, String, &str)> {
    let (signs, text) = line.split_once(' ')?;
    let sign = signs.chars().next()?;
    let uniform = signs.chars().all(|c| c == sign) && signs.len() <= 6;
    match sign {
        '*' if uniform => Some((signs.len(), "- ".to_owned(), text)),
        '-' if signs == "-" => Some((1, "- ".to_owned(), text)),
        '.' if uniform => Some((signs.len(), ". ".to_owned(), text)),
        '<' if signs == "<.>" => Some((1, ". ".to_owned(), text)),
        '<' => {
            let number = signs.strip_prefix('<')?.strip_suffix('>')?;
            number.bytes().all(|byte| byte.is_ascii_digit()).then(|| (1, format!("{number}. "), text))
        }
        _ => {
            let number = signs.strip_suffix('.')?;
            let counted = number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
            (counted && !number.is_empty()).then(|| (1, format!("{signs} "), text))
        }
    }
}

/// `term:: description`.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (term, rest) = line.split_once("::")?;
    let rest = rest.trim_start_matches([':', ';']);
    let is_macro = rest.contains('[') && !rest.starts_with(' ') && !rest.is_empty();
    let stated = rest.is_empty() || rest.starts_with(' ');
    (!is_macro && stated && !term.trim().is_empty()).then(|| (term.trim(), rest.trim()))
}

/// Number of columns in the attributes of a table.
fn columns(style: &str) -> Option<usize> {
    let value = style.split_once("cols=")?.1;
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split(',').next()?,
    };
    let count = |column: &str| match column.split_once('*') {
        Some((times, _)) => times.trim().parse().unwrap_or(1),
        None => 1,
    };
    Some(value.split([',', ';']).map(count).sum::<usize>()).filter(|columns| (1..=200).contains(columns))
}

/// What may stand before a bar to say how its cell spans and looks: `2+`, `.3+^`, `a`.
fn is_cell_spec(text: &str) -> bool {
    let text = text.trim();
    text.len() <= 8
        && text.chars().all(|c| {
            c.is_ascii_digit()
                || matches!(c, '.' | '+' | '*' | '<' | '>' | '^' | 'a' | 'd' | 'e' | 'h' | 'l' | 'm' | 's' | 'v')
        })
}

/// A cell without the specification of the next one at its end.
fn without_spec(cell: &str) -> &str {
    let cell = cell.trim();
    match cell.rsplit_once(' ') {
        Some((text, spec)) if spec.contains(['+', '*', '^']) && is_cell_spec(spec) => text.trim_end(),
        _ => cell,
    }
}

/// Text without inline markup: words of links and macros stay.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['[', '<']) {
        let tail = &rest[at..];
        if let Some((inside, after)) = tail.strip_prefix("<<").and_then(reference) {
            out.push_str(&rest[..at]);
            out.push_str(inside.split_once(',').map_or(inside, |(_, label)| label).trim().trim_start_matches('#'));
            rest = after;
            continue;
        }
        let Some(target) = target(&rest[..at]).filter(|_| tail.starts_with('[')) else {
            out.push_str(&rest[..at + 1]);
            rest = &rest[at + 1..];
            continue;
        };
        let Some(end) = tail.find(']') else { break };
        out.push_str(&rest[..target.start]);
        let label = tail[1..end].trim_end_matches('^');
        let label = if target.attributes { label.split(',').next().unwrap_or_default() } else { label };
        out.push_str(if label.trim().is_empty() { target.shown } else { label.trim_matches('"') });
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    unmark(&out, MARKS)
}

/// What stands between the signs of a reference, and what follows them.
fn reference(text: &str) -> Option<(&str, &str)> {
    let end = text[..crate::floor_boundary(text, MAX_ATTRIBUTE)].find(">>")?;
    Some((&text[..end], &text[end + 2..]))
}

/// The target of a link or macro at the end of a text.
struct Target<'a> {
    start: usize,
    /// Shown where there is no label.
    shown: &'a str,
    /// Whether what follows the first comma is about the page.
    attributes: bool,
}

fn target(before: &str) -> Option<Target<'_>> {
    let start =
        before.rfind(char::is_whitespace).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    let opening = word.len() - word.trim_start_matches(['(', '"', '\'', '*', '_']).len();
    let (start, word) = (start + opening, &word[opening..]);
    if word.starts_with("http://") || word.starts_with("https://") {
        return Some(Target { start, shown: word, attributes: false });
    }
    let (name, target) = word.split_once(':')?;
    let target = target.trim_start_matches(':');
    let known = MACROS.contains(&name);
    known.then(|| Target { start, shown: if name == "image" { "" } else { target }, attributes: name == "image" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::sound;

    fn document(source: &str) -> StructuredText {
        sound(structure(source))
    }

    #[test]
    fn the_header_is_metadata() {
        let document = document(
            "= Guide to {product}\nAna Author <a@x.y>\n2024-05-01\n:product: Quarry\n:keywords: a, b\n\n== Setup\n\nUse {product} and {other}.",
        );
        assert_eq!(document.text, "Guide to {product}\n\nSetup\n\nUse Quarry and {other}.");
        assert_eq!(document.metadata["author"], "Ana Author <a@x.y>");
        assert_eq!(document.metadata["keywords"], "a, b");
        assert_eq!(document.blocks[1].kind, BlockKind::Heading { level: 2 });
    }

    #[test]
    fn inline_markup_goes() {
        let text = "See https://x.y/z[the *guide*], link:a.html[b], <<top,the top>>, `a_b`, *bold* _it_ image:x.png[A map,20].";
        assert_eq!(document(text).text, "See the guide, b, the top, a_b, bold it A map.");
        assert_eq!(document("An array[1] and a[b] <c>.").text, "An array[1] and a[b] <c>.");
    }

    #[test]
    fn blocks_are_read() {
        let text = "[source,Rust]\n----\nfn f() {\n\n}\n----\n\n.Note title\n====\nInside.\n====\n\n____\nSaid.\n____\n\n////\nhidden\n////\n\n literal\n  text\n\nNOTE: Mind.";
        let document = document(text);
        assert_eq!(document.text, "fn f() {\n\n}\n\nNote title\n\nInside.\n\nSaid.\n\nliteral\n text\n\nNOTE: Mind.");
        assert_eq!(document.blocks[0].kind, BlockKind::Code { language: Some("rust".to_owned()), definition: None });
        assert_eq!(document.blocks[3].kind, BlockKind::Quote);
    }

    #[test]
    fn lists_nest_and_are_continued() {
        let text = "* one\n** inner\nmore\n* two\n+\nattached\n\n. first\n. second\n\nterm:: what it is\n";
        assert_eq!(
            document(text).text,
            "- one\n  - inner\nmore\n- two\n  attached\n. first\n. second\n- term: what it is"
        );
    }

    #[test]
    fn tables_are_read_in_both_ways() {
        let lines = document("|===\n|City |Rate\n\n|Oslo |3\n2+|both\n|===\n");
        assert_eq!(lines.text, "| City | Rate |\n| --- | --- |\n| Oslo | 3 |\n| both |  |");
        let cells = document("[cols=\"1,1\"]\n|===\n|City\n|Rate\n\n|Oslo\n|3\nNOK\n|===\n");
        assert_eq!(cells.text, "| City | Rate |\n| --- | --- |\n| Oslo | 3 NOK |");
    }
}
