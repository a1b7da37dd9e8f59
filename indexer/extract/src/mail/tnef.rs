//! TNEF ([MS-OXTNEF]): `winmail.dat`, in which Outlook wraps attachments and formatted bodies for other Outlooks. Read
//! here: the one crate for it (`tnef` 0.1) stops at the first attribute it does not know and leaves the properties, where
//! long names and HTML bodies stand, undecoded.

use std::borrow::Cow;

use super::letter::{Attachment, Body, Content, Letter};
use super::mapi::{self, property};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input};

pub(crate) const FORMAT: &Format = Format::of("tnef");

const MAGIC: &[u8] = &[0x78, 0x9f, 0x3e, 0x22];

/// Attributes, without the type in their upper half.
const SUBJECT: u16 = 0x8004;
const BODY: u16 = 0x800c;
const ATTACH_DATA: u16 = 0x800f;
const ATTACH_TITLE: u16 = 0x8010;
const ATTACH_START: u16 = 0x9002;
const MESSAGE_PROPERTIES: u16 = 0x9003;
const ATTACH_PROPERTIES: u16 = 0x9005;
const CODEPAGE: u16 = 0x9007;

pub(crate) fn is_tnef(input: &Input<'_>) -> bool {
    input.bytes.starts_with(MAGIC)
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    let mut letter = Letter::default();
    let mut codepage = 1252;
    let mut rest = Bytes(input.bytes.get(6..).unwrap_or_default());
    while let Some((attribute, data)) = attribute(&mut rest) {
        match attribute {
            CODEPAGE => codepage = Bytes(data).number().unwrap_or(codepage),
            SUBJECT => letter.subject = mapi::text(data, codepage),
            BODY => letter.plain.push(Body::Plain(mapi::text(data, codepage))),
            MESSAGE_PROPERTIES => message_properties(data, codepage, &mut letter),
            ATTACH_START => {
                letter.attachments.push(Attachment { name: String::new(), content: Content::File(Cow::Borrowed(&[])) })
            }
            _ => attachment(attribute, data, codepage, letter.attachments.last_mut()),
        }
    }
    letter.attachments.retain(|attachment| matches!(&attachment.content, Content::File(bytes) if !bytes.is_empty()));
    let mut extraction = letter.read(input, FORMAT);
    extraction.document = extraction.document.filter(|document| !document.blocks.is_empty());
    if extraction.document.is_none() && extraction.parts.is_empty() && input.bytes.len() > 64 {
        return Err(FileError::damaged("winmail.dat", "no body and no attachment found"));
    }
    Ok(extraction)
}

fn attachment<'a>(attribute: u16, data: &'a [u8], codepage: u32, open: Option<&mut Attachment<'a>>) {
    let Some(open) = open else { return };
    match attribute {
        // The long name stands in the properties: it wins.
        ATTACH_TITLE if open.name.is_empty() => open.name = mapi::text(data, codepage),
        ATTACH_DATA => open.content = Content::File(Cow::Borrowed(data)),
        ATTACH_PROPERTIES => {
            for (number, kind, value) in properties(data) {
                if number == property::ATTACH_LONG_NAME {
                    open.name = property_text(kind, value, codepage);
                }
            }
        }
        _ => {}
    }
}

fn message_properties(data: &[u8], codepage: u32, letter: &mut Letter<'_>) {
    for (number, kind, value) in properties(data) {
        match number {
            property::HTML => letter.rich.push(Body::Html(property_text(kind, value, codepage))),
            property::SUBJECT if letter.subject.is_empty() => letter.subject = property_text(kind, value, codepage),
            property::RTF if letter.plain.is_empty() => {
                letter.plain.extend(mapi::decompress_rtf(value).map(Body::Rtf));
            }
            _ => {}
        }
    }
}

fn property_text(kind: u16, value: &[u8], codepage: u32) -> String {
    if kind == 0x001f { mapi::wide_text(value) } else { mapi::text(value, codepage) }
}

/// The next attribute and its data: level, number, type, length, data, checksum.
fn attribute<'a>(rest: &mut Bytes<'a>) -> Option<(u16, &'a [u8])> {
    rest.take(1)?;
    let tag = rest.number()?;
    let length = rest.number()? as usize;
    let data = rest.take(length)?;
    // Writers forget the checksum behind the last one.
    rest.take(2);
    Some(((tag & 0xffff) as u16, data))
}

/// Properties with their types and values; those of a fixed size are passed over.
fn properties(data: &[u8]) -> Vec<(u16, u16, &[u8])> {
    let mut found = Vec::new();
    let mut rest = Bytes(data);
    let count = rest.number().unwrap_or(0);
    for _ in 0..count {
        if property_of(&mut rest, &mut found).is_none() {
            break;
        }
    }
    found
}

fn property_of<'a>(rest: &mut Bytes<'a>, found: &mut Vec<(u16, u16, &'a [u8])>) -> Option<()> {
    let tag = rest.number()?;
    let (kind, number) = ((tag & 0xffff) as u16, (tag >> 16) as u16);
    if number >= 0x8000 {
        rest.take(16)?;
        if rest.number()? == 0 {
            rest.take(4)?;
        } else {
            let length = rest.number()? as usize;
            rest.take_padded(length)?;
        }
    }
    let multiple = kind & 0x1000 != 0;
    let fixed = match kind & 0x0fff {
        0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Some(4),
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
        0x0048 => Some(16),
        _ => None,
    };
    let count = if multiple || fixed.is_none() { rest.number()? } else { 1 };
    for _ in 0..count {
        match fixed {
            Some(size) => drop(rest.take(size)?),
            None => {
                let length = rest.number()? as usize;
                found.push((number, kind & 0x0fff, rest.take_padded(length)?));
            }
        }
    }
    Some(())
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Values fill whole words of four bytes.
    fn take_padded(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.take(count)?;
        self.take((4 - count % 4) % 4);
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|four| u32::from_le_bytes(*four))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;

    fn push(out: &mut Vec<u8>, attribute: u32, data: &[u8]) {
        out.push(1);
        out.extend(attribute.to_le_bytes());
        out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        out.extend(data);
        out.extend([0, 0]);
    }

    fn winmail() -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([1, 0]);
        push(&mut out, 0x0001_8004, b"Subject\0");
        push(&mut out, 0x0002_800c, b"Body words\0");
        push(&mut out, 0x0006_9002, &[0; 14]);
        push(&mut out, 0x0001_8010, b"PLAN~1.MD\0");
        push(&mut out, 0x0006_800f, b"# Plan");
        let name: Vec<u8> = "plan.md\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut properties = 2_u32.to_le_bytes().to_vec();
        properties.extend(0x3705_0003_u32.to_le_bytes());
        properties.extend(1_u32.to_le_bytes());
        properties.extend(0x3707_001f_u32.to_le_bytes());
        properties.extend(1_u32.to_le_bytes());
        properties.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        properties.extend(name);
        push(&mut out, 0x0006_9005, &properties);
        out
    }

    #[test]
    fn body_and_attachments_are_unwrapped() {
        let bytes = winmail();
        let limits = ExtractLimits::default();
        let extraction = read(&Input::new(Path::new("winmail.dat"), &bytes, &limits)).unwrap();
        assert_eq!(extraction.parts[0].path, "plan.md");
        assert_eq!(extraction.parts[0].outcome.as_ref().unwrap().kind, "markdown");
        let document = extraction.document.unwrap();
        assert_eq!((document.title.as_deref(), document.text.ends_with("Body words")), (Some("Subject"), true));
    }

    #[test]
    fn broken_wrappings_are_harmless() {
        let bytes = winmail();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            let _ = read(&Input::new(Path::new("a"), &broken, &ExtractLimits::default()));
            let _ = read(&Input::new(Path::new("a"), &bytes[..at], &ExtractLimits::default()));
        }
    }
}
