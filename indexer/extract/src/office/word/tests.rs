//! Word documents written in code.

use std::path::Path;

use crate::BlockKind;
use crate::block::{StructuredText, assert_invariants};
use crate::error::FileError;
use crate::input::{ExtractLimits, Input};
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
    let input = Input::new(Path::new("a.docx"), bytes, limits);
    super::read(&mut package, "word/document.xml", &input)
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
fn what_nobody_sees_is_not_what_a_document_says() {
    let run = |properties: &str| format!("<w:r><w:rPr>{properties}</w:rPr><w:t>other</w:t></w:r>");
    let seen = "<w:r><w:t>seen</w:t></w:r>";
    let white = "<w:color w:val='FFFFFF'/>";
    for hidden in [white, "<w:color w:val='ffffff'/>", "<w:sz w:val='2'/>", "<w:vanish/>"] {
        assert_eq!(text(&format!("<w:p>{seen}{}</w:p>", run(hidden))), "seen", "{hidden}");
    }
    let shade = "<w:shd w:val='clear' w:fill='003366'/>";
    for shown in [
        format!("<w:p>{seen}{}</w:p>", run(&format!("{white}{shade}"))),
        format!("<w:p><w:pPr>{shade}</w:pPr>{seen}{}</w:p>", run(white)),
        format!("<w:p>{seen}{}</w:p>", run("<w:color w:val='FF0000'/><w:sz w:val='16'/>")),
    ] {
        assert_eq!(text(&shown), "seenother", "{shown}");
    }
    // The head of a table is white on dark by its style.
    let table = format!("<w:tbl><w:tr><w:tc><w:p>{}</w:p></w:tc></w:tr></w:tbl>", run(white));
    assert!(text(&table).contains("other"));
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

#[test]
fn what_a_form_shows_is_read() {
    let field = |data: &str, result: &str| {
        format!(
            "<w:r><w:fldChar w:fldCharType='begin'><w:ffData>{data}</w:ffData></w:fldChar></w:r>\
             <w:r><w:instrText> FORM </w:instrText></w:r>{result}<w:r><w:fldChar w:fldCharType='end'/></w:r>"
        )
    };
    let list = "<w:ddList><w:result w:val='1'/><w:listEntry w:val='Madrid'/><w:listEntry w:val='Oslo'/></w:ddList>";
    let first = "<w:ddList><w:listEntry w:val='Bern'/><w:listEntry w:val='Rome'/></w:ddList>";
    let ticked = "<w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox>";
    let open = "<w:checkBox><w:default w:val='0'/></w:checkBox>";
    let shown = "<w:r><w:fldChar w:fldCharType='separate'/></w:r><w:r><w:t>Paris</w:t></w:r>";
    let wrong = "<w:ddList><w:result w:val='9'/><w:listEntry w:val='x'/></w:ddList>";
    let all =
        [field(list, ""), field(first, ""), field(ticked, ""), field(open, ""), field(list, shown), field(wrong, "")];
    let body: String = all.iter().map(|one| format!("<w:p>{one}</w:p>")).collect();
    assert_eq!(text(&body), "Oslo\n\nBern\n\n☒\n\n☐\n\nParis");
}

#[test]
fn word_art_is_read() {
    let art = |words: &str| format!("<w:r><w:pict><v:shape><v:textpath string='{words}'/></v:shape></w:pict></w:r>");
    assert_eq!(text(&format!("<w:p>{}<w:r><w:t>below</w:t></w:r></w:p>", art("Spring sale"))), "below\n\nSpring sale");
    assert_eq!(text(&format!("<w:p>{}</w:p>", art(" "))), "");
}

#[test]
fn a_paragraph_whose_mark_was_deleted_goes_on() {
    let deleted = "<w:rPr><w:del w:id='1'/></w:rPr>";
    let table = "<w:tbl><w:tr><w:tc><w:p/></w:tc><w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    let joined =
        p(&format!("<w:outlineLvl w:val='0'/>{deleted}"), "joined para") + &p("", "graph end") + &p("", "next");
    assert_eq!(text(&joined), "joined paragraph end\n\nnext");
    let thrice = p(deleted, "a") + &p(deleted, "b") + &item(0, "c") + &item(0, "d");
    assert_eq!(text(&thrice), "1. abc\n2. d");
    assert_eq!(text(&(p(deleted, "before") + table)), "before\n\ncell");
    assert_eq!(text(&p(deleted, "last")), "last");
    let kept = p("<w:rPr><w:rPrChange><w:rPr><w:del/></w:rPr></w:rPrChange></w:rPr>", "kept") + &p("", "apart");
    assert_eq!(text(&kept), "kept\n\napart");
}

/// A document whose body and header insert others.
fn with_chunk(name: &str, content: &str) -> Vec<u8> {
    let relations =
        format!("<Relationships><Relationship Id='c' Type='http://purl/aFChunk' Target='{name}'/></Relationships>");
    let body = "<w:document><w:body><w:p><w:r><w:t>before</w:t></w:r></w:p><w:altChunk r:id='c'/><w:p><w:r><w:t>after</w:t></w:r></w:p></w:body></w:document>";
    packed(&[("word/document.xml", body), ("word/_rels/document.xml.rels", &relations), ("word/chunk.bin", content)])
}

#[test]
fn inserted_documents_are_read_by_their_own_format() {
    let html = "<html><body><h2>Rates</h2><table><tr><th>City<th>Rate<tr><td>Oslo<td>9 %</table></body></html>";
    let mht = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n{html}\n--b--\n"
    );
    let table = "Rates\n\n| City | Rate |\n| --- | --- |\n| Oslo | 9 % |";
    for (content, expected) in [
        (html, table),
        (mht.as_str(), table),
        ("{\\rtf1 Nine percent}", "Nine percent"),
        ("Nine percent", "Nine percent"),
    ] {
        let document = read(&with_chunk("chunk.bin", content), &ExtractLimits::default()).unwrap();
        assert_eq!(document.text, format!("before\n\n{expected}\n\nafter"));
        assert_eq!(document.missing, []);
    }
}

#[test]
fn inserted_documents_that_cannot_be_read_are_missing() {
    for (name, content) in [("gone.docx", ""), ("chunk.bin", "PK\u{3}\u{4}not a package"), ("chunk.bin", "%PDF-1.4")] {
        let document = read(&with_chunk(name, content), &ExtractLimits::default()).unwrap();
        assert_eq!((document.text.as_str(), document.missing.len()), ("before\n\nafter", 1), "{name}");
    }
    // Nesting ends somewhere.
    let limits = ExtractLimits { max_depth: 0, ..ExtractLimits::default() };
    assert_eq!(read(&with_chunk("chunk.bin", "text"), &limits).unwrap().missing[0].part, "inserted document chunk.bin");
}
