//! Fonts that say little or nonsense of their characters, and lines that run from right to left.

use super::super::fixture::File;
use super::{extract, read};

/// A composite font whose codes are glyphs, with this map from codes to characters.
fn composite(file: &mut File, encoding: &str, map: &str) -> usize {
    let map = file.stream("", map.as_bytes());
    let cid = "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/DW 500/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>";
    let cid = file.object(cid);
    file.object(format!(
        "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding {encoding}/ToUnicode {map} 0 R/DescendantFonts[{cid} 0 R]>>"
    ))
}

fn shown_in(font: usize) -> String {
    format!("/Font<</X {font} 0 R>>")
}

#[test]
fn an_odd_entry_of_a_map_costs_its_character_alone() {
    let short_array = "endbfchar 1 beginbfrange <0002> <0003> [<0042>]";
    for (odd, expected) in
        [("<0002> <>", "ACACA"), ("<0002>", "ACACA"), ("/Nothing usecmap", "ACACA"), (short_array, "ABAA")]
    {
        let mut file = File::new();
        let map = format!("4 beginbfchar\n<0001> <0041>\n{odd}\n<0003> <0043>\n");
        let font = composite(&mut file, "/Identity-H", &map);
        file.page("BT /X 10 Tf 72 700 Td <000100030002000100030001> Tj ET", &shown_in(font));
        assert_eq!(read(&file.finish()).text, expected, "{odd}");
    }
}

#[test]
fn a_font_that_cannot_be_loaded_gives_its_characters() {
    let mut file = File::new();
    let encoding = file.stream("/Type/CMap/CMapName/Odd", b"1 begincidrange <0000> oops endcidrange");
    let font = composite(&mut file, &format!("{encoding} 0 R"), "beginbfrange <0001> <0020> <0041> endbfrange");
    file.page("BT /X 10 Tf 72 700 Td <000100020003> Tj ET", &shown_in(font));
    assert_eq!(read(&file.finish()).text, "ABC");
}

#[test]
fn characters_that_are_lost_are_told_of() {
    let mut file = File::new();
    let font = composite(&mut file, "/Identity-H", "beginbfrange <0001> <0009> <0041> endbfrange");
    file.page(&format!("BT /X 10 Tf 72 700 Td <{}002100220023> Tj ET", "0001".repeat(40)), &shown_in(font));
    let document = read(&file.finish());
    assert_eq!(document.text, "A".repeat(40));
    assert_eq!(document.missing[0].part, "page 1");
    assert_eq!(document.pages.unwrap().with_text, 1);
    let mut file = File::new();
    let font = composite(&mut file, "/Identity-H", "nothing of use");
    file.page(&format!("BT /X 10 Tf 72 700 Td <{}> Tj ET", "0001".repeat(40)), &shown_in(font));
    let error = extract(&file.finish()).unwrap_err();
    assert!(error.to_string().contains("fonts do not say"), "{error}");
}

#[test]
fn lines_from_right_to_left_keep_their_numbers() {
    let mut file = File::new();
    // Codes 1 to 27 are the Hebrew letters, 32 on are ASCII; drawn from the left, as programs do.
    let map = "beginbfrange <0001> <001b> <05d0> <0020> <007e> <0020> endbfrange";
    let font = composite(&mut file, "/Identity-H", map);
    let drawn = ".15% (\u{3}\u{2}\u{1}) \u{6}\u{5}\u{4}";
    let codes: String = drawn.chars().map(|code| format!("{:04x}", u32::from(code))).collect();
    file.page(&format!("BT /X 10 Tf 72 700 Td <{codes}> Tj ET"), &shown_in(font));
    assert_eq!(read(&file.finish()).text, "דהו (אבג) 15%.");
}
