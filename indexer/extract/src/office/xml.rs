//! XML of office packages as a flat sequence of opening tags, closing tags and text, by quick-xml's pull parser over a
//! string in memory. Nothing recurses, so nesting costs a counter; document types are passed over and entities that
//! they declare stay unknown, so there are neither entity bombs nor external entities. Names are local names: the
//! namespaces of Strict and Transitional Office Open XML differ, the local names do not. Of `mc:AlternateContent` only
//! the first choice is read, otherwise every text box would be read twice.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesEnd, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::decode;
use crate::error::FileError;

/// Deepest nesting of elements that is followed.
const MAX_DEPTH: usize = 2_000;

/// Bytes in which the declaration of an encoding is looked for.
const DECLARATION: usize = 200;

/// A piece of an XML document.
pub(crate) enum Node<'a> {
    Open(Element<'a>),
    Close(Closed<'a>),
    Text(Cow<'a, str>),
}

/// An opening tag.
pub(crate) struct Element<'a>(BytesStart<'a>);

impl Element<'_> {
    /// The name without its prefix.
    pub(crate) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of the first attribute of this local name.
    pub(crate) fn attribute(&self, local: &str) -> Option<String> {
        self.find(|name, _| name == local)
    }

    /// The value of an attribute that has a prefix: `r:id` beside `id`.
    pub(crate) fn prefixed(&self, local: &str) -> Option<String> {
        self.find(|name, prefixed| prefixed && name == local)
    }

    /// A number in an attribute.
    pub(crate) fn number<N: std::str::FromStr>(&self, local: &str) -> Option<N> {
        self.attribute(local)?.trim().parse().ok()
    }

    /// Whether a switch such as `w:vanish` or an attribute of another name is on: there, and not said to be off.
    pub(crate) fn is_on(&self) -> bool {
        !self.attribute("val").is_some_and(|value| matches!(value.as_str(), "0" | "false" | "off" | "none"))
    }

    fn find(&self, wanted: impl Fn(&str, bool) -> bool) -> Option<String> {
        let mut attributes = self.0.attributes();
        let attributes = attributes.with_checks(false);
        let found = attributes.flatten().find(|attribute| {
            let name = attribute.key.local_name().into_inner();
            wanted(name, attribute.key.prefix().is_some())
        })?;
        let value = found.normalized_value(XmlVersion::Implicit1_0);
        Some(value.map_or_else(|_| found.value.to_string(), Cow::into_owned))
    }
}

/// A closing tag, or the end of an empty element.
pub(crate) enum Closed<'a> {
    Empty(BytesStart<'a>),
    End(BytesEnd<'a>),
}

impl Closed<'_> {
    /// The name without its prefix.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Empty(start) => start.local_name().into_inner(),
            Self::End(end) => end.local_name().into_inner(),
        }
    }
}

/// Reads an XML document piece by piece.
pub(crate) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    /// Format of the file, for messages.
    format: &'static str,
    /// An empty element that was opened and is closed next.
    empty: Option<BytesStart<'a>>,
    depth: usize,
    /// Depths of the open `AlternateContent` elements, and whether a choice was taken.
    alternatives: Vec<(usize, bool)>,
}

impl<'a> Xml<'a> {
    /// A document as text.
    pub(crate) fn new(text: &'a str, format: &'static str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().allow_dangling_amp = true;
        Self { reader, format, empty: None, depth: 0, alternatives: Vec::new() }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`FileError::Damaged`] when it is not well-formed, [`FileError::Limit`] when it nests absurdly deep.
    pub(crate) fn next(&mut self) -> Result<Option<Node<'a>>, FileError> {
        loop {
            let node = self.any()?;
            let Some(Node::Open(element)) = &node else { return Ok(node) };
            let parent = self.alternatives.last().copied().filter(|(depth, _)| depth + 1 == self.depth);
            match (element.name(), parent) {
                ("AlternateContent", _) => self.alternatives.push((self.depth, false)),
                ("Choice" | "Fallback", Some((_, true))) => {
                    self.skip()?;
                    continue;
                }
                ("Choice", Some((depth, false))) => {
                    self.alternatives.pop();
                    self.alternatives.push((depth, true));
                }
                _ => {}
            }
            return Ok(node);
        }
    }

    /// Steps over the rest of the element that was opened last.
    pub(crate) fn skip(&mut self) -> Result<(), FileError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside && self.any()?.is_some() {}
        Ok(())
    }

    /// The text below the element that was opened last, up to its end.
    pub(crate) fn text(&mut self) -> Result<String, FileError> {
        let outside = self.depth.saturating_sub(1);
        let mut out = String::new();
        while self.depth > outside {
            match self.next()? {
                Some(Node::Text(text)) => out.push_str(&text),
                Some(_) => {}
                None => break,
            }
        }
        Ok(out)
    }

    /// Open elements.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    fn any(&mut self) -> Result<Option<Node<'a>>, FileError> {
        if let Some(start) = self.empty.take() {
            self.close();
            return Ok(Some(Node::Close(Closed::Empty(start))));
        }
        loop {
            let event = self.reader.read_event().map_err(|error| self.damaged(&error))?;
            let text = match event {
                Event::Start(start) => {
                    self.open()?;
                    return Ok(Some(Node::Open(Element(start))));
                }
                Event::Empty(start) => {
                    self.open()?;
                    self.empty = Some(start.clone());
                    return Ok(Some(Node::Open(Element(start))));
                }
                Event::End(end) => {
                    self.close();
                    return Ok(Some(Node::Close(Closed::End(end))));
                }
                Event::Text(text) => text.into_inner(),
                Event::CData(text) => text.into_inner(),
                Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                    Ok(Some(character)) => Cow::Owned(character.to_string()),
                    _ => Cow::Borrowed(predefined(&reference.into_inner())),
                },
                Event::Eof if self.depth > 0 => return Err(self.damaged(&"the XML ends within an element")),
                Event::Eof => return Ok(None),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
            };
            return Ok(Some(Node::Text(text)));
        }
    }

    fn open(&mut self) -> Result<(), FileError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(FileError::Limit { what: format!("its XML nests more than {MAX_DEPTH} elements deep") });
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.alternatives.last().is_some_and(|(depth, _)| *depth == self.depth) {
            self.alternatives.pop();
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn damaged(&self, reason: &impl ToString) -> FileError {
        FileError::damaged(self.format, reason.to_string())
    }
}

/// The five entities that every document knows; others are nothing.
pub(crate) fn predefined(name: &str) -> &'static str {
    match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => "",
    }
}

/// The text of an XML file: UTF-8, what a byte order mark says, or what its declaration says.
pub(crate) fn decoded(bytes: Vec<u8>) -> String {
    let bytes = match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.remove(0);
            }
            return text;
        }
        Err(error) => error.into_bytes(),
    };
    let head = &bytes[..bytes.len().min(DECLARATION)];
    let declared = head.windows(9).position(|window| window == b"encoding=").and_then(|at| {
        let value = &head[at + 9..];
        let quote = *value.first()?;
        let end = value[1..].iter().position(|&byte| byte == quote)?;
        encoding_rs::Encoding::for_label(&value[1..1 + end])
    });
    decode::decode(&bytes, declared.filter(|encoding| encoding.is_ascii_compatible())).text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Result<String, FileError> {
        let mut xml = Xml::new(text, "test");
        let mut out = String::new();
        while let Some(node) = xml.next()? {
            match node {
                Node::Open(element) => out.push_str(&format!("<{}", element.name())),
                Node::Close(closed) => out.push_str(&format!(">{}", closed.name())),
                Node::Text(text) => out.push_str(&text),
            }
        }
        Ok(out)
    }

    #[test]
    fn empty_elements_open_and_close() {
        assert_eq!(shape("<w:a><w:b/>x &amp; &#228;<![CDATA[<]]></w:a>").unwrap(), "<a<b>bx & ä<>a");
    }

    #[test]
    fn one_alternative_is_read() {
        let xml = "<p><mc:AlternateContent><mc:Choice><a/></mc:Choice><mc:Choice><b/></mc:Choice><mc:Fallback><c/>\
                   </mc:Fallback></mc:AlternateContent><mc:AlternateContent><mc:Fallback><d/></mc:Fallback>\
                   </mc:AlternateContent></p>";
        let read = shape(xml).unwrap();
        assert!(read.contains("<a") && !read.contains("<b") && !read.contains("<c") && read.contains("<d"), "{read}");
    }

    #[test]
    fn entities_of_a_document_type_are_not_expanded() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"boom\"><!ENTITY c SYSTEM \"file:///etc/passwd\">]><a>x&b;&c;y</a>";
        assert_eq!(shape(bomb).unwrap(), "<axy>a");
    }

    #[test]
    fn broken_and_endless_documents_are_refused() {
        assert!(matches!(shape("<a><b></a>"), Err(FileError::Damaged { .. })));
        assert!(matches!(shape("<a><b>"), Err(FileError::Damaged { .. })));
        assert!(matches!(shape(&"<a>".repeat(3_000)), Err(FileError::Limit { .. })));
    }

    #[test]
    fn attributes_are_found_with_and_without_prefix() {
        let mut xml = Xml::new("<s id=\"1\" r:id=\"r&amp;2\"><t>a<b>c</b></t><u/>z</s>", "test");
        let Ok(Some(Node::Open(element))) = xml.next() else { panic!() };
        assert_eq!((element.attribute("id").unwrap(), element.prefixed("id").unwrap()), ("1".into(), "r&2".into()));
        let Ok(Some(Node::Open(_))) = xml.next() else { panic!() };
        assert_eq!(xml.text().unwrap(), "ac");
        let Ok(Some(Node::Open(_))) = xml.next() else { panic!() };
        xml.skip().unwrap();
        assert!(matches!(xml.next(), Ok(Some(Node::Text(text))) if text == "z"));
        assert_eq!(xml.depth(), 1);
    }

    #[test]
    fn encodings_of_xml_are_told() {
        let utf_16: Vec<u8> = "\u{feff}<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(utf_16), "<a>é</a>");
        let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>".to_vec();
        assert!(decoded(latin).ends_with("<a>é</a>"));
    }
}
