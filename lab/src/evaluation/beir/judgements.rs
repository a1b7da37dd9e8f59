//! Reads judgements: which document answers which query, and how well.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Lines;
use crate::error::{Error, Result};
use crate::evaluation::metrics::Grades;

/// A line as it should be.
const EXPECTED: &str = "query-id, corpus-id and score (whole number) in three columns, or the four columns of TREC";

/// The file to read when none is named: `qrels/test.tsv`, or the only `qrels/*.tsv`.
pub(super) fn choose(folder: &Path) -> Result<PathBuf> {
    let qrels = folder.join("qrels");
    if !qrels.is_dir() {
        return Err(Error::NoJudgements { folder: folder.to_owned() });
    }
    let unreadable = |source| Error::Read { path: qrels.clone(), source };
    let mut names = Vec::new();
    for entry in qrels.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "tsv") {
            names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    match names.as_slice() {
        [] => Err(Error::NoJudgements { folder: folder.to_owned() }),
        [only] => Ok(qrels.join(only)),
        several if several.iter().any(|name| name == "test.tsv") => Ok(qrels.join("test.tsv")),
        _ => Err(Error::AmbiguousJudgements { folder: qrels, choices: names }),
    }
}

/// The grades of every query of the file.
pub(super) fn read(path: &Path) -> Result<HashMap<String, Grades>> {
    let mut lines = Lines::open(path)?;
    let mut all: HashMap<String, Grades> = HashMap::new();
    let mut first = true;
    while let Some(line) = lines.next_line() {
        let line = line?;
        if std::mem::take(&mut first) && is_header(&line) {
            continue;
        }
        let wrong =
            |expected| Error::Judgement { path: path.to_owned(), line: lines.number, expected, got: line.clone() };
        let (query, document, grade) = judgement(&line).ok_or_else(|| wrong(EXPECTED))?;
        let before = all.entry(query.to_owned()).or_default().insert(document.to_owned(), grade);
        if before.is_some_and(|before| before != grade) {
            return Err(wrong("one grade for a query and a document, which had another before"));
        }
    }
    Ok(all)
}

fn is_header(line: &str) -> bool {
    matches!(columns(line).first(), Some(&("query-id" | "query_id" | "qid")))
}

/// Query, document and grade of a line.
fn judgement(line: &str) -> Option<(&str, &str, i32)> {
    let (query, document, grade) = match columns(line).as_slice() {
        [query, document, grade] | [query, _, document, grade] => (*query, *document, *grade),
        _ => return None,
    };
    Some((query, document, grade.trim().parse().ok()?))
}

/// Columns are parted by tabs (ids may hold blanks then), or by blanks where there is no tab.
fn columns(line: &str) -> Vec<&str> {
    if line.contains('\t') { line.split('\t').collect() } else { line.split_whitespace().collect() }
}
