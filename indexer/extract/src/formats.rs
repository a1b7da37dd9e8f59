//! The table of formats: how each is recognised and who reads it. Content that belongs to one format only (a signature)
//! decides whatever the name says; among texts the name decides and the content corrects it.

use std::path::Path;

use crate::block::StructuredText;
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::input::{ExtractLimits, Input};
use crate::{archives, code, data, html, languages, mail, markdown, markup, office, pdf, picture, plain, sniff};

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

const fn content(is_it: fn(&Input<'_>) -> bool, read: fn(&Input<'_>) -> Result<StructuredText, FileError>) -> Format {
    Format { sign: Sign::Content(is_it), read: Reader::Document(read) }
}

const fn text(
    named: fn(&Input<'_>) -> bool,
    sniffed: fn(&[u8]) -> bool,
    read: fn(&Input<'_>) -> Result<StructuredText, FileError>,
) -> Format {
    Format { sign: Sign::Text { named, sniffed }, read: Reader::Document(read) }
}

/// Text that holds further documents.
const fn texts(
    named: fn(&Input<'_>) -> bool,
    sniffed: fn(&[u8]) -> bool,
    read: fn(&Input<'_>) -> Result<Extraction, FileError>,
) -> Format {
    Format { sign: Sign::Text { named, sniffed }, read: Reader::Container(read) }
}

const fn folder(is_it: fn(&Input<'_>) -> bool, read: fn(&Input<'_>) -> Result<Extraction, FileError>) -> Format {
    Format { sign: Sign::Content(is_it), read: Reader::Container(read) }
}

/// All formats, asked in this order; what none claims is plain text or binary.
const FORMATS: &[Format] = &[
    folder(pdf::is_pdf, pdf::read),
    content(office::is_package, office::read_package),
    content(office::is_compound, office::read_compound),
    content(office::is_rtf, office::read_rtf),
    text(office::is_delimited, |_| false, office::read_delimited),
    text(office::is_flat_named, office::looks_flat, office::read_flat),
    folder(mail::is_msg, mail::read_msg),
    folder(mail::is_tnef, mail::read_tnef),
    // A mail may hold bytes that no text holds: its name is enough.
    folder(mail::is_eml, mail::read_eml),
    folder(mail::is_mbox, mail::read_mbox),
    Format { sign: Sign::Content(picture::is_picture), read: Reader::Document(picture::read) },
    text(html::is_named, sniff::looks_like_html, html::read),
    text(markdown::is_named, |_| false, markdown::read),
    text(markup::is_rst, |_| false, markup::read_rst),
    text(markup::is_asciidoc, markup::looks_like_asciidoc, markup::read_asciidoc),
    text(markup::is_latex, markup::looks_like_latex, markup::read_latex),
    text(markup::is_org, markup::looks_like_org, markup::read_org),
    text(markup::is_man, markup::looks_like_man, markup::read_man),
    text(markup::is_subtitles, markup::looks_like_subtitles, markup::read_subtitles),
    text(data::is_notebook, |_| false, data::read_notebook),
    text(data::is_json, data::looks_like_json, data::read_json),
    text(data::is_xml, data::looks_like_xml, data::read_xml),
    texts(|_| false, mail::looks_like_mbox, mail::read_mbox),
    texts(|_| false, mail::looks_like_eml, mail::read_eml),
    text(languages::is_named, languages::has_shebang, code::read),
    text(plain::is_named, |_| false, plain::read),
    folder(archives::is_7z, archives::read_7z),
    folder(archives::is_tar, archives::read_tar),
    folder(archives::is_compressed, archives::read_compressed),
    // Behind the formats that are ZIP inside (Office, OpenDocument, EPUB).
    folder(archives::is_zip, archives::read_zip),
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
    read(&Input::new(path, bytes, limits)).map(Extraction::bounded).map_err(FileError::bounded)
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
    let says_nothing = |document: &StructuredText| document.blocks.is_empty() && document.scans.is_empty();
    // Where something is missing (an encrypted body), that is what there is to say.
    let missing = text.is_some_and(|document| !document.missing.is_empty());
    if text.is_none_or(says_nothing) && extraction.parts.is_empty() && !missing {
        return Err(FileError::Empty);
    }
    let length = text.map_or(0, |document| document.text.len() as u64);
    if length > input.limits.max_text {
        return Err(FileError::Limit { what: format!("more than {} MiB of text", input.limits.max_text >> 20) });
    }
    input.note_text(length)?;
    Ok(extraction)
}

fn format_of(input: &Input<'_>) -> Result<&'static Format, FileError> {
    let by_content = FORMATS.iter().find(|format| matches!(format.sign, Sign::Content(is_it) if is_it(input)));
    if let Some(format) = by_content {
        return Ok(format);
    }
    if let Some(format) = sniff::signature(input.bytes) {
        return Err(FileError::Unsupported { format: format.to_string() });
    }
    if input.bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----") {
        return Err(FileError::Encrypted);
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
    fn texts_without_a_telling_name_are_known_by_their_opening() {
        let cases: [(&[u8], &str); 10] = [
            (b"<?xml version='1.0'?><a><b>c</b></a>", "xml"),
            (b"<?xml version='1.0'?><!DOCTYPE html><html><p>x</html>", "html"),
            (b"{\n \"a\": 1}", "json"),
            (b"From: a@x\nTo: b@x\nSubject: s\n\nbody", "eml"),
            (b"From a@x Wed May  1 10:30:00 2024\nFrom: a@x\nTo: b@x\nDate: x\n\nbody", "mbox"),
            (b"% c\n\\documentclass{article}\\begin{document}x\\end{document}", "latex"),
            (b"#+TITLE: x\ntext", "org"),
            (b".TH X 1\n.SH NAME\nx", "man"),
            (b"= Title\n:toc:\n\ntext", "asciidoc"),
            (b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello", "subtitles"),
        ];
        for (bytes, kind) in cases {
            for name in ["file", "file.txt", "file.unknown"] {
                assert_eq!(kind_of(name, bytes), Ok(kind.to_owned()), "{name}");
            }
        }
        assert_eq!(kind_of("wrong.pdf", b"{\"a\": 1}"), Ok("json".to_owned()));
    }

    #[test]
    fn what_is_not_text_is_said() {
        assert!(matches!(extract(Path::new("a.bin"), &[0, 1, 2], &ExtractLimits::default()), Err(FileError::Binary)));
        assert!(matches!(extract(Path::new("a.txt"), b"", &ExtractLimits::default()), Err(FileError::Empty)));
        assert!(matches!(extract(Path::new("a.html"), b"<p></p>", &ExtractLimits::default()), Err(FileError::Empty)));
        assert!(matches!(kind_of("a.txt", b"%PDF-1.4"), Err(reason) if reason.starts_with("not a sound PDF file")));
        let armoured = b"\n-----BEGIN PGP MESSAGE-----\n\nhIwDY32hYGCE8MkB\n";
        assert_eq!(extract(Path::new("a.asc"), armoured, &ExtractLimits::default()), Err(FileError::Encrypted));
        let limits = ExtractLimits { max_bytes: 3, ..ExtractLimits::default() };
        let error = extract(Path::new("a.txt"), b"four", &limits).unwrap_err();
        assert_eq!(
            error.to_string(),
            "4 bytes, more than the limit of 3; raise `max_file_mb` under [extract], or `--max-file-size`, to index it"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn nothing_breaks_a_reader(
            text in "([#>*`|<&;\\-+=:~ \n\t_0-9a-zA-Zß中\"'(){}\\[\\]/!]|</?(div|p|li|table|td|pre|h2|main)>|\n\n|```|# |\\| a \\| b \\|\n){0,80}",
            extension in "md|html|txt|rs|py|js|ts|go|java|c|cpp|toml|csv|rst|adoc|org|tex|man|srt|json|xml|cs|rb|php|sh|yaml",
        ) {
            let path = format!("file.{extension}");
            if let Ok(extraction) = extract(Path::new(&path), text.as_bytes(), &ExtractLimits::default()) {
                assert_invariants(extraction.document.as_ref().unwrap());
            }
        }
    }
}
