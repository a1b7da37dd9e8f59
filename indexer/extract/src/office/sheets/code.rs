//! The code of a number format, taken apart (ECMA-376 part 1, 18.8.31): up to four sections, each a sequence of
//! placeholders for digits, literals and signs.

/// Sections of a code that are looked at, and tokens of one.
const MAX_SECTIONS: usize = 4;
const MAX_TOKENS: usize = 256;

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `0`, `#` or `?`.
    Digit(char),
    Point,
    Comma,
    Percent,
    Slash,
    /// `E+` or `E-`; whether a plus is written.
    Exponent(bool),
    /// `@`: the text of the cell.
    Text,
    General,
    Literal(char),
    /// A part of a date or a time: its letter, lower case, and how often it stands there.
    Moment(char, usize),
    /// `[h]`: time that has passed.
    Passed(char, usize),
    /// `AM/PM`.
    Noon,
}

/// `[>=100]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Condition {
    sign: Sign,
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

impl Condition {
    fn parse(inner: &str) -> Option<Self> {
        let signs = [
            ("<=", Sign::AtMost),
            (">=", Sign::AtLeast),
            ("<>", Sign::Unequal),
            ("<", Sign::Less),
            (">", Sign::More),
            ("=", Sign::Equal),
        ];
        let (sign, bound) = signs.into_iter().find_map(|(mark, sign)| Some((sign, inner.strip_prefix(mark)?)))?;
        Some(Self { sign, bound: bound.trim().parse().ok()? })
    }

    pub(super) fn holds(self, number: f64) -> bool {
        match self.sign {
            Sign::Less => number < self.bound,
            Sign::AtMost => number <= self.bound,
            Sign::Equal => number == self.bound,
            Sign::Unequal => number != self.bound,
            Sign::AtLeast => number >= self.bound,
            Sign::More => number > self.bound,
        }
    }

    /// Whether only negative numbers meet it: then the section shows that they are.
    pub(super) fn is_negative(self) -> bool {
        matches!(self.sign, Sign::Less if self.bound <= 0.0) || matches!(self.sign, Sign::AtMost if self.bound < 0.0)
    }
}

/// A section of a code.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Section {
    pub(super) condition: Option<Condition>,
    pub(super) tokens: Vec<Token>,
}

impl Section {
    pub(super) fn has(&self, token: &Token) -> bool {
        self.tokens.contains(token)
    }

    /// Whether it shows dates or times.
    pub(super) fn is_moment(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Moment(..) | Token::Passed(..)))
    }
}

/// The sections of a code.
pub(super) fn sections(code: &str) -> Vec<Section> {
    let mut scanner = Scanner { rest: code.chars().collect(), at: 0 };
    let mut sections = vec![Section::default()];
    while let Some(character) = scanner.next() {
        if character == ';' {
            if sections.len() == MAX_SECTIONS {
                break;
            }
            sections.push(Section::default());
            continue;
        }
        let Some(section) = sections.last_mut().filter(|section| section.tokens.len() < MAX_TOKENS) else { continue };
        scanner.token(character, section);
    }
    sections
}

struct Scanner {
    rest: Vec<char>,
    at: usize,
}

impl Scanner {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.get(self.at).copied();
        self.at += 1;
        next
    }

    /// Takes a word, whatever its case, if it stands here; the first letter is taken already.
    fn takes(&mut self, word: &str) -> bool {
        let start = self.at - 1;
        let length = word.chars().count();
        let here = self.rest.get(start..start + length);
        let stands = here.is_some_and(|here| here.iter().zip(word.chars()).all(|(a, b)| a.to_ascii_lowercase() == b));
        if stands {
            self.at = start + length;
        }
        stands
    }

    fn until(&mut self, end: char) -> String {
        let mut inner = String::new();
        while let Some(character) = self.next().filter(|character| *character != end) {
            inner.push(character);
        }
        inner
    }

    /// How often a letter stands here, the first of which is taken already.
    fn repeated(&mut self, letter: char) -> usize {
        let start = self.at - 1;
        while self.rest.get(self.at).is_some_and(|next| next.to_ascii_lowercase() == letter) {
            self.at += 1;
        }
        self.at - start
    }

    fn token(&mut self, character: char, section: &mut Section) {
        let token = match character {
            '0' | '#' | '?' => Token::Digit(character),
            '.' => Token::Point,
            ',' => Token::Comma,
            '%' => Token::Percent,
            '/' => Token::Slash,
            '@' => Token::Text,
            '"' => {
                let literal = self.until('"');
                return section.tokens.extend(literal.chars().take(MAX_TOKENS).map(Token::Literal));
            }
            '\\' | '!' => match self.next() {
                Some(literal) => Token::Literal(literal),
                None => return,
            },
            // Room as wide as a character, and filling with one.
            '_' => {
                self.next();
                Token::Literal(' ')
            }
            '*' => {
                self.next();
                return;
            }
            '[' => return self.bracket(section),
            'G' | 'g' if self.takes("general") => Token::General,
            'S' | 's' if self.takes("standard") => Token::General,
            'A' | 'a' if self.takes("am/pm") || self.takes("a/p") => Token::Noon,
            'E' | 'e' if matches!(self.rest.get(self.at), Some('+' | '-')) => Token::Exponent(self.next() == Some('+')),
            'y' | 'm' | 'd' | 'h' | 's' | 'Y' | 'M' | 'D' | 'H' | 'S' | 'e' | 'E' => {
                let letter = character.to_ascii_lowercase();
                Token::Moment(letter, self.repeated(letter))
            }
            other => Token::Literal(other),
        };
        section.tokens.push(token);
    }

    /// `[$€-407]` is a currency, `[Red]` a colour, `[>100]` a condition, `[h]` time that has passed.
    fn bracket(&mut self, section: &mut Section) {
        let inner = self.until(']');
        if let Some(currency) = inner.strip_prefix('$') {
            let sign = currency.split('-').next().unwrap_or_default();
            return section.tokens.extend(sign.chars().take(MAX_TOKENS).map(Token::Literal));
        }
        let lower = inner.to_ascii_lowercase();
        if let Some(letter) = lower.chars().next().filter(|letter| "hms".contains(*letter))
            && lower.chars().all(|other| other == letter)
        {
            return section.tokens.push(Token::Passed(letter, lower.len()));
        }
        section.condition = section.condition.or(Condition::parse(inner.trim()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_parted_outside_of_literals() {
        let sections = sections("[>=100]0\"a;b\"\\;;@;[Red]-0");
        assert_eq!(sections.len(), 3);
        assert!(sections[0].condition.is_some_and(|condition| condition.holds(100.0) && !condition.holds(99.0)));
        assert_eq!(sections[0].tokens.len(), 5);
        assert_eq!(sections[1].tokens, [Token::Text]);
        assert_eq!(sections[2].tokens, [Token::Literal('-'), Token::Digit('0')]);
    }

    #[test]
    fn dates_are_told_from_literals() {
        for code in ["dd.mm.yyyy", "[h]:mm", "h:mm AM/PM", "[$-407]mmmm"] {
            assert!(sections(code)[0].is_moment(), "{code}");
        }
        for code in ["0\\h", "\"day \"0", "[Red]0", "General", "0 \"hours\"", "Standard", "[$USD] 0"] {
            assert!(!sections(code)[0].is_moment(), "{code}");
        }
    }
}
