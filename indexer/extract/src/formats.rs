//! The table of formats: how each is recognised and who reads it. Content that belongs to one format only (a signature)
//! decides whatever the name says; among texts the name decides and the content corrects it.

use std::path::Path;

use crate::block::StructuredText;
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::input::{ExtractLimits, Input};
use crate::{code, html, languages, markdown, pdf, plain, sniff};

/// A format: how it is recognised and who reads it.
struct Format {
    /// How it is told from others.
    sign: Sign,
    /// Its reader.
    read: Reader,
}

/// What gives a format away.
enum Sign {
    /// Its bytes alone, as binary formats have it. Such formats are asked first, whatever the file is called.
    Content(fn(&Input<'_>) -> bool),
    /// Its name; and where a name says little, how its text opens.
    Text { named: fn(&Input<'_>) -> bool, sniffed: fn(&[u8]) -> bool },
}

/// A reader: most files are one document, some hold others.
enum Reader {
    Document(fn(&Input<'_>) -> Result<StructuredText, FileError>),
    Container(fn(&Input<'_>) -> Result<Extraction, FileError>),
}

const fn text(
    named: fn(&Input<'_>) -> bool,
    sniffed: fn(&[u8]) -> bool,
    read: fn(&Input<'_>) -> Result<StructuredText, FileError>,
) -> Format {
    Format { sign: Sign::Text { named, sniffed }, read: Reader::Document(read) }
}

/// All formats, asked in this order; what none claims is plain text or binary.
const FORMATS: &[Format] = &[
    Format { sign: Sign::Content(pdf::is_pdf), read: Reader::Container(pdf::read) },
    text(html::is_named, sniff::looks_like_html, html::read),
    text(markdown::is_named, |_| false, markdown::read),
    text(languages::is_named, languages::has_shebang, code::read),
    text(plain::is_named, |_| false, plain::read),
];

/// Text of an unknown kind.
const FALLBACK: Format = text(plain::is_named, |_| false, plain::read);

/// Reads a file's bytes by its format.
///
/// # Errors
/// [`FileError::TooLarge`], [`FileError::Empty`] (no byte, or no text), [`FileError::Binary`],
/// [`FileError::Unsupported`], [`FileError::Encrypted`], [`FileError::Damaged`], [`FileError::NoTextLayer`] and
/// [`FileError::Limit`]. A part's error is that part's outcome. Our own readers never panic and never recurse as deep
/// as the document nests; libraries may, which is why untrusted files are read in a process of their own.
pub fn extract(path: &Path, bytes: &[u8], limits: &ExtractLimits) -> Result<Extraction, FileError> {
    read(&Input::new(path, bytes, limits))
}

/// Reads a file, or a file inside of a file.
pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    let size = input.bytes.len() as u64;
    if size > input.limits.max_bytes {
        return Err(FileError::TooLarge { bytes: size, limit: input.limits.max_bytes });
    }
    if input.bytes.is_empty() {
        return Err(FileError::Empty);
    }
    let extraction = match format_of(input)?.read {
        Reader::Document(read) => Extraction::from(read(input)?),
        Reader::Container(read) => read(input)?,
    };
    let text = extraction.document.as_ref();
    if text.is_none_or(|document| document.blocks.is_empty() && document.scans.is_empty())
        && extraction.parts.is_empty()
    {
        return Err(FileError::Empty);
    }
    if text.is_some_and(|document| document.text.len() as u64 > input.limits.max_text) {
        return Err(FileError::Limit { what: format!("more than {} MiB of text", input.limits.max_text >> 20) });
    }
    Ok(extraction)
}

fn format_of(input: &Input<'_>) -> Result<&'static Format, FileError> {
    let by_content = FORMATS.iter().find(|format| matches!(format.sign, Sign::Content(is_it) if is_it(input)));
    if let Some(format) = by_content {
        return Ok(format);
    }
    if let Some(format) = sniff::signature(input.bytes).or_else(|| sniff::encoded(&input.extension())) {
        return Err(FileError::Unsupported { format: format.to_string() });
    }
    if sniff::is_binary(input.bytes) {
        return Err(FileError::Binary);
    }
    let named = FORMATS.iter().find(|format| matches!(format.sign, Sign::Text { named, .. } if named(input)));
    let sniffed =
        FORMATS.iter().find(|format| matches!(format.sign, Sign::Text { sniffed, .. } if sniffed(input.bytes)));
    // Markdown and source code may open with a tag: content corrects only names that say little.
    let says_little = named.is_none() || plain::is_named(input);
    let format = if says_little { sniffed.or(named) } else { named };
    Ok(format.unwrap_or(&FALLBACK))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::assert_invariants;

    fn kind_of(name: &str, bytes: &[u8]) -> Result<String, String> {
        let extraction = extract(Path::new(name), bytes, &ExtractLimits::default());
        extraction.map(|extraction| extraction.kind).map_err(|error| error.to_string())
    }

    #[test]
    fn the_name_decides_and_content_corrects_it() {
        let html = b"<!doctype html><title>x</title><p>y</p>";
        assert_eq!(kind_of("a.md", b"# Title"), Ok("markdown".to_owned()));
        assert_eq!(kind_of("a.HTM", b"<p>text"), Ok("html".to_owned()));
        assert_eq!(kind_of("page.txt", html), Ok("html".to_owned()));
        assert_eq!(kind_of("page", html), Ok("html".to_owned()));
        assert_eq!(kind_of("main.rs", b"fn main() {}"), Ok("rust".to_owned()));
        assert_eq!(kind_of("run", b"#!/usr/bin/env python3\nprint()\n"), Ok("python".to_owned()));
        assert_eq!(kind_of("Dockerfile", b"FROM debian\n"), Ok("dockerfile".to_owned()));
        assert_eq!(kind_of("config.toml", b"a = 1\n"), Ok("toml".to_owned()));
        assert_eq!(kind_of("README", b"words\n"), Ok("text".to_owned()));
        assert_eq!(kind_of("odd.xyz", b"words\n"), Ok("text".to_owned()));
    }

    #[test]
    fn what_is_not_text_is_said() {
        assert!(matches!(extract(Path::new("a.bin"), &[0, 1, 2], &ExtractLimits::default()), Err(FileError::Binary)));
        assert!(matches!(extract(Path::new("a.txt"), b"", &ExtractLimits::default()), Err(FileError::Empty)));
        assert!(matches!(extract(Path::new("a.html"), b"<p></p>", &ExtractLimits::default()), Err(FileError::Empty)));
        assert!(matches!(kind_of("a.txt", b"%PDF-1.4"), Err(reason) if reason.starts_with("not a sound PDF file")));
        assert_eq!(kind_of("a.eml", b"Subject: x\n\nbody"), Err("e-mail files cannot be read yet".to_owned()));
        let limits = ExtractLimits { max_bytes: 3, ..ExtractLimits::default() };
        let error = extract(Path::new("a.txt"), b"four", &limits).unwrap_err();
        assert_eq!(error.to_string(), "4 bytes, more than the limit of 3; raise `max_bytes` to index it");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn nothing_breaks_a_reader(
            text in "([#>*`|<&;\\-+=:~ \n\t_0-9a-zA-Zß中\"'(){}\\[\\]/!]|</?(div|p|li|table|td|pre|h2|main)>|\n\n|```|# |\\| a \\| b \\|\n){0,80}",
            extension in "md|html|txt|rs|py|js|ts|go|java|c|cpp|toml|csv",
        ) {
            let path = format!("file.{extension}");
            if let Ok(extraction) = extract(Path::new(&path), text.as_bytes(), &ExtractLimits::default()) {
                assert_invariants(extraction.document.as_ref().unwrap());
            }
        }
    }
}
