//! The properties that a document states of itself: `docProps/core.xml` and `app.xml` of Office Open XML, `meta.xml` of
//! OpenDocument, the package file of an EPUB. All use the names of Dublin Core, so that one reading serves all.

use super::package::Package;
use super::xml::{Node, Xml};
use crate::Format;
use crate::block::{StructuredText, TextBuilder, floor_boundary};
use crate::error::FileError;

/// Names in the file and the field each becomes. Earlier lines win over later ones.
const FIELDS: &[(&str, &str)] = &[
    ("title", "title"),
    ("creator", "author"),
    ("initial-creator", "author"),
    ("modified", "date"),
    ("date", "date"),
    ("created", "date"),
    ("creation-date", "date"),
    ("keywords", "keywords"),
    ("keyword", "keywords"),
    ("subject", "subject"),
    ("description", "description"),
    ("publisher", "publisher"),
    ("language", "language"),
    ("category", "category"),
    ("Company", "company"),
];

/// Longest value that is kept.
const MAX_VALUE: usize = 2_000;

/// Titles that programs give by themselves.
const EMPTY_TITLES: &[&str] = &[
    "powerpoint presentation",
    "powerpoint-präsentation",
    "présentation powerpoint",
    "presentation",
    "untitled",
    "untitled document",
    "word document",
    "document",
    "slide 1",
    "",
];

/// Reads the properties of an Office Open XML package into a builder. Returns the language it declares.
pub(crate) fn read(package: &mut Package<'_>, builder: &mut TextBuilder) -> Result<Option<String>, FileError> {
    let mut language = None;
    for part in ["docProps/core.xml", "docProps/app.xml"] {
        if let Some(text) = package.xml(part)? {
            language = add(&text, package.format, builder).or(language);
        }
    }
    Ok(language)
}

/// Adds the properties of an XML part. Returns the language it declares. A damaged part leaves a warning: the document
/// can be read without it.
pub(crate) fn add(text: &str, format: &'static str, builder: &mut TextBuilder) -> Option<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    if let Err(error) = collect(text, format, &mut found) {
        builder.warnings.push(format!("the properties of the document are damaged: {error}"));
    }
    found.sort_by_key(|(rank, _)| *rank);
    let mut language = None;
    for (rank, value) in found {
        match FIELDS[rank].1 {
            "title" => drop(builder.title.get_or_insert(value)),
            "language" => drop(language.get_or_insert(value)),
            "keywords" => {
                let keywords = builder.metadata.entry("keywords".to_owned()).or_default();
                if !keywords.is_empty() {
                    keywords.push_str(", ");
                }
                keywords.push_str(&value);
            }
            field => drop(builder.metadata.entry(field.to_owned()).or_insert(value)),
        }
    }
    builder.title = builder.title.take().filter(|title| is_title(title));
    language
}

fn collect(text: &str, format: &'static str, found: &mut Vec<(usize, String)>) -> Result<(), FileError> {
    let mut xml = Xml::new(text, format);
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        if matches!(element.name(), "manifest" | "spine" | "body") {
            xml.skip()?;
            continue;
        }
        let Some(rank) = FIELDS.iter().position(|(name, _)| *name == element.name()) else { continue };
        let value = xml.text()?.split_whitespace().collect::<Vec<_>>().join(" ");
        let value = value[..floor_boundary(&value, MAX_VALUE)].to_owned();
        if !value.is_empty() {
            found.push((rank, value));
        }
    }
    Ok(())
}

fn is_title(title: &str) -> bool {
    let title = title.trim().to_lowercase();
    !EMPTY_TITLES.contains(&title.as_str()) && !title.starts_with("microsoft word - ")
}

/// The finished document: its language is told from its text, and else as it declares.
pub(crate) fn finish(builder: TextBuilder, format: &Format, declared: Option<String>) -> StructuredText {
    let mut document = builder.finish(format);
    let declared = declared.map(|language| language[..floor_boundary(&language, 2)].to_lowercase());
    let declared = declared.filter(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase()));
    document.language = document.language.or(declared);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_become_metadata() {
        let xml = "<p><dc:title>Plan</dc:title><dc:creator>Ana</dc:creator><dcterms:created>2020</dcterms:created>\
                   <dcterms:modified>2024</dcterms:modified><cp:keywords>a</cp:keywords><meta:keyword>b</meta:keyword>\
                   <dc:language>de-AT</dc:language></p>";
        let mut builder = TextBuilder::default();
        let language = add(xml, "docx", &mut builder);
        let document = finish(builder, Format::of("docx"), language);
        assert_eq!((document.title.as_deref(), document.language.as_deref()), (Some("Plan"), Some("de")));
        let fields: Vec<_> = document.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("author", "Ana"), ("date", "2024"), ("keywords", "a, b")]);
    }

    #[test]
    fn titles_of_programs_are_none() {
        let mut builder = TextBuilder::default();
        add("<p><title>PowerPoint Presentation</title></p>", "pptx", &mut builder);
        assert_eq!(builder.title, None);
        add("<p><title>broken", "pptx", &mut builder);
        assert_eq!(builder.warnings.len(), 1);
    }
}
