//! Uuencode: how files were sent before MIME, and still are by scripts: lines of a text between `begin 644 name` and
//! `end`, each with its count of bytes first. The crates for it want the body alone and fail as a whole; here, what can
//! be read of a damaged body is read.

/// A file found in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Embedded {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The text without the files in it, and the files.
pub(super) fn taken_out(text: &str) -> (String, Vec<Embedded>) {
    let mut kept = String::new();
    let mut files = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let ahead = lines.clone();
        match opening(line).zip(body(ahead)) {
            Some((name, (bytes, rest))) => {
                files.push(Embedded { name: name.to_owned(), bytes });
                lines = rest;
            }
            None => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    (kept, files)
}

/// The name in `begin 644 name`.
fn opening(line: &str) -> Option<&str> {
    let (mode, name) = line.strip_prefix("begin ")?.trim_end().split_once(' ')?;
    let is_mode = (3..=4).contains(&mode.len()) && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    (is_mode && !name.trim().is_empty()).then_some(name.trim())
}

/// The bytes of the lines up to `end`, and the lines behind it; `None` where it is no such body.
fn body<'a>(mut lines: std::str::Lines<'a>) -> Option<(Vec<u8>, std::str::Lines<'a>)> {
    let mut bytes = Vec::new();
    loop {
        let line = lines.next()?;
        if line.trim_end() == "end" {
            return Some((bytes, lines));
        }
        if !line.trim().is_empty() {
            decode_line(line, &mut bytes)?;
        }
    }
}

/// One line: the count of bytes, then four characters for three bytes. Blanks at the end may be lost.
fn decode_line(line: &str, out: &mut Vec<u8>) -> Option<()> {
    let value = |byte: u8| (0x20..=0x60).contains(&byte).then(|| (byte - 0x20) & 0x3f);
    let (&first, rest) = line.as_bytes().split_first()?;
    let count = usize::from(value(first)?);
    if rest.len() > count.div_ceil(3) * 4 + 2 {
        return None;
    }
    let from = out.len();
    for group in rest.chunks(4) {
        let mut four = [0; 4];
        for (slot, &byte) in four.iter_mut().zip(group) {
            *slot = value(byte)?;
        }
        out.extend([four[0] << 2 | four[1] >> 4, four[1] << 4 | four[2] >> 2, four[2] << 6 | four[3]]);
    }
    out.resize(from + count, 0);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_out_of_a_text() {
        let text = "See file\n\nbegin 644 a b.txt\n#0V%T\n`\nend\nafter\n";
        let (kept, files) = taken_out(text);
        assert_eq!(kept, "See file\n\nafter\n");
        assert_eq!(files, [Embedded { name: "a b.txt".to_owned(), bytes: b"Cat".to_vec() }]);
    }

    #[test]
    fn sentences_that_begin_are_sentences() {
        for text in [
            "begin 644 a\nno end",
            "begin with it\nend",
            "begin 644 a\nthese are words, not a body\nend",
            "begin 999 a\n`\nend",
        ] {
            assert_eq!(taken_out(text).1, [], "{text}");
        }
    }
}
