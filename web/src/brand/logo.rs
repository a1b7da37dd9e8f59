//! The logo: a small picture that is read once, at the start, and is what its name says.

use std::fs;
use std::path::Path;

/// Bytes of a picture; every first visit loads it.
const MAX_BYTES: u64 = 256 << 10;

/// A picture as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logo {
    /// The file that the page asks for.
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Logo {
    /// Reads a picture, or says what is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let size = fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        if !size.is_file() {
            return Err(format!("expected a file, and {shown} is none"));
        }
        if size.len() > MAX_BYTES {
            return Err(format!("expected at most {MAX_BYTES} bytes, and {shown} has {}", size.len()));
        }
        let bytes = fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let (name, media_type) = kind(&bytes)
            .ok_or_else(|| format!("expected a picture as SVG, PNG, JPEG or WebP, and {shown} holds something else"))?;
        Ok(Self { name, media_type, bytes })
    }
}

/// What a picture is by its content: an ending is only a claim.
fn kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(("logo.png", "image/png"))
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(("logo.jpg", "image/jpeg"))
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(("logo.webp", "image/webp"))
    } else {
        is_svg(bytes).then_some(("logo.svg", "image/svg+xml"))
    }
}

fn is_svg(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let is_xml = ["<svg", "<?xml", "<!--", "<!DOCTYPE svg"].iter().any(|start| text.starts_with(start));
    is_xml && text.contains("<svg") && text.contains("http://www.w3.org/2000/svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_a_small_picture() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            Logo::read(&path)
        };
        let svg = b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(read("a", svg).unwrap().name, "logo.svg");
        assert_eq!(read("a.svg", b"\x89PNG\r\n\x1a\n....").unwrap().media_type, "image/png");
        for (bytes, told) in [
            (b"<html><svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), "SVG, PNG, JPEG or WebP"),
            (b"GIF89a".to_vec(), "SVG, PNG, JPEG or WebP"),
            (Vec::new(), "SVG, PNG, JPEG or WebP"),
            (vec![0; (MAX_BYTES + 1) as usize], "at most 262144 bytes"),
        ] {
            let wrong = read("b.png", &bytes).unwrap_err();
            assert!(wrong.contains(told) && wrong.contains("b.png"), "{wrong}");
        }
        assert!(Logo::read(folder.path()).unwrap_err().contains("expected a file"));
        assert!(Logo::read(&folder.path().join("none")).unwrap_err().contains("cannot read"));
    }
}
