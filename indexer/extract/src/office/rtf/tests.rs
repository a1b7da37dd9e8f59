//! RTF written in code.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::BlockKind;
use crate::block::assert_invariants;
use crate::input::ExtractLimits;

fn document(source: &[u8]) -> StructuredText {
    let limits = ExtractLimits::default();
    let document = read(&Input::new(Path::new("a.rtf"), source, &limits)).unwrap();
    assert_invariants(&document);
    document
}

fn text(body: &str) -> String {
    document(format!("{{\\rtf1\\ansi {body}}}").as_bytes()).text
}

#[test]
fn headings_lists_and_metadata_are_told() {
    let source = b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}{\\stylesheet{\\s0 Normal;}{\\s1\\outlinelevel0 Eigene;}{\\s2 heading 2;}}\
        {\\info{\\title Plan}{\\author Ana}{\\creatim\\yr2024\\mo3\\dy9}}\\pard\\s1 Travel\\par\\pard\\s2{\\b Costs}\\par\
        \\pard{\\listtext\\f0 \\'b7\\tab}\\ilvl0 one\\par{\\listtext 2.\\tab}\\ilvl1 two\\par\\pard plain\\par}";
    let document = document(source);
    assert_eq!(document.text, "Travel\n\nCosts\n\n- one\n  2. two\n\nplain");
    assert_eq!(document.blocks[0].kind, BlockKind::Heading { level: 1 });
    assert_eq!(document.blocks[1].kind, BlockKind::Heading { level: 2 });
    assert_eq!(document.title.as_deref(), Some("Plan"));
    assert_eq!((document.metadata["author"].as_str(), document.metadata["date"].as_str()), ("Ana", "2024-03-09"));
}

#[test]
fn characters_come_from_unicode_and_code_pages() {
    assert_eq!(text("\\u228?\\uc0\\u8364 x \\u-10179\\u-8704 \\emdash\\'e4\\{"), "ä€x \u{1f600}—ä{");
    let japanese = b"{\\rtf1\\ansi\\ansicpg932{\\fonttbl{\\f0\\fcharset128 MS;}{\\f1\\fcharset204 Arial;}}\\f0\\'93\\'fa\\'96{\\b\\'7b}\\par\
        \\'83A\\par\\f1\\'cf}";
    assert_eq!(document(japanese).text, "日・{\n\nア\n\nП".replace("・{", "\u{fffd}{"));
    let whole = b"{\\rtf1\\ansi\\ansicpg932\\'93\\'fa\\'96\\'7b\\'8c\\'ea}";
    assert_eq!(document(whole).text, "日本語");
}

#[test]
fn what_nobody_reads_is_left_out() {
    let body = "a{\\*\\unknown gone}{\\pict 0a0b}{\\v hidden}{\\deleted gone}{\\field{\\*\\fldinst HYPERLINK x}{\\fldrslt link}}\
        {\\object{\\*\\objdata 00}{\\result seen}}{\\bin3 {}}b";
    assert_eq!(text(body), "alinkseenb");
}

#[test]
fn tables_notes_and_margins_are_read() {
    let body = "{\\header\\pard Confidential\\par}\\pard before{\\footnote\\pard\\chftn the note}\\par\
        \\trowd\\cellx1\\cellx2\\pard\\intbl a\\cell b\\par c\\cell\\row\\trowd\\cellx1\\clvmrg\\cellx2\\pard\\intbl d\\cell\\cell\\row\
        \\pard after{\\*\\atnauthor Ana}{\\*\\annotation\\pard why?}{\\shp{\\*\\shpinst{\\sp{\\sn x}{\\sv 1}}{\\shptxt\\pard in a box\\par}}}\
        \\par{\\header\\pard Confidential\\par}";
    let expected = "before[1]\n\n[1] the note\n\n| a | b c |\n| --- | --- |\n| d | b c |\n\nafter\n\nComment by Ana: why?\n\n\
                    in a box\n\nConfidential";
    assert_eq!(text(body), expected);
}

#[test]
fn torn_and_nested_files_are_read_or_refused() {
    let torn = document(b"{\\rtf1 some {\\b text");
    assert_eq!((torn.text.as_str(), torn.warnings.len()), ("some text", 1));
    let limits = ExtractLimits::default();
    let deep = "{".repeat(20_000);
    let deep = format!("{{\\rtf1{deep}");
    assert!(matches!(read(&Input::new(Path::new("a"), deep.as_bytes(), &limits)), Err(FileError::Limit { .. })));
}

proptest! {
    #[test]
    fn nothing_breaks_the_reader(
        body in "(\\\\(par|cell|row|intbl|pard|trowd|cellx1|footnote|header|s1|u-9|u55357|bin9|'8|'e4|listtext|shptxt|\\*|f1) ?|[{}]|[a-z ]){0,60}",
    ) {
        let limits = ExtractLimits::default();
        let source = format!("{{\\rtf1{body}");
        if let Ok(document) = read(&Input::new(Path::new("a"), source.as_bytes(), &limits)) {
            assert_invariants(&document);
        }
    }
}
