//! Files that are gone: were they deleted, or on a disk that is not mounted?

/// What it means that many files of a source are gone at once. Files that were moved within the source are not gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Vanished {
    /// Likely an unmounted disk: remove nothing if all files are gone, or more than this share of them (0 to 1) and not
    /// just a few.
    RefuseAbove(f64),
    /// The files were deleted: remove their documents.
    Remove,
}

impl Default for Vanished {
    fn default() -> Self {
        Self::RefuseAbove(0.5)
    }
}

/// Files that may go at once whatever share of the source they are.
const FEW_FILES: usize = 20;

impl Vanished {
    /// Whether that many of the known files may not just go.
    pub fn refuses(self, gone: usize, known: usize) -> bool {
        match self {
            Self::RefuseAbove(share) => gone > FEW_FILES && gone as f64 > share * known as f64,
            Self::Remove => false,
        }
    }
}
