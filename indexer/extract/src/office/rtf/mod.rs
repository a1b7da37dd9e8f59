//! RTF 1.9: text with headings, lists, tables, notes, text boxes, headers and footers.
//!
//! Why a reader of our own: `rtf-parser` 0.4 gives text without tables, reads no code page but the Western one, and
//! fails on a file that is not UTF-8; `rtf-grimoire` is a tokenizer without releases since years.

mod charset;
mod document;
mod state;
mod token;

use document::Reading;
use token::{Token, Tokens};

use crate::Format;
use crate::block::StructuredText;
use crate::error::FileError;
use crate::input::Input;

pub(crate) const FORMAT: &Format = Format::of("rtf");

/// Whether a file opens as RTF does.
pub(crate) fn is_rtf(input: &Input<'_>) -> bool {
    input.bytes.starts_with(b"{\\rtf")
}

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let mut reading = Reading::new(input.limits);
    let mut tokens = Tokens::new(input.bytes);
    while let Some(token) = tokens.next() {
        if let Token::Word { name: b"bin", number: Some(length) } = token {
            tokens.skip(usize::try_from(length).unwrap_or(0));
            continue;
        }
        reading.token(token)?;
    }
    reading.finish()
}

#[cfg(test)]
mod tests;
