//! One compressed stream: a tar archive, read as a folder, or a single file, read as if it were not compressed. Pure
//! Rust decoders: flate2 (gzip), bzip2 on libbz2-rs (bzip2-rs has had no release since 2021), lzma-rust2 (xz, with a
//! limit on memory), ruzstd (zstd).

use std::io::{BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use super::tar::{self, BLOCK};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::{Format, Input};

const GZIP: &Format = Format::of("gzip");
const BZIP2: &Format = Format::of("bzip2");
const XZ: &Format = Format::of("xz");
const ZSTD: &Format = Format::of("zstd");

pub(crate) const FORMATS: &[&Format] = &[GZIP, BZIP2, XZ, ZSTD];

/// Most memory that a stream may ask for, in KiB: `xz -9` asks for 64 MiB.
const MEMORY: u32 = 128 << 10;

/// Opens a stream, or says why it is none.
type Open = for<'a> fn(&'a [u8]) -> Result<Box<dyn Read + 'a>, String>;

/// A way to compress: its first bytes, its format, and the extension that stands for a tar archive in it.
struct Method {
    magic: &'static [u8],
    format: &'static Format,
    tar: &'static str,
    open: Open,
}

const METHODS: &[Method] = &[
    Method {
        magic: b"\x1f\x8b\x08",
        format: GZIP,
        tar: "tgz",
        open: |bytes| Ok(Box::new(flate2::bufread::MultiGzDecoder::new(bytes))),
    },
    Method {
        magic: b"BZh",
        format: BZIP2,
        tar: "tbz2",
        open: |bytes| Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(bytes))),
    },
    Method {
        magic: b"\xfd7zXZ\0",
        format: XZ,
        tar: "txz",
        open: |bytes| Ok(Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, MEMORY))),
    },
    Method {
        magic: b"\x28\xb5\x2f\xfd",
        format: ZSTD,
        tar: "tzst",
        open: |bytes| {
            let decoder = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|error| error.to_string())?;
            Ok(Box::new(decoder))
        },
    },
];

fn method(bytes: &[u8]) -> Option<&'static Method> {
    METHODS.iter().find(|method| bytes.starts_with(method.magic))
}

pub(crate) fn is_compressed(input: &Input<'_>) -> bool {
    method(input.bytes).is_some()
}

pub(crate) fn read(input: &Input<'_>) -> Result<Extraction, FileError> {
    let method = method(input.bytes).ok_or(FileError::Binary)?;
    let damaged = |reason: String| FileError::damaged(method.format.name, reason);
    let mut stream = (method.open)(input.bytes).map_err(damaged)?;
    let mut opening = Vec::new();
    // A broken stream can still hold whole members: only a failure of the first bytes ends it here.
    if let Err(error) = stream.by_ref().take(BLOCK as u64).read_to_end(&mut opening)
        && opening.is_empty()
    {
        return Err(damaged(error.to_string()));
    }
    let is_tar = tar::is_header(&opening);
    let whole: Chain<_, _> = Cursor::new(opening).chain(stream);
    if is_tar {
        return tar::read_stream(input, BufReader::new(whole));
    }
    single(input, method, whole)
}

/// A single file takes the place of its compressed form.
fn single(input: &Input<'_>, method: &Method, stream: impl Read) -> Result<Extraction, FileError> {
    let limit = input.limits.max_bytes.min(input.left_to_unpack());
    let mut bytes = Vec::new();
    let outcome = stream.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    input.note_unpacked(bytes.len() as u64);
    if bytes.len() as u64 > limit {
        return Err(FileError::Limit { what: format!("unpacks to more than {} MiB", limit >> 20) });
    }
    let broken = outcome.err().map(|error| FileError::damaged(method.format.name, error));
    match broken {
        // Half of a text is worth reading, half of an office document is not.
        Some(error) if bytes.is_empty() || std::str::from_utf8(&bytes[..bytes.len().min(BLOCK)]).is_err() => Err(error),
        broken => {
            let mut extraction = input.inner(&inner_name(input.path, method), &bytes)?;
            extraction.warnings.extend(broken.map(|error| format!("not read to its end: {error}")));
            Ok(extraction)
        }
    }
}

/// `notes.txt.gz` holds `notes.txt`.
fn inner_name(path: &Path, method: &Method) -> PathBuf {
    let name = path.file_name().map_or_else(PathBuf::new, PathBuf::from);
    if name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(method.tar)) {
        return name.with_extension("tar");
    }
    name.with_extension("")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::ExtractLimits;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_as(name: &str, bytes: &[u8]) -> Result<Extraction, FileError> {
        read(&Input::new(Path::new(name), bytes, &ExtractLimits::default()))
    }

    #[test]
    fn a_single_file_is_read_by_its_inner_name() {
        let extraction = read_as("notes.md.gz", &gzip(b"# Title\n\ntext")).unwrap();
        assert_eq!((extraction.kind.as_str(), extraction.parts.len()), ("markdown", 0));
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(b"plain words").unwrap();
        let extraction = read_as("notes.bz2", &encoder.finish().unwrap()).unwrap();
        assert_eq!(extraction.document.unwrap().text, "plain words");
    }

    #[test]
    fn zstd_is_read() {
        let packed =
            ruzstd::encoding::compress_to_vec(&b"plain words"[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(read_as("notes.zst", &packed).unwrap().document.unwrap().text, "plain words");
    }

    #[test]
    fn an_archive_inside_is_a_folder() {
        let extraction = read_as("docs.tgz", &gzip(&super::super::tar::tests::archive())).unwrap();
        assert_eq!((extraction.kind.as_str(), extraction.parts[0].path.as_str()), ("tar", "docs/a.md"));
    }

    #[test]
    fn bombs_and_broken_streams_are_errors() {
        let bomb = gzip(&vec![b'a'; 65 << 20]);
        assert!(matches!(read_as("a.txt.gz", &bomb), Err(FileError::Limit { .. })));
        assert!(matches!(read_as("a.gz", b"\x1f\x8b\x08garbage"), Err(FileError::Damaged { .. })));
        assert!(matches!(read_as("a.xz", b"\xfd7zXZ\0garbage"), Err(FileError::Damaged { .. })));
        assert!(matches!(read_as("a.zst", b"\x28\xb5\x2f\xfdgarbage"), Err(FileError::Damaged { .. })));
    }
}
