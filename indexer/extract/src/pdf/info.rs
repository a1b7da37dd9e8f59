//! The properties that a document states of itself: title, authors, subject, keywords, dates and language, from its
//! information dictionary, its XMP packet and its catalogue. What the dictionary says comes first. Titles that a program filled in (a file name, "Untitled") are no titles.

use std::collections::BTreeMap;

use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, String as PdfString};

use super::budget::Budget;
use super::text;
use super::xmp::{Packet, is_date};

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
pub(super) fn read(pdf: &Pdf, budget: &mut Budget) -> Info {
    let stated = pdf.metadata();
    let packet = Packet::of(pdf, budget);
    let title = value(stated.title.as_deref()).filter(|title| is_title(title));
    let title = title.or_else(|| packet.titles.iter().map(|title| shortened(title)).find(|title| is_title(title)));
    let mut info = Info { title, ..Info::default() };
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            info.metadata.insert(key.to_string(), value);
        }
    };
    let joined = |values: &[String]| {
        let said: Vec<&str> = values.iter().map(String::as_str).filter(|value| !is_placeholder(value)).collect();
        (!said.is_empty()).then(|| shortened(&said.join(", ")))
    };
    // The packet names each author; the dictionary often only the first.
    let author = value(stated.author.as_deref());
    put("author", if packet.authors.len() > 1 { joined(&packet.authors) } else { author.or(joined(&packet.authors)) });
    put("description", value(stated.subject.as_deref()).or_else(|| joined(&packet.descriptions)));
    put("keywords", value(stated.keywords.as_deref()).or_else(|| joined(&packet.keywords)));
    let date = |dates: &[String]| dates.iter().find(|date| is_date(date)).cloned();
    let created = stated.creation_date.as_ref().and_then(text::iso_date).or_else(|| date(&packet.created));
    let modified = stated.modification_date.as_ref().and_then(text::iso_date).or_else(|| date(&packet.modified));
    put("date", created.clone().or_else(|| modified.clone()));
    put("modified", modified.filter(|modified| created.as_ref() != Some(modified)));
    info.language = language(pdf).or_else(|| packet.languages.iter().find_map(|language| code(language)));
    info
}

fn value(bytes: Option<&[u8]>) -> Option<String> {
    let decoded = text::tidy(&text::decode(bytes?));
    let value = shortened(decoded.trim());
    (!value.is_empty() && !is_placeholder(&value)).then_some(value)
}

fn shortened(value: &str) -> String {
    value.chars().take(MAX_VALUE).collect()
}

/// Whether a program wrote this for want of a person who did.
fn is_placeholder(value: &str) -> bool {
    let plain = value.trim_matches(['(', ')', '<', '>', ' ']).to_lowercase();
    ["anonymous", "unspecified", "unknown", "untitled", "none", "n/a"].contains(&plain.as_str())
}

fn language(pdf: &Pdf) -> Option<String> {
    let catalogue = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
    code(&text::decode(catalogue.get::<PdfString<'_>>(b"Lang")?.as_bytes()))
}

/// The ISO 639-1 code in a language tag: `de` of `de-DE`.
fn code(tag: &str) -> Option<String> {
    let code: String = tag.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
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
        && !is_placeholder(title)
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
