//! Documents and their passages for those who have no index: the same walk, readers, limits and chunks as an indexing
//! run, and nothing is stored.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::bounded;
use extract::{Extraction, FileError, StructuredText};
use qwen3::EmbedHandle;

use crate::beneath::Root;
use crate::chunk::{ChunkLimits, ChunkText, TokenCounter, chunk_until};
use crate::counter::ModelCounter;
use crate::error::IndexError;
use crate::options::IndexOptions;
use crate::read::read_file;
use crate::stop::Stop;
use crate::walk::{FoundFile, ProblemKind, walk};

/// Bytes above which a passage is not asked whether it has any token.
const SURE_TO_HAVE_TOKENS: usize = 256;

/// Files that may be under way at once: as later ones wait for a slow one, this bounds the memory.
const WINDOW: usize = 64;

/// Cuts documents into the passages that an index of a model would hold.
pub struct PassageCutter {
    counter: ModelCounter,
    limits: ChunkLimits,
}

impl PassageCutter {
    /// Passages of about the sizes given, and never longer than the model reads.
    ///
    /// # Errors
    /// The model's tokenizer fails.
    pub fn for_model(embedder: &EmbedHandle, limits: ChunkLimits) -> Result<Self, IndexError> {
        let counter = ModelCounter::new(embedder.ruler().clone())?;
        let limits = counter.limits_within(limits, embedder.max_tokens());
        Ok(Self { counter, limits })
    }

    /// The document's passages; none where it has no text.
    pub fn passages(&self, document: &StructuredText) -> Vec<ChunkText> {
        passages(document, &self.counter, self.limits, &Stop::default()).unwrap_or_default()
    }
}

/// The passages of a document that say anything; `None` if it was stopped before its end.
pub(crate) fn passages(
    document: &StructuredText,
    counter: &dyn TokenCounter,
    limits: ChunkLimits,
    stop: &Stop,
) -> Option<Vec<ChunkText>> {
    let mut chunks = chunk_until(document, counter, limits, stop)?;
    // Text without a single token (zero-width characters, say) can neither be embedded nor asked for.
    chunks.retain(|chunk| chunk.text.len() > SURE_TO_HAVE_TOKENS || counter.count(&chunk.text) > 0);
    Some(chunks)
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadDocument {
    /// Path below the root; of a document inside of a file, the file's path and the one below it.
    pub path: String,
    /// What it says.
    pub text: StructuredText,
}

/// What a walk over documents came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Files that were read.
    pub files: u64,
    /// Documents in them that have text.
    pub documents: u64,
    /// Files and documents inside of files that could not be read or hold no text.
    pub unread: u64,
    /// Folders and files that could not be listed, with the reason.
    pub problems: Vec<String>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// Reads every document below `root` as an indexing run would. `make` turns each into what is wanted of it, on several
/// threads; `take` gets the results one by one in the order of the walk, whatever the threads did, and may end it.
///
/// # Errors
/// The root cannot be listed. A file that cannot be read is counted, and no error.
pub fn read_documents<T: Send>(
    root: &Path,
    options: &IndexOptions,
    cancel: &AtomicBool,
    make: impl Fn(ReadDocument) -> T + Sync,
    mut take: impl FnMut(T) -> ControlFlow<()>,
) -> Result<ReadReport, IndexError> {
    let files = walk(root, &options.walk).map_err(IndexError::Root)?;
    let mut report = ReadReport::default();
    let held = files.root();
    std::thread::scope(|scope| {
        let (jobs_in, jobs_out) = bounded::<(usize, FoundFile)>(WINDOW);
        let (done_in, done_out) = bounded(WINDOW);
        // A file takes a permit when it sets out and gives it back when its turn was taken.
        let (permits_in, permits_out) = bounded(WINDOW);
        let lister = scope.spawn(move || {
            let (mut number, mut problems) = (0, Vec::new());
            for found in files.take_while(|_| !cancel.load(Ordering::Relaxed)) {
                match found {
                    Ok(file) => {
                        if permits_in.send(()).is_err() || jobs_in.send((number, file)).is_err() {
                            break;
                        }
                        number += 1;
                    }
                    Err(problem) if problem.kind == ProblemKind::Unreadable => problems.push(problem.to_string()),
                    Err(_) => {}
                }
            }
            problems
        });
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (jobs_out, done_in, make, held) = (jobs_out.clone(), done_in.clone(), &make, &held);
            scope.spawn(move || {
                for (number, file) in jobs_out {
                    let made: Vec<Option<T>> =
                        documents(held, &file, options).into_iter().map(|read| read.ok().map(make)).collect();
                    if done_in.send((number, made)).is_err() {
                        return;
                    }
                }
            });
        }
        drop((jobs_out, done_in));
        report.take_in_order(done_out.iter(), |made| {
            // Whoever listed the file has sent the permit first: this never waits.
            let _ = permits_out.recv();
            made.into_iter().try_for_each(&mut take)
        });
        // The threads end once nobody takes their work.
        drop((done_out, permits_out));
        report.problems = lister.join().unwrap_or_default();
    });
    report.interrupted |= cancel.load(Ordering::Relaxed);
    Ok(report)
}

impl ReadReport {
    /// Takes what the threads made in the order of its numbers.
    fn take_in_order<T>(
        &mut self,
        done: impl Iterator<Item = (usize, Vec<Option<T>>)>,
        mut take: impl FnMut(Vec<T>) -> ControlFlow<()>,
    ) {
        let (mut early, mut next) = (BTreeMap::new(), 0);
        for (number, made) in done {
            early.insert(number, made);
            while let Some(made) = early.remove(&next) {
                next += 1;
                self.files += 1;
                let all = made.len();
                let made: Vec<T> = made.into_iter().flatten().collect();
                self.documents += made.len() as u64;
                self.unread += (all - made.len()) as u64;
                if take(made).is_break() {
                    self.interrupted = true;
                    return;
                }
            }
        }
    }
}

/// The documents of one file: its own text, and those inside of it.
fn documents(root: &Root, file: &FoundFile, options: &IndexOptions) -> Vec<Result<ReadDocument, FileError>> {
    let read = read_file(root, file, &options.extract)
        .and_then(|bytes| options.reader.read(Path::new(&file.relative), &bytes, &options.extract, &options.stop));
    let Extraction { document, parts, .. } = match read {
        Ok(extraction) => extraction,
        Err(error) => return vec![Err(error)],
    };
    let own = document.map(|text| Ok(ReadDocument { path: file.relative.clone(), text }));
    let inside = parts.into_iter().map(|part| {
        let path = format!("{}/{}", file.relative, part.path);
        part.outcome.map(|text| ReadDocument { path, text })
    });
    own.into_iter().chain(inside).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..files {
            // The first ones take longest, so that later ones are done before them.
            let lines = "A line of text.\n\n".repeat(if number < 4 { 20_000 } else { 1 });
            fs::write(folder.path().join(format!("{number:03}.md")), format!("# Note {number}\n\n{lines}")).unwrap();
        }
        folder
    }

    #[test]
    fn documents_come_in_the_order_of_the_walk() {
        let folder = folder(200);
        fs::write(folder.path().join("050.bin"), [0u8, 159, 146, 150]).unwrap();
        let mut paths = Vec::new();
        let options = IndexOptions::default();
        let make = |read: ReadDocument| read.path;
        let take = |path| {
            paths.push(path);
            ControlFlow::Continue(())
        };
        let report = read_documents(folder.path(), &options, &AtomicBool::new(false), make, take).unwrap();
        assert_eq!((report.files, report.documents, report.unread), (201, 200, 1));
        assert!(paths.is_sorted() && paths.len() == 200 && !report.interrupted);
    }

    #[test]
    fn whoever_takes_may_stop() {
        let folder = folder(200);
        let mut taken = 0;
        let take = |()| {
            taken += 1;
            if taken == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let report =
            read_documents(folder.path(), &IndexOptions::default(), &AtomicBool::new(false), |_| (), take).unwrap();
        assert_eq!((taken, report.files, report.interrupted), (3, 3, true));
        let nowhere = folder.path().join("nowhere");
        let stop = AtomicBool::new(false);
        let missing = read_documents(&nowhere, &IndexOptions::default(), &stop, |_| (), |()| ControlFlow::Continue(()));
        assert!(matches!(missing, Err(IndexError::Root(_))));
    }
}
