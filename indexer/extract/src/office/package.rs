//! ZIP packages: members by name, unpacked within limits. Sizes that the package declares are not believed: bytes are
//! counted as they are unpacked, against [`ExtractLimits::max_unpacked`] for all members that are read, and a member
//! that unpacks to more than [`MAX_RATIO`] times its packed size is given up as a bomb (real office XML stays below a
//! fifth of that; Apache POI draws the line at the same ratio).

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::xml;
use crate::error::FileError;
use crate::input::ExtractLimits;

/// Members that unpack to more than this many times their packed size are not believed ..
const MAX_RATIO: u64 = 100;

/// .. once they are this large.
const RATIO_MATTERS: u64 = 32 << 20;

/// An open package.
pub(crate) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Index of each member by its name in lower case: Office does not tell case apart.
    names: HashMap<String, usize>,
    /// Bytes that may still be unpacked.
    left: u64,
    limit: u64,
    pub(crate) limits: &'a ExtractLimits,
    /// Format of the file, for messages.
    pub(crate) format: &'static str,
}

impl<'a> Package<'a> {
    /// Opens a package by its central directory.
    ///
    /// # Errors
    /// [`FileError::Damaged`] when it has none.
    pub(crate) fn open(bytes: &'a [u8], limits: &'a ExtractLimits, format: &'static str) -> Result<Self, FileError> {
        let archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|error| FileError::damaged(format, reason(&error)))?;
        let mut names = HashMap::new();
        for index in 0..archive.len() {
            if let Some(Ok(name)) = archive.name_for_index(index) {
                names.insert(plain_name(&name), index);
            }
        }
        Ok(Self { archive, names, left: limits.max_unpacked, limit: limits.max_unpacked, limits, format })
    }

    /// Whether there is a member of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains_key(&plain_name(name))
    }

    /// Names of all members, in lower case, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The bytes of a member; `None` when there is none.
    ///
    /// # Errors
    /// [`FileError::Encrypted`], [`FileError::Damaged`] (a wrong checksum too) and [`FileError::Limit`].
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, FileError> {
        let mut out = Vec::new();
        Ok(self.unpack(name, &mut |bytes| out.extend_from_slice(bytes))?.then_some(out))
    }

    /// Unpacks a member without keeping it: for libraries that open the package once more, without limits.
    pub(crate) fn probe(&mut self, name: &str) -> Result<(), FileError> {
        self.unpack(name, &mut |_| ()).map(|_| ())
    }

    /// The text of an XML member.
    pub(crate) fn xml(&mut self, name: &str) -> Result<Option<String>, FileError> {
        Ok(self.bytes(name)?.map(xml::decoded))
    }

    /// The text of a member that the format cannot do without.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, FileError> {
        let missing = || FileError::damaged(self.format, format!("its part {name} is missing"));
        let missing = missing();
        self.xml(name)?.ok_or(missing)
    }

    fn unpack(&mut self, name: &str, sink: &mut dyn FnMut(&[u8])) -> Result<bool, FileError> {
        let Some(&index) = self.names.get(&plain_name(name)) else { return Ok(false) };
        let format = self.format;
        let damaged = |reason: String| FileError::damaged(format, format!("{name}: {reason}"));
        let raw = self.archive.by_index_raw(index).map_err(|error| damaged(reason(&error)))?;
        if raw.encrypted() {
            return Err(FileError::Encrypted);
        }
        let packed = raw.compressed_size();
        drop(raw);
        let mut member = self.archive.by_index(index).map_err(|error| damaged(reason(&error)))?;
        let mut buffer = vec![0; 64 << 10];
        let mut unpacked = 0u64;
        loop {
            let read = member.read(&mut buffer).map_err(|error| damaged(error.to_string()))?;
            if read == 0 {
                return Ok(true);
            }
            unpacked += read as u64;
            if self.left < read as u64 {
                return Err(FileError::Limit { what: format!("unpacks to more than {} MiB", self.limit >> 20) });
            }
            if unpacked > RATIO_MATTERS && unpacked / packed.max(1) > MAX_RATIO {
                return Err(FileError::Limit {
                    what: format!("{name} unpacks to more than {MAX_RATIO} times its size"),
                });
            }
            self.left -= read as u64;
            sink(&buffer[..read]);
        }
    }
}

/// A name as it is compared: lower case, `/` between folders, none before the first.
fn plain_name(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_lowercase()
}

fn reason(error: &ZipError) -> String {
    match error {
        ZipError::InvalidArchive(reason) => format!("the ZIP package is incomplete or damaged: {reason}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    /// A package with these members.
    pub(crate) fn packed(members: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in members {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn members_are_found_whatever_their_case() {
        let bytes = packed(&[("Word\\Document.xml", "<a/>"), ("x", "")]);
        let limits = ExtractLimits::default();
        let mut package = Package::open(&bytes, &limits, "docx").unwrap();
        assert_eq!(package.xml("/word/document.xml").unwrap().as_deref(), Some("<a/>"));
        assert_eq!(package.xml("none").unwrap(), None);
        assert!(package.required("none").unwrap_err().to_string().contains("its part none is missing"));
        assert_eq!(package.names(), ["word/document.xml", "x"]);
    }

    #[test]
    fn bombs_are_given_up() {
        let limits = ExtractLimits::default();
        let bytes = packed(&[("a", &" ".repeat(40 << 20))]);
        let error = Package::open(&bytes, &limits, "docx").unwrap().bytes("a").unwrap_err();
        assert!(error.to_string().contains("more than 100 times its size"), "{error}");
        let limits = ExtractLimits { max_unpacked: 1 << 20, ..ExtractLimits::default() };
        let mut package = Package::open(&bytes, &limits, "docx").unwrap();
        assert!(package.bytes("a").unwrap_err().to_string().contains("more than 1 MiB"));
        assert!(package.probe("a").is_err());
    }

    #[test]
    fn broken_packages_are_said_to_be() {
        let limits = ExtractLimits::default();
        let bytes = packed(&[("a", "some text that is packed")]);
        let half = &bytes[..bytes.len() / 2];
        assert!(matches!(Package::open(half, &limits, "docx").map(|_| ()), Err(FileError::Damaged { .. })));
    }
}
