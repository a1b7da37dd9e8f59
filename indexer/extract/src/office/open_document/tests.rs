//! OpenDocument files written in code.

use std::path::Path;

use super::*;
use crate::BlockKind;
use crate::block::assert_invariants;
use crate::office::package::tests::packed;
use crate::place::Place;

const STYLES: &str = "<office:document-styles><office:styles><style:style style:name='Preformatted_20_Text'/>\
    <text:outline-style><text:outline-level-style text:level='1' style:num-format=''/></text:outline-style></office:styles>\
    <office:master-styles><style:master-page><style:header><text:p>Confidential</text:p></style:header></style:master-page>\
    </office:master-styles></office:document-styles>";
const LISTS: &str = "<office:automatic-styles><style:style style:name='P1' style:parent-style-name='Preformatted_20_Text'/>\
    <style:style style:name='dp'><style:drawing-page-properties presentation:visibility='hidden'/></style:style>\
    <style:style style:name='ta'><style:table-properties table:display='false'/></style:style>\
    <text:list-style style:name='L'><text:list-level-style-number text:level='1' style:num-format='1' style:num-suffix='.'/>\
    <text:list-level-style-number text:level='2' style:num-format='a' text:display-levels='2' style:num-suffix=')'/>\
    </text:list-style></office:automatic-styles>";

fn package(kind: &str, body: &str) -> Result<StructuredText, FileError> {
    let content = format!(
        "<office:document-content>{LISTS}<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    );
    let meta = "<office:document-meta><office:meta><dc:title>Plan</dc:title><meta:initial-creator>Ana</meta:initial-creator>\
                </office:meta></office:document-meta>";
    let object =
        "<math><semantics><mi>x</mi><annotation encoding='StarMath 5.0'>x over y</annotation></semantics></math>";
    let bytes = packed(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", &content),
        ("styles.xml", STYLES),
        ("meta.xml", meta),
        ("Object 1/content.xml", object),
    ]);
    let limits = ExtractLimits::default();
    // Which format a package is was decided before this reader is asked.
    let format = if kind == "presentation" { ODP } else { ODT };
    let document = read(&mut Package::open(&bytes, &limits, format.name)?, format)?;
    assert_invariants(&document);
    Ok(document)
}

#[test]
fn texts_are_read_with_lists_notes_and_annotations() {
    let body = "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>\
        <text:h text:outline-level='2'>Head</text:h>\
        <text:p>one<text:s text:c='2'/>two\n  three<text:note><text:note-citation>i</text:note-citation><text:note-body>\
        <text:p>the note</text:p></text:note-body></text:note><office:annotation><dc:creator>Ana</dc:creator>\
        <dc:date>2020</dc:date><text:p>why?</text:p></office:annotation></text:p>\
        <text:list text:style-name='L'><text:list-item><text:p>a</text:p><text:list><text:list-item><text:p>b</text:p>\
        <text:p>more</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>c</text:p></text:list-item>\
        </text:list><text:p text:style-name='P1'>x = 1</text:p>\
        <text:p><draw:frame><draw:object xlink:href='./Object 1'/></draw:frame></text:p>";
    let document = package("text", body).unwrap();
    let expected = "Head\n\none  two three[1]\n\n[1] the note\n\nComment by Ana: why?\n\n1. a\n  1.a) b\n    more\n2. c\n\nx = 1\n\n\
                    x over y\n\nConfidential";
    assert_eq!(document.text, expected);
    assert_eq!((document.title.as_deref(), document.metadata["author"].as_str()), (Some("Plan"), "Ana"));
    assert_eq!(document.blocks[0].kind, BlockKind::Heading { level: 2 });
}

#[test]
fn tables_and_frames_are_read() {
    let cell = |attributes: &str, text: &str| {
        format!("<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>")
    };
    let body = format!(
        "<text:p>with<draw:frame><draw:text-box><text:p>a box</text:p></draw:text-box></draw:frame> it</text:p>\
         <table:table><table:table-header-rows><table:table-row>{}<table:covered-table-cell/>{}</table:table-row>\
         </table:table-header-rows><table:table-row>{}{}{}</table:table-row></table:table>",
        cell("table:number-columns-spanned='2'", "wide"),
        cell("", "c"),
        cell("", "d"),
        cell("", "e"),
        cell("", "f"),
    );
    let expected = "with it\n\na box\n\n| wide | wide | c |\n| --- | --- | --- |\n| d | e | f |\n\nConfidential";
    assert_eq!(package("text", &body).unwrap().text, expected);
}

#[test]
fn slides_have_titles_numbers_and_notes() {
    let body = "<draw:page><draw:frame presentation:class='outline'><draw:text-box><text:p>body</text:p></draw:text-box>\
        </draw:frame><draw:frame presentation:class='title'><draw:text-box><text:p>Title</text:p></draw:text-box></draw:frame>\
        <draw:frame presentation:class='page-number'><draw:text-box><text:p>7</text:p></draw:text-box></draw:frame>\
        <presentation:notes><draw:frame presentation:class='notes'><draw:text-box><text:p>say this</text:p></draw:text-box>\
        </draw:frame></presentation:notes></draw:page><draw:page draw:style-name='dp'><draw:custom-shape><text:p>shape</text:p>\
        </draw:custom-shape></draw:page>";
    let document = package("presentation", body).unwrap();
    assert_eq!(document.text, "Title\n\nbody\n\nNotes: say this\n\nSlide 2\n\nshape\n\nConfidential");
    assert_eq!(document.blocks[3].place, Some(Place::Slide(2)));
    assert_eq!(document.warnings, ["slide 2 is hidden"]);
}

#[test]
fn sheets_show_what_cells_show() {
    let body = "<table:table table:name='Costs'><table:table-row table:number-rows-repeated='2'><table:table-cell \
        table:number-columns-repeated='1024'/></table:table-row><table:table-row><table:table-cell/><table:table-cell \
        office:value='0.5'><text:p>Share</text:p><office:annotation><text:p>sure?</text:p></office:annotation></table:table-cell>\
        <table:table-cell><text:p>Day</text:p></table:table-cell></table:table-row><table:table-row \
        table:number-rows-repeated='2'><table:table-cell/><table:table-cell office:value='0.5'><text:p>50 %</text:p>\
        </table:table-cell><table:table-cell table:number-columns-repeated='2'><text:p>1</text:p></table:table-cell>\
        </table:table-row></table:table><table:table table:name='Old' table:style-name='ta'><table:table-row><table:table-cell>\
        <text:p>x</text:p></table:table-cell></table:table-row></table:table>";
    let document = package("spreadsheet", body).unwrap();
    let expected = "Costs\n\n| Share | Day |  |\n| --- | --- | --- |\n| 50 % | 1 | 1 |\n| 50 % | 1 | 1 |\n\nB3: Comment: sure?\n\n\
                    Old\n\nx";
    assert_eq!(document.text, expected);
    assert_eq!(document.blocks[1].place.as_ref().unwrap().cells(), Some("B3:D5"));
    assert_eq!(document.warnings, ["sheet Old is hidden"]);
}

#[test]
fn flat_and_encrypted_documents_are_known() {
    let flat = "<?xml version='1.0'?><office:document><office:meta><dc:title>T</dc:title></office:meta><office:body>\
        <office:text><text:p>flat text</text:p></office:text></office:body></office:document>";
    assert!(looks_flat(flat.as_bytes()));
    let limits = ExtractLimits::default();
    let document = read_flat(&Input::new(Path::new("a.fodt"), flat.as_bytes(), &limits)).unwrap();
    assert_eq!((document.text.as_str(), document.title.as_deref()), ("flat text", Some("T")));
    let bytes = packed(&[("META-INF/manifest.xml", "<m><e><manifest:encryption-data/></e></m>"), ("content.xml", "?")]);
    let mut package = Package::open(&bytes, &limits, "odt").unwrap();
    assert_eq!(super::read(&mut package, ODT), Err(FileError::Encrypted));
}
