//! DOCX and its kin (ECMA-376 part 1, WordprocessingML): the body in order, with styles, numbering, notes and comments
//! from their own parts, headers and footers once at the end.
//!
//! Why a reader of our own: on the 47 DOCX of the test set `undoc` 0.27, `office_oxide` 0.1 and `docx-lite` 0.2 were
//! compared (figures in docs/BENCHMARKS.md). They find fewer of the expected words, hand out Markdown in which levels, markers
//! and cells have to be found again, and bring 40,000 to 115,000 lines; the last two run out of memory on a
//! decompression bomb, and `docx-lite` pins a quick-xml with open advisories.

mod body;
mod notes;
mod numbering;
mod styles;
mod symbols;

use std::path::Path;

use body::{Context, Reading};
use notes::Notes;
use numbering::Numbering;
use styles::Styles;

use super::package::Package;
use super::properties;
use super::relations::Relations;
use super::story::{self, Piece, Role};
use crate::block::{Block, BlockKind, Missing, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::{Format, Input};

pub(crate) const FORMAT: &Format = Format::of("docx");

/// Reads a package whose main part is a Word document.
pub(crate) fn read(package: &mut Package<'_>, main: &str, input: &Input<'_>) -> Result<StructuredText, FileError> {
    let mut builder = TextBuilder::default();
    let declared = properties::read(package, &mut builder)?;
    let relations = Relations::of(package, main)?;
    let text = package.required(main)?;
    let mut parts = Parts { package, relations: &relations, builder: &mut builder };
    let styles = parts.one("styles", Styles::read)?.unwrap_or_default();
    let numbering = parts.one("numbering", Numbering::read)?.unwrap_or_default();
    let mut notes = Notes::default();
    let limits = parts.package.limits;
    for kind in ["footnotes", "endnotes", "comments"] {
        let context = Context { styles: &styles, numbering: &numbering, limits };
        parts.one(kind, |text, format| notes.read(text, format, kind, &context))?;
    }
    let context = Context { styles: &styles, numbering: &numbering, limits };
    let format = parts.package.format;
    let diagrams = diagrams(parts.package, &relations)?;
    let chunks = chunks(&mut parts, main, input)?;
    let mut reading = Reading::new(&context, &notes);
    (reading.diagrams, reading.chunks) = (diagrams, chunks);
    reading.read(&text, format)?;
    let body = reading.finish();
    let margins = margins(&mut parts, &context, input)?;
    story::tell(&mut builder, body);
    story::tell(&mut builder, margins);
    Ok(properties::finish(builder, FORMAT, declared))
}

/// What a paragraph is by the name of its style, in many languages; `None` for one that says nothing.
pub(crate) fn meaning_by_name(name: &str) -> Option<Role> {
    Some(match styles::by_name(name)? {
        styles::Meaning::Heading(level) => Role::heading(level),
        styles::Meaning::Code => Role::code(),
        styles::Meaning::Quote => Role { kind: BlockKind::Quote, prefix: String::new() },
    })
}

/// The parts beside the main one. A damaged one is missing from the text; the rest is read.
struct Parts<'p, 'a> {
    package: &'p mut Package<'a>,
    relations: &'p Relations,
    builder: &'p mut TextBuilder,
}

impl Parts<'_, '_> {
    /// Reads the first part of a kind.
    fn one<T>(
        &mut self,
        kind: &str,
        read: impl FnOnce(&str, &'static str) -> Result<T, FileError>,
    ) -> Result<Option<T>, FileError> {
        let Some(part) = self.relations.of_kind(kind).into_iter().next() else { return Ok(None) };
        self.part(&part, kind, read)
    }

    fn part<T>(
        &mut self,
        part: &str,
        name: &str,
        read: impl FnOnce(&str, &'static str) -> Result<T, FileError>,
    ) -> Result<Option<T>, FileError> {
        let format = self.package.format;
        let outcome = self.package.xml(part).and_then(|text| text.map(|text| read(&text, format)).transpose());
        match outcome {
            Err(FileError::Damaged { reason, .. }) => {
                self.builder.missing.push(Missing { part: name.to_owned(), reason });
                Ok(None)
            }
            other => other,
        }
    }
}

/// Texts of the drawn diagrams, by the relation that draws each.
fn diagrams(package: &mut Package<'_>, relations: &Relations) -> Result<Vec<(String, Vec<Piece>)>, FileError> {
    let mut out = Vec::new();
    for (id, kind, part) in relations.drawn() {
        let Some(text) = package.xml(&part)? else { continue };
        let pieces = super::drawn::read(&text, package.format, &kind, package.limits);
        // A drawing that cannot be read costs itself alone.
        out.extend(pieces.ok().map(|pieces| (id, pieces)));
    }
    Ok(out)
}

/// Documents of other formats that are inserted as they are (HTML, MHTML, RTF, Word), by their relations: Word turns them
/// into its own text when it opens the file, but programs that export to Word often leave it at that.
fn chunks(parts: &mut Parts<'_, '_>, of: &str, input: &Input<'_>) -> Result<Vec<(String, Vec<Piece>)>, FileError> {
    let mut out = Vec::new();
    for (id, part) in Relations::of(parts.package, of)?.inserted() {
        let name = part.rsplit('/').next().unwrap_or_default().to_owned();
        let read = match parts.package.bytes(&part)? {
            Some(bytes) => input.inner(Path::new(&name), &bytes),
            None => Err(FileError::damaged(parts.package.format, "it is missing")),
        };
        match read.map(|inner| inner.document.unwrap_or_else(|| TextBuilder::default().finish(FORMAT))) {
            Ok(document) => {
                let piece = |block: &Block| Piece::Block {
                    kind: block.kind.clone(),
                    text: document.text[block.span.clone()].to_owned(),
                };
                out.push((id, document.blocks.iter().map(piece).collect()));
                parts.builder.missing.extend(document.missing.iter().cloned());
            }
            Err(FileError::Empty) => {}
            Err(error) => {
                let missing = Missing { part: format!("inserted document {name}"), reason: error.to_string() };
                parts.builder.missing.push(missing);
            }
        }
    }
    Ok(out)
}

/// Headers and footers, each text once.
fn margins(parts: &mut Parts<'_, '_>, context: &Context<'_>, input: &Input<'_>) -> Result<Vec<Piece>, FileError> {
    let mut seen: Vec<String> = Vec::new();
    let mut out = Vec::new();
    let notes = Notes::default();
    for kind in ["header", "footer"] {
        for part in parts.relations.of_kind(kind) {
            let chunks = chunks(parts, &part, input)?;
            let pieces = parts.part(&part, kind, |text, format| {
                let mut reading = Reading::new(context, &notes);
                reading.chunks = chunks;
                reading.read(text, format)?;
                Ok(reading.finish())
            })?;
            for piece in pieces.into_iter().flatten() {
                let text = story::running_text(std::slice::from_ref(&piece));
                // Page numbers alone say nothing.
                let says_something = text.chars().any(char::is_alphabetic);
                if says_something && !seen.contains(&text) {
                    seen.push(text);
                    out.push(piece);
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
