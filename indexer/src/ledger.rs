//! The ledger for people and their spreadsheets: in which state a reading leaves its file, and a line of the ledger as a
//! row of CSV (RFC 4180).

use extract::{Extraction, FileError, Missing, Verdict};
use storage::{FileState, LedgerEntry};

/// The head of the table, with its line end.
pub const LEDGER_COLUMNS: &str =
    "source,path,state,reason,type,bytes,seconds,characters,passages,pages_with_text,pages\r\n";

/// The state that the ledger records for a file whose text this is; `tries` failed ones came before.
pub fn state_of(outcome: &Result<Extraction, FileError>, tries: u32) -> FileState {
    match outcome {
        Ok(extraction) => state_of_extraction(extraction),
        Err(error) => state_of_error(error, tries),
    }
}

fn state_of_extraction(extraction: &Extraction) -> FileState {
    let mut notes = extraction.warnings.clone();
    match &extraction.document {
        Some(document) => {
            notes.splice(0..0, document.warnings.iter().cloned());
            state_of_text(&document.missing, notes)
        }
        None => {
            notes.insert(0, format!("{} files inside", extraction.parts.len()));
            FileState::Indexed { notes }
        }
    }
}

/// The state of a file that gave text, all but `missing`.
pub(crate) fn state_of_text(missing: &[Missing], notes: Vec<String>) -> FileState {
    if missing.is_empty() {
        return FileState::Indexed { notes };
    }
    let missing = missing.iter().map(|Missing { part, reason }| format!("{part}: {reason}")).collect();
    FileState::Partly { missing, notes }
}

/// The state of a file that gave none.
pub(crate) fn state_of_error(error: &FileError, tries: u32) -> FileState {
    match error.verdict() {
        Verdict::Skipped => FileState::Skipped { rule: error.to_string() },
        Verdict::Unreadable => FileState::Unreadable { reason: error.to_string() },
        Verdict::Failed => FileState::Failed { error: error.to_string(), tries: tries + 1 },
    }
}

/// A row of the table, with its line end.
pub fn ledger_row(entry: &LedgerEntry) -> String {
    let pages =
        |of: fn(&storage::Coverage) -> u32| entry.coverage.as_ref().map(|it| of(it).to_string()).unwrap_or_default();
    let cells = [
        csv_cell(&entry.source),
        csv_cell(&entry.path),
        entry.state.label().to_string(),
        csv_cell(&entry.state.reason()),
        csv_cell(&entry.kind),
        entry.bytes.to_string(),
        format!("{:.3}", entry.micros as f64 / 1e6),
        entry.characters.to_string(),
        entry.chunks.to_string(),
        pages(|coverage| coverage.with_text),
        pages(|coverage| coverage.pages),
    ];
    format!("{}\r\n", cells.join(","))
}

/// A text as a cell of CSV. Spreadsheets compute what begins like a formula, and texts come from anybody: such a cell gets
/// an apostrophe, as its writer would have typed it.
pub fn csv_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_string() };
    let needs_quotes = text.contains([',', '"', '\n', '\r']);
    if needs_quotes { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use extract::{ExtractLimits, extract};
    use storage::Coverage;

    use super::*;

    fn entry(path: &str, state: FileState) -> LedgerEntry {
        LedgerEntry {
            source: "docs".to_string(),
            path: path.to_string(),
            state,
            kind: "pdf".to_string(),
            bytes: 12,
            modified_ns: 0,
            inode: None,
            content: None,
            characters: 34,
            chunks: 5,
            micros: 1_234_567,
            coverage: Some(Coverage { pages: 3, with_text: 2 }),
            reader: String::new(),
        }
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_head() {
        let row = ledger_row(&entry("a.pdf", FileState::Indexed { notes: Vec::new() }));
        assert_eq!(row, "docs,a.pdf,indexed,,pdf,12,1.235,34,5,2,3\r\n");
        assert_eq!(row.matches(',').count(), LEDGER_COLUMNS.matches(',').count());
    }

    #[test]
    fn cells_are_quoted_and_no_formula_is_one() {
        let rule = "says \"no\", twice".to_string();
        let row = ledger_row(&entry("=HYPERLINK(1)", FileState::Skipped { rule }));
        assert!(row.starts_with("docs,'=HYPERLINK(1),skipped,\"says \"\"no\"\", twice\",pdf"), "{row}");
    }

    #[test]
    fn a_reading_has_the_state_that_the_ledger_will_say() {
        let read = |text: &str| extract(Path::new("a.txt"), text.as_bytes(), &ExtractLimits::default());
        assert_eq!(state_of(&read("words"), 0).label(), "indexed");
        assert_eq!(state_of(&read(""), 0).label(), "skipped");
        let mut partly = read("words").unwrap();
        let missing = Missing { part: "page 2".to_string(), reason: "a scan".to_string() };
        partly.document.as_mut().unwrap().missing.push(missing);
        assert_eq!(state_of(&Ok(partly), 0).reason(), "page 2: a scan");
        let crashed = Err(FileError::Crashed { how: "x".to_string() });
        assert!(matches!(state_of(&crashed, 2), FileState::Failed { tries: 3, .. }));
    }
}
