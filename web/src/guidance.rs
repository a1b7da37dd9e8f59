//! Guidance in a running server: the synonyms and the rules of the ranking, read again whenever their files change, and
//! replaced from the page.
//!
//! Promises: what cannot be used is not written, and what was in force stays; nobody overwrites what somebody else has
//! written since they looked.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use searcher::{GuidanceFiles, Rules, Searcher, Synonyms, WrittenError};
use storage::{Readers, replace_durably};

/// Bytes of such a file that can be changed on the page.
pub(crate) const MAX_BYTES: usize = 256 << 10;

/// What such a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Words that stand for each other.
    Synonyms,
    /// What comes first, and what counts more or less.
    Rules,
}

/// Both, in the order in which they are looked after.
const SUBJECTS: [Subject; 2] = [Subject::Synonyms, Subject::Rules];

/// Why a text does not take the place of another.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It cannot be used.
    Wrong(WrittenError),
    /// There is another one by now than the one that was looked at.
    Changed,
    /// It is larger than what can be changed on the page.
    Large,
    /// The file cannot be read or written.
    Disk(io::Error),
}

/// What a file was like when it was last looked at; nothing where it was not there.
type Stamp = Option<(SystemTime, u64)>;

/// The files of a running server, and the searcher that goes by them.
pub(crate) struct GuidanceDesk {
    files: GuidanceFiles,
    searcher: Searcher,
    /// Whoever changes a file or puts it in force holds this.
    seen: Mutex<[Stamp; 2]>,
}

impl GuidanceDesk {
    /// Puts in force what is written.
    ///
    /// # Errors
    /// It cannot be read or used.
    pub(crate) fn open(files: GuidanceFiles, searcher: Searcher) -> Result<Self, WrittenError> {
        // Before it is read: what is written meanwhile is seen by the next look.
        let seen = SUBJECTS.map(|subject| stamp(path(&files, subject)));
        let guidance = files.read()?;
        searcher.guide(|in_force| *in_force = guidance);
        Ok(Self { files, searcher, seen: Mutex::new(seen) })
    }

    /// Where something is written.
    pub(crate) fn path(&self, subject: Subject) -> &Path {
        path(&self.files, subject)
    }

    /// What is written; nothing where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or is too large for the page.
    pub(crate) fn text(&self, subject: Subject) -> Result<String, Refusal> {
        let path = self.path(subject);
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Refusal::Disk(error)),
            Ok(file) if file.len() > MAX_BYTES as u64 => Err(Refusal::Large),
            Ok(_) => fs::read_to_string(path).map_err(Refusal::Disk),
        }
    }

    /// Puts a text in the place of the one that [`mark`] tells, and in force.
    ///
    /// # Errors
    /// It cannot take its place: see [`Refusal`]. All is as it was then.
    pub(crate) fn replace(&self, subject: Subject, before: &str, text: String) -> Result<(), Refusal> {
        if text.len() > MAX_BYTES {
            return Err(Refusal::Large);
        }
        let mut seen = self.seen();
        if mark(&self.text(subject)?) != before {
            return Err(Refusal::Changed);
        }
        let path = self.path(subject);
        let change = Change::of(subject, path, text.clone()).map_err(Refusal::Wrong)?;
        replace_durably(path, Readers::Umask, |file| file.write_all(text.as_bytes())).map_err(Refusal::Disk)?;
        change.put_in_force(&self.searcher);
        seen[subject as usize] = stamp(path);
        Ok(())
    }

    /// Puts in force what somebody has written into a file. What cannot be used is said once, and what held before holds.
    pub(crate) fn look(&self) {
        let mut seen = self.seen();
        for subject in SUBJECTS {
            let path = self.path(subject);
            let now = stamp(path);
            if now == seen[subject as usize] {
                continue;
            }
            seen[subject as usize] = now;
            let read = match fs::read_to_string(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
                read => read,
            };
            let text = match read {
                Ok(text) => text,
                Err(error) => {
                    tracing::error!("{} cannot be read, what it held stays in force: {error}", path.display());
                    continue;
                }
            };
            match Change::of(subject, path, text) {
                Ok(change) => {
                    change.put_in_force(&self.searcher);
                    tracing::info!("{} has changed and is in force", path.display());
                }
                Err(error) => {
                    tracing::error!("what was in force stays: {}", storage::chain(&error));
                }
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, [Stamp; 2]> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells a text from another.
pub(crate) fn mark(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_string()
}

/// Something that was read and can be put in force.
enum Change {
    Synonyms(Synonyms),
    Rules(Rules),
}

impl Change {
    fn of(subject: Subject, path: &Path, text: String) -> Result<Self, WrittenError> {
        Ok(match subject {
            Subject::Synonyms => Self::Synonyms(Synonyms::parse(path, text)?),
            Subject::Rules => Self::Rules(Rules::parse(path, text)?),
        })
    }

    fn put_in_force(self, searcher: &Searcher) {
        searcher.guide(|guidance| match self {
            Self::Synonyms(synonyms) => guidance.synonyms = synonyms,
            Self::Rules(rules) => guidance.rules = rules,
        });
    }
}

fn path(files: &GuidanceFiles, subject: Subject) -> &Path {
    match subject {
        Subject::Synonyms => &files.synonyms.path,
        Subject::Rules => &files.rules.path,
    }
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}
