//! CSV, TSV and their kin: the `csv` crate splits, the delimiter is told from the text (comma, semicolon, tab, bar, or
//! what a first line `sep=;` says). Rows of unequal length are as good as others.

use crate::Format;
use crate::block::{StructuredText, TextBuilder};
use crate::error::FileError;
use crate::input::Input;
use crate::{decode, office::sheets};

pub(crate) const CSV: &Format = Format::of("csv");
pub(crate) const TSV: &Format = Format::of("tsv");

/// Delimiters, the likeliest first.
const DELIMITERS: &[u8] = b",;\t|";

/// Lines that the delimiter is told from.
const SAMPLE_LINES: usize = 100;

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, None);
    let (delimiter, text) = declared(&decoded.text).unwrap_or_else(|| (likeliest(&decoded.text), &decoded.text));
    let skipped = decoded.text[..decoded.text.len() - text.len()].matches('\n').count();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let mut cells = sheets::Cells::new(input.limits);
    let mut record = csv::StringRecord::new();
    let mut number = u32::try_from(skipped).unwrap_or(0);
    while reader.read_record(&mut record).map_err(|error| FileError::damaged("csv", error))? {
        for (column, text) in record.iter().enumerate() {
            cells.add(number, u32::try_from(column).unwrap_or(u32::MAX - 1), text)?;
        }
        // A row of blanks is one that nobody sees.
        let blank = record.iter().all(|text| text.trim().is_empty());
        number += u32::from(!blank);
    }
    let mut builder = TextBuilder::default();
    builder.warnings = decoded.warnings;
    sheets::rows(&mut builder, cells.finish());
    Ok(builder.finish(if delimiter == b'\t' { TSV } else { CSV }))
}

/// The delimiter that a first line names, as Excel writes it, and the text behind that line.
fn declared(text: &str) -> Option<(u8, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let delimiter = first.trim_end_matches('\r').strip_prefix("sep=")?;
    let [delimiter] = delimiter.as_bytes() else { return None };
    Some((*delimiter, rest))
}

/// The delimiter that parts most lines into the same number of cells, and into the most of them.
fn likeliest(text: &str) -> u8 {
    let lines: Vec<Vec<usize>> = text.lines().filter(|line| !line.is_empty()).take(SAMPLE_LINES).map(counts).collect();
    let score = |&(at, _): &(usize, &u8)| {
        let mut numbers: Vec<usize> = lines.iter().map(|counts| counts[at]).filter(|&count| count > 0).collect();
        numbers.sort_unstable();
        let median = numbers.get(numbers.len() / 2).copied().unwrap_or(0);
        let alike = numbers.iter().filter(|&&count| count == median).count();
        // At equal scores the likelier delimiter wins.
        (alike, median, DELIMITERS.len() - at)
    };
    DELIMITERS.iter().enumerate().max_by_key(score).map_or(b',', |(_, delimiter)| *delimiter)
}

/// How often each delimiter stands in a line outside of quotes.
fn counts(line: &str) -> Vec<usize> {
    let mut counts = vec![0; DELIMITERS.len()];
    let mut quoted = false;
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        if let Some(at) = DELIMITERS.iter().position(|&delimiter| delimiter == byte && !quoted) {
            counts[at] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::block::assert_invariants;
    use crate::input::ExtractLimits;

    fn text(bytes: &[u8]) -> String {
        let limits = ExtractLimits::default();
        let document = read(&Input::new(Path::new("a.csv"), bytes, &limits)).unwrap();
        assert_invariants(&document);
        document.text
    }

    #[test]
    fn delimiters_are_told() {
        let expected = "| a | b |\n| --- | --- |\n| 1 | 2,5 |";
        for source in ["a;b\n1;2,5\n", "a\tb\r\n1\t2,5", "a|b\n1|2,5\n", "a,b\n1,\"2,5\"\n", "sep=;\na;b\n1;2,5"] {
            assert_eq!(text(source.as_bytes()), expected, "{source}");
        }
    }

    #[test]
    fn encodings_quotes_and_ragged_rows_are_read() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("名前,年齢\n佐藤太郎,30\n三木英子,25\n");
        assert_eq!(text(&bytes), "| 名前 | 年齢 |\n| --- | --- |\n| 佐藤太郎 | 30 |\n| 三木英子 | 25 |");
        assert_eq!(
            text(b"a,b\n\"x\ny\",\"say \"\"no\"\"\"\n\n,,\nz"),
            "| a | b |\n| --- | --- |\n| x y | say \"no\" |\n| z |  |"
        );
        assert_eq!(text(b"one\ntwo\n"), "one\ntwo");
    }

    proptest! {
        #[test]
        fn any_text_is_read(source in "([a-z0-9 ]{0,4}[,;\t|\"\n]{0,2}){0,60}") {
            let limits = ExtractLimits::default();
            if let Ok(document) = read(&Input::new(Path::new("a.csv"), source.as_bytes(), &limits)) {
                assert_invariants(&document);
            }
        }
    }
}
