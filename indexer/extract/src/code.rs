//! Source code, configuration and data. The text is the source as it is; it is cut into one block for each top-level
//! definition, with the comments and attributes that stand right above it. Tree-sitter tells definitions where there
//! is a grammar; elsewhere a line without indentation after a blank one starts a block.

use std::ops::Range;

use tree_sitter::{Node, Parser};

use crate::block::{Block, BlockKind, LineIndex, StructuredText, floor_boundary};
use crate::error::FileError;
use crate::{Format, Input, decode, languages};

/// Larger sources are generated ones: not parsed.
const MAX_PARSED_BYTES: usize = 2 << 20;

/// Bytes of the line that names a definition.
const MAX_DEFINITION_BYTES: usize = 120;

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, None);
    let language = languages::language_of(input).ok_or(FileError::Binary)?;
    let parts = parse(language, &decoded.text)
        .unwrap_or_else(|| cut_at_entries(&decoded.text, cut_at_blank_lines(&decoded.text)));
    let lines = LineIndex::new(&decoded.text);
    let block = |part: Part| {
        let span = trim_span(&decoded.text, part.span);
        let kind = match language.name {
            "csv" | "tsv" => BlockKind::Table,
            name => BlockKind::Code { language: Some(name.to_owned()), definition: part.definition },
        };
        (!span.is_empty()).then(|| Block { kind, lines: lines.lines(&span), span, place: None })
    };
    let blocks: Vec<Block> = parts.into_iter().filter_map(block).collect();
    let mut document = StructuredText::verbatim(language, decoded.text, blocks);
    document.title = Some(input.file_name()).filter(|name| !name.is_empty());
    document.warnings = decoded.warnings;
    Ok(document)
}

/// A stretch of source that stays together.
#[derive(Debug)]
struct Part {
    span: Range<usize>,
    definition: Option<String>,
}

/// Parts by the grammar; `None` without one or for generated sources.
fn parse(language: &Format, source: &str) -> Option<Vec<Part>> {
    if source.len() > MAX_PARSED_BYTES {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&languages::grammar(language.name)?).ok()?;
    let tree = parser.parse(source, None)?;
    let mut cutter = Cutter { source, parts: Vec::new(), last: None };
    let mut cursor = tree.walk();
    for node in tree.root_node().children(&mut cursor) {
        cutter.add(node);
    }
    Some(cutter.finish())
}

/// Puts the top-level nodes of a syntax tree together.
struct Cutter<'a> {
    source: &'a str,
    parts: Vec<Part>,
    last: Option<Top>,
}

/// What matters of a top-level node for the one after it.
#[derive(Debug, Clone, Copy)]
struct Top {
    end_row: usize,
    /// A comment or attribute: belongs to what follows.
    leads: bool,
    one_line: bool,
}

impl Cutter<'_> {
    fn add(&mut self, node: Node<'_>) {
        let (start, end) = (node.start_position(), node.end_position());
        // Some comments end at the start of the line below them.
        let end_row = if end.column == 0 { end.row.saturating_sub(1).max(start.row) } else { end.row };
        let kind = node.kind();
        let leads = kind.contains("comment") || kind.contains("attribute") || kind == "decorator";
        let top = Top { end_row, leads, one_line: end_row == start.row };
        let joins = self.last.is_some_and(|last| {
            let adjacent = start.row <= last.end_row + 1;
            let same_line = start.row <= last.end_row;
            same_line || (adjacent && (last.leads || (last.one_line && top.one_line && !leads)))
        });
        if !joins {
            self.parts.push(Part { span: line_start(self.source, node.start_byte())..0, definition: None });
        }
        if let Some(part) = self.parts.last_mut()
            && part.definition.is_none()
            && !leads
            && !top.one_line
        {
            part.definition = definition_line(&self.source[node.byte_range()]);
        }
        self.last = Some(top);
    }

    /// Each part ends where the next one starts: whatever lies between belongs to it.
    fn finish(mut self) -> Vec<Part> {
        let mut end = self.source.len();
        for part in self.parts.iter_mut().rev() {
            part.span.end = end;
            end = part.span.start;
        }
        if let Some(first) = self.parts.first_mut() {
            first.span.start = 0;
        }
        self.parts
    }
}

/// The line that names a definition: without attributes, decorators and the opening brace.
fn definition_line(source: &str) -> Option<String> {
    let line = source.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(['@', '#']))?;
    let line = line.trim_end_matches(['{', ' ', ':']);
    Some(line[..floor_boundary(line, MAX_DEFINITION_BYTES)].to_owned()).filter(|line| !line.is_empty())
}

fn line_start(source: &str, at: usize) -> usize {
    source[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Parts that start at a line without indentation below a blank one.
fn cut_at_blank_lines(source: &str) -> Vec<Part> {
    let mut starts = vec![0];
    let (mut at, mut after_blank) = (0, false);
    for line in source.split_inclusive('\n') {
        let closes = line.starts_with(['}', ')', ']']);
        if after_blank && !line.starts_with(char::is_whitespace) && !closes {
            starts.push(at);
        }
        after_blank = line.trim().is_empty();
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([source.len()]);
    starts.iter().zip(ends).map(|(&start, end)| Part { span: start..end, definition: None }).collect()
}

/// Bytes above which a part without a grammar is cut further: configuration often has no blank lines.
const LONG_PART: usize = 2000;

/// Bytes that a cut part has at least.
const SHORT_PART: usize = 500;

/// Cuts long parts at lines without indentation, such as the keys of YAML, and names each part by its first such line.
fn cut_at_entries(source: &str, parts: Vec<Part>) -> Vec<Part> {
    let mut cut = Vec::new();
    for part in parts {
        if part.span.len() <= LONG_PART {
            cut.push(part);
            continue;
        }
        let mut start = part.span.start;
        let mut at = start;
        for line in source[part.span.clone()].split_inclusive('\n') {
            let entry = !line.starts_with([' ', '\t', '}', ')', ']', '-']);
            if entry && at - start >= SHORT_PART {
                cut.push(Part { span: start..at, definition: None });
                start = at;
            }
            at += line.len();
        }
        cut.push(Part { span: start..part.span.end, definition: None });
    }
    for part in &mut cut {
        part.definition = entry_name(&source[part.span.clone()]);
    }
    cut
}

/// The key or section that a piece of configuration opens with: `[server]`, `services:`.
fn entry_name(source: &str) -> Option<String> {
    let line = source.lines().map(str::trim_end).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let section = line.starts_with('[') && line.ends_with(']');
    let key = line.ends_with(':') && !line.starts_with(char::is_whitespace);
    (section || key).then(|| line.trim_end_matches(':').to_owned()).filter(|name| name.len() <= MAX_DEFINITION_BYTES)
}

/// Without blank lines around it and white space at its end; the first line keeps its indentation.
fn trim_span(source: &str, span: Range<usize>) -> Range<usize> {
    let text = &source[span.clone()];
    let end = span.start + text.trim_end().len();
    let first = end - source[span.start..end].trim_start().len();
    let start = source[span.start..first].rfind('\n').map_or(span.start, |newline| span.start + newline + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;
    use crate::block::assert_invariants;

    fn parts(path: &str, source: &str) -> Vec<(String, Option<String>)> {
        let document = read(&Input::new(Path::new(path), source.as_bytes(), &ExtractLimits::default())).unwrap();
        assert_invariants(&document);
        let part = |block: &Block| match &block.kind {
            BlockKind::Code { definition, .. } => (document.text[block.span.clone()].to_owned(), definition.clone()),
            _ => (document.text[block.span.clone()].to_owned(), None),
        };
        document.blocks.iter().map(part).collect()
    }

    #[test]
    fn comments_and_attributes_stay_with_their_definition() {
        let source = "//! Header.\n\nuse a::b;\nuse c::d;\n\n/// Adds.\n#[inline]\npub fn add(a: u8) -> u8 {\n    a + 1\n}\nstruct S;\n\n\
                      impl S {\n    fn f() {}\n}\n";
        let parts = parts("a.rs", source);
        let texts: Vec<&str> = parts.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "//! Header.",
                "use a::b;\nuse c::d;",
                "/// Adds.\n#[inline]\npub fn add(a: u8) -> u8 {\n    a + 1\n}",
                "struct S;",
                "impl S {\n    fn f() {}\n}"
            ]
        );
        assert_eq!(parts[2].1.as_deref(), Some("pub fn add(a: u8) -> u8"));
        assert_eq!(parts[4].1.as_deref(), Some("impl S"));
    }

    #[test]
    fn decorators_do_not_name_a_definition() {
        let parts = parts(
            "a.py",
            "import os\n\n\n@app.route('/')\ndef index():\n    return 1\n\nclass A(B):\n    x = 1\n    y = 2\n",
        );
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[1].1.as_deref(), Some("def index()"));
        assert_eq!(parts[2].1.as_deref(), Some("class A(B)"));
    }

    #[test]
    fn without_a_grammar_blank_lines_cut() {
        let parts = parts("a.toml", "\n# first\n[a]\nx = 1\n\n  y = 2\n\n[b]\nz = 3\n");
        let texts: Vec<&str> = parts.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["# first\n[a]\nx = 1\n\n  y = 2", "[b]\nz = 3"]);
    }

    #[test]
    fn configuration_without_blank_lines_is_cut_at_its_keys() {
        let source: String = (0..100).map(|n| format!("service{n}:\n  image: a\n  ports:\n  - {n}\n")).collect();
        let parts = parts("a.yaml", &source);
        assert!(parts.len() > 4 && parts.iter().all(|(text, _)| text.len() < 700), "{}", parts.len());
        assert_eq!(parts[0].1.as_deref(), Some("service0"));
        assert!(parts.iter().all(|(text, name)| text.starts_with(name.as_deref().unwrap())));
    }

    #[test]
    fn further_grammars_tell_definitions() {
        let php = parts(
            "a.php",
            "<?php\n/** Adds. */\nfunction add($a) {\n    return $a;\n}\n\nclass B {\n    public $x;\n}\n",
        );
        assert!(
            php.iter().any(|(text, name)| text.starts_with("/** Adds") && name.as_deref() == Some("function add($a)"))
        );
        let ruby = parts("a.rb", "# Adds.\ndef add(a)\n  a + 1\nend\n\nclass B\n  x\nend\n");
        assert_eq!((ruby.len(), ruby[1].1.as_deref()), (2, Some("class B")));
        let shell = parts("run", "#!/bin/bash\nset -e\n\nbuild() {\n  make\n}\n");
        assert_eq!(shell.last().unwrap().1.as_deref(), Some("build()"));
        let csharp =
            parts("A.cs", "using System;\n\n/// <summary>x</summary>\npublic class A\n{\n    int F() => 1;\n}\n");
        assert_eq!(csharp.last().unwrap().1.as_deref(), Some("public class A"));
    }

    #[test]
    fn broken_code_is_still_covered() {
        let parts = parts("a.rs", "}}} fn (((\nlet x = \"open\n\nfn ok() {}\n");
        assert!(parts.iter().any(|(text, _)| text.contains("fn ok")));
    }

    #[test]
    fn lines_count_carriage_returns_once() {
        let document =
            read(&Input::new(Path::new("a.go"), b"package a\r\n\r\nfunc f() {\r\n}\r\n", &ExtractLimits::default()))
                .unwrap();
        assert_eq!(document.blocks[1].lines, 3..5);
        assert_eq!(document.title.as_deref(), Some("a.go"));
    }
}
