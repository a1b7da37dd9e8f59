//! Files that were committed by others while a run was under way: what the run had read of them, or had not found, is
//! out of date, and must not replace what was acknowledged meanwhile.

use std::collections::HashSet;

/// Paths of one source.
#[derive(Debug, Default)]
pub(crate) struct Overtaken(HashSet<String>);

impl Overtaken {
    pub(crate) fn add(&mut self, paths: impl IntoIterator<Item = String>) {
        self.0.extend(paths);
    }

    /// Whether a file, or the file that holds it, was committed.
    pub(crate) fn covers(&self, path: &str) -> bool {
        let holders = path.match_indices('/').map(|(at, _)| &path[..at]);
        !self.0.is_empty() && holders.chain([path]).any(|path| self.0.contains(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_covers_itself_and_what_is_inside() {
        let mut overtaken = Overtaken::default();
        assert!(!overtaken.covers("a.zip"));
        overtaken.add(["b/a.zip".to_string()]);
        assert!(overtaken.covers("b/a.zip") && overtaken.covers("b/a.zip/inner/x.md"));
        assert!(!overtaken.covers("b") && !overtaken.covers("b/a.zip2") && !overtaken.covers("a.zip"));
    }
}
