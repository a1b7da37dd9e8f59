//! What Obsidian adds to Markdown, taken back before the parser sees it: marks (`==word==`), comments (`%%..%%`), names of
//! blocks (`^id` at the end of a line) and kinds of callouts (`> [!tip]- Title`). They say nothing that a reader of the
//! page sees. Lines stay where they are; code and formulas are never touched.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Kinds of callouts that GitHub has too: the parser knows them where they stand alone.
const OF_GITHUB: &[&str] = &["note", "tip", "important", "warning", "caution"];

/// Fewest letters of the name of a block: shorter ones are exponents.
const SHORTEST_NAME: usize = 3;

/// The same page in plain Markdown.
pub(super) fn without_additions(source: &str, options: Options) -> Cow<'_, str> {
    if !["==", "%%", "^", "[!"].iter().any(|sign| source.contains(sign)) {
        return Cow::Borrowed(source);
    }
    let verbatim = verbatim(source, options);
    let mut cuts = comments(source, &verbatim);
    marks(source, &verbatim, &mut cuts);
    lines(source, &verbatim, &mut cuts);
    applied(source, cuts)
}

/// What goes, and what stands in its place.
struct Cut {
    span: Range<usize>,
    instead: String,
}

/// Parts of the source that mean what they are, in order.
fn verbatim(source: &str, options: Options) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (event, span) in Parser::new_ext(source, options).into_offset_iter() {
        let is_verbatim = match event {
            Event::Code(_) | Event::InlineMath(_) | Event::DisplayMath(_) | Event::Html(_) | Event::InlineHtml(_) => {
                true
            }
            Event::Start(Tag::CodeBlock(_) | Tag::MetadataBlock(_)) => true,
            Event::End(TagEnd::CodeBlock | TagEnd::MetadataBlock(_)) => false,
            _ => false,
        };
        if is_verbatim && spans.last().is_none_or(|last| span.start >= last.end) {
            spans.push(span);
        }
    }
    spans
}

fn is_within(spans: &[Range<usize>], at: usize) -> bool {
    let next = spans.partition_point(|span| span.end <= at);
    spans.get(next).is_some_and(|span| span.start <= at)
}

/// Places of a sign of two equal characters, where it is no longer run of them.
fn signs<'s>(source: &'s str, sign: &'s str, verbatim: &'s [Range<usize>]) -> impl Iterator<Item = usize> + 's {
    let single = &sign[..1];
    source.match_indices(sign).map(|(at, _)| at).filter(move |&at| {
        let is_run = source[..at].ends_with(single) || source[at + 2..].starts_with(single);
        !is_run && !is_within(verbatim, at)
    })
}

/// Comments within a paragraph, and those whose signs stand at the edges of lines.
fn comments(source: &str, verbatim: &[Range<usize>]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let mut open: Option<usize> = None;
    for at in signs(source, "%%", verbatim) {
        let before = source[..at].chars().next_back();
        let Some(start) = open else {
            // `100%%` is a number.
            open = Some(at).filter(|_| !before.is_some_and(|before| before.is_ascii_alphanumeric()));
            continue;
        };
        let between = &source[start + 2..at];
        let ends_line = source[at + 2..].chars().next().is_none_or(|next| matches!(next, '\n' | '\r'));
        let starts_line = source[..start].chars().next_back().is_none_or(|before| before == '\n');
        if !between.contains("\n\n") || (starts_line && ends_line) {
            cuts.push(Cut { span: start..at + 2, instead: "\n".repeat(between.matches('\n').count()) });
            open = None;
        } else {
            open = Some(at);
        }
    }
    cuts
}

/// `==word==`: the signs go, the word stays.
fn marks(source: &str, verbatim: &[Range<usize>], cuts: &mut Vec<Cut>) {
    let comments: Vec<Range<usize>> = cuts.iter().map(|cut| cut.span.clone()).collect();
    let mut open: Option<usize> = None;
    for at in signs(source, "==", verbatim).filter(|&at| !is_within(&comments, at)) {
        let (before, after) = (source[..at].chars().next_back(), source[at + 2..].chars().next());
        let is_word = |beside: Option<char>| beside.is_some_and(|beside| beside.is_ascii_alphanumeric());
        let is_blank = |beside: Option<char>| beside.is_none_or(char::is_whitespace);
        let closes = open.filter(|&start| !is_blank(before) && !is_word(after) && !source[start..at].contains("\n\n"));
        if let Some(start) = closes {
            cuts.extend([start, at].map(|at| Cut { span: at..at + 2, instead: String::new() }));
            open = None;
        } else if !is_blank(after) && !is_word(before) {
            // `a == b` compares, and so does `a==b`.
            open = Some(at);
        }
    }
}

/// Kinds of callouts at the start of lines, and names of blocks at their end.
fn lines(source: &str, verbatim: &[Range<usize>], cuts: &mut Vec<Cut>) {
    let taken: Vec<Range<usize>> = {
        let mut taken: Vec<Range<usize>> = cuts.iter().map(|cut| cut.span.clone()).collect();
        taken.sort_by_key(|span| span.start);
        taken
    };
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let cut = callout(line).or_else(|| name(line).map(|span| Cut { span, instead: String::new() }));
        if let Some(Cut { span, instead }) = cut {
            let span = start + span.start..start + span.end;
            if !is_within(verbatim, span.start) && !is_within(&taken, span.start) {
                cuts.push(Cut { span, instead });
            }
        }
        start += line.len();
    }
}

/// `[!faq]- ` of `> [!faq]- Are callouts foldable?`; one without a title is called by its kind.
fn callout(line: &str) -> Option<Cut> {
    let quoted = line.trim_start_matches([' ', '>', '\t']);
    let start = line.len() - quoted.len();
    let (kind, rest) = quoted.strip_prefix("[!").filter(|_| line[..start].contains('>'))?.split_once(']')?;
    let kind = kind.split('|').next().unwrap_or_default();
    if kind.is_empty() || !kind.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' ')) {
        return None;
    }
    let title = rest.trim_start_matches(['+', '-']).trim_start_matches([' ', '\t']);
    let length = quoted.len() - title.len();
    if !title.trim().is_empty() {
        return Some(Cut { span: start..start + length, instead: String::new() });
    }
    let is_bare = quoted.trim_end().ends_with(']') && OF_GITHUB.contains(&kind.to_lowercase().as_str());
    let mut letters = kind.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let instead = format!("{capital}{}", letters.as_str());
    (!is_bare).then(|| Cut { span: start..start + quoted.trim_end().len(), instead })
}

/// ` ^id` at the end of a line, or alone on it.
fn name(line: &str) -> Option<Range<usize>> {
    let text = line.trim_end();
    let at = text.rfind('^')?;
    let id = &text[at + 1..];
    let is_name = id.len() >= SHORTEST_NAME
        && id.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-')
        && id.bytes().any(|letter| letter.is_ascii_alphabetic());
    let before = text[..at].trim_end();
    let stands_apart = before.len() < at || at == 0;
    (is_name && stands_apart).then_some(before.len()..text.len())
}

fn applied(source: &str, mut cuts: Vec<Cut>) -> Cow<'_, str> {
    if cuts.is_empty() {
        return Cow::Borrowed(source);
    }
    cuts.sort_by_key(|cut| cut.span.start);
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    for Cut { span, instead } in cuts.into_iter() {
        if span.start < at {
            continue;
        }
        out.push_str(&source[at..span.start]);
        out.push_str(&instead);
        at = span.end;
    }
    out.push_str(&source[at..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::super::structure;
    use crate::block::{BlockKind, sound};

    fn text(source: &str) -> String {
        sound(structure(source)).text
    }

    #[test]
    fn marks_go_and_comparisons_stay() {
        assert_eq!(
            text("The ==main valve== and ==this **bold** one==, 这是==重点==内容.\n"),
            "The main valve and this bold one, 这是重点内容."
        );
        for same in ["use x==1 or y==2", "a == b and c == d", "foo==1.2, bar==2.0", "one ==open", "=== three ==="] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn comments_are_left_out_and_lines_stay() {
        let document = sound(structure("One %%hidden%% two\n\n%%\nsecret\n\nmore secrets\n%%\n\nThree\n"));
        assert_eq!(document.text, "One  two\n\nThree");
        assert_eq!(document.blocks[1].lines, 9..10);
        for same in ["100%% of it and 50%% of that", "an open %%sign", "a %% b\n\nc %% d"] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn names_of_blocks_are_left_out() {
        assert_eq!(
            text("Close the valve. ^valve-7\n\n- one ^a1b2c3\n- two\n\n> said\n\n^quote-1\n"),
            "Close the valve.\n\n- one\n- two\n\nsaid"
        );
        for same in ["e ^x", "10 ^2", "a^block", "see ^Café here"] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn callouts_keep_their_title() {
        let document = sound(structure(
            "> [!warning]- Beware of pressure\n> Never restart.\n\n> [!faq]\n> Why?\n\n> [!NOTE]\n> Mind this.\n",
        ));
        assert_eq!(document.text, "Beware of pressure\nNever restart.\n\nFaq\nWhy?\n\nMind this.");
        assert!(document.blocks.iter().all(|block| block.kind == BlockKind::Quote));
        assert_eq!(text("[!info] is how a callout begins\n"), "[!info] is how a callout begins");
    }

    #[test]
    fn code_is_never_touched() {
        let source = "`==a==` and `%%b%%`\n\n```\n%%timeit\nx ==y== ^block-id\n> [!tip] T\n%%\n```\n\n    ==indented== ^some-id\n";
        assert_eq!(
            text(source),
            "==a== and %%b%%\n\n%%timeit\nx ==y== ^block-id\n> [!tip] T\n%%\n\n==indented== ^some-id"
        );
    }
}
