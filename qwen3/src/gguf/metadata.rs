//! The key-value part of a GGUF header. Small values are read at once; arrays (a tokenizer's 150,000 tokens) are only
//! walked over, so that a file that lies about its counts costs nothing.

use std::{collections::BTreeMap, ops::Range};

use super::cursor::{Cursor, Parsed};
use crate::bytes::Bytes;

const UINT8: u32 = 0;
const INT8: u32 = 1;
const UINT16: u32 = 2;
const INT16: u32 = 3;
const UINT32: u32 = 4;
const INT32: u32 = 5;
const FLOAT32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const UINT64: u32 = 10;
const INT64: u32 = 11;
const FLOAT64: u32 = 12;

/// Arrays within arrays, at the most. Real files nest none.
const DEEPEST: usize = 4;
/// The format's own limit for keys.
const LONGEST_KEY: usize = 65_535;

/// All keys of one file.
pub(crate) struct Metadata {
    bytes: Bytes,
    values: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    /// Elements of type `kind` somewhere in the header, already found to be whole.
    Array {
        kind: u32,
        range: Range<usize>,
    },
}

impl Metadata {
    /// Reads `count` pairs.
    pub(crate) fn read(bytes: &Bytes, cursor: &mut Cursor, count: usize) -> Parsed<Self> {
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = cursor.text().map_err(|reason| format!("a metadata key cannot be read: {reason}"))?;
            if key.len() > LONGEST_KEY {
                return Err(format!("a metadata key has {} bytes, expected {LONGEST_KEY} at most", key.len()));
            }
            let value = read_value(cursor).map_err(|reason| format!("metadata {key:?} cannot be read: {reason}"))?;
            if values.insert(key.to_owned(), value).is_some() {
                return Err(format!("metadata {key:?} is there twice"));
            }
        }
        Ok(Self { bytes: bytes.clone(), values })
    }

    pub(crate) fn unsigned(&self, key: &str) -> Parsed<Option<u64>> {
        self.get(key, "an unsigned integer", |value| match value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        })
    }

    pub(crate) fn float(&self, key: &str) -> Parsed<Option<f64>> {
        self.get(key, "a number", |value| match value {
            Value::Float(number) => Some(*number),
            _ => None,
        })
    }

    pub(crate) fn flag(&self, key: &str) -> Parsed<Option<bool>> {
        self.get(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        })
    }

    pub(crate) fn text(&self, key: &str) -> Parsed<Option<&str>> {
        self.get(key, "a string", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// An array of at most `most` strings.
    pub(crate) fn texts(&self, key: &str, most: usize) -> Parsed<Option<Vec<&str>>> {
        self.elements(key, most, "an array of strings", |kind, cursor| match kind {
            STRING => Some(cursor.text()),
            _ => None,
        })
    }

    /// An array of at most `most` integers.
    pub(crate) fn integers(&self, key: &str, most: usize) -> Parsed<Option<Vec<i128>>> {
        self.elements(key, most, "an array of integers", |kind, cursor| match read_scalar(kind, cursor) {
            Ok(Value::Integer(number)) => Some(Ok(number)),
            Ok(_) => None,
            Err(reason) => Some(Err(reason)),
        })
    }

    fn get<'m, T>(&'m self, key: &str, wanted: &str, read: impl Fn(&'m Value) -> Option<T>) -> Parsed<Option<T>> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| wrong_kind(key, wanted))
    }

    /// `read` gives none for elements of another kind than wanted.
    fn elements<'m, T>(
        &'m self,
        key: &str,
        most: usize,
        wanted: &str,
        read: impl Fn(u32, &mut Cursor<'m>) -> Option<Parsed<T>>,
    ) -> Parsed<Option<Vec<T>>> {
        let Some((kind, range)) = self.get(key, wanted, |value| match value {
            Value::Array { kind, range } => Some((*kind, range)),
            _ => None,
        })?
        else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(&self.bytes[..range.end], range.start);
        let mut elements = Vec::new();
        while cursor.at() < range.end {
            if elements.len() == most {
                return Err(format!("metadata {key:?} has more than {most} elements"));
            }
            elements.push(read(kind, &mut cursor).ok_or_else(|| wrong_kind(key, wanted))??);
        }
        Ok(Some(elements))
    }
}

fn wrong_kind(key: &str, wanted: &str) -> String {
    format!("metadata {key:?} is not {wanted}")
}

fn read_value(cursor: &mut Cursor) -> Parsed<Value> {
    match cursor.u32()? {
        ARRAY => {
            let kind = cursor.u32()?;
            let count = cursor.size()?;
            let start = cursor.at();
            skip_elements(cursor, kind, count, 1)?;
            Ok(Value::Array { kind, range: start..cursor.at() })
        }
        kind => read_scalar(kind, cursor),
    }
}

fn read_scalar(kind: u32, cursor: &mut Cursor) -> Parsed<Value> {
    Ok(match kind {
        UINT8 => Value::Integer(cursor.u8()?.into()),
        INT8 => Value::Integer(cursor.u8()?.cast_signed().into()),
        UINT16 => Value::Integer(cursor.u16()?.into()),
        INT16 => Value::Integer(cursor.u16()?.cast_signed().into()),
        UINT32 => Value::Integer(cursor.u32()?.into()),
        INT32 => Value::Integer(cursor.u32()?.cast_signed().into()),
        UINT64 => Value::Integer(cursor.u64()?.into()),
        INT64 => Value::Integer(cursor.u64()?.cast_signed().into()),
        FLOAT32 => Value::Float(f32::from_bits(cursor.u32()?).into()),
        FLOAT64 => Value::Float(f64::from_bits(cursor.u64()?)),
        BOOL => match cursor.u8()? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            other => return Err(format!("expected 0 or 1 for a bool, got {other}")),
        },
        STRING => Value::Text(cursor.text()?.to_owned()),
        other => return Err(format!("its value type {other} is unknown")),
    })
}

fn skip_elements(cursor: &mut Cursor, kind: u32, count: usize, depth: usize) -> Parsed<()> {
    let size = match kind {
        UINT8 | INT8 | BOOL => 1,
        UINT16 | INT16 => 2,
        UINT32 | INT32 | FLOAT32 => 4,
        UINT64 | INT64 | FLOAT64 => 8,
        // Each element takes bytes of the file: a wrong count ends at the file's end.
        STRING => return (0..count).try_for_each(|_| cursor.text().map(|_| ())),
        ARRAY if depth < DEEPEST => {
            return (0..count).try_for_each(|_| {
                let kind = cursor.u32()?;
                let count = cursor.size()?;
                skip_elements(cursor, kind, count, depth + 1)
            });
        }
        ARRAY => return Err(format!("it nests more than {DEEPEST} arrays")),
        other => return Err(format!("its element type {other} is unknown")),
    };
    let length = count.checked_mul(size).ok_or_else(|| format!("{count} elements cannot be in a file"))?;
    cursor.take(length).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [text(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
    }

    fn array(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
    }

    fn read(pairs: &[Vec<u8>]) -> Parsed<Metadata> {
        let bytes = Bytes::Owned(pairs.concat().into());
        Metadata::read(&bytes, &mut Cursor::new(&bytes, 0), pairs.len())
    }

    #[test]
    fn reads_values_and_arrays() {
        let metadata = read(&[
            pair("small", UINT8, &[200]),
            pair("below", INT32, &(-5i32).to_le_bytes()),
            pair("float", FLOAT32, &1.5f32.to_le_bytes()),
            pair("yes", BOOL, &[1]),
            pair("name", STRING, &text("qwen3")),
            pair("words", ARRAY, &array(STRING, 2, &[text("a"), text("")].concat())),
            pair("kinds", ARRAY, &array(INT32, 2, &[1, 0, 0, 0, 255, 255, 255, 255])),
            pair("none", ARRAY, &array(STRING, 0, &[])),
            pair("deep", ARRAY, &array(ARRAY, 1, &array(UINT8, 3, &[1, 2, 3]))),
        ])
        .unwrap();
        assert_eq!(metadata.unsigned("small"), Ok(Some(200)));
        assert!(metadata.unsigned("below").unwrap_err().contains("\"below\" is not an unsigned"));
        assert_eq!(metadata.float("float"), Ok(Some(1.5)));
        assert_eq!(metadata.flag("yes"), Ok(Some(true)));
        assert_eq!(metadata.text("name"), Ok(Some("qwen3")));
        assert_eq!(metadata.texts("words", 9), Ok(Some(vec!["a", ""])));
        assert_eq!(metadata.integers("kinds", 2), Ok(Some(vec![1, -1])));
        assert_eq!(metadata.texts("none", 9), Ok(Some(vec![])));
        assert_eq!(metadata.unsigned("absent"), Ok(None));
        assert!(metadata.integers("kinds", 1).unwrap_err().contains("more than 1"));
        assert!(metadata.texts("kinds", 9).is_err() && metadata.integers("deep", 9).is_err());
        assert!(metadata.integers("words", 9).is_err() && metadata.texts("name", 9).is_err());
    }

    #[test]
    fn lies_end_at_the_end_of_the_file() {
        let refused = |pairs: &[Vec<u8>], part: &str| {
            let reason = read(pairs).err().unwrap();
            assert!(reason.contains(part), "{reason}");
        };
        refused(&[pair("a", ARRAY, &array(UINT64, u64::MAX, &[]))], "cannot be in a file");
        refused(&[pair("a", ARRAY, &array(UINT8, u64::MAX, &[]))], "truncated");
        refused(&[pair("a", ARRAY, &array(STRING, u64::MAX, &text("b")))], "truncated");
        refused(&[pair("a", STRING, &u64::MAX.to_le_bytes())], "truncated");
        refused(&[pair("a", STRING, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff])], "UTF-8");
        refused(&[pair("a", BOOL, &[2])], "0 or 1");
        refused(&[pair("a", 13, &[0; 64])], "value type 13");
        refused(&[pair("a", ARRAY, &array(99, 1, &[0; 64]))], "element type 99");
        refused(&[pair("a", UINT8, &[1]), pair("a", UINT8, &[1])], "twice");
        let mut nested = array(UINT8, 0, &[]);
        for _ in 0..1000 {
            nested = array(ARRAY, 1, &nested);
        }
        refused(&[pair("a", ARRAY, &nested)], "nests more");
    }
}
