//! EPUB 2 and 3: the chapters in the order of the spine, each read as the HTML page it is; a chapter without a heading
//! gets its name from the table of contents. Title, authors, language come from the package file.
//!
//! A reader of our own: the `epub` crate is GPL, and what is left to do beside ZIP, XML and HTML is this file.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::package::Package;
use super::properties;
use super::relations::join;
use super::story::NO_LINES;
use super::xml::{self, Node, Xml};
use crate::Format;
use crate::block::{BlockKind, Missing, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::html;
use crate::input::Input;

pub(crate) const FORMAT: &Format = Format::of("epub");

/// Ways to hide fonts from copying: no text is behind them.
const FONT_ALGORITHMS: &[&str] = &["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

/// Elements of HTML that have no end: `<br/>` means the same there as in XML.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// The package file: where everything is.
#[derive(Debug, Default)]
struct Publication {
    /// Name and media type of each item, by id; whether it is the table of contents.
    items: HashMap<String, (String, bool)>,
    spine: Vec<String>,
    contents: Option<String>,
}

/// Reads a package.
pub(crate) fn read(package: &mut Package<'_>) -> Result<StructuredText, FileError> {
    let opf = package_file(package)?;
    let text = package.required(&opf)?;
    let mut builder = TextBuilder::default();
    let declared = properties::add(&text, package.format, &mut builder);
    let publication = publication(&text, package.format, opf.rsplit_once('/').map_or("", |(folder, _)| folder))?;
    let encrypted = encrypted(package)?;
    let names = match &publication.contents {
        Some(part) => chapter_names(package, part)?,
        None => HashMap::new(),
    };
    for id in &publication.spine {
        let Some((part, is_contents)) = publication.items.get(id) else { continue };
        if *is_contents {
            continue;
        }
        if encrypted.contains(part) {
            return Err(FileError::Encrypted);
        }
        chapter(package, part, names.get(part).map(String::as_str), &mut builder)?;
        if builder.len() as u64 > package.limits.max_text {
            return Err(FileError::Limit { what: format!("more than {} MiB of text", package.limits.max_text >> 20) });
        }
    }
    Ok(properties::finish(builder, FORMAT, declared))
}

fn chapter(
    package: &mut Package<'_>,
    part: &str,
    name: Option<&str>,
    builder: &mut TextBuilder,
) -> Result<(), FileError> {
    let source = match package.bytes(part) {
        Ok(Some(bytes)) => with_end_tags(&xml::decoded(bytes)),
        Ok(None) => {
            builder.missing.push(Missing { part: part.to_owned(), reason: "it is not in the package".to_owned() });
            return Ok(());
        }
        Err(FileError::Damaged { reason, .. }) => {
            builder.missing.push(Missing { part: part.to_owned(), reason });
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    let page = html::read(&Input::new(Path::new(part), source.as_bytes(), package.limits))?;
    let has_heading = page.blocks.iter().take(2).any(|block| matches!(block.kind, BlockKind::Heading { .. }));
    if let Some(name) = name.filter(|_| !has_heading && !page.blocks.is_empty()) {
        builder.push(BlockKind::Heading { level: 1 }, name, NO_LINES);
    }
    for block in page.blocks {
        builder.push(block.kind, &page.text[block.span], NO_LINES);
    }
    Ok(())
}

/// Name of the package file.
fn package_file(package: &mut Package<'_>) -> Result<String, FileError> {
    let text = package.required("META-INF/container.xml")?;
    let mut xml = Xml::new(&text, package.format);
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        if let ("rootfile", Some(path)) = (element.name(), element.attribute("full-path")) {
            return Ok(path);
        }
    }
    Err(FileError::damaged(package.format, "META-INF/container.xml names no package file"))
}

fn publication(text: &str, format: &'static str, folder: &str) -> Result<Publication, FileError> {
    let mut out = Publication::default();
    let mut ncx = None;
    let mut xml = Xml::new(text, format);
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        match element.name() {
            "item" => {
                let (Some(id), Some(href)) = (element.attribute("id"), element.attribute("href")) else { continue };
                let part = join(folder, &decoded(&href));
                let properties = element.attribute("properties").unwrap_or_default();
                let is_contents = properties.split_whitespace().any(|property| property == "nav");
                if is_contents {
                    out.contents = Some(part.clone());
                }
                if element.attribute("media-type").as_deref() == Some("application/x-dtbncx+xml") {
                    ncx = Some(part.clone());
                }
                out.items.insert(id, (part, is_contents));
            }
            "itemref" => out.spine.extend(element.attribute("idref")),
            _ => {}
        }
    }
    out.contents = out.contents.or(ncx);
    Ok(out)
}

/// Names of chapters by part: of a navigation document (EPUB 3) or an NCX (EPUB 2).
fn chapter_names(package: &mut Package<'_>, contents: &str) -> Result<HashMap<String, String>, FileError> {
    let mut names = HashMap::new();
    let Some(text) = package.xml(contents)? else { return Ok(names) };
    let folder = contents.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let mut label = String::new();
    let mut xml = Xml::new(&text, package.format);
    // A book can be read without the names of its chapters.
    while let Ok(Some(node)) = xml.next() {
        let Node::Open(element) = node else { continue };
        let target = match element.name() {
            "text" => {
                label = xml.text().unwrap_or_default();
                continue;
            }
            "content" => element.attribute("src"),
            "a" => {
                let target = element.attribute("href");
                label = xml.text().unwrap_or_default();
                target
            }
            _ => continue,
        };
        let name = label.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(target) = target.filter(|_| !name.is_empty()) else { continue };
        let part = join(&folder, &decoded(target.split('#').next().unwrap_or_default()));
        names.entry(part).or_insert(name);
    }
    Ok(names)
}

/// Parts behind a lock that is not one of fonts.
fn encrypted(package: &mut Package<'_>) -> Result<HashSet<String>, FileError> {
    let mut out = HashSet::new();
    let Some(text) = package.xml("META-INF/encryption.xml")? else { return Ok(out) };
    let mut algorithm = String::new();
    let mut xml = Xml::new(&text, package.format);
    while let Some(node) = xml.next()? {
        let Node::Open(element) = node else { continue };
        match element.name() {
            "EncryptionMethod" => algorithm = element.attribute("Algorithm").unwrap_or_default(),
            "CipherReference" if !FONT_ALGORITHMS.contains(&algorithm.as_str()) => {
                out.extend(element.attribute("URI").map(|part| join("", &decoded(&part))));
            }
            _ => {}
        }
    }
    Ok(out)
}

/// `%20` and its like as the characters they stand for.
fn decoded(href: &str) -> String {
    let mut bytes = Vec::with_capacity(href.len());
    let mut rest = href.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// XHTML as HTML: `<title/>` is an empty element there and opens one here.
fn with_end_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(end) = rest.find("/>") {
        let (before, after) = rest.split_at(end);
        rest = &after[2..];
        out.push_str(before);
        let name = before.rfind('<').map(|start| &before[start + 1..]).unwrap_or_default();
        let length = name.bytes().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let name = &name[..length];
        if name.is_empty() || VOID.contains(&name.to_ascii_lowercase().as_str()) {
            out.push_str("/>");
        } else {
            out.push_str(&format!("></{name}>"));
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::assert_invariants;
    use crate::input::ExtractLimits;
    use crate::office::package::tests::packed;

    const CONTAINER: &str = "<container><rootfiles><rootfile full-path='O/p.opf'/></rootfiles></container>";
    const OPF: &str = "<package><metadata><dc:title>Book</dc:title><dc:creator>Ana</dc:creator><dc:language>en</dc:language>\
        </metadata><manifest><item id='b' href='b%20c.xhtml'/><item id='a' href='a.xhtml'/>\
        <item id='n' href='nav.xhtml' properties='nav'/></manifest><spine><itemref idref='n'/><itemref idref='a'/>\
        <itemref idref='b'/></spine></package>";
    const NAV: &str = "<html><body><nav><ol><li><a href='a.xhtml#x'>One</a></li><li><a href='b%20c.xhtml'>Two</a></li></ol>\
        </nav></body></html>";

    fn epub(encryption: &str) -> Result<StructuredText, FileError> {
        let bytes = packed(&[
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", CONTAINER),
            ("META-INF/encryption.xml", encryption),
            ("O/p.opf", OPF),
            ("O/nav.xhtml", NAV),
            ("O/b c.xhtml", "<html><head><title/></head><body><h2>Own name</h2><p>last</p></body></html>"),
            ("O/a.xhtml", "<html><head><title/></head><body><a id='x'/><p>first</p></body></html>"),
        ]);
        let limits = ExtractLimits::default();
        let document = read(&mut Package::open(&bytes, &limits, "epub")?)?;
        assert_invariants(&document);
        Ok(document)
    }

    #[test]
    fn chapters_come_in_order_with_their_names() {
        let document = epub("<encryption/>").unwrap();
        assert_eq!(document.text, "One\n\nfirst\n\nOwn name\n\nlast");
        assert_eq!((document.title.as_deref(), document.language.as_deref()), (Some("Book"), Some("en")));
        assert_eq!(document.metadata["author"], "Ana");
    }

    #[test]
    fn locked_chapters_need_a_key_and_hidden_fonts_do_not() {
        let locked = |algorithm: &str, part: &str| {
            format!(
                "<encryption><EncryptedData><EncryptionMethod Algorithm='{algorithm}'/><CipherData><CipherReference \
                 URI='{part}'/></CipherData></EncryptedData></encryption>"
            )
        };
        assert_eq!(
            epub(&locked("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "O/a.xhtml")),
            Err(FileError::Encrypted)
        );
        assert!(epub(&locked(FONT_ALGORITHMS[0], "O/a.xhtml")).is_ok());
    }

    #[test]
    fn addresses_and_empty_elements_are_translated() {
        assert_eq!(decoded("a%20b%zz%C3%A9%"), "a b%zzé%");
        assert_eq!(with_end_tags("<title/><br/><p class='x' />a"), "<title></title><br/><p class='x' ></p>a");
    }
}
