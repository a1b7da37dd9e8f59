//! Reads a data set of questions with known answers, in the layout of BEIR.
//!
//! A folder holds `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`, perhaps `lang`) and
//! `qrels/*.tsv` (`query-id`, `corpus-id`, `score`, with a header; the four columns of TREC, without one, are read too).
//! Queries without any positive judgement are left out, as is usual for BEIR and unlike `trec_eval -c`, which would count
//! them as 0; [`BeirSet::left_out`] says how many. Fields that are not named here are ignored. Every error names its file,
//! and its line where it has one. The corpus is streamed, never held as a whole.

mod judgements;

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::evaluation::metrics::Grades;

/// Which of several files and queries to take.
#[derive(Debug, Clone, Default)]
pub struct BeirOptions {
    /// The file of queries, instead of `queries.jsonl` in the folder.
    pub queries: Option<PathBuf>,
    /// The file of judgements. Without it: the folder's `qrels/test.tsv`, else the only `qrels/*.tsv`.
    pub qrels: Option<PathBuf>,
    /// Keep only queries whose `lang` is this, ignoring case.
    pub language: Option<String>,
}

/// A document of the corpus.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BeirDocument {
    /// What judgements call it.
    #[serde(rename = "_id", deserialize_with = "id")]
    pub id: String,
    /// Its title; empty when it has none.
    #[serde(default, deserialize_with = "text_or_null")]
    pub title: String,
    /// Its text; can be empty.
    #[serde(default, deserialize_with = "text_or_null")]
    pub text: String,
}

/// A query with what is known about its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeirQuery {
    /// What judgements call it.
    pub id: String,
    /// The question.
    pub text: String,
    /// Its `lang`, where the file has one.
    pub language: Option<String>,
    /// The judgements; at least one is positive.
    pub grades: Grades,
    /// What answers it, word by word, where the file says so (`answers`).
    pub answers: Vec<String>,
}

/// A data set: its judged queries, and where its corpus is.
#[derive(Debug, Clone)]
pub struct BeirSet {
    /// The folder's name.
    pub name: String,
    /// The judged queries in the order of the file.
    pub queries: Vec<BeirQuery>,
    /// Queries (of the chosen language) that were left out because nothing is judged relevant to them.
    pub left_out: usize,
    corpus: PathBuf,
}

impl BeirSet {
    /// Reads queries and judgements of the folder. The corpus is not looked at.
    pub fn open(folder: &Path, options: &BeirOptions) -> Result<Self> {
        let queries_file = options.queries.clone().unwrap_or_else(|| folder.join("queries.jsonl"));
        let judgements_file = match &options.qrels {
            Some(file) => file.clone(),
            None => judgements::choose(folder)?,
        };
        let mut judgements = judgements::read(&judgements_file)?;
        let records = in_language(query_records(&queries_file)?, options.language.as_deref(), &queries_file)?;
        let asked = records.len();
        let queries: Vec<BeirQuery> = records
            .into_iter()
            .filter_map(|record| {
                let grades = judgements.remove(&record.id)?;
                let judged = grades.values().any(|grade| *grade > 0);
                let QueryRecord { id, text, lang, answers } = record;
                judged.then_some(BeirQuery { id, text, language: lang, grades, answers })
            })
            .collect();
        if queries.is_empty() {
            return Err(Error::NothingJudged { queries: queries_file, judgements: judgements_file });
        }
        Ok(Self { name: name(folder), left_out: asked - queries.len(), queries, corpus: folder.join("corpus.jsonl") })
    }

    /// Streams the documents of `corpus.jsonl`.
    pub fn corpus(&self) -> Result<Corpus> {
        Ok(Corpus { lines: Lines::open(&self.corpus)? })
    }

    /// Streams the documents of a folder whose queries do not matter.
    pub fn corpus_of(folder: &Path) -> Result<Corpus> {
        Ok(Corpus { lines: Lines::open(&folder.join("corpus.jsonl"))? })
    }
}

/// Iterates over the documents of a corpus.
pub struct Corpus {
    lines: Lines,
}

impl Iterator for Corpus {
    type Item = Result<BeirDocument>;

    fn next(&mut self) -> Option<Self::Item> {
        self.lines.record("\"_id\", \"title\" and \"text\"")
    }
}

#[derive(Deserialize)]
struct QueryRecord {
    #[serde(rename = "_id", deserialize_with = "id")]
    id: String,
    text: String,
    #[serde(default)]
    lang: Option<String>,
    #[serde(default)]
    answers: Vec<String>,
}

/// The queries of the file, whose ids must differ.
fn query_records(path: &Path) -> Result<Vec<QueryRecord>> {
    let mut lines = Lines::open(path)?;
    let mut records: Vec<QueryRecord> = Vec::new();
    let mut ids = HashSet::new();
    while let Some(record) = lines.record::<QueryRecord>("\"_id\" and \"text\"") {
        let record = record?;
        if !ids.insert(record.id.clone()) {
            return Err(Error::RepeatedId { path: path.to_owned(), line: lines.number, id: record.id });
        }
        records.push(record);
    }
    Ok(records)
}

fn in_language(records: Vec<QueryRecord>, language: Option<&str>, path: &Path) -> Result<Vec<QueryRecord>> {
    let Some(language) = language else { return Ok(records) };
    let found: BTreeSet<String> = records.iter().filter_map(|record| record.lang.clone()).collect();
    let spoken = |record: &QueryRecord| record.lang.as_ref().is_some_and(|lang| lang.eq_ignore_ascii_case(language));
    let kept: Vec<QueryRecord> = records.into_iter().filter(spoken).collect();
    if kept.is_empty() {
        let found = found.into_iter().collect();
        return Err(Error::NoQueryInLanguage { path: path.to_owned(), language: language.to_owned(), found });
    }
    Ok(kept)
}

/// The last name in the folder's path, also of `.` and `dir/..`.
fn name(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| full.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The lines of a file that are not blank, with their numbers.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    /// Of the line read last, from 1.
    number: usize,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), number: 0 })
    }

    /// The next line, without its end and without a byte-order mark.
    fn next_line(&mut self) -> Option<Result<String>> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            match self.reader.read_until(b'\n', &mut line) {
                Err(source) => return Some(Err(Error::Read { path: self.path.clone(), source })),
                Ok(0) => return None,
                Ok(_) => {}
            }
            let Ok(line) = String::from_utf8(line) else {
                return Some(Err(Error::NotUtf8 { path: self.path.clone(), line: self.number }));
            };
            let line = line.trim_start_matches('\u{FEFF}').trim_end_matches(['\n', '\r']);
            if !line.trim().is_empty() {
                return Some(Ok(line.to_owned()));
            }
        }
    }

    /// The record in the next line.
    fn record<Record: DeserializeOwned>(&mut self, expected: &'static str) -> Option<Result<Record>> {
        let line = match self.next_line()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let record = serde_json::from_str(&line);
        let (path, number) = (&self.path, self.number);
        Some(record.map_err(|source| Error::Record { path: path.clone(), line: number, expected, source }))
    }
}

/// An id that is a string, or a number as some files have it.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(i64),
    }
    match Id::deserialize(deserializer)? {
        Id::Text(text) => Ok(text),
        Id::Number(number) => Ok(number.to_string()),
    }
}

fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
