//! What files really say: a file of each kind that readers used to spoil, made here, indexed whole, and found by a word that
//! only a sound reading gives.

use std::fmt::Write as _;
use std::fs;

use crate::support::Bench;

impl Bench {
    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.docs().join(name), bytes).unwrap();
    }
}

/// Indexes these files; each is found first by its words, whole.
fn reads(files: &[(&str, Vec<u8>, &[&str])]) -> Bench {
    let bench = Bench::new();
    for (name, bytes, _) in files {
        bench.put(name, bytes);
    }
    bench.index();
    for (name, _, queries) in files {
        for query in *queries {
            let found = bench.paths(&[query, "--lexical"]);
            let first = found.first().map(String::as_str).unwrap_or_default();
            assert!(first == *name || first.starts_with(&format!("{name}/")), "{query} of {name}: {found:?}");
        }
    }
    bench
}

/// A PDF of one page: its operators, a map from its bytes to letters, and the entries of a form.
pub(crate) fn pdf(content: &str, to_unicode: &str, form: &str) -> Vec<u8> {
    let stream = |data: &str| format!("<</Length {}>>\nstream\n{data}\nendstream", data.len());
    let fields = if form.is_empty() { String::new() } else { "/AcroForm<</Fields[7 0 R]>>".to_owned() };
    let annotations = if form.is_empty() { "" } else { "/Annots[7 0 R]" };
    let objects = [
        format!("<</Type/Catalog/Pages 2 0 R{fields}>>"),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>{annotations}>>"
        ),
        stream(content),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 6 0 R>>".to_owned(),
        stream(to_unicode),
        format!("<</Type/Annot/Subtype/Widget/Rect[50 600 300 620]{form}>>"),
    ];
    let mut file = "%PDF-1.7\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(&objects) {
        writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
        writeln!(file, "{number} 0 obj\n{object}\nendobj").unwrap();
    }
    let start = file.len();
    write!(file, "{table}trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).unwrap();
    file.into_bytes()
}

/// A map of single bytes to letters.
fn letters(entries: &[(u8, &str)]) -> String {
    let map: String = entries.iter().map(|(byte, to)| format!("<{byte:02x}> <{to}>\n")).collect();
    format!(
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange\n\
         {} beginbfchar\n{map}endbfchar endcmap end end",
        entries.len()
    )
}

pub(crate) fn line(y: u32, text: &str) -> String {
    format!("BT /F1 12 Tf 1 0 0 1 50 {y} Tm ({text}) Tj ET\n")
}

/// A ZIP of members that are stored as they are; names are bytes, as old programs wrote them.
fn zip(members: &[(&[u8], &str)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in members {
        let mut sum = flate2::Crc::new();
        sum.update(text.as_bytes());
        let size = u32::try_from(text.len()).unwrap();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x5a];
        common.extend(sum.sum().to_le_bytes());
        common.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        let at = u32::try_from(file.len()).unwrap();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &at.to_le_bytes(), name].concat());
        file.extend([b"PK\x03\x04", &common[..], name, text.as_bytes()].concat());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let (size, at) = (u32::try_from(directory.len()).unwrap(), u32::try_from(file.len()).unwrap());
    file.extend(&directory);
    file.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size.to_le_bytes(), &at.to_le_bytes(), &[0, 0]].concat());
    file
}

const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

pub(crate) fn relations(entries: &[(&str, &str, &str)]) -> String {
    let entries = entries
        .iter()
        .map(|(id, kind, target)| format!("<Relationship Id='{id}' Type='{OFFICE}/{kind}' Target='{target}'/>"));
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    format!("<Relationships xmlns='{package}'>{}</Relationships>", entries.collect::<String>())
}

/// An Office package of these parts; the first is the document.
pub(crate) fn office(parts: &[(&str, &str)]) -> Vec<u8> {
    let main = parts[0].0;
    let kind = if main.starts_with("word") { "wordprocessingml.document" } else { "spreadsheetml.sheet" };
    let types = format!(
        "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>\
         <Default Extension='rels' ContentType='application/vnd.openxmlformats-package.relationships+xml'/>\
         <Default Extension='xml' ContentType='application/xml'/><Default Extension='html' ContentType='text/html'/>\
         <Override PartName='/{main}' ContentType='application/vnd.openxmlformats-officedocument.{kind}.main+xml'/></Types>"
    );
    let root = relations(&[("rId1", "officeDocument", main)]);
    let head: [(&str, &str); 2] = [("[Content_Types].xml", &types), ("_rels/.rels", &root)];
    let members: Vec<(&[u8], &str)> = head.iter().chain(parts).map(|(name, text)| (name.as_bytes(), *text)).collect();
    zip(&members)
}

#[test]
fn pdf_files_are_found_by_what_is_printed_in_them() {
    let odd = letters(&[(b'A', "0041006e00630068006f0072"), (b'B', "")]);
    // As it is drawn, from left to right: the word for peace, and a number that stays as it is.
    let hebrew = letters(&[(b'a', "05e9"), (b'b', "05dc"), (b'c', "05d5"), (b'd', "05dd")]);
    let leaders = [
        line(700, "Cleaning of the boiler, flat rate .................. 120 EUR"),
        line(680, "Prices hold for a year."),
    ];
    reads(&[
        ("odd-map.pdf", pdf(&line(700, "A word of the walrus"), &odd, ""), &["anchor", "walrus"]),
        ("right-to-left.pdf", pdf(&line(700, "4711 dcba"), &hebrew, ""), &["שלום", "4711"]),
        ("leaders.pdf", pdf(&leaders.concat(), "", ""), &["\"flat rate\"", "\"120 EUR\""]),
        ("form.pdf", pdf(&line(700, "Name of the tenant:"), "", "/FT/Tx/T(name)/V(Zimmermann)"), &["Zimmermann"]),
    ]);
}

#[test]
fn mails_are_found_in_the_charset_that_they_are_in() {
    let head = "From: a@x.example\r\nTo: b@x.example\r\nSubject: List\r\nMIME-Version: 1.0\r\n";
    let attached = [
        format!(
            "{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the list.\r\n--b\r\nContent-Type: text/csv\r\n\
             Content-Disposition: attachment; filename=\"kunden.csv\"\r\n\r\nKunde;Stra"
        )
        .as_bytes(),
        b"\xdfe\r\nM\xfcller;Gro\xdfmarkt 5\r\n--b--\r\n",
    ]
    .concat();
    let excuse = format!(
        "{head}Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
         Your mail client cannot show HTML. Please use another one to read this message.\r\n--b\r\n\
         Content-Type: text/html\r\n\r\n<p>The narwhal arrives on Friday.</p>\r\n--b--\r\n"
    );
    let declared = format!(
        "{head}Content-Type: text/plain; charset=iso-8859-1\r\n\r\nDie Größe der Schwimmweste wird geprüft.\r\n"
    );
    reads(&[
        ("attached.eml", attached, &["Straße", "Müller", "Großmarkt"]),
        ("excuse.eml", excuse.into_bytes(), &["narwhal"]),
        ("declared.eml", declared.into_bytes(), &["Größe", "geprüft"]),
    ]);
}

#[test]
fn pages_sheets_and_documents_are_found_by_what_they_show() {
    let table = "<table><tr><th>Step</th><th>Who</th></tr><tr><td>1</td><td><ul><li>Annabel</li><li>Bobby</li></ul></td></tr></table>";
    let sheet = "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData><row r='1'>\
                 <c r='A1' s='1'><v>123456789</v></c><c r='B1' t='inlineStr'><is><t>account</t></is></c></row></sheetData></worksheet>";
    let styles = "<styleSheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>\
                  <numFmts count='1'><numFmt numFmtId='200' formatCode='000\\-00\\-0000'/></numFmts>\
                  <cellXfs count='2'><xf numFmtId='0'/><xf numFmtId='200'/></cellXfs></styleSheet>";
    let book = format!(
        "<workbook xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' xmlns:r='{OFFICE}'>\
         <sheets><sheet name='Numbers' sheetId='1' r:id='rId1'/></sheets></workbook>"
    );
    let parts_of_book = relations(&[("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "styles", "styles.xml")]);
    let letter = format!(
        "<w:document xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main' xmlns:r='{OFFICE}'>\
         <w:body><w:p><w:r><w:t>An offer</w:t></w:r></w:p><w:altChunk r:id='rId1'/></w:body></w:document>"
    );
    let parts_of_letter = relations(&[("rId1", "aFChunk", "offer.html")]);
    let bench = reads(&[
        ("wiki.html", table.into(), &["Annabel", "Bobby"]),
        (
            "numbers.xlsx",
            office(&[
                ("xl/workbook.xml", &book),
                ("xl/_rels/workbook.xml.rels", &parts_of_book),
                ("xl/worksheets/sheet1.xml", sheet),
                ("xl/styles.xml", styles),
            ]),
            &["\"123-45-6789\""],
        ),
        (
            "offer.docx",
            office(&[
                ("word/document.xml", &letter),
                ("word/_rels/document.xml.rels", &parts_of_letter),
                ("word/offer.html", "<html><body><p>The discount is nine percent.</p></body></html>"),
            ]),
            &["discount"],
        ),
    ]);
    let table = bench.search(&["Annabel", "--lexical"]).to_string();
    assert!(table.contains("| 1 | Annabel, Bobby |"), "the list stays in its cell: {table}");
}

#[test]
fn calendars_contacts_and_saved_pages_are_found() {
    let calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Review of the slu\r\n ice gates\r\n\
                    DTSTART;TZID=Europe/Berlin:20260302T093000\r\nLOCATION:Gate house\\, upper floor\r\n\
                    ATTENDEE;CN=Wilhelmina Vos:mailto:vos@x.example\r\n\
                    BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Ringbell\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let contacts = "BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg =\r\nM=C3=BCllerberg\r\n\
                    TEL;WORK:+49 30 778899\r\nEND:VCARD\r\n";
    let saved = "From: <Saved by a browser>\r\nSubject: Onboarding\r\nMIME-Version: 1.0\r\n\
                 Content-Type: multipart/related; type=\"text/html\"; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\
                 Content-Location: https://wiki.example/onboarding\r\n\r\n<html><title>Onboarding checklist</title><p>Ask for a dosimeter.</p></html>\r\n\
                 --b\r\nContent-Type: text/css\r\nContent-Location: https://wiki.example/a.css\r\n\r\n.fancystyle {}\r\n--b--\r\n";
    // In code page 866: the word for an invoice.
    let old_names = zip(&[(b"\x91\xe7\xa5\xe2.txt", "Payment within ten days to the harbourmaster.")]);
    let bench = reads(&[
        ("station.ics", calendar.into(), &["sluice", "\"Gate house\"", "Wilhelmina", "\"2026-03-02 09:30\""]),
        ("people.vcf", contacts.into(), &["Müllerberg", "778899"]),
        ("page.mhtml", saved.into(), &["dosimeter"]),
        ("old.zip", old_names, &["harbourmaster", "Счет"]),
    ]);
    for noise in ["Ringbell", "fancystyle"] {
        assert_eq!(bench.paths(&[&format!("\"{noise}\""), "--lexical", "--no-correct"]), [""; 0], "{noise}");
    }
    assert_eq!(bench.paths(&["type:calendar sluice", "--lexical"]), ["station.ics"]);
}

#[test]
fn wrapped_and_parted_words_are_found_and_payload_is_not_read() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 58) as usize])
    };
    let payload: String = (0..60_000).map(|_| letter()).collect();
    let bench = reads(&[
        (
            "contract.txt",
            "The maintenance contract covers the ventila-\ntion system of the build-\ning.".into(),
            &["\"ventilation system\"", "\"the building\""],
        ),
        ("合同.txt", "采购合同必须由财务部和法务部共\n同签字之后才能寄给供应商。".into(), &["\"共同签字\""]),
        ("soft.txt", "The emer\u{ad}gency gener\u{ad}ator test".into(), &["\"emergency generator\""]),
        (
            "note.md",
            "Close the ==bypass== valve. %%hidden remark%% ^block-7\n\n> [!tip]- Beware of limescale\n> x\n".into(),
            &["bypass", "limescale"],
        ),
        ("scan.json", format!("{{\"title\": \"Scan of a dugong\", \"image\": \"{payload}\"}}").into(), &["dugong"]),
    ]);
    assert_eq!(bench.paths(&["\"hidden remark\"", "--lexical", "--no-correct"]), [""; 0]);
    let files = bench.status();
    let scan = files["files"].as_array().unwrap().iter().find(|file| file["path"] == "scan.json").unwrap();
    assert!(scan.to_string().contains("left out"), "the ledger says so: {scan}");
}
