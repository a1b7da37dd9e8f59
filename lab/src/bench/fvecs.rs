//! A reader of the TEXMEX formats of benchmark vectors: each row a little-endian i32 length, then that many values.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Reads an `.fvecs` file: rows of finite f32, all of one length.
///
/// # Errors
/// [`Error::Read`], or [`Error::BadFile`] that says which row is wrong.
pub fn read_fvecs(path: &Path) -> Result<Vec<Vec<f32>>> {
    let rows = read_rows(path, f32::from_le_bytes)?;
    let dim = rows.first().map_or(0, Vec::len);
    for (number, row) in rows.iter().enumerate() {
        if row.len() != dim {
            return Err(dataset(path, format!("row {number} has {} values, the first has {dim}", row.len())));
        }
        if row.iter().any(|value| !value.is_finite()) {
            return Err(dataset(path, format!("row {number} holds a value that is not finite")));
        }
    }
    Ok(rows)
}

/// Reads an `.ivecs` file: rows of numbers that are not negative.
///
/// # Errors
/// As [`read_fvecs`].
pub fn read_ivecs(path: &Path) -> Result<Vec<Vec<u32>>> {
    let rows = read_rows(path, i32::from_le_bytes)?;
    let unsigned = |(number, row): (usize, Vec<i32>)| {
        let values: std::result::Result<Vec<u32>, _> = row.into_iter().map(u32::try_from).collect();
        values.map_err(|_| dataset(path, format!("row {number} holds a negative number")))
    };
    rows.into_iter().enumerate().map(unsigned).collect()
}

fn read_rows<T>(path: &Path, value: impl Fn([u8; 4]) -> T) -> Result<Vec<Vec<T>>> {
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(dataset(path, format!("{} bytes are not a whole number of 4-byte values", bytes.len())));
    }
    let mut rows = Vec::new();
    let mut at = 0;
    while let Some(&length) = words.get(at) {
        let length = i32::from_le_bytes(length);
        let number = rows.len();
        let row = usize::try_from(length).ok().filter(|&len| len > 0).and_then(|len| words.get(at + 1..)?.get(..len));
        let Some(row) = row else {
            let left = words.len() - at - 1;
            let what =
                format!("row {number} says it has {length} values, {left} are left: not an fvecs or ivecs file?");
            return Err(dataset(path, what));
        };
        rows.push(row.iter().map(|&word| value(word)).collect());
        at += 1 + row.len();
    }
    match rows.is_empty() {
        true => Err(dataset(path, "it holds no rows".into())),
        false => Ok(rows),
    }
}

fn dataset(path: &Path, reason: String) -> Error {
    Error::BadFile { file: path.display().to_string(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(words: &[i32], extra: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vectors");
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(extra);
        fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn rows_come_out_as_they_went_in() {
        let (_dir, path) = file(&[2, 7, 8, 1, 9], &[]);
        assert_eq!(read_ivecs(&path).unwrap(), [vec![7, 8], vec![9]]);
        let (_dir, path) = file(&[2, 1.5f32.to_bits() as i32, (-2.0f32).to_bits() as i32], &[]);
        assert_eq!(read_fvecs(&path).unwrap(), [vec![1.5, -2.0]]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (words, extra, part) in [
            (vec![2, 7], vec![], "says it has 2 values, 1 are left"),
            (vec![-1, 7], vec![], "says it has -1"),
            (vec![1, 7], vec![0], "whole number"),
            (vec![], vec![], "no rows"),
            (vec![1, -7], vec![], "negative"),
        ] {
            let (_dir, path) = file(&words, &extra);
            let message = read_ivecs(&path).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let (_dir, path) = file(&[1, 0, 2, 0, 0], &[]);
        assert!(read_fvecs(&path).unwrap_err().to_string().contains("row 1 has 2 values"));
        let (_dir, path) = file(&[1, f32::NAN.to_bits() as i32], &[]);
        assert!(read_fvecs(&path).unwrap_err().to_string().contains("not finite"));
        assert!(read_fvecs(Path::new("/nowhere.fvecs")).unwrap_err().to_string().contains("cannot read /nowhere"));
    }
}
