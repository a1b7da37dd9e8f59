//! The ruler of a model: how long texts are in tokens. By its own tokenizer where that is here; a model elsewhere keeps its own, and
//! then lengths are estimated, rather too long than too short.

use crate::{
    error::Result,
    tokenizer::{Overlong, Tokenizer},
};

/// Letters of a word that one token holds, at the least.
const LETTERS: usize = 4;

/// Measures texts in tokens.
#[derive(Clone)]
pub enum Ruler {
    /// The model's own tokenizer.
    Exact(Tokenizer),
    /// An estimate: a token for every four letters of a word and for every sign, digit pair and character of a script without
    /// blanks.
    Estimate,
}

impl Ruler {
    /// Tokens of a text, special ones left out.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn count(&self, text: &str) -> Result<usize> {
        match self {
            Self::Exact(tokenizer) => tokenizer.count(text),
            Self::Estimate => Ok(pieces(text).count()),
        }
    }

    /// Tokens per letter: see [`Tokenizer::fertility`]. A model whose tokenizer is not here is taken to know every script.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn fertility(&self, text: &str) -> Result<f32> {
        match self {
            Self::Exact(tokenizer) => tokenizer.fertility(text),
            Self::Estimate => {
                let letters = text.chars().filter(|c| c.is_alphabetic()).count();
                let words: String = text.chars().map(|c| if c.is_alphabetic() { c } else { ' ' }).collect();
                Ok(if letters == 0 { 0.0 } else { pieces(&words).count() as f32 / letters as f32 })
            }
        }
    }

    /// The longest beginning of `text` that has at most `limit` tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn cut<'t>(&self, text: &'t str, limit: usize) -> Result<&'t str> {
        match self {
            Self::Exact(tokenizer) => tokenizer.cut(text, limit),
            Self::Estimate => Ok(pieces(text).nth(limit).map_or(text, |start| text[..start].trim_end())),
        }
    }

    /// The longest ending of `text` that has at most `limit` tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn cut_start<'t>(&self, text: &'t str, limit: usize) -> Result<&'t str> {
        match self {
            Self::Exact(tokenizer) => tokenizer.cut_start(text, limit),
            Self::Estimate => {
                let surplus = pieces(text).count().saturating_sub(limit);
                Ok(pieces(text).nth(surplus).map_or("", |start| &text[start..]))
            }
        }
    }

    /// A text brought to `limit` tokens, or refused.
    ///
    /// # Errors
    /// [`crate::Error::TooLong`], of text `index`, where it is not to be cut.
    pub fn fit<'t>(&self, text: &'t str, limit: usize, overlong: Overlong, index: Option<usize>) -> Result<&'t str> {
        // A token is a byte at the least.
        if text.len() <= limit {
            return Ok(text);
        }
        match overlong {
            Overlong::CutEnd => self.cut(text, limit),
            Overlong::CutStart => self.cut_start(text, limit),
            Overlong::Refuse => match self.count(text)? {
                tokens if tokens > limit => Err(crate::Error::TooLong { text: index, tokens, limit }),
                _ => Ok(text),
            },
        }
    }
}

/// Bytes at which the tokens of the estimate begin.
fn pieces(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut run = 0;
    text.char_indices().filter_map(move |(at, c)| {
        if c.is_whitespace() {
            run = 0;
            return None;
        }
        let holds = match c {
            _ if c.is_ascii_digit() => LETTERS / 2,
            // Letters of alphabets; those of other scripts, most of them, stand for more.
            _ if c.is_alphabetic() && u32::from(c) < 0x0E00 => LETTERS,
            _ => 1,
        };
        // In shares of a token, so that letters and digits fill up the same one.
        let begins = run == 0 || run + LETTERS / holds > LETTERS;
        run = if begins { LETTERS / holds } else { run + LETTERS / holds };
        begins.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_rather_too_long() {
        let ruler = Ruler::Estimate;
        let count = |text: &str| ruler.count(text).unwrap();
        assert_eq!(count(""), 0);
        assert_eq!(count("  \n "), 0);
        assert_eq!(count("a be see deep"), 4);
        assert_eq!(count("travel claims"), 4);
        assert_eq!(count("差旅费报销"), 5);
        assert_eq!(count("2024-11-30"), 6);
        assert!(count("Full-time staff have 27 working days of holiday a year.") >= 13);
    }

    #[test]
    fn what_is_cut_fits() {
        let ruler = Ruler::Estimate;
        let text = "Travel claims are signed by the head of department. 差旅费由部门主管签字。";
        for limit in 0..40 {
            let (head, tail) = (ruler.cut(text, limit).unwrap(), ruler.cut_start(text, limit).unwrap());
            assert!(text.starts_with(head) && text.ends_with(tail), "{limit}");
            assert!(
                ruler.count(head).unwrap() <= limit && ruler.count(tail).unwrap() <= limit,
                "{limit}: {head:?} {tail:?}"
            );
        }
        assert_eq!(ruler.cut(text, 100).unwrap(), text);
        assert_eq!(ruler.cut_start(text, 100).unwrap(), text);
        assert!(ruler.fit(text, 5, Overlong::Refuse, Some(3)).unwrap_err().to_string().contains("text 3 has"));
        assert_eq!(ruler.fit(text, 500, Overlong::Refuse, None).unwrap(), text);
    }

    #[test]
    fn every_script_is_taken_to_be_known() {
        let ruler = Ruler::Estimate;
        assert!(ruler.fertility("who signs travel claims").unwrap() < 0.6);
        assert!(ruler.fertility("谁签字").unwrap() <= 1.0);
        assert_eq!(ruler.fertility("2024").unwrap(), 0.0);
    }
}
