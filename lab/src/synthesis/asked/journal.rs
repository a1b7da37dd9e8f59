//! The journal of what was asked already: a line for each passage in a file beside the result, written after the
//! result's own line. A killed run goes on where it was: passages with a line in either file are not asked about again,
//! and a line that was cut off is taken away.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Tokens;
use crate::error::{Error, Result};
use crate::synthesis::{Fault, Row};

/// What became of a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its query is in the result.
    Kept,
    /// The model's answers could not be read.
    Rubbish,
    /// The query was too short or long, or no text.
    Unfit,
    /// Query and passage are too far apart.
    Distant,
    /// A search for the query does not find the passage.
    Lost,
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Distant => Self::Distant,
            Fault::Lost => Self::Lost,
            _ => Self::Unfit,
        }
    }
}

impl Outcome {
    /// In words, for the report.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Rubbish => "answers that could not be read",
            Self::Unfit => "queries too short, too long, or copied",
            Self::Distant => "cosine too low",
            Self::Lost => "not found by a search",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    passage: String,
    outcome: Outcome,
    tokens_read: u64,
    tokens_written: u64,
}

/// The result and the journal, open for more.
pub struct Journal {
    out: Lines,
    journal: Lines,
    done: HashSet<String>,
    /// Passages by what became of them, of this run and of those before.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Tokens of all runs.
    pub tokens: Tokens,
}

impl Journal {
    /// Opens both files, made anew or continued.
    ///
    /// # Errors
    /// A file cannot be read or written, or its lines are not what this writes.
    pub fn open(out: &Path) -> Result<Self> {
        let journal = path(out);
        let (mut done, mut outcomes, mut tokens) = (HashSet::new(), BTreeMap::new(), Tokens::default());
        for entry in lines::<Entry>(&journal)? {
            *outcomes.entry(entry.outcome).or_default() += 1;
            tokens.read += entry.tokens_read;
            tokens.written += entry.tokens_written;
            done.insert(entry.passage);
        }
        for row in lines::<Row>(out)? {
            // Written before a kill, and not noted any more.
            if row.passage.is_some_and(|passage| done.insert(passage)) {
                *outcomes.entry(Outcome::Kept).or_default() += 1;
            }
        }
        Ok(Self { out: Lines::append(out)?, journal: Lines::append(&journal)?, done, outcomes, tokens })
    }

    /// Whether a passage was asked about before.
    pub fn is_done(&self, passage: &str) -> bool {
        self.done.contains(passage)
    }

    /// How many were.
    pub fn done(&self) -> usize {
        self.done.len()
    }

    /// Writes a result.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn keep(&mut self, passage: &str, row: &Row, tokens: Tokens) -> Result<()> {
        self.out.push(row)?;
        self.note(passage, Outcome::Kept, tokens)
    }

    /// Notes what became of a passage.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn note(&mut self, passage: &str, outcome: Outcome, tokens: Tokens) -> Result<()> {
        let Tokens { read, written } = tokens;
        let entry = Entry { passage: passage.to_owned(), outcome, tokens_read: read, tokens_written: written };
        self.journal.push(&entry)?;
        *self.outcomes.entry(outcome).or_default() += 1;
        self.tokens.read += read;
        self.tokens.written += written;
        self.done.insert(entry.passage);
        Ok(())
    }
}

/// `queries.jsonl` has its journal in `queries.jsonl.done`.
pub fn path(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".done");
    out.with_file_name(name)
}

/// A file of JSON lines that grows.
struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    fn append(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self { path: path.to_owned(), file: file.map_err(Error::writing(path))? })
    }

    /// One call, so that a kill leaves a whole line or the beginning of one.
    fn push(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(value).map_err(|error| Error::writing(&self.path)(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::writing(&self.path))
    }
}

/// The lines of a file that may not exist; a last one that was cut off is taken away.
fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let Ok(bytes) = fs::read(path) else { return Ok(Vec::new()) };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        let file = File::options().write(true).open(path);
        file.and_then(|file| file.set_len(whole as u64)).map_err(Error::writing(path))?;
    }
    let parse = |(number, line): (usize, &[u8])| {
        let number = number + 1;
        serde_json::from_slice(line).map_err(|error| Error::BadFile {
            file: path.display().to_string(),
            reason: format!("line {number}: expected what `quarry train synthesize` writes: {error}"),
        })
    };
    let lines = bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate();
    lines.map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Example;

    fn row(passage: &str) -> Row {
        let example = Example { query: "q".into(), response: "r".into(), rejected_response: vec![], scores: vec![] };
        Row { example, rule: None, path: None, passage: Some(passage.into()) }
    }

    #[test]
    fn a_killed_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("q.jsonl");
        let cost = Tokens { read: 10, written: 2 };
        let mut journal = Journal::open(&out).unwrap();
        journal.keep("a", &row("a"), cost).unwrap();
        journal.note("b", Outcome::Lost, cost).unwrap();
        drop(journal);
        // Killed between the two lines of "c", and in the middle of that of "d".
        let mut file = File::options().append(true).open(&out).unwrap();
        serde_json::to_writer(&mut file, &row("c")).unwrap();
        file.write_all(b"\n").unwrap();
        file.write_all(b"{\"query\":\"cut o").unwrap();
        let journal = Journal::open(&out).unwrap();
        assert!(["a", "b", "c"].iter().all(|passage| journal.is_done(passage)) && !journal.is_done("d"));
        assert_eq!(journal.outcomes, BTreeMap::from([(Outcome::Kept, 2), (Outcome::Lost, 1)]));
        assert_eq!(journal.tokens, Tokens { read: 20, written: 4 });
        assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 2);
    }
}
