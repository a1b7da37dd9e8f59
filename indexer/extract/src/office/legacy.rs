//! Office 97 to 2003: compound files (OLE2) with a Word document, a workbook or a presentation in them, by `undoc` (DOC,
//! PPT) and calamine (XLS). What is encrypted in a compound file, new or old, says that it needs a password.
//!
//! Why `undoc` here and not for the XML formats: it reads piece tables, styles, lists, notes and slides of the binary
//! formats into a model with headings and tables, and found every expected word of the DOC of the test set;
//! `office_oxide` did too and hands out nothing but Markdown from five times the code; `litchi` pins a quick-xml with
//! open advisories.

use std::collections::HashSet;
use std::io::Cursor;

use cfb::CompoundFile;
use undoc::model::{Block, Cell, Paragraph, RevisionType, Section, Table};

use super::grid::Span;
use super::sheets;
use super::story::{self, Role, Story};
use super::subdocuments::{self, Subdocuments};
use crate::Format;
use crate::block::{BlockKind, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::input::{ExtractLimits, Input};
use crate::place::Place;

/// First bytes of a compound file.
const MAGIC: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

pub(crate) const DOC: &Format = Format::of("doc");
pub(crate) const PPT: &Format = Format::of("ppt");

/// Formats by whose names a damaged compound file is known.
const NAMED: &[(&Format, Kind)] = &[(DOC, Kind::Word), (sheets::workbook::XLS, Kind::Sheets), (PPT, Kind::Slides)];

/// Streams that tell what a compound file is, in the order they are asked for.
const STREAMS: &[(&str, Kind)] = &[
    ("EncryptedPackage", Kind::Encrypted),
    ("EncryptedSummary", Kind::Encrypted),
    ("WordDocument", Kind::Word),
    ("PowerPoint Document", Kind::Slides),
    ("Workbook", Kind::Sheets),
    ("Book", Kind::Sheets),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Slides,
    Sheets,
    /// Any of the new formats behind a password.
    Encrypted,
}

/// Whether a file is a compound file with an office document, or was one before it was damaged. Mails of Outlook are
/// compound files too and are not meant.
pub(crate) fn is_compound(input: &Input<'_>) -> bool {
    input.bytes.starts_with(MAGIC) && kind(input).is_some()
}

fn kind(input: &Input<'_>) -> Option<Kind> {
    let Ok(file) = CompoundFile::open(Cursor::new(input.bytes)) else {
        return NAMED.iter().find(|(format, _)| input.is_named(format)).map(|(_, kind)| *kind);
    };
    STREAMS.iter().find(|(name, _)| file.is_stream(name)).map(|(_, kind)| *kind)
}

/// Reads a compound file.
pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    match kind(input) {
        Some(Kind::Word) => {
            let beside = Subdocuments::of(input.bytes);
            let mended = beside.as_ref().and_then(|beside| beside.without_instructions(input.bytes));
            let bytes = mended.unwrap_or_else(|| input.bytes.to_vec());
            let parsed = undoc::doc::DocParser::from_bytes(bytes).and_then(|mut parser| parser.parse());
            document(parsed, DOC, beside.as_ref(), input.limits)
        }
        Some(Kind::Slides) => {
            let parsed = undoc::ppt::PptParser::from_bytes(input.bytes.to_vec()).and_then(|mut parser| parser.parse());
            document(parsed, PPT, None, input.limits)
        }
        Some(Kind::Sheets) => sheets::workbook::read_compound(input),
        Some(Kind::Encrypted) => Err(FileError::Encrypted),
        None => Err(FileError::Unsupported { format: "legacy Office".to_owned() }),
    }
}

fn document(
    parsed: undoc::Result<undoc::Document>,
    format: &'static Format,
    beside: Option<&Subdocuments>,
    limits: &ExtractLimits,
) -> Result<StructuredText, FileError> {
    let parsed = parsed.map_err(|error| match error {
        undoc::Error::Encrypted => FileError::Encrypted,
        other => FileError::damaged(format.name, other),
    })?;
    let mut builder = TextBuilder::default();
    builder.title = parsed.metadata.title;
    let keywords = Some(parsed.metadata.keywords.join(", ")).filter(|keywords| !keywords.is_empty());
    let date = parsed.metadata.modified.or(parsed.metadata.created);
    let fields = [
        ("author", parsed.metadata.author),
        ("date", date),
        ("subject", parsed.metadata.subject),
        ("keywords", keywords),
    ];
    for (field, value) in fields {
        builder.metadata.extend(value.filter(|value| !value.trim().is_empty()).map(|value| (field.to_owned(), value)));
    }
    let mut said = HashSet::new();
    for (index, section) in parsed.sections.into_iter().enumerate() {
        let margins = section.header.iter().flatten().chain(section.footer.iter().flatten());
        said.extend(margins.map(|text| subdocuments::plain(&text.plain_text())));
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let is_slide = format == PPT;
        builder.place = is_slide.then_some(Place::Slide(number));
        let title = if is_slide { slide_title(&section, number) } else { None };
        if let Some(title) = title {
            builder.push(BlockKind::Heading { level: 1 }, &title, story::NO_LINES);
        }
        let mut story = Story::new(limits);
        tell(&mut story, &section)?;
        story::tell(&mut builder, story.finish());
        if builder.len() as u64 > limits.max_text {
            return Err(FileError::Limit { what: format!("more than {} MiB of text", limits.max_text >> 20) });
        }
    }
    if let Some(beside) = beside {
        story::tell(&mut builder, beside.tell(&said, limits)?);
    }
    Ok(super::properties::finish(builder, format, None))
}

/// A heading for a slide that brings none: without it, it would stand under that of the slide before.
fn slide_title(section: &Section, number: u32) -> Option<String> {
    let has_heading = section.content.iter().any(|block| matches!(block, Block::Paragraph(text) if text.is_heading()));
    let says_something = !section.content.is_empty() || section.notes.is_some();
    (!has_heading && says_something).then(|| format!("Slide {number}"))
}

fn tell(story: &mut Story, section: &Section) -> Result<(), FileError> {
    for block in &section.content {
        match block {
            Block::Paragraph(text) => paragraph(story, text)?,
            Block::Table(rows) => table(story, rows)?,
            Block::Note { label, content } => {
                story.open_aside(&format!("[{label}] "));
                for text in content {
                    paragraph(story, text)?;
                }
                story.close_aside();
            }
            Block::Image { alt_text, .. } => {
                let shown = alt_text.as_deref().and_then(super::drawn::description);
                story.add(shown.into_iter().collect());
            }
            Block::PageBreak | Block::SectionBreak => {}
        }
    }
    let notes = section.notes.iter().flatten();
    story.open_aside("Notes: ");
    for text in notes {
        paragraph(story, text)?;
    }
    story.close_aside();
    for text in section.header.iter().flatten().chain(section.footer.iter().flatten()) {
        if text.plain_text().chars().any(char::is_alphabetic) {
            paragraph(story, text)?;
        }
    }
    Ok(())
}

fn paragraph(story: &mut Story, text: &Paragraph) -> Result<(), FileError> {
    story.open_paragraph(role(text));
    for run in text.runs.iter().filter(|run| run.revision != RevisionType::Deleted) {
        story.text(&run.text)?;
        if let Some(label) = &run.note {
            story.text(&format!("[{label}]"))?;
        }
        if run.line_break || run.page_break {
            story.text("\n")?;
        }
    }
    story.close_paragraph();
    Ok(())
}

fn role(text: &Paragraph) -> Role {
    if text.is_heading() {
        return Role::heading(text.heading.level().into());
    }
    let by_name = text.style_name.as_deref().and_then(super::word::meaning_by_name);
    if let Some(role) = by_name {
        return role;
    }
    match &text.list_info {
        Some(list) => {
            let marker = list.number.map(|number| format!("{number}.")).unwrap_or_default();
            Role::item(list.level.into(), &marker)
        }
        None => Role::default(),
    }
}

/// Tables nest, so open ones are a stack.
fn table(story: &mut Story, table: &Table) -> Result<(), FileError> {
    enum Step<'t> {
        Table(&'t Table),
        Cell(&'t Cell),
        Row,
        CloseCell,
        CloseTable,
    }
    let mut steps = vec![Step::Table(table)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Table(table) => {
                story.open_table();
                steps.push(Step::CloseTable);
                for row in table.rows.iter().rev() {
                    steps.extend(row.cells.iter().rev().map(Step::Cell));
                    steps.push(Step::Row);
                }
            }
            Step::Row => story.open_row(),
            Step::Cell(cell) => {
                let span = Span { columns: cell.col_span as usize, rows: cell.row_span as usize, continues: false };
                story.open_cell(span);
                for text in &cell.content {
                    paragraph(story, text)?;
                }
                steps.push(Step::CloseCell);
                steps.extend(cell.nested_tables.iter().rev().map(Step::Table));
            }
            Step::CloseCell => story.close_cell(),
            Step::CloseTable => story.close_table(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;

    fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for (name, bytes) in streams {
            file.create_stream(name).unwrap().write_all(bytes).unwrap();
        }
        file.into_inner().into_inner()
    }

    fn kind_of(name: &str, bytes: &[u8]) -> Option<Kind> {
        let limits = ExtractLimits::default();
        let input = Input::new(Path::new(name), bytes, &limits);
        is_compound(&input).then(|| kind(&input)).flatten()
    }

    #[test]
    fn streams_tell_the_kind() {
        assert_eq!(kind_of("x", &compound(&[("WordDocument", b"")])), Some(Kind::Word));
        assert_eq!(kind_of("x.docx", &compound(&[("EncryptedPackage", b"")])), Some(Kind::Encrypted));
        assert_eq!(kind_of("x.msg", &compound(&[("__properties_version1.0", b"")])), None);
        assert_eq!(kind_of("x.xls", &MAGIC.repeat(4)), Some(Kind::Sheets));
        assert_eq!(kind_of("x.doc", b"text"), None);
    }

    #[test]
    fn encrypted_and_damaged_files_say_so() {
        let limits = ExtractLimits::default();
        let outcome = |name: &str, bytes: &[u8]| read(&Input::new(Path::new(name), bytes, &limits));
        assert_eq!(outcome("x.xlsx", &compound(&[("EncryptedPackage", b"x")])), Err(FileError::Encrypted));
        for name in ["WordDocument", "PowerPoint Document", "Workbook"] {
            let error = outcome("x", &compound(&[(name, b"not that")])).unwrap_err();
            assert!(matches!(error, FileError::Damaged { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn what_lies_beside_the_text_of_a_word_file_is_read() {
        let parts = ["Body\r", "", "Draft 7\r\r", "", "", "", "City\u{7}Rate\u{7}\u{7}Oslo\u{7}9 %\u{7}\u{7}\r", ""];
        let read = |parts| {
            let bytes = subdocuments::tests::word_file(parts, true);
            read(&Input::new(Path::new("a.doc"), &bytes, &ExtractLimits::default())).unwrap().text
        };
        assert_eq!(read(parts), "Body\n\n| City | Rate |\n| --- | --- |\n| Oslo | 9 % |\n\nDraft 7");
        assert_eq!(read(["", "", "", "", "", "", "Only in a box\r", ""]), "Only in a box");
    }

    #[test]
    fn the_model_is_told() {
        let mut rows = Table::new();
        rows.add_row(undoc::Row { cells: vec![Cell::with_text("a"), Cell::with_text("b")], ..Default::default() });
        let mut section = Section::new(0);
        section.add_paragraph(Paragraph::heading(undoc::HeadingLevel::from_number(2), "Head"));
        section.add_paragraph(Paragraph::with_text("text"));
        section.add_table(rows);
        section.notes = Some(vec![Paragraph::with_text("spoken")]);
        let mut parsed = undoc::Document::new();
        parsed.add_section(section);
        let document = document(Ok(parsed), PPT, None, &ExtractLimits::default()).unwrap();
        assert_eq!(document.text, "Head\n\ntext\n\n| a | b |\n| --- | --- |\n\nNotes: spoken");
        assert_eq!(document.blocks[0].place, Some(Place::Slide(1)));
    }
}
