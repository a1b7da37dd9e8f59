//! JSON, JSON Lines and their relatives (comments, trailing commas, bare keys) as an outline: `key: value` lines, one
//! block for each record, a heading for each named part of the outermost object. Read here, token by token: a parser
//! into values would refuse half of what is called JSON, lose the order of keys and recurse as deep as the text nests.

use crate::block::{BlockKind, LineIndex, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::{Format, Input, decode};

pub(crate) const FORMAT: &Format = Format::of("json");

/// Levels that are indented.
const MAX_INDENTATION: usize = 12;

/// Numbers in one list above which they are measurements or a vector, not words: their count is kept.
const MAX_NUMBERS: usize = 100;

/// Bytes of an outline at which the next inner part starts a block of its own.
const LONG: usize = 1500;

/// Whether text opens like a JSON object or list of objects or strings.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let mut opening = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).iter().filter(|b| !b.is_ascii_whitespace());
    match (opening.next(), opening.next()) {
        (Some(b'{'), Some(b'"')) => {
            let key: Vec<u8> = opening.take(200).copied().collect();
            key.windows(2).any(|pair| pair == b"\":")
        }
        (Some(b'['), Some(b'{')) => opening.next() == Some(&b'"'),
        _ => false,
    }
}

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, None);
    let mut outline = Outline::new(&decoded.text, shape(&decoded.text));
    for (token, at) in Tokens::new(&decoded.text) {
        outline.add(token, at);
    }
    let is_cut_off = !outline.frames.is_empty();
    // What is open where the text ends holds what was read so far.
    while !outline.frames.is_empty() {
        outline.close(decoded.text.len().saturating_sub(1));
    }
    outline.flush();
    let mut builder = outline.builder;
    builder.title = outline.title.or_else(|| Some(input.file_name()));
    builder.warnings = decoded.warnings;
    if is_cut_off {
        builder.warnings.push("it ends within a value that was begun: something may be missing behind it".to_owned());
    }
    Ok(builder.finish(FORMAT))
}

/// What the outermost values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One value: what it names are parts of a document.
    Single,
    /// JSON Lines: each value is a record.
    Records,
}

fn shape(source: &str) -> Shape {
    let mut lines = source.lines().map(str::trim).filter(|line| !line.is_empty());
    let whole = |line: Option<&str>| line.is_some_and(|line| line.starts_with('{') && line.ends_with('}'));
    if whole(lines.next()) && whole(lines.next()) { Shape::Records } else { Shape::Single }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open(Kind),
    Close,
    Colon,
    Comma,
    /// Text in quotes.
    Text(String),
    /// A number, `true`, `null`, a bare key.
    Word(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    List,
}

/// Tokens with the offset each starts at.
struct Tokens<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// The next byte that is neither white space nor in a comment.
    fn skip_blank(&mut self) -> Option<u8> {
        loop {
            let rest = &self.source[self.at..];
            self.at += rest.len() - rest.trim_start().len();
            let rest = &self.source[self.at..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            } else {
                return rest.bytes().next();
            }
        }
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut out = String::new();
        let mut rest = &self.source[self.at + 1..];
        while let Some(end) = rest.find([quote, '\\']) {
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            let Some(escape) = rest.strip_prefix('\\') else {
                self.at = self.source.len() - rest.len() + quote.len_utf8();
                return out;
            };
            rest = escaped(&mut out, escape);
        }
        out.push_str(rest);
        self.at = self.source.len();
        out
    }

    fn word(&mut self) -> String {
        let rest = &self.source[self.at..];
        let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ':' | ',' | '"');
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_owned()
    }
}

/// Writes what an escape stands for; what follows it.
fn escaped<'a>(out: &mut String, escape: &'a str) -> &'a str {
    let mut characters = escape.chars();
    match characters.next() {
        Some('u') => {
            let unit = |text: Option<&str>| text.and_then(|four| u16::from_str_radix(four, 16).ok());
            let Some(first) = unit(escape.get(1..5)) else { return characters.as_str() };
            let leads = (0xd800..0xdc00).contains(&first) && escape.get(5..7) == Some("\\u");
            let second = if leads { unit(escape.get(7..11)) } else { None };
            let units = std::iter::once(first).chain(second);
            out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
            return &escape[if second.is_some() { 11 } else { 5 }..];
        }
        Some('n' | 'r') => out.push('\n'),
        Some('t') => out.push('\t'),
        Some('b' | 'f') => out.push(' '),
        Some(other) => out.push(other),
        None => {}
    }
    characters.as_str()
}

impl Iterator for Tokens<'_> {
    type Item = (Token, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let byte = self.skip_blank()?;
        let start = self.at;
        let token = match byte {
            b'{' => Token::Open(Kind::Object),
            b'[' => Token::Open(Kind::List),
            b'}' | b']' => Token::Close,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return Some((Token::Text(self.quoted('"')), start)),
            b'\'' => return Some((Token::Text(self.quoted('\'')), start)),
            _ => return Some((Token::Word(self.word()), start)),
        };
        self.at += 1;
        Some((token, start))
    }
}

/// An open object or list.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    /// The key whose value comes next.
    key: Option<String>,
    /// Plain values of a list so far: they share a line.
    values: Vec<String>,
    /// Whether its name already stands in the outline.
    named: bool,
}

struct Outline {
    builder: TextBuilder,
    lines: LineIndex,
    title: Option<String>,
    shape: Shape,
    frames: Vec<Frame>,
    /// Lines of the current block, the offset they started at and the depth they started in.
    text: String,
    from: usize,
    base: usize,
    last: Option<Token>,
}

impl Outline {
    fn new(source: &str, shape: Shape) -> Self {
        Self {
            builder: TextBuilder::default(),
            lines: LineIndex::new(source),
            title: None,
            shape,
            frames: Vec::new(),
            text: String::new(),
            from: 0,
            base: 0,
            last: None,
        }
    }

    fn add(&mut self, token: Token, at: usize) {
        match &token {
            Token::Open(kind) => self.open(*kind, at),
            Token::Close => self.close(at),
            Token::Text(text) | Token::Word(text) => self.last_value(text.clone(), at, &token),
            Token::Colon => {
                // What came before the colon was a key, though it looked like a value.
                if let Some(frame) = self.frames.last_mut()
                    && frame.key.is_none()
                {
                    frame.key = frame.values.pop();
                }
            }
            Token::Comma => self.settle(at),
        }
        self.last = Some(token);
    }

    fn last_value(&mut self, value: String, at: usize, token: &Token) {
        let Some(frame) = self.frames.last_mut() else {
            // A value outside of everything: a line of JSON Lines.
            self.line(0, &value, at);
            return self.flush();
        };
        match frame.kind {
            Kind::List => frame.values.push(value),
            Kind::Object if frame.key.is_none() => frame.values.push(value),
            Kind::Object => {
                let key = frame.key.take().unwrap_or_default();
                let depth = self.frames.len();
                if depth == 1 && key == "title" && self.shape == Shape::Single && matches!(token, Token::Text(_)) {
                    self.title = Some(value.clone());
                }
                self.line(depth - 1, &format!("{key}: {value}"), at);
            }
        }
    }

    /// A key without a value is one all the same.
    fn settle(&mut self, at: usize) {
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut().filter(|frame| frame.kind == Kind::Object) else { return };
        let loose: Vec<String> = frame.key.take().into_iter().chain(frame.values.drain(..)).collect();
        for value in loose {
            self.line(depth - 1, &value, at);
        }
    }

    fn open(&mut self, kind: Kind, at: usize) {
        self.name_parent(at);
        let depth = self.frames.len();
        // A record: a member of the outermost value, or of a list right below it.
        let member = match depth {
            0 => true,
            1 => kind == Kind::Object,
            2 => kind == Kind::Object && self.frames[1].kind == Kind::List,
            _ => false,
        };
        let record = depth == 0 || (member && self.shape == Shape::Single);
        if record || self.text.len() > LONG {
            self.flush();
            self.base = depth;
        }
        self.frames.push(Frame { kind, key: None, values: Vec::new(), named: false });
    }

    /// Writes what an opening value is called.
    fn name_parent(&mut self, at: usize) {
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut() else { return };
        let key = frame.key.take();
        let values = std::mem::take(&mut frame.values);
        frame.named |= !values.is_empty();
        for value in values {
            self.line(depth - 1, &value, at);
        }
        let Some(key) = key else { return };
        if depth == 1 && self.shape == Shape::Single {
            self.flush();
            self.builder.push(BlockKind::Heading { level: 1 }, &key, self.lines.lines(&(at..at + 1)));
        } else {
            self.line(depth - 1, &format!("{key}:"), at);
        }
    }

    fn close(&mut self, at: usize) {
        self.settle(at);
        let Some(frame) = self.frames.pop() else { return };
        let depth = self.frames.len();
        if !frame.values.is_empty() {
            let numbers = frame.values.iter().all(|value| value.parse::<f64>().is_ok());
            let text = if numbers && frame.values.len() > MAX_NUMBERS {
                format!("({} numbers)", frame.values.len())
            } else {
                frame.values.join(", ")
            };
            self.values_line(depth, &text, at);
        }
        if depth == 0 || (depth == 1 && self.shape == Shape::Single) {
            self.flush();
        }
    }

    /// The plain values of a list stand behind its key.
    fn values_line(&mut self, depth: usize, text: &str, at: usize) {
        let named = self.text.ends_with(":\n") && matches!(self.last, Some(Token::Text(_) | Token::Word(_)));
        if named && !text.contains('\n') {
            self.text.pop();
            self.text.push(' ');
            self.text.push_str(text);
            self.text.push('\n');
        } else {
            self.line(depth, text, at);
        }
    }

    fn line(&mut self, depth: usize, text: &str, at: usize) {
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        if self.text.is_empty() {
            self.from = at;
        }
        let indentation = depth.saturating_sub(self.base).min(MAX_INDENTATION);
        self.text.push_str(&"  ".repeat(indentation));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let lines = self.lines.lines(&(self.from..self.from + 1));
        self.builder.push(BlockKind::Paragraph, &text, lines);
        self.base = self.frames.len().saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;
    use crate::block::sound;

    fn document(source: &str) -> StructuredText {
        sound(read(&Input::new(Path::new("a.json"), source.as_bytes(), &ExtractLimits::default())).unwrap())
    }

    #[test]
    fn records_are_blocks_of_keys_and_values() {
        let list = document(r#"[{"name": "Trowel", "tags": ["a", "b"]}, {"name": "Can", "size": {"w": 1, "h": 2.5}}]"#);
        assert_eq!(list.text, "name: Trowel\ntags: a, b\n\nname: Can\nsize:\n  w: 1\n  h: 2.5");
        assert_eq!(list.blocks.len(), 2);
        assert_eq!(list.title.as_deref(), Some("a.json"));
        let lines = document("{\"a\": 1, \"m\": {\"x\": 1}}\n{\"a\": 2}\n");
        assert_eq!((lines.text.as_str(), lines.blocks.len()), ("a: 1\nm:\n  x: 1\n\na: 2", 2));
    }

    #[test]
    fn named_parts_of_an_object_are_headings() {
        let object =
            document(r#"{"title": "Shop", "items": [{"n": 1}, {"n": 2}], "scripts": {"build": "x"}, "end": true}"#);
        assert_eq!(object.text, "title: Shop\n\nitems\n\nn: 1\n\nn: 2\n\nscripts\n\nbuild: x\n\nend: true");
        assert_eq!(object.blocks[1].kind, BlockKind::Heading { level: 1 });
        assert_eq!(object.title.as_deref(), Some("Shop"));
    }

    #[test]
    fn escapes_comments_and_bare_keys_are_read() {
        let text = document("{ // note\n a: 'x\\'y', /* b */ \"c\": \"\\u4e2d\\ud83d\\ude00\\n\\u00e9!\",\n}").text;
        assert_eq!(text, "a: x'y\nc: 中😀\né!");
    }

    #[test]
    fn what_is_cut_off_is_told_as_far_as_it_goes_and_noted() {
        let cut = document("{\"a\": 1, \"b\": [\"x y\", \"cut of");
        assert_eq!(cut.text, "a: 1\n\nb\n\nx y, cut of");
        assert!(cut.warnings[0].contains("something may be missing"), "{:?}", cut.warnings);
        assert_eq!(document("{\"a\": {\"b\": 1").text, "a\n\nb: 1");
        assert_eq!(document("[\"é").text, "é");
        assert!(document("{\"a\": [1]}").warnings.is_empty());
    }

    #[test]
    fn vectors_are_counted() {
        let numbers = vec!["0.25"; 500].join(",");
        assert_eq!(document(&format!("{{\"v\": {{\"x\": [{numbers}]}}}}")).text, "v\n\nx: (500 numbers)");
    }

    #[test]
    fn broken_and_deep_text_is_harmless() {
        for source in ["{\"a\": [1, 2", "}}]] x", "\"\\u12", "{\"a\" \"b\" \"c\"}", "{:,:}", "\"\\", "['", "\"\\u中\""]
        {
            document(source);
        }
        let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(document(&deep).text.trim(), "1");
    }

    #[test]
    fn objects_are_known_by_their_opening() {
        assert!(looks_like(b" {\n \"a\": 1}") && looks_like(b"[{\"a\":1}]"));
        assert!(!looks_like(b"{a block}") && !looks_like(b"[link](x)") && !looks_like(b"{\"quoted\" text}"));
    }
}
