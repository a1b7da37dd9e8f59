//! Sheets of kinds that hold no data (macro sheets of old versions, sheets of other programs). calamine refuses a
//! workbook that has one; told that it is a dialog, it passes it over. Also formulas whose result nobody stored.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::super::package::Package;

/// Kinds of sheets that calamine knows.
const KNOWN: [&str; 3] = ["worksheet", "chartsheet", "dialogsheet"];

/// A sheet that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unknown {
    /// Of its relation.
    pub(super) id: String,
    /// The last word of the relation's type; empty where there is none.
    pub(super) kind: String,
}

impl Unknown {
    /// A sheet of this id and kind, if it is of none that is known.
    pub(super) fn of(id: &str, kind: Option<&str>) -> Option<Self> {
        let kind = kind.unwrap_or_default();
        (!KNOWN.contains(&kind)).then(|| Self { id: id.to_owned(), kind: kind.to_owned() })
    }

    /// For the ledger.
    pub(super) fn reason(&self) -> String {
        match self.kind.as_str() {
            "" => "its part is not in the file; open it in the program it was made with and save it again".to_owned(),
            kind if kind.to_lowercase().contains("macro") => "a macro sheet: a program, not data".to_owned(),
            kind => format!("a sheet of a kind that cannot be read ({kind})"),
        }
    }
}

/// The package with sheets of unknown kinds called dialogs; `None` where it cannot be written anew.
pub(super) fn as_dialogs(package: &mut Package<'_>, main: &str, bytes: &[u8], sheets: &[Unknown]) -> Option<Vec<u8>> {
    let (folder, name) = main.rsplit_once('/').unwrap_or(("", main));
    let part = super::super::relations::join(folder, &format!("_rels/{name}.rels"));
    let mut text = package.xml(&part).ok()??;
    for sheet in sheets {
        if sheet.kind.is_empty() {
            let end = text.rfind("</")?;
            let missing = format!(r#"<Relationship Id="{}" Type="/dialogsheet" Target="none.xml"/>"#, sheet.id);
            text.insert_str(end, &missing);
        }
        for quote in ['"', '\''] {
            text = text.replace(&format!("/{}{quote}", sheet.kind), &format!("/dialogsheet{quote}"));
        }
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut written = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        let member = archive.by_index_raw(at).ok()?;
        let name = member.name().ok()?.into_owned();
        if name.trim_start_matches('/').eq_ignore_ascii_case(&part) {
            written.start_file(name, SimpleFileOptions::default()).ok()?;
            written.write_all(text.as_bytes()).ok()?;
        } else {
            written.raw_copy_file(member).ok()?;
        }
    }
    Some(written.finish().ok()?.into_inner())
}

/// How many formulas of a sheet have no stored result, and the cell of the first: programs that write sheets without
/// computing them leave it to the next one that opens the file.
pub(super) fn uncalculated(sheet: &str) -> Option<(usize, String)> {
    let mut found: Option<(usize, String)> = None;
    let formulas = sheet
        .match_indices("<f")
        .filter(|(at, _)| sheet.as_bytes().get(at + 2).is_some_and(|next| matches!(next, b'>' | b' ' | b'/')));
    for (at, _) in formulas {
        let Some(length) = sheet[at..].find("</c>") else { break };
        if has_result(&sheet[at..at + length]) || (is_empty_text(&sheet[at..at + length]) && is_text(&sheet[..at])) {
            continue;
        }
        match &mut found {
            Some((count, _)) => *count += 1,
            None => found = Some((1, name_of_cell(&sheet[..at]).unwrap_or_default())),
        }
    }
    found
}

fn has_result(cell: &str) -> bool {
    let value = cell.split_once("<v").map(|(_, value)| value);
    cell.contains("<is>")
        || value.is_some_and(|value| {
            value.starts_with(['>', ' ']) && !value.starts_with("></v") && !value.starts_with(" /")
        })
}

/// Whether an empty value is written down, which is a result where the cell is one of text.
fn is_empty_text(cell: &str) -> bool {
    cell.contains("<v></v>")
}

fn is_text(before: &str) -> bool {
    tag(before).is_some_and(|tag| tag.contains("t=\"str\"") || tag.contains("t='str'"))
}

/// The tag of the cell that opened last.
fn tag(before: &str) -> Option<&str> {
    // A tag has no more than its name, its style and its type.
    let near = &before[crate::block::floor_boundary(before, before.len().saturating_sub(400))..];
    Some(&near[near.rfind("<c ")?..])
}

/// The name in the tag of the cell that opened last.
fn name_of_cell(before: &str) -> Option<String> {
    let tag = tag(before)?;
    let name = tag.split_once(" r=")?.1.trim_start_matches(['"', '\'']);
    name.split(['"', '\'']).next().map(|name| name.chars().take(12).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_without_a_result_are_counted() {
        let sheet = "<c r=\"A1\"><f>1+1</f><v>2</v></c><c r=\"B1\"><f>SUM(A1)</f></c><c r='C1' t='str'><f/><v></v></c>\
                     <c r=\"D1\"><f t=\"shared\" si=\"0\"/><v/></c><c r=\"E1\"><v>1</v></c>\
                     <c r=\"F1\"><f>1+2</f><v></v></c><c r=\"G1\"><f>1</f><v xml:space=\"preserve\"> </v></c>";
        assert_eq!(uncalculated(sheet), Some((3, "B1".to_owned())));
        assert_eq!(uncalculated("<c r='A1'><v>1</v></c><font/><f"), None);
    }

    #[test]
    fn kinds_have_reasons() {
        assert_eq!(Unknown::of("r1", Some("worksheet")), None);
        assert!(Unknown::of("r1", Some("xlMacrosheet")).unwrap().reason().contains("macro"));
        assert!(Unknown::of("r1", None).unwrap().reason().contains("not in the file"));
    }
}
