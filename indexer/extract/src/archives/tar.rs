//! Tar (POSIX, GNU, old) by the `tar` crate, read as a stream: it never lies unpacked in memory as a whole.

use std::io::Read;

use tar::{Archive, EntryType};

use super::unpacker::Unpacker;
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input, decode};

pub(crate) const FORMAT: &Format = Format::of("tar");

/// Bytes of a header.
pub(super) const BLOCK: usize = 512;

pub(crate) fn is_tar(input: &Input<'_>) -> bool {
    is_header(input.bytes)
}

/// Whether bytes open with a header: by its magic, or in old archives by its checksum.
pub(super) fn is_header(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..BLOCK) else { return false };
    if &header[257..262] == b"ustar" {
        return true;
    }
    let Ok(stated) = std::str::from_utf8(&header[148..156]) else { return false };
    let Ok(stated) = u32::from_str_radix(stated.trim_matches(['\0', ' ']), 8) else { return false };
    let counted = |(at, &byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u32::from(byte) };
    header[0] != 0 && header.iter().enumerate().map(counted).sum::<u32>() == stated
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    read_stream(input, input.bytes)
}

/// Reads a stream, which may still be compressed in `input`.
pub(super) fn read_stream(input: &Input<'_>, stream: impl Read) -> Result<Extraction, FileError> {
    let mut unpacker = Unpacker::new(input, FORMAT);
    let mut archive = Archive::new(stream);
    let entries = archive.entries().map_err(|error| FileError::damaged(FORMAT.name, error))?;
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return unpacker.finish(Some(FileError::damaged(FORMAT.name, error))),
        };
        let document =
            matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse);
        if !document {
            continue;
        }
        let path = decode::decode(&entry.path_bytes(), None).text;
        let modified = entry.header().mtime().ok().and_then(|seconds| i64::try_from(seconds).ok());
        if unpacker.member(&path, modified, &mut entry).is_break() {
            break;
        }
    }
    unpacker.finish(None)
}

#[cfg(test)]
pub(in crate::archives) mod tests {
    use std::path::Path;

    use tar::{Builder, Header};

    use super::*;
    use crate::ExtractLimits;

    pub(in crate::archives) fn archive() -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(12);
        header.set_mtime(1_700_000_000);
        header.set_mode(0o644);
        builder.append_data(&mut header, "docs/a.md", &b"# Title\n\nxyz"[..]).unwrap();
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        builder.append_link(&mut link, "passwd", "/etc/passwd").unwrap();
        let mut device = Header::new_gnu();
        device.set_entry_type(EntryType::Char);
        device.set_size(0);
        builder.append_data(&mut device, "dev/zero", &b""[..]).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_are_members_and_links_and_devices_are_not() {
        let bytes = archive();
        let limits = ExtractLimits::default();
        let input = Input::new(Path::new("a"), &bytes, &limits);
        assert!(is_tar(&input));
        let extraction = read(&input).unwrap();
        assert_eq!(extraction.parts.len(), 1);
        assert_eq!(extraction.parts[0].path, "docs/a.md");
        assert_eq!(extraction.parts[0].modified, Some(1_700_000_000));
    }

    #[test]
    fn what_comes_before_a_broken_place_is_kept() {
        let mut bytes = archive();
        bytes[1024 + 150] ^= 0x55;
        let limits = ExtractLimits::default();
        let extraction = read(&Input::new(Path::new("a.tar"), &bytes, &limits)).unwrap();
        assert_eq!(extraction.parts.len(), 1);
        assert!(extraction.warnings[0].starts_with("not read to its end"), "{:?}", extraction.warnings);
    }

    #[test]
    fn text_is_not_an_archive() {
        assert!(!is_header(&[b' '; 600]) && !is_header(&[0; 600]) && !is_header(b"short"));
    }
}
