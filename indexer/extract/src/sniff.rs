//! Type by content: the signatures of formats that are not text, and the test whether bytes are text at all.

use crate::decode::utf_16_by_zeros;

/// Bytes looked at.
const SAMPLE: usize = 64 << 10;

/// Signatures of formats that quarry knows by name; a reader for one of them goes into the table of formats, which is
/// asked first.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP (Office, EPUB, archive)"),
    (b"PK\x05\x06", "ZIP (empty)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "legacy Office"),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG\r\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x7fELF", "ELF"),
    (b"SQLite format 3\0", "SQLite"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"fLaC", "FLAC"),
    (b"wOFF", "WOFF"),
    (b"wOF2", "WOFF2"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"MSCF", "Windows cabinet"),
    (b"BM\0\0", "bitmap"),
    (b"!<arch>\n", "ar archive"),
    (b"\xca\xfe\xba\xbe", "Java class"),
    (b"\0asm", "WebAssembly"),
    (b"!BDN", "Outlook data (PST)"),
    (b"\x1aE\xdf\xa3", "Matroska"),
    (b"L\0\0\0\x01\x14\x02\0", "Windows shortcut"),
];

/// Name of a format that is not text, by its first bytes.
pub(crate) fn signature(bytes: &[u8]) -> Option<&'static str> {
    let boxed = bytes.get(4..8) == Some(b"ftyp");
    let found = SIGNATURES.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    found.or(boxed.then_some("MP4 or HEIC"))
}

/// Whether the bytes cannot be text: more than one control character in a thousand bytes. UTF-16 counts as text.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || bytes.starts_with(b"\0\0\xfe\xff")
        || utf_16_by_zeros(bytes).is_some()
    {
        return false;
    }
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    // Tab, line feed, carriage return, form feed, backspace and escape occur in text files.
    let blank = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x08 | 0x1b);
    let strange = sample.iter().filter(|&&byte| (byte < 0x20 && !blank(byte)) || byte == 0x7f).count();
    strange * 1000 > sample.len()
}

/// Whether text opens like an HTML page.
pub(crate) fn looks_like_html(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let opening = bytes[..bytes.len().min(32)].to_ascii_lowercase();
    [&b"<!doctype html"[..], b"<html", b"<head>", b"<body"].iter().any(|tag| opening.starts_with(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_told_from_text() {
        assert!(is_binary(b"\x00\x01\x02\x03 some text"));
        assert!(is_binary(&[0; 100]));
        assert!(!is_binary("Grüße, 中文\r\n\tx\x1b[0m".as_bytes()));
        assert!(!is_binary(b"caf\xe9"));
        let utf_16: Vec<u8> = "plain text".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!is_binary(&utf_16));
    }

    #[test]
    fn one_stray_nul_in_a_long_text_is_forgiven() {
        let mut text = b"a line of a log\n".repeat(100);
        text.push(0);
        assert!(!is_binary(&text));
    }

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        assert_eq!(signature(b"%PDF-1.7 ..."), Some("PDF"));
        assert_eq!(signature(b"plain"), None);
        assert!(looks_like_html(b"\xef\xbb\xbf\n <!DOCTYPE HTML PUBLIC"));
        assert!(!looks_like_html(b"<p>a snippet"));
    }
}
