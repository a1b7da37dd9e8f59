//! Gaps between words, and tables with few rules.

use super::super::fixture::{File, line, lines};
use super::{read, texts};
use crate::block::BlockKind;

#[test]
fn dots_that_lead_to_a_price_close_no_gap_between_words() {
    let mut page = String::new();
    let mut x = 72.0;
    for word in ["Cleaning", "of", "the", "boiler"] {
        page += &line("F1", 10.0, x, 100.0, word);
        x += 5.0 * word.len() as f32 + 2.5;
    }
    for _ in 0..40 {
        page += &line("F1", 10.0, x, 100.0, ".");
        x += 4.4;
    }
    page += &line("F1", 10.0, x + 1.0, 100.0, "120");
    page += &line("F1", 10.0, x + 21.0, 100.0, "EUR");
    assert_eq!(read(&File::of(&[page])).text, "Cleaning of the boiler ... 120 EUR");
}

const CELLS: [[&str; 3]; 4] = [
    ["Part", "Stock", "Remark"],
    ["Bolt", "400", "by the box"],
    ["Nut", "1250", "by the box"],
    ["Washer", "80", "loose"],
];

fn cells() -> String {
    let cell = |row: usize, column: usize| {
        line("F1", 10.0, 80.0 + 110.0 * column as f32, 114.0 + 20.0 * row as f32, CELLS[row][column])
    };
    (0..4).flat_map(|row| (0..3).map(move |column| (row, column))).map(|(row, column)| cell(row, column)).collect()
}

#[test]
fn tables_without_an_outer_frame_have_all_their_cells() {
    let across = |y: f32| format!("72 {0} m 400 {0} l S\n", 800.0 - y);
    let down = |x: f32| format!("{x} 700 m {x} 620 l S\n");
    let inner: String =
        [120.0, 140.0, 160.0].into_iter().map(across).chain([182.0, 292.0].into_iter().map(down)).collect();
    let above_and_below = inner.clone() + &across(100.0) + &across(180.0);
    let left = inner.clone() + &down(72.0);
    let table = "| Part | Stock | Remark |\n| --- | --- | --- |\n| Bolt | 400 | by the box |\n| Nut | 1250 | by the box |\n\
                 | Washer | 80 | loose |";
    for rules in [inner, above_and_below, left] {
        assert_eq!(texts(&read(&File::of(&[rules + &cells()]))), [(&BlockKind::Table, table)]);
    }
}

#[test]
fn a_few_rules_do_not_swallow_the_rows_between_them() {
    // One rule below the header and one beside the first column: the rows are told by how they stand.
    let rules = "72 680 m 400 680 l S 182 700 m 182 620 l S\n".to_string();
    let document = read(&File::of(&[rules + &cells()]));
    assert!(document.text.contains("| Bolt | 400 | by the box |\n| Nut | 1250 | by the box |"), "{}", document.text);
}

#[test]
fn a_word_parted_by_a_hyphen_is_no_end_of_a_paragraph() {
    let mut page = lines(72.0, 100.0, &["Some words before the adminis-"]);
    page += &line("F1", 10.0, 90.0, 120.0, "tration of the works.");
    assert_eq!(read(&File::of(&[page])).text, "Some words before the administration of the works.");
}

#[test]
fn what_nobody_sees_is_not_what_a_page_says() {
    let seen = line("F1", 10.0, 72.0, 100.0, "Seen by all.");
    let other = |paint: &str| format!("q {paint} {} Q\n", line("F1", 10.0, 72.0, 130.0, "For other eyes."));
    for hidden in [
        "1 g",
        "1 1 1 rg",
        "0 0 0 0 k",
        "/DeviceRGB cs 1 1 1 sc",
        "3 Tr",
        "1 g 60 650 300 40 re f",
        "0.01 0 0 0.01 0 0 cm",
    ] {
        assert_eq!(read(&File::of(&[seen.clone() + &other(hidden)])).text, "Seen by all.", "{hidden}");
    }
    for shown in ["0 g", "0 0 0 1 k", "/Spot cs 1 scn", "0.2 g 60 650 300 40 re f 1 g", "1 g 0 g", "1 Tr"] {
        let text = read(&File::of(&[seen.clone() + &other(shown)])).text;
        assert_eq!(text, "Seen by all.\n\nFor other eyes.", "{shown}");
    }
    // The words of a scan, below its picture.
    let mut file = File::new();
    let image =
        file.stream("/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray", b"x");
    let scan = format!("q 600 0 0 800 0 0 cm /Im Do Q {}", other("3 Tr"));
    file.page(&scan, &format!("/XObject<</Im {image} 0 R>>"));
    assert_eq!(read(&file.finish()).text, "For other eyes.");
}
