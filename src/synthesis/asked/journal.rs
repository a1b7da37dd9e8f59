//! The journal of what was asked already: a line for each passage in a file beside the result, written after the
//! result's own line. A killed run goes on where it was: passages with a line in either file are not asked about again,
//! and a line that was cut off is taken away.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use indexer::synthesis::Fault;
use serde::{Deserialize, Serialize};

use super::Tokens;
use crate::synthesis::Row;

/// What became of a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
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
    pub(crate) fn describe(self) -> &'static str {
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
pub(crate) struct Journal {
    out: File,
    journal: File,
    done: HashSet<String>,
    /// Passages by what became of them, of this run and of those before.
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    /// Tokens of all runs.
    pub(crate) tokens: Tokens,
}

impl Journal {
    /// Opens both files, made anew or continued.
    ///
    /// # Errors
    /// A file cannot be read or written, or its lines are not what this writes.
    pub(crate) fn open(out: &Path) -> Result<Self> {
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
        let append = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.with_context(|| format!("cannot write {}", path.display()))
        };
        Ok(Self { out: append(out)?, journal: append(&journal)?, done, outcomes, tokens })
    }

    /// Whether a passage was asked about before.
    pub(crate) fn is_done(&self, passage: &str) -> bool {
        self.done.contains(passage)
    }

    /// How many were.
    pub(crate) fn done(&self) -> usize {
        self.done.len()
    }

    /// Writes a result.
    pub(crate) fn keep(&mut self, passage: &str, row: &Row, tokens: Tokens) -> Result<()> {
        write_line(&mut self.out, row)?;
        self.note(passage, Outcome::Kept, tokens)
    }

    /// Notes what became of a passage.
    pub(crate) fn note(&mut self, passage: &str, outcome: Outcome, tokens: Tokens) -> Result<()> {
        let Tokens { read, written } = tokens;
        let entry = Entry { passage: passage.to_owned(), outcome, tokens_read: read, tokens_written: written };
        write_line(&mut self.journal, &entry)?;
        *self.outcomes.entry(outcome).or_default() += 1;
        self.tokens.read += read;
        self.tokens.written += written;
        self.done.insert(entry.passage);
        Ok(())
    }
}

/// `queries.jsonl` has its journal in `queries.jsonl.done`.
pub(crate) fn path(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".done");
    out.with_file_name(name)
}

/// One call, so that a kill leaves a whole line or the beginning of one.
fn write_line(file: &mut File, value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(file.write_all(&line)?)
}

/// The lines of a file that may not exist; a last one that was cut off is taken away.
fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let Ok(bytes) = fs::read(path) else { return Ok(Vec::new()) };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        let file =
            File::options().write(true).open(path).with_context(|| format!("cannot write {}", path.display()))?;
        file.set_len(whole as u64)?;
    }
    let lines = BufReader::new(&bytes[..whole]).lines().enumerate();
    let parse = |(number, line): (usize, std::io::Result<String>)| {
        let place =
            || format!("{}, line {}: expected what `quarry train synthesize` writes", path.display(), number + 1);
        serde_json::from_str(&line?).with_context(place)
    };
    lines.map(parse).collect()
}

#[cfg(test)]
mod tests {
    use qwen3::train::Example;

    use super::*;

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
        write_line(&mut file, &row("c")).unwrap();
        file.write_all(b"{\"query\":\"cut o").unwrap();
        let journal = Journal::open(&out).unwrap();
        assert!(["a", "b", "c"].iter().all(|passage| journal.is_done(passage)) && !journal.is_done("d"));
        assert_eq!(journal.outcomes, BTreeMap::from([(Outcome::Kept, 2), (Outcome::Lost, 1)]));
        assert_eq!(journal.tokens, Tokens { read: 20, written: 4 });
        assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 2);
    }
}
