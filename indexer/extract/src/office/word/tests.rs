//! Word documents written in code.

use crate::BlockKind;
use crate::block::{StructuredText, assert_invariants};
use crate::error::FileError;
use crate::input::ExtractLimits;
use crate::office::package::Package;
use crate::office::package::tests::packed;

const STYLES: &str = "<w:styles><w:style w:styleId='berschrift1'><w:name w:val='heading 1'/></w:style>\
    <w:style w:styleId='Src'><w:name w:val='Source Code'/></w:style></w:styles>";
const NUMBERING: &str = "<w:numbering><w:abstractNum w:abstractNumId='0'><w:lvl w:ilvl='0'><w:start w:val='1'/>\
    <w:numFmt w:val='decimal'/><w:lvlText w:val='%1.'/></w:lvl><w:lvl w:ilvl='1'><w:numFmt w:val='bullet'/></w:lvl>\
    </w:abstractNum><w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num></w:numbering>";
const NOTES: &str = "<w:footnotes><w:footnote w:id='0' w:type='separator'><w:p/></w:footnote>\
    <w:footnote w:id='2'><w:p><w:r><w:t>the note</w:t></w:r></w:p></w:footnote></w:footnotes>";
const COMMENTS: &str = "<w:comments><w:comment w:id='5' w:author='Ana'><w:p><w:r><w:t>why?</w:t></w:r></w:p></w:comment>\
    </w:comments>";
const HEADER: &str = "<w:hdr><w:p><w:r><w:t>Confidential</w:t></w:r></w:p></w:hdr>";

fn relations() -> String {
    let kinds = ["styles", "numbering", "footnotes", "comments", "header"];
    let one = |kind: &&str| format!("<Relationship Id='{kind}' Type='http://purl/{kind}' Target='{kind}.xml'/>");
    format!("<Relationships>{}</Relationships>", kinds.iter().map(one).collect::<String>())
}

fn docx(body: &str) -> Vec<u8> {
    let document = format!("<w:document><w:body>{body}</w:body></w:document>");
    packed(&[
        ("word/document.xml", &document),
        ("word/_rels/document.xml.rels", &relations()),
        ("word/styles.xml", STYLES),
        ("word/numbering.xml", NUMBERING),
        ("word/footnotes.xml", NOTES),
        ("word/comments.xml", COMMENTS),
        ("word/header.xml", HEADER),
    ])
}

fn read(bytes: &[u8], limits: &ExtractLimits) -> Result<StructuredText, FileError> {
    let mut package = Package::open(bytes, limits, "docx")?;
    super::read(&mut package, "word/document.xml")
}

fn text(body: &str) -> String {
    let document = read(&docx(body), &ExtractLimits::default()).unwrap();
    assert_invariants(&document);
    let text = document.text.strip_suffix("Confidential").unwrap();
    text.trim_end().to_owned()
}

fn p(properties: &str, text: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn item(level: usize, text: &str) -> String {
    p(&format!("<w:numPr><w:ilvl w:val='{level}'/><w:numId w:val='1'/></w:numPr>"), text)
}

#[test]
fn headings_lists_and_code_are_told() {
    let body = p("<w:pStyle w:val='berschrift1'/>", "Travel")
        + &p("<w:outlineLvl w:val='2'/>", "Deep")
        + &item(0, "one")
        + &item(1, "inner")
        + &item(0, "two")
        + &p("<w:pStyle w:val='Src'/>", "x = 1");
    let document = read(&docx(&body), &ExtractLimits::default()).unwrap();
    assert_eq!(document.text, "Travel\n\nDeep\n\n1. one\n  - inner\n2. two\n\nx = 1\n\nConfidential");
    let kinds: Vec<&BlockKind> = document.blocks.iter().map(|block| &block.kind).collect();
    assert_eq!(kinds[..2], [&BlockKind::Heading { level: 1 }, &BlockKind::Heading { level: 3 }]);
    assert!(matches!(kinds[5], BlockKind::Code { .. }));
    assert_eq!(document.title.as_deref(), Some("Travel"));
}

#[test]
fn changes_fields_notes_and_comments_are_read_as_people_see_them() {
    let body = "<w:p><w:r><w:t>a</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>\
        <w:ins><w:r><w:t>b</w:t></w:r></w:ins><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>\
        <w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>HYPERLINK x</w:instrText></w:r>\
        <w:r><w:fldChar w:fldCharType='separate'/></w:r><w:r><w:t>c</w:t></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r>\
        <w:r><w:footnoteReference w:id='2'/></w:r><w:r><w:sym w:font='Wingdings' w:char='F0FC'/></w:r>\
        <w:r><w:commentReference w:id='5'/></w:r></w:p>";
    assert_eq!(text(body), "abc[1]✓\n\n[1] the note\n\nComment by Ana: why?");
}

#[test]
fn text_boxes_are_read_once_after_their_paragraph() {
    let inside = p("", "in the box");
    let body = format!(
        "<w:p><w:r><mc:AlternateContent><mc:Choice><w:drawing><wp:docPr descr='A picture of it'/><w:txbxContent>{inside}\
         </w:txbxContent></w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent>{inside}</w:txbxContent></w:pict>\
         </mc:Fallback></mc:AlternateContent><w:t>around</w:t></w:r></w:p>"
    );
    assert_eq!(text(&body), "around\n\nA picture of it\n\nin the box");
}

#[test]
fn tables_keep_merged_and_inner_cells() {
    let cell = |properties: &str, text: &str| format!("<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>", p("", text));
    let row = |cells: &[String]| format!("<w:tr>{}</w:tr>", cells.concat());
    let inner = format!("<w:tbl>{}</w:tbl>", row(&[cell("", "i"), cell("", "j")]));
    let body = format!(
        "<w:tbl>{}{}{}</w:tbl>",
        row(&[cell("<w:gridSpan w:val='2'/>", "wide"), cell("", "c")]),
        row(&[cell("<w:vMerge w:val='restart'/>", "tall"), cell("", "d"), format!("<w:tc>{inner}<w:p/></w:tc>")]),
        row(&[cell("<w:vMerge/>", ""), cell("", "e|f"), cell("", "g")]),
    );
    let expected = "| wide | wide | c |\n| --- | --- | --- |\n| tall | d | i, j |\n| tall | e\\|f | g |";
    assert_eq!(text(&body), expected);
}

#[test]
fn lines_in_a_typewriter_face_are_code_when_they_look_like_it() {
    let line = |face: &str, text: &str| {
        format!("<w:p><w:r><w:rPr><w:rFonts w:ascii='{face}'/></w:rPr><w:t>{text}</w:t></w:r></w:p>")
    };
    let body =
        line("Consolas", "if x:") + &line("Courier New", "for i in range(3):") + &line("Consolas", "    print(i)");
    let document = read(&docx(&body), &ExtractLimits::default()).unwrap();
    assert_eq!(document.blocks[0].kind, BlockKind::Paragraph);
    assert!(matches!(document.blocks[1].kind, BlockKind::Code { .. }));
    assert_eq!(&document.text[document.blocks[1].span.clone()], "for i in range(3):\n    print(i)");
    assert_eq!(text(&line("Arial", "f(x) = 1")), "f(x) = 1");
}

#[test]
fn equations_are_in_their_place() {
    let body = "<w:p><w:r><w:t>So </w:t></w:r><m:oMath><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t>\
        </m:r></m:sup></m:sSup></m:oMath><w:r><w:t> grows</w:t></w:r></w:p>";
    assert_eq!(text(body), "So x^2 grows");
}

#[test]
fn a_damaged_note_part_is_missing_and_the_rest_is_read() {
    let bytes = packed(&[
        ("word/document.xml", &format!("<w:document>{}</w:document>", p("", "body"))),
        ("word/_rels/document.xml.rels", &relations()),
        ("word/comments.xml", "<w:comments><w:comment>"),
    ]);
    let document = read(&bytes, &ExtractLimits::default()).unwrap();
    assert_eq!(document.text, "body");
    assert_eq!(document.missing[0].part, "comments");
    let broken = packed(&[("word/document.xml", "<w:document><w:p>")]);
    assert!(matches!(read(&broken, &ExtractLimits::default()), Err(FileError::Damaged { .. })));
    assert!(matches!(read(&packed(&[]), &ExtractLimits::default()), Err(FileError::Damaged { .. })));
}
