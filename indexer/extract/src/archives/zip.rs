//! ZIP by the `zip` crate (pure Rust with these features, the one that is kept up). Names that are not marked as UTF-8
//! are told by statistics over all names together: archives made on Chinese, Japanese or Russian Windows hold GBK,
//! Shift-JIS or code page 866, which the rules of DOS would turn into line art.

use std::io::Cursor;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};
use zip::result::ZipError;
use zip::{DateTime, ExtraField, ZipArchive};

use super::unpacker::{Flow, Unpacker, unix_time};
use crate::decode::{self, Charset, IBM437};
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
    let charset = charset_of_names(&mut archive);
    let mut unpacker = Unpacker::new(input, FORMAT);
    for index in 0..archive.len() {
        if member(&mut archive, index, charset, &mut unpacker).is_break() {
            break;
        }
    }
    unpacker.finish(None)
}

fn member(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    charset: Charset,
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
    let name = match std::str::from_utf8(raw.name_raw()) {
        Ok(name) => name.to_owned(),
        Err(_) => charset.read(raw.name_raw()).0.into_owned(),
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

fn charset_of_names(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Charset {
    let mut names = Vec::new();
    for name in archive.file_names_raw().filter(|name| std::str::from_utf8(name).is_err()) {
        names.extend_from_slice(name);
        names.push(b'\n');
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&names, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    if EASTERN.contains(&guess) && !guess.decode_without_bom_handling(&names).1 {
        return Charset::Web(guess);
    }
    // The rules say this one; hardly anybody keeps to them who needs other letters than it has.
    let of_rules = Charset::Dos(IBM437);
    if decode::is_plausible(of_rules, &names) { of_rules } else { decode::choose(&names, None) }
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
        let zeros = b"words of eight a".repeat((3 << 20) / 16);
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

    /// The paths of an archive whose one file bears this name, without saying in which charset.
    fn paths_of(name: &[u8]) -> Vec<String> {
        // ASCII of the same length first: the writer would mark the name.
        let stand_in = "x".repeat(name.len());
        let mut bytes = archive(&[(&stand_in, b"words")]);
        while let Some(at) = bytes.windows(name.len()).position(|window| window == stand_in.as_bytes()) {
            bytes[at..at + name.len()].copy_from_slice(name);
        }
        read_bytes(&bytes, &ExtractLimits::default()).unwrap().parts.into_iter().map(|part| part.path).collect()
    }

    #[test]
    fn names_are_read_in_the_charset_of_the_system_that_packed_them() {
        let russian = "Счёт на оплату за июнь.txt";
        assert_eq!(paths_of(&GBK.encode("员工休假制度.txt").0), ["员工休假制度.txt"]);
        assert_eq!(paths_of(&encoding_rs::IBM866.encode(russian).0), [russian]);
        assert_eq!(paths_of(&encoding_rs::WINDOWS_1251.encode(russian).0), [russian]);
        assert_eq!(paths_of(b"Gr\x94\xe1en \x81ber M\x84rz.txt"), ["Größen über März.txt"]);
        assert_eq!(paths_of(b"Se\xa4or caf\x82.txt"), ["Señor café.txt"]);
        assert_eq!(paths_of(b"R\xe9sum\xe9 \xe9t\xe9.txt"), ["Résumé été.txt"]);
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
