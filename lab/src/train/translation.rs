//! A text in the language that a teacher knows, and the same in one that a small model is to learn. One JSON object a
//! line.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lines::read_lines;
use crate::error::Result;

/// Two texts that say the same. Keys that are not named here are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// What the teacher reads.
    pub source: String,
    /// What the small model reads.
    pub translation: String,
}

impl Translation {
    /// Reads a file of JSON lines; blank lines are passed over.
    ///
    /// # Errors
    /// [`crate::Error::Read`], and [`crate::Error::BadFile`] with the number of a line that is no translation.
    pub fn read_all(path: &Path) -> Result<Vec<Self>> {
        read_lines(path, Self::parse)
    }

    fn parse(line: &str) -> std::result::Result<Self, String> {
        let expected = r#"expected {"source": .., "translation": ..}"#;
        let pair: Self = serde_json::from_str(line).map_err(|error| format!("{error}; {expected}"))?;
        if pair.source.trim().is_empty() || pair.translation.trim().is_empty() {
            return Err("an empty source or translation".to_owned());
        }
        Ok(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_translation_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let good = r#"{"source": "leave", "translation": "休假", "package": "x"}"#;
        std::fs::write(&path, format!("{good}\n\n{good}\n")).unwrap();
        let read = Translation::read_all(&path).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1], Translation { source: "leave".into(), translation: "休假".into() });
        for bad in [r#"{"source": "leave"}"#, r#"{"source": "leave", "translation": " "}"#] {
            std::fs::write(&path, format!("{good}\n{bad}\n")).unwrap();
            assert!(Translation::read_all(&path).unwrap_err().to_string().contains("line 2"));
        }
        std::fs::write(&path, [good.as_bytes(), b"\n\xd0\xdd\xbc\xd9\n"].concat()).unwrap();
        let error = Translation::read_all(&path).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("UTF-8"), "{error}");
    }
}
