//! All office formats through the front door: known by content whatever their name, limited, and never broken by
//! flipped bytes.

use std::path::Path;

use proptest::prelude::*;

use super::package::tests::packed;
use crate::block::assert_invariants;
use crate::{ExtractLimits, FileError, extract};

type Members = Vec<(&'static str, String)>;

fn office_open(main: &str, kind: &str, text: &str, more: &[(&'static str, &str)]) -> Members {
    let types = format!("<Types><Override PartName='/{main}' ContentType='application/{kind}.main+xml'/></Types>");
    let base = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let root =
        format!("<Relationships><Relationship Id='r' Type='{base}/officeDocument' Target='{main}'/></Relationships>");
    let name: &'static str = match main {
        "word/document.xml" => "word/document.xml",
        "ppt/presentation.xml" => "ppt/presentation.xml",
        _ => "xl/workbook.xml",
    };
    let mut members = vec![("[Content_Types].xml", types), ("_rels/.rels", root), (name, text.to_owned())];
    members.extend(more.iter().map(|(name, text)| (*name, (*text).to_owned())));
    members
}

fn samples() -> Vec<(&'static str, Members)> {
    let word = "<w:document><w:body><w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr><w:r><w:t>Head</w:t></w:r></w:p><w:tbl><w:tr>\
        <w:tc><w:tcPr><w:gridSpan w:val='2'/></w:tcPr><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r>\
        </w:p></w:tc></w:tr></w:tbl><w:p><m:oMath><m:f><m:num><m:r><m:t>x</m:t></m:r></m:num></m:f></m:oMath></w:p></w:body></w:document>";
    let deck = "<p:presentation><p:sldIdLst><p:sldId id='1' r:id='a'/></p:sldIdLst></p:presentation>";
    let deck_rels = "<Relationships><Relationship Id='a' Type='x/slide' Target='slides/s.xml'/></Relationships>";
    let slide = "<p:sld><p:sp><p:nvPr><p:ph type='title'/></p:nvPr><p:txBody><a:p><a:r><a:t>Head</a:t></a:r></a:p></p:txBody></p:sp>\
        <p:grpSp><p:sp><p:txBody><a:p><a:pPr lvl='1'><a:buAutoNum type='arabicPeriod'/></a:pPr><a:r><a:t>body</a:t></a:r></a:p>\
        </p:txBody></p:sp></p:grpSp></p:sld>";
    let book = "<workbook><sheets><sheet name='Sums' sheetId='1' r:id='a'/></sheets></workbook>";
    let book_rels = "<Relationships><Relationship Id='a' Type='x/worksheet' Target='sheet.xml'/></Relationships>";
    let sheet = "<worksheet><sheetData><row r='1'><c r='A1' t='str'><v>Name</v></c><c r='B1'><v>0.5</v></c></row><row r='2'>\
        <c r='A2' t='str'><v>tea</v></c><c r='B2'><v>3</v></c></row></sheetData></worksheet>";
    let open = |kind: &str, body: &str| {
        let name = if kind == "spreadsheet" { "spreadsheet" } else { "text" };
        let content = format!(
            "<office:document-content><office:body><office:{name}>{body}</office:{name}></office:body></office:document-content>"
        );
        vec![("mimetype", format!("application/vnd.oasis.opendocument.{kind}")), ("content.xml", content)]
    };
    let odt = "<text:h text:outline-level='1'>Head</text:h><text:list><text:list-item><text:p>a<text:s text:c='3'/>b</text:p>\
        </text:list-item></text:list><table:table><table:table-row><table:table-cell><text:p>c</text:p></table:table-cell>\
        <table:table-cell><text:p>d</text:p></table:table-cell></table:table-row></table:table>";
    let ods = "<table:table table:name='Sums'><table:table-row table:number-rows-repeated='3'><table:table-cell \
        table:number-columns-repeated='2'><text:p>3</text:p></table:table-cell></table:table-row></table:table>";
    let opf = "<package><metadata><dc:title>Book</dc:title></metadata><manifest><item id='a' href='a.html'/></manifest><spine>\
        <itemref idref='a'/></spine></package>";
    let epub = vec![
        ("mimetype", "application/epub+zip".to_owned()),
        ("META-INF/container.xml", "<c><rootfile full-path='p.opf'/></c>".to_owned()),
        ("p.opf", opf.to_owned()),
        ("a.html", "<h1>Head</h1><p>text".to_owned()),
    ];
    vec![
        ("docx", office_open("word/document.xml", "vnd.x.wordprocessingml.document", word, &[])),
        (
            "pptx",
            office_open(
                "ppt/presentation.xml",
                "vnd.x.presentationml.presentation",
                deck,
                &[("ppt/_rels/presentation.xml.rels", deck_rels), ("ppt/slides/s.xml", slide)],
            ),
        ),
        (
            "xlsx",
            office_open(
                "xl/workbook.xml",
                "vnd.x.spreadsheetml.sheet",
                book,
                &[("xl/_rels/workbook.xml.rels", book_rels), ("xl/sheet.xml", sheet)],
            ),
        ),
        ("odt", open("text", odt)),
        ("ods", open("spreadsheet", ods)),
        ("epub", epub),
    ]
}

fn pack(members: &Members) -> Vec<u8> {
    let members: Vec<(&str, &str)> = members.iter().map(|(name, text)| (*name, text.as_str())).collect();
    packed(&members)
}

#[test]
fn every_format_is_known_by_its_content() {
    for (kind, members) in samples() {
        for name in ["file", "file.bin", "file.docx", "file.zip"] {
            let read = extract(Path::new(name), &pack(&members), &ExtractLimits::default()).unwrap();
            assert_eq!(read.kind, kind);
            assert!(read.document.unwrap().blocks.len() > 1, "{kind}");
        }
    }
}

#[test]
fn torn_packages_are_damaged() {
    for (kind, members) in samples() {
        let bytes = pack(&members);
        let error = extract(Path::new(&format!("a.{kind}")), &bytes[..bytes.len() - 40], &ExtractLimits::default());
        assert!(matches!(error, Err(FileError::Damaged { .. })), "{kind}: {error:?}");
    }
}

#[test]
fn limits_hold_for_every_package() {
    let limits = ExtractLimits { max_unpacked: 100, ..ExtractLimits::default() };
    for (kind, members) in samples() {
        let error = extract(Path::new("a"), &pack(&members), &limits);
        assert!(matches!(error, Err(FileError::Limit { .. })) || kind == "epub", "{kind}: {error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn flipped_bytes_in_the_parts_break_nothing(
        sample in 0usize..6,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..128), 1..5),
    ) {
        let (kind, mut members) = samples().swap_remove(sample);
        for (member, at, byte) in flips {
            let member = member.index(members.len());
            let mut text = members[member].1.clone().into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            members[member].1 = String::from_utf8_lossy(&text).into_owned();
        }
        if let Ok(read) = extract(Path::new(&format!("a.{kind}")), &pack(&members), &ExtractLimits::default()) {
            read.document.iter().for_each(assert_invariants);
        }
    }

    #[test]
    fn flipped_bytes_in_the_package_break_nothing(
        sample in 0usize..6,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let (kind, members) = samples().swap_remove(sample);
        let mut bytes = pack(&members);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = extract(Path::new(&format!("a.{kind}")), &bytes, &ExtractLimits::default()) {
            read.document.iter().for_each(assert_invariants);
        }
    }
}
