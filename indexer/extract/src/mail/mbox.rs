//! Mailboxes (mbox): each letter is a document of its own. A line `From ..` starts a letter only behind a blank line
//! and when a time stands on it; many programs forget to quote the word in bodies.

use std::path::Path;

use super::letter::file_name;
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input, sniff};

pub(crate) const FORMAT: &Format = Format::of("mbox");

pub(crate) fn is_named(input: &Input<'_>) -> bool {
    input.is_named(FORMAT) && sniff::signature(input.bytes).is_none()
}

/// Whether bytes open like a mailbox.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    is_separator(line) && super::looks_like_eml(bytes.get(line.len() + 1..).unwrap_or_default())
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    let mut extraction = Extraction::container(FORMAT);
    for (number, letter) in letters(input.bytes).into_iter().enumerate() {
        if let Err(error) = input.note_part() {
            extraction.warnings.push(format!("{error}: letters from number {} on were left out", number + 1));
            break;
        }
        let bytes = unquoted(letter);
        let outcome = input.inner(Path::new("letter.eml"), &bytes);
        let document = outcome.as_ref().ok().and_then(|inner| inner.document.as_ref());
        let subject = document.and_then(|document| document.title.clone()).unwrap_or_else(|| "no subject".to_owned());
        let sent = document.and_then(|document| document.metadata.get("date"));
        let sent = sent.and_then(|date| mail_parser::DateTime::parse_rfc3339(date)).map(|date| date.to_timestamp());
        let path = file_name(&format!("{:04} {subject}.eml", number + 1));
        extraction.add(&path, bytes.len() as u64, sent, outcome);
    }
    Ok(extraction)
}

/// The letters between the separators, without them.
fn letters(bytes: &[u8]) -> Vec<&[u8]> {
    let mut letters = Vec::new();
    let mut start = None;
    let (mut at, mut after_blank) = (0, true);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if after_blank && is_separator(line) {
            letters.extend(start.map(|start| &bytes[start..at]));
            start = Some(at + line.len());
        }
        after_blank = line.trim_ascii().is_empty();
        at += line.len();
    }
    // Without any separator it is one letter.
    letters.push(&bytes[start.unwrap_or(0)..]);
    letters.retain(|letter| !letter.trim_ascii().is_empty());
    letters
}

/// `From someone@somewhere Wed May  1 10:30:00 2024`.
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let timed = rest.windows(5).any(|window| {
        window[0].is_ascii_digit() && window[1].is_ascii_digit() && window[2] == b':' && window[3].is_ascii_digit()
    });
    timed && rest.len() < 300
}

/// `>From ` at the start of a line was `From ` when it was sent.
fn unquoted(letter: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(letter.len());
    for line in letter.split_inclusive(|&byte| byte == b'\n') {
        let quotes = line.iter().take_while(|&&byte| byte == b'>').count();
        let quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        out.extend_from_slice(if quoted { &line[1..] } else { line });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExtractLimits;

    const BOX: &str = "From a@x Wed May  1 10:30:00 2024\nFrom: a@x\nTo: b@x\nSubject: One/two\nDate: Wed, 1 May 2024 10:30:00 +0000\n\n\
                       Words.\n\nFrom here on it is body.\n>From quoted\n\nFrom b@x Thu May  2 10:30:00 2024\nFrom: b@x\nTo: a@x\nSubject: One/two\n\nsecond\n";

    fn read_box(source: &str, limits: &ExtractLimits) -> Extraction {
        read(&Input::new(Path::new("a.mbox"), source.as_bytes(), limits)).unwrap()
    }

    #[test]
    fn every_letter_is_a_part() {
        let extraction = read_box(BOX, &ExtractLimits::default());
        let paths: Vec<_> = extraction.parts.iter().map(|part| part.path.as_str()).collect();
        assert_eq!(paths, ["0001 One_two.eml", "0002 One_two.eml"]);
        let text = &extraction.parts[0].outcome.as_ref().unwrap().text;
        assert!(text.contains("From here on") && text.contains("\nFrom quoted"), "{text}");
        assert_eq!(extraction.parts[0].modified, Some(1_714_559_400));
    }

    #[test]
    fn only_so_many_letters_are_read() {
        let limits = ExtractLimits { max_parts: 1, ..ExtractLimits::default() };
        let extraction = read_box(BOX, &limits);
        assert_eq!((extraction.parts.len(), extraction.warnings.len()), (1, 1));
    }

    #[test]
    fn a_mailbox_is_known_by_its_first_lines() {
        assert!(looks_like(BOX.as_bytes()));
        assert!(!looks_like(b"From here to 12:30 there\nwas a text"));
    }
}
