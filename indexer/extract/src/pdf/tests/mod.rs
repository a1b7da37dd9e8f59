//! Tests on whole documents, written in code.

mod annotations;
mod fonts;
mod layout;

use std::path::Path;

use proptest::prelude::*;

use super::fixture::{File, line, lines};
use crate::block::{BlockKind, StructuredText, assert_invariants};
use crate::error::FileError;
use crate::extraction::Extraction;
use crate::input::ExtractLimits;

fn extract(bytes: &[u8]) -> Result<Extraction, FileError> {
    crate::extract(Path::new("a.pdf"), bytes, &ExtractLimits::default())
}

fn read(bytes: &[u8]) -> StructuredText {
    let document = extract(bytes).unwrap().document.unwrap();
    assert_invariants(&document);
    document
}

fn texts(document: &StructuredText) -> Vec<(&BlockKind, &str)> {
    document.blocks.iter().map(|block| (&block.kind, &document.text[block.span.clone()])).collect()
}

const PARAGRAPH: BlockKind = BlockKind::Paragraph;

fn heading(level: u8) -> BlockKind {
    BlockKind::Heading { level }
}

#[test]
fn headings_paragraphs_and_lists_have_their_pages() {
    let mut first = line("F2", 24.0, 72.0, 80.0, "The title");
    first += &line("F2", 14.0, 72.0, 120.0, "A part");
    first += &lines(
        72.0,
        140.0,
        &["Running text that goes on for more than a single line and is bro-", "ken by a hyphen there."],
    );
    first += &lines(72.0, 180.0, &["\u{95} first item", "\u{95} second item"]).replace('\u{95}', "\\225");
    let second = line("F2", 14.0, 72.0, 80.0, "Another part") + &lines(72.0, 100.0, &["Text on the second page."]);
    let document = read(&File::of(&[first, second]));
    let running = "Running text that goes on for more than a single line and is broken by a hyphen there.";
    let expected = [
        (&heading(1), "The title"),
        (&heading(2), "A part"),
        (&PARAGRAPH, running),
        (&BlockKind::ListItem, "- first item"),
        (&BlockKind::ListItem, "- second item"),
        (&heading(2), "Another part"),
        (&PARAGRAPH, "Text on the second page."),
    ];
    assert_eq!(texts(&document), expected);
    let pages: Vec<Option<u32>> = document.blocks.iter().map(|block| block.place.as_ref()?.number()).collect();
    assert_eq!(pages, [1, 1, 1, 1, 1, 2, 2].map(Some));
    assert_eq!(document.title.as_deref(), Some("The title"));
    let count = document.pages.unwrap();
    assert_eq!((count.all, count.with_text, document.missing.len()), (2, 2, 0));
}

#[test]
fn columns_are_read_one_after_the_other() {
    let left: Vec<String> = (0..8).map(|row| format!("left column row {row} is some text that fills it")).collect();
    let right: Vec<String> = (0..8).map(|row| format!("right column row {row} is more text that fills it")).collect();
    let mut page = line("F1", 18.0, 72.0, 60.0, "A title that spans both of the columns below");
    // Drawn row by row, so that the order of the file is of no help.
    for row in 0..8 {
        let y = 100.0 + 12.0 * row as f32;
        page += &line("F1", 10.0, 60.0, y, &left[row]);
        page += &line("F1", 10.0, 320.0, y, &right[row]);
    }
    page += &lines(
        60.0,
        240.0,
        &["A last line below that spans both of the columns, as wide as the page is, or nearly so."],
    );
    let document = read(&File::of(&[page]));
    let place = |text: &str| document.text.find(text).unwrap_or_else(|| panic!("{text} in {}", document.text));
    assert!(place("A title") < place("left column row 0"));
    assert!(place("left column row 7") < place("right column row 0"));
    assert!(place("right column row 7") < place("A last line"));
    assert!(!document.blocks.iter().any(|block| block.kind == BlockKind::Table), "{}", document.text);
}

#[test]
fn aligned_cells_are_a_table_and_the_text_around_is_not() {
    let mut page =
        lines(72.0, 60.0, &["Running text before the table, long enough to reach far across the page it is on."]);
    for (row, cells) in
        [["Name", "Price", "Stock"], ["Bolt", "1.20", "400"], ["Nut", "0.80", "1250"]].iter().enumerate()
    {
        for (column, cell) in cells.iter().enumerate() {
            page += &line("F1", 10.0, 72.0 + 120.0 * column as f32, 90.0 + 14.0 * row as f32, cell);
        }
    }
    page += &lines(72.0, 150.0, &["Running text after the table, long enough to reach far across the page it is on."]);
    let document = read(&File::of(&[page]));
    let table = "| Name | Price | Stock |\n| --- | --- | --- |\n| Bolt | 1.20 | 400 |\n| Nut | 0.80 | 1250 |";
    assert_eq!(document.blocks.len(), 3, "{}", document.text);
    assert_eq!(texts(&document)[1], (&BlockKind::Table, table));
}

#[test]
fn small_tables_under_headings_are_tables() {
    let mut page = line("F2", 10.0, 50.0, 440.0, "Billing and payment terms of this booking");
    let rows = [["Name:", "Premier Group"], ["Contact:", "Michael Chen"], ["Terms:", "Net 30"]];
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            page += &line("F1", 8.0, 50.0 + 100.0 * column as f32, 452.0 + 12.0 * row as f32, cell);
        }
    }
    page += &line("F2", 10.0, 50.0, 510.0, "Booking Summary");
    let rows = [["Start Date", "End Date", "# Shows"], ["12/20/24", "12/31/24", "48"]];
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            page += &line("F1", 8.0, 50.0 + 70.0 * column as f32, 525.0 + 12.0 * row as f32, cell);
        }
    }
    let document = read(&File::of(&[page]));
    let kinds = texts(&document);
    let tables: Vec<&str> =
        kinds.iter().filter(|(kind, _)| **kind == BlockKind::Table).map(|(_, text)| *text).collect();
    assert_eq!(tables.len(), 2, "{kinds:?}");
    assert_eq!(tables[1], "| Start Date | End Date | # Shows |\n| --- | --- | --- |\n| 12/20/24 | 12/31/24 | 48 |");
}

#[test]
fn ruled_cells_are_a_table_with_lines_joined_within_cells() {
    let mut page = String::new();
    for y in [700, 670, 630] {
        page += &format!("72 {y} m 400 {y} l S\n");
    }
    for x in [72, 200, 400] {
        page += &format!("{x} 630 m {x} 700 l S\n");
    }
    page += &line("F1", 10.0, 80.0, 118.0, "Part");
    page += &line("F1", 10.0, 210.0, 118.0, "Meaning");
    page += &line("F1", 10.0, 80.0, 145.0, "Valve");
    page += &lines(210.0, 142.0, &["lets something through", "or does not"]);
    let document = read(&File::of(&[page]));
    let table = "| Part | Meaning |\n| --- | --- |\n| Valve | lets something through or does not |";
    assert_eq!(texts(&document), [(&BlockKind::Table, table)]);
}

#[test]
fn running_headers_are_kept_once_and_page_numbers_never() {
    let page = |number: usize| {
        line("F1", 9.0, 72.0, 30.0, "Handbook of the works")
            + &lines(72.0, 100.0, &[&format!("This is what page {number} has to say, in a sentence of its own.")])
            + &line("F1", 9.0, 290.0, 780.0, &format!("Page {number} of 4"))
    };
    let document = read(&File::of(&[1, 2, 3, 4].map(page)));
    assert_eq!(document.text.matches("Handbook of the works").count(), 1, "{}", document.text);
    assert!(!document.text.contains("of 4"), "{}", document.text);
    assert!(document.text.contains("what page 4 has to say"));
}

#[test]
fn sentences_go_on_across_pages() {
    let first = lines(72.0, 100.0, &["A sentence that is long enough to be a part of a paragraph and goes on with"]);
    let second = lines(72.0, 100.0, &["words on the next page."]);
    let document = read(&File::of(&[first, second]));
    let whole = "A sentence that is long enough to be a part of a paragraph and goes on with words on the next page.";
    assert_eq!(texts(&document), [(&PARAGRAPH, whole)]);
}

fn scanned(file: &mut File) {
    let image = file.stream(
        "/Type/XObject/Subtype/Image/Width 2/Height 2/ColorSpace/DeviceGray/BitsPerComponent 8",
        &[0, 255, 255, 0],
    );
    file.page("q 600 0 0 800 0 0 cm /Im Do Q", &format!("/XObject<</Im {image} 0 R>>"));
}

#[test]
fn pages_without_text_are_said() {
    let mut file = File::new();
    file.page(&lines(72.0, 100.0, &["Text on the first page."]), "");
    scanned(&mut file);
    scanned(&mut file);
    file.page("", "");
    let document = read(&file.finish());
    let count = document.pages.unwrap();
    assert_eq!((count.all, count.with_text), (4, 1));
    assert_eq!(document.missing.len(), 1);
    assert_eq!(document.missing[0].part, "pages 2 to 3");
    assert!(document.missing[0].reason.starts_with("no text layer"));
}

#[test]
fn scans_are_an_error_or_handed_out_as_pictures() {
    let mut file = File::new();
    scanned(&mut file);
    scanned(&mut file);
    let bytes = file.finish();
    assert_eq!(extract(&bytes), Err(FileError::NoTextLayer { pages: 2 }));
    let limits = ExtractLimits { scans: true, ..ExtractLimits::default() };
    let document = crate::extract(Path::new("a.pdf"), &bytes, &limits).unwrap().document.unwrap();
    assert_eq!(document.scans.iter().map(|scan| scan.page).collect::<Vec<_>>(), [1, 2]);
    assert!(document.scans[0].image.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x02\x08\0\0\0\0"));
    assert_eq!(document.missing[0].part, "pages 1 to 2");
}

#[test]
fn blank_pages_are_an_empty_file() {
    assert_eq!(extract(&File::of(&[String::new()])), Err(FileError::Empty));
}

#[test]
fn characters_that_no_font_explains_are_no_text() {
    let mut file = File::new();
    let cid = "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>";
    let cid = file.object(cid);
    let font =
        file.object(format!("<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[{cid} 0 R]>>"));
    let shown = "0102030405060708".repeat(8);
    file.page_of("", "");
    file.page(&format!("BT /X 10 Tf 72 700 Td <{shown}> Tj ET"), &format!("/Font<</X {font} 0 R>>"));
    file.page(&lines(72.0, 100.0, &["Text that can be read."]), "");
    let document = read(&file.finish());
    assert_eq!(document.missing[0].part, "page 2");
    assert!(document.missing[0].reason.contains("cannot be read"), "{:?}", document.missing);
}

#[test]
fn predefined_cmaps_give_chinese_and_japanese() {
    for (encoding, ordering, shown) in [
        ("UniGB-UCS2-H", "GB1", "4E2D6587"),
        ("GBK-EUC-H", "GB1", "D6D0CEC4"),
        ("90ms-RKSJ-H", "Japan1", "928695B6"),
        ("UniJIS-UTF16-V", "Japan1", "4E2D6587"),
        ("ETen-B5-H", "CNS1", "A4A4A4E5"),
    ] {
        let mut file = File::new();
        let cid = format!(
            "<</Type/Font/Subtype/CIDFontType0/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering({ordering})/Supplement 2>>>>"
        );
        let cid = file.object(cid);
        let font = file
            .object(format!("<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/{encoding}/DescendantFonts[{cid} 0 R]>>"));
        file.page(&format!("BT /X 10 Tf 300 700 Td <{shown}> Tj ET"), &format!("/Font<</X {font} 0 R>>"));
        let document = read(&file.finish());
        assert_eq!(document.text, "中文", "{encoding}");
    }
}

#[test]
fn the_document_says_what_it_is() {
    let mut file = File::new();
    file.page(&lines(72.0, 100.0, &["Some text."]), "");
    let info = file.object("<</Title(\\376\\377\\000A\\000n\\000n\\000u\\000a\\000l)/Author(J. Doe)/CreationDate(D:20240503102030+02'00')>>");
    file.trailer = format!("/Info {info} 0 R");
    file.catalogue = "/Lang(de-DE)".to_string();
    let document = read(&file.finish());
    assert_eq!(document.title.as_deref(), Some("Annual"));
    assert_eq!(document.metadata["author"], "J. Doe");
    assert_eq!(document.metadata["date"], "2024-05-03T10:20:30+02:00");
    assert_eq!(document.language.as_deref(), Some("de"));
}

#[test]
fn what_the_packet_says_fills_what_the_dictionary_does_not() {
    let mut file = File::new();
    file.page(&lines(72.0, 100.0, &["Some text."]), "");
    let packet = "<rdf:RDF><rdf:Description><dc:title>From the packet</dc:title><dc:creator><rdf:Seq><rdf:li>Ana</rdf:li>\
                  <rdf:li>Bo</rdf:li></rdf:Seq></dc:creator><xmp:CreateDate>2024-05-03</xmp:CreateDate>\
                  <dc:language><rdf:Bag><rdf:li>fr-FR</rdf:li></rdf:Bag></dc:language></rdf:Description></rdf:RDF>";
    let packet = file.stream("/Type/Metadata/Subtype/XML", packet.as_bytes());
    let info = file.object("<</Author(Ana)/Subject(\\(unspecified\\))>>");
    file.trailer = format!("/Info {info} 0 R");
    file.catalogue = format!("/Metadata {packet} 0 R");
    let document = read(&file.finish());
    assert_eq!(document.title.as_deref(), Some("From the packet"));
    assert_eq!((document.metadata["author"].as_str(), document.metadata["date"].as_str()), ("Ana, Bo", "2024-05-03"));
    assert_eq!(document.metadata.get("description"), None);
    assert_eq!(document.language.as_deref(), Some("fr"));
}

#[test]
fn attached_files_are_parts() {
    let mut file = File::new();
    file.page(&lines(72.0, 100.0, &["See the attachment."]), "");
    let inner = file.stream("/Type/EmbeddedFile", b"inner words");
    let specification = file.object(format!("<</Type/Filespec/F(notes.txt)/EF<</F {inner} 0 R>>>>"));
    file.catalogue = format!("/Names<</EmbeddedFiles<</Names[(notes.txt) {specification} 0 R]>>>>");
    let extraction = extract(&file.finish()).unwrap();
    assert_eq!(extraction.parts.len(), 1);
    assert_eq!(extraction.parts[0].path, "notes.txt");
    assert_eq!(extraction.parts[0].outcome.as_ref().unwrap().text, "inner words");
}

#[test]
fn encrypted_files_open_without_a_password_or_say_so() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pdf");
    for name in ["rc4-40", "rc4-128", "aes-128", "aes-256"] {
        let bytes = std::fs::read(fixtures.join(format!("{name}.pdf"))).unwrap();
        assert_eq!(read(&bytes).text, "Words behind encryption", "{name}");
    }
    let bytes = std::fs::read(fixtures.join("password.pdf")).unwrap();
    assert_eq!(extract(&bytes), Err(FileError::Encrypted));
}

#[test]
fn broken_files_give_what_they_can_or_a_reason() {
    let whole = File::of(&[lines(72.0, 100.0, &["Words that survive."])]);
    // Without its table of objects a file is searched for them.
    let without_table = &whole[..whole.windows(4).position(|window| window == b"xref").unwrap()];
    assert!(
        extract(without_table).is_ok_and(|found| found.document.unwrap().text == "Words that survive.")
            || extract(without_table).is_err()
    );
    for end in [8, 9, 60, 200] {
        assert!(matches!(extract(&whole[..end]), Err(FileError::Damaged { .. })), "{end}");
    }
    let lying = String::from_utf8(whole).unwrap().replace("/Length 6", "/Length 96");
    assert_eq!(read(lying.as_bytes()).text, "Words that survive.");
}

#[test]
fn trees_that_turn_in_circles_or_lie_end() {
    let mut file = File::new();
    file.page(&lines(72.0, 100.0, &["Words."]), "");
    let page = file.object("<<>>") - 1;
    let bytes = file.finish_with(&format!("<</Type/Pages/Kids[2 0 R {page} 0 R 2 0 R]/Count 2000000000>>"));
    assert_eq!(read(&bytes).pages.unwrap().all, 1);
    let mut circle = File::new();
    circle.page_of("/Contents 2 0 R/Annots 2 0 R", "/XObject 2 0 R");
    assert!(extract(&circle.finish()).is_err());
}

#[test]
fn drawings_that_contain_each_other_over_and_over_are_given_up() {
    let mut file = File::new();
    let first = file.objects_so_far() + 1;
    for level in 0..20 {
        let inner = format!("/Resources<</XObject<</X {} 0 R>>/Font<</F1 3 0 R>>>>", first + level + 1);
        file.stream(&format!("/Type/XObject/Subtype/Form/BBox[0 0 1 1]{inner}"), "/X Do ".repeat(16).as_bytes());
    }
    file.stream("/Type/XObject/Subtype/Form/BBox[0 0 1 1]", b"BT ET");
    file.page("/X Do", &format!("/XObject<</X {first} 0 R>>"));
    assert!(matches!(extract(&file.finish()), Err(FileError::Limit { .. })));
    let mut file = File::new();
    let itself = file.objects_so_far() + 1;
    file.stream(
        &format!("/Type/XObject/Subtype/Form/BBox[0 0 1 1]/Resources<</XObject<</X {itself} 0 R>>>>"),
        b"/X Do",
    );
    file.page(&format!("/X Do {}", lines(72.0, 100.0, &["Words."])), &format!("/XObject<</X {itself} 0 R>>"));
    assert_eq!(read(&file.finish()).text, "Words.");
}

#[test]
fn deep_nesting_does_not_break_the_stack() {
    let mut file = File::new();
    let deep = file.object(["[".repeat(200_000), "]".repeat(200_000)].concat());
    file.catalogue = format!("/Names {deep} 0 R/Deep {}{}", "<</A ".repeat(100_000), ">>".repeat(100_000));
    file.page(&(lines(72.0, 100.0, &["Words."]) + &"[".repeat(100_000)), "");
    file.page(&("q ".repeat(200_000) + &lines(72.0, 100.0, &["More words."])), "");
    // Either way is fine, as long as it returns.
    if let Ok(found) = extract(&file.finish()) {
        assert!(found.document.unwrap().text.contains("ords."));
    }
}

#[test]
fn streams_that_unpack_to_too_much_are_left_out() {
    use std::io::Write;
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..300 {
        packed.write_all(&[b' '; 1 << 20]).unwrap();
    }
    let mut file = File::new();
    let bomb = file.stream("/Filter/FlateDecode", &packed.finish().unwrap());
    file.page_of(&format!("/Contents {bomb} 0 R"), "");
    file.page(&lines(72.0, 100.0, &["Words."]), "");
    let document = read(&file.finish());
    assert_eq!(document.text, "Words.");
    assert!(document.missing[0].reason.contains("unpack"), "{:?}", document.missing);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn changed_bytes_never_break_it(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40), cut in any::<prop::sample::Index>(), cuts in any::<bool>()) {
        let mut file = File::new();
        let image = file.stream("/Type/XObject/Subtype/Image/Width 2/Height 2/ColorSpace/DeviceGray/BitsPerComponent 8", &[0; 4]);
        let cid = file.object("<</Type/Font/Subtype/CIDFontType0/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>/W[1[500]2 9 600]>>");
        let font = file.object(format!("<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/UniGB-UCS2-H/DescendantFonts[{cid} 0 R]>>"));
        let drawn = "q 9 0 0 8 0 0 cm /Im Do Q 72 700 m 400 700 l S 72 600 100 99 re S BT /X 10 Tf 99 99 Td <4E2D> Tj ET ";
        let text = lines(72.0, 100.0, &["Some words on it", "and more"]) + &lines(300.0, 100.0, &["beside", "them"]);
        file.page(&(drawn.to_string() + &text), &format!("/XObject<</Im {image} 0 R>>/Font<</X {font} 0 R/F1 3 0 R>>"));
        let mut bytes = file.finish();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        let limits = ExtractLimits { scans: true, ..ExtractLimits::default() };
        if let Ok(Extraction { document: Some(document), .. }) = crate::extract(Path::new("a.pdf"), &bytes, &limits) {
            assert_invariants(&document);
        }
    }

    #[test]
    fn any_operators_are_survived(content in "([0-9.-]{1,9} |\\(ab c\\) |\\[\\(x\\) -900 \\(y\\)\\] |/F1 |/X |<<>> |q |Q |cm |BT |ET |Tf |Tj |TJ |Td |Tm |re |m |l |S |f |h |T\\* |' |Do |BDC |EMC |Tz |Ts ){0,200}") {
        if let Ok(Extraction { document: Some(document), .. }) = extract(&File::of(&[content])) {
            assert_invariants(&document);
        }
    }
}
