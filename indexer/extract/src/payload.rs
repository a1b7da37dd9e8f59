//! Payload: what lies in a text and is none. Files of all formats carry pictures, keys and programs written down in
//! letters (base64, hexadecimal, uuencode) and code that was packed for machines; nobody searches it, and every eight
//! bytes of it cost the model what a sentence costs. It is left out of what any reader read, an ellipsis stands in its
//! place, and a note says how much it was. Words are never touched: what goes is longer than any word and looks like none.

mod minified;
mod runs;

use std::ops::Range;

use crate::block::{BlockKind, StructuredText};
use crate::language;

/// What stands where something was left out.
const ELLIPSIS: &str = "…";

/// The document without payload, and with a note where there was some.
pub(crate) fn without_payload(mut document: StructuredText) -> StructuredText {
    let cuts: Vec<Vec<Range<usize>>> = document
        .blocks
        .iter()
        .map(|block| {
            let text = &document.text[block.span.clone()];
            match &block.kind {
                BlockKind::Code { language, .. } => {
                    let language = language.as_deref().unwrap_or_default();
                    united(runs::payload(text), minified::lines(text, language))
                }
                _ => runs::payload(text),
            }
        })
        .collect();
    let bytes: usize = cuts.iter().flatten().map(ExactSizeIterator::len).sum();
    if bytes == 0 {
        return document;
    }
    let source = std::mem::take(&mut document.text);
    let mut text = String::with_capacity(source.len() - bytes);
    let mut copied = 0;
    let blocks = std::mem::take(&mut document.blocks);
    for (mut block, cuts) in blocks.into_iter().zip(cuts) {
        let shortened = shortened(&source[block.span.clone()], &cuts);
        let says_something = shortened.chars().any(char::is_alphanumeric);
        if says_something || cuts.is_empty() {
            text.push_str(&source[copied..block.span.start]);
            let start = text.len();
            text.push_str(&shortened);
            copied = block.span.end;
            block.span = start..text.len();
            document.blocks.push(block);
        } else {
            // The gap behind it goes with it: text outside of blocks is blank.
            copied = block.span.end;
        }
    }
    document.text = text;
    document.language = language::detect_in(&document.text, &document.blocks).map(str::to_owned).or(document.language);
    document.warnings.push(format!("{} of encoded data or packed code were left out", size(bytes)));
    document
}

fn shortened(text: &str, cuts: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for cut in cuts {
        out.push_str(&text[at..cut.start]);
        out.push_str(ELLIPSIS);
        at = cut.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Ranges of both lists, in order, none within another.
fn united(one: Vec<Range<usize>>, other: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut all = [one, other].concat();
    all.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut united: Vec<Range<usize>> = Vec::with_capacity(all.len());
    for range in all {
        match united.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => united.push(range),
        }
    }
    united
}

fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::block::assert_invariants;
    use crate::{ExtractLimits, extract};

    /// Bytes that look as chance made them, in base64.
    fn base64(length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(LETTERS[usize::try_from(state >> 58).unwrap()])
        };
        (0..length).map(|_| next()).collect()
    }

    fn wrapped(length: usize, width: usize, before: &str, behind: &str) -> String {
        let all = base64(length);
        let lines =
            all.as_bytes().chunks(width).map(|line| format!("{before}{}{behind}", std::str::from_utf8(line).unwrap()));
        lines.collect()
    }

    fn read(name: &str, source: &str) -> StructuredText {
        let document =
            extract(Path::new(name), source.as_bytes(), &ExtractLimits::default()).unwrap().document.unwrap();
        assert_invariants(&document);
        document
    }

    #[test]
    fn base64_is_left_out_of_every_format() {
        let blob = base64(80_000);
        let lines = wrapped(8_000, 76, "", "\n");
        let cases = [
            ("a.json", format!("{{\"title\": \"Scan of walrus\", \"image\": \"{blob}\", \"n\": 4711}}")),
            ("a.yaml", format!("kind: walrus\ndata:\n  crt: {blob}\n  n: 4711\n")),
            ("a.xml", format!("<?xml version='1.0'?><a><b>walrus</b><c>{lines}</c><d>4711</d></a>")),
            ("a.html", format!("<p>walrus <code>{blob}</code> and 4711</p>")),
            ("a.md", format!("# walrus\n\n![x](data:image/png;base64,{blob})\n\n```\n{lines}```\n\nand 4711\n")),
            (
                "a.txt",
                format!("The walrus\n\n-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n\nand 4711\n"),
            ),
            ("a.py", format!("WALRUS = 1\nICON = (\n{})\nN = 4711\n", wrapped(4_000, 64, "    \"", "\"\n"))),
            ("a.js", format!("var walrus = \"\" +\n{}  \"\";\nvar n = 4711;\n", wrapped(4_000, 70, "  '", "' +\n"))),
            ("a.csv", format!("name,photo,n\nwalrus,{blob},4711\nseal,{blob},4712\n")),
            ("a.eml", format!("From: a@x\nTo: b@x\nSubject: s\n\nThe walrus\n\n{lines}\nand 4711\n")),
        ];
        for (name, source) in cases {
            let document = read(name, &source);
            let text = &document.text;
            assert!(text.len() < 600, "{name}: {} bytes", text.len());
            assert!(text.to_lowercase().contains("walrus") && text.contains("4711"), "{name}: {text}");
            assert!(
                document.warnings.iter().any(|note| note.ends_with("were left out")),
                "{name}: {:?}",
                document.warnings
            );
        }
    }

    #[test]
    fn a_block_that_is_nothing_else_goes() {
        let document = read("a.txt", &format!("Before.\n\n{}\n\nAfter.", base64(3_000)));
        assert_eq!(document.text, "Before.\n\nAfter.");
        assert_eq!(document.blocks[1].lines, 5..6);
        assert_eq!(document.warnings, ["3000 bytes of encoded data or packed code were left out"]);
        let nothing = extract(Path::new("a.txt"), base64(3_000).as_bytes(), &ExtractLimits::default());
        assert!(nothing.is_err());
    }

    #[test]
    fn uuencode_in_a_text_is_left_out() {
        let line = "M5W5R;&0@8V]N=&%I;G,@;6%N>2!T:&EN9W,N($AE;&QO+\"!W;W)L9\"$@5\n".replace('!', "#");
        let line = format!("{}\n", &format!("{}{}", line.trim_end(), "ABCD")[..61]);
        let document =
            read("a.txt", &format!("The walrus\n\nbegin 644 a.bin\n{}#0V%T\n`\nend\n\nand 4711", line.repeat(200)));
        assert!(document.text.len() < 100 && document.text.contains("4711"), "{}", document.text);
    }

    #[test]
    fn packed_code_is_left_out_and_code_is_not() {
        let packed =
            "!function(e,t){var n=e.x;for(;n<t.length;n++)r[n]=o(n,t[n]);return{a:n,b:r}}(window,[1,2]);".repeat(100);
        let document = read("a.min.js", &format!("/* Walrus 1.2, by Ana */\n{packed}\n"));
        assert!(document.text.contains("Walrus 1.2") && document.text.len() < 100, "{}", document.text.len());
        let code = "function walrus(first, second) {\n    return first + second; // The sum of both numbers\n}\n\n"
            .repeat(100);
        assert_eq!(read("a.js", &code).text.len(), code.trim_end().len() + 2);
    }

    #[test]
    fn what_people_write_stays() {
        let sha512 = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
        let url = format!("https://x.example/{}?q=1", "reports/quarterly-results/2024/".repeat(30));
        let hashes: String = (0..200).map(|n| format!("{n:064x}  files/a-{n}.txt\n")).collect();
        let sql: String = (0..300).map(|n| format!("({n},'Walrus number {n}','Oslo'),")).collect();
        let genes = "MethylCoAMutase".repeat(6);
        let texts = [
            format!("sha512 {sha512} of the file"),
            url,
            hashes,
            format!("INSERT INTO t VALUES {sql}"),
            format!("A {genes} word"),
            "采购合同必须由财务部和法务部共同签字之后才能寄给供应商".repeat(100),
            "การประชุมคณะกรรมการบริหาร".repeat(100),
            "=".repeat(400),
            "a,b,c,1,2,3,".repeat(500),
        ];
        for text in texts {
            assert_eq!(read("a.txt", &text).text.trim(), text.trim());
        }
    }
}
