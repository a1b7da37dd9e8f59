//! Form fields and what people noted.

use super::super::fixture::{File, lines};
use super::{read, texts};
use crate::block::BlockKind;

#[test]
fn form_fields_show_their_values() {
    let mut file = File::new();
    let shown = file.stream(
        "/Type/XObject/Subtype/Form/BBox[0 0 100 20]/Resources<</Font<</F1 3 0 R>>>>",
        b"BT /F1 10 Tf 2 5 Td (filled in) Tj ET",
    );
    let field = file.object(format!("<</Type/Annot/Subtype/Widget/Rect[100 600 200 620]/AP<</N {shown} 0 R>>>>"));
    let content = file.stream("", lines(72.0, 100.0, &["Name:"]).as_bytes());
    file.page_of(&format!("/Contents {content} 0 R/Annots[{field} 0 R]"), "");
    assert!(read(&file.finish()).text.contains("filled in"));
}

/// A page with these annotations, given by their entries.
fn annotated(text: &[&str], annotations: &[&str]) -> File {
    let mut file = File::new();
    let places: String = annotations
        .iter()
        .map(|entries| format!("{} 0 R ", file.object(format!("<</Type/Annot{entries}>>"))))
        .collect();
    let content = file.stream("", lines(72.0, 100.0, text).as_bytes());
    file.page_of(&format!("/Contents {content} 0 R/Annots[{places}]"), "");
    file
}

#[test]
fn values_that_nothing_draws_stand_in_their_fields() {
    let widget = "/Subtype/Widget/Rect[110 694 300 708]";
    for (field, value) in [
        ("/FT/Tx/V(Zimmermann)", "Zimmermann"),
        ("/FT/Tx/V<FEFF0047007200F600DF0065002091C78D2D>", "Größe 采购"),
        ("/Parent<</FT/Tx/V(of the group)>>", "of the group"),
        ("/FT/Ch/V(b)/Opt[[(a)(Austria)][(b)(Belgium)]]", "Belgium"),
        ("/FT/Ch/V[(a)(b)]/Opt[[(a)(Austria)][(b)(Belgium)]]", "Austria, Belgium"),
        ("/FT/Btn/AS/Yes/V/Yes", "✓"),
        ("/FT/Tx/V(shown)/AP<</N 99 0 R>>", "shown"),
    ] {
        let document = read(&annotated(&["Name:"], &[&format!("{widget}{field}")]).finish());
        assert_eq!(document.text, format!("Name: {value}"), "{field}");
    }
    for silent in ["/FT/Tx/V(secret)/Ff 8192", "/FT/Tx/V()", "/FT/Btn/AS/Off/V/Yes", "/FT/Tx/V(hidden)/F 2", "/FT/Tx"] {
        assert_eq!(read(&annotated(&["Name:"], &[&format!("{widget}{silent}")]).finish()).text, "Name:", "{silent}");
    }
}

#[test]
fn an_appearance_counts_more_than_the_value() {
    let shown = b"BT /F1 10 Tf 2 5 Td (1,200.00) Tj ET";
    for (drawn, value) in [(&shown[..], "Sum: 1,200.00"), (b"/Tx BMC EMC", "Sum: 1200")] {
        let mut file = File::new();
        let appearance = file.stream("/Subtype/Form/BBox[0 0 100 20]/Resources<</Font<</F1 3 0 R>>>>", drawn);
        let field = format!("/Subtype/Widget/FT/Tx/V(1200)/Rect[100 694 200 714]/AP<</N {appearance} 0 R>>");
        let field = file.object(format!("<</Type/Annot{field}>>"));
        let content = file.stream("", lines(72.0, 100.0, &["Sum:"]).as_bytes());
        file.page_of(&format!("/Contents {content} 0 R/Annots[{field} 0 R]"), "");
        assert_eq!(read(&file.finish()).text, value);
    }
}

#[test]
fn notes_are_read_with_their_author() {
    let note = "/Subtype/Text/Rect[400 600 420 620]/T(Kim)/Contents(Ask the customer)";
    let reply = "/Subtype/Text/Rect[400 600 420 620]/Contents(Done)/IRT 6 0 R";
    let pop_up = "/Subtype/Popup/Rect[400 600 420 620]/Contents(Ask the customer)";
    let vote = "/Subtype/Text/Rect[0 0 9 9]/StateModel(Review)/Contents(Accepted by Lee)";
    let hidden = "/Subtype/Text/Rect[0 0 9 9]/F 2/Contents(hidden)";
    let link = "/Subtype/Link/Rect[0 0 9 9]/Contents(go there)";
    let document = read(&annotated(&["Some text."], &[note, reply, pop_up, vote, hidden, link]).finish());
    let paragraph = &BlockKind::Paragraph;
    let expected =
        [(paragraph, "Some text."), (paragraph, "Comment by Kim: Ask the customer"), (paragraph, "Comment: Done")];
    assert_eq!(texts(&document), expected);
    let number = document.blocks[1].place.as_ref().and_then(|place| place.number());
    assert_eq!(number, Some(1));
}
