//! What tokens stand for, in bytes. Tokens of byte-level BPE (GPT-2's, Qwen's) are spelled in an alphabet of 256 letters,
//! one for each byte; a character of more than one byte may be cut between two tokens, so that only bytes tell what a
//! text will be.

use crate::{
    error::{Error, Result},
    tokenizer::Tokenizer,
};

/// The bytes of every token.
pub struct Spellings {
    bytes: Vec<u8>,
    /// Where each token's bytes end.
    ends: Vec<u32>,
}

impl Spellings {
    /// Of a byte-level tokenizer. Special tokens have no bytes: they are never part of a text.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a tokenizer of another kind.
    pub(crate) fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let letters = letters();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for id in 0..tokenizer.size() as u32 {
            match tokenizer.spelled(id) {
                Some(Spelled::Special) | None => {}
                Some(Spelled::Added(text)) => bytes.extend_from_slice(text.as_bytes()),
                Some(Spelled::Letters(text)) => {
                    for letter in text.chars() {
                        let byte = letters.iter().position(|known| *known == letter);
                        bytes.push(byte.ok_or_else(|| not_byte_level(tokenizer, &text))? as u8);
                    }
                }
            }
            ends.push(bytes.len() as u32);
        }
        Ok(Self { bytes, ends })
    }

    /// Number of tokens; ids are below it.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of a token; none for special tokens and ids that are not known.
    pub fn of_token(&self, id: u32) -> &[u8] {
        let at = |index: usize| self.ends.get(index).copied().unwrap_or_default() as usize;
        let id = id as usize;
        if id >= self.ends.len() {
            return &[];
        }
        let start = id.checked_sub(1).map_or(0, at);
        &self.bytes[start..at(id)]
    }
}

/// How the vocabulary has a token.
pub(crate) enum Spelled {
    Special,
    /// As it is.
    Added(String),
    /// In the letters of the byte alphabet, where the tokenizer is byte-level.
    Letters(String),
}

fn not_byte_level(tokenizer: &Tokenizer, token: &str) -> Error {
    Error::BadFile {
        file: format!("tokenizer.json of {}", tokenizer.origin()),
        reason: format!("token {token:?} is not spelled in bytes; a writer needs a byte-level tokenizer as Qwen3's"),
    }
}

/// The letter of each byte, as GPT-2 chose them: printable characters of Latin-1 stand for themselves, the others for
/// those from U+0100 on, in order.
fn letters() -> [char; 256] {
    let is_printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 0x100u32;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if is_printable(byte) {
            return char::from(byte);
        }
        next += 1;
        char::from_u32(next - 1).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_gpt2() {
        let letters = letters();
        assert_eq!((letters[b' ' as usize], letters[b'\n' as usize], letters[b'a' as usize]), ('Ġ', 'Ċ', 'a'));
        assert_eq!((letters[0], letters[0x7f], letters[0xad], letters[0xff]), ('Ā', 'ġ', 'Ń', 'ÿ'));
        let mut known = letters.to_vec();
        known.sort();
        known.dedup();
        assert_eq!(known.len(), 256);
    }
}
