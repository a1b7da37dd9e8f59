//! The walk over a folder, which lists its files in a fixed order. What lies inside the root decides alone: its
//! `.gitignore` files (with or without a git repository) and `.quarryignore` files; ignore files above the root and of
//! the user do not. Hidden files are left out. Symbolic links are never followed: what they point to inside of the root
//! is found where it lies, what lies outside is not wanted. Pipes, sockets and devices are reported and never opened.
//! Whatever cannot be read is one problem; the walk goes on.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use ignore::{DirEntry, Walk, WalkBuilder};

use crate::beneath::{BeneathError, Root, native};

/// Name of quarry's own ignore files: the syntax of `.gitignore`, with precedence over it.
pub const IGNORE_FILE: &str = ".quarryignore";

/// What is walked over. The default is what `quarry index` does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WalkOptions {
    /// Further patterns to leave out, in the syntax of `.gitignore`, relative to the root.
    pub exclude: Vec<String>,
}

/// A file to index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Absolute path, symbolic links above the root resolved.
    pub path: PathBuf,
    /// Path below the root with `/` between its parts: what document ids are made of. Bytes that are no Unicode are
    /// written as `\u{fffd}` and two hexadecimal digits (a real `\u{fffd}` as its own three bytes), so that different
    /// names stay different.
    pub relative: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Time of the last change in nanoseconds since 1970; 0 where the system does not know.
    pub modified: i64,
    /// Device and number of the file, where the system has them: tells a file that was replaced.
    pub inode: Option<(u64, u64)>,
}

/// Something under the root that is not going to be indexed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct WalkProblem {
    /// Where.
    pub path: PathBuf,
    /// The folder whose files are missing for it.
    pub folder: Option<PathBuf>,
    /// Whether it was left out by a rule or could not be read.
    pub kind: ProblemKind,
    /// Why, in words.
    pub reason: String,
}

/// How grave a [`WalkProblem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// By a rule of the walk: nothing is wrong.
    Skipped,
    /// The system did not let it be read: files may be missing from the index. Documents known from below
    /// [`WalkProblem::path`] must not be taken for deleted.
    Unreadable,
}

/// Lists the files under `root`, a folder or a single file, sorted by name within each folder.
///
/// # Errors
/// If the root does not exist, cannot be read, is neither a folder nor a file, or a pattern of
/// [`WalkOptions::exclude`] is not valid.
pub fn walk(root: &Path, options: &WalkOptions) -> Result<Files, WalkProblem> {
    let unreadable =
        |reason: String| WalkProblem { path: root.to_owned(), folder: None, kind: ProblemKind::Unreadable, reason };
    let absolute = fs::canonicalize(root).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unreadable("does not exist; check the path of the source".to_owned()),
        _ => unreadable(format!("cannot be opened ({error})")),
    })?;
    let metadata = fs::metadata(&absolute).map_err(|error| unreadable(format!("cannot be read ({error})")))?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(unreadable(format!("expected a folder or a file, got {}", kind_of(&metadata))));
    }
    let mut builder = WalkBuilder::new(&absolute);
    builder
        .follow_links(false)
        .hidden(true)
        .ignore(false)
        .parents(false)
        .git_ignore(true)
        .git_exclude(true)
        .git_global(false)
        .require_git(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .sort_by_file_name(Ord::cmp);
    if !options.exclude.is_empty() {
        let overrides = excluding(&absolute, &options.exclude).map_err(|error| unreadable(error.to_string()))?;
        builder.overrides(overrides);
    }
    // A pipe in place of an ignore file would be waited for without end.
    let strange = Arc::new(Mutex::new(VecDeque::new()));
    let found = Arc::clone(&strange);
    builder.filter_entry(move |entry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let Some(rules) = is_folder.then(|| strange_rules(entry.path())).flatten() else { return true };
        let (path, reason) = (entry.path().to_owned(), format!("not listed: {rules}; remove it"));
        let problem = WalkProblem { folder: Some(path.clone()), path, kind: ProblemKind::Unreadable, reason };
        found.lock().unwrap_or_else(PoisonError::into_inner).push_back(problem);
        false
    });
    if let Some(rules) = strange_rules(&absolute) {
        return Err(unreadable(format!("cannot be listed: {rules}; remove it")));
    }
    let root = Root::open(&absolute).map_err(|error| unreadable(format!("cannot be opened ({error})")))?;
    Ok(Files { root: Arc::new(root), walk: builder.build(), waiting: strange })
}

/// The ignore file of a folder that is none, with what it is: it must not be opened.
fn strange_rules(folder: &Path) -> Option<String> {
    let names = [IGNORE_FILE, ".gitignore", ".git/info/exclude"];
    names.into_iter().find_map(|name| {
        let metadata = fs::metadata(folder.join(name)).ok()?;
        let is_strange = !metadata.is_file() && !metadata.is_dir();
        is_strange.then(|| format!("its {name} is {}, expected an ordinary file", kind_of(&metadata)))
    })
}

/// Overrides are written the other way round: `!` leaves out.
fn excluding(root: &Path, patterns: &[String]) -> Result<ignore::overrides::Override, ignore::Error> {
    let mut builder = ignore::overrides::OverrideBuilder::new(root);
    for pattern in patterns {
        builder.add(&format!("!{pattern}"))?;
    }
    builder.build()
}

/// The files under a root; see [`walk`].
pub struct Files {
    /// What relative paths are relative to.
    root: Arc<Root>,
    walk: Walk,
    /// Problems that came along with an entry.
    waiting: Arc<Mutex<VecDeque<WalkProblem>>>,
}

impl Iterator for Files {
    type Item = Result<FoundFile, WalkProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(problem) = self.waiting().pop_front() {
                return Some(Err(problem));
            }
            match self.walk.next() {
                Some(Ok(entry)) => {
                    if let Some(found) = self.entry(&entry) {
                        return Some(found);
                    }
                }
                Some(Err(error)) => return Some(Err(self.problem(&error))),
                // The last folder may have been left out by the walk's filter.
                None => return self.waiting().pop_front().map(Err),
            }
        }
    }
}

impl Files {
    /// The root, held open: the files are to be read from it.
    pub fn root(&self) -> Arc<Root> {
        Arc::clone(&self.root)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<WalkProblem>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an entry is; `None` for folders.
    fn entry(&self, entry: &DirEntry) -> Option<Result<FoundFile, WalkProblem>> {
        // A broken pattern in an ignore file spoils nothing but itself.
        if let Some(error) = entry.error() {
            let problem = self.problem(error);
            self.waiting().push_back(problem);
        }
        let path = entry.path();
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return Some(Err(unreadable(path, path.parent(), &error))),
        };
        if metadata.is_dir() {
            return None;
        }
        if !metadata.is_file() {
            let reason = format!("{}: not followed or opened", kind_of(&metadata));
            return Some(Err(skipped(path, reason)));
        }
        Some(Ok(FoundFile {
            path: path.to_owned(),
            relative: relative(path.strip_prefix(self.root.path()).unwrap_or(path)),
            bytes: metadata.len(),
            modified: modified(&metadata),
            inode: inode(&metadata),
        }))
    }

    fn problem(&self, error: &ignore::Error) -> WalkProblem {
        let path = path_of(error).unwrap_or(self.root.path()).to_owned();
        match error.io_error() {
            Some(source) => unreadable(&path, Some(&path), source),
            None => skipped(&path, error.to_string()),
        }
    }
}

fn skipped(path: &Path, reason: String) -> WalkProblem {
    WalkProblem { path: path.to_owned(), folder: None, kind: ProblemKind::Skipped, reason }
}

/// `folder` is the one whose files are missing for it. What vanished hides nothing.
fn unreadable(path: &Path, folder: Option<&Path>, error: &io::Error) -> WalkProblem {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "vanished while the folder was listed".to_owned(),
        io::ErrorKind::PermissionDenied => format!("cannot be read ({error}); check its permissions"),
        _ => format!("cannot be read ({error})"),
    };
    let folder = folder.filter(|_| error.kind() != io::ErrorKind::NotFound).map(Path::to_owned);
    WalkProblem { path: path.to_owned(), folder, kind: ProblemKind::Unreadable, reason }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Partial(errors) => errors.iter().find_map(path_of),
        _ => None,
    }
}

/// The file at `relative` below a root, if it is one; `None` for a path that leaves the root.
///
/// # Errors
/// The system does not say: the file may well be there.
pub(crate) fn find(root: &Root, relative: &str) -> io::Result<Option<FoundFile>> {
    let path = native(relative);
    let facts = match root.facts(&path) {
        Ok(facts) if facts.other.is_none() => facts,
        Ok(_) | Err(BeneathError::Link | BeneathError::NotAFile { .. }) => return Ok(None),
        Err(BeneathError::Io(error)) => {
            let is_gone = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
            return if is_gone { Ok(None) } else { Err(error) };
        }
    };
    Ok(Some(FoundFile {
        path: root.path().join(path),
        relative: relative.to_owned(),
        bytes: facts.bytes,
        modified: facts.modified,
        inode: Some(facts.inode),
    }))
}

/// The kind of a file system entry, in words.
pub(crate) fn kind_of(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return "a symbolic link";
    }
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    "something that is no ordinary file"
}

/// Time of the last change in nanoseconds since 1970.
pub(crate) fn modified(metadata: &Metadata) -> i64 {
    let Ok(time) = metadata.modified() else { return 0 };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanoseconds| -nanoseconds),
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}

pub(crate) fn relative(path: &Path) -> String {
    let mut out = String::new();
    for part in path.components() {
        if !out.is_empty() {
            out.push('/');
        }
        push_name(&mut out, part.as_os_str().as_encoded_bytes());
    }
    out
}

/// Stands before the two digits of a byte that is no Unicode.
pub(crate) const MARK: &str = "\u{fffd}";

fn push_name(out: &mut String, name: &[u8]) {
    let push_bytes = |out: &mut String, bytes: &[u8]| {
        for byte in bytes {
            // Writing to a string does not fail.
            let _ = write!(out, "{MARK}{byte:02X}");
        }
    };
    for chunk in name.utf8_chunks() {
        for (number, piece) in chunk.valid().split(MARK).enumerate() {
            if number > 0 {
                push_bytes(out, MARK.as_bytes());
            }
            out.push_str(piece);
        }
        push_bytes(out, chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn list(root: &Path) -> (Vec<String>, Vec<(String, ProblemKind, String)>) {
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        for item in walk(root, &WalkOptions::default()).unwrap() {
            match item {
                Ok(file) => files.push(file.relative),
                Err(problem) => {
                    let name = problem.path.file_name().unwrap().to_string_lossy().into_owned();
                    problems.push((name, problem.kind, problem.reason));
                }
            }
        }
        (files, problems)
    }

    #[test]
    fn single_files_are_found_below_the_root_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b.md"), "text").unwrap();
        let root = Root::open(folder.path()).unwrap();
        let found = find(&root, "a/b.md").unwrap().unwrap();
        assert_eq!((found.relative.as_str(), found.bytes), ("a/b.md", 4));
        let walked: Vec<_> = walk(folder.path(), &WalkOptions::default()).unwrap().map(Result::unwrap).collect();
        assert_eq!((found.modified, found.inode), (walked[0].modified, walked[0].inode));
        for none in ["", "a", "c.md", "../x", "/etc/passwd", "a/../a/b.md", "a/b.md/c"] {
            assert_eq!(find(&root, none).unwrap(), None, "{none}");
        }
    }

    #[test]
    fn ignore_files_hold_without_a_repository() {
        let folder = folder(&[
            (".gitignore", "*.log\n/build\n"),
            (".quarryignore", "drafts/\n!keep.log\n"),
            ("b.md", "b"),
            ("a/z.md", "z"),
            ("a/.hidden", ""),
            ("a/keep.log", ""),
            ("a/other.log", ""),
            ("build/x.md", ""),
            ("drafts/y.md", ""),
        ]);
        let (files, problems) = list(folder.path());
        assert_eq!(files, ["a/keep.log", "a/z.md", "b.md"]);
        assert_eq!(problems, []);
    }

    #[test]
    fn what_lies_above_the_root_does_not_count() {
        let folder = folder(&[(".gitignore", "*.md\n"), ("root/a.md", "")]);
        assert_eq!(list(&folder.path().join("root")).0, ["a.md"]);
    }

    #[test]
    fn links_and_pipes_are_reported_and_not_followed() {
        let outside = folder(&[("secret.md", "")]);
        let folder = folder(&[("a.md", "")]);
        symlink(outside.path(), folder.path().join("out")).unwrap();
        symlink(folder.path(), folder.path().join("loop")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
        assert!(made.success());
        let (files, problems) = list(folder.path());
        assert_eq!(files, ["a.md"]);
        let kinds: Vec<_> = problems.iter().map(|(name, kind, _)| (name.as_str(), *kind)).collect();
        let skipped = ProblemKind::Skipped;
        assert_eq!(kinds, [("loop", skipped), ("out", skipped), ("pipe", skipped)]);
        assert!(problems[2].2.contains("a pipe"), "{problems:?}");
    }

    #[test]
    fn an_unreadable_folder_does_not_stop_the_walk() {
        let folder = folder(&[("a/x.md", ""), ("b.md", "")]);
        let locked = folder.path().join("a");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        let root = fs::read_dir(&locked).is_ok();
        let (files, problems) = list(folder.path());
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(files.contains(&"b.md".to_owned()));
        // The administrator reads everything.
        if !root {
            assert_eq!(problems[0].1, ProblemKind::Unreadable);
            assert_eq!(problems[0].0, "a");
        }
    }

    #[test]
    fn a_broken_pattern_is_a_problem_of_its_own() {
        let folder = folder(&[(".quarryignore", "a{b\n*.log\n"), ("x.log", ""), ("y.md", "")]);
        let (files, problems) = list(folder.path());
        assert_eq!(files, ["y.md"]);
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn roots_are_checked() {
        let folder = folder(&[("a.md", "text")]);
        let options = WalkOptions::default();
        let missing = walk(&folder.path().join("no"), &options).err().unwrap();
        assert!(missing.to_string().ends_with("does not exist; check the path of the source"), "{missing}");
        assert!(walk(Path::new("/dev/null"), &options).err().unwrap().to_string().contains("a device"));
        let single: Vec<_> = walk(&folder.path().join("a.md"), &options).unwrap().map(Result::unwrap).collect();
        assert_eq!((single.len(), single[0].relative.as_str(), single[0].bytes), (1, "a.md", 4));
        assert!(single[0].modified > 1_600_000_000_000_000_000 && single[0].inode.is_some());
    }

    #[test]
    fn patterns_can_be_added() {
        let folder = folder(&[("a.md", ""), ("b.tmp", ""), ("c/d.md", "")]);
        let options = WalkOptions { exclude: vec!["*.tmp".to_owned(), "/c".to_owned()] };
        let files: Vec<_> = walk(folder.path(), &options).unwrap().map(|file| file.unwrap().relative).collect();
        assert_eq!(files, ["a.md"]);
        let broken = WalkOptions { exclude: vec!["a{b".to_owned()] };
        assert!(walk(folder.path(), &broken).is_err());
    }

    #[test]
    fn names_that_are_no_unicode_stay_apart() {
        let folder = folder(&[]);
        for name in [&b"a\xff.md"[..], b"a\xfe.md", "a\u{fffd}FF.md".as_bytes()] {
            fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
        }
        let mut files = list(folder.path()).0;
        files.sort();
        files.dedup();
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files.contains(&"a\u{fffd}FF.md".to_owned()));
    }

    proptest! {
        #[test]
        fn different_names_have_different_paths(
            a in proptest::collection::vec(prop_oneof![Just(0xefu8), Just(0xbf), Just(0xbd), Just(b'E'), Just(b'F'), any::<u8>()], 1..8),
            b in proptest::collection::vec(prop_oneof![Just(0xefu8), Just(0xbf), Just(0xbd), Just(b'E'), Just(b'F'), any::<u8>()], 1..8),
        ) {
            let path = |name: &[u8]| {
                let mut out = String::new();
                push_name(&mut out, name);
                out
            };
            prop_assert_eq!(a == b, path(&a) == path(&b));
        }
    }
}
