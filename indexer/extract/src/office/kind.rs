//! The kind of office document that a ZIP package is, told from what is in it: the type of its main part (Office Open
//! XML) or its member `mimetype` (OpenDocument, EPUB). The extension is asked only when the package is too damaged to
//! tell.

use super::open_document::{ODP, ODS, ODT};
use super::package::Package;
use super::relations::Relations;
use super::sheets::workbook::{self, XLSB, XLSX};
use super::xml::{Node, Xml};
use super::{epub, open_document, slides, word};
use crate::Format;
use crate::block::StructuredText;
use crate::error::FileError;
use crate::input::Input;

/// The formats whose files are office packages.
pub(crate) const PACKAGES: &[&Format] = &[word::FORMAT, slides::FORMAT, XLSX, XLSB, ODT, ODP, ODS, epub::FORMAT];

/// Members that open an office package and hardly any other archive.
const FIRST_MEMBERS: &[&[u8]] = &[b"[Content_Types].xml", b"mimetypeapplication/", b"_rels/.rels"];

/// Length of the header in front of the first member's name.
const LOCAL_HEADER: usize = 30;

/// An office package.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// With the name of the main part.
    Word(String),
    Slides(String),
    Sheets(String),
    BinarySheets,
    OpenText,
    OpenSlides,
    OpenSheets,
    Epub,
}

/// Whether a file is an office package, or was one before it was damaged.
pub(crate) fn is_package(input: &Input<'_>) -> bool {
    if !input.bytes.starts_with(b"PK") {
        return false;
    }
    if by_name(input).is_some() {
        return true;
    }
    let kind = Package::open(input.bytes, input.limits, "office").and_then(|mut package| kind(&mut package));
    // Damaged, encrypted or beyond the limits: still an office package, if it opens like one.
    kind.map_or_else(|_| opens_like_office(input.bytes), |kind| kind.is_some())
}

/// The format that the name of a file speaks for.
fn by_name(input: &Input<'_>) -> Option<&'static Format> {
    PACKAGES.iter().copied().find(|format| input.is_named(format))
}

fn opens_like_office(bytes: &[u8]) -> bool {
    bytes.get(LOCAL_HEADER..).is_some_and(|name| FIRST_MEMBERS.iter().any(|known| name.starts_with(known)))
}

/// Reads an office package.
pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let by_name = by_name(input).map_or("office", |format| format.name);
    let mut package = Package::open(input.bytes, input.limits, by_name)?;
    let Some(kind) = kind(&mut package)? else {
        return Err(FileError::damaged(by_name, "the ZIP package holds no office document"));
    };
    let format = kind.format();
    package.format = format.name;
    match kind {
        Kind::Word(main) => word::read(&mut package, &main, input),
        Kind::Slides(main) => slides::read(&mut package, &main),
        Kind::Sheets(main) => workbook::read_xml(&mut package, &main, input.bytes),
        Kind::BinarySheets => workbook::read_binary(&mut package, input.bytes),
        Kind::OpenText | Kind::OpenSlides | Kind::OpenSheets => open_document::read(&mut package, format),
        Kind::Epub => epub::read(&mut package),
    }
}

impl Kind {
    fn format(&self) -> &'static Format {
        match self {
            Self::Word(_) => word::FORMAT,
            Self::Slides(_) => slides::FORMAT,
            Self::Sheets(_) => XLSX,
            Self::BinarySheets => XLSB,
            Self::OpenText => ODT,
            Self::OpenSlides => ODP,
            Self::OpenSheets => ODS,
            Self::Epub => epub::FORMAT,
        }
    }
}

fn kind(package: &mut Package<'_>) -> Result<Option<Kind>, FileError> {
    if let Some(bytes) = package.bytes("mimetype")? {
        return Ok(by_media_type(String::from_utf8_lossy(&bytes).trim()));
    }
    if package.has("[Content_Types].xml") {
        return office_open(package);
    }
    if let Some(text) = package.xml("META-INF/manifest.xml")? {
        let mut xml = Xml::new(&text, package.format);
        while let Some(node) = xml.next()? {
            let Node::Open(element) = node else { continue };
            if element.attribute("full-path").as_deref() == Some("/") {
                return Ok(by_media_type(&element.attribute("media-type").unwrap_or_default()));
            }
        }
    }
    Ok(package.has("META-INF/container.xml").then_some(Kind::Epub))
}

fn by_media_type(media_type: &str) -> Option<Kind> {
    if media_type == "application/epub+zip" {
        return Some(Kind::Epub);
    }
    let kind = media_type.strip_prefix("application/vnd.oasis.opendocument.")?;
    let kind = kind.split('-').next().unwrap_or_default();
    match kind {
        "text" => Some(Kind::OpenText),
        "presentation" | "graphics" => Some(Kind::OpenSlides),
        "spreadsheet" => Some(Kind::OpenSheets),
        _ => None,
    }
}

/// The main part of an Office Open XML package and what its type says.
fn office_open(package: &mut Package<'_>) -> Result<Option<Kind>, FileError> {
    let relations = Relations::of(package, "")?;
    let Some(main) = relations.of_kind("officeDocument").into_iter().next() else { return Ok(None) };
    let types = package.required("[Content_Types].xml")?;
    let mut xml = Xml::new(&types, package.format);
    let mut media_type = String::new();
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        let part = element.attribute("PartName").unwrap_or_default();
        if part.trim_start_matches('/').eq_ignore_ascii_case(&main) {
            media_type = element.attribute("ContentType").unwrap_or_default().to_lowercase();
        }
    }
    // A main part without a type of its own: its folder tells.
    let sign = if media_type.is_empty() { main.clone() } else { media_type };
    Ok(match sign {
        sign if sign.contains("word") => Some(Kind::Word(main)),
        sign if sign.contains("presentation") || sign.contains("powerpoint") || sign.starts_with("ppt/") => {
            Some(Kind::Slides(main))
        }
        sign if sign.contains("sheet.binary") || sign.starts_with("xl/workbook.bin") => Some(Kind::BinarySheets),
        sign if sign.contains("spreadsheet") || sign.contains("excel") || sign.starts_with("xl/") => {
            Some(Kind::Sheets(main))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::ExtractLimits;
    use crate::office::package::tests::packed;

    fn kind_of(members: &[(&str, &str)]) -> Option<Kind> {
        let bytes = packed(members);
        let limits = ExtractLimits::default();
        kind(&mut Package::open(&bytes, &limits, "office").unwrap()).unwrap()
    }

    fn types(media_type: &str) -> String {
        format!("<Types><Override PartName='/word/document.xml' ContentType='{media_type}'/></Types>")
    }

    const RELATIONS: &str = "<Relationships><Relationship Id='1' Type='http://x/officeDocument' Target='word/document.xml'/></Relationships>";

    #[test]
    fn the_content_tells_the_kind() {
        let macros = "application/vnd.ms-word.document.macroEnabled.main+xml";
        let word = kind_of(&[("[Content_Types].xml", &types(macros)), ("_rels/.rels", RELATIONS)]);
        assert_eq!(word, Some(Kind::Word("word/document.xml".to_owned())));
        let untyped = kind_of(&[("[Content_Types].xml", "<Types/>"), ("_rels/.rels", RELATIONS)]);
        assert_eq!(untyped, Some(Kind::Word("word/document.xml".to_owned())));
        assert_eq!(kind_of(&[("mimetype", "application/vnd.oasis.opendocument.text-template")]), Some(Kind::OpenText));
        assert_eq!(kind_of(&[("mimetype", "application/epub+zip\n")]), Some(Kind::Epub));
        assert_eq!(kind_of(&[("a.txt", "x")]), None);
    }

    #[test]
    fn damaged_packages_are_known_by_their_first_member_or_name() {
        let bytes = packed(&[("[Content_Types].xml", "<Types/>")]);
        let limits = ExtractLimits::default();
        let is = |name: &str, bytes: &[u8]| is_package(&Input::new(std::path::Path::new(name), bytes, &limits));
        assert!(is("x.bin", &bytes[..60]));
        assert!(is("x.docx", b"PK\x05\x06"));
        assert!(!is("x.vsdx", &bytes), "other things are packages of this kind too");
        assert!(!is("x.zip", &packed(&[("a.txt", "x")])));
        assert!(!is("x.docx", b"text"));
    }
}
