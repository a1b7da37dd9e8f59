//! LaTeX: sections, lists, tables, quotations, verbatim text and formulas of the body; title, author and date of the
//! preamble. Macros are not expanded: what a document defines for itself keeps the text of its arguments.

use super::tex::{argument, command, optional, plain};
use super::writer::Writer;
use crate::Format;
use crate::block::{BlockKind, LineIndex, StructuredText};

pub(crate) const FORMAT: &Format = Format::of("latex");

/// Sections, outermost first.
const SECTIONS: &[&str] = &["part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"];

const VERBATIM: &[&str] = &["verbatim", "Verbatim", "lstlisting", "minted", "alltt", "verbatim*", "code"];
const TABLES: &[&str] = &["tabular", "tabular*", "tabularx", "tabulary", "longtable", "supertabular", "tblr"];
const FORMULAS: &[&str] =
    &["equation", "align", "gather", "displaymath", "eqnarray", "multline", "alignat", "flalign", "math"];
const QUOTES: &[&str] = &["quote", "quotation", "verse", "displayquote"];
const LISTS: &[&str] = &["itemize", "enumerate", "description", "compactitem", "compactenum"];
const SKIPPED: &[&str] = &["comment", "tikzpicture", "filecontents", "filecontents*", "pgfpicture"];

/// Whether text opens like a document, comments aside.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|&byte| byte == b'\n').take(40).map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"%"));
    first.is_some_and(|line| line.starts_with(b"\\documentclass") || line.starts_with(b"\\documentstyle"))
}

pub(super) fn structure(source: &str) -> StructuredText {
    let (start, end) = body(source);
    let mut parser = LatexParser {
        source,
        end,
        at: start,
        lines: LineIndex::new(source),
        writer: Writer::new(plain),
        text: String::new(),
        from: start,
        highest: if source.contains("\\chapter") { 1 } else { 2 },
        lists: Vec::new(),
        quotes: 0,
        in_item: false,
    };
    parser.preamble(&source[..start]);
    parser.run();
    parser.writer.finish(FORMAT)
}

/// Where the body lies; the whole source if it has no preamble.
fn body(source: &str) -> (usize, usize) {
    let start = source.find("\\begin{document}").map_or(0, |at| at + "\\begin{document}".len());
    let end = source[start..].find("\\end{document}").map_or(source.len(), |at| start + at);
    (start, end)
}

struct LatexParser<'a> {
    source: &'a str,
    end: usize,
    at: usize,
    lines: LineIndex,
    writer: Writer,
    /// Source of the open block, and where it started.
    text: String,
    from: usize,
    /// Index of the section that is of level 1.
    highest: usize,
    /// Open lists: the number of the next item of numbered ones.
    lists: Vec<Option<u32>>,
    quotes: usize,
    /// Whether the open block is the first text of an item.
    in_item: bool,
}

impl<'a> LatexParser<'a> {
    fn preamble(&mut self, source: &str) {
        for name in ["title", "author", "date"] {
            let found = source.match_indices(&format!("\\{name}")).find_map(|(at, matched)| {
                let rest = &source[at + matched.len()..];
                let rest = optional(rest).map_or(rest, |(_, length)| &rest[length..]);
                argument(rest).map(|(value, _)| value)
            });
            if let Some(value) = found {
                self.writer.field(name, value);
                if name == "title" {
                    self.writer.heading(1, value, self.lines.line(0));
                }
            }
        }
    }

    fn run(&mut self) {
        while self.at < self.end {
            let rest = &self.source[self.at..self.end];
            let next = rest.find(['\\', '%', '\n']).unwrap_or(rest.len());
            self.add(&rest[..next]);
            self.at += next;
            match rest.as_bytes().get(next) {
                Some(b'%') => self.comment(),
                Some(b'\n') => self.newline(),
                Some(_) => self.command(),
                None => {}
            }
        }
        self.flush();
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..self.end]
    }

    fn add(&mut self, text: &str) {
        if self.text.trim().is_empty() {
            self.from = self.at;
        }
        self.text.push_str(text);
    }

    fn comment(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// A blank line ends a paragraph.
    fn newline(&mut self) {
        self.at += 1;
        let rest = self.rest();
        let blank = rest.len() - rest.trim_start().len();
        if rest[..blank].contains('\n') {
            self.at += blank;
            return self.flush();
        }
        self.text.push('\n');
    }

    fn command(&mut self) {
        let rest = &self.rest()[1..];
        let name = command(rest);
        let after = rest[name.len()..].strip_prefix('*').unwrap_or(&rest[name.len()..]);
        let start = self.at;
        self.at = self.end - after.len();
        if let Some(level) = SECTIONS.iter().position(|section| *section == name) {
            return self.section(level, start);
        }
        match name {
            "begin" => self.begin(),
            "end" => self.end_environment(),
            "item" => self.item(),
            "caption" | "frametitle" => {
                self.skip_optional();
                self.flush();
                if let Some(text) = self.argument() {
                    self.add(text);
                }
                self.flush();
            }
            "title" | "author" | "date" => {
                self.skip_optional();
                if let Some(value) = self.argument() {
                    self.writer.field(name, value);
                }
            }
            "maketitle" | "tableofcontents" | "newpage" | "clearpage" | "appendix" | "centering" => self.flush(),
            "newcommand" | "renewcommand" | "def" | "let" => {
                self.argument();
                self.skip_optional();
                self.skip_optional();
                self.argument();
            }
            // Of words in a line: read when the paragraph is complete.
            _ => {
                let source = &self.source[start..self.at.max(start + 1)];
                self.add(source);
            }
        }
    }

    fn argument(&mut self) -> Option<&'a str> {
        let (value, length) = argument(self.rest())?;
        self.at += length;
        Some(value)
    }

    fn skip_optional(&mut self) {
        if let Some((_, length)) = optional(self.rest()) {
            self.at += length;
        }
    }

    fn section(&mut self, level: usize, start: usize) {
        self.skip_optional();
        let Some(title) = self.argument() else { return };
        self.flush();
        let level = (level + 1).saturating_sub(self.highest).max(1);
        // The title of the document stands above its sections.
        let below_title = usize::from(self.writer.builder.title.is_some());
        self.writer.heading(level + below_title, title, self.lines.line(start));
    }

    fn begin(&mut self) {
        let Some(name) = self.argument() else { return };
        let known = |names: &[&str]| names.contains(&name) || names.contains(&name.trim_end_matches('*'));
        self.flush();
        if known(VERBATIM) {
            let mut language = self.options().and_then(|options| options.split("language=").nth(1));
            if name == "minted" {
                language = self.argument();
            }
            let language = language.map(|language| language.split([',', ']']).next().unwrap_or(language));
            let (code, lines) = self.raw(name);
            return self.writer.code(language, code.trim_end(), lines);
        }
        if SKIPPED.contains(&name) {
            self.raw(name);
        } else if known(FORMULAS) {
            let (formula, lines) = self.raw(name);
            self.writer.code(Some("latex"), formula.trim(), lines);
        } else if known(TABLES) {
            self.table(name);
        } else if known(LISTS) {
            self.options();
            self.lists.push(name.ends_with("enum").then_some(1).or((name == "enumerate").then_some(1)));
        } else if known(QUOTES) {
            self.quotes += 1;
        } else if name == "abstract" {
            self.writer.heading(2, "Abstract", self.lines.line(self.at));
        } else if name == "thebibliography" {
            self.argument();
            self.writer.heading(2, "References", self.lines.line(self.at));
        } else if name == "frame" {
            self.options();
            if let Some(title) = self.argument() {
                self.writer.heading(3, title, self.lines.line(self.at));
            }
        } else {
            // Floats and boxes: their options are about the page.
            self.options();
        }
    }

    fn options(&mut self) -> Option<&'a str> {
        let (value, length) = optional(self.rest()).filter(|_| self.rest().starts_with('['))?;
        self.at += length;
        Some(value)
    }

    fn end_environment(&mut self) {
        let name = self.argument().unwrap_or_default();
        self.flush();
        if LISTS.contains(&name) {
            self.lists.pop();
        }
        if QUOTES.contains(&name) {
            self.quotes = self.quotes.saturating_sub(1);
        }
    }

    /// The source up to the end of an environment, and its lines.
    fn raw(&mut self, name: &str) -> (&'a str, std::ops::Range<u32>) {
        let end = format!("\\end{{{name}}}");
        let rest = self.rest();
        let length = rest.find(&end).unwrap_or(rest.len());
        let lines = self.lines.lines(&(self.at..self.at + length.max(1)));
        self.at = (self.at + length + end.len()).min(self.end);
        (rest[..length].trim_start_matches([' ', '\n']), lines)
    }

    fn item(&mut self) {
        self.flush();
        let term = self.options();
        self.in_item = true;
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        };
        let indentation = "  ".repeat(self.lists.len().saturating_sub(1).min(12));
        let number = self.lines.line(self.at);
        self.writer.open(BlockKind::ListItem, &format!("{indentation}{marker}"), number, "");
        if let Some(term) = term {
            self.add(&format!("{term}: "));
        }
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let number = self.lines.line(self.from);
        if !text.trim().is_empty() {
            match (self.in_item, self.lists.len(), self.quotes) {
                (true, ..) => self.writer.line(BlockKind::ListItem, number, &text),
                (false, 1.., _) => {
                    self.writer.open(BlockKind::ListItem, &"  ".repeat(self.lists.len().min(12)), number, &text);
                }
                (false, 0, 1..) => self.writer.open(BlockKind::Quote, "", number, &text),
                _ => self.writer.open(BlockKind::Paragraph, "", number, &text),
            }
        }
        self.writer.flush();
        self.in_item = false;
    }

    fn table(&mut self, name: &str) {
        self.options();
        if matches!(name, "tabularx" | "tabulary" | "tabular*") {
            self.argument();
        }
        self.argument();
        let (source, lines) = self.raw(name);
        let source: Vec<&str> = source.lines().map(without_comment).collect();
        let rows: Vec<Vec<String>> = source.join("\n").split("\\\\").map(cells).collect();
        self.writer.table(&rows, lines);
    }
}

fn without_comment(line: &str) -> &str {
    let comment = line.char_indices().find(|&(at, c)| c == '%' && !line[..at].ends_with('\\'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The cells of a row: rules go, ampersands part.
fn cells(row: &str) -> Vec<String> {
    let mut row = row.trim();
    if let Some((_, length)) = optional(row).filter(|_| row.starts_with('[')) {
        row = &row[length..];
    }
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for character in row.chars() {
        match character {
            '&' if !escaped => cells.push(String::new()),
            _ => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(character);
                }
            }
        }
        escaped = character == '\\' && !escaped;
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::sound;

    fn document(source: &str) -> StructuredText {
        sound(structure(source))
    }

    #[test]
    fn documents_are_read() {
        let source = "\\documentclass{article}\n\\title{The \\emph{Guide}}\n\\author{Ana \\and Bo}\n\\begin{document}\n\\maketitle\n\
            \\begin{abstract}Short.\\end{abstract}\n\\section{Setup}\\label{s}\nSome % comment\nwords\\footnote{A note.}.\n\nMore.\n\
            \\subsection*{Deep}\n\\begin{itemize}\n\\item one\n  \\begin{enumerate}\\item inner\\end{enumerate}\n\\item[T] two\n\\end{itemize}\n\
            \\begin{verbatim}\n a %b\n\\end{verbatim}\n\\begin{quote}Said.\\end{quote}\n\
            \\begin{table}[h]\\caption{Rates}\\begin{tabular}{l|r}\\hline City & Rate\\\\ \\hline Oslo \\& co & 3\\\\[2pt]\\end{tabular}\\end{table}\n\
            \\begin{equation}E=mc^2\\end{equation}\n\\end{document}\nafter";
        let document = document(source);
        assert_eq!(
            document.text,
            "The Guide\n\nAbstract\n\nShort.\n\nSetup\n\nSome\nwords (A note.).\n\nMore.\n\nDeep\n\n\
             - one\n  1. inner\n- T: two\n\na %b\n\nSaid.\n\nRates\n\n\
             | City | Rate |\n| --- | --- |\n| Oslo & co | 3 |\n\nE=mc^2"
        );
        assert_eq!(document.title.as_deref(), Some("The Guide"));
        assert_eq!(document.metadata["author"], "Ana , Bo");
        let levels: Vec<u8> = document
            .blocks
            .iter()
            .filter_map(|block| match block.kind {
                BlockKind::Heading { level } => Some(level),
                _ => None,
            })
            .collect();
        assert_eq!(levels, [1, 2, 2, 3]);
    }

    #[test]
    fn pieces_without_a_preamble_are_read() {
        assert_eq!(document("\\chapter{One}\ntext\n\\section{Two}\nmore").text, "One\n\ntext\n\nTwo\n\nmore");
    }

    #[test]
    fn broken_documents_are_harmless() {
        for source in [
            "\\begin{",
            "\\begin{verbatim}",
            "\\item",
            "\\section",
            "\\end{document}\\begin{document}",
            "\\",
            "%",
            "\\begin{itemize}\\item[",
        ] {
            document(source);
        }
        document(&"\\begin{itemize}\\item ".repeat(5000));
    }

    #[test]
    fn latex_is_known_by_its_class() {
        assert!(looks_like(b"% c\n\\documentclass{x}") && !looks_like(b"text \\documentclass"));
    }
}
