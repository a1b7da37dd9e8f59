//! Tests of the whole chunker: what it promises for any document, and how it cuts those that people write.

use std::cell::Cell;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use extract::{BlockKind, ExtractLimits, TextBuilder, extract};

/// One token for every four characters, rounded up.
struct Quarters;

impl TokenCounter for Quarters {
    fn count(&self, text: &str) -> usize {
        text.chars().count().div_ceil(4)
    }
}

struct Words;

impl TokenCounter for Words {
    fn count(&self, text: &str) -> usize {
        // Long words and text without spaces have several tokens, as with real tokenizers.
        text.split_whitespace().map(|word| word.chars().count().div_ceil(6)).sum()
    }
}

struct Bytes;

impl TokenCounter for Bytes {
    fn count(&self, text: &str) -> usize {
        text.len()
    }
}

fn document(name: &str, text: &str) -> StructuredText {
    extract(Path::new(name), text.as_bytes(), &ExtractLimits::default()).unwrap().document.unwrap()
}

fn assert_promises(document: &StructuredText, counter: &dyn TokenCounter, limits: ChunkLimits) -> Vec<ChunkText> {
    let chunks = chunk(document, counter, limits);
    let mut end = 0;
    for chunk in &chunks {
        assert!(chunk.span.start >= end, "spans overlap at {}", chunk.span.start);
        let lost = &document.text[end..chunk.span.start];
        assert!(lost.trim().is_empty(), "lost {lost:?}");
        let tokens = counter.count(&chunk.text);
        assert!(tokens <= limits.max, "{tokens} tokens, more than {}: {:?}", limits.max, chunk.text);
        assert!(!chunk.text.trim().is_empty(), "a chunk is blank");
        assert!(chunk.lines.start >= 1 && chunk.lines.end > chunk.lines.start);
        // A repeated header row is all that a text has beyond its span.
        let passage = &document.text[chunk.span.clone()];
        let last_line = chunk.text.lines().last().unwrap_or_default();
        assert!(passage.ends_with(&chunk.text) || passage.ends_with(last_line), "the text is not that of the span");
        assert!(
            chunk.text.len() <= passage.len() || document.blocks.iter().any(|block| block.kind == BlockKind::Table)
        );
        end = chunk.span.end;
        assert_eq!(chunk.key, ContentKey::of(&chunk.headings, &chunk.text));
        assert_blocks(chunk);
    }
    assert!(document.text[end..].trim().is_empty(), "lost {:?}", &document.text[end..]);
    chunks
}

/// The blocks of a passage are in order and hold every word of it.
fn assert_blocks(chunk: &ChunkText) {
    let mut end = 0;
    for block in &chunk.blocks {
        let span = block.bytes();
        assert!(span.start >= end && !chunk.text[span.clone()].trim().is_empty(), "{:?} of {:?}", block, chunk.text);
        assert_outside(&chunk.text[end..span.start], chunk);
        end = span.end;
    }
    assert_outside(&chunk.text[end..], chunk);
}

fn assert_outside(text: &str, chunk: &ChunkText) {
    assert!(!text.chars().any(char::is_alphabetic), "{text:?} is in no block of {:?}", chunk.text);
}

/// The blocks of a passage with their text.
fn blocks(chunk: &ChunkText) -> Vec<(storage::BlockKind, &str)> {
    chunk.blocks.iter().map(|block| (block.kind.clone(), &chunk.text[block.bytes()])).collect()
}

fn headings(chunks: &[ChunkText]) -> Vec<String> {
    chunks.iter().map(|chunk| chunk.headings.join(" > ")).collect()
}

fn words(count: usize) -> String {
    (0..count).map(|number| format!("word{number}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn sections_are_passages_with_their_heading_path() {
    let text = format!("# A\n\n## B\n\n{}\n\n## C\n\n{}\n", words(30), words(40));
    let document = document("a.md", &text);
    let chunks = assert_promises(&document, &Words, ChunkLimits { target: 50, max: 100 });
    assert_eq!(headings(&chunks), ["A > B", "A > C"]);
    assert_eq!(chunks[0].text, words(30));
    assert_eq!(chunks[0].span.start, 0);
    assert_eq!((chunks[0].lines.clone(), chunks[1].lines.clone()), (1..6, 7..10));
}

#[test]
fn tiny_sections_join_under_their_parent() {
    let document = document("a.md", "# A\n\n## B\n\none\n\n## C\n\ntwo\n\n## D\n\nthree\n\n# E\n\nfour five\n");
    let chunks = assert_promises(&document, &Words, ChunkLimits { target: 60, max: 100 });
    assert_eq!(headings(&chunks), ["A", "A > E"]);
    assert_eq!(chunks[0].text, "B\n\none\n\nC\n\ntwo\n\nD\n\nthree");
    assert_eq!(chunks[1].text, "four five");
}

#[test]
fn a_heading_with_nothing_below_it_is_found() {
    let document = document("a.md", "# Only\n");
    let chunks = assert_promises(&document, &Words, ChunkLimits::default());
    assert_eq!((chunks[0].text.as_str(), headings(&chunks)), ("Only", vec!["Only".to_owned()]));
    let text = format!("# A\n\n{}\n\n## Empty\n\n# B\n\n{}\n", words(40), words(40));
    let document = self::document("a.md", &text);
    let chunks = assert_promises(&document, &Words, ChunkLimits { target: 50, max: 60 });
    assert!(chunks.iter().any(|chunk| chunk.text.contains("Empty")), "{chunks:?}");
}

#[test]
fn long_sections_are_packed_block_by_block() {
    let paragraphs: Vec<String> = (0..6).map(|_| words(20)).collect();
    let document = document("a.md", &format!("# A\n\n{}\n", paragraphs.join("\n\n")));
    let chunks = assert_promises(&document, &Words, ChunkLimits { target: 64, max: 100 });
    assert_eq!(chunks.len(), 2);
    assert!(chunks.iter().all(|chunk| chunk.headings == ["A"]));
}

#[test]
fn split_tables_repeat_their_header() {
    let rows: String = (0..40).map(|row| format!("| name{row} | {row} |\n")).collect();
    let document = document("a.md", &format!("| name | limit |\n|---|---|\n{rows}"));
    let chunks = assert_promises(&document, &Quarters, ChunkLimits { target: 60, max: 120 });
    assert!(chunks.len() > 2);
    assert!(chunks.iter().all(|chunk| chunk.text.starts_with("| name | limit |\n| --- | --- |\n| name")));
    assert_eq!(chunks[0].lines.start, 1);
    assert!(chunks[1].lines.start > 5);
}

#[test]
fn parts_of_a_definition_say_which() {
    let body: String = (0..60).map(|line| format!("        let value_{line} = compute({line});\n")).collect();
    let document = document("a.rs", &format!("/// Doc.\nimpl Store {{\n    fn run(&self) {{\n{body}    }}\n}}\n"));
    let chunks = assert_promises(&document, &Quarters, ChunkLimits { target: 100, max: 200 });
    assert!(chunks.len() > 3);
    assert!(chunks[0].headings == ["a.rs"] && chunks[0].text.starts_with("/// Doc."));
    assert!(chunks[1..].iter().all(|chunk| chunk.headings == ["a.rs", "impl Store"]), "{:?}", headings(&chunks));
}

#[test]
fn one_line_of_megabytes_is_not_quadratic() {
    struct Counted(Cell<usize>);
    impl TokenCounter for Counted {
        fn count(&self, text: &str) -> usize {
            self.0.set(self.0.get() + text.len());
            text.len().div_ceil(4)
        }
    }
    for line in ["lorem ipsum ".repeat(250_000), "没有空格的长句子".repeat(45_000)] {
        let counter = Counted(Cell::new(0));
        let document = document("a.txt", &line);
        let chunks = chunk(&document, &counter, ChunkLimits::default());
        assert!(chunks.len() > line.len() / 2048);
        assert!(counter.0.get() < line.len() * 60, "{} bytes counted of {}", counter.0.get(), line.len());
    }
}

fn any_block() -> impl Strategy<Value = (BlockKind, String)> {
    let code =
        |language: &str| BlockKind::Code { language: Some(language.to_owned()), definition: Some("f".to_owned()) };
    let kind = prop_oneof![
        3 => (1u8..=4).prop_map(|level| BlockKind::Heading { level }),
        4 => Just(BlockKind::Paragraph),
        2 => Just(BlockKind::ListItem),
        1 => Just(BlockKind::Table),
        1 => Just(code("rust")),
        1 => Just(code("toml")),
    ];
    let text = prop_oneof![
        "[a-z]{1,8}( [a-z]{1,8}){0,40}",
        "([a-z]{1,9}[ .\n]{1,2}){1,60}",
        "[中文字符测试。]{1,80}",
        "(\\| [a-z]{1,6} \\| [0-9]{1,3} \\|\n){1,30}",
        "(fn [a-z]{1,5}\\(\\) \\{ [a-z]{1,9}; \\}\n){1,12}",
        "[a-z]{100,300}",
        "🇩🇪{1,40}",
    ];
    (kind, text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn promises_hold_for_any_document(
        blocks in proptest::collection::vec(any_block(), 0..14),
        target in 4usize..60,
        room in 0usize..60,
    ) {
        let mut builder = TextBuilder::default();
        for (number, (kind, text)) in (0..).zip(blocks) {
            builder.push(kind, &text, number * 10 + 1..number * 10 + 5);
        }
        let document = builder.finish(extract::Format::of("text"));
        let limits = ChunkLimits { target, max: target + room };
        assert_promises(&document, &Quarters, limits);
        assert_promises(&document, &Words, limits);
        assert_promises(&document, &Bytes, limits);
    }
}

#[test]
fn text_of_hardly_a_token_makes_no_endless_passage() {
    let limits = ChunkLimits::default();
    for text in [format!("a{}", " ".repeat(1_000)).repeat(300), format!("a{}", "\u{301}".repeat(200_000))] {
        struct Starts;
        impl TokenCounter for Starts {
            fn count(&self, text: &str) -> usize {
                text.matches('a').count()
            }
        }
        let chunks = chunk(&document("a.txt", &text), &Starts, limits);
        let longest = chunks.iter().map(|chunk| chunk.text.len()).max().unwrap();
        assert!(longest <= limits.max * split::OBVIOUS_BYTES, "{longest} bytes in one of {}", chunks.len());
    }
}

#[test]
fn passages_keep_the_blocks_that_the_reader_told() {
    use storage::BlockKind::{Code, Heading, Item, Paragraph, Quote, Table};
    use storage::Marker::{Bullet, Number, Text};
    let text = "# A\n\nbody - with | signs\n\n## B\n\n- one\n\n  more of one\n  1. inner\n\n> said\n\n| x | y |\n| - | - |\n| 1 | 2 |\n\n```sh\n| ls\n```\n";
    let document = document("a.md", text);
    let chunks = assert_promises(&document, &Words, ChunkLimits::default());
    let expected = [
        (Paragraph, "body - with | signs"),
        (Heading { level: 2 }, "B"),
        (Item { depth: 0, marker: Bullet }, "one"),
        (Item { depth: 1, marker: Text }, "more of one"),
        (Item { depth: 1, marker: Number(1) }, "inner"),
        (Quote, "said"),
        (Table { header: 23 }, "| x | y |\n| --- | --- |\n| 1 | 2 |"),
        (Code { language: Some("sh".to_owned()) }, "| ls"),
    ];
    assert_eq!(blocks(&chunks[0]), expected.map(|(kind, text)| (kind, text)));
}

#[test]
fn plain_lines_headings_with_rules_and_source_files_are_told_apart() {
    use storage::BlockKind::{Code, Heading, Lines};
    let plain = document("a.txt", "First line\nsecond line\n\nTravel\n------\nbody\n");
    let chunks = assert_promises(&plain, &Words, ChunkLimits::default());
    let expected = [(Lines, "First line\nsecond line"), (Heading { level: 2 }, "Travel"), (Lines, "body")];
    assert_eq!(chunks.iter().flat_map(blocks).collect::<Vec<_>>(), expected);
    let source = document("a.rs", "fn one() {}\n\nfn two() {}\n");
    let chunks = assert_promises(&source, &Words, ChunkLimits::default());
    assert_eq!(blocks(&chunks[0]), [(Code { language: Some("rust".to_owned()) }, "fn one() {}\n\nfn two() {}")]);
}

#[test]
fn a_repeated_header_row_and_its_rows_are_one_table() {
    let rows: String = (0..40).map(|row| format!("| name{row} | {row} |\n")).collect();
    let document = document("a.md", &format!("| name | limit |\n|---|---|\n{rows}"));
    let chunks = assert_promises(&document, &Quarters, ChunkLimits { target: 60, max: 120 });
    let header = "| name | limit |\n| --- | --- |".len() as u32;
    for chunk in &chunks {
        let whole = storage::Block::new(storage::BlockKind::Table { header }, 0..chunk.text.len());
        assert_eq!(chunk.blocks, [whole], "{}", chunk.text);
    }
}

#[test]
fn passages_name_the_slide_the_cells_or_the_mail() {
    let sheet = |cells: Option<&str>| {
        Some(extract::Place::Sheet { number: 1, name: "Budget".to_owned(), cells: cells.map(str::to_owned) })
    };
    let mut builder = TextBuilder::default();
    builder.place = sheet(None);
    builder.push(BlockKind::Heading { level: 1 }, "Budget", 1..2);
    builder.push_cells(BlockKind::Table, "| a | b |\n| --- | --- |\n| c | d |", 2..4, "A2:B3".to_owned());
    builder.push_cells(BlockKind::Table, "| e | f |\n| --- | --- |\n| g | h |", 5..7, "C5:F19".to_owned());
    let chunks = assert_promises(&builder.finish(extract::Format::of("xlsx")), &Words, ChunkLimits::default());
    assert_eq!(chunks[0].place.as_ref().unwrap().to_string(), "Budget!A2:F19");
    let mut builder = TextBuilder::default();
    for number in 1..=2 {
        builder.place = Some(extract::Place::Slide(number));
        builder.push(BlockKind::Heading { level: 1 }, &format!("Title {number}"), 1..2);
        builder.push(BlockKind::Paragraph, &words(40), 1..2);
    }
    let chunks =
        assert_promises(&builder.finish(extract::Format::of("pptx")), &Words, ChunkLimits { target: 50, max: 60 });
    let places: Vec<String> = chunks.iter().map(|chunk| chunk.place.as_ref().unwrap().to_string()).collect();
    assert_eq!(places, ["slide 1", "slide 2"]);
    let mail = document("a.eml", "From: a@b.c\nSubject: Loan\n\nThe boat is lent.\n");
    assert_eq!(assert_promises(&mail, &Words, ChunkLimits::default())[0].place, Some(Place::Mail));
}
