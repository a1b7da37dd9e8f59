//! The properties that a document states of itself: title, author, subject, keywords, dates and language, from its
//! information dictionary and its catalogue. Titles that a program filled in (a file name, "Untitled") are no titles.

use std::collections::BTreeMap;

use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, String as PdfString};

use super::text;

/// Longest value kept, in characters.
const MAX_VALUE: usize = 1_000;

/// What a document says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Info {
    pub(super) title: Option<String>,
    /// ISO 639-1 code.
    pub(super) language: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// Reads it.
pub(super) fn read(pdf: &Pdf) -> Info {
    let stated = pdf.metadata();
    let mut info = Info { title: value(stated.title.as_deref()).filter(|title| is_title(title)), ..Info::default() };
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            info.metadata.insert(key.to_string(), value);
        }
    };
    put("author", value(stated.author.as_deref()));
    put("description", value(stated.subject.as_deref()));
    put("keywords", value(stated.keywords.as_deref()));
    let created = stated.creation_date.as_ref().and_then(text::iso_date);
    let modified = stated.modification_date.as_ref().and_then(text::iso_date);
    put("date", created.clone().or_else(|| modified.clone()));
    put("modified", modified.filter(|modified| created.as_ref() != Some(modified)));
    info.language = language(pdf);
    info
}

fn value(bytes: Option<&[u8]>) -> Option<String> {
    let decoded = text::tidy(&text::decode(bytes?));
    let value: String = decoded.trim().chars().take(MAX_VALUE).collect();
    (!value.is_empty()).then_some(value)
}

fn language(pdf: &Pdf) -> Option<String> {
    let catalogue = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
    let stated = text::decode(catalogue.get::<PdfString<'_>>(b"Lang")?.as_bytes());
    let code: String = stated.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    (code.len() == 2).then_some(code)
}

/// Whether a person may have written this title.
fn is_title(title: &str) -> bool {
    let lower = title.to_lowercase();
    let filled_in =
        ["untitled", "unbenannt", "sans titre", "microsoft word -", "microsoft powerpoint -", "microsoft excel -"];
    let presentation = ["powerpoint presentation", "presentation", "document", "dokument", "slide 1", "title"];
    let file = [
        ".doc", ".docx", ".dvi", ".ppt", ".pptx", ".xls", ".xlsx", ".indd", ".qxd", ".tex", ".pdf", ".odt", ".rtf",
        ".fm",
    ];
    let letters = title.chars().filter(|character| character.is_alphabetic()).count();
    letters > 1
        && !filled_in.iter().any(|start| lower.starts_with(start))
        && !presentation.contains(&lower.as_str())
        && !file.iter().any(|ending| lower.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_programs_are_none() {
        for title in
            ["Untitled-1", "Microsoft Word - Report.doc", "report_v3.docx", "12345", "paper.dvi", "Presentation"]
        {
            assert!(!is_title(title), "{title}");
        }
        assert!(is_title("Annual report 2024"));
        assert!(is_title("中文"));
    }
}
