//! Presentations written in code.

use crate::block::{StructuredText, assert_invariants};
use crate::error::FileError;
use crate::input::ExtractLimits;
use crate::office::package::Package;
use crate::office::package::tests::packed;
use crate::place::Place;

const PRESENTATION: &str = "<p:presentation><p:sldIdLst><p:sldId id='256' r:id='b'/><p:sldId id='257' r:id='a'/></p:sldIdLst></p:presentation>";
const RELATIONS: &str = "<Relationships><Relationship Id='a' Type='http://x/slide' Target='slides/slide1.xml'/>\
    <Relationship Id='b' Type='http://x/slide' Target='slides/slide2.xml'/>\
    <Relationship Id='c' Type='http://x/commentAuthors' Target='authors.xml'/></Relationships>";

fn shape(placeholder: &str, y: i64, paragraphs: &str) -> String {
    let place = if y < 0 { String::new() } else { format!("<p:spPr><a:xfrm><a:off x='0' y='{y}'/></a:xfrm></p:spPr>") };
    format!("<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr>{place}<p:txBody>{paragraphs}</p:txBody></p:sp>")
}

fn p(properties: &str, text: &str) -> String {
    format!("<a:p>{properties}<a:r><a:t>{text}</a:t></a:r></a:p>")
}

fn slide(attributes: &str, shapes: &str) -> String {
    format!("<p:sld {attributes}><p:cSld><p:spTree><p:grpSpPr/>{shapes}</p:spTree></p:cSld></p:sld>")
}

fn read(members: &[(&str, &str)]) -> Result<StructuredText, FileError> {
    let mut all = vec![("ppt/presentation.xml", PRESENTATION), ("ppt/_rels/presentation.xml.rels", RELATIONS)];
    all.extend(members);
    let bytes = packed(&all);
    let limits = ExtractLimits::default();
    let mut package = Package::open(&bytes, &limits, "pptx")?;
    let document = super::read(&mut package, "ppt/presentation.xml")?;
    assert_invariants(&document);
    Ok(document)
}

#[test]
fn slides_come_in_their_order_with_notes_and_comments() {
    let title = shape("<p:ph type='title'/>", -1, &p("", "Travel"));
    let list = p("", "one") + &p("<a:pPr lvl='1'><a:buAutoNum type='alphaLcParenR'/></a:pPr>", "two");
    let body = shape("<p:ph idx='1'/>", -1, &list);
    let number = shape("<p:ph type='sldNum'/>", -1, "<a:p><a:fld type='slidenum'><a:t>2</a:t></a:fld></a:p>");
    let rels = "<Relationships><Relationship Id='n' Type='http://x/notesSlide' Target='../n.xml'/>\
                <Relationship Id='m' Type='http://x/comments' Target='../c.xml'/></Relationships>";
    let notes = slide("", &shape("<p:ph type='body'/>", -1, &p("", "say this")));
    let document = read(&[
        ("ppt/slides/slide2.xml", &slide("", &(body + &title + &number))),
        ("ppt/slides/slide1.xml", &slide("show='0'", &shape("", 5, &p("", "secret")))),
        ("ppt/slides/_rels/slide2.xml.rels", rels),
        ("ppt/n.xml", &notes),
        ("ppt/c.xml", "<p:cmLst><p:cm authorId='0'><p:text>really?</p:text></p:cm></p:cmLst>"),
        ("ppt/authors.xml", "<p:cmAuthorLst><p:cmAuthor id='0' name='Ana'/></p:cmAuthorLst>"),
    ]);
    let document = document.unwrap();
    let expected = "Travel\n\n- one\n  a) two\n\nNotes: say this\n\nComment by Ana: really?\n\nSlide 2\n\nsecret";
    assert_eq!(document.text, expected);
    assert_eq!(document.warnings, ["slide 2 is hidden"]);
    assert_eq!(
        (&document.blocks[0].place, &document.blocks.last().unwrap().place),
        (&Some(Place::Slide(1)), &Some(Place::Slide(2)))
    );
}

#[test]
fn shapes_are_read_from_top_to_bottom_and_groups_stay_together() {
    let group = format!(
        "<p:grpSp><p:grpSpPr><a:xfrm><a:off x='0' y='2000000'/></a:xfrm></p:grpSpPr>{}{}</p:grpSp>",
        shape("", 9_000_000, &p("", "d")),
        shape("", 0, &p("", "c")),
    );
    let shapes = shape("", 5_000_000, &p("", "e")) + &group + &shape("", 1_000_000, &p("", "b"));
    let document = read(&[("ppt/slides/slide1.xml", &slide("", &shapes)), ("ppt/slides/slide2.xml", &slide("", ""))]);
    assert_eq!(document.unwrap().text, "Slide 2\n\nb\n\nc\n\nd\n\ne");
}

#[test]
fn tables_and_charts_are_read() {
    let cell = |attributes: &str, text: &str| format!("<a:tc {attributes}><a:txBody>{}</a:txBody></a:tc>", p("", text));
    let table = format!(
        "<p:graphicFrame><a:tbl><a:tr>{}{}</a:tr><a:tr>{}{}</a:tr></a:tbl></p:graphicFrame>\
         <p:graphicFrame><c:chart r:id='k'/></p:graphicFrame>",
        cell("gridSpan='2'", "wide"),
        cell("hMerge='1'", ""),
        cell("", "a"),
        cell("", "b"),
    );
    let rels = "<Relationships><Relationship Id='k' Type='http://x/chart' Target='../k.xml'/></Relationships>";
    let document = read(&[
        ("ppt/slides/slide1.xml", &slide("", &table)),
        ("ppt/slides/_rels/slide1.xml.rels", rels),
        ("ppt/k.xml", "<c:chart><c:title><a:t>Sales</a:t></c:title></c:chart>"),
        ("ppt/slides/slide2.xml", &slide("", "")),
    ]);
    assert_eq!(document.unwrap().text, "Slide 2\n\n| wide | wide |\n| --- | --- |\n| a | b |\n\nSales");
}

#[test]
fn a_damaged_slide_is_missing_and_the_others_are_read() {
    let good = slide("", &shape("", 0, &p("", "here")));
    let document = read(&[("ppt/slides/slide1.xml", &good), ("ppt/slides/slide2.xml", "<p:sld><")]).unwrap();
    assert_eq!(document.missing[0].part, "slide 1");
    assert!(document.text.ends_with("here"));
    assert!(matches!(read(&[("ppt/slides/slide2.xml", "<")]), Err(FileError::Damaged { .. })));
}
