//! The properties of a document in its XMP packet (ISO 16684-1): what newer programs write in the place of the
//! information dictionary, or beside it with more in it, such as each author by name.

use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, Stream};

use super::budget::Budget;
use super::text;
use crate::office::{Node, Xml};

/// Largest packet that is read, in bytes, and most values of a list.
const MAX_PACKET: usize = 1 << 20;
const MAX_VALUES: usize = 64;

/// What a packet says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Packet {
    pub(super) titles: Vec<String>,
    pub(super) authors: Vec<String>,
    pub(super) descriptions: Vec<String>,
    pub(super) keywords: Vec<String>,
    pub(super) languages: Vec<String>,
    pub(super) created: Vec<String>,
    pub(super) modified: Vec<String>,
}

impl Packet {
    /// The packet of a document; an empty one where it has none that can be read.
    pub(super) fn of(pdf: &Pdf, budget: &mut Budget) -> Self {
        let catalogue = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
        let stream = catalogue.and_then(|catalogue| catalogue.get::<Stream<'_>>(b"Metadata"));
        let Some(bytes) = stream.and_then(|stream| Some(budget.unpack(&stream).ok()?.into_owned())) else {
            return Self::default();
        };
        if bytes.len() > MAX_PACKET {
            return Self::default();
        }
        match bytes[..] {
            [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => Self::parse(&text::decode(&bytes)),
            _ => Self::parse(&String::from_utf8_lossy(&bytes)),
        }
    }

    /// What was read until the packet ends or breaks off.
    fn parse(packet: &str) -> Self {
        let mut found = Self::default();
        let mut xml = Xml::new(packet.trim_start_matches('\u{feff}'), "pdf");
        let mut open: Vec<(usize, String)> = Vec::new();
        while let Ok(Some(node)) = xml.next() {
            match node {
                Node::Open(element) => {
                    if element.name() == "Description" {
                        for name in ["title", "creator", "CreateDate", "ModifyDate", "Keywords", "language"] {
                            found.add(name, &element.attribute(name).unwrap_or_default());
                        }
                    }
                    if found.list(element.name()).is_some() {
                        open.push((xml.depth(), element.name().to_owned()));
                    }
                }
                Node::Text(words) => {
                    if let Some((_, name)) = open.last() {
                        found.add(name, &words);
                    }
                }
                Node::Close(_) => open.retain(|(depth, _)| *depth <= xml.depth()),
            }
        }
        found
    }

    fn list(&mut self, name: &str) -> Option<&mut Vec<String>> {
        Some(match name {
            "title" => &mut self.titles,
            "creator" => &mut self.authors,
            "description" => &mut self.descriptions,
            "subject" | "Keywords" => &mut self.keywords,
            "language" => &mut self.languages,
            "CreateDate" => &mut self.created,
            "ModifyDate" => &mut self.modified,
            _ => return None,
        })
    }

    fn add(&mut self, name: &str, words: &str) {
        let words = text::tidy(&words.split_whitespace().collect::<Vec<_>>().join(" "));
        if let Some(list) = self.list(name)
            && !words.is_empty()
            && list.len() < MAX_VALUES
            && !list.contains(&words)
        {
            list.push(words);
        }
    }
}

/// A date that can be taken as it is: `2024-05-03T10:20:30+02:00` or its beginning.
pub(super) fn is_date(date: &str) -> bool {
    let number = |range: std::ops::Range<usize>| date.get(range).and_then(|digits| digits.parse::<u32>().ok());
    let sound = number(0..4).is_some_and(|year| (1900..3000).contains(&year))
        && (date.len() == 4 || number(5..7).is_some_and(|month| (1..=12).contains(&month)));
    sound && date.len() <= 35 && date.chars().all(|one| one.is_ascii_digit() || "-:TZ+.".contains(one))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_alternatives_and_attributes_are_read() {
        let packet = Packet::parse(
            "\u{feff}<?xpacket begin='' id='x'?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description rdf:about='' \
             xmp:CreateDate='2024-05-03T10:20:30+02:00' xmp:CreatorTool='Writer'><dc:title><rdf:Alt><rdf:li xml:lang='x-default'>\
             The\n title</rdf:li></rdf:Alt></dc:title><dc:creator><rdf:Seq><rdf:li>Ana Ruiz</rdf:li><rdf:li>Bo Å</rdf:li>\
             </rdf:Seq></dc:creator><dc:language><rdf:Bag><rdf:li>de-DE</rdf:li></rdf:Bag></dc:language>\
             <xmp:ModifyDate>2024-06-01</xmp:ModifyDate><pdf:Producer>Lib</pdf:Producer></rdf:Description></rdf:RDF>",
        );
        assert_eq!(packet.titles, ["The title"]);
        assert_eq!(packet.authors, ["Ana Ruiz", "Bo Å"]);
        assert_eq!((packet.languages, packet.modified), (vec!["de-DE".to_owned()], vec!["2024-06-01".to_owned()]));
        assert_eq!(packet.created, ["2024-05-03T10:20:30+02:00"]);
    }

    #[test]
    fn dates_that_are_none_are_told() {
        for date in ["2024", "2024-05", "2024-05-03", "2024-05-03T10:20:30Z"] {
            assert!(is_date(date), "{date}");
        }
        for date in ["", "May 2024", "0000-00-00", "2024-13-01", "D:20240503"] {
            assert!(!is_date(date), "{date}");
        }
    }

    proptest! {
        #[test]
        fn any_packet_is_survived(packet in "(<dc:title>|</dc:title>|<rdf:li>|<x a='1'/>|</x>|&amp;|&x;|[<>/a ]){0,40}") {
            Packet::parse(&packet);
        }
    }
}
