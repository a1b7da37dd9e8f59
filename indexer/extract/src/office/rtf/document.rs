//! The meaning of RTF tokens: destinations (text, notes, tables of fonts and styles, what nobody reads), properties
//! that a group opens and its end takes back, paragraphs and cells.

use std::collections::HashMap;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::super::drawn;
use super::super::grid::Span;
use super::super::story::{self, Piece, Role, Story};
use super::super::word;
use super::charset;
use super::state::{Aside, Destination, SILENT, STARRED, State, Style};
use super::token::Token;
use crate::block::{BlockKind, StructuredText, TextBuilder};
use crate::error::FileError;
use crate::input::ExtractLimits;

/// Deepest nesting of groups.
const MAX_GROUPS: usize = 10_000;

/// Reads tokens.
pub(super) struct Reading {
    story: Story,
    state: State,
    groups: Vec<State>,
    /// Bytes whose characters are not complete yet.
    bytes: Vec<u8>,
    /// The first half of a character beyond the basic plane.
    surrogate: Option<u16>,
    /// Characters to step over.
    skip: usize,
    starred: bool,
    fonts: HashMap<i32, &'static Encoding>,
    font: i32,
    page: &'static Encoding,
    styles: HashMap<i32, Role>,
    style: Style,
    marker: String,
    author: String,
    fields: HashMap<&'static str, String>,
    date: [i32; 3],
    notes: usize,
    margins: Vec<Piece>,
    table: Table,
}

/// The open table.
#[derive(Default)]
struct Table {
    is_open: bool,
    row: bool,
    cell: bool,
    /// For each cell of the row, whether it continues the one above.
    merged: Vec<bool>,
    merges: bool,
    at: usize,
}

impl Reading {
    pub(super) fn new(limits: &ExtractLimits) -> Self {
        Self {
            story: Story::new(limits),
            state: State::START,
            groups: Vec::new(),
            bytes: Vec::new(),
            surrogate: None,
            skip: 0,
            starred: false,
            fonts: HashMap::new(),
            font: 0,
            page: WINDOWS_1252,
            styles: HashMap::new(),
            style: Style::default(),
            marker: String::new(),
            author: String::new(),
            fields: HashMap::new(),
            date: [0; 3],
            notes: 0,
            margins: Vec::new(),
            table: Table::default(),
        }
    }

    /// Takes the next token.
    pub(super) fn token(&mut self, token: Token<'_>) -> Result<(), FileError> {
        match token {
            Token::Byte(_) if self.skip > 0 => self.skip -= 1,
            Token::Byte(byte) => self.bytes.push(byte),
            Token::Open => {
                self.flush()?;
                if self.groups.len() >= MAX_GROUPS {
                    return Err(FileError::Limit { what: format!("its groups nest more than {MAX_GROUPS} deep") });
                }
                self.groups.push(self.state);
            }
            Token::Close => {
                self.flush()?;
                self.close();
            }
            Token::Symbol(symbol) => {
                self.flush()?;
                self.symbol(symbol)?;
            }
            Token::Word { name, number } => {
                self.flush()?;
                let starred = std::mem::take(&mut self.starred);
                if starred && !STARRED.contains(&name) || SILENT.contains(&name) {
                    self.state.to = Destination::Nowhere;
                    return Ok(());
                }
                self.word(name, number)?;
            }
        }
        Ok(())
    }

    /// The finished document.
    ///
    /// # Errors
    /// [`FileError::Limit`] when its last words are too many.
    pub(super) fn finish(mut self) -> Result<StructuredText, FileError> {
        self.flush()?;
        let mut builder = TextBuilder::default();
        if !self.groups.is_empty() {
            builder.warnings.push("the file ends in the middle: its end is missing".to_owned());
        }
        builder.title = self.fields.remove("title");
        for (field, value) in self.fields.drain().filter(|(_, value)| !value.trim().is_empty()) {
            builder.metadata.insert(field.to_owned(), value.trim().to_owned());
        }
        let [year, month, day] = self.date;
        if year > 0 {
            builder.metadata.insert("date".to_owned(), format!("{year:04}-{month:02}-{day:02}"));
        }
        story::tell(&mut builder, self.story.finish());
        story::tell(&mut builder, self.margins);
        Ok(builder.finish(super::FORMAT))
    }

    fn close(&mut self) {
        let Some(outer) = self.groups.pop() else { return };
        let inner = std::mem::replace(&mut self.state, outer);
        self.skip = 0;
        self.starred = false;
        if inner.to == Destination::StyleSheet && outer.to == Destination::StyleSheet {
            self.end_style();
        }
        if inner.aside != outer.aside {
            match inner.aside {
                Aside::None => {}
                Aside::Note => self.story.close_aside(),
                Aside::Margin => {
                    for piece in self.story.take_aside() {
                        let text = story::running_text(std::slice::from_ref(&piece));
                        if text.chars().any(char::is_alphabetic) && !self.margins.contains(&piece) {
                            self.margins.push(piece);
                        }
                    }
                }
            }
        }
    }

    fn symbol(&mut self, symbol: u8) -> Result<(), FileError> {
        match symbol {
            b'*' => self.starred = true,
            _ if self.skip > 0 => self.skip -= 1,
            b'~' => self.say(" ")?,
            b'_' => self.say("-")?,
            b'\\' | b'{' | b'}' => self.bytes.push(symbol),
            _ => {}
        }
        Ok(())
    }

    fn word(&mut self, name: &[u8], number: Option<i32>) -> Result<(), FileError> {
        let on = number != Some(0);
        match name {
            b"u" => return self.unicode(number.unwrap_or(0)),
            b"uc" => self.state.skipped_after = usize::try_from(number.unwrap_or(1)).unwrap_or(0).min(16),
            b"ansicpg" => {
                self.page = charset::code_page(number.unwrap_or(1252));
                self.state.encoding = self.page;
            }
            b"mac" => self.page = charset::code_page(10_000),
            b"f" => {
                self.font = number.unwrap_or(0);
                self.state.encoding = self.fonts.get(&self.font).copied().unwrap_or(self.page);
            }
            b"fcharset" if self.state.to == Destination::FontTable => {
                self.fonts.extend(charset::of_font(number.unwrap_or(0)).map(|encoding| (self.font, encoding)));
            }
            b"v" | b"deleted" => self.state.hidden = on,
            b"plain" => {
                self.state.hidden = false;
                self.state.encoding = self.page;
            }
            b"s" if self.state.to == Destination::StyleSheet => self.style.number = number.unwrap_or(0),
            b"outlinelevel" if self.state.to == Destination::StyleSheet => {
                self.style.outline = number.and_then(|level| usize::try_from(level).ok());
            }
            b"s" => self.state.style = number,
            b"outlinelevel" => self.state.outline = number.and_then(|level| usize::try_from(level).ok()),
            b"ilvl" => self.state.level = number.and_then(|level| usize::try_from(level).ok()).unwrap_or(0),
            b"pard" => {
                self.state = State { in_table: false, style: None, outline: None, level: 0, ..self.state };
            }
            _ => return self.destination(name, number),
        }
        Ok(())
    }

    fn destination(&mut self, name: &[u8], number: Option<i32>) -> Result<(), FileError> {
        match name {
            b"fonttbl" => self.state.to = Destination::FontTable,
            b"stylesheet" => self.state.to = Destination::StyleSheet,
            b"info" => self.state.to = Destination::Nowhere,
            b"title" | b"author" | b"subject" | b"keywords" | b"company" | b"doccomm" if self.groups.len() <= 3 => {
                let field = match name {
                    b"title" => "title",
                    b"author" => "author",
                    b"subject" => "subject",
                    b"keywords" => "keywords",
                    b"company" => "company",
                    _ => "description",
                };
                self.state.to = Destination::Field(field);
            }
            b"creatim" | b"revtim" => {
                self.state.to = Destination::Date;
                self.date = [0; 3];
            }
            b"yr" | b"mo" | b"dy" if self.state.to == Destination::Date => {
                let at = [&b"yr"[..], b"mo", b"dy"].iter().position(|part| *part == name).unwrap_or(0);
                self.date[at] = number.unwrap_or(0).clamp(0, 9999);
            }
            b"listtext" | b"pntext" => {
                self.state.to = Destination::ListMarker;
                self.marker.clear();
            }
            b"atnauthor" => {
                self.state.to = Destination::CommentAuthor;
                self.author.clear();
            }
            b"ud" => self.state.to = Destination::Text,
            b"footnote" | b"annotation" | b"shptxt" => return self.open_aside(name),
            b"header" | b"headerl" | b"headerr" | b"headerf" | b"footer" | b"footerl" | b"footerr" | b"footerf" => {
                self.state = State { aside: Aside::Margin, in_table: false, style: None, ..self.state };
                self.story.open_aside("");
            }
            _ => return self.layout(name),
        }
        Ok(())
    }

    fn open_aside(&mut self, name: &[u8]) -> Result<(), FileError> {
        if self.state.to != Destination::Text || self.state.aside != Aside::None {
            return Ok(());
        }
        let label = match name {
            b"footnote" => {
                self.notes += 1;
                let label = format!("[{}]", self.notes);
                self.say(&label)?;
                format!("{label} ")
            }
            b"annotation" => format!("{} ", drawn::comment(Some(&self.author), None, "").trim_end()),
            _ => String::new(),
        };
        self.state = State { aside: Aside::Note, in_table: false, style: None, outline: None, ..self.state };
        self.story.open_aside(&label);
        Ok(())
    }

    /// Paragraphs, cells, and characters that have names.
    fn layout(&mut self, name: &[u8]) -> Result<(), FileError> {
        if self.state.to != Destination::Text {
            return if name == b"tab" { self.say("\t") } else { Ok(()) };
        }
        match name {
            b"par" | b"sect" | b"page" => {
                self.story.close_paragraph();
                self.marker.clear();
            }
            b"intbl" => self.state.in_table = true,
            b"trowd" => {
                self.table.merged.clear();
                self.table.merges = false;
            }
            b"clvmrg" => self.table.merges = true,
            b"cellx" => {
                let merges = std::mem::take(&mut self.table.merges);
                self.table.merged.push(merges);
            }
            b"cell" => self.end_cell(),
            b"row" => self.end_row(),
            b"nestcell" => self.say(", ")?,
            b"nestrow" => self.say("; ")?,
            b"line" | b"softline" => self.say("\n")?,
            b"tab" => self.say("\t")?,
            b"emdash" => self.say("—")?,
            b"endash" => self.say("–")?,
            b"lquote" => self.say("‘")?,
            b"rquote" => self.say("’")?,
            b"ldblquote" => self.say("“")?,
            b"rdblquote" => self.say("”")?,
            b"bullet" => self.say("•")?,
            b"emspace" | b"enspace" | b"qmspace" => self.say(" ")?,
            _ => {}
        }
        Ok(())
    }

    fn unicode(&mut self, number: i32) -> Result<(), FileError> {
        self.skip = self.state.skipped_after;
        let code = u32::try_from(if number < 0 { number + 0x1_0000 } else { number }).unwrap_or(0xfffd);
        let unit = u16::try_from(code).ok();
        let character = match (self.surrogate.take(), unit) {
            (Some(high), Some(low)) => char::decode_utf16([high, low]).next().and_then(Result::ok),
            (None, Some(high @ 0xd800..=0xdbff)) => {
                self.surrogate = Some(high);
                return Ok(());
            }
            // Symbol fonts are addressed in the private use area.
            (None, Some(0xf000..=0xf0ff)) => Some('•'),
            _ => char::from_u32(code).filter(|&character| character != '\0'),
        };
        match character {
            Some(character) => self.say(character.encode_utf8(&mut [0; 4])),
            None => Ok(()),
        }
    }

    /// Decodes the bytes that were collected.
    fn flush(&mut self) -> Result<(), FileError> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes);
        let (text, _) = self.state.encoding.decode_without_bom_handling(&bytes);
        self.say(&text)
    }

    fn say(&mut self, text: &str) -> Result<(), FileError> {
        match self.state.to {
            Destination::Text if self.state.hidden => {}
            Destination::Text => {
                self.start_paragraph();
                return self.story.text(text);
            }
            Destination::StyleSheet => self.style.name.push_str(text),
            Destination::ListMarker => self.marker.push_str(text),
            Destination::CommentAuthor => self.author.push_str(text),
            Destination::Field(field) => {
                let value = self.fields.entry(field).or_default();
                if value.len() < 2_000 {
                    value.push_str(text);
                }
            }
            Destination::Nowhere | Destination::FontTable | Destination::Date => {}
        }
        Ok(())
    }

    /// Opens the paragraph that text is about to be added to, in its cell.
    fn start_paragraph(&mut self) {
        if self.story.in_paragraph() {
            return;
        }
        if self.state.aside == Aside::None {
            if self.state.in_table {
                self.start_cell();
            } else if self.table.is_open {
                self.story.close_table();
                self.table = Table::default();
            }
        }
        let role = self.role();
        self.story.open_paragraph(role);
    }

    fn role(&mut self) -> Role {
        let style = self.state.style.and_then(|style| self.styles.get(&style)).cloned();
        let marker = std::mem::take(&mut self.marker);
        let marker = marker.trim();
        if let Some(level) = self.state.outline.filter(|&level| level < 9) {
            return Role { prefix: number_of(marker), ..Role::heading(level + 1) };
        }
        match style {
            Some(role) if role.kind != BlockKind::Paragraph => Role { prefix: number_of(marker), ..role },
            _ if !marker.is_empty() => {
                let marker = if marker.contains(char::is_alphanumeric) { marker } else { "" };
                Role::item(self.state.level, if marker == "o" || marker == "n" { "" } else { marker })
            }
            _ => Role::default(),
        }
    }

    fn start_cell(&mut self) {
        if !self.table.is_open {
            self.story.open_table();
            self.table.is_open = true;
        }
        if !self.table.row {
            self.story.open_row();
            self.table.row = true;
            self.table.at = 0;
        }
        if !self.table.cell {
            let continues = self.table.merged.get(self.table.at).copied().unwrap_or(false);
            self.story.open_cell(Span { continues, ..Span::default() });
            self.table.cell = true;
        }
    }

    fn end_cell(&mut self) {
        self.story.close_paragraph();
        if self.state.aside != Aside::None {
            return;
        }
        self.start_cell();
        self.story.close_cell();
        self.table.cell = false;
        self.table.at += 1;
    }

    fn end_row(&mut self) {
        if self.state.aside == Aside::None && self.table.is_open {
            self.story.close_paragraph();
            self.story.close_cell();
            self.table.cell = false;
            self.table.row = false;
        }
    }

    fn end_style(&mut self) {
        let style = std::mem::take(&mut self.style);
        let by_level = style.outline.filter(|&level| level < 9).map(|level| Role::heading(level + 1));
        let name = style.name.trim().trim_end_matches(';');
        let role = by_level.or_else(|| word::meaning_by_name(name));
        self.styles.extend(role.map(|role| (style.number, role)));
    }
}

/// The number of a heading, from its marker.
fn number_of(marker: &str) -> String {
    if marker.contains(char::is_alphanumeric) { format!("{marker} ") } else { String::new() }
}
