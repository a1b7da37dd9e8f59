//! Pictures: a photo, a screenshot, a scan. They have no text of their own; where scans are asked for, the picture is
//! handed out for OCR as the only page of a document.

use crate::block::{PageCount, Scan, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::{Format, Input};

const PNG: &Format = Format::of("png");
const JPEG: &Format = Format::of("jpeg");
const TIFF: &Format = Format::of("tiff");
const WEBP: &Format = Format::of("webp");

pub(crate) const FORMATS: &[&Format] = &[PNG, JPEG, TIFF, WEBP];

const SIGNATURES: &[(&[u8], &Format)] =
    &[(b"\x89PNG\r\n", PNG), (b"\xff\xd8\xff", JPEG), (b"II*\0", TIFF), (b"MM\0*", TIFF)];

pub(crate) fn is_picture(input: &Input<'_>) -> bool {
    format(input.bytes).is_some()
}

fn format(bytes: &[u8]) -> Option<&'static Format> {
    let known = SIGNATURES.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, format)| *format);
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    known.or(webp.then_some(WEBP))
}

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    if !input.limits.scans {
        return Err(FileError::Picture);
    }
    let format = format(input.bytes).ok_or(FileError::Binary)?;
    let mut builder = TextBuilder::default();
    builder.pages = Some(PageCount { all: 1, with_text: 0 });
    builder.scans.push(Scan { page: 1, image: input.bytes.to_vec() });
    Ok(builder.finish(format))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{ExtractLimits, FileError, extract};

    #[test]
    fn a_picture_is_handed_out_only_when_asked_for() {
        let png = b"\x89PNG\r\n\x1a\n....";
        let limits = ExtractLimits::default();
        assert_eq!(extract(Path::new("a.txt"), png, &limits), Err(FileError::Picture));
        let limits = ExtractLimits { scans: true, ..limits };
        let document = extract(Path::new("a"), png, &limits).unwrap().document.unwrap();
        assert_eq!(
            (document.scans[0].page, document.scans[0].image.as_slice(), document.blocks.len()),
            (1, &png[..], 0)
        );
        assert_eq!(document.kind, "png");
    }
}
