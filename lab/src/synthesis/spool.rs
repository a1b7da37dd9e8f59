//! Files of pairs: the spool, where pairs wait for what only all of them together tell, and the file that the user
//! wanted, which gets its name when it is whole.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use storage::rename_durably;

use super::{Pair, Rule};
use crate::error::{Error, Result};
use crate::train::Example;

/// One line of a file of pairs: an example, with where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The example.
    #[serde(flatten)]
    pub example: Example,
    /// The rule that made it; none where a language model did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// The document it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Hash of the passage that a language model was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage: Option<String>,
}

impl From<Pair> for Row {
    fn from(pair: Pair) -> Self {
        let Pair { query, response, rule, path, .. } = pair;
        let example = Example { query, response, rejected_response: Vec::new(), scores: Vec::new() };
        Self { example, rule: Some(rule), path: Some(path), passage: None }
    }
}

/// What waits on the disk, written once and read once. It has no name: the system frees it with the process.
pub struct Spool<T> {
    file: BufWriter<File>,
    /// The file that is wanted: what errors name.
    beside: PathBuf,
    of: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Spool<T> {
    /// Beside the file that is wanted, where there has to be room anyway.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn beside(out: &Path) -> Result<Self> {
        let path = sibling(out, "spool");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
        let file = file.map_err(Error::writing(&path))?;
        fs::remove_file(&path).map_err(Error::writing(&path))?;
        Ok(Self { file: BufWriter::new(file), beside: out.to_owned(), of: PhantomData })
    }

    /// Puts a value behind the others.
    ///
    /// # Errors
    /// [`Error::Write`]: the disk is full, mostly.
    pub fn push(&mut self, value: &T) -> Result<()> {
        write_line(&mut self.file, value).map_err(Error::writing(&self.beside))
    }

    /// All that was pushed, in its order.
    ///
    /// # Errors
    /// [`Error::Write`] and, of each value, [`Error::Read`].
    pub fn read(self) -> Result<impl Iterator<Item = Result<T>>> {
        let Self { file, beside, .. } = self;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error).map_err(Error::writing(&beside))?;
        io::Seek::rewind(&mut file).map_err(Error::writing(&beside))?;
        let value = |line: io::Result<String>| Ok(serde_json::from_str(&line?)?);
        let unreadable = move |source| Error::Read { path: beside.clone(), source };
        Ok(BufReader::new(file).lines().map(move |line| value(line).map_err(&unreadable)))
    }
}

/// The file that is wanted, in the making; without [`Out::finish`] nothing is left of it.
pub struct Out {
    file: BufWriter<File>,
    path: PathBuf,
    part: PathBuf,
}

impl Out {
    /// Begins a file that is going to be at `path`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn create(path: &Path) -> Result<Self> {
        let part = sibling(path, "part");
        let file = File::create(&part).map_err(Error::writing(&part))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), part })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn push(&mut self, row: &impl Serialize) -> Result<()> {
        write_line(&mut self.file, row).map_err(Error::writing(&self.part))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn finish(mut self) -> Result<()> {
        let written = self.file.flush();
        written.and_then(|()| rename_durably(&self.part, &self.path)).map_err(Error::writing(&self.path))
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // Renamed, it is no longer there.
        let _ = fs::remove_file(&self.part);
    }
}

/// `pairs.jsonl` is made as `.pairs.jsonl.part`: hidden, so that indexing the folder meanwhile does not see it.
fn sibling(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{end}", std::process::id()))
}

fn write_line(file: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, value)?;
    file.write_all(b"\n")
}
