//! The stamp of an index: what tells a process that only searches, and goes on for long, that there is something newer to
//! open.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::{edition, layout, settings, totals};

/// The file in which the lexical index names its last commit, and with it what says who may see what.
const LAST_COMMIT: &str = "meta.json";

/// What an index was at a moment: equal as long as no writer has changed anything that readers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(blake3::Hash);

impl Stamp {
    /// The stamp of the index in the data folder. It takes no lock and writes nothing, and opens no index: a snapshot that is
    /// opened behind it is as new as the stamp, or newer.
    ///
    /// # Errors
    /// A file is there and cannot be read.
    pub fn of(data: &Path) -> Result<Self> {
        edition::reading(data, |folder| {
            let mut seen = blake3::Hasher::new();
            seen.update(folder.as_os_str().as_encoded_bytes());
            for path in [settings::path(folder), totals::path(folder), layout::lexical(folder).join(LAST_COMMIT)] {
                let told = match fs::read(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                    told => told.map_err(Error::io("read", &path))?,
                };
                seen.update(&(told.len() as u64).to_le_bytes()).update(&told);
            }
            Ok(Self(seen.finalize()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_with_what_readers_see_and_with_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let of = || Stamp::of(data.path()).unwrap();
        let none = of();
        fs::write(data.path().join("index.json"), "{}").unwrap();
        let first = of();
        fs::write(data.path().join("keys.json"), "{}").unwrap();
        assert!(none != first && of() == first);
        fs::create_dir(data.path().join("lexical")).unwrap();
        fs::write(data.path().join("lexical/meta.json"), "1").unwrap();
        let second = of();
        assert_ne!(second, first);
        // The same files, as those of another edition.
        fs::create_dir_all(data.path().join("index-1/lexical")).unwrap();
        for file in ["index.json", "lexical/meta.json"] {
            fs::copy(data.path().join(file), data.path().join("index-1").join(file)).unwrap();
        }
        assert_ne!(of(), second);
    }
}
