//! The form that a writer of ours is held to, byte by byte: lines of `[number] "quote" => sentence`, where the quote is copied from
//! the passage with that number, or `NONE`.
//!
//! A quote begins and ends between words, and a line end in the passage is a blank in it. What a sentence says is not decided
//! here: it is proved afterwards.

/// What stands between a number and its quote, and a quote and its sentence.
const OPEN: &[u8] = b"] \"";
const ARROW: &[u8] = b" => ";
const NONE: &[u8] = b"NONE";
/// Shortest and longest quote, in bytes.
const LEAST_QUOTE: usize = 8;
const LONGEST_QUOTE: usize = 400;
/// Shortest and longest sentence, in bytes.
const LEAST_SENTENCE: usize = 8;
const LONGEST_SENTENCE: usize = 600;
/// Lines of a text.
const LINES: usize = 5;

/// A text that has been followed so far.
#[derive(Debug, Clone)]
pub(super) struct Form<'p> {
    passages: &'p [Vec<u8>],
    lines: usize,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// A line may begin.
    Line,
    /// In the number of a passage.
    Number(usize),
    /// So much of these bytes has come.
    Fixed(&'static [u8], usize, After),
    /// In a quote: its passage, its length, where in the passage what has come may end, and how much of the arrow has come if a
    /// mark ended the quote: passages may hold such marks themselves.
    Quote(usize, usize, Vec<usize>, Option<usize>),
    /// In a sentence of this length.
    Sentence(usize),
    /// Nothing may follow.
    End,
}

/// What follows fixed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Quote(usize),
    Sentence,
    End,
}

/// A passage as quotes of it are compared.
pub(super) fn quotable(passage: &str) -> Vec<u8> {
    passage.replace(['\n', '\r', '\t'], " ").into_bytes()
}

impl<'p> Form<'p> {
    /// With the passages in the order of their numbers, [`quotable`].
    pub(super) fn new(passages: &'p [Vec<u8>]) -> Self {
        Self { passages, lines: 0, state: State::Line }
    }

    /// Takes the next byte, or says that it may not come.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let next = match &self.state {
            State::Line => self.line(byte),
            State::Number(number) => self.number(*number, byte),
            State::Fixed(bytes, at, after) => (bytes[*at] == byte).then(|| self.fixed(bytes, at + 1, *after)),
            State::Quote(passage, length, ends, closed) => self.quote(*passage, *length, ends, *closed, byte),
            State::Sentence(length) => sentence(*length, byte),
            State::End => None,
        };
        let Some(next) = next else { return false };
        if next == State::Line {
            self.lines += 1;
        }
        self.state = if next == State::Line && self.lines == LINES { State::End } else { next };
        true
    }

    /// Whether the text may end here.
    pub(super) fn may_end(&self) -> bool {
        match self.state {
            State::End => true,
            State::Line => self.lines > 0,
            State::Sentence(length) => length >= LEAST_SENTENCE,
            _ => false,
        }
    }

    /// Whether any byte of a sentence may come, but for those that end it, and how many.
    pub(super) fn room_for_words(&self) -> Option<usize> {
        match self.state {
            State::Sentence(length) if length > 0 => Some(LONGEST_SENTENCE.saturating_sub(length)),
            _ => None,
        }
    }

    fn line(&self, byte: u8) -> Option<State> {
        match byte {
            b'[' if !self.passages.is_empty() => Some(State::Number(0)),
            _ if byte == NONE[0] && self.lines == 0 => Some(self.fixed(NONE, 1, After::End)),
            _ => None,
        }
    }

    fn number(&self, so_far: usize, byte: u8) -> Option<State> {
        if byte == OPEN[0] && so_far > 0 {
            return Some(State::Fixed(OPEN, 1, After::Quote(so_far - 1)));
        }
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        let number = so_far * 10 + usize::from(digit);
        (1..=self.passages.len()).contains(&number).then_some(State::Number(number))
    }

    fn fixed(&self, bytes: &'static [u8], at: usize, after: After) -> State {
        if at < bytes.len() {
            return State::Fixed(bytes, at, after);
        }
        match after {
            After::End => State::End,
            After::Sentence => State::Sentence(0),
            After::Quote(passage) => {
                let text = &self.passages[passage];
                let begins = |at: &usize| is_between(text, *at) && text[*at] != b' ';
                State::Quote(passage, 0, (0..text.len()).filter(begins).collect(), None)
            }
        }
    }

    fn quote(&self, passage: usize, length: usize, ends: &[usize], closed: Option<usize>, byte: u8) -> Option<State> {
        let text = &self.passages[passage];
        let is_whole = length > 0 && ends.iter().any(|at| is_between(text, *at) && text[at - 1] != b' ');
        let may_close = is_whole && (length >= LEAST_QUOTE || length >= text.len());
        let closed = match closed {
            Some(at) if ARROW[at] == byte => Some(at + 1),
            _ => (byte == b'"' && may_close).then_some(0),
        };
        let goes_on = |at: &&usize| length < LONGEST_QUOTE && text.get(**at) == Some(&byte);
        let ends: Vec<usize> = ends.iter().filter(goes_on).map(|at| at + 1).collect();
        match closed {
            Some(at) if ends.is_empty() || at == ARROW.len() => Some(self.fixed(ARROW, at, After::Sentence)),
            _ => (!ends.is_empty()).then_some(State::Quote(passage, length + 1, ends, closed)),
        }
    }
}

fn sentence(length: usize, byte: u8) -> Option<State> {
    match byte {
        b'\n' => (length >= LEAST_SENTENCE).then_some(State::Line),
        // It is told from the arrow by its first word.
        b' ' if length == 0 => None,
        _ if byte < b' ' => None,
        _ => (length < LONGEST_SENTENCE).then_some(State::Sentence(length + 1)),
    }
}

/// Whether a place in a text lies between two words, or two characters of a script without spaces.
fn is_between(text: &[u8], at: usize) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let is_inside = text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let joins = at > 0 && is_word(&text[at - 1]) && text.get(at).is_some_and(is_word);
    !is_inside && !joins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follows(passages: &[&str], text: &str) -> Option<bool> {
        let passages: Vec<Vec<u8>> = passages.iter().map(|passage| quotable(passage)).collect();
        let mut form = Form::new(&passages);
        text.bytes().all(|byte| form.take(byte)).then(|| form.may_end())
    }

    #[test]
    fn quotes_are_copied_and_sentences_are_free() {
        let passages = ["Staff have 27 working\ndays of holiday.", "Ask in \"Nest\".", "年假为二十七天。"];
        for (text, may_end) in [
            ("NONE", true),
            ("NON", false),
            ("[1] \"27 working days\" => They have 27 days.", true),
            ("[1] \"27 working days\" => They have 27 days.\n[2] \"Ask in \"Nest\"\" => Nest has it.\n", true),
            ("[3] \"二十七天\" => 二十七天年假。", true),
            ("[1] \"27 working days\" => Th", false),
        ] {
            assert_eq!(follows(&passages, text), Some(may_end), "{text}");
        }
        for text in [
            "They have 27 days.",
            "[4] \"",
            "[0]",
            "[1] \"28",
            "[1] \"7 working",
            "[1] \"27 work\"",
            "[1] \"27\"",
            "[1] \"27 working days\" => They have 27 days.\nNONE",
            "[1] \"27 working days\" => \n",
            "NONE of",
        ] {
            assert_eq!(follows(&passages, text), None, "{text}");
        }
        let line = "[1] \"27 working days\" => They have 27 days.\n";
        assert_eq!(follows(&passages, &line.repeat(LINES)), Some(true));
        assert_eq!(follows(&passages, &(line.repeat(LINES) + "[")), None, "so many lines, and no more");
        assert_eq!(follows(&[], "["), None);
    }
}
