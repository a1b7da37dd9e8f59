//! The cursor: where a walk from page to page stands, so that a commit between two pages does not disturb it.
//!
//! It holds the documents that were shown, five bytes of the id of each, and a hash of the question. The page behind it is the
//! best that was not shown yet, in the order of whatever commit is then searched: no document comes twice, and none that
//! stays in the index is passed over, however the order shifts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The shape of what is encoded.
const VERSION: u8 = 1;
/// Bytes of the hash of the question.
const QUESTION: usize = 8;
/// Bytes of each document that was shown.
const SHOWN: usize = 5;

/// A place in the list of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    question: [u8; QUESTION],
    /// Keys of the documents that were shown, in their order.
    pub(crate) shown: Vec<u64>,
}

/// The key of a document, given the 64 bits that stand for it.
pub(crate) fn key(group: u64) -> u64 {
    group & ((1 << (8 * SHOWN)) - 1)
}

/// A hash of a question: of what decides which results there are, and in which order.
pub(crate) fn question(asked: &str) -> [u8; QUESTION] {
    let mut question = [0; QUESTION];
    question.copy_from_slice(&blake3::hash(asked.as_bytes()).as_bytes()[..QUESTION]);
    question
}

impl Cursor {
    /// The cursor behind these documents of a question's list.
    pub(crate) fn behind(question: [u8; QUESTION], shown: Vec<u64>) -> Self {
        Self { question, shown }
    }

    /// Whether it is one of this question.
    pub(crate) fn is_of(&self, question: [u8; QUESTION]) -> bool {
        self.question == question
    }

    pub(crate) fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.question);
        for key in &self.shown {
            bytes.extend_from_slice(&key.to_le_bytes()[..SHOWN]);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::encode`] wrote.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (question, shown) = rest.split_first_chunk::<QUESTION>()?;
        if *version != VERSION || shown.len() % SHOWN != 0 {
            return None;
        }
        let key = |bytes: &[u8]| bytes.iter().rev().fold(0, |key, byte| key << 8 | u64::from(*byte));
        Some(Self { question: *question, shown: shown.chunks(SHOWN).map(key).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor::behind(question("leave"), vec![key(u64::MAX), 0, key(0x0102_0304_0506_0708)]);
        let text = cursor.encode();
        assert_eq!(Cursor::read(&text), Some(cursor.clone()));
        assert!(cursor.is_of(question("leave")) && !cursor.is_of(question("leaves")));
        for broken in ["", "x", "AQ", "Ag\u{e9}", &text[1..], &text[..text.len() - 1]] {
            assert_eq!(Cursor::read(broken), None, "{broken:?}");
        }
    }
}
