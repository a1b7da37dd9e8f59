//! Files with the same content, byte for byte: for each content, the files of the ledger that have it.

use crate::documents::{Changes, Documents};
use crate::error::Result;
use crate::record::{FileState, LedgerEntry};

/// Prefix of the entries in the document store.
const PREFIX: u8 = b'h';

/// Notes that the line `old` gives way to `new`.
pub(crate) fn note(changes: &mut Changes, old: Option<&LedgerEntry>, new: Option<&LedgerEntry>) {
    let (old, new) = (old.and_then(key), new.and_then(key));
    if old == new {
        return;
    }
    if let Some(old) = old {
        changes.remove_mark(old);
    }
    if let Some(new) = new {
        changes.put_mark(new);
    }
}

/// Source and path of the first file with the content of `entry`, in the order of sources and paths, if that is another
/// one.
pub(crate) fn first_of(documents: &Documents, entry: &LedgerEntry) -> Result<Option<(String, String)>> {
    let Some(own) = key(entry) else { return Ok(None) };
    let prefix = &own[..1 + CONTENT];
    let Some(first) = documents.keys(prefix).next().transpose()? else { return Ok(None) };
    if first[..] == own[..] {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(first.get(prefix.len()..).unwrap_or_default()).into_owned();
    Ok(name.split_once('\0').map(|(source, path)| (source.to_string(), path.to_string())))
}

/// The line with a note on the file it duplicates, for people.
pub(crate) fn noted(documents: &Documents, mut entry: LedgerEntry) -> Result<LedgerEntry> {
    if let Some((source, path)) = first_of(documents, &entry)?
        && let FileState::Indexed { notes } | FileState::Partly { notes, .. } = &mut entry.state
    {
        notes.insert(0, format!("duplicate of {source}/{path}"));
    }
    Ok(entry)
}

/// Bytes of the content's hash that are compared.
const CONTENT: usize = 16;

/// The key of a line: content, source, path. `None` for what is not searchable: it is no copy of anything.
fn key(entry: &LedgerEntry) -> Option<Vec<u8>> {
    let content = entry.content.filter(|_| entry.is_searchable())?;
    Some([&[PREFIX], &content[..CONTENT], entry.source.as_bytes(), &[0], entry.path.as_bytes()].concat())
}
