//! Files of pairs: the spool, where pairs wait for what only all of them together tell, and the file that the user
//! wanted, which gets its name when it is whole.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use indexer::synthesis::{Pair, Rule};
use qwen3::train::Example;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One line of a file of pairs: an example, with where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) example: Example,
    /// The rule that made it; none where a language model did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<Rule>,
    /// The document it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Hash of the passage that a language model was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) passage: Option<String>,
}

impl From<Pair> for Row {
    fn from(pair: Pair) -> Self {
        let Pair { query, response, rule, path, .. } = pair;
        let example = Example { query, response, rejected_response: Vec::new(), scores: Vec::new() };
        Self { example, rule: Some(rule), path: Some(path), passage: None }
    }
}

/// What waits on the disk, written once and read once. It has no name: the system frees it with the process.
pub(crate) struct Spool<T> {
    file: BufWriter<File>,
    of: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Spool<T> {
    /// Beside the file that is wanted, where there has to be room anyway.
    pub(crate) fn beside(out: &Path) -> Result<Self> {
        let path = sibling(out, "spool");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        Ok(Self { file: BufWriter::new(file), of: PhantomData })
    }

    pub(crate) fn push(&mut self, value: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, value)?;
        self.file.write_all(b"\n")
    }

    /// All that was pushed, in its order.
    pub(crate) fn read(self) -> Result<impl Iterator<Item = Result<T>>> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        io::Seek::rewind(&mut file)?;
        let lines = BufReader::new(file).lines();
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}

/// The file that is wanted, in the making; without [`Out::finish`] nothing is left of it.
pub(crate) struct Out {
    file: BufWriter<File>,
    path: PathBuf,
    part: PathBuf,
}

impl Out {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let part = sibling(path, "part");
        let file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), part })
    }

    pub(crate) fn push(&mut self, row: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.file, row)?;
        Ok(self.file.write_all(b"\n")?)
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.part, &self.path).with_context(|| format!("cannot write {}", self.path.display()))
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
