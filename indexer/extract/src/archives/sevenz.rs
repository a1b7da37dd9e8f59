//! 7z by sevenz-rust2 (pure Rust, kept up; without its AES feature: encrypted archives are recorded as such). One
//! thread; members are read in the order they are packed in, because most archives are solid.

use std::io::Cursor;

use sevenz_rust2::{ArchiveReader, Error, NtTime, Password};

use super::unpacker::Unpacker;
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input};

pub(crate) const FORMAT: &Format = Format::of("7z");

/// Seconds between 1601, where Windows starts counting, and 1970.
const WINDOWS_EPOCH: i64 = 11_644_473_600;

/// How the id of the AES coder starts.
const AES: &[u8] = &[0x06, 0xf1];

pub(crate) fn is_7z(input: &Input<'_>) -> bool {
    input.bytes.starts_with(b"7z\xbc\xaf\x27\x1c")
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    let mut reader = ArchiveReader::new(Cursor::new(input.bytes), Password::empty()).map_err(outcome)?;
    reader.set_thread_count(1);
    let mut coders = reader.archive().blocks.iter().flat_map(|block| &block.coders);
    if coders.any(|coder| coder.encoder_method_id().starts_with(AES)) {
        return Err(FileError::Encrypted);
    }
    let mut unpacker = Unpacker::new(input, FORMAT);
    let walked = reader.for_each_entries(|entry, stream| {
        if entry.is_directory || entry.is_anti_item {
            return Ok(true);
        }
        let modified = entry.has_last_modified_date.then(|| seconds(entry.last_modified_date));
        Ok(unpacker.member(&entry.name, modified, stream).is_continue())
    });
    unpacker.finish(walked.err().map(outcome))
}

fn seconds(time: NtTime) -> i64 {
    i64::try_from(u64::from(time) / 10_000_000).unwrap_or(i64::MAX).saturating_sub(WINDOWS_EPOCH)
}

fn outcome(error: Error) -> FileError {
    match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => FileError::Encrypted,
        Error::UnsupportedCompressionMethod(method) if method.contains("AES") || method.contains("6, 241") => {
            FileError::Encrypted
        }
        Error::UnsupportedCompressionMethod(method) => FileError::Unsupported { format: format!("7z ({method})") },
        Error::MaxMemLimited { actaul_kb, .. } => {
            FileError::Limit { what: format!("unpacking it needs {} MiB", actaul_kb >> 10) }
        }
        error => FileError::damaged("7z", error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;

    /// Written by hand after 7zFormat.txt: two stored files, `a.txt` ("hello") and `b.md` ("# T").
    fn archive() -> Vec<u8> {
        let packed = b"hello# T";
        let mut header = vec![0x01, 0x04];
        // Pack information: position 0, one stream of 8 bytes.
        header.extend([0x06, 0, 1, 0x09, 8, 0x00]);
        // One folder with the copy coder, unpacked size 8.
        header.extend([0x07, 0x0b, 1, 0, 1, 0x01, 0x00, 0x0c, 8, 0x00]);
        // Two files in it, the first of 5 bytes.
        header.extend([0x08, 0x0d, 2, 0x09, 5, 0x00, 0x00]);
        let mut names = vec![0];
        names.extend("a.txt\0b.md\0".encode_utf16().flat_map(u16::to_le_bytes));
        header.extend([0x05, 2, 0x11, u8::try_from(names.len()).unwrap()]);
        header.extend(names);
        header.extend([0x00, 0x00]);
        let mut start = Vec::new();
        start.extend((packed.len() as u64).to_le_bytes());
        start.extend((header.len() as u64).to_le_bytes());
        start.extend(crc(&header).to_le_bytes());
        let mut bytes = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
        bytes.extend(crc(&start).to_le_bytes());
        bytes.extend(start);
        bytes.extend(packed);
        bytes.extend(header);
        bytes
    }

    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Extraction, FileError> {
        read(&Input::new(Path::new("a.7z"), bytes, &ExtractLimits::default()))
    }

    #[test]
    fn members_are_read() {
        let extraction = read_bytes(&archive()).unwrap();
        let texts: Vec<_> = extraction
            .parts
            .iter()
            .map(|part| (part.path.as_str(), part.outcome.as_ref().unwrap().text.as_str()))
            .collect();
        assert_eq!(texts, [("a.txt", "hello"), ("b.md", "T")]);
    }

    #[test]
    fn broken_archives_are_errors() {
        let bytes = archive();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            let _ = read_bytes(&broken);
        }
        assert!(matches!(read_bytes(&bytes[..40]), Err(FileError::Damaged { .. })));
    }
}
