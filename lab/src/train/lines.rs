//! Files of one JSON object a line.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use crate::error::{Error, Result};

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// What `parse` makes of every line; blank lines are passed over.
///
/// # Errors
/// [`Error::Read`], and [`Error::BadFile`] with the number of a line that is too long, not UTF-8, or that `parse`
/// refuses.
pub(super) fn read_lines<T>(path: &Path, parse: impl Fn(&str) -> std::result::Result<T, String>) -> Result<Vec<T>> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(read)?);
    let (mut found, mut line, mut number) = (Vec::new(), Vec::new(), 0usize);
    while 0 < file.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line).map_err(read)? {
        number += 1;
        let bad =
            |reason| Error::BadFile { file: path.display().to_string(), reason: format!("line {number}: {reason}") };
        if line.len() as u64 > MAX_LINE {
            return Err(bad(format!("more than {MAX_LINE} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|_| bad("expected UTF-8; convert the file".to_owned()))?;
        if !text.trim().is_empty() {
            found.push(parse(text).map_err(bad)?);
        }
        line.clear();
    }
    Ok(found)
}
