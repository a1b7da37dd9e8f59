//! XML by quick-xml, event by event: nesting never uses the call stack, external entities are never fetched, and an
//! entity is replaced only by a short literal of its own document, once: bombs stay what they are. Elements that
//! documents use (DocBook, DITA, JATS, RSS, Atom, TEI) give headings, paragraphs, lists, tables and code; everything else
//! is read as records of `name: value`.

use std::collections::HashMap;

use encoding_rs::Encoding;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::mediawiki;
use super::names::{NAMED, ROLES, Role, SILENT_ATTRIBUTES};
use crate::block::{BlockKind, LineIndex, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::{Format, Input, decode, html, office, table};

pub(crate) const FORMAT: &Format = Format::of("xml");

/// Longest literal that an entity is replaced by.
const MAX_ENTITY: usize = 500;

/// Elements around a text that are asked what it belongs to.
const MAX_AROUND: usize = 32;

/// Bytes of a record at which the end of any element closes it.
const RECORD: usize = 200;

pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().starts_with(b"<?xml")
}

pub(crate) fn read(input: &Input<'_>) -> Result<StructuredText, FileError> {
    let decoded = decode::decode(input.bytes, declared_encoding(input.bytes));
    let root = root_name(&decoded.text).unwrap_or_default();
    if root == "html" {
        return html::read(input);
    }
    if mediawiki::is_root(&root) {
        let mut wiki = mediawiki::read(&decoded.text, FORMAT, input.file_name());
        wiki.warnings.splice(0..0, decoded.warnings);
        return Ok(wiki);
    }
    if root == "workbook" && decoded.text.contains(office::SPREADSHEET_ML) {
        return office::read_spreadsheet_ml(&decoded.text, decoded.warnings, input, FORMAT);
    }
    let mut walker = Walker::new(&decoded.text);
    let mut reader = Reader::from_str(&decoded.text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => walker.event(&event, at),
            Err(error) => {
                walker.builder.warnings.push(format!("not sound XML, read up to byte {at} ({error})"));
                break;
            }
        }
    }
    walker.finish(input, decoded.warnings)
}

/// The encoding in the declaration, as far as a text that can be read as bytes can have it.
fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(200)];
    let end = head.iter().position(|&byte| byte == b'>')?;
    let declaration = std::str::from_utf8(&head[..end]).ok()?;
    let value = declaration.split_once("encoding=")?.1;
    let label = value.get(1..)?.split(['"', '\'']).next()?;
    Encoding::for_label(label.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
}

/// Name of the first element.
fn root_name(source: &str) -> Option<String> {
    let mut reader = Reader::from_str(source);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) | Event::Empty(start) => return Some(local_name(&start)),
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn local_name(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_lowercase()
}

/// An open element.
struct Frame {
    name: String,
    role: Role,
    /// Within the text of the element around it.
    inline: bool,
    /// Whether a block came out of it.
    filled: bool,
}

struct Walker {
    builder: TextBuilder,
    lines: LineIndex,
    at: usize,
    entities: HashMap<String, String>,
    frames: Vec<Frame>,
    /// Open sections: the level of headings.
    sections: usize,
    /// Open tables.
    tables: usize,
    /// Text since the last block.
    text: String,
    /// `name: value` lines that wait for their record to end.
    record: String,
    rows: Vec<Vec<String>>,
    title: Option<String>,
}

impl Walker {
    fn new(source: &str) -> Self {
        Self {
            builder: TextBuilder::default(),
            lines: LineIndex::new(source),
            at: 0,
            entities: HashMap::new(),
            frames: Vec::new(),
            sections: 0,
            tables: 0,
            text: String::new(),
            record: String::new(),
            rows: Vec::new(),
            title: None,
        }
    }

    fn event(&mut self, event: &Event<'_>, at: usize) {
        self.at = at;
        match event {
            Event::Start(start) => self.open(start),
            Event::Empty(start) => {
                self.open(start);
                self.close();
            }
            Event::End(_) => self.close(),
            Event::Text(text) => self.text.push_str(text),
            Event::CData(text) => self.text.push_str(text),
            Event::GeneralRef(reference) => self.entity(reference),
            Event::DocType(declaration) => self.declare(declaration),
            _ => {}
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) {
        let name = local_name(start);
        let holds_text = |role: Role| {
            matches!(role, Role::Title | Role::Paragraph | Role::Item | Role::Cell | Role::Code | Role::Quote)
        };
        let in_text = self.frames.last().is_some_and(|frame| frame.inline || holds_text(frame.role));
        let role = self.role_of(&name);
        let started = !self.text.trim().is_empty();
        let block = !matches!(role, Role::Inline | Role::Other);
        let inline = !block && (started || in_text);
        if !inline {
            self.flush_text();
            if matches!(role, Role::Section | Role::Table) {
                self.flush_record();
            }
        }
        self.sections += usize::from(role == Role::Section);
        self.tables += usize::from(role == Role::Table);
        match (role, self.rows.last_mut()) {
            (Role::Row, _) => self.rows.push(Vec::new()),
            (Role::Cell, Some(row)) => row.push(String::new()),
            _ => {}
        }
        if role == Role::Other && !inline {
            self.attributes(start);
        }
        self.frames.push(Frame { name, role, inline, filled: false });
    }

    fn role_of(&self, name: &str) -> Role {
        let within = |role: Role| self.frames.last().is_some_and(|frame| frame.role == role);
        match name {
            // A cell of a CALS table, or a post of a feed.
            "entry" if within(Role::Row) => Role::Cell,
            "entry" => Role::Section,
            // A row of a table, or data that somebody called so.
            "row" if self.tables == 0 => Role::Other,
            _ => ROLES.iter().find(|(_, names)| names.contains(&name)).map_or(Role::Other, |(role, _)| *role),
        }
    }

    /// Attributes of data are data.
    fn attributes(&mut self, start: &BytesStart<'_>) {
        for attribute in start.attributes().flatten() {
            let key = attribute.key.local_name().as_ref().to_owned();
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap_or_default();
            let value = value.trim();
            let named = attribute.key.as_ref().starts_with("xmlns") || key.to_lowercase() == "schemalocation";
            let silent = named || SILENT_ATTRIBUTES.contains(&key.as_str());
            if !silent && !value.is_empty() && value.len() <= MAX_ENTITY {
                self.record.push_str(&format!("{key}: {value}\n"));
            }
        }
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        if frame.inline {
            return;
        }
        self.push_text(&frame);
        match frame.role {
            Role::Section => {
                self.flush_record();
                self.sections = self.sections.saturating_sub(1);
            }
            Role::Table => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.flush_table();
                }
            }
            Role::Other if frame.filled && (self.frames.len() <= 1 || self.record.len() >= RECORD) => {
                self.flush_record();
            }
            _ => {}
        }
        if let Some(parent) = self.frames.last_mut() {
            parent.filled = true;
        }
    }

    /// Text directly in an element that goes on with a block: it stands before it.
    fn flush_text(&mut self) {
        if self.text.trim().is_empty() {
            return self.text.clear();
        }
        let Some(frame) = self.frames.pop() else { return self.text.clear() };
        self.push_text(&frame);
        self.frames.push(Frame { filled: true, ..frame });
    }

    fn push_text(&mut self, frame: &Frame) {
        let raw = std::mem::take(&mut self.text);
        let role = self.enclosing(frame.role);
        if role == Role::Cell {
            if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
                let separator = if cell.is_empty() { "" } else { " " };
                cell.push_str(separator);
                cell.push_str(&collapsed(&raw));
            }
            return;
        }
        if raw.trim().is_empty() {
            return;
        }
        let lines = self.lines.lines(&(self.at..self.at + 1));
        if role == Role::Other {
            if raw.contains("</") || raw.contains("/>") || raw.contains("<br>") || raw.contains("<p>") {
                return self.push_html(&raw);
            }
            let value = collapsed(&raw);
            let plain = frame.name == "text" || frame.name == "content" || value.len() > RECORD;
            let line = if plain { format!("{value}\n") } else { format!("{}: {value}\n", frame.name) };
            self.record.push_str(&line);
            return;
        }
        self.flush_record();
        let text = if role == Role::Code { raw } else { collapsed(&raw) };
        let kind = match role {
            Role::Title => {
                self.title.get_or_insert_with(|| text.clone());
                let level = u8::try_from(self.sections + 1).unwrap_or(6).min(6);
                BlockKind::Heading { level }
            }
            Role::Item => {
                return self.builder.push(BlockKind::ListItem, &format!("- {text}"), lines);
            }
            Role::Quote => BlockKind::Quote,
            Role::Code => BlockKind::Code { language: None, definition: None },
            _ => BlockKind::Paragraph,
        };
        self.builder.push(kind, &text, lines);
    }

    /// A paragraph in an item is that item, in a cell it is the cell's text.
    fn enclosing(&self, role: Role) -> Role {
        let around = self.frames.iter().rev().take(MAX_AROUND).map(|frame| frame.role);
        let mut around = around.take_while(|role| *role != Role::Section);
        match role {
            Role::Cell => Role::Cell,
            Role::Paragraph | Role::Other | Role::Inline | Role::Title | Role::Item => {
                let holder = around.find(|role| matches!(role, Role::Cell | Role::Item | Role::Quote));
                match holder {
                    Some(Role::Cell) => Role::Cell,
                    Some(holder) if role != Role::Title && role != Role::Item => holder,
                    _ if role == Role::Inline => Role::Paragraph,
                    _ => role,
                }
            }
            Role::Section | Role::Row | Role::Table => Role::Paragraph,
            role => role,
        }
    }

    fn push_html(&mut self, source: &str) {
        self.flush_record();
        let lines = self.lines.lines(&(self.at..self.at + 1));
        let document = html::fragment(source);
        for block in document.blocks {
            self.builder.push(block.kind, &document.text[block.span], lines.clone());
        }
    }

    fn flush_record(&mut self) {
        let record = std::mem::take(&mut self.record);
        let lines = self.lines.lines(&(self.at..self.at + 1));
        self.builder.push(BlockKind::Paragraph, &record, lines);
    }

    fn flush_table(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
        let lines = self.lines.lines(&(self.at..self.at + 1));
        match table::markdown_rows(&rows) {
            Some(text) => self.builder.push(BlockKind::Table, &text, lines),
            None => self.builder.push(BlockKind::Paragraph, &rows.concat().join("\n"), lines),
        }
    }

    fn entity(&mut self, reference: &BytesRef<'_>) {
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            self.text.push(character);
            return;
        }
        let name: &str = reference;
        let named = NAMED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
        if let Some(text) = named.or_else(|| self.entities.get(name).map(String::as_str)) {
            self.text.push_str(text);
        }
    }

    /// Keeps the entities that stand for plain text; those that hold others, or lie elsewhere, are left out.
    fn declare(&mut self, declaration: &str) {
        for entity in declaration.split("<!ENTITY").skip(1) {
            let entity = entity.trim_start();
            let Some((name, rest)) = entity.split_once(char::is_whitespace) else { continue };
            let rest = rest.trim_start();
            let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
            let Some(value) = rest[1..].split(quote).next() else { continue };
            if value.len() <= MAX_ENTITY && !value.contains(['&', '%', '<']) {
                self.entities.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
    }

    fn finish(mut self, input: &Input<'_>, warnings: Vec<String>) -> Result<StructuredText, FileError> {
        self.flush_text();
        self.flush_table();
        self.flush_record();
        self.builder.title = self.title.or_else(|| Some(input.file_name()));
        self.builder.warnings.splice(0..0, warnings);
        let broken = self.builder.len() == 0 && !self.builder.warnings.is_empty();
        if broken {
            return Err(FileError::damaged("XML", self.builder.warnings.join("; ")));
        }
        Ok(self.builder.finish(FORMAT))
    }
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;
    use crate::block::sound;

    fn document(source: &str) -> StructuredText {
        sound(read(&Input::new(Path::new("a.xml"), source.as_bytes(), &ExtractLimits::default())).unwrap())
    }

    #[test]
    fn data_is_read_as_records() {
        let source = "<?xml version='1.0'?><factbook><country code='us'><name>United States</name><capital>Washington</capital>\
                      </country><country><name>Canada</name></country></factbook>";
        assert_eq!(document(source).text, "code: us\nname: United States\ncapital: Washington\n\nname: Canada");
    }

    #[test]
    fn docbook_gives_structure() {
        let source = "<!DOCTYPE book [<!ENTITY product 'Quarry'>]><book><title>Guide</title><chapter><title>Setup of &product;</title>\
            <para><emphasis>First</emphasis> words &amp; <literal>more</literal>.</para>\
            <itemizedlist><listitem><para>one</para></listitem><listitem><para>two</para></listitem></itemizedlist>\
            <programlisting>a\n  b</programlisting>\
            <table><tgroup><thead><row><entry>City</entry><entry>Rate</entry></row></thead>\
            <tbody><row><entry>Oslo</entry><entry><para>3</para></entry></row></tbody></tgroup></table></chapter></book>";
        let document = document(source);
        assert_eq!(
            document.text,
            "Guide\n\nSetup of Quarry\n\nFirst words & more.\n\n- one\n- two\n\na\n  b\n\n\
             | City | Rate |\n| --- | --- |\n| Oslo | 3 |"
        );
        assert_eq!(document.blocks[1].kind, BlockKind::Heading { level: 2 });
        assert_eq!(document.title.as_deref(), Some("Guide"));
    }

    #[test]
    fn feeds_are_read_post_by_post() {
        let source = "<rss><channel><title>News</title><item><title>One</title><pubDate>Mon, 1 May</pubDate>\
            <description>&lt;p&gt;Some &lt;b&gt;words&lt;/b&gt;&lt;/p&gt;</description></item></channel></rss>";
        assert_eq!(document(source).text, "News\n\nOne\n\npubdate: Mon, 1 May\n\nSome words");
    }

    #[test]
    fn entity_bombs_and_external_entities_are_harmless() {
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaa'><!ENTITY b '&a;&a;&a;'><!ENTITY f SYSTEM 'file:///etc/passwd'>]>\
                    <x><y>one &b; &f; two &a;</y></x>";
        assert_eq!(document(bomb).text, "y: one two aaa");
    }

    #[test]
    fn deep_and_broken_documents_are_harmless() {
        assert_eq!(document(&format!("{}x", "<y>".repeat(100_000))).text, "y: x");
        assert!(document("<a><b>text</c></b> more").text.contains("text"));
        let broken = read(&Input::new(Path::new("a.xml"), b"<a", &ExtractLimits::default()));
        assert!(matches!(broken, Err(FileError::Damaged { .. })), "{broken:?}");
    }

    #[test]
    fn declared_encodings_are_used() {
        let source = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><x><name>Gr\xfc\xdfe</name></x>";
        let document = read(&Input::new(Path::new("a.xml"), source, &ExtractLimits::default())).unwrap();
        assert_eq!(document.text, "name: Grüße");
    }
}
