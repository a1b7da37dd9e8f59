//! The readers in the order in which they are asked. Content that belongs to one format only (a signature) decides
//! whatever the name says; among texts the name decides, as the table of formats has it, and the content corrects it.

use std::path::Path;

use crate::block::StructuredText;
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::input::{ExtractLimits, Input};
use crate::outline::outlined;
use crate::{
    Format, archives, calendar, code, data, html, languages, line_ends, mail, markdown, markup, office, payload, pdf,
    picture, plain, sniff,
};

/// A reader: which formats are its own, how their files are told, and the function that reads one.
struct Reader {
    /// What its documents are: their kinds are the names of these rows. Empty for source code: its language is its kind.
    formats: &'static [&'static Format],
    sign: Sign,
    read: Read,
}

/// What gives a format away.
enum Sign {
    /// Its bytes alone, as binary formats have it. Such formats are asked first, whatever the file is called.
    Content(fn(&Input<'_>) -> bool),
    /// Its name; and where a name says little, how its text opens.
    Text { named: Names, opens: fn(&[u8]) -> bool },
}

/// Which file names belong to a reader.
enum Names {
    /// Those that the table of formats gives to its formats.
    OfFormats,
    /// Those that a rule knows.
    Rule(fn(&Input<'_>) -> bool),
}

/// What reads a file: most files are one document, some hold others.
enum Read {
    Document(fn(&Input<'_>) -> Result<StructuredText, FileError>),
    Container(fn(&Input<'_>) -> Result<Extraction, FileError>),
}

/// A reader of files that their bytes give away.
const fn content(formats: &'static [&'static Format], is_it: fn(&Input<'_>) -> bool, read: Read) -> Reader {
    Reader { formats, sign: Sign::Content(is_it), read }
}

/// A reader of text.
const fn text(formats: &'static [&'static Format], opens: fn(&[u8]) -> bool, read: Read) -> Reader {
    Reader { formats, sign: Sign::Text { named: Names::OfFormats, opens }, read }
}

impl Reader {
    /// With a rule of its own for file names.
    const fn named_by(self, named: fn(&Input<'_>) -> bool) -> Self {
        match self.sign {
            Sign::Text { opens, .. } => Self { sign: Sign::Text { named: Names::Rule(named), opens }, ..self },
            Sign::Content(_) => self,
        }
    }

    fn is_content_of(&self, input: &Input<'_>) -> bool {
        matches!(self.sign, Sign::Content(is_it) if is_it(input))
    }

    fn is_name_of(&self, input: &Input<'_>) -> bool {
        match self.sign {
            Sign::Content(_) => false,
            Sign::Text { named: Names::OfFormats, .. } => self.formats.iter().any(|format| input.is_named(format)),
            Sign::Text { named: Names::Rule(is_named), .. } => is_named(input),
        }
    }

    fn is_opening_of(&self, bytes: &[u8]) -> bool {
        matches!(self.sign, Sign::Text { opens, .. } if opens(bytes))
    }
}

/// A text whose opening tells nothing.
fn no_opening(_: &[u8]) -> bool {
    false
}

/// All readers, asked in this order; what none claims is plain text or binary.
const READERS: &[Reader] = &[
    content(&[pdf::FORMAT], pdf::is_pdf, Read::Container(pdf::read)),
    content(office::PACKAGES, office::is_package, Read::Document(office::read_package)),
    content(&[office::DOC, office::PPT, office::XLS], office::is_compound, Read::Document(office::read_compound)),
    content(&[office::RTF], office::is_rtf, Read::Document(office::read_rtf)),
    text(&[office::CSV, office::TSV], no_opening, Read::Document(office::read_delimited)),
    text(&[office::ODT, office::ODP, office::ODS], office::looks_flat, Read::Document(office::read_flat))
        .named_by(office::is_flat_named),
    content(&[mail::MSG], mail::is_msg, Read::Container(mail::read_msg)),
    content(&[mail::TNEF], mail::is_tnef, Read::Container(mail::read_tnef)),
    // A mail may hold bytes that no text holds: its name is enough.
    content(&[mail::EML, html::FORMAT], mail::is_eml, Read::Container(mail::read_eml)),
    content(&[mail::MBOX], mail::is_mbox, Read::Container(mail::read_mbox)),
    content(picture::FORMATS, picture::is_picture, Read::Document(picture::read)),
    text(&[html::FORMAT], sniff::looks_like_html, Read::Document(html::read)),
    text(&[markdown::FORMAT], no_opening, Read::Document(markdown::read)),
    text(&[markup::RST], no_opening, Read::Document(markup::read_rst)),
    text(&[markup::ASCIIDOC], markup::looks_like_asciidoc, Read::Document(markup::read_asciidoc)),
    text(&[markup::LATEX], markup::looks_like_latex, Read::Document(markup::read_latex)),
    text(&[markup::ORG], markup::looks_like_org, Read::Document(markup::read_org)),
    text(&[markup::MAN], markup::looks_like_man, Read::Document(markup::read_man)).named_by(markup::is_man),
    text(&[calendar::CALENDAR, calendar::CONTACTS], calendar::looks_like, Read::Document(calendar::read))
        .named_by(calendar::is_named),
    text(&[markup::SUBTITLES], markup::looks_like_subtitles, Read::Document(markup::read_subtitles)),
    text(&[data::NOTEBOOK], no_opening, Read::Document(data::read_notebook)),
    text(&[data::JSON], data::looks_like_json, Read::Document(data::read_json)),
    text(&[data::XML], data::looks_like_xml, Read::Document(data::read_xml)),
    text(&[mail::MBOX], mail::looks_like_mbox, Read::Container(mail::read_mbox)),
    text(&[mail::EML, html::FORMAT], mail::looks_like_eml, Read::Container(mail::read_eml)),
    text(&[], languages::has_shebang, Read::Document(code::read)).named_by(languages::is_named),
    text(&[plain::FORMAT], no_opening, Read::Document(plain::read)),
    content(&[archives::SEVENZ], archives::is_7z, Read::Container(archives::read_7z)),
    content(&[archives::TAR], archives::is_tar, Read::Container(archives::read_tar)),
    content(archives::COMPRESSED, archives::is_compressed, Read::Container(archives::read_compressed)),
    // Behind the formats that are ZIP inside (Office, OpenDocument, EPUB).
    content(&[archives::ZIP], archives::is_zip, Read::Container(archives::read_zip)),
];

/// Of text that no reader claims.
const FALLBACK: Reader = text(&[plain::FORMAT], no_opening, Read::Document(plain::read));

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
    let mut extraction = match reader_of(input)?.read {
        Read::Document(read) => Extraction::from(read(input)?),
        Read::Container(read) => read(input)?,
    };
    extraction.document = extraction.document.map(payload::without_payload).map(line_ends::mended).map(outlined);
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

fn reader_of(input: &Input<'_>) -> Result<&'static Reader, FileError> {
    if let Some(reader) = READERS.iter().find(|reader| reader.is_content_of(input)) {
        return Ok(reader);
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
    let named = READERS.iter().find(|reader| reader.is_name_of(input));
    let sniffed = READERS.iter().find(|reader| reader.is_opening_of(input.bytes));
    // Markdown and source code may open with a tag: content corrects only names that say little.
    let says_little = named.is_none() || input.is_named(plain::FORMAT);
    let reader = if says_little { sniffed.or(named) } else { named };
    Ok(reader.unwrap_or(&FALLBACK))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use formats::Family;

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
    fn every_row_of_the_table_has_a_reader_and_every_reader_a_row() {
        for format in Format::all() {
            let owners = READERS.iter().filter(|reader| reader.formats.contains(&format)).count();
            if format.family == Family::Code {
                assert_eq!(owners, 0, "{}: source code has one reader for all languages", format.name);
                let name = format.extensions.first().map(|extension| format!("a.{extension}"));
                let name = name.unwrap_or_else(|| format.file_names[0].to_owned());
                assert_eq!(kind_of(&name, b"some = words\n"), Ok(format.name.to_owned()));
            } else {
                assert!(owners > 0, "{}: no reader reads it", format.name);
            }
        }
        let nameless = READERS.iter().filter(|reader| reader.formats.is_empty()).count();
        assert_eq!(nameless, 1, "only source code is called by its language");
    }

    /// One small file of every format that can be written down here, under a name that says nothing where its content
    /// says it all. Files of Office 97 to 2003 (DOC, XLS, PPT, MSG) and XLSB, packages and PDF are made by the tests of
    /// their readers; what those call a document is a row by its type.
    const SAMPLES: [(&str, &[u8], &str); 32] = [
        ("a.txt", b"words\n", "text"),
        ("a.md", b"# Title\n", "markdown"),
        ("a", b"<!doctype html><p>x</p>", "html"),
        ("a.rst", b"Title\n=====\n\ntext\n", "rst"),
        ("a", b"= Title\n:toc:\n\ntext", "asciidoc"),
        ("a", b"#+TITLE: x\ntext", "org"),
        ("a", b"\\documentclass{article}\\begin{document}x\\end{document}", "latex"),
        ("a", b".TH X 1\n.SH NAME\nx", "man"),
        ("ls.1", b".TH X 1\n.SH NAME\nx", "man"),
        ("a", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello", "subtitles"),
        ("a", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\nEND:VCALENDAR\n", "calendar"),
        ("a", b"BEGIN:VCARD\nFN:x\nEND:VCARD\n", "contacts"),
        ("a.ics", b"<!doctype html><p>Sign in</p>", "html"),
        ("a.ipynb", br##"{"cells": [{"cell_type": "markdown", "source": "# T"}]}"##, "notebook"),
        ("a.csv", b"a,b\n1,2\n", "csv"),
        ("a.tsv", b"a\tb\n1\t2\n", "tsv"),
        ("a", b"{\n \"a\": 1}", "json"),
        ("a", b"<?xml version='1.0'?><a><b>c</b></a>", "xml"),
        ("a", b"{\\rtf1 words}", "rtf"),
        ("a", b"<office:document><office:body><office:text><text:p>x</text:p></office:text></office:body></office:document>", "odt"),
        ("a.fodp", b"<office:document><office:body><office:text><text:p>x</text:p></office:text></office:body></office:document>", "odp"),
        ("a.fods", b"<office:document><office:body><office:text><text:p>x</text:p></office:text></office:body></office:document>", "ods"),
        ("a", b"From: a@x\nTo: b@x\nSubject: s\n\nbody", "eml"),
        ("a", b"From a@x Wed May  1 10:30:00 2024\nFrom: a@x\nTo: b@x\nDate: x\n\nbody", "mbox"),
        ("a", b"\x89PNG\r\n\x1a\n....", "png"),
        ("a", b"\xff\xd8\xff....", "jpeg"),
        ("a", b"II*\0....", "tiff"),
        ("a", b"RIFF....WEBP....", "webp"),
        ("run", b"#!/usr/bin/env python3\nprint()\n", "python"),
        ("run", b"#!/usr/bin/env -S Rscript\nx\n", "r"),
        ("run", b"#!/usr/bin/node\nx\n", "javascript"),
        ("Dockerfile", b"FROM debian\n", "dockerfile"),
    ];

    #[test]
    fn what_a_reader_calls_a_document_is_one_of_its_formats() {
        let limits = ExtractLimits { scans: true, ..ExtractLimits::default() };
        for (name, bytes, kind) in SAMPLES {
            let extraction = extract(Path::new(name), bytes, &limits).unwrap();
            assert_eq!(extraction.kind, kind, "{name}");
            let format = Format::named(&extraction.kind).unwrap();
            let reader = reader_of(&Input::new(Path::new(name), bytes, &limits)).unwrap();
            let is_language = reader.formats.is_empty() && format.family == Family::Code;
            assert!(is_language || reader.formats.contains(&format), "{name}: {kind}");
            assert!(extraction.document.is_none_or(|document| document.kind == kind));
        }
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
            "4 bytes, more than the limit of 3; raise `max_file_mb` under [extract] to index it"
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
