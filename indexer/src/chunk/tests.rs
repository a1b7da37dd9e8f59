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
    }
    assert!(document.text[end..].trim().is_empty(), "lost {:?}", &document.text[end..]);
    chunks
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
    assert_eq!(headings(&chunks), ["A", "E"]);
    assert_eq!(chunks[0].text, "B\n\none\n\nC\n\ntwo\n\nD\n\nthree");
    assert_eq!(chunks[1].text, "four five");
}

#[test]
fn a_heading_with_nothing_below_it_is_found() {
    let document = document("a.md", "# Only\n");
    let chunks = assert_promises(&document, &Words, ChunkLimits::default());
    assert_eq!((chunks[0].text.as_str(), chunks[0].headings.len()), ("Only", 0));
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
    assert!(chunks[0].headings.is_empty() && chunks[0].text.starts_with("/// Doc."));
    assert!(chunks[1..].iter().all(|chunk| chunk.headings == ["impl Store"]), "{:?}", headings(&chunks));
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
    for line in ["lorem ipsum ".repeat(250_000), "x".repeat(1 << 20)] {
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
