//! Cuts a query into words, phrases, exclusions and fields.
//!
//! Only form is decided here; whether a field's value makes sense is not. Promises: the pieces come in order, each
//! byte is looked at a constant number of times, and every letter of the query is in exactly one piece.

use storage::is_unspaced;

use super::field::Field;

/// A part of a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind<'a>,
    /// As typed, operators and quotes included.
    pub(super) raw: &'a str,
    /// Whether a blank stands before it.
    pub(super) spaced: bool,
}

/// What a piece is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Word,
    Phrase(&'a str),
    WithoutWord(&'a str),
    WithoutPhrase(&'a str),
    Field { field: Field, value: &'a str },
    NegatedField,
}

/// Whether the character separates words.
pub(super) fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

/// The kinds of quotes. A straight quote can also stand for inches or in code, the others only ever quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    Straight,
    Curly,
    Corner,
    WhiteCorner,
    Angle,
}

impl Quote {
    const ALL: [Self; 5] = [Self::Straight, Self::Curly, Self::Corner, Self::WhiteCorner, Self::Angle];

    fn opened_by(character: char) -> Option<Self> {
        match character {
            '"' | '\u{FF02}' => Some(Self::Straight),
            '“' | '„' | '”' => Some(Self::Curly),
            '「' => Some(Self::Corner),
            '『' => Some(Self::WhiteCorner),
            '«' => Some(Self::Angle),
            _ => None,
        }
    }

    fn is_closed_by(self, character: char) -> bool {
        match self {
            Self::Straight => matches!(character, '"' | '\u{FF02}'),
            Self::Curly => matches!(character, '”' | '“' | '"' | '\u{FF02}'),
            Self::Corner => character == '」',
            Self::WhiteCorner => character == '』',
            Self::Angle => character == '»',
        }
    }
}

/// A quoted text: what is inside, and its length with the quotes.
struct Quoted<'a> {
    inside: &'a str,
    length: usize,
}

/// Iterates over the pieces of a query.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where the last closing quote of each kind stands: tells at once that an opening one is never closed, where a
    /// search to the end for each of them would take quadratic time.
    last_closing: [Option<usize>; Quote::ALL.len()],
    unclosed_quote: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let last_closing = Quote::ALL.map(|quote| text.rfind(|character| quote.is_closed_by(character)));
        Self { text, at: 0, last_closing, unclosed_quote: false }
    }

    /// Whether an opening quote without a closing one was met so far.
    pub(super) fn saw_unclosed_quote(&self) -> bool {
        self.unclosed_quote
    }

    /// Skips blanks and quotes that never close; says whether there were any blanks.
    fn skip(&mut self) -> bool {
        let mut spaced = false;
        while let Some(character) = self.text[self.at..].chars().next() {
            if is_blank(character) {
                spaced = true;
            } else if Quote::opened_by(character).is_some() && self.quoted(self.at).is_none() {
                self.unclosed_quote = true;
            } else {
                break;
            }
            self.at += character.len_utf8();
        }
        spaced
    }

    /// Whether a quote that opens at `from` is closed somewhere behind it.
    fn is_closed(&self, quote: Quote, from: usize) -> bool {
        self.last_closing[quote as usize].is_some_and(|last| last > from)
    }

    /// The quoted text that begins at `from`.
    fn quoted(&self, from: usize) -> Option<Quoted<'a>> {
        let mut characters = self.text[from..].char_indices();
        let (_, opening) = characters.next()?;
        let quote = Quote::opened_by(opening)?;
        if !self.is_closed(quote, from) {
            return None;
        }
        let (end, closing) = characters.find(|(_, character)| quote.is_closed_by(*character))?;
        Some(Quoted { inside: &self.text[from + opening.len_utf8()..from + end], length: end + closing.len_utf8() })
    }

    /// Whether a quote that is never closed begins at `from`; remembers it.
    fn is_unclosed_quote(&mut self, from: usize) -> bool {
        let opens = self.text[from..].chars().next().and_then(Quote::opened_by);
        let unclosed = opens.is_some_and(|quote| !self.is_closed(quote, from));
        self.unclosed_quote |= unclosed;
        unclosed
    }

    /// An exclusion or a field at the present place, with its length.
    fn operator(&mut self) -> Option<(Kind<'a>, usize)> {
        let rest = &self.text[self.at..];
        match rest.chars().next()? {
            minus @ ('-' | '\u{FF0D}') => self.exclusion(minus.len_utf8()),
            _ => self.field(),
        }
    }

    fn exclusion(&mut self, minus: usize) -> Option<(Kind<'a>, usize)> {
        let from = self.at + minus;
        if self.is_unclosed_quote(from) {
            return None;
        }
        if let Some(quoted) = self.quoted(from) {
            return Some((Kind::WithoutPhrase(quoted.inside), minus + quoted.length));
        }
        let word = until_blank(&self.text[from..]);
        // A minus before a digit is a number's sign; `-"2023"` leaves a number out.
        if !word.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            return None;
        }
        let kind = match Field::split(word) {
            Some(_) => Kind::NegatedField,
            None => Kind::WithoutWord(word),
        };
        Some((kind, minus + word.len()))
    }

    fn field(&mut self) -> Option<(Kind<'a>, usize)> {
        let rest = &self.text[self.at..];
        let (field, name) = Field::split(until_blank(rest))?;
        let from = self.at + name;
        if self.is_unclosed_quote(from) {
            return None;
        }
        if let Some(quoted) = self.quoted(from) {
            return Some((Kind::Field { field, value: quoted.inside }, name + quoted.length));
        }
        let value = until_blank(&rest[name..]);
        Some((Kind::Field { field, value }, name + value.len()))
    }

    /// The length of the plain word at the present place: up to a blank or to a quote that opens inside of it.
    fn word(&mut self) -> usize {
        let rest = &self.text[self.at..];
        let mut previous = None;
        for (offset, character) in rest.char_indices() {
            if is_blank(character) {
                return offset;
            }
            if let Some(quote) = quote_inside_word(previous, character) {
                if self.is_closed(quote, self.at + offset) {
                    return offset;
                }
                self.unclosed_quote = true;
            }
            previous = Some(character);
        }
        rest.len()
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let from_start = self.at == 0;
        let spaced = self.skip();
        let start = self.at;
        if start == self.text.len() {
            return None;
        }
        let operator = if spaced || from_start { self.operator() } else { None };
        let (kind, length) = match (operator, self.quoted(start)) {
            (Some(found), _) => found,
            (None, Some(quoted)) => (Kind::Phrase(quoted.inside), quoted.length),
            (None, None) => (Kind::Word, self.word()),
        };
        self.at += length;
        Some(Piece { kind, raw: &self.text[start..self.at], spaced })
    }
}

fn until_blank(text: &str) -> &str {
    text.split(is_blank).next().unwrap_or(text)
}

/// The quote that the character opens in the middle of a word. A straight one does so only in scripts without spaces:
/// `24"` and `name="x"` are words.
fn quote_inside_word(previous: Option<char>, character: char) -> Option<Quote> {
    let previous = previous?;
    match Quote::opened_by(character)? {
        Quote::Straight if !is_unspaced(previous) => None,
        _ if character == '”' => None,
        quote => Some(quote),
    }
}
