//! Bytes to whole characters. A character whose bytes come in two tokens is held until it is whole; bytes that are no
//! UTF-8 become U+FFFD, as everywhere.

/// Longest character in bytes.
const LONGEST: usize = 4;

/// Bytes that do not make a character yet.
#[derive(Default)]
pub(super) struct Characters {
    held: Vec<u8>,
}

impl Characters {
    /// The characters that are whole now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.held.len());
        let mut used = 0;
        let mut chunks = self.held.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            used += chunk.valid().len();
            let invalid = chunk.invalid();
            let is_last = chunks.peek().is_none();
            if invalid.is_empty() || (is_last && is_beginning(invalid)) {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            used += invalid.len();
        }
        self.held.drain(..used);
        text
    }

    /// What is left at the end: a character that never became whole.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

/// Whether more bytes may make a character of these.
fn is_beginning(bytes: &[u8]) -> bool {
    let unfinished = std::str::from_utf8(bytes).err().is_some_and(|error| error.error_len().is_none());
    unfinished && bytes.len() < LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn streamed(parts: &[&[u8]]) -> Vec<String> {
        let mut characters = Characters::default();
        let mut texts: Vec<String> = parts.iter().map(|part| characters.push(part)).collect();
        texts.push(characters.finish());
        texts
    }

    #[test]
    fn a_character_comes_whole() {
        let euro = "€".as_bytes();
        assert_eq!(streamed(&[&euro[..1], &euro[1..2], &euro[2..], b"a"]), ["", "", "€", "a", ""]);
        assert_eq!(streamed(&[&euro[..2]]), ["", "\u{fffd}"]);
        assert_eq!(streamed(&[&euro[..2], b"x"]), ["", "\u{fffd}x", ""]);
        assert_eq!(streamed(&[&[0xff], b"x"]), ["\u{fffd}", "x", ""]);
        assert_eq!(streamed(&["a\u{fffd}".as_bytes()]), ["a\u{fffd}", ""]);
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_text(bytes in proptest::collection::vec(any::<u8>(), 0..40), cuts in proptest::collection::vec(1usize..5, 40)) {
            let mut characters = Characters::default();
            let (mut rest, mut text) = (bytes.as_slice(), String::new());
            for cut in cuts {
                let (part, after) = rest.split_at(cut.min(rest.len()));
                text.push_str(&characters.push(part));
                rest = after;
            }
            text.push_str(&characters.push(rest));
            text.push_str(&characters.finish());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
