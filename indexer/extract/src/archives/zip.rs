//! ZIP by the `zip` crate (pure Rust with these features, the one that is kept up). Names that are not marked as UTF-8
//! are told by statistics over all names together: archives made on Chinese or Japanese Windows hold GBK or Shift-JIS,
//! which DOS rules would turn into line art.

use std::io::Cursor;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};
use zip::result::ZipError;
use zip::{DateTime, ExtraField, ZipArchive};

use super::unpacker::{Flow, Unpacker, unix_time};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input};

pub(crate) const FORMAT: &Format = Format::of("zip");

const FILE_KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// Encodings of names that statistics are believed for.
const EASTERN: &[&Encoding] = &[GBK, GB18030, BIG5, SHIFT_JIS, EUC_JP, EUC_KR];

pub(crate) fn is_zip(input: &Input<'_>) -> bool {
    input.bytes.starts_with(b"PK\x03\x04") || input.bytes.starts_with(b"PK\x05\x06")
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    let mut archive = ZipArchive::new(Cursor::new(input.bytes)).map_err(outcome)?;
    let encoding = encoding_of_names(&mut archive);
    let mut unpacker = Unpacker::new(input, FORMAT);
    for index in 0..archive.len() {
        if member(&mut archive, index, encoding, &mut unpacker).is_break() {
            break;
        }
    }
    unpacker.finish(None)
}

fn member(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    encoding: Option<&'static Encoding>,
    unpacker: &mut Unpacker<'_, '_>,
) -> Flow {
    // What is said about a member can be read even if the member itself cannot.
    let Ok(raw) = archive.by_index_raw(index) else { return Flow::Continue(()) };
    let mode = raw.unix_mode().unwrap_or(REGULAR) & FILE_KIND;
    if raw.is_dir() || !(mode == REGULAR || mode == 0) {
        return Flow::Continue(());
    }
    let fields = || raw.extra_data_fields();
    let stamp = fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => times.mod_time().map(i64::from),
        _ => None,
    });
    let modified = stamp.or_else(|| raw.last_modified().map(local_time));
    let (size, encrypted) = (raw.size(), raw.encrypted());
    let name = match (std::str::from_utf8(raw.name_raw()), encoding) {
        (Ok(name), _) => name.to_owned(),
        (Err(_), Some(encoding)) => encoding.decode_without_bom_handling(raw.name_raw()).0.into_owned(),
        (Err(_), None) => raw.name().map_or_else(|_| "unnamed".to_owned(), |name| name.into_owned()),
    };
    drop(raw);
    if encrypted {
        return unpacker.failed(&name, size, modified, FileError::Encrypted);
    }
    match archive.by_index(index) {
        Ok(mut file) => unpacker.member(&name, modified, &mut file),
        Err(error) => unpacker.failed(&name, size, modified, outcome(error)),
    }
}

/// DOS times know no time zone: taken as UTC.
fn local_time(time: DateTime) -> i64 {
    let date = (i64::from(time.year()), i64::from(time.month()), i64::from(time.day()));
    unix_time(date, (i64::from(time.hour()), i64::from(time.minute()), i64::from(time.second())))
}

fn encoding_of_names(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Option<&'static Encoding> {
    let mut names = Vec::new();
    for name in archive.file_names_raw().filter(|name| std::str::from_utf8(name).is_err()) {
        names.extend_from_slice(name);
        names.push(b'\n');
    }
    if names.is_empty() {
        return None;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&names, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let believed = EASTERN.contains(&guess) && !guess.decode_without_bom_handling(&names).1;
    believed.then_some(guess)
}

fn outcome(error: ZipError) -> FileError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => FileError::Encrypted,
        ZipError::CompressionMethodNotSupported(method) => {
            FileError::Unsupported { format: format!("ZIP (compression method {method})") }
        }
        ZipError::UnsupportedArchive(what) => FileError::Unsupported { format: format!("ZIP ({what})") },
        error => FileError::damaged("ZIP", error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::ExtractLimits;

    fn options() -> SimpleFileOptions {
        let time = DateTime::from_date_and_time(2024, 5, 1, 10, 30, 0).unwrap();
        SimpleFileOptions::default().last_modified_time(time)
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, options()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn read_bytes(bytes: &[u8], limits: &ExtractLimits) -> Result<Extraction, FileError> {
        read(&Input::new(Path::new("a.zip"), bytes, limits))
    }

    fn paths(extraction: &Extraction) -> Vec<&str> {
        extraction.parts.iter().map(|part| part.path.as_str()).collect()
    }

    #[test]
    fn members_are_read_by_their_own_format_and_archives_nest() {
        let inner = archive(&[("deep.md", b"# Deep")]);
        let bytes = archive(&[
            ("docs/a.md", b"# Title\n\ntext"),
            ("__MACOSX/docs/._a.md", b"junk"),
            ("in.zip", &inner),
            ("../../etc/passwd.txt", b"root"),
            ("noise.bin", &[0, 1, 2, 3]),
        ]);
        let extraction = read_bytes(&bytes, &ExtractLimits::default()).unwrap();
        assert_eq!(paths(&extraction), ["docs/a.md", "in.zip/deep.md", "etc/passwd.txt", "noise.bin"]);
        assert_eq!(extraction.parts[0].outcome.as_ref().unwrap().kind, "markdown");
        assert_eq!(extraction.parts[0].modified, Some(1_714_559_400));
        assert_eq!(extraction.parts[3].outcome, Err(FileError::Binary));
    }

    #[test]
    fn links_are_passed_over() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("link.txt", "/etc/passwd", options()).unwrap();
        writer.start_file("a.txt", options()).unwrap();
        writer.write_all(b"words").unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        assert_eq!(paths(&read_bytes(&bytes, &ExtractLimits::default()).unwrap()), ["a.txt"]);
    }

    #[test]
    fn bombs_end_at_the_limit() {
        let zeros = vec![b'a'; 3 << 20];
        let files: Vec<(String, &[u8])> = (0..20).map(|number| (format!("{number}.txt"), zeros.as_slice())).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        let inner = archive(&files);
        let bytes = archive(&[("a.zip", &inner), ("b.zip", &inner), ("c.zip", &inner)]);
        let limits = ExtractLimits { max_unpacked: 20 << 20, ..ExtractLimits::default() };
        let extraction = read_bytes(&bytes, &limits).unwrap();
        assert_eq!(extraction.parts.iter().filter(|part| part.outcome.is_ok()).count(), 6);
        assert!(extraction.parts.len() <= 8, "{}", extraction.parts.len());
        assert!(extraction.warnings.iter().any(|warning| warning.contains("unpacks to more than 20 MiB")));
    }

    #[test]
    fn names_in_gbk_are_read() {
        // ASCII of the same length, then the bytes that Chinese Windows writes.
        let (name, _, _) = GBK.encode("员工休假制度.txt");
        let stand_in = "x".repeat(name.len());
        let mut bytes = archive(&[(&stand_in, b"words")]);
        while let Some(at) = bytes.windows(name.len()).position(|window| window == stand_in.as_bytes()) {
            bytes[at..at + name.len()].copy_from_slice(&name);
        }
        assert_eq!(paths(&read_bytes(&bytes, &ExtractLimits::default()).unwrap()), ["员工休假制度.txt"]);
    }

    #[test]
    fn broken_archives_are_an_error_and_broken_members_are_recorded() {
        let mut bytes = archive(&[("a.txt", b"some words that are packed, packed, packed, packed")]);
        assert!(matches!(
            read_bytes(&bytes[..bytes.len() - 30], &ExtractLimits::default()),
            Err(FileError::Damaged { .. })
        ));
        bytes[40] ^= 0xff;
        let extraction = read_bytes(&bytes, &ExtractLimits::default()).unwrap();
        assert!(matches!(extraction.parts[0].outcome, Err(FileError::Damaged { .. })), "{:?}", extraction.parts[0]);
    }
}
