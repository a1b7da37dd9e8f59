//! Manual pages: the `man` and `mdoc` macros of troff. Requests that lay out the page are left out; fonts and special
//! characters are resolved as far as manual pages use them.

use super::lines::Lines;
use super::writer::Writer;
use crate::block::{BlockKind, StructuredText};
use crate::{Format, Input};

pub(crate) const FORMAT: &Format = Format::of("man");

/// Special characters `\(xx` and `\[xx]`.
const SPECIAL: &[(&str, &str)] = &[
    ("em", "—"),
    ("en", "–"),
    ("hy", "-"),
    ("bu", "•"),
    ("co", "©"),
    ("rg", "®"),
    ("tm", "™"),
    ("lq", "“"),
    ("rq", "”"),
    ("oq", "‘"),
    ("cq", "’"),
    ("aq", "'"),
    ("dq", "\""),
    ("ga", "`"),
    ("ha", "^"),
    ("ti", "~"),
    ("rs", "\\"),
    ("->", "→"),
    ("<-", "←"),
    ("mu", "×"),
    ("+-", "±"),
    (">=", "≥"),
    ("<=", "≤"),
    (":a", "ä"),
    (":o", "ö"),
    (":u", "ü"),
    ("ss", "ß"),
];

/// Macros that only set their arguments in a font.
const FONTS: &[&str] = &["B", "I", "R", "BR", "RB", "BI", "IB", "IR", "RI", "SM", "SB"];

/// `mdoc` macros that begin a line of words and may hold other macros.
const WORDS: &[&str] = &[
    "Nm", "Fl", "Ar", "Op", "Oo", "Oc", "Pa", "Cm", "Dv", "Er", "Ev", "Fa", "Fn", "Ft", "Ic", "Li", "Sy", "Em", "Xr",
    "Va", "Vt", "An", "Aq", "Pq", "Dq", "Sq", "Ql", "Qq", "Bq", "Brq", "No", "Ns", "Lk", "Mt", "St", "At", "Bx", "Fx",
    "Ox", "Nx", "Tn", "Ux", "Cd", "Ad", "In", "Do", "Dc", "So", "Sc", "Po", "Pc", "Nd",
];

/// Lines that a page may open with before its title: Pod::Man writes about 130 of definitions.
const PREAMBLE: usize = 300;

/// `.3`, `.3pm`, `.1ssl`: a section, and what the system adds to it.
pub(crate) fn is_named(input: &Input<'_>) -> bool {
    let extension = input.extension();
    let section = extension.len() <= 8
        && extension.starts_with(|c: char| ('1'..='9').contains(&c))
        && extension.chars().skip(1).all(|c| c.is_ascii_alphabetic());
    input.is_named(FORMAT) || (section && looks_like(input.bytes))
}

/// Whether text opens with a manual page's title, or with a comment of troff and has its title soon after.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|&byte| byte == b'\n').take(PREAMBLE).filter(|line| !line.trim_ascii().is_empty());
    let Some(first) = lines.next() else { return false };
    let comment = first.starts_with(b".\\\"") || first.starts_with(b"'\\\"") || first == b".";
    is_title(first) || (comment && lines.any(is_title))
}

fn is_title(line: &[u8]) -> bool {
    [".TH ", ".Dd ", ".Dt "].iter().any(|title| line.starts_with(title.as_bytes()))
}

/// The title's line: what is before it defines macros and strings.
fn first_line(source: &str) -> usize {
    source.lines().take(PREAMBLE).position(|line| is_title(line.as_bytes())).unwrap_or(0)
}

pub(super) fn structure(source: &str) -> StructuredText {
    let mut parser =
        ManParser { lines: Lines::new(source), writer: Writer::new(str::to_owned), item: false, term: false };
    parser.lines.skip(first_line(source));
    while let Some(line) = parser.lines.peek(0) {
        let number = parser.lines.number();
        parser.lines.skip(1);
        parser.line(line, number);
    }
    parser.writer.finish(FORMAT)
}

struct ManParser<'a> {
    lines: Lines<'a>,
    writer: Writer,
    /// Whether the next text belongs to an item that already has its marker.
    item: bool,
    /// Whether the next line is the term of an item.
    term: bool,
}

impl ManParser<'_> {
    fn line(&mut self, line: &str, number: u32) {
        let Some(request) = line.strip_prefix(['.', '\'']).filter(|_| !line.starts_with("'\"")) else {
            if line.trim().is_empty() {
                return self.writer.flush();
            }
            return self.text(&unescaped(line), number);
        };
        let request = request.trim_start();
        if request.is_empty() || request.starts_with("\\\"") {
            return;
        }
        let (name, rest) = request.split_once([' ', '\t']).unwrap_or((request, ""));
        self.request(name, rest, number);
    }

    fn request(&mut self, name: &str, rest: &str, number: u32) {
        match name {
            "TH" | "Dt" => self.title(rest, name == "TH", number),
            "Dd" => self.writer.field("date", rest),
            "SH" | "Sh" => self.heading(1, rest, number),
            "SS" | "Ss" => self.heading(2, rest, number),
            "PP" | "P" | "LP" | "Pp" | "sp" | "HP" | "RS" | "RE" | "Bl" | "El" => {
                self.writer.flush();
                self.item &= matches!(name, "RS" | "sp");
            }
            "TP" | "TQ" => {
                self.writer.flush();
                self.term = true;
            }
            "IP" => {
                let tag = arguments(rest).into_iter().next().unwrap_or_default();
                self.open_item(&unescaped(&tag), number);
            }
            "It" => self.open_item(&words(rest), number),
            "nf" | "EX" | "Bd" | "Vb" => {
                let body = self.lines.until(|line| matches!(line.trim(), ".fi" | ".EE" | ".Ed" | ".Ve"));
                let text: Vec<String> = body
                    .iter()
                    .filter(|line| !line.starts_with(".\\\""))
                    .map(|line| unescaped(macro_text(line)))
                    .collect();
                self.writer.code(None, &text.join("\n"), number + 1..self.lines.number());
            }
            "TS" => {
                let body = self.lines.until(|line| line.trim() == ".TE");
                self.table(&body, number);
            }
            "de" => drop(self.lines.until(|line| line.trim() == "..")),
            _ if FONTS.contains(&name) => {
                let parts: Vec<String> = arguments(rest).iter().map(|part| unescaped(part)).collect();
                // Two fonts in turn set their words without spaces.
                let separator = if name.len() == 2 && name != "SM" && name != "SB" { "" } else { " " };
                self.text(&parts.join(separator), number);
            }
            "UR" | "MT" => self.text(&unescaped(rest), number),
            _ if WORDS.contains(&name) => self.text(&words(&format!("{name} {rest}")), number),
            // Layout of the page.
            _ => {}
        }
    }

    fn title(&mut self, rest: &str, dated: bool, number: u32) {
        let parts: Vec<String> = arguments(rest).iter().map(|part| unescaped(part)).collect();
        let Some(name) = parts.first() else { return };
        let title = match parts.get(1) {
            Some(section) => format!("{name}({section})"),
            None => name.clone(),
        };
        if dated && let Some(date) = parts.get(2) {
            self.writer.field("date", date);
        }
        self.writer.field("title", &title);
        self.writer.heading(1, &title, number);
    }

    fn heading(&mut self, level: usize, rest: &str, number: u32) {
        self.item = false;
        let text = if rest.trim().is_empty() { self.lines.next().unwrap_or_default() } else { rest };
        let text: Vec<String> = arguments(text).iter().map(|part| unescaped(part)).collect();
        self.writer.heading(level + 1, &text.join(" "), number);
    }

    fn open_item(&mut self, tag: &str, number: u32) {
        let tag = tag.trim();
        let marker = match tag {
            "" => "  ".to_owned(),
            "•" | "-" | "*" | "—" | "–" | "o" => "- ".to_owned(),
            tag => format!("- {tag}: "),
        };
        self.item = true;
        self.writer.open(BlockKind::ListItem, &marker, number, "");
    }

    fn text(&mut self, text: &str, number: u32) {
        if self.term {
            self.term = false;
            return self.open_item(text, number);
        }
        if self.item && !self.writer.is_open() {
            return self.writer.open(BlockKind::ListItem, "  ", number, text);
        }
        self.writer.line(BlockKind::Paragraph, number, text);
    }

    /// The rows of a `tbl` table: below the format, which ends in a full stop.
    fn table(&mut self, body: &[&str], number: u32) {
        let start = body.iter().position(|line| line.trim_end().ends_with('.')).map_or(0, |at| at + 1);
        let tab = body.first().and_then(|line| line.split_once("tab(")).and_then(|(_, rest)| rest.chars().next());
        let rows: Vec<Vec<String>> = body[start..]
            .iter()
            .filter(|line| !line.starts_with('.') && !matches!(line.trim(), "_" | "=" | "T}"))
            .map(|line| line.split(tab.unwrap_or('\t')).map(unescaped).collect())
            .collect();
        self.writer.table(&rows, number..self.lines.number());
    }
}

/// Text of a line within a verbatim block, where a macro may set a font.
fn macro_text(line: &str) -> &str {
    let Some(request) = line.strip_prefix('.') else { return line };
    match request.split_once(' ') {
        Some((name, rest)) if FONTS.contains(&name) => rest,
        _ => "",
    }
}

/// Arguments of a macro: words, or phrases in quotes.
fn arguments(rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let (argument, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => {
                let end = rest.char_indices().find(|&(at, c)| c.is_whitespace() && !rest[..at].ends_with('\\'));
                end.map_or((rest, ""), |(at, _)| rest.split_at(at))
            }
        };
        found.push(argument.to_owned());
        rest = after.trim_start();
    }
    found
}

/// The words of an `mdoc` line: macros within it go, options get their dash.
fn words(line: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut dash = false;
    for word in arguments(line) {
        match word.as_str() {
            "Fl" => dash = true,
            name if WORDS.contains(&name) => dash = false,
            word => {
                let word = unescaped(word);
                out.push(if dash { format!("-{word}") } else { word });
                dash = false;
            }
        }
    }
    out.join(" ")
}

/// Text without escapes.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let mut characters = escape.chars();
        let Some(sign) = characters.next() else { break };
        rest = characters.as_str();
        match sign {
            'f' | 'F' | 'm' | 'M' => rest = after_name(rest),
            's' => rest = rest.trim_start_matches(['+', '-']).trim_start_matches(|c: char| c.is_ascii_digit()),
            '*' => rest = after_name(rest),
            '(' | '[' => {
                let end = if sign == '(' {
                    Some(crate::floor_boundary(rest, 2))
                } else {
                    rest[..crate::floor_boundary(rest, 60)].find(']')
                };
                let name = &rest[..end.unwrap_or(0)];
                let known = SPECIAL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
                out.push_str(known.unwrap_or_default());
                rest = &rest[end.map_or(0, |end| end + usize::from(sign == '['))..];
            }
            '"' | '#' => return out,
            'e' | '\\' => out.push('\\'),
            '-' | '.' | '\'' | '`' | '_' => out.push(sign),
            ' ' | '~' | '0' => out.push(' '),
            '&' | '|' | '^' | '%' | '/' | ',' | ')' | 'c' | ':' | 'd' | 'u' | 'p' => {}
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out
}

/// Behind a name of one character, two after `(`, or any number in brackets.
fn after_name(rest: &str) -> &str {
    let mut characters = rest.chars();
    match characters.next() {
        Some('(') => &rest[crate::floor_boundary(rest, 3)..],
        Some('[') => rest.split_once(']').map_or("", |(_, after)| after),
        _ => characters.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::assert_invariants;

    #[test]
    fn man_pages_are_read() {
        let source = ".\\\" comment\n.TH QUARRY 1 2024-05-01 \"v 1\"\n.SH NAME\nquarry \\- searches\n.SH OPTIONS\n\
            .TP\n.BR \\-v \", \" \\-\\-verbose\nSays \\fImore\\fP.\n.IP \\(bu 2\nA point.\n.PP\nThe end\\(emreally.\n.nf\na  b\n.fi\n";
        let document = structure(source);
        assert_invariants(&document);
        assert_eq!(
            document.text,
            "QUARRY(1)\n\nNAME\n\nquarry - searches\n\nOPTIONS\n\n- -v, --verbose: Says more.\n- A point.\n\n\
             The end—really.\n\na  b"
        );
        assert_eq!(document.blocks[1].kind, BlockKind::Heading { level: 2 });
        assert_eq!(document.title.as_deref(), Some("QUARRY(1)"));
        assert_eq!(document.metadata["date"], "2024-05-01");
    }

    #[test]
    fn mdoc_pages_are_read() {
        let source = ".Dd May 1, 2024\n.Dt LS 1\n.Sh NAME\n.Nm ls\n.Nd list\n.Bl -tag\n.It Fl a\nAll of them.\n.El\n";
        assert_eq!(structure(source).text, "LS(1)\n\nNAME\n\nls\nlist\n\n- -a: All of them.");
    }

    #[test]
    fn pages_are_known_by_their_title_macro() {
        assert!(looks_like(b".\\\" c\n.TH X 1\n") && looks_like(b".Dd x\n"));
        assert!(!looks_like(b".gitignore\n") && !looks_like(b"text .TH "));
    }

    #[test]
    fn what_a_page_defines_is_not_its_text() {
        let source = ".\\\" made by a program\n.de Vb \\\" verbatim\n.ft CW\n.nf\n..\n.ie n \\{\\\n.    ds -- x\n\
            'br\\}\n.TH DIGEST 1SSL\n.SH NAME\n.IX Header \"NAME\"\ndigest \\- sums\n.Vb 1\n\\& digest file\n.Ve\n";
        assert!(looks_like(source.as_bytes()));
        assert_eq!(structure(source).text, "DIGEST(1SSL)\n\nNAME\n\ndigest - sums\n\n digest file");
    }
}
