//! Marked-up text that is written by hand: reStructuredText, AsciiDoc, Org, LaTeX, manual pages, subtitles. The readers
//! are our own and go line by line. The crates were judged by their state, not measured: orgize has been an alpha of 0.10
//! for long, rst_parser is a grammar that refuses a whole file for one thing it does not know, and none reads AsciiDoc
//! or LaTeX to text. A search engine needs the words and headings of every file more than it needs every construct.

mod asciidoc;
mod inline;
mod latex;
mod lines;
mod man;
mod org;
mod rst;
mod rst_tables;
mod subtitles;
mod tex;
mod writer;

use crate::block::StructuredText;
use crate::error::FileError;
use crate::{Input, decode};

pub(crate) use asciidoc::{FORMAT as ASCIIDOC, looks_like as looks_like_asciidoc};
pub(crate) use latex::{FORMAT as LATEX, looks_like as looks_like_latex};
pub(crate) use man::{FORMAT as MAN, is_named as is_man, looks_like as looks_like_man};
pub(crate) use org::{FORMAT as ORG, looks_like as looks_like_org};
pub(crate) use rst::FORMAT as RST;
pub(crate) use subtitles::{FORMAT as SUBTITLES, looks_like as looks_like_subtitles};

pub(crate) fn read_asciidoc(input: &Input<'_>) -> Result<StructuredText, FileError> {
    Ok(decoded(input, asciidoc::structure))
}

pub(crate) fn read_latex(input: &Input<'_>) -> Result<StructuredText, FileError> {
    Ok(decoded(input, latex::structure))
}

pub(crate) fn read_man(input: &Input<'_>) -> Result<StructuredText, FileError> {
    Ok(decoded(input, man::structure))
}

pub(crate) fn read_org(input: &Input<'_>) -> Result<StructuredText, FileError> {
    Ok(decoded(input, org::structure))
}

pub(crate) fn read_rst(input: &Input<'_>) -> Result<StructuredText, FileError> {
    Ok(decoded(input, rst::structure))
}

pub(crate) fn read_subtitles(input: &Input<'_>) -> Result<StructuredText, FileError> {
    Ok(decoded(input, subtitles::structure))
}

fn decoded(input: &Input<'_>, structure: fn(&str) -> StructuredText) -> StructuredText {
    let decoded = decode::decode(input.bytes, None);
    let mut document = structure(&decoded.text);
    document.warnings.splice(0..0, decoded.warnings);
    document
}
