//! OpenDocument (OASIS OpenDocument 1.3): texts, presentations, drawings and spreadsheets, in a package or as one flat
//! XML file. Text is in one vocabulary in all of them, so one reader of content serves all but sheets.
//!
//! Readers of our own: no maintained crate reads ODT or ODP; calamine reads ODS, but not what its cells show.

mod content;
mod spreadsheet;
mod styles;

use std::collections::HashMap;

use content::Content;
use styles::Styles;

use super::package::Package;
use super::properties;
use super::story;
use super::xml::{self, Node, Xml};
use crate::Format;
use crate::block::{StructuredText, TextBuilder};
use crate::error::FileError;
use crate::input::{ExtractLimits, Input};

pub(crate) const ODT: &Format = Format::of("odt");
pub(crate) const ODP: &Format = Format::of("odp");
pub(crate) const ODS: &Format = Format::of("ods");

/// Embedded formulas and charts that are read.
const MAX_OBJECTS: usize = 200;

/// Extensions of flat files.
const FLAT: &[&str] = &["fodt", "fodp", "fods"];

/// Bytes in which the root element of a flat file is looked for.
const ROOT: usize = 1024;

/// The parts of a document; a flat one has all of them in one text.
struct Parts<'p> {
    format: &'static Format,
    limits: &'p ExtractLimits,
    content: &'p str,
    styles: &'p str,
    meta: &'p str,
    /// Texts of embedded objects, by the name they are shown under, lower case.
    objects: HashMap<String, String>,
}

/// Reads a package.
pub(crate) fn read(package: &mut Package<'_>, format: &'static Format) -> Result<StructuredText, FileError> {
    if package.xml("META-INF/manifest.xml")?.is_some_and(|manifest| manifest.contains("encryption-data")) {
        return Err(FileError::Encrypted);
    }
    let content = package.required("content.xml")?;
    let styles = package.xml("styles.xml")?.unwrap_or_default();
    let meta = package.xml("meta.xml")?.unwrap_or_default();
    let mut objects = HashMap::new();
    let names = package.names().into_iter().filter(|name| name.contains('/') && name.ends_with("/content.xml"));
    for name in names.take(MAX_OBJECTS) {
        let text = package.xml(&name)?.unwrap_or_default();
        let object = name.trim_end_matches("/content.xml").to_owned();
        // An object that cannot be read costs itself alone.
        objects.extend(content::object(&text, package.format).ok().map(|text| (object, text)));
    }
    let limits = package.limits;
    document(&Parts { format, limits, content: &content, styles: &styles, meta: &meta, objects })
}

/// Whether a file is named like a flat document.
pub(crate) fn is_named(input: &Input<'_>) -> bool {
    input.has_extension(FLAT)
}

/// Whether text opens like a flat document.
pub(crate) fn looks_flat(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(ROOT)];
    head.windows(16).any(|window| window == b"<office:document")
}

/// Reads a flat document.
pub(crate) fn read_flat(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let text = xml::decoded(input.bytes.to_vec());
    let format = match input.extension().as_str() {
        "fodp" => ODP,
        "fods" => ODS,
        _ => ODT,
    };
    let (limits, objects) = (input.limits, HashMap::new());
    document(&Parts { format, limits, content: &text, styles: &text, meta: &text, objects })
}

fn document(parts: &Parts<'_>) -> Result<StructuredText, FileError> {
    let mut builder = TextBuilder::default();
    let declared = properties::add(parts.meta, parts.format.name, &mut builder);
    let mut styles = Styles::default();
    styles.read(parts.styles, parts.format.name)?;
    styles.read(parts.content, parts.format.name)?;
    let mut xml = Xml::new(parts.content, parts.format.name);
    let mut is_sheets = false;
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        match element.name() {
            "automatic-styles" | "styles" | "master-styles" | "meta" | "settings" | "scripts" | "font-face-decls" => {
                xml.skip()?;
            }
            "spreadsheet" => {
                is_sheets = true;
                spreadsheet::read(&mut xml, parts, &styles, &mut builder)?;
            }
            "text" | "presentation" | "drawing" => {
                let mut content = Content::new(parts, &styles);
                content.read(&mut xml, &mut builder)?;
            }
            _ => {}
        }
    }
    if !is_sheets {
        let margins = content::margins(parts, &styles)?;
        builder.place = None;
        story::tell(&mut builder, margins);
        return Ok(properties::finish(builder, parts.format, declared));
    }
    let title = builder.title.clone();
    let mut document = properties::finish(builder, parts.format, declared);
    document.title = title;
    Ok(document)
}

#[cfg(test)]
mod tests;
