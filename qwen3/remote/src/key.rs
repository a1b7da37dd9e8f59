//! The key of an endpoint: from the environment or a file, and never shown.

use std::fmt;
use std::path::Path;

use crate::fault::Fault;

/// Most bytes of a file that holds a key.
const MOST: u64 = 8 << 10;

/// What an endpoint knows its callers by. Debugging shows that there is one, not which.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key in a variable of the environment; `None` where that is empty or not set.
    ///
    /// # Errors
    /// [`Fault::Key`] where it cannot stand in a header.
    pub fn of_variable(name: &str) -> Result<Option<Self>, Fault> {
        std::env::var(name).ok().map_or(Ok(None), |text| Self::of(&text, name))
    }

    /// The key in a file: its only line.
    ///
    /// # Errors
    /// [`Fault::KeyFile`], [`Fault::Key`].
    pub fn of_file(path: &Path) -> Result<Self, Fault> {
        let named = || path.display().to_string();
        let failed = |source| Fault::KeyFile { path: named(), source };
        if std::fs::metadata(path).map_err(failed)?.len() > MOST {
            return Err(Fault::Key { place: named() });
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::of(&text, &named())?.ok_or_else(|| Fault::Key { place: named() })
    }

    fn of(text: &str, place: &str) -> Result<Option<Self>, Fault> {
        let text = text.trim();
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Fault::Key { place: place.to_owned() });
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_key_and_nobody_sees_it() {
        let folder = std::env::temp_dir().join(format!("quarry-key-{}", std::process::id()));
        std::fs::write(&folder, "sk-very-secret\n").unwrap();
        let key = Key::of_file(&folder).unwrap();
        assert_eq!(key.header(), "Bearer sk-very-secret");
        assert!(!format!("{key:?}").contains("secret"));
        for bad in ["", "\n", "two\nlines", "schlüssel"] {
            std::fs::write(&folder, bad).unwrap();
            let error = Key::of_file(&folder).unwrap_err().to_string();
            assert!(error.contains("expected a key") && error.contains("quarry-key-"), "{bad:?}: {error}");
        }
        std::fs::remove_file(&folder).unwrap();
        assert!(matches!(Key::of_file(&folder), Err(Fault::KeyFile { .. })));
    }
}
