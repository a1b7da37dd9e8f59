//! The extraction, the result of reading a file: its own text, and the documents that lie inside of it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::Format;
use crate::block::StructuredText;
use crate::bounds::{few, shorten_path};
use crate::error::FileError;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extraction {
    /// [`Format::name`]: `pdf`, `markdown`, `zip`, `mbox`, ...
    pub kind: String,
    /// The file's own text; `None` for files that are only folders of others (an archive, a mailbox).
    pub document: Option<StructuredText>,
    /// Files inside: members of an archive, attachments of a mail. Already flat: a part has no parts.
    #[serde(deserialize_with = "few")]
    pub parts: Vec<Part>,
    /// Remarks about the container itself, such as members that were left out.
    #[serde(deserialize_with = "few")]
    pub warnings: Vec<String>,
    /// Paths that are taken, each with the next number for another file of that name.
    #[serde(skip)]
    taken: HashMap<String, u32>,
    /// Whether it was said that paths were cut.
    #[serde(skip)]
    has_cut_paths: bool,
}

/// A document inside of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Path below the file, with `/` between parts, unique in it, without `.` and `..`.
    pub path: String,
    /// Size in bytes, unpacked.
    pub bytes: u64,
    /// When it was last changed, in seconds of Unix time, where the container says so.
    pub modified: Option<i64>,
    /// Its text, or why there is none.
    pub outcome: Result<StructuredText, FileError>,
}

impl From<StructuredText> for Extraction {
    fn from(document: StructuredText) -> Self {
        Self { kind: document.kind.clone(), document: Some(document), ..Self::default() }
    }
}

impl Extraction {
    /// A file that is nothing but a folder of others.
    pub(crate) fn container(format: &Format) -> Self {
        Self { kind: format.name.to_owned(), ..Self::default() }
    }

    /// Adds the outcome of reading a file inside: its own text under `path`, its parts below that.
    pub(crate) fn add(&mut self, path: &str, bytes: u64, modified: Option<i64>, inner: Result<Self, FileError>) {
        match inner {
            Ok(inner) => {
                if let Some(document) = inner.document {
                    self.push(path.to_string(), bytes, modified, Ok(document));
                }
                for part in inner.parts {
                    self.push(format!("{path}/{}", part.path), part.bytes, part.modified.or(modified), part.outcome);
                }
                self.warnings.extend(inner.warnings.into_iter().map(|warning| format!("{path}: {warning}")));
            }
            Err(error) => self.push(path.to_string(), bytes, modified, Err(error)),
        }
    }

    /// Adds a part under a path of its own: a second `a.txt` becomes `a (2).txt`.
    fn push(&mut self, path: String, bytes: u64, modified: Option<i64>, outcome: Result<StructuredText, FileError>) {
        let (path, is_cut) = shorten_path(clean(&path));
        if is_cut && !std::mem::replace(&mut self.has_cut_paths, true) {
            self.warnings.push("long paths of files inside have been shortened".to_string());
        }
        let path = self.unique(path);
        self.parts.push(Part { path, bytes, modified, outcome });
    }

    fn unique(&mut self, path: String) -> String {
        let Some(&next) = self.taken.get(&path) else {
            self.taken.insert(path.clone(), 2);
            return path;
        };
        let dot = path.rfind('.').filter(|&dot| dot > path.rfind('/').map_or(0, |slash| slash + 1));
        let (stem, extension) = path.split_at(dot.unwrap_or(path.len()));
        let mut number = next;
        let mut numbered = format!("{stem} ({number}){extension}");
        while self.taken.contains_key(&numbered) {
            number += 1;
            numbered = format!("{stem} ({number}){extension}");
        }
        self.taken.insert(numbered.clone(), 2);
        self.taken.insert(path, number + 1);
        numbered
    }
}

/// A path that stays below its file, whatever a container says: `../../etc/x` becomes `etc/x`.
fn clean(path: &str) -> String {
    let path = path.replace('\\', "/");
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    if parts.is_empty() { "unnamed".to_string() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_below_their_file_and_have_paths_of_their_own() {
        let mut outer = Extraction::container(Format::of("zip"));
        for path in ["../../etc/a.txt", "etc\\a.txt", "a.b/c", "a.b/c", "/", ""] {
            outer.add(path, 1, None, Err(FileError::Empty));
        }
        let paths: Vec<&str> = outer.parts.iter().map(|part| part.path.as_str()).collect();
        assert_eq!(paths, ["etc/a.txt", "etc/a (2).txt", "a.b/c", "a.b/c (2)", "unnamed", "unnamed (2)"]);
    }

    #[test]
    fn what_lies_in_a_part_lies_below_it() {
        let mut inner = Extraction::container(Format::of("zip"));
        inner.add("x.txt", 3, None, Err(FileError::Empty));
        let mut outer = Extraction::container(Format::of("mbox"));
        outer.add("mail 1/files.zip", 9, Some(7), Ok(inner));
        assert_eq!(outer.parts.len(), 1);
        assert_eq!((outer.parts[0].path.as_str(), outer.parts[0].modified), ("mail 1/files.zip/x.txt", Some(7)));
    }
}
