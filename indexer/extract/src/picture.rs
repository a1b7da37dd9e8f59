//! Pictures: a photo, a screenshot, a scan. They have no text of their own; where scans are asked for, the picture is
//! handed out for OCR as the only page of a document.

use crate::Input;
use crate::block::{PageCount, Scan, StructuredText, TextBuilder};
use crate::error::FileError;

const SIGNATURES: &[(&[u8], &str)] =
    &[(b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"II*\0", "tiff"), (b"MM\0*", "tiff")];

pub(crate) fn is_picture(input: &Input<'_>) -> bool {
    kind(input.bytes).is_some()
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    let known = SIGNATURES.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    known.or(webp.then_some("webp"))
}

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    if !input.limits.scans {
        return Err(FileError::Picture);
    }
    let mut builder = TextBuilder::default();
    builder.pages = Some(PageCount { all: 1, with_text: 0 });
    builder.scans.push(Scan { page: 1, image: input.bytes.to_vec() });
    Ok(builder.finish(kind(input.bytes).unwrap_or("picture")))
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
