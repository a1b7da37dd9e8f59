//! RTF as tokens: groups, control words with their number, control symbols, bytes of text.

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Open,
    Close,
    /// `\par`, `\s12`, `\u-3913`.
    Word {
        name: &'t [u8],
        number: Option<i32>,
    },
    /// `\~`, `\*`.
    Symbol(u8),
    /// A byte of text: `\'e4`, or as it is.
    Byte(u8),
}

/// Longest name of a control word.
const MAX_NAME: usize = 32;

/// Cuts RTF into tokens.
pub(super) struct Tokens<'t> {
    bytes: &'t [u8],
}

impl<'t> Tokens<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        Self { bytes }
    }

    /// Steps over binary data.
    pub(super) fn skip(&mut self, length: usize) {
        self.bytes = self.bytes.get(length..).unwrap_or_default();
    }

    pub(super) fn next(&mut self) -> Option<Token<'t>> {
        loop {
            let (&first, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            return Some(match first {
                b'{' => Token::Open,
                b'}' => Token::Close,
                b'\\' => self.control()?,
                // Line ends are layout of the file.
                b'\r' | b'\n' | 0 => continue,
                byte => Token::Byte(byte),
            });
        }
    }

    fn control(&mut self) -> Option<Token<'t>> {
        let (&first, rest) = self.bytes.split_first()?;
        if first == b'\'' {
            let code = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let byte = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            self.bytes = if byte.is_some() { &rest[2..] } else { rest };
            return Some(Token::Byte(byte.unwrap_or(b'?')));
        }
        if !first.is_ascii_alphabetic() {
            self.bytes = rest;
            // A line end that is escaped ends a paragraph.
            let is_end = matches!(first, b'\r' | b'\n');
            return Some(if is_end { Token::Word { name: b"par", number: None } } else { Token::Symbol(first) });
        }
        let length = self.bytes.iter().take(MAX_NAME).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (name, rest) = self.bytes.split_at(length);
        let minus = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[minus..].iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        let end = if digits > 0 { minus + digits } else { 0 };
        let number = std::str::from_utf8(&rest[..end]).ok().and_then(|digits| digits.parse().ok());
        let rest = &rest[end..];
        self.bytes = rest.strip_prefix(b" ").unwrap_or(rest);
        Some(Token::Word { name, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_a_token() {
        let mut tokens = Tokens::new(b"{\\b0 x\\u-5?\\'e4\\~\r\n}");
        let all: Vec<Token<'_>> = std::iter::from_fn(|| tokens.next()).collect();
        let expected = [
            Token::Open,
            Token::Word { name: b"b", number: Some(0) },
            Token::Byte(b'x'),
            Token::Word { name: b"u", number: Some(-5) },
            Token::Byte(b'?'),
            Token::Byte(0xe4),
            Token::Symbol(b'~'),
            Token::Close,
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn torn_tokens_end_the_text() {
        for text in [&b"\\"[..], b"\\'", b"\\'z", b"\\bin-", b"{"] {
            let mut tokens = Tokens::new(text);
            assert!(std::iter::from_fn(|| tokens.next()).count() <= 3);
        }
    }
}
