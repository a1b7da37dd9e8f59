//! Claims: the lines that a writer writes, each a sentence with the passages that it goes by, as plain text.
//!
//! The form asked for is `[1] "words of passage 1" => sentence`; models that only put `[1]` behind their sentences are
//! understood, too. Marks (emphasis, links, pictures, HTML) and what cannot be seen are taken off.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::quote::visible;

/// Most characters of a sentence.
const LONGEST: usize = 700;
/// Most characters of a line; a writer that writes on without an end is cut there.
const LINE: usize = 4_000;
/// What stands between what is quoted and what is said.
const ARROWS: [&str; 4] = ["=>", "→", "⇒", "->"];
/// What a writer writes that finds no answer.
const NOTHING: &str = "NONE";

/// A sentence, and what it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The sentence, as plain text.
    pub(crate) text: String,
    /// What it cites.
    pub(crate) cited: Vec<Cited>,
}

/// A passage that is cited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cited {
    /// Its number, from 1.
    pub(crate) passage: usize,
    /// What is quoted of it, as the writer has it.
    pub(crate) quote: Option<String>,
}

impl Claim {
    pub(crate) fn is_too_long(&self) -> bool {
        self.text.chars().count() > LONGEST
    }
}

/// What a line of a writer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A sentence.
    Claim(Claim),
    /// The passages do not answer.
    Nothing,
}

/// Takes apart what a writer writes, as it comes.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    line: String,
    /// Whether the writer thinks aloud: that is no part of the answer.
    is_thought: bool,
}

impl Claims {
    /// The lines that are whole with this part.
    pub(crate) fn take(&mut self, part: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        for character in part.chars() {
            if character == '\n' || self.line.len() >= LINE {
                lines.extend(self.line_end());
            }
            if character != '\n' {
                self.line.push(character);
            }
            self.skip_thoughts();
        }
        lines
    }

    /// The last line.
    pub(crate) fn end(mut self) -> Vec<Line> {
        self.line_end()
    }

    fn skip_thoughts(&mut self) {
        if self.is_thought {
            if let Some(at) = self.line.find("</think>") {
                self.line.drain(..at + "</think>".len());
                self.is_thought = false;
            }
        } else if let Some(at) = self.line.find("<think>") {
            self.line.truncate(at);
            self.is_thought = true;
        }
    }

    fn line_end(&mut self) -> Vec<Line> {
        let line = std::mem::take(&mut self.line);
        if self.is_thought { Vec::new() } else { lines(&line) }
    }
}

/// What a line says.
fn lines(line: &str) -> Vec<Line> {
    let line = without_marker(&visible(line));
    if line.trim_matches(|c: char| !c.is_alphanumeric()) == NOTHING {
        return vec![Line::Nothing];
    }
    let (before, rest) = evidence(&line);
    let claims = if before.is_empty() { cited_behind(rest) } else { vec![with_evidence(before, rest)] };
    claims.into_iter().filter(|claim| claim.text.chars().any(char::is_alphanumeric)).map(Line::Claim).collect()
}

/// A line without the sign or number of a list.
fn without_marker(line: &str) -> String {
    let line = line.trim();
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let numbered = line[digits..].strip_prefix(['.', ')']).filter(|_| (1..=2).contains(&digits));
    let marked = line.strip_prefix(['-', '*', '•', '·']);
    let rest = numbered.or(marked).filter(|rest| rest.starts_with(char::is_whitespace));
    rest.unwrap_or(line).trim_start().to_owned()
}

/// What is quoted at the beginning of a line, and the sentence behind the arrow.
fn evidence(line: &str) -> (Vec<Cited>, &str) {
    let Some((at, arrow)) = arrow_behind_quotes(line) else { return (Vec::new(), line) };
    let mut cited: Vec<Cited> = Vec::new();
    let mut rest = &line[..at];
    while let Some((passages, after)) = marker(rest) {
        let end = next_marker(after);
        let quote = unquoted(&after[..end]);
        cited.extend(passages.into_iter().map(|passage| Cited { passage, quote: quote.clone() }));
        rest = &after[end..];
    }
    (cited, &line[at + arrow.len()..])
}

/// The first arrow that stands behind a quote or a number in brackets, in a line that begins with one.
fn arrow_behind_quotes(line: &str) -> Option<(usize, &'static str)> {
    marker(line)?;
    let arrows = ARROWS.into_iter().flat_map(|arrow| line.match_indices(arrow).map(move |(at, _)| (at, arrow)));
    let is_behind =
        |(at, _): &(usize, &str)| line[..*at].trim_end().ends_with(['"', '”', '»', '」', '“', '\'', ']', '】']);
    arrows.filter(is_behind).min_by_key(|(at, _)| *at)
}

/// Numbers in brackets at the beginning of a text, and what follows.
fn marker(text: &str) -> Option<(Vec<usize>, &str)> {
    let inner = text.trim_start().strip_prefix(['[', '【'])?;
    let end = inner.find([']', '】'])?;
    let numbers: Option<Vec<usize>> = inner[..end]
        .split([',', ';', ' '])
        .map(|number| number.trim().trim_start_matches("passage"))
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().ok())
        .collect();
    let rest = &inner[end..];
    let after = rest.chars().next().map_or(rest, |bracket| &rest[bracket.len_utf8()..]);
    numbers.filter(|numbers| !numbers.is_empty()).map(|numbers| (numbers, after))
}

/// Where the next numbers in brackets behind a quote begin, or the end.
fn next_marker(text: &str) -> usize {
    let begins = |(at, _): &(usize, &str)| {
        let before = text[..*at].trim_end();
        let is_behind = before.is_empty() || before.ends_with(['"', '”', '»', '」', '“', ',', ';']);
        is_behind && marker(&text[*at..]).is_some()
    };
    text.match_indices(['[', '【']).find(begins).map_or(text.len(), |(at, _)| at)
}

/// A quote without its marks; `None` where nothing is quoted.
fn unquoted(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches([',', ';']).trim_end();
    let text = text.trim_start_matches(':').trim_start();
    let inner = text.trim_matches(['"', '“', '”', '„', '«', '»', '「', '」']).trim();
    (!inner.is_empty()).then(|| inner.to_owned())
}

fn with_evidence(mut cited: Vec<Cited>, sentence: &str) -> Claim {
    let (text, more) = without_citations(sentence);
    let is_new = |passage: &usize| cited.iter().all(|known| known.passage != *passage);
    let new: Vec<Cited> = more.into_iter().filter(is_new).map(|passage| Cited { passage, quote: None }).collect();
    cited.extend(new);
    Claim { text: plain(&text), cited }
}

/// Sentences with their numbers behind them: each ends with its numbers.
fn cited_behind(line: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(next) = line[at..].find(['[', '【']).map(|next| at + next) {
        let Some((_, after)) = marker(&line[next..]) else {
            at = next + line[next..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        at = line.len() - after.len();
        // Further numbers, and the stop behind them, belong to the same sentence.
        let rest = after.trim_start();
        if marker(rest).is_some() {
            continue;
        }
        let is_end = rest.is_empty()
            || rest.starts_with(['.', '。', '!', '?'])
            || after.starts_with(' ') && rest.starts_with(char::is_uppercase);
        if is_end {
            let stop = rest.len() - rest.trim_start_matches(['.', '。', '!', '?']).len();
            let end = line.len() - rest.len() + stop;
            claims.push(with_evidence(Vec::new(), &line[start..end]));
            (start, at) = (end, end);
        }
    }
    if !line[start..].trim().is_empty() {
        claims.push(with_evidence(Vec::new(), &line[start..]));
    }
    claims
}

/// A sentence without numbers in brackets, and the numbers.
fn without_citations(sentence: &str) -> (String, Vec<usize>) {
    let (mut text, mut numbers) = (String::new(), Vec::new());
    let mut rest = sentence;
    while let Some(at) = rest.find(['[', '【']) {
        match marker(&rest[at..]) {
            Some((found, after)) => {
                text += rest[..at].trim_end();
                numbers.extend(found);
                rest = after;
            }
            None => {
                let end = at + rest[at..].chars().next().map_or(1, char::len_utf8);
                text += &rest[..end];
                rest = &rest[end..];
            }
        }
    }
    (text + rest, numbers)
}

/// What is left of Markdown and HTML when nothing is marked, linked or shown.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut pictures = 0;
    for event in Parser::new(text.trim()) {
        match event {
            Event::Start(Tag::Image { .. }) => pictures += 1,
            Event::End(TagEnd::Image) => pictures -= 1,
            Event::Text(text) | Event::Code(text) if pictures == 0 => out += &text,
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A passage's number and what is quoted of it.
    type Quoted = (usize, Option<String>);

    fn claims(text: &str) -> Vec<(String, Vec<Quoted>)> {
        let mut taken = Claims::default();
        // Character by character, as it may come.
        let mut found: Vec<Line> = text.chars().flat_map(|c| taken.take(&c.to_string())).collect();
        found.extend(taken.end());
        let claim = |line| match line {
            Line::Claim(Claim { text, cited }) => (text, cited.into_iter().map(|it| (it.passage, it.quote)).collect()),
            Line::Nothing => ("NOTHING".to_owned(), vec![]),
        };
        found.into_iter().map(claim).collect()
    }

    fn quoted(passage: usize, quote: &str) -> Quoted {
        (passage, Some(quote.to_owned()))
    }

    #[test]
    fn the_form_asked_for_is_read() {
        let text = "[1] \"27 working days\" => Staff have 27 days.\n[2] \"a\", [3] \"b => c\" => Both.\n";
        let expected = [
            ("Staff have 27 days.".to_owned(), vec![quoted(1, "27 working days")]),
            ("Both.".to_owned(), vec![quoted(2, "a"), quoted(3, "b => c")]),
        ];
        assert_eq!(claims(text), expected);
        assert_eq!(
            claims("- [1] “年假27天” → 员工有27天年假。")[0],
            ("员工有27天年假。".to_owned(), vec![quoted(1, "年假27天")])
        );
        let several = claims("[1][4] \"x y\" => Z.");
        assert_eq!(several[0].1, [(1, None), quoted(4, "x y")]);
    }

    #[test]
    fn numbers_behind_sentences_are_read_too() {
        let found = claims("Staff have 27 days [1]. They ask in Nest [2, 3]. And more.");
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["Staff have 27 days.", "They ask in Nest.", "And more."]);
        assert_eq!(found[0].1, [(1, None)]);
        assert_eq!(found[1].1, [(2, None), (3, None)]);
        assert!(found[2].1.is_empty());
        assert_eq!(claims("An array such as [i] is one.")[0].0, "An array such as [i] is one.");
    }

    #[test]
    fn nothing_and_thoughts_are_no_claims() {
        assert_eq!(claims("NONE.")[0].0, "NOTHING");
        assert_eq!(claims("<think>\nWell, [1] \"a\" => b\n</think>\n\nNONE").len(), 1);
        assert!(claims("<think> without end\n[1] \"a\" => b").is_empty());
        assert!(claims("\n\n---\n***\n").is_empty());
    }

    #[test]
    fn nothing_is_marked_linked_or_shown() {
        for (line, text) in [
            ("See **[the page](https://evil.example/?q=1)** [1]", "See the page"),
            ("![x](https://evil.example/a.png) Fine [1]", "Fine"),
            ("A <img src=x onerror=alert(1)> word [1]", "A word"),
            ("hid\u{200b}den \u{202e}text\u{202c} [1]", "hidden text"),
            ("Use `quarry index` [1].", "Use quarry index."),
        ] {
            assert_eq!(claims(line)[0].0, text, "{line}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut claims = Claims::default();
        let lines: usize = (0..10).map(|_| claims.take(&"word ".repeat(500)).len()).sum();
        assert!(lines >= 5 && claims.line.len() <= LINE);
    }
}
