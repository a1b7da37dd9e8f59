//! Rules for source code: a function's comment and the function without it, or its name in words and the function.

use std::ops::Range;

use extract::grammar;
use indexer::ReadDocument;
use tree_sitter::{Node, Parser};

use super::{Draft, Rule, words};

/// Larger sources are generated ones.
const MAX_BYTES: usize = 1 << 20;

/// Words of the longest body that is kept whole; a longer one is cut behind a line.
const BODY: usize = 180;

/// Nodes that define something with a body.
const DEFINITIONS: &[&str] = &[
    "function_item",
    "function_definition",
    "function_declaration",
    "method_definition",
    "method_declaration",
    "method",
    "singleton_method",
    "generator_function_declaration",
    "constructor_declaration",
    "class_definition",
    "class_declaration",
    "struct_item",
    "enum_item",
    "trait_item",
    "interface_declaration",
    "record_declaration",
];

/// Nodes around a definition that its comment stands above.
const WRAPPERS: &[&str] =
    &["export_statement", "decorated_definition", "template_declaration", "declaration_list_item"];

/// What the line that ends the summary of a comment begins with.
const MARKS: &[&str] = &[
    "# ", "## ", ">>>", ":param", ":return", ":rtype", ":raise", "@", "\\param", "\\return", "```", ".. ", "---", "===",
];

/// Lines that do, alone or with a colon.
const SECTIONS: &[&str] = &[
    "args",
    "arguments",
    "parameters",
    "params",
    "return",
    "returns",
    "raises",
    "yields",
    "example",
    "examples",
    "note",
    "notes",
    "see also",
    "attributes",
    "usage",
    "warning",
    "warnings",
    "references",
];

/// Names that tests, accessors and the language itself give.
const COMMON_NAMES: &[&str] =
    &["test", "tests", "main", "init", "setup", "teardown", "new", "get", "set", "run", "default"];

/// A definition in a source.
struct Definition {
    name: String,
    /// Without its comment.
    body: String,
    /// The text of its comment; empty if there is none.
    comment: String,
}

pub(super) fn docstrings(document: &ReadDocument) -> Vec<Draft> {
    let drafts = definitions(document).into_iter().filter_map(|definition| {
        let query = summary(&definition.comment)?;
        // A name alone ("Foo.") or a mark of a tool explains nothing.
        let same = words::plain(&query) == words::plain(&in_words(&definition.name));
        (!same).then_some(Draft { query, response: definition.body, rule: Rule::Docstring, context: None })
    });
    drafts.collect()
}

pub(super) fn names(document: &ReadDocument) -> Vec<Draft> {
    // The names of tests are sentences about something else.
    if document.path.to_lowercase().contains("test") {
        return Vec::new();
    }
    let drafts = definitions(document).into_iter().filter_map(|definition| {
        let query = in_words(&definition.name);
        let first = query.split(' ').next().unwrap_or_default();
        let telling = words::count(&query) >= 3 && !COMMON_NAMES.contains(&first) && definition.comment.is_empty();
        telling.then_some(Draft { query, response: definition.body, rule: Rule::Name, context: None })
    });
    drafts.collect()
}

fn definitions(document: &ReadDocument) -> Vec<Definition> {
    let text = &document.text;
    let Some(grammar) = grammar(&text.kind).filter(|_| text.text.len() <= MAX_BYTES) else { return Vec::new() };
    let mut parser = Parser::new();
    let parsed = parser.set_language(&grammar).ok().and_then(|()| parser.parse(&text.text, None));
    let Some(tree) = parsed else { return Vec::new() };
    let mut found = Vec::new();
    let mut cursor = tree.walk();
    // By hand: sources nest deeper than a stack does.
    loop {
        let node = cursor.node();
        if DEFINITIONS.contains(&node.kind()) {
            found.extend(definition(node, &text.text));
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return found;
            }
        }
    }
}

fn definition(node: Node<'_>, source: &str) -> Option<Definition> {
    let name = name(node, source)?;
    let own = docstring(node, source);
    let outer = outermost(node);
    let span = line_start(source, outer.start_byte())..outer.end_byte();
    let comment = match &own {
        Some((_, comment)) => comment.clone(),
        None => comment_above(outer, source),
    };
    let body = match own {
        Some((inside, _)) => {
            format!("{}{}", source[span.start..inside.start].trim_end(), &source[inside.end..span.end])
        }
        None => source[span].to_owned(),
    };
    let body = dedent(&body);
    // A declaration without statements answers nothing.
    (body.lines().filter(|line| !line.trim().is_empty()).count() >= 2).then(|| Definition {
        name,
        body: clip_lines(&body),
        comment,
    })
}

fn outermost(node: Node<'_>) -> Node<'_> {
    let mut outer = node;
    while let Some(parent) = outer.parent().filter(|parent| WRAPPERS.contains(&parent.kind())) {
        outer = parent;
    }
    outer
}

fn name(node: Node<'_>, source: &str) -> Option<String> {
    let mut at = node.child_by_field_name("name").or_else(|| node.child_by_field_name("declarator"))?;
    // C wraps the name: pointer, function, qualified.
    while let Some(inner) = at.child_by_field_name("declarator").or_else(|| at.child_by_field_name("name")) {
        at = inner;
    }
    let name = &source[at.byte_range()];
    (name.len() <= 100).then(|| name.to_owned())
}

/// The string that opens a Python body: its bytes, and its text.
fn docstring(node: Node<'_>, source: &str) -> Option<(Range<usize>, String)> {
    let body = node.child_by_field_name("body").filter(|body| body.kind() == "block")?;
    let first = body.named_child(0).filter(|first| first.kind() == "expression_statement")?;
    let string = first.named_child(0).filter(|string| string.kind() == "string")?;
    let text = source[string.byte_range()].trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let text = text.trim_matches(['"', '\'']);
    Some((first.byte_range(), text.to_owned()))
}

/// The comments right above a node, without their marks.
fn comment_above(node: Node<'_>, source: &str) -> String {
    let mut parts = Vec::new();
    let mut below = node;
    while let Some(above) = below.prev_sibling() {
        let is_comment = above.kind().contains("comment");
        let passes = is_comment
            || above.kind().contains("attribute")
            || above.kind() == "decorator"
            || above.kind() == "modifiers";
        let end = above.end_position();
        let end_row = if end.column == 0 { end.row.saturating_sub(1) } else { end.row };
        // A comment behind a statement belongs to that.
        let trails = above.prev_sibling().is_some_and(|before| {
            before.end_position().row == above.start_position().row
                && before.end_position().column > 0
                && !before.kind().contains("comment")
        });
        if !passes || end_row + 1 < below.start_position().row || trails {
            break;
        }
        if is_comment {
            parts.push(&source[above.byte_range()]);
        }
        below = above;
    }
    parts.reverse();
    let lines = parts.iter().flat_map(|part| part.lines()).map(unmarked);
    lines.collect::<Vec<_>>().join("\n")
}

/// A line of a comment without what makes it one.
fn unmarked(line: &str) -> &str {
    let line = line.trim().trim_end_matches("*/").trim_end_matches("-->");
    let line = ["///", "//!", "//", "/**", "/*!", "/*", "#:", "#"]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
        .unwrap_or(line);
    let line = line.trim_start();
    line.strip_prefix("* ")
        .or_else(|| line.strip_prefix('*').filter(|rest| !rest.starts_with('*')))
        .unwrap_or(line)
        .trim()
}

/// The first sentence of a comment, if it explains something.
fn summary(comment: &str) -> Option<String> {
    let begins = |line: &&str| {
        let low = line.to_lowercase();
        let label = low.split(':').next().unwrap_or_default();
        let is_label = low == label || low.contains(':');
        MARKS.iter().any(|mark| low.starts_with(mark)) || (is_label && SECTIONS.contains(&label.trim()))
    };
    let lines = comment.lines().map(str::trim).skip_while(|line| line.is_empty());
    let opening: Vec<&str> = lines.take_while(|line| !line.is_empty() && !begins(line)).collect();
    let text = without_markup(&opening.join(" "));
    let sentence = words::first_sentence(&text);
    let is_remark = [
        "todo",
        "fixme",
        "noqa",
        "eslint",
        "type:",
        "pylint",
        "clang-format",
        "copyright",
        "{{{",
        "nolint",
        "safety",
        "deprecated",
        "inheritdoc",
        "{@inheritdoc",
    ]
    .iter()
    .any(|mark| sentence.to_lowercase().starts_with(mark));
    let is_words = sentence.chars().filter(|c| c.is_alphabetic() || c.is_whitespace()).count() * 10
        >= sentence.chars().count() * 7;
    (!is_remark && is_words && words::count(&sentence) >= 3).then_some(sentence)
}

/// Without tags, `{@link X}` and backquotes.
fn without_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_tag = false;
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        match c {
            '<' if next.is_some_and(|next| next.is_ascii_alphabetic() || next == '/') && text[at..].contains('>') => {
                in_tag = true
            }
            '>' if in_tag => in_tag = false,
            '`' | '{' | '}' => {}
            _ if in_tag => {}
            _ => out.push(c),
        }
    }
    for mark in ["@link ", "@code ", "@linkplain ", ":func:", ":class:", ":meth:", ":mod:", ":attr:", ":obj:"] {
        out = out.replace(mark, "");
    }
    words::one_line(&out)
}

/// `parseHttpHeader_v2` is "parse http header v2".
fn in_words(name: &str) -> String {
    let mut out = String::new();
    let characters: Vec<char> = name.chars().collect();
    for (at, c) in characters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| characters[before]);
        let turns = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || characters.get(at + 1).is_some_and(|next| next.is_lowercase())
            });
        if !c.is_alphanumeric() {
            out.push(' ');
            continue;
        }
        if turns {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    words::one_line(&out)
}

fn line_start(source: &str, at: usize) -> usize {
    let start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    // Something else before it on its line is not its indentation.
    if source[start..at].trim().is_empty() { start } else { at }
}

fn dedent(text: &str) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let margin = lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let kept = text.lines().map(|line| line.get(margin..).unwrap_or_default().trim_end());
    kept.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn clip_lines(text: &str) -> String {
    let (mut end, mut total) = (0, 0);
    for line in text.split_inclusive('\n') {
        total += words::count(line);
        if total > BODY && end > 0 {
            break;
        }
        end += line.len();
    }
    words::clip(text[..end].trim_end(), BODY * 2).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(in_words("parseHttpHeader_v2"), "parse http header v2");
        assert_eq!(in_words("HTTPServerError"), "http server error");
        assert_eq!(in_words("__len__"), "len");
    }

    #[test]
    fn a_summary_is_the_first_sentence_without_markup() {
        assert_eq!(summary("Reads a {@link File} whole. And more.").unwrap(), "Reads a File whole");
        assert_eq!(
            summary("\nMoves <b>all</b> rows\nto the archive.\n\nArgs:\n  x: y").unwrap(),
            "Moves all rows to the archive"
        );
        assert_eq!(summary("@param x the value of x"), None);
        assert_eq!(summary("TODO: write this better"), None);
        assert_eq!(summary("--------"), None);
    }
}
