//! From the bytes of a file to its [`StructuredText`]. One file for each format and one line for it in [`FORMATS`]:
//! whoever adds a format touches nothing else. The name decides first, the content corrects it.

mod code;
mod decode;
mod front_matter;
mod html;
mod html_meta;
mod html_source;
mod languages;
mod list;
mod markdown;
mod plain;
mod sniff;
mod table;

use std::path::Path;

pub(crate) use languages::grammar;

use crate::block::StructuredText;
use crate::error::FileError;

/// What a reader may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractLimits {
    /// Largest file that is read, in bytes.
    pub max_bytes: u64,
}

impl Default for ExtractLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20 }
    }
}

/// A file handed to a reader.
struct Input<'a> {
    path: &'a Path,
    bytes: &'a [u8],
}

impl Input<'_> {
    /// The file's own name; lossy where it is not Unicode.
    fn file_name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Lower-case extension without the dot; empty without one.
    fn extension(&self) -> String {
        self.path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
    }
}

/// A format: how it is recognised and who reads it.
struct Format {
    /// Whether a name belongs to it.
    named: fn(&Input<'_>) -> bool,
    /// Whether content belongs to it, whatever the name says.
    sniffed: fn(&[u8]) -> bool,
    /// Its reader.
    read: fn(&Input<'_>) -> Result<StructuredText, FileError>,
}

/// All formats. Content is asked before names, both in this order; what none claims is plain text or binary.
const FORMATS: &[Format] = &[
    Format { named: html::is_named, sniffed: sniff::looks_like_html, read: html::read },
    Format { named: markdown::is_named, sniffed: |_| false, read: markdown::read },
    Format { named: languages::is_named, sniffed: languages::has_shebang, read: code::read },
    Format { named: plain::is_named, sniffed: |_| false, read: plain::read },
];

/// Reads a file's bytes by its format.
///
/// # Errors
/// [`FileError::TooLarge`], [`FileError::Empty`] (no byte, or no text), [`FileError::Binary`] and
/// [`FileError::Unsupported`]. Never panics and never recurses as deep as the document nests.
pub fn extract(path: &Path, bytes: &[u8], limits: &ExtractLimits) -> Result<StructuredText, FileError> {
    let size = bytes.len() as u64;
    if size > limits.max_bytes {
        return Err(FileError::TooLarge { bytes: size, limit: limits.max_bytes });
    }
    if bytes.is_empty() {
        return Err(FileError::Empty);
    }
    let input = Input { path, bytes };
    let format = format_of(&input)?;
    let document = (format.read)(&input)?;
    if document.blocks.is_empty() {
        return Err(FileError::Empty);
    }
    Ok(document)
}

fn format_of(input: &Input<'_>) -> Result<&'static Format, FileError> {
    if let Some(format) = sniff::signature(input.bytes).or_else(|| sniff::encoded(&input.extension())) {
        return Err(FileError::Unsupported { format });
    }
    if sniff::is_binary(input.bytes) {
        return Err(FileError::Binary);
    }
    let named = FORMATS.iter().find(|format| (format.named)(input));
    let sniffed = FORMATS.iter().find(|format| (format.sniffed)(input.bytes));
    // Markdown and source code may open with a tag: content corrects only names that say little.
    let says_little = named.is_none() || plain::is_named(input);
    let format = if says_little { sniffed.or(named) } else { named };
    Ok(format.unwrap_or(&FALLBACK))
}

/// Text of an unknown kind.
const FALLBACK: Format = Format { named: plain::is_named, sniffed: |_| false, read: plain::read };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::assert_invariants;

    fn kind_of(name: &str, bytes: &[u8]) -> Result<&'static str, String> {
        let document = extract(Path::new(name), bytes, &ExtractLimits::default());
        document.map(|document| document.kind).map_err(|error| error.to_string())
    }

    #[test]
    fn the_name_decides_and_content_corrects_it() {
        let html = b"<!doctype html><title>x</title><p>y</p>";
        assert_eq!(kind_of("a.md", b"# Title"), Ok("markdown"));
        assert_eq!(kind_of("a.HTM", b"<p>text"), Ok("html"));
        assert_eq!(kind_of("page.txt", html), Ok("html"));
        assert_eq!(kind_of("page", html), Ok("html"));
        assert_eq!(kind_of("main.rs", b"fn main() {}"), Ok("rust"));
        assert_eq!(kind_of("run", b"#!/usr/bin/env python3\nprint()\n"), Ok("python"));
        assert_eq!(kind_of("Dockerfile", b"FROM debian\n"), Ok("dockerfile"));
        assert_eq!(kind_of("config.toml", b"a = 1\n"), Ok("toml"));
        assert_eq!(kind_of("README", b"words\n"), Ok("text"));
        assert_eq!(kind_of("odd.xyz", b"words\n"), Ok("text"));
    }

    #[test]
    fn what_is_not_text_is_said() {
        assert!(matches!(extract(Path::new("a.bin"), &[0, 1, 2], &ExtractLimits::default()), Err(FileError::Binary)));
        assert!(matches!(extract(Path::new("a.txt"), b"", &ExtractLimits::default()), Err(FileError::Empty)));
        assert!(matches!(extract(Path::new("a.html"), b"<p></p>", &ExtractLimits::default()), Err(FileError::Empty)));
        assert_eq!(kind_of("a.txt", b"%PDF-1.4"), Err("PDF files cannot be read yet".to_owned()));
        assert_eq!(kind_of("a.eml", b"Subject: x\n\nbody"), Err("e-mail files cannot be read yet".to_owned()));
        let limits = ExtractLimits { max_bytes: 3 };
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
            if let Ok(document) = extract(Path::new(&path), text.as_bytes(), &ExtractLimits::default()) {
                assert_invariants(&document);
            }
        }
    }
}
